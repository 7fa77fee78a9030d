"""Closing while others post, while another closes, and when it dies half-way."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from core.errors import Problem
from identity import people
from ledger import periods, settlement
from ledger.periods import month_of
from publication import publishing
from tests.ledger.till import ask, book, fee
from tests.publication.bureau import DECEMBER, MONTH, Bureau

WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
RIGHTS = ("carl", "cora", "cyn")


@pytest.fixture
def closers(bureau: Bureau) -> list[int]:
    """Three more who may approve; Fan has asked."""
    found = [
        people.create_person(bureau.session, name, f"{name}'s password", "finance").id
        for name in RIGHTS
    ]
    bureau.session.commit()
    bureau.does(f"ledger/periods/{MONTH}/close", "fan")
    return found


def approve(app: Flask, person_id: int) -> str:
    """What somebody is told who approves."""
    with app.app_context():
        try:
            atomic(publishing.close_and_publish, month_of(MONTH), person_id, None)
        except Problem as problem:
            reasons: list[dict[str, Any]] = problem.more.get("reasons", [])
            return " ".join([problem.code, *(f"{r['reason']}={r['count']}" for r in reasons)])
        return "closed"


def until_it_waits(bureau: Bureau, future: Future[str]) -> None:
    """Until somebody stands before a lock."""
    while not future.done() and not ask(bureau.session, WAITS)[0][0]:
        pass
    assert not future.done()


def test_a_close_waits_for_what_is_being_posted_and_then_sees_it(
    app: Flask, bureau: Bureau, closers: list[int]
) -> None:
    book(bureau.session, fee(60, source="parcel"))
    with clock.at(DECEMBER), ThreadPoolExecutor(1) as pool:
        with Session(bureau.session.get_bind()) as settler:
            assert settlement.settle_batch(settler) == 1
            answer = pool.submit(approve, app, closers[0])
            until_it_waits(bureau, answer)
            settler.commit()
        assert answer.result() == "not-ready unsealed=3"
    assert bureau.sees(f"ledger/periods/{MONTH}", "ava")["status"] == "closing"


def test_what_wants_to_be_posted_during_a_close_goes_to_the_next_month(
    app: Flask, bureau: Bureau, closers: list[int]
) -> None:
    """It waits for the close, and is told that the month is closed."""
    book(bureau.session, fee(60, source="parcel", occurred_at=DECEMBER))
    with clock.at(DECEMBER), Session(bureau.session.get_bind()) as closer:
        periods.close(closer, month_of(MONTH), closers[0], None)
        book(bureau.session, fee(61, source="parcel"))

        def settle() -> str:
            with app.app_context():
                return str(atomic(settlement.settle_batch, 500))

        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(settle)
            until_it_waits(bureau, answer)
            closer.commit()
            assert answer.result() == "2"
    sql = "SELECT DISTINCT posted_on::text FROM journal_entry WHERE recorded_at >= '2026-12-01'"
    assert ask(bureau.session, sql + " ORDER BY 1") == [("2026-12-01",), ("2026-12-03",)]


def test_one_of_many_approvals_at_once_publishes(
    app: Flask, bureau: Bureau, closers: list[int]
) -> None:
    with clock.at(DECEMBER), ThreadPoolExecutor(3) as pool:
        said = [f.result() for f in [pool.submit(approve, app, person) for person in closers]]
    assert sorted(said) == ["closed", "period-closed", "period-closed"]
    assert bureau.count("SELECT count(*) FROM publication") == 1


def test_a_close_that_dies_half_way_is_done_again(
    app: Flask, bureau: Bureau, closers: list[int]
) -> None:
    """Here after the month was closed and before it was published."""
    bureau.session.execute(
        text("""
        CREATE FUNCTION dies() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_terminate_backend(pg_backend_pid());
            RETURN NEW;
        END $$;
        CREATE TRIGGER dies BEFORE INSERT ON publication FOR EACH ROW EXECUTE FUNCTION dies()
        """)
    )
    bureau.session.commit()
    answer = bureau.post(f"ledger/periods/{MONTH}/approve", "ada")
    assert (answer.status_code, answer.get_json()["code"]) == (503, "unavailable")
    assert bureau.sees(f"ledger/periods/{MONTH}", "ava")["status"] == "closing"
    assert bureau.count("SELECT count(*) FROM publication") == 0
    bureau.session.execute(text("DROP TRIGGER dies ON publication"))
    bureau.session.commit()
    assert bureau.does(f"ledger/periods/{MONTH}/approve", "ada")["editions"] == 1
