"""How much could be booked for a time; and when a lot is full, what is free instead.

Both ask the very question that booking asks (`claims.FREE`), so what they say is free would be
given to whoever asked at once.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row, tuple_row
from sqlalchemy.orm import Session

from core.db import Connection, driver, fetch_row
from core.errors import invalid, not_found
from parking.permits import reserved
from parking.terms import Terms, refusal
from sharing.allocation import Wish
from sharing.booking_facts import tariff_of, terms_of
from sharing.claims import FLOATING, FREE, HORIZON
from tariffs.tariff import ORDINARY, Circumstances, price

MOST = 3
"""How many other times, and how many other lots, are offered at most."""

STEP = timedelta(minutes=30)
FURTHEST = timedelta(days=1)
"""Other times lie this far apart, and this far away at most."""

LONGEST = timedelta(days=366)
"""No terms allow a longer booking."""

_LOOKED_AT = 4 * MOST

# What booking asks of one lot and time, asked of every row of `asked`.
_OF_ASKED = {
    "%(lot)s": "asked.lot_id",
    "%(starts)s": "asked.starts_at",
    "%(since)s": "asked.starts_at",
    "%(ends)s": "asked.ends_at",
    "%(horizon)s": f"interval '{HORIZON / timedelta(hours=1)} hours'",
    "%(leaving)s": "0",
}


def _free_of_asked() -> str:
    sql = FREE
    for place, column in _OF_ASKED.items():
        sql = sql.replace(place, column)
    return sql


# A group of e-bike spots gives no more of them than it has places left.
COUNTED = f"""
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE NOT suits.private) AS community,
        count(*) FILTER (WHERE suits.private) AS private
    FROM (
        SELECT one.private, one.places,
            row_number() OVER (PARTITION BY one.group_id ORDER BY one.private) AS of_group
        FROM ({_free_of_asked()}) AS one(id, private, before, after, charging, accessible,
                                         building, group_id, places, beside_cars)
        WHERE (one.charging OR NOT asked.charging) AND (one.accessible OR NOT asked.accessible)
          AND NOT (asked.kind = 'ebike' AND one.charging AND coalesce(one.beside_cars, false))
    ) AS suits
    WHERE suits.of_group <= coalesce(suits.places, suits.of_group)
) AS found
"""  # noqa: S608 - constants of ours

TERMS = """
SELECT t.rules AS terms FROM booking_terms t
WHERE t.lot_id = %(lot)s AND t.valid_from <= %(now)s ORDER BY t.valid_from DESC LIMIT 1
"""

TERMS_OF_LOT = """
SELECT t.rules AS terms FROM booking_terms t JOIN lot ON lot.id = t.lot_id
WHERE lot.code = %(code)s AND t.valid_from <= %(now)s ORDER BY t.valid_from DESC LIMIT 1
"""

# A time without a price cannot be booked.
PRICED = """
CROSS JOIN LATERAL (
    SELECT t.id AS tariff_id, t.version AS tariff_version, t.rules AS tariff_rules,
        (SELECT jsonb_object_agg(day, kind) FROM calendar_day) AS calendar
    FROM tariff t WHERE t.lot_id = asked.lot_id AND t.valid_from <= asked.starts_at
    ORDER BY t.valid_from DESC LIMIT 1
) AS price
"""

BOOKABLE = f"""
SELECT asked.*, found.*,
    (SELECT count(*) FROM space s WHERE s.lot_id = asked.lot_id AND s.in_service) AS total
FROM (SELECT lot.id AS lot_id, lot.code AS lot, lot.kind, %(starts)s::timestamptz AS starts_at,
          %(ends)s::timestamptz AS ends_at, false AS charging, false AS accessible
      FROM lot WHERE lot.code = %(code)s) AS asked
{COUNTED}
"""  # noqa: S608 - constants of ours

# The sorted subquery lets the database stop at the limit instead of asking of every time.
OTHER_TIMES = f"""
SELECT asked.*, found.*, price.*
FROM (SELECT lot.id AS lot_id, lot.code AS lot, lot.kind, shift.starts_at,
          shift.starts_at + %(length)s AS ends_at, shift.nearness,
          %(charging)s AS charging, %(accessible)s AS accessible
      FROM lot, unnest(%(shifts)s::timestamptz[]) WITH ORDINALITY AS shift(starts_at, nearness)
      WHERE lot.id = %(lot)s AND NOT EXISTS (
          SELECT FROM booking b
          WHERE b.plate = %(plate)s AND b.kind = 'guest' AND b.status IN ('confirmed', 'checked_in')
            AND b.starts_at < shift.starts_at + %(length)s AND b.ends_at > shift.starts_at)
      ORDER BY shift.nearness) AS asked
{COUNTED}
{PRICED}
WHERE found.community + found.private > 0
ORDER BY asked.nearness LIMIT %(limit)s
"""  # noqa: S608 - constants of ours

OTHER_LOTS = f"""
SELECT asked.*, found.*, price.*
FROM (SELECT other.id AS lot_id, other.code AS lot, other.kind,
          %(starts)s::timestamptz AS starts_at, %(ends)s::timestamptz AS ends_at,
          %(charging)s AS charging, %(accessible)s AS accessible
      FROM lot JOIN lot other ON other.kind = lot.kind AND other.id <> lot.id
      WHERE lot.id = %(lot)s) AS asked
{COUNTED}
{PRICED}
WHERE found.community + found.private > 0
ORDER BY found.community + found.private DESC, asked.lot
"""  # noqa: S608 - constants of ours


def availability(
    session: Session,
    code: str,
    starts_at: datetime,
    ends_at: datetime,
    *,
    now: datetime,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """How many spaces of a lot could be booked for `[starts_at, ends_at)`.

    None if the lot's terms would refuse the time, as one that is past or too far ahead.
    Problem 404 if there is no such lot, 422 when the time does not end after it starts, or is
    longer than any booking may be.
    """
    if ends_at <= starts_at:
        raise invalid("ends_at", "must be later than starts_at")
    if ends_at - starts_at > LONGEST:
        raise invalid("ends_at", f"must be at most {LONGEST.days} days after starts_at")
    connection = driver(session)
    terms = fetch_row(connection, (TERMS_OF_LOT, {"code": code, "now": now}))
    asked = _asked(Wish(), now) | {"code": code, "starts": starts_at, "ends": ends_at}
    row = fetch_row(connection, (BOOKABLE, asked))
    if row is None:
        raise not_found("lot")
    return {
        "lot": row["lot"],
        "starts_at": starts_at,
        "ends_at": ends_at,
        "total": row["total"],
        "bookable": 0
        if refusal(terms_of(terms or {"terms": None}), starts_at, ends_at, now)
        else _bookable(row, _kept(connection, row["lot_id"], starts_at, ends_at), zone),
    }


def alternatives(
    connection: Connection,
    lot_id: int,
    starts_at: datetime,
    ends_at: datetime,
    *,
    wish: Wish,
    now: datetime,
    zone: ZoneInfo,
    plate: str | None = None,
    of: Circumstances = ORDINARY,
) -> list[dict[str, Any]]:
    """What is free instead: other times of the same length, nearest first, then other lots.

    At most three of each. A time is left out when the terms do not allow it or the plate is
    booked then; `of` is what besides the time decides the price. Each has lot, starts_at,
    ends_at, bookable and total_fen.
    """
    row = fetch_row(connection, (TERMS, {"lot": lot_id, "now": now}))
    terms = terms_of(row or {"terms": None})
    kept = _kept(connection, lot_id, starts_at - FURTHEST, ends_at + FURTHEST)
    asked = _asked(wish, now) | {
        "lot": lot_id,
        "plate": plate,
        "starts": starts_at,
        "ends": ends_at,
        "length": ends_at - starts_at,
        "shifts": _other_starts(terms, starts_at, ends_at, now),
        "limit": _LOOKED_AT if kept else MOST,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        times = cursor.execute(OTHER_TIMES, asked).fetchall()
        elsewhere = cursor.execute(OTHER_LOTS, asked).fetchall()
    here = [(row, _bookable(row, kept, zone)) for row in times]
    there = [
        (row, _bookable(row, _kept(connection, row["lot_id"], starts_at, ends_at), zone))
        for row in elsewhere
    ]
    found = [[one for one in some if one[1]][:MOST] for some in (here, there)]
    return [_shown(row, bookable, zone, of) for row, bookable in chain(*found)]


def _other_starts(
    terms: Terms, starts_at: datetime, ends_at: datetime, now: datetime
) -> list[datetime]:
    """When else a booking of this length may begin by the terms, the nearest first."""
    shifts = (sign * n * STEP for n in range(1, FURTHEST // STEP + 1) for sign in (1, -1))
    return [
        starts_at + shift
        for shift in shifts
        if starts_at + shift >= now and not refusal(terms, starts_at + shift, ends_at + shift, now)
    ]


def _shown(row: DictRow, bookable: int, zone: ZoneInfo, of: Circumstances) -> dict[str, Any]:
    fee = price(tariff_of(row, zone), row["starts_at"], row["ends_at"], of)
    return {
        "lot": row["lot"],
        "starts_at": row["starts_at"],
        "ends_at": row["ends_at"],
        "bookable": bookable,
        "total_fen": fee.total_fen,
    }


def _asked(wish: Wish, now: datetime) -> dict[str, Any]:
    return {
        "now": now,
        "charging": wish.charging,
        "accessible": wish.accessible,
    }


def _kept(
    connection: Connection, lot_id: int, since: datetime, until: datetime
) -> list[tuple[Any, ...]]:
    """The floating permits of a lot for which places are kept free at some time."""
    values = {"lot": lot_id, "since": since, "ends": until}
    with connection.cursor(row_factory=tuple_row) as cursor:
        return cursor.execute(FLOATING, values).fetchall()


def _bookable(row: DictRow, floating: Sequence[tuple[Any, ...]], zone: ZoneInfo) -> int:
    """What of the free spaces is left when floating permits have theirs."""
    kept = reserved(floating, row["starts_at"], row["ends_at"], zone)
    return int(max(0, row["community"] - kept) + row["private"])
