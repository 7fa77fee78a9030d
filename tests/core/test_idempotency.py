"""A request sent twice has one effect and one answer."""

from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic, db
from core.idempotency import KEPT, LONGEST_KEY, forget_before
from tests.cast import Community

TOP_UP = {"username": "ana", "amount_fen": 500}


def top_up(community: Community, key: str | None, name: str = "olga", **body: Any) -> TestResponse:
    headers = community.as_person(name) | ({"Idempotency-Key": key} if key is not None else {})
    return community.client.post("/api/v1/balance/top-ups", json=TOP_UP | body, headers=headers)


def count(session: Session) -> int:
    found = session.scalar(text("SELECT count(*) FROM top_up")) or 0
    session.rollback()
    return found


def test_a_repeat_gets_the_first_answer(community: Community, session: Session) -> None:
    first, again = top_up(community, "k"), top_up(community, "k")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert count(session) == 1


def test_without_a_proper_key_nothing_happens(community: Community, session: Session) -> None:
    for key in (None, "", "x" * (LONGEST_KEY + 1), "车", "a\tb"):
        answer = top_up(community, key)
        assert (answer.status_code, answer.get_json()["code"]) == (400, "idempotency-key-required")
    assert top_up(community, "x" * LONGEST_KEY).status_code == 201
    assert count(session) == 1


def test_a_key_belongs_to_its_request(community: Community, session: Session) -> None:
    top_up(community, "k")
    other = top_up(community, "k", amount_fen=501)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-key-reused")
    elsewhere = community.client.post(
        "/api/v1/payments",
        json={"stay_id": 1, "method": "cash"},
        headers=community.as_person("olga") | {"Idempotency-Key": "k"},
    )
    assert elsewhere.status_code == 422
    assert count(session) == 1


def test_a_key_belongs_to_its_caller(community: Community, session: Session) -> None:
    assert [top_up(community, "k", name).status_code for name in ("olga", "ada")] == [201, 201]
    assert count(session) == 2


def test_a_refusal_keeps_no_key(community: Community, session: Session) -> None:
    assert top_up(community, "k", username="nobody").status_code == 422
    assert top_up(community, "k").status_code == 201
    assert count(session) == 1


def test_while_the_first_is_running_the_second_waits_outside(
    community: Community, session: Session
) -> None:
    who = community.client.get("/api/v1/me", headers=community.as_person("olga")).get_json()["id"]
    with db.engine.connect() as running:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"
        running.execute(text(lock), {"key": f"person:{who}\nk"})
        answer = top_up(community, "k")
        assert (answer.status_code, answer.get_json()["code"]) == (409, "still-running")
        running.rollback()
    assert top_up(community, "k").status_code == 201
    assert count(session) == 1


def test_keys_are_forgotten_after_a_week(community: Community, session: Session) -> None:
    top_up(community, "k")
    assert atomic(forget_before, clock.now()) == 0
    assert atomic(forget_before, clock.now() + 2 * KEPT) == 1
