"""The owner-return guarantee: an owner whose space is still taken is given another, and told.

Shortly before the owner's right begins again and the guest has not left, the best other space is
held for the owner's permit. When there is none, an operator hears of it before the owner does.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.db import Connection, Statement, driver, fetch_row, send
from devices.exceptions import raised as case_raised
from identity.notices import told
from parking.terms import Terms
from sharing import claims
from sharing.allocation import Wish, ranked

USUAL = Terms()
REPLACED_FOR = (timedelta(hours=12), timedelta(hours=4), timedelta(hours=1))
"""For how long an owner is given another space: the longest that is free."""

# How long before the next right begins a vehicle that has not left is in its way.
LEAD = f"""make_interval(mins => coalesce((
    SELECT (t.rules ->> 'lead_minutes')::int FROM booking_terms t
    WHERE t.lot_id = {{0}} AND t.valid_from <= %(now)s ORDER BY t.valid_from DESC LIMIT 1
), {USUAL.lead_minutes}))"""  # noqa: S608 - a number of ours

REPLACED = """EXISTS (
    SELECT FROM booking r JOIN permit p ON p.id = r.instead_of_id
    WHERE p.space_id = place.id AND r.status IN ('confirmed', 'checked_in'))
"""

# Guests on a private space that its owner has a right to by now, or in a moment; the owner has
# not been given another place yet.
OWNERS = f"""
SELECT s.id FROM space_claim c
JOIN stay s ON s.id = c.stay_id
JOIN booking b ON b.id = s.booking_id
JOIN space place ON place.id = c.space_id
WHERE c.live AND place.owner_household_id IS NOT NULL
  AND s.household_id IS DISTINCT FROM place.owner_household_id
  AND b.ends_at <= %(now)s + {LEAD.format("c.lot_id")}
  AND NOT place.offered @> %(now)s + {LEAD.format("c.lot_id")}
  AND NOT {REPLACED}
"""  # noqa: S608 - constants of ours

# A statement of its own: the look after it sees what whoever held the lock has done.
ALONE = "SELECT id FROM stay WHERE id = %(id)s FOR UPDATE"

OVERSTAYED = f"""
SELECT s.id AS stay_id, s.lot_id, s.plate AS guest_plate, place.id AS space_id, place.code AS space,
    place.owner_household_id, p.id AS permit_id, pp.plate, pp.plate_color,
    EXISTS (SELECT FROM stay o WHERE o.permit_id = p.id AND o.status = 'open') AS owner_inside
FROM stay s
JOIN space place ON place.id = s.space_id
LEFT JOIN LATERAL (
    SELECT p.id FROM permit p
    WHERE p.space_id = place.id AND p.starts_at <= %(now)s AND p.ends_at > %(now)s
    ORDER BY p.ends_at DESC LIMIT 1
) p ON true
LEFT JOIN LATERAL (
    SELECT plate, plate_color FROM permit_plate WHERE permit_id = p.id ORDER BY id LIMIT 1
) pp ON true
WHERE s.id = %(id)s AND s.status = 'open' AND NOT {REPLACED}
"""  # noqa: S608 - constants of ours

REPLACE = """
WITH claimed AS MATERIALIZED (
    SELECT id, claim_space(%(spaces)s::bigint[], tstzrange(%(now)s, %(until)s), id) AS space_id
    FROM nextval('booking_id_seq') AS new(id)
)
INSERT INTO booking (id, kind, lot_id, space_id, household_id, plate, plate_color, starts_at,
    ends_at, instead_of_id, total_fen, recorded_at)
SELECT claimed.id, 'replacement', %(lot)s, claimed.space_id, %(household)s, %(plate)s, %(color)s,
    %(now)s, %(until)s, %(permit)s, 0, %(now)s
FROM claimed WHERE claimed.space_id IS NOT NULL
RETURNING id, (SELECT code FROM space WHERE space.id = booking.space_id) AS space
"""

NEEDLESS = """
SELECT r.id FROM booking r JOIN permit p ON p.id = r.instead_of_id
WHERE r.kind = 'replacement' AND r.status = 'confirmed' AND (
    r.ends_at <= %(now)s
    OR EXISTS (SELECT FROM stay o WHERE o.permit_id = p.id AND o.status = 'open')
    OR NOT EXISTS (
        SELECT FROM space_claim c WHERE c.live AND c.stay_id IS NOT NULL AND c.space_id = p.space_id
    ))
"""

REPLACEMENT = """
SELECT r.id, r.household_id, r.ends_at, place.code AS space,
    EXISTS (SELECT FROM space_claim c WHERE c.live AND c.stay_id IS NOT NULL
            AND c.space_id = place.id) AS still_taken,
    EXISTS (SELECT FROM stay o WHERE o.permit_id = p.id AND o.status = 'open') AS owner_inside
FROM booking r JOIN permit p ON p.id = r.instead_of_id JOIN space place ON place.id = p.space_id
WHERE r.id = %(id)s AND r.status = 'confirmed' FOR UPDATE OF r
"""

END = """
UPDATE booking SET status = %(status)s, ended_at = %(at)s, ended_reason = %(reason)s
WHERE id = %(booking)s
"""


def owners_due(session: Session, now: datetime) -> Sequence[int]:
    """Stays of guests who overstay on a space whose owner may return any moment."""
    return ids(session, OWNERS, now)


def replace_owner(session: Session, stay_id: int, now: datetime, zone: ZoneInfo) -> None:
    """Hold another space for an owner whose own is still taken, and say so.

    Without a free space, or without a permit to know the owner's vehicle by, an operator hears.
    """
    connection = driver(session)
    fetch_row(connection, (ALONE, {"id": stay_id}))
    row = fetch_row(connection, (OVERSTAYED, {"id": stay_id, "now": now}))
    if row is None or row["owner_inside"]:
        return
    replacement = row["permit_id"] and _place_for_owner(connection, row, now, zone)
    if not replacement:
        reason = "owner-without-space" if row["permit_id"] else "owner-without-permit"
        send(connection, [case_raised("stay", stay_id, reason, row["guest_plate"], now)])
        return
    text = (
        f"您的车位 {row['space']} 上的车辆尚未离开，"
        f"已为您安排车位 {replacement['space']}，费用由社区承担。"
    )
    household_id, booking_id = row["owner_household_id"], replacement["id"]
    send(connection, [about_booking(household_id, "space-replaced", text, booking_id, now)])


def replacements_due(session: Session, now: datetime) -> Sequence[int]:
    """Replacements that nobody needs any longer, or whose time is over."""
    return ids(session, NEEDLESS, now)


def end_replacement(session: Session, booking_id: int, now: datetime, _zone: ZoneInfo) -> None:
    """The owner's own space is free again, or the time is over and another look is due."""
    connection = driver(session)
    row = fetch_row(connection, (REPLACEMENT, {"id": booking_id}))
    if row is None:
        return
    if row["owner_inside"]:
        reason = "owner-inside"
    elif row["still_taken"] and row["ends_at"] > now:
        return
    else:
        reason = "own-space-taken-still" if row["still_taken"] else "own-space-free"
    end = {"booking": booking_id, "status": "cancelled", "reason": reason, "at": now}
    statements: list[Statement] = [(END, end), claims.released(booking_id, now)]
    if not row["still_taken"]:
        text = f"您的车位 {row['space']} 已空出，请停回原车位。"
        statements.append(
            about_booking(row["household_id"], "own-space-free", text, booking_id, now)
        )
    send(connection, statements)


def ids(session: Session, sql: str, now: datetime) -> Sequence[int]:
    """The ids that a statement about now finds."""
    with driver(session).cursor() as cursor:
        return [row[0] for row in cursor.execute(sql, {"now": now})]


def _place_for_owner(
    connection: Connection, row: DictRow, now: datetime, zone: ZoneInfo
) -> DictRow | None:
    for length in REPLACED_FOR:
        until = now + length
        free = claims.free(connection, row["lot_id"], now, until, now=now, zone=zone)
        spaces = ranked([one for one in free if not one.private], Wish())
        values = {
            "spaces": spaces,
            "now": now,
            "until": until,
            "lot": row["lot_id"],
            "household": row["owner_household_id"],
            "plate": row["plate"],
            "color": row["plate_color"],
            "permit": row["permit_id"],
        }
        if spaces and (made := fetch_row(connection, (REPLACE, values))):
            return made
    return None


def about_booking(
    household_id: int, kind: str, text: str, booking_id: int, at: datetime
) -> Statement:
    """Tell a household something about a booking."""
    return told(household_id, kind, text, about="booking", about_id=booking_id, at=at)
