"""Those who wait for a full lot, booked in order as soon as a space is free.

Whatever frees space in a lot calls `serve` in the same transaction. Locks are taken in one order:
the lot's waitlist, then a household, then a plate. Who has locked a household or a plate already
asks for the waitlist with `alone` before that, or may be told to try again.
"""

from datetime import datetime
from zoneinfo import ZoneInfo

import psycopg
from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import Connection, driver, fetch_row, send
from core.errors import Problem
from identity.notices import told
from sharing.availability import COUNTED
from sharing.booking_facts import NewBooking, terms_of
from sharing.bookings import book
from sharing.fairness import Order, least_used_first

ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('waitlist ' || %(lot)s::text, 0))"

TRY_ALONE = """
SELECT pg_try_advisory_xact_lock(hashtextextended('household ' || %(household_id)s::text, 0))
        AS household,
    pg_try_advisory_xact_lock(hashtextextended('plate ' || %(plate)s::text, 0)) AS plate
"""

ANYBODY = """
SELECT w.id FROM waitlist_entry w WHERE w.lot_id = %(lot)s AND w.status = 'waiting' LIMIT 1
"""

TERMS = """(
    SELECT t.rules FROM booking_terms t
    WHERE t.lot_id = %(lot)s AND t.valid_from <= %(now)s ORDER BY t.valid_from DESC LIMIT 1
)"""

# Whose wait could end: some space is free for all of their time.
FITTING = f"""
SELECT asked.id, asked.lot, asked.household_id, asked.person_id, asked.plate, asked.plate_color,
    asked.starts_at, asked.ends_at, asked.preferences, asked.terms
FROM (SELECT w.id, w.lot_id, lot.code AS lot, lot.kind, w.household_id, w.person_id, w.plate,
          w.plate_color, w.starts_at, w.ends_at, w.wish AS preferences, {TERMS} AS terms,
          coalesce((w.wish ->> 'charging')::boolean, false) AS charging,
          coalesce((w.wish ->> 'accessible')::boolean, false) AS accessible
      FROM waitlist_entry w JOIN lot ON lot.id = w.lot_id
      WHERE w.lot_id = %(lot)s AND w.status = 'waiting' AND w.starts_at > %(now)s) AS asked
{COUNTED}
WHERE found.community + found.private > 0
ORDER BY asked.id
"""  # noqa: S608 - constants of ours

BOOKED = """
UPDATE waitlist_entry SET status = 'booked', booking_id = %(booking)s WHERE id = %(id)s
"""

EXPIRE = """
WITH gone AS (
    UPDATE waitlist_entry w SET status = 'expired'
    WHERE w.lot_id = %(lot)s AND w.status = 'waiting' AND w.starts_at <= %(now)s RETURNING w.*
)
SELECT gone.id, gone.household_id, gone.plate, gone.starts_at, gone.ends_at, lot.code AS lot
FROM gone JOIN lot ON lot.id = gone.lot_id ORDER BY gone.id
"""

LOTS = "SELECT DISTINCT lot_id FROM waitlist_entry WHERE status = 'waiting' ORDER BY lot_id"


def alone(connection: Connection, lot_id: int) -> None:
    """Nobody else serves, joins or leaves this lot's waitlist until the transaction ends."""
    connection.execute(ALONE, {"lot": lot_id})


def first_of_all(session: Session, lot_id: int) -> None:
    """`alone`, if anybody waits: for whoever will `serve` after locking something else."""
    connection = driver(session)
    if fetch_row(connection, (ANYBODY, {"lot": lot_id})):
        alone(connection, lot_id)


def serve(session: Session, lot_id: int, now: datetime, zone: ZoneInfo) -> int:
    """Book those waiting for a lot whom a free space fits, in order; returns how many.

    Who does not fit, or may not book now, is passed over and keeps waiting. Called in the
    transaction that frees space; where nobody waits it takes no lock, and who joins at that very
    instant is served by the next sweep.
    """
    connection = driver(session)
    if fetch_row(connection, (ANYBODY, {"lot": lot_id})) is None:
        return 0
    alone(connection, lot_id)
    with connection.cursor(row_factory=dict_row) as cursor:
        fitting = cursor.execute(FITTING, {"lot": lot_id, "now": now}).fetchall()
    if not fitting:
        return 0
    waiting = {row["id"]: row for row in fitting}
    order = _order(connection, lot_id, fitting, now, zone)
    booked = set()
    for one in order.entries:
        if not _at_once(connection, waiting[one]):
            break
        if _booked(connection, waiting[one], now, zone):
            booked.add(one)
    if booked and order.seed:
        send(connection, [order.kept(lot_id, booked, now)])
    return len(booked)


def sweep(session: Session, now: datetime, zone: ZoneInfo) -> int:
    """Serve every lot's waitlist and let go of those whose time has come; how many entries."""
    connection = driver(session)
    done = 0
    for (lot_id,) in connection.execute(LOTS).fetchall():
        alone(connection, lot_id)
        done += _expired(connection, lot_id, now, zone) + serve(session, lot_id, now, zone)
    return done


def _at_once(connection: Connection, row: DictRow) -> bool:
    """Whether nobody else has the household or the plate: who holds claims waits for nobody."""
    found = fetch_row(connection, (TRY_ALONE, row))
    return bool(found and found["household"] and found["plate"])


def _order(
    connection: Connection, lot_id: int, rows: list[DictRow], now: datetime, zone: ZoneInfo
) -> Order:
    if terms_of(rows[0]).order == "least-used":
        households = [(row["id"], row["household_id"]) for row in rows]
        return least_used_first(connection, (lot_id, rows[0]["lot"]), households, now, zone)
    return Order([row["id"] for row in rows], None, [])


def _booked(connection: Connection, row: DictRow, now: datetime, zone: ZoneInfo) -> bool:
    """Book what an entry waits for; False when it may not be, and then nothing was written."""
    new = NewBooking(
        lot=row["lot"],
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        plate=row["plate"],
        person_id=row["person_id"],
        household_id=row["household_id"],
        plate_color=row["plate_color"],
        preferences=row["preferences"],
    )
    try:
        with connection.transaction():
            made = book(connection, new, now, zone)
    except (Problem, psycopg.IntegrityError):
        return False
    said = f"候补成功：{_what(row, zone)}已预约车位 {made.space}。"
    notice = told(
        row["household_id"], "waitlist-booked", said, about="booking", about_id=made.id, at=now
    )
    send(connection, [(BOOKED, {"id": row["id"], "booking": made.id}), notice])
    return True


def _expired(connection: Connection, lot_id: int, now: datetime, zone: ZoneInfo) -> int:
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(EXPIRE, {"lot": lot_id, "now": now}).fetchall()
    send(
        connection,
        [
            told(
                row["household_id"],
                "waitlist-expired",
                f"候补未成功：{_what(row, zone)}一直没有空位，候补已结束。",
                about="waitlist",
                about_id=row["id"],
                at=now,
            )
            for row in rows
        ],
    )
    return len(rows)


def _what(row: DictRow, zone: ZoneInfo) -> str:
    starts_at, ends_at = row["starts_at"].astimezone(zone), row["ends_at"].astimezone(zone)
    return f"{row['plate']} 在 {row['lot']} {starts_at:%m月%d日 %H:%M} 至 {ends_at:%m月%d日 %H:%M} "
