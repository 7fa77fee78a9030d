"""Proof by SQL that what must always hold held: invariants 1, 2, 5 and 9, and the books.

Each question counts what was looked at and names what is broken; nothing may be.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from core.db import driver, fetch_row
from ledger import proof
from parking.terms import Terms

# Somebody overstayed, nobody found another space for who came next, and an operator was told.
KNOWN_OF = """EXISTS (
    SELECT FROM exception_case k
    WHERE k.reason IN ('no-space-for-booking', 'owner-without-space', 'owner-without-permit')
      AND (k.subject = 'stay' AND k.subject_id IN (a.stay_id, b.stay_id)
           OR k.subject = 'booking' AND k.subject_id IN (a.booking_id, b.booking_id)))
"""

# Every claim there ever was, by the time it held. One that was given back before it began holds
# nothing: of it an instant is left, because the database keeps no empty range.
CLAIMS = f"""
WITH held AS MATERIALIZED (
    SELECT id, space_id, during, stay_id, booking_id FROM space_claim
    WHERE live OR upper(during) > lower(during) + interval '1 microsecond'
)
SELECT (SELECT count(*) FROM held) AS looked, count(*) AS broken,
    min('claims ' || a.id || ' and ' || b.id || ' on space ' || a.space_id) AS first
FROM held a JOIN held b ON b.space_id = a.space_id AND b.id > a.id
WHERE a.during && b.during AND NOT ({KNOWN_OF})
"""  # noqa: S608 - constants of ours

# When a vehicle stood where we say it did. What came late was given a space when it was heard of;
# a stay that a sweep or a camera put on the exceptions list is known to have overstayed.
STANDING = """
SELECT s.id AS stay_id, s.space_id, s.booking_id, tstzrange(
    CASE WHEN e.history THEN greatest(s.entered_at, e.recorded_at) ELSE s.entered_at END,
    coalesce(s.exited_at, upper(c.during))) AS during
FROM stay s
LEFT JOIN device_event e ON e.id = s.entry_event_id
LEFT JOIN space_claim c ON c.stay_id = s.id AND NOT c.live
WHERE s.space_id IS NOT NULL AND s.entered_at IS NOT NULL
  AND CASE WHEN e.history THEN greatest(s.entered_at, e.recorded_at) ELSE s.entered_at END
      < coalesce(s.exited_at, upper(c.during), 'infinity')
"""
STAYS = f"""
WITH standing AS MATERIALIZED ({STANDING})
SELECT (SELECT count(*) FROM standing) AS looked,
    count(*) AS broken,
    min('stays ' || a.stay_id || ' and ' || b.stay_id || ' on space ' || a.space_id) AS first
FROM standing a JOIN standing b ON b.space_id = a.space_id AND b.stay_id > a.stay_id
WHERE a.during && b.during AND NOT ({KNOWN_OF})
"""  # noqa: S608 - constants of ours

# Who holds a space is inside or has booked, and who is inside on a space holds it.
HELD = """
SELECT count(*) AS looked, count(*) FILTER (WHERE NOT held) AS broken,
    min(what) FILTER (WHERE NOT held) AS first
FROM (
    SELECT 'claim ' || c.id AS what, coalesce(s.status = 'open' AND s.space_id = c.space_id,
        b.status = 'confirmed' AND b.space_id = c.space_id) AS held
    FROM space_claim c LEFT JOIN stay s ON s.id = c.stay_id
    LEFT JOIN booking b ON b.id = c.booking_id WHERE c.live
    UNION ALL
    SELECT 'stay ' || s.id, EXISTS (SELECT FROM space_claim c WHERE c.stay_id = s.id AND c.live
                                    AND c.space_id = s.space_id)
    FROM stay s WHERE s.status = 'open' AND s.space_id IS NOT NULL
) holders
"""

OFFERED = """
SELECT count(*) AS looked,
    count(*) FILTER (WHERE NOT held) AS broken,
    min('booking ' || id) FILTER (WHERE NOT held) AS first
FROM (
    SELECT b.id, s.lot_id = b.lot_id AND s.in_service
        AND coalesce(s.offered @> tstzrange(b.starts_at, b.ends_at), true) AS held
    FROM booking b JOIN space s ON s.id = b.space_id
    WHERE b.status IN ('confirmed', 'checked_in')
) active
"""

# Every booking's row, and every change of an offer, was looked at by the database itself.
GUARDED = """
SELECT (SELECT count(*) FROM booking) AS looked, 2 - count(*) AS broken,
    'a trigger is missing or disabled' AS first
FROM pg_trigger
WHERE tgname IN ('booking_is_offered', 'offer_keeps_bookings') AND tgenabled = 'O'
"""

CLAIMED = """
SELECT count(*) AS looked,
    count(*) FILTER (WHERE NOT held) AS broken,
    min('booking ' || id) FILTER (WHERE NOT held) AS first
FROM (
    SELECT b.id, EXISTS (
        SELECT FROM space_claim c WHERE c.booking_id = b.id AND c.live AND c.space_id = b.space_id
          AND upper(c.during) >= b.ends_at) AS held
    FROM booking b WHERE b.status IN ('confirmed', 'checked_in')
) active
"""

CHAINS = """
WITH owes AS (
    SELECT 'stay' AS source, id, fee_fen AS fen FROM stay WHERE status = 'closed'
), charged AS (
    SELECT source, source_id, sum(amount_fen) AS fen, count(*) FILTER (WHERE kind = 'fee') AS fees,
        count(*) FILTER (WHERE kind <> 'fee' AND corrects_id IS NULL) AS loose
    FROM charge WHERE source = 'stay' GROUP BY source, source_id
)
SELECT count(*) AS looked, count(*) FILTER (WHERE NOT held) AS broken,
    min('stay ' || id) FILTER (WHERE NOT held) AS first
FROM (
    SELECT owes.id, coalesce(charged.fen, 0) = owes.fen AND coalesce(charged.loose, 0) = 0
        AND coalesce(charged.fees, 0) = (owes.fen > 0)::int AS held
    FROM owes LEFT JOIN charged ON charged.source = owes.source AND charged.source_id = owes.id
) chains
"""

# Who came for a booking and left in its allowance, and paid only then, pays what was promised.
PROMISED = f"""
SELECT count(*) AS looked, count(*) FILTER (WHERE fee_fen <> total_fen) AS broken,
    min('booking ' || id || ', stay ' || stay_id || ': cost ' || fee_fen || ', promised '
        || total_fen) FILTER (WHERE fee_fen <> total_fen) AS first
FROM (
    SELECT b.id, s.id AS stay_id, s.fee_fen, b.total_fen
    FROM booking b JOIN stay s ON s.booking_id = b.id
    LEFT JOIN booking_terms t ON t.id = b.terms_id
    WHERE b.kind = 'guest' AND b.status = 'fulfilled' AND s.status = 'closed'
      AND s.exited_at >= b.ends_at
      AND s.exited_at <= b.ends_at + make_interval(
          mins => coalesce((t.rules ->> 'late_minutes')::int, {Terms().late_minutes}))
      AND NOT EXISTS (SELECT FROM charge c WHERE c.source = 'stay' AND c.source_id = s.id
                      AND c.occurred_at < b.ends_at)
) kept
"""  # noqa: S608 - a number of ours


@dataclass(frozen=True, slots=True)
class Proven:
    """One proof: how many rows were looked at, and how many are broken."""

    name: str
    looked: int | None
    broken: int
    detail: str


QUESTIONS: Mapping[str, str] = {
    "1 no two claims hold one space": CLAIMS,
    "1 no two vehicles stand on one space": STAYS,
    "1 who holds a space is there or has booked": HELD,
    "2 active bookings lie in what is offered": OFFERED,
    "2 the database guards every booking": GUARDED,
    "2 active bookings hold their space": CLAIMED,
    "5 one chain of charges for a stay": CHAINS,
    "9 quote = bill": PROMISED,
}


def prove(session: Session) -> list[Proven]:
    """Ask everything; run it in a transaction that sees one instant."""
    proven = [_ask(session, name, sql) for name, sql in QUESTIONS.items()]
    for name, check in proof.verify(session).checks.items():
        proven.append(Proven(f"ledger: {name}", None, not check.ok, check.detail))
    return proven


def _ask(session: Session, name: str, sql: str) -> Proven:
    row: Mapping[str, Any] = fetch_row(driver(session), (sql, {})) or {}
    broken = int(row["broken"])
    return Proven(name, row["looked"], broken, row["first"] if broken else "")
