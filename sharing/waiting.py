"""Joining the waitlist of a lot, leaving it, and the place one has in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from core.db import Connection, driver, fetch_row
from core.errors import Problem, invalid, not_found
from parking.terms import refusal
from sharing import fairness
from sharing.booking_facts import (
    NewBooking,
    in_lot,
    known_as,
    priced,
    tariff_of,
    terms_of,
    vehicle_of,
)
from sharing.waitlist import TERMS, alone, serve

ENTRY = """
SELECT w.id, w.status, w.booking_id, w.lot_id, lot.code AS lot, w.household_id, w.plate,
    w.plate_color, w.starts_at, w.ends_at, w.wish AS preferences, w.recorded_at
FROM waitlist_entry w JOIN lot ON lot.id = w.lot_id
"""
OWN = (
    ENTRY
    + """
WHERE %(household)s::bigint IS NULL OR w.household_id = %(household)s
ORDER BY w.id DESC LIMIT %(limit)s OFFSET %(offset)s
"""
)
COUNT = """
SELECT count(*) FROM waitlist_entry w
WHERE %(household)s::bigint IS NULL OR w.household_id = %(household)s
"""
ONE = (
    ENTRY
    + """
WHERE w.id = %(id)s AND (%(household)s::bigint IS NULL OR w.household_id = %(household)s)
"""
)

STANDING = """
SELECT count(*) AS waiting,
    coalesce(bool_or(w.lot_id = %(lot)s AND w.plate = %(plate)s
                     AND w.starts_at < %(ends)s AND w.ends_at > %(starts)s), false) AS twice
FROM waitlist_entry w WHERE w.household_id = %(household)s AND w.status = 'waiting'
"""

JOIN = """
INSERT INTO waitlist_entry (lot_id, household_id, person_id, plate, plate_color, starts_at, ends_at,
    wish, recorded_at)
VALUES (%(lot)s, %(household)s, %(person)s, %(plate)s, %(color)s, %(starts)s, %(ends)s, %(wish)s,
    %(now)s)
RETURNING id
"""

WITHDRAW = """
UPDATE waitlist_entry SET status = 'withdrawn' WHERE id = %(id)s AND status = 'waiting' RETURNING id
"""

RIVALS = f"""
SELECT w.id, w.household_id, w.starts_at, w.ends_at, {TERMS} AS terms
FROM waitlist_entry w WHERE w.lot_id = %(lot)s AND w.status = 'waiting' ORDER BY w.id
"""  # noqa: S608 - constants of ours


def join(session: Session, new: NewBooking, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """Wait for a space; whoever need not wait is booked at once. The entry as people see it.

    A household may wait for as many bookings as it may have open. Problem 404 for no such lot,
    422 for what the terms do not allow, 409 `already-waiting` when the plate waits for some of
    that time, `household-open-quota`, or `plate-of-others`.
    """
    connection = driver(session)
    plate = vehicle_of(new.plate, new.plate_color)
    row = priced(connection, new.lot, new.starts_at, plate, now)
    in_lot(plate, row["lot_kind"])
    tariff_of(row, zone)
    terms = terms_of(row)
    if broken := refusal(terms, new.starts_at, new.ends_at, now):
        raise invalid(*broken)
    if new.starts_at <= now:
        raise invalid("starts_at", "must be later than now")
    if row["vehicle_household_id"] not in (None, new.household_id):
        detail = "This vehicle is registered to another household, which books for it."
        raise Problem(409, "plate-of-others", detail)
    plate, _ = known_as(plate, row)
    values = {
        "lot": row["lot_id"],
        "household": new.household_id,
        "person": new.person_id,
        "plate": plate.text,
        "color": plate.color,
        "starts": new.starts_at,
        "ends": new.ends_at,
        "wish": Jsonb(dict(new.preferences)),
        "now": now,
    }
    alone(connection, row["lot_id"])
    _check_standing(connection, values, terms.household_open)
    joined = fetch_row(connection, (JOIN, values)) or {}
    serve(session, row["lot_id"], now, zone)
    return entry(session, joined["id"], new.household_id, now, zone)


def entry(
    session: Session, entry_id: int, household_id: int | None, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """One entry as people see it; Problem 404 for another household's."""
    connection = driver(session)
    row = fetch_row(connection, (ONE, {"id": entry_id, "household": household_id}))
    if row is None:
        raise not_found("waitlist entry")
    return _shown(connection, [row], now, zone)[0]


def entries(
    session: Session, wanted: Mapping[str, Any], now: datetime, zone: ZoneInfo
) -> tuple[int, Sequence[dict[str, Any]]]:
    """How many entries a household has (None: all), and a page of them, the newest first.

    `wanted` has household, limit and offset.
    """
    connection = driver(session)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(OWN, wanted).fetchall()
    count = fetch_row(connection, (COUNT, wanted)) or {}
    return count["count"], _shown(connection, rows, now, zone)


def withdraw(
    session: Session, entry_id: int, household_id: int | None, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """Wait no longer; Problem 404 for another household's, 409 when it was served already."""
    connection = driver(session)
    alone(connection, entry(session, entry_id, household_id, now, zone)["lot_id"])
    if not fetch_row(connection, (WITHDRAW, {"id": entry_id})):
        raise Problem(409, "not-waiting", "This entry does not wait any more.")
    return entry(session, entry_id, household_id, now, zone)


def _check_standing(connection: Connection, values: dict[str, Any], most: int) -> None:
    standing = fetch_row(connection, (STANDING, values)) or {}
    if standing["twice"]:
        detail = "This plate waits for some of that time already."
        raise Problem(409, "already-waiting", detail)
    if standing["waiting"] >= most:
        detail = f"A household may wait for {most} bookings at a time."
        raise Problem(409, "household-open-quota", detail, limit=most, open=standing["waiting"])


def _shown(
    connection: Connection, rows: Sequence[DictRow], now: datetime, zone: ZoneInfo
) -> list[dict[str, Any]]:
    """Entries as people see them; those that wait know their place in the queue."""
    places: dict[int, int] = {}
    for lot_id in {row["lot_id"] for row in rows if row["status"] == "waiting"}:
        places |= _places(connection, lot_id, now, zone)
    return [dict(row) | {"place": places.get(row["id"])} for row in rows]


def _places(connection: Connection, lot_id: int, now: datetime, zone: ZoneInfo) -> dict[int, int]:
    """Place of every waiting entry: 1, and one more for each before it that wants the same time.

    Where the least-used household comes first, equals share a place until they are drawn.
    """
    with connection.cursor(row_factory=dict_row) as cursor:
        rivals = cursor.execute(RIVALS, {"lot": lot_id, "now": now}).fetchall()
    used: dict[int, int] = {}
    if rivals and terms_of(rivals[0]).order == "least-used":
        month = fairness.month_of(now, zone)
        households = [row["household_id"] for row in rivals]
        used = fairness.used_minutes(connection, lot_id, month, now, households)
        used = {household: used.get(household, 0) for household in households}
    return {row["id"]: 1 + sum(_before(other, row, used) for other in rivals) for row in rivals}


def _before(other: DictRow, row: DictRow, used: Mapping[int, int]) -> bool:
    overlap = other["starts_at"] < row["ends_at"] and row["starts_at"] < other["ends_at"]
    theirs, ours = other["household_id"], row["household_id"]
    if not overlap:
        return False
    if used and theirs != ours:
        return used[theirs] < used[ours]
    return bool(other["id"] < row["id"])
