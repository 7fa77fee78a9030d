"""Personal data expire: pictures soon, plates after the year the standards ask to keep them.

What remains of an old stay is its times and its money.
"""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

ERASED = "已过期"

PICTURES = """
UPDATE device_event SET raw = NULL
WHERE id IN (SELECT id FROM device_event WHERE raw IS NOT NULL AND recorded_at < :before
             LIMIT :limit FOR UPDATE SKIP LOCKED)
"""

EVENTS = """
UPDATE device_event SET data = NULL, answer = NULL
WHERE id IN (SELECT id FROM device_event WHERE data IS NOT NULL AND recorded_at < :before
             LIMIT :limit FOR UPDATE SKIP LOCKED)
"""

CASES = """
UPDATE exception_case SET plate = NULL
WHERE id IN (SELECT id FROM exception_case WHERE plate IS NOT NULL AND raised_at < :before
             AND resolved_at IS NOT NULL LIMIT :limit FOR UPDATE SKIP LOCKED)
"""

STAYS = """
UPDATE stay SET plate = :erased, plate_color = 'unknown'
WHERE id IN (SELECT s.id FROM stay s
             LEFT JOIN receivable r ON r.source = 'stay' AND r.source_id = s.id
             WHERE s.status <> 'open' AND s.plate <> :erased
               AND coalesce(s.exited_at, s.entered_at) < :before
               AND coalesce(r.charged_fen = r.paid_fen, true)
             LIMIT :limit FOR UPDATE OF s SKIP LOCKED)
"""

BOOKINGS = """
UPDATE booking SET plate = :erased, plate_color = 'unknown'
WHERE id IN (SELECT b.id FROM booking b
             WHERE b.status NOT IN ('confirmed', 'checked_in') AND b.plate <> :erased
               AND b.ends_at < :before
             LIMIT :limit FOR UPDATE SKIP LOCKED)
"""

WAITERS = """
UPDATE waitlist_entry SET plate = :erased, plate_color = 'unknown'
WHERE id IN (SELECT w.id FROM waitlist_entry w
             WHERE w.status <> 'waiting' AND w.plate <> :erased AND w.ends_at < :before
             LIMIT :limit FOR UPDATE SKIP LOCKED)
"""

# A permit keeps one row a plate, so that stays of the past still find their permit.
PERMITS = """
UPDATE permit_plate SET plate = :erased || id, plate_color = 'unknown'
WHERE id IN (SELECT pp.id FROM permit_plate pp JOIN permit p ON p.id = pp.permit_id
             WHERE p.ends_at < :before AND pp.plate NOT LIKE :erased || '%'
             LIMIT :limit FOR UPDATE OF pp SKIP LOCKED)
"""

NOTICES = """
WITH old AS (SELECT id FROM notice WHERE recorded_at < :before LIMIT :limit FOR UPDATE SKIP LOCKED),
deliveries AS (DELETE FROM delivery WHERE notice_id IN (SELECT id FROM old))
DELETE FROM notice WHERE id IN (SELECT id FROM old)
"""


def expire_batch(
    session: Session, *, now: datetime, picture_days: int, plate_days: int, limit: int
) -> int:
    """Erase up to `limit` rows of each kind; returns how many rows were touched.

    A stay that still owes keeps its plate until it is paid.
    """
    pictures, plates = now - timedelta(days=picture_days), now - timedelta(days=plate_days)
    touched = 0
    for statement, before in (
        (PICTURES, pictures),
        (EVENTS, plates),
        (CASES, plates),
        (STAYS, plates),
        (BOOKINGS, plates),
        (WAITERS, plates),
        (PERMITS, plates),
        (NOTICES, plates),
    ):
        values = {"before": before, "limit": limit, "erased": ERASED}
        done = session.execute(text(statement), values)
        touched += cast("CursorResult[Any]", done).rowcount
    return touched
