"""Which spaces are free for a time, and claiming them: the one place that asks and takes.

Plain SQL, because everybody who books asks here. A lot is searched by itself, through the claims
that lie near the wanted time; what nobody may have is decided by the database's constraints.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import tuple_row

from core.db import Connection, Statement, fetch_row, pipeline
from parking.permits import reserved
from sharing.allocation import Candidate, Wish, ranked

HORIZON = timedelta(days=1)
"""How far to either side a gap is measured."""
CROWD = 64
"""With so few spaces left beside those kept for permits, who claims them does so one by one."""

ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('lot ' || %(lot)s::text, 0))"

FREE = """
WITH near AS MATERIALIZED (
    SELECT c.space_id,
        bool_or(c.during && tstzrange(%(since)s, %(ends)s)
                OR c.stay_id IS NOT NULL AND upper(c.during) <= %(now)s
                   AND %(since)s < %(now)s::timestamptz + interval '1 hour') AS taken,
        max(upper(c.during)) FILTER (WHERE upper(c.during) <= %(since)s) AS before,
        min(lower(c.during)) FILTER (WHERE lower(c.during) >= %(ends)s) AS after
    FROM space_claim c
    WHERE c.live AND int8range(c.lot_id, c.lot_id, '[]') && int8range(%(lot)s, %(lot)s, '[]')
      AND c.during && tstzrange(%(since)s - %(horizon)s, %(ends)s + %(horizon)s)
      AND c.booking_id IS DISTINCT FROM %(leaving)s
    GROUP BY c.space_id
), room AS MATERIALIZED (
    SELECT g.id, g.capacity - group_peak(g.id, tstzrange(%(since)s, %(ends)s)) AS places
    FROM space_group g WHERE g.lot_id = %(lot)s
), with_cars AS MATERIALIZED (
    SELECT DISTINCT other.compartment FROM space other JOIN lot ON lot.id = other.lot_id
    WHERE lot.kind = 'car' AND other.compartment IS NOT NULL
      AND EXISTS (SELECT FROM lot here WHERE here.id = %(lot)s AND here.kind = 'ebike')
)
SELECT s.id, s.owner_household_id IS NOT NULL,
    (extract(epoch FROM %(since)s - near.before) / 60)::int,
    (extract(epoch FROM near.after - %(ends)s) / 60)::int,
    s.charging, s.accessible, s.building, s.group_id, room.places,
    s.compartment IN (SELECT compartment FROM with_cars)
FROM space s
LEFT JOIN near ON near.space_id = s.id
LEFT JOIN room ON room.id = s.group_id
WHERE s.lot_id = %(lot)s AND s.in_service AND NOT coalesce(near.taken, false)
  AND (s.offered IS NULL OR s.offered @> tstzrange(%(starts)s, %(ends)s))
"""

# Floating permits that may come during a time, with what their vehicles inside hold of it.
FLOATING = """
SELECT p.places, p.starts_at, p.ends_at, p.hours,
    ARRAY(SELECT c.during FROM stay s JOIN space_claim c ON c.stay_id = s.id
          WHERE s.permit_id = p.id AND s.status = 'open' AND c.live) AS inside,
    (SELECT jsonb_object_agg(day, kind) FROM calendar_day) AS calendar
FROM permit p
WHERE p.lot_id = %(lot)s AND p.space_id IS NULL
  AND p.starts_at < %(ends)s AND p.ends_at > %(since)s
"""

BOOKED = """
SELECT b.lot_id, b.space_id, b.starts_at, b.ends_at, b.status FROM booking b
WHERE b.id = %(booking)s FOR UPDATE
"""

TRY_ALONE = """
SELECT pg_try_advisory_xact_lock(hashtextextended('space ' || %(space)s::text, 0)) AS ours
"""

MOVE = """
WITH place AS (SELECT id, group_id FROM space WHERE id = %(space)s),
moved AS (
    UPDATE booking SET space_id = place.id FROM place WHERE booking.id = %(booking)s
)
UPDATE space_claim SET space_id = place.id, group_id = place.group_id,
    during = tstzrange(greatest(lower(during), %(since)s), upper(during))
FROM place, space WHERE booking_id = %(booking)s AND live AND space.id = place.id
RETURNING space.code
"""

RELEASE = """
UPDATE space_claim SET live = false,
    during = tstzrange(lower(during), greatest(least(%(at)s, upper(during)),
                                               lower(during) + interval '1 microsecond'))
WHERE booking_id = %(booking)s AND stay_id IS NULL AND live
"""


def free(
    connection: Connection,
    lot_id: int,
    starts_at: datetime,
    ends_at: datetime,
    *,
    now: datetime,
    zone: ZoneInfo,
    leaving: int | None = None,
) -> list[Candidate]:
    """The spaces of a lot that are free and offered for all of `[starts_at, ends_at)`.

    A space on which a vehicle has outstayed its claim is not free for the next hour. What
    floating permits may still need of the community's spaces is left to them; where that is
    near, whoever asks after this one waits until the transaction ends. `leaving` is a booking
    whose own claim does not count, because it would move.
    """
    values = {
        "lot": lot_id,
        "starts": starts_at,
        "since": max(starts_at, now) if leaving else starts_at,
        "ends": ends_at,
        "now": now,
        "horizon": HORIZON,
        "leaving": leaving or 0,
    }
    found, floating = _asked(connection, values)
    if not floating:
        return found
    kept = reserved(floating, starts_at, ends_at, zone)
    if kept and _community(found) < kept + CROWD:
        connection.execute(ALONE, values)
        found, floating = _asked(connection, values)
        kept = reserved(floating, starts_at, ends_at, zone)
    return found if _community(found) > kept else [one for one in found if one.private]


def _asked(
    connection: Connection, values: Mapping[str, Any]
) -> tuple[list[Candidate], list[tuple[Any, ...]]]:
    with (
        pipeline(connection),
        connection.cursor(row_factory=tuple_row) as spaces,
        connection.cursor(row_factory=tuple_row) as permits,
    ):
        spaces.execute(FREE, values, binary=True)
        permits.execute(FLOATING, values)
        return list(map(Candidate._make, spaces.fetchall())), permits.fetchall()


def _community(found: Sequence[Candidate]) -> int:
    return sum(not candidate.private for candidate in found)


def moved(
    connection: Connection,
    booking_id: int,
    *,
    now: datetime,
    zone: ZoneInfo,
    wish: Wish,
    avoid: int | None = None,
) -> str | None:
    """Move a confirmed booking to the best other space; its code, or None when nothing fits.

    Somebody who takes that space at the same instant makes the transaction run again.
    """
    booking = fetch_row(connection, (BOOKED, {"booking": booking_id}))
    if booking is None or booking["status"] != "confirmed":
        return None
    starts_at, ends_at = booking["starts_at"], booking["ends_at"]
    candidates = free(
        connection, booking["lot_id"], starts_at, ends_at, now=now, zone=zone, leaving=booking_id
    )
    not_these = {avoid, booking["space_id"]}
    spaces = [space for space in ranked(candidates, wish) if space not in not_these]
    if not spaces or ends_at <= now:
        return None
    move = {"booking": booking_id, "since": min(max(starts_at, now), ends_at)}
    row = fetch_row(connection, (MOVE, move | {"space": _nobody_elses(connection, spaces)}))
    return str(row["code"]) if row else None


def _nobody_elses(connection: Connection, spaces: Sequence[int]) -> int:
    """The best space that nobody is claiming this instant, as `claim_space` picks it."""
    for space in spaces:
        row = fetch_row(connection, (TRY_ALONE, {"space": space}))
        if row and row["ours"]:
            return space
    return spaces[0]


def released(booking_id: int, at: datetime) -> Statement:
    """The claim of a booking that will not be used ends at `at`, or before it began."""
    return RELEASE, {"booking": booking_id, "at": at}
