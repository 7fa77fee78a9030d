"""Whatever goes wrong is said as problem+json, with nothing of the inside in it."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from core.errors import Problem
from core.http import PROBLEM_TYPE
from tests.cast import Community
from tests.identity.neighbours import forget_rate_limits

SECRET = "the inside of the machine"


def check(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The answer is a problem of this status and code, complete; its body."""
    said: dict[str, Any] = answer.get_json()
    assert (answer.status_code, said["status"], said["code"]) == (status, status, code)
    assert answer.mimetype == "application/problem+json"
    assert said["type"] == PROBLEM_TYPE + code
    assert said["title"]
    assert said["detail"]
    assert said["request_id"] == answer.headers["X-Request-ID"]
    return said


@pytest.fixture
def crash(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], TestResponse]:
    """Let the list of lots fail in a way, and ask for it."""

    def ask(error: Exception) -> TestResponse:
        def fail() -> None:
            raise error

        monkeypatch.setitem(app.view_functions, "lots.list_lots", fail)
        return app.test_client().get("/api/v1/lots")

    return ask


def test_no_such_address(client: FlaskClient) -> None:
    for path in ("/nothing", "/api/v1/nothing", "/d/x", "/api/v1/stays/x"):
        check(client.get(path), 404, "not-found")


def test_a_method_that_is_not_offered(client: FlaskClient) -> None:
    answer = client.delete("/api/v1/device-events")
    check(answer, 405, "method-not-allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    check(client.get("/d/x/devicemanagement/php/gio.php"), 405, "method-not-allowed")


def test_a_body_too_large(client: FlaskClient) -> None:
    body = b'{"username": "' + b"x" * 9_000_000 + b'"}'
    answer = client.post("/api/v1/auth/token", data=body, content_type="application/json")
    check(answer, 413, "request-entity-too-large")


def test_a_body_of_another_kind(client: FlaskClient) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", None):
        answer = client.post("/api/v1/auth/token", data=b"a=b", content_type=content_type)
        check(answer, 415, "unsupported-media-type")


def test_too_many_tries(client: FlaskClient) -> None:
    forget_rate_limits()
    body = {"username": "nobody", "password": "x"}
    answers = (client.post("/api/v1/auth/token", json=body) for _ in range(25))
    answer = next(answer for answer in answers if answer.status_code != 401)
    check(answer, 429, "too-many-requests")
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    forget_rate_limits()


def test_a_crash_keeps_its_inside_to_itself(crash: Callable[[Exception], TestResponse]) -> None:
    for error in (RuntimeError(SECRET), KeyError(SECRET), psycopg.ProgrammingError(SECRET)):
        answer = crash(error)
        check(answer, 500, "internal-server-error")
        assert SECRET not in answer.text
        assert "Traceback" not in answer.text


def test_a_database_that_is_away_is_said_so(crash: Callable[[Exception], TestResponse]) -> None:
    answer = crash(psycopg.OperationalError(SECRET))
    check(answer, 503, "unavailable")
    assert SECRET not in answer.text
    assert answer.headers["Retry-After"] == "2"


def test_what_the_driver_refuses_is_the_callers_fault(
    crash: Callable[[Exception], TestResponse],
) -> None:
    for error in (psycopg.errors.NumericValueOutOfRange(SECRET), psycopg.DataError(SECRET)):
        answer = crash(error)
        check(answer, 422, "invalid")
        assert SECRET not in answer.text
    answer = crash(psycopg.errors.UniqueViolation(SECRET))
    check(answer, 409, "conflict")
    assert SECRET not in answer.text


def test_a_problem_says_what_it_was_given(crash: Callable[[Exception], TestResponse]) -> None:
    problem = Problem(
        409, "no-way", "No.", errors={"x": ["bad"]}, headers={"X-More": "1"}, due_fen=5
    )
    answer = crash(problem)
    said = check(answer, 409, "no-way")
    assert (said["errors"], said["due_fen"], answer.headers["X-More"]) == ({"x": ["bad"]}, 5, "1")


def test_a_request_id_comes_back(client: FlaskClient) -> None:
    for given in ("abc-123", "A.b_c", "x" * 64):
        answer = client.get("/healthz", headers={"X-Request-ID": given})
        assert answer.headers["X-Request-ID"] == given


def test_a_request_id_of_another_shape_is_replaced(client: FlaskClient) -> None:
    found = set()
    for given in ("", "x" * 65, "a b", "\xe8", "<script>", 'a"b'):
        answer = client.get("/nothing", headers={"X-Request-ID": given})
        check(answer, 404, "not-found")
        assert answer.headers["X-Request-ID"] != given
        found.add(answer.headers["X-Request-ID"])
    assert len(found) == 6


def test_every_answer_forbids_guessing_its_type(client: FlaskClient, community: Community) -> None:
    for path in ("/healthz", "/nothing", "/api/openapi.json", "/api/v1/lots", "/metrics"):
        assert client.get(path).headers["X-Content-Type-Options"] == "nosniff"


def test_the_api_page_works_without_a_network(client: FlaskClient) -> None:
    described = client.get("/api/openapi.json").get_json()
    assert described["openapi"].startswith("3.")
    assert "/api/v1/device-events" in described["paths"]
    page = client.get("/api/docs/")
    assert page.status_code == 200
    assert "https://" not in page.text.replace("https://huilin.example", "")
