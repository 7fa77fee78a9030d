"""What time does to bookings: vehicles that do not come, and vehicles that do not leave.

A sweep asks what is `due` and does it, one transaction each. Each step looks again under a lock,
so that it may run twice, or in two workers, and do its work once.

Shortly before the next right to a space begins and its vehicle has not left, whoever comes next
is given the best other space and told. When there is none, an operator hears of it before the
driver does. Owners are `owner_return.py`'s.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.db import Connection, Statement, driver, fetch_row, send
from core.errors import Problem
from core.money import yuan
from devices.exceptions import raised as case_raised
from parking.terms import no_show_fee_fen, parse_terms
from sharing import claims, fees, waitlist
from sharing.making_way import booked, make_way
from sharing.owner_return import (
    END,
    LEAD,
    USUAL,
    about_booking,
    end_replacement,
    ids,
    owners_due,
    replace_owner,
    replacements_due,
)

Step = Callable[[Session, int, datetime, ZoneInfo], None]

GIVEN_MORE = timedelta(hours=2)
"""How far a vehicle's hold on its space is moved on while it stays."""
NO_SHOWS = f"""
SELECT b.id FROM booking b LEFT JOIN booking_terms terms ON terms.id = b.terms_id
WHERE b.kind = 'guest' AND b.status = 'confirmed' AND b.starts_at <= %(now)s AND least(
    b.ends_at,
    b.starts_at + make_interval(mins => coalesce((terms.rules ->> 'hold_minutes')::int,
                                                 {USUAL.hold_minutes}))
) <= %(now)s
ORDER BY b.starts_at
"""  # noqa: S608 - a number of ours

LOT = "SELECT lot_id FROM booking WHERE id = %(id)s"

NO_SHOW = """
SELECT b.id, b.lot_id, b.household_id, b.total_fen, b.shortened_from_fen, b.starts_at, b.ends_at,
    b.plate, b.terms_id, terms.rules AS terms, lot.code AS lot, space.code AS space,
    space.owner_household_id,
    EXISTS (SELECT FROM stay s
            WHERE s.lot_id = b.lot_id AND s.plate = b.plate AND s.status = 'open'
              AND (s.plate_color = b.plate_color
                   OR 'unknown' IN (s.plate_color, b.plate_color))) AS inside
FROM booking b JOIN space ON space.id = b.space_id JOIN lot ON lot.id = b.lot_id
LEFT JOIN booking_terms terms ON terms.id = b.terms_id
WHERE b.id = %(id)s AND b.status = 'confirmed' FOR UPDATE OF b
"""

RUNNING_OUT = f"""
    c.live AND c.stay_id IS NOT NULL AND upper(c.during) <= %(now)s + {LEAD.format("c.lot_id")}
"""
SOMEBODY_NEXT = f"""EXISTS (
    SELECT FROM space_claim n
    WHERE n.live AND n.lot_id = c.lot_id AND n.space_id = c.space_id AND n.id <> c.id
      AND lower(n.during) >= upper(c.during)
      AND lower(n.during) <= %(now)s + {LEAD.format("c.lot_id")})
"""

IN_THE_WAY = f"""
SELECT c.id FROM space_claim c WHERE {RUNNING_OUT} AND {SOMEBODY_NEXT} ORDER BY upper(c.during)
"""  # noqa: S608 - constants of ours

# Until then, or until the next claim of the space begins.
LONGER = """
UPDATE space_claim c SET during = tstzrange(lower(c.during), greatest(upper(c.during), least(
    %(until)s,
    (SELECT min(lower(n.during)) FROM space_claim n
     WHERE n.live AND n.lot_id = c.lot_id AND n.space_id = c.space_id AND n.id <> c.id
       AND lower(n.during) >= upper(c.during))
)))
"""
HOLD_ON = f"{LONGER} WHERE c.id = %(id)s"
HOLD_ALL_ON = f"""{LONGER} WHERE c.id IN (
    SELECT c.id FROM space_claim c WHERE {RUNNING_OUT} AND NOT {SOMEBODY_NEXT}
    FOR NO KEY UPDATE SKIP LOCKED
)"""  # noqa: S608 - constants of ours

STANDING = f"""
SELECT c.id, c.space_id, next.booking_id AS next_id, next.plate AS next_plate,
    coalesce(lower(next.during) <= %(now)s + {LEAD.format("c.lot_id")}, false) AS in_the_way
FROM space_claim c
LEFT JOIN LATERAL (
    SELECT n.booking_id, n.during, b.plate
    FROM space_claim n LEFT JOIN booking b ON b.id = n.booking_id
    WHERE n.live AND n.lot_id = c.lot_id AND n.space_id = c.space_id AND n.id <> c.id
      AND lower(n.during) >= upper(c.during)
    ORDER BY lower(n.during) LIMIT 1
) next ON true
WHERE c.id = %(id)s AND c.live AND c.stay_id IS NOT NULL FOR UPDATE OF c
"""  # noqa: S608 - constants of ours

# A statement of its own: the look after it sees who was told by whoever held the lock.
TELLING_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('overstayers', 0))"

OVERSTAYERS = """
INSERT INTO notice (household_id, kind, text, about, about_id, recorded_at, shown_at)
SELECT s.household_id, 'overstay', '您预约的停车时间已结束，请尽快离场；超时按超时标准计费。',
    'booking', b.id, %(now)s, %(now)s
FROM booking b JOIN stay s ON s.booking_id = b.id
LEFT JOIN booking_terms terms ON terms.id = b.terms_id
WHERE b.status = 'checked_in' AND b.kind = 'guest' AND s.status = 'open'
  AND s.household_id IS NOT NULL AND b.ends_at <= %(now)s
  AND NOT EXISTS (SELECT FROM notice n WHERE n.household_id = s.household_id
                  AND n.kind = 'overstay' AND n.about = 'booking' AND n.about_id = b.id)
"""


def no_shows_due(session: Session, now: datetime) -> Sequence[int]:
    """Bookings whose vehicle did not come within the time their terms hold the space."""
    return ids(session, NO_SHOWS, now)


def release_no_show(session: Session, booking_id: int, now: datetime, zone: ZoneInfo) -> None:
    """Give the space of a booking back; its fee by the terms, and those who wait get a chance.

    Whoever is inside the lot by another right meant no harm: the booking is cancelled, free.
    """
    connection = driver(session)
    lot = fetch_row(connection, (LOT, {"id": booking_id}))
    if lot:
        waitlist.first_of_all(session, lot["lot_id"])
    row = fetch_row(connection, (NO_SHOW, {"id": booking_id}))
    if row is None:
        return
    fee_fen = no_show_fee_fen(parse_terms(row["terms"] or {}), fees.base_fen(row))
    status, reason = ("cancelled", "already-inside") if row["inside"] else ("no_show", "no-show")
    end = {"booking": booking_id, "status": status, "reason": reason, "at": now}
    statements: list[Statement] = [(END, end), claims.released(booking_id, now)]
    if status == "no_show" and fee_fen:
        statements.append(fees.charged(row, fees.NO_SHOW, fee_fen, now, zone))
    if row["household_id"] is not None:
        text = _no_show_text(status, fee_fen)
        kind = f"booking-{reason}"
        statements.append(about_booking(row["household_id"], kind, text, booking_id, now))
    send(connection, statements)
    waitlist.serve(session, row["lot_id"], now, zone)


def holds_due(session: Session, now: datetime) -> Sequence[int]:
    """Claims of vehicles that are inside, and in somebody's way by now or in a moment."""
    return ids(session, IN_THE_WAY, now)


def hold_all_on(session: Session, now: datetime) -> int:
    """Whoever stays on and is in nobody's way holds the space for longer; how many."""
    with driver(session).cursor() as cursor:
        values = {"now": now, "until": now + GIVEN_MORE}
        return cursor.execute(HOLD_ALL_ON, values).rowcount


def hold_on(session: Session, claim_id: int, now: datetime, zone: ZoneInfo) -> None:
    """A vehicle stays on: its space is its own for longer, and who comes next is re-placed."""
    connection = driver(session)
    row = fetch_row(connection, (STANDING, {"id": claim_id, "now": now}))
    if row is None:
        return
    if row["in_the_way"] and not _replaced(connection, row, now, zone):
        return
    send(connection, [(HOLD_ON, {"id": claim_id, "until": now + GIVEN_MORE})])


def tell_overstayers(session: Session, now: datetime) -> int:
    """Tell guests once that the time they booked is over; how many were told."""
    with driver(session).cursor() as cursor:
        cursor.execute(TELLING_ALONE)
        return cursor.execute(OVERSTAYERS, {"now": now}).rowcount


AT_ONCE = (tell_overstayers, hold_all_on)
"""What a sweep does first, for all it concerns together."""
STEPS: tuple[tuple[Callable[..., Sequence[int]], Step], ...] = (
    (no_shows_due, release_no_show),
    (holds_due, hold_on),
    (owners_due, replace_owner),
    (replacements_due, end_replacement),
)


def due(session: Session, now: datetime) -> list[tuple[Step, int]]:
    """What a sweep does then, one transaction each: the steps in their order, and with which id."""
    return [(then, row_id) for found, then in STEPS for row_id in found(session, now)]


def _replaced(connection: Connection, standing: DictRow, now: datetime, zone: ZoneInfo) -> bool:
    """Whether the next booking of a space found another; otherwise an operator hears of it."""
    values = {"id": standing["next_id"], "space": standing["space_id"]}
    rows = booked(connection, "b.id = %(id)s AND b.space_id = %(space)s", values, now)
    try:
        make_way(connection, rows, now=now, zone=zone)
    except Problem:
        reason, plate = "no-space-for-booking", standing["next_plate"]
        send(connection, [case_raised("booking", standing["next_id"], reason, plate, now)])
        return False
    return True


def _no_show_text(status: str, fee_fen: int) -> str:
    if status == "cancelled":
        return "您的车辆已在场内，预约已自动取消，不收费。"
    fee = f"，按约定收取 {yuan(fee_fen)} 元" if fee_fen else ""
    return f"您预约的车辆未按时到场，车位已释放{fee}。"
