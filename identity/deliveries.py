"""The queue of notices on their way: shown in inboxes, or claimed, sent and marked.

The row is the queue. Whoever claims a delivery has it to themselves until its next try is due;
the channel is called between two transactions, and a worker that dies there leaves a row that is
tried again. So a channel gets each delivery at least once; the inbox shows it exactly once.
"""

from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, Select, or_, select, text
from sqlalchemy.orm import Session, joinedload

from core.db import driver, fetch_row
from core.http import mend
from core.logs import mask
from identity.channels import INBOX, ChannelError, Message, masked_phone
from identity.models import Delivery, Notice
from identity.notices import CODE, HIDDEN, opened

LEASE_SECONDS = 60
LONGEST_LEASE_SECONDS = 3600
MOST_TRIES = 10
"""A delivery that failed as often is left to the operators: after some five hours."""

ERROR_LENGTH = 200

SHOW = """
WITH due AS (
    SELECT d.id, d.notice_id FROM delivery d JOIN notice n ON n.id = d.notice_id
    WHERE d.channel = :inbox AND d.due_at <= :now
      AND d.sent_at IS NULL AND d.cancelled_at IS NULL
    ORDER BY d.due_at, d.id LIMIT :limit FOR UPDATE SKIP LOCKED
), marked AS (
    UPDATE delivery d SET sent_at = :now, attempts = d.attempts + 1 FROM due WHERE d.id = due.id
)
UPDATE notice n SET shown_at = coalesce(n.shown_at, :now) FROM due WHERE n.id = due.notice_id
"""

CLAIM = """
WITH due AS (
    SELECT id FROM delivery
    WHERE channel = %(channel)s AND due_at <= %(now)s
      AND sent_at IS NULL AND cancelled_at IS NULL
      AND attempts < %(most)s AND (next_try_at IS NULL OR next_try_at <= %(now)s)
    ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
UPDATE delivery d
SET attempts = d.attempts + 1,
    next_try_at = %(now)s + make_interval(secs => least(%(lease)s * 2 ^ d.attempts, %(longest)s))
FROM due, notice n LEFT JOIN person p ON p.id = n.person_id
WHERE d.id = due.id AND n.id = d.notice_id
RETURNING d.id, n.kind, n.text, n.secret, coalesce(n.phone, p.phone) AS phone
"""

SENT = """
UPDATE delivery SET sent_at = :now, error = NULL WHERE id = :id AND sent_at IS NULL
"""

FAILED = """
UPDATE delivery SET error = :error WHERE id = :id AND sent_at IS NULL
"""

UNSENT = Delivery.sent_at.is_(None) & Delivery.cancelled_at.is_(None)
TROUBLED = or_(Delivery.error.is_not(None), Delivery.attempts >= MOST_TRIES)
STATUSES: dict[str, ColumnElement[bool]] = {
    "failed": UNSENT & TROUBLED,
    "waiting": UNSENT & ~TROUBLED,
    "sent": Delivery.sent_at.is_not(None),
    "cancelled": Delivery.sent_at.is_(None) & Delivery.cancelled_at.is_not(None),
}


def show(session: Session, now: datetime, limit: int) -> int:
    """Let up to `limit` notices that are due appear in their inboxes; how many did."""
    values = {"inbox": INBOX, "now": now, "limit": limit}
    return cast("CursorResult[Any]", session.execute(text(SHOW), values)).rowcount


def claim(session: Session, channel: str, secret_key: str, now: datetime) -> Message | None:
    """Take the next delivery that is due on a channel, or None.

    It counts as tried, and is not given to anybody else before its next try is due: after a
    minute, then two, four, … up to an hour.
    """
    values = {
        "channel": channel,
        "now": now,
        "most": MOST_TRIES,
        "lease": LEASE_SECONDS,
        "longest": LONGEST_LEASE_SECONDS,
    }
    row = fetch_row(driver(session), (CLAIM, values))
    if row is None:
        return None
    code = opened(secret_key, row["secret"]) if CODE in row["text"] else None
    return Message(
        delivery_id=row["id"],
        kind=row["kind"],
        text_masked=masked_text(row["text"]),
        text=row["text"].replace(CODE, code or ""),
        code=code,
        phone=row["phone"],
    )


def sent(session: Session, delivery_id: int, now: datetime) -> None:
    """The channel took it; true even if it was cancelled meanwhile. The first time counts."""
    session.execute(text(SENT), {"id": delivery_id, "now": now})


def failed(session: Session, delivery_id: int, error: str) -> None:
    """The channel did not take it, and why; it is tried again when its lease runs out."""
    session.execute(text(FAILED), {"id": delivery_id, "error": error[:ERROR_LENGTH]})


def why(message: Message, error: Exception) -> str:
    """What went wrong, fit to be stored and logged: providers like to repeat what they got."""
    said = str(error) if isinstance(error, ChannelError) else f"{type(error).__name__}: {error}"
    for secret, shown in ((message.code, HIDDEN), (message.phone, masked_phone(message.phone))):
        if secret:
            said = said.replace(secret, shown or HIDDEN)
    return mask(mend(said))[:ERROR_LENGTH]


def masked_text(text: str) -> str:
    """The text of a notice as operators and logs may have it."""
    return mask(text.replace(CODE, HIDDEN))


def deliveries(*, status: str | None = None) -> Select[Delivery]:
    """Deliveries with their notices, newest first; of one of STATUSES only, if given."""
    with_recipient = joinedload(Delivery.notice).joinedload(Notice.person)
    query = select(Delivery).options(with_recipient).order_by(Delivery.id.desc())
    return query if status is None else query.where(STATUSES[status])


def status_of(delivery: Delivery) -> str:
    """Which of STATUSES a delivery has."""
    if delivery.sent_at is not None:
        return "sent"
    if delivery.cancelled_at is not None:
        return "cancelled"
    troubled = delivery.error is not None or delivery.attempts >= MOST_TRIES
    return "failed" if troubled else "waiting"
