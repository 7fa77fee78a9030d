"""Signing in, staying in, and every way to be out."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from identity import passwords, sessions
from identity.models import AuthSession
from identity.tokens import ACCESS, Claims, decode, encode
from tests.identity.neighbours import (
    bearer,
    forget_rate_limits,
    headers,
    hire_root,
    move_in,
    password_of,
    secret_of,
    signed_in,
)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _alice(app: Flask, session: Session) -> Iterator[None]:
    forget_rate_limits()
    move_in(session, "alice")
    yield
    forget_rate_limits()


def me(client: FlaskClient, access_token: str) -> int:
    return client.get("/api/v1/me", headers=bearer(access_token)).status_code


def refresh(client: FlaskClient, token: str) -> TestResponse:
    return client.post("/api/v1/auth/refresh", json={"refresh_token": token})


def attempt(
    client: FlaskClient, username: str, password: str, address: str = "127.0.0.1"
) -> TestResponse:
    return client.post(
        "/api/v1/auth/token",
        json={"username": username, "password": password},
        environ_base={"REMOTE_ADDR": address},
    )


def test_the_answer_is_the_contracts(client: FlaskClient) -> None:
    answer = attempt(client, "alice", password_of("alice"))
    pair = answer.get_json()
    assert answer.status_code == 200
    assert set(pair) == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (pair["token_type"], pair["expires_in"]) == ("Bearer", 900)
    assert me(client, pair["access_token"]) == 200


def test_me_says_who_i_am(client: FlaskClient, session: Session) -> None:
    answer = client.get("/api/v1/me", headers=headers(session, "alice")).get_json()
    assert answer.pop("id") > 0
    assert answer == {
        "username": "alice",
        "name": "王爱丽",
        "phone": "13812345678",
        "role": "resident",
        "household": "3-1-502",
        "active": True,
    }


def test_a_username_has_no_case(client: FlaskClient) -> None:
    assert attempt(client, "ALICE", password_of("alice")).status_code == 200


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("alice", "wrong password"),
        ("alice", ""),
        ("alice", password_of("alice").upper()),
        ("alice", password_of("alice") + " "),
        ("nobody", password_of("nobody")),
        ("nobody", "the password of nobody"),
        ("' OR 1=1 --", "' OR 1=1 --"),
        ("王爱丽", password_of("alice")),
    ],
)
def test_wrong_credentials_do_not_say_which_part_is_wrong(
    client: FlaskClient, session: Session, username: str, password: str
) -> None:
    answer = attempt(client, username, password)
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (401, "wrong-credentials")
    assert problem["detail"] == "The username or the password is wrong."
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert session.scalar(select(func.count()).select_from(AuthSession)) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "alice",
        {"username": "alice"},
        {"username": None, "password": "x"},
        {"username": ["alice"], "password": "x"},
        {"username": "alice", "password": {"$ne": ""}},
        {"username": "alice", "password": "nul\x00"},
        {"username": "\ud800", "password": "lone surrogate"},
        {"username": "a" * 65, "password": "too long a name"},
        {"username": "alice", "password": "x" * 257},
        {"username": "alice", "password": "extra", "admin": True},
    ],
)
def test_a_body_of_another_shape_is_refused(client: FlaskClient, body: Any) -> None:
    answer = client.post(
        "/api/v1/auth/token", data=json.dumps(body), content_type="application/json"
    )
    assert (answer.status_code, answer.mimetype) == (422, "application/problem+json")


def test_signing_in_renews_a_hash_of_older_costs(session: Session, client: FlaskClient) -> None:
    older = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)
    person = move_in(session, "bob", "1-101")
    person.password_hash = older.hash(password_of("bob"))
    session.commit()
    assert attempt(client, "bob", password_of("bob")).status_code == 200
    session.refresh(person)
    assert not passwords.is_outdated(person.password_hash)
    assert attempt(client, "bob", password_of("bob")).status_code == 200


def test_ten_tries_a_minute_for_one_name_wherever_they_come_from(client: FlaskClient) -> None:
    for i in range(10):
        password = password_of("alice") if i % 2 else "wrong"
        answer = attempt(client, "alice", password, f"10.0.0.{i}")
        assert answer.status_code == (200 if i % 2 else 401)
        assert "X-RateLimit-Remaining" in answer.headers
    refused = attempt(client, "Alice", password_of("alice"), "10.0.1.1")
    assert (refused.status_code, refused.get_json()["code"]) == (429, "too-many-requests")
    assert refused.mimetype == "application/problem+json"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert attempt(client, "bob", "wrong", "10.0.1.1").status_code == 401


def test_thirty_tries_a_minute_from_one_address_whatever_the_name(client: FlaskClient) -> None:
    for i in range(30):
        assert attempt(client, f"name{i}", "wrong").status_code == 401
    refused = attempt(client, "alice", password_of("alice"))
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert attempt(client, "alice", password_of("alice"), "10.0.0.1").status_code == 200


def test_no_retry_after_when_nothing_was_refused(client: FlaskClient) -> None:
    assert "Retry-After" not in attempt(client, "alice", password_of("alice")).headers


def test_an_access_token_lasts_fifteen_minutes(client: FlaskClient, session: Session) -> None:
    with clock.at(NOON):
        token = signed_in(session, "alice").access_token
    with clock.at(NOON + timedelta(minutes=14, seconds=59)):
        assert me(client, token) == 200
    with clock.at(NOON + timedelta(minutes=15)):
        answer = client.get("/api/v1/me", headers=bearer(token))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid-token")
    assert answer.headers["WWW-Authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic YWxpY2U6eA==", "Token abc", "Bearer,x"]
)
def test_without_a_bearer_token_one_is_asked_to_sign_in(client: FlaskClient, header: str) -> None:
    answer = client.get("/api/v1/me", headers={"Authorization": header})
    assert (answer.status_code, answer.get_json()["code"]) == (401, "sign-in-required")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("token", ["x", "a.b.c", "é.é.é", "eyJhbGciOiJub25lIn0.e30.", "x" * 8000])
def test_a_broken_token_is_refused(client: FlaskClient, token: str) -> None:
    answer = client.get("/api/v1/me", headers=bearer(token))
    assert (answer.status_code, answer.get_json()["code"]) == (401, "invalid-token")


def test_a_refresh_token_is_no_access_token_nor_the_reverse(
    client: FlaskClient, session: Session
) -> None:
    pair = signed_in(session, "alice")
    assert me(client, pair.refresh_token) == 401
    assert refresh(client, pair.access_token).status_code == 401
    assert me(client, pair.access_token) == 200


def test_refreshing_goes_on_for_months(client: FlaskClient, session: Session) -> None:
    with clock.at(NOON):
        token = signed_in(session, "alice").refresh_token
    for month in range(1, 4):
        with clock.at(NOON + month * timedelta(days=29)):
            pair = refresh(client, token).get_json()
            assert me(client, pair["access_token"]) == 200
            token = pair["refresh_token"]


def test_a_session_unused_for_thirty_days_is_over(client: FlaskClient, session: Session) -> None:
    with clock.at(NOON):
        token = signed_in(session, "alice").refresh_token
    with clock.at(NOON + timedelta(days=30)):
        assert refresh(client, token).status_code == 401


def test_a_refresh_token_used_twice_ends_the_whole_session(
    client: FlaskClient, session: Session
) -> None:
    stolen = signed_in(session, "alice").refresh_token
    elsewhere = signed_in(session, "alice")
    first = refresh(client, stolen)
    assert first.status_code == 200
    again = refresh(client, stolen)
    assert (again.status_code, again.get_json()["code"]) == (401, "invalid-token")
    assert me(client, first.get_json()["access_token"]) == 401
    assert refresh(client, first.get_json()["refresh_token"]).status_code == 401
    assert me(client, elsewhere.access_token) == 200


def test_signing_out_ends_this_session_only(client: FlaskClient, session: Session) -> None:
    here, elsewhere = signed_in(session, "alice"), signed_in(session, "alice")
    answer = client.post("/api/v1/auth/logout", headers=bearer(here.access_token))
    assert (answer.status_code, answer.data) == (204, b"")
    assert me(client, here.access_token) == 401
    assert refresh(client, here.refresh_token).status_code == 401
    assert me(client, elsewhere.access_token) == 200


def test_a_new_password_ends_every_session(client: FlaskClient, session: Session) -> None:
    here, elsewhere = signed_in(session, "alice"), signed_in(session, "alice")
    change = {"old": password_of("alice"), "new": "a new password"}
    answer = client.post("/api/v1/auth/password", json=change, headers=bearer(here.access_token))
    assert answer.status_code == 204
    for pair in (here, elsewhere):
        assert me(client, pair.access_token) == 401
        assert refresh(client, pair.refresh_token).status_code == 401
    assert attempt(client, "alice", password_of("alice")).status_code == 401
    assert attempt(client, "alice", "a new password").status_code == 200


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"old": "wrong password", "new": "a new password"}, "old"),
        ({"old": password_of("alice"), "new": "short"}, "new"),
        ({"old": password_of("alice"), "new": "x" * 257}, "new"),
        ({"old": password_of("alice"), "new": "nul\x00 inside"}, "new"),
        ({"old": password_of("alice")}, "new"),
    ],
)
def test_a_password_change_that_breaks_a_rule_changes_nothing(
    client: FlaskClient, session: Session, change: dict[str, str], field: str
) -> None:
    mine = headers(session, "alice")
    answer = client.post("/api/v1/auth/password", json=change, headers=mine)
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, [field])
    assert client.get("/api/v1/me", headers=mine).status_code == 200
    assert attempt(client, "alice", password_of("alice")).status_code == 200


def test_a_stolen_access_token_may_not_guess_the_password(
    client: FlaskClient, session: Session
) -> None:
    mine = headers(session, "alice")
    guess = {"old": "a wrong guess", "new": "a new password"}
    for _ in range(10):
        answer = client.post("/api/v1/auth/password", json=guess, headers=mine)
        assert answer.status_code == 422
    assert client.post("/api/v1/auth/password", json=guess, headers=mine).status_code == 429


def test_a_token_of_another_installation_is_refused(app: Flask, session: Session) -> None:
    pair = sessions.sign_in(session, secret_of(app)[::-1], "alice", password_of("alice"))
    session.commit()
    assert pair is not None
    assert me(app.test_client(), pair.access_token) == 401


def test_a_token_of_somebody_else_does_not_fit_ones_session(
    app: Flask, client: FlaskClient, session: Session
) -> None:
    root = hire_root(session)
    theirs = decode(secret_of(app), ACCESS, signed_in(session, "alice").access_token)
    mixed = Claims(root.id, theirs.session_id, theirs.token_id)
    assert me(client, encode(secret_of(app), ACCESS, mixed)) == 401


def test_sessions_that_are_over_are_cleared_away_at_the_next_sign_in(session: Session) -> None:
    with clock.at(NOON):
        signed_in(session, "alice")
    with clock.at(NOON + timedelta(days=30)):
        signed_in(session, "alice")
    assert session.scalar(select(func.count()).select_from(AuthSession)) == 1
