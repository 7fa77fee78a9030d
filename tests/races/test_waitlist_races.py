"""The waitlist under a crowd: as many are booked as spaces come free, in order, nobody twice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import atomic, db, driver
from core.errors import Problem
from parking import lots
from sharing import booking_changes, booking_terms, waiting, waitlist
from sharing.booking_facts import NewBooking
from tests.cast import NOON, Community
from tests.processes import until
from tests.races.crowd import at_once
from tests.sharing.filling import HOUR, TEN, TWELVE, book, fill, neighbours, rows

ZONE = ZoneInfo("Asia/Shanghai")
SPACES = 12

Call = Callable[[FlaskClient], object]


def cancelling(app: Flask, booking: int) -> Call:
    """A call that cancels a booking."""

    def call(_client: FlaskClient) -> object:
        with app.app_context():
            return atomic(booking_changes.cancel, booking, household_id=None, now=NOON, zone=ZONE)

    return call


def sweeping(app: Flask) -> Call:
    """A call that sweeps, as another server's worker would."""

    def call(_client: FlaskClient) -> object:
        with app.app_context():
            return atomic(waitlist.sweep, NOON, ZONE)

    return call


def withdrawing(app: Flask, entry: int) -> Call:
    """A call that leaves the waitlist; what came of it."""

    def call(_client: FlaskClient) -> object:
        with app.app_context():
            try:
                atomic(waiting.withdraw, entry, None, NOON, ZONE)
            except Problem as problem:
                return problem.code
            return "withdrawn"

    return call


def joining(app: Flask, neighbour: tuple[int, int, str]) -> Call:
    """A call that joins the waitlist for the hot time."""
    household, person, plate = neighbour

    def call(_client: FlaskClient) -> object:
        new = NewBooking("B2", TEN, TWELVE, plate, person, household)
        with app.app_context():
            return atomic(waiting.join, new, NOON, ZONE)

    return call


def a_full_lot(session: Session, waiters: int) -> tuple[list[int], list[tuple[int, int, str]]]:
    """Twelve spaces booked for the hot time: the bookings; and neighbours."""
    lot = lots.lot_by_code(session, "B2")
    lots.add_spaces(session, lot, [f"B2-{n:03d}" for n in range(6, SPACES + 1)])
    fill(session, range(1, SPACES + 1), TEN, TWELVE)
    homes = neighbours(session, waiters)
    session.commit()
    return [one for (one,) in rows(session, "SELECT id FROM booking ORDER BY id")], homes


def waits_in_order(session: Session, homes: list[tuple[int, int, str]]) -> None:
    for household, person, plate in homes:
        waiting.join(session, NewBooking("B2", TEN, TWELVE, plate, person, household), NOON, ZONE)
    session.commit()


def statuses(session: Session) -> list[str]:
    """The status of every entry in the order of joining."""
    return [one for (one,) in rows(session, "SELECT status FROM waitlist_entry ORDER BY id")]


def everything_holds(session: Session) -> None:
    """No space and no plate twice, every booked entry with its own booking, told once."""
    overlaps = """
        SELECT count(*) FROM space_claim a JOIN space_claim b ON a.space_id = b.space_id
            AND a.id < b.id AND a.live AND b.live AND a.during && b.during
    """
    assert rows(session, overlaps) == [(0,)]
    active = "status IN ('confirmed', 'checked_in')"
    twice = f"SELECT plate FROM booking WHERE {active} GROUP BY plate HAVING count(*) > 1"
    assert rows(session, twice) == []
    unclaimed = f"""
        SELECT b.id FROM booking b LEFT JOIN space_claim c ON c.booking_id = b.id AND c.live
            AND c.space_id = b.space_id AND c.during = tstzrange(b.starts_at, b.ends_at)
        WHERE {active} AND c.id IS NULL
    """
    assert rows(session, unclaimed) == []
    [(booked, bookings, notices)] = rows(
        session,
        """
        SELECT count(*), count(DISTINCT w.booking_id),
            (SELECT count(*) FROM notice WHERE kind = 'waitlist-booked')
        FROM waitlist_entry w JOIN booking b ON b.id = w.booking_id AND b.plate = w.plate
        WHERE w.status = 'booked'
        """,
    )
    assert booked == bookings == notices


@pytest.mark.parametrize(("cancelled", "waiters"), [(8, 12), (12, 5), (12, 12)])
def test_cancelled_at_once_are_booked_in_order(
    app: Flask, community: Community, session: Session, cancelled: int, waiters: int
) -> None:
    bookings, homes = a_full_lot(session, waiters)
    waits_in_order(session, homes)
    calls = [cancelling(app, booking) for booking in bookings[:cancelled]]
    at_once(app, calls + [sweeping(app) for _ in range(4)])
    served = min(cancelled, waiters)
    assert statuses(session) == ["booked"] * served + ["waiting"] * (waiters - served)
    by_booking = "SELECT id FROM waitlist_entry WHERE status = 'booked' ORDER BY booking_id"
    in_order = [one for (one,) in rows(session, by_booking)]
    assert in_order == sorted(in_order)
    everything_holds(session)


def test_those_who_cancel_and_wait_themselves_are_served_too(
    app: Flask, community: Community, session: Session
) -> None:
    """Each household holds a lock of its own that whoever serves it asks for."""
    bookings, homes = a_full_lot(session, 8)
    waits_in_order(session, homes)
    own = [
        book(session, f"B2-{n:03d}", TEN - 2 * HOUR, TEN - HOUR, home[2], household=home[0])
        for n, home in enumerate(homes, start=1)
    ]
    session.commit()
    at_once(app, [cancelling(app, booking) for booking in [*own, *bookings[:6]]])
    assert statuses(session) == ["booked"] * 6 + ["waiting"] * 2
    everything_holds(session)


def test_joining_while_spaces_come_free_loses_nobody(
    app: Flask, community: Community, session: Session
) -> None:
    bookings, homes = a_full_lot(session, 10)
    calls = [joining(app, home) for home in homes]
    at_once(app, calls + [cancelling(app, booking) for booking in bookings[:7]])
    atomic(waitlist.sweep, NOON, ZONE)
    assert sorted(statuses(session)) == ["booked"] * 7 + ["waiting"] * 3
    everything_holds(session)


def test_least_used_draws_under_a_crowd_book_each_household_once(
    app: Flask, community: Community, session: Session
) -> None:
    bookings, homes = a_full_lot(session, 10)
    lot = lots.lot_by_code(session, "B2")
    booking_terms.add_terms(session, lot, {"order": "least-used"}, NOON - HOUR)
    waits_in_order(session, homes)
    at_once(app, [cancelling(app, booking) for booking in bookings[:7]])
    assert sorted(statuses(session)) == ["booked"] * 7 + ["waiting"] * 3
    drawn = """
        SELECT count(*), count(DISTINCT seed),
            sum((SELECT count(*) FROM jsonb_array_elements(waiting) AS one
                 WHERE (one ->> 'booked')::boolean))
        FROM draw
    """
    [(draws, seeds, booked)] = rows(session, drawn)
    assert draws == seeds
    assert booked == 7
    everything_holds(session)


def test_who_withdrew_in_time_is_not_booked(
    app: Flask, community: Community, session: Session
) -> None:
    bookings, homes = a_full_lot(session, 12)
    waits_in_order(session, homes)
    entries = [one for (one,) in rows(session, "SELECT id FROM waitlist_entry ORDER BY id")]
    leaving = [withdrawing(app, entry) for entry in entries]
    answers = at_once(app, [*leaving, *(cancelling(app, booking) for booking in bookings)])
    came_of_it = {"withdrawn": "withdrawn", "not-waiting": "booked"}
    assert statuses(session) == [came_of_it[str(said)] for said in answers[: len(leaving)]]
    everything_holds(session)


def test_while_one_serves_everybody_else_waits_for_the_list(
    app: Flask, community: Community, session: Session
) -> None:
    bookings, homes = a_full_lot(session, 1)
    waits_in_order(session, homes)
    [(lot_id,)] = rows(session, "SELECT id FROM lot")
    waitlist.alone(driver(session), lot_id)

    def somebody_waits() -> bool:
        with db.engine.connect() as other:
            asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            return bool(other.execute(text(asked)).scalar_one())

    with ThreadPoolExecutor(1) as thread:
        cancelled = thread.submit(cancelling(app, bookings[0]), app.test_client())
        until(somebody_waits, "the canceller asks for the waitlist")
        assert session.execute(text("SELECT status FROM waitlist_entry")).scalar_one() == "waiting"
        session.rollback()
        cancelled.result(60)
    assert statuses(session) == ["booked"]
