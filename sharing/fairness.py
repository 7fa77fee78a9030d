"""Who used a lot how much this month, and in which order those who wait are served.

The recipe by which anybody can repeat a draw is in docs/fairness.md.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row
from psycopg.types.json import Jsonb
from sqlalchemy.orm import Session

from core.db import Connection, Statement, driver
from sharing.allocation import Waiting, served_order
from sharing.booking_facts import months

# A booking counts for all of its time and whatever the vehicle stood there besides; a stay without
# a booking for all it lasts. Permits are rights of their own and do not count.
USED = """
SELECT h.id AS household_id,
    (sum(extract(epoch FROM upper(held.during) - lower(held.during))) / 60)::bigint AS minutes
FROM household h
CROSS JOIN LATERAL (
    SELECT tstzrange(%(opens)s, %(closes)s) * tstzrange(
        least(b.starts_at, s.entered_at),
        greatest(b.ends_at, s.exited_at, CASE WHEN s.status = 'open' THEN %(now)s END)) AS during
    FROM booking b LEFT JOIN stay s ON s.booking_id = b.id
    WHERE b.household_id = h.id AND b.lot_id = %(lot)s AND b.kind = 'guest'
      AND b.status <> 'cancelled'
      AND b.starts_at BETWEEN %(opens)s::timestamptz - interval '366 days' AND %(closes)s
    UNION ALL
    SELECT tstzrange(%(opens)s, %(closes)s)
        * tstzrange(s.entered_at, greatest(s.entered_at, coalesce(s.exited_at, %(now)s)))
    FROM stay s
    WHERE s.household_id = h.id AND s.lot_id = %(lot)s AND s.booking_id IS NULL
      AND s."right" = 'walk-in' AND s.status IN ('open', 'closed')
      AND s.entered_at < %(closes)s AND coalesce(s.exited_at, %(now)s) > %(opens)s
) held
WHERE NOT isempty(held.during)
  AND (%(households)s::bigint[] IS NULL OR h.id = ANY (%(households)s))
GROUP BY h.id
"""

KEEP = """
INSERT INTO draw (lot_id, drawn_at, seed, waiting)
VALUES (%(lot)s, %(at)s, %(seed)s, %(waiting)s)
"""

DRAWS = """
SELECT draw.drawn_at, draw.seed, draw.waiting FROM draw
WHERE draw.lot_id = %(lot)s ORDER BY draw.id DESC LIMIT %(limit)s OFFSET %(offset)s
"""
COUNT_DRAWS = "SELECT count(*) FROM draw WHERE lot_id = %(lot)s"


@dataclass(frozen=True, slots=True)
class Order:
    """In which order entries are served; `seed` is None when there was nothing to draw."""

    entries: list[int]
    seed: str | None
    rows: list[dict[str, Any]]

    def kept(self, lot_id: int, booked: set[int], at: datetime) -> Statement:
        """The statement that keeps the draw, with what came of it."""
        waiting = [row | {"booked": row["entry"] in booked} for row in self.rows]
        return KEEP, {"lot": lot_id, "at": at, "seed": self.seed, "waiting": Jsonb(waiting)}


def used_minutes(
    connection: Connection,
    lot_id: int,
    month: tuple[datetime, datetime],
    now: datetime,
    households: Sequence[int] | None = None,
) -> dict[int, int]:
    """Minutes of a month that households booked and stayed in a lot; None asks of all of them."""
    values = {
        "lot": lot_id,
        "opens": month[0],
        "closes": month[1],
        "now": now,
        "households": None if households is None else list(households),
    }
    return dict(connection.execute(USED, values))


def least_used_first(
    connection: Connection,
    lot: tuple[int, str],
    entries: Sequence[tuple[int, int]],
    now: datetime,
    zone: ZoneInfo,
) -> Order:
    """Order (entry, household) pairs by what their households used this month; equals are drawn.

    In the draw a household goes by the number of its first entry, which nobody else can read
    and which was given before the seed was.
    """
    lot_id, code = lot
    households = [household for _, household in entries]
    used = used_minutes(connection, lot_id, month_of(now, zone), now, households)
    number: dict[int, int] = {}
    for entry, household in sorted(entries):
        number.setdefault(household, entry)
    waiting = {
        entry: Waiting(entry, number[household], used.get(household, 0))
        for entry, household in entries
    }
    levels = [used.get(household, 0) for household in number]
    seed = f"{now.astimezone(zone):%Y-%m-%d}/{code}/{secrets.token_hex(8)}"
    order = served_order(list(waiting.values()), seed)
    household_of = dict(entries)
    rows = [
        {
            "entry": entry,
            "household": household_of[entry],
            "number": waiting[entry].household_id,
            "minutes": waiting[entry].used_minutes,
        }
        for entry in order
    ]
    return Order(order, seed if len(set(levels)) < len(levels) else None, rows)


def draws(
    session: Session, lot_id: int, household_id: int | None, limit: int, offset: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many draws a lot has had, and a page of them, newest first.

    Households are shown by their number in the draw, the viewer's own is marked.
    """
    connection, values = driver(session), {"lot": lot_id, "limit": limit, "offset": offset}
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(DRAWS, values).fetchall()
    count = connection.execute(COUNT_DRAWS, values).fetchone()
    return count[0] if count else 0, [_shown(row, household_id) for row in rows]


def shares(
    session: Session,
    lot_id: int,
    month: tuple[datetime, datetime],
    now: datetime,
    household_id: int | None,
) -> list[dict[str, Any]]:
    """Minutes of every household that used a lot in a month, most first, without their names."""
    used = used_minutes(driver(session), lot_id, month, now)
    ranked = sorted(used.items(), key=lambda one: (-one[1], one[0] != household_id))
    return [
        {"household": f"H{place}", "minutes": minutes, "own": household == household_id}
        for place, (household, minutes) in enumerate(ranked, start=1)
    ]


def month_of(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The calendar month an instant lies in."""
    return months(at, at + timedelta(microseconds=1), zone)[0]


def month_named(name: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The calendar month called `2026-10`."""
    return month_of(datetime.strptime(name, "%Y-%m").replace(tzinfo=zone), zone)


def _shown(row: DictRow, household_id: int | None) -> dict[str, Any]:
    order = [
        {
            "entry": one["entry"],
            "household": str(one["number"]),
            "minutes": one["minutes"],
            "booked": one["booked"],
            "own": one["household"] == household_id,
        }
        for one in row["waiting"]
    ]
    return {"drawn_at": row["drawn_at"], "seed": row["seed"], "order": order}
