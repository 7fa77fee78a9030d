"""Phones of parcels expire with the community's policy; what is left is times, places and money."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, text
from sqlalchemy.orm import Session

PHONES = """
UPDATE parcel SET recipient_phone = NULL
WHERE id IN (SELECT p.id FROM parcel p
             LEFT JOIN receivable r ON r.source = 'parcel' AND r.source_id = p.id
             WHERE p.recipient_phone IS NOT NULL
               AND p.phase NOT IN ('reserved', 'ready', 'overdue')
               AND coalesce(p.ended_at, p.deposited_at, p.recorded_at) < :before
               AND coalesce(r.charged_fen = r.paid_fen, true)
             LIMIT :limit FOR UPDATE OF p SKIP LOCKED)
"""

TAILS = """
UPDATE pickup_code SET phone_tail = '', name = CASE WHEN name IS NOT NULL THEN '已过期' END
WHERE id IN (SELECT id FROM pickup_code WHERE phone_tail <> '' AND ended_at < :before
             LIMIT :limit FOR UPDATE SKIP LOCKED)
"""


def expire_batch(session: Session, *, now: datetime, phone_days: int, limit: int) -> int:
    """Erase up to `limit` rows of each kind; returns how many rows were touched.

    A parcel that still owes keeps its phone until it is paid.
    """
    values = {"before": now - timedelta(days=phone_days), "limit": limit}
    done = [session.execute(text(sql), values) for sql in (PHONES, TAILS)]
    return sum(cast("CursorResult[Any]", each).rowcount for each in done)
