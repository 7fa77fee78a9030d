"""Giving money back through the provider that took it; the refund's row is the queue."""

from dataclasses import dataclass
from datetime import datetime

import structlog
from sqlalchemy import exists, select, text, update
from sqlalchemy.orm import Session

from channels import moves
from channels.models import (
    CREATED,
    FAILED,
    OPEN_REFUND,
    PROCESSING,
    REFUND,
    REFUNDED,
    REFUNDING,
    SUCCEEDED,
    PaymentOrder,
    PaymentRefund,
)
from channels.provider import RefundSeen, RefundWanted, RefusedNotificationError
from core.db import driver, fetch_row

LEASE_SECONDS = 60
ERROR_LENGTH = 256
REASON_LENGTH = 80

log = structlog.get_logger()

CLAIM = """
WITH due AS (
    SELECT id FROM payment_refund
    WHERE status IN ('created', 'processing') AND next_try_at <= %(now)s
    ORDER BY next_try_at, id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE payment_refund AS r SET attempts = r.attempts + 1,
    next_try_at = %(now)s + make_interval(secs => %(lease)s * 2 ^ least(r.attempts, 6))
FROM due, payment_order AS o
WHERE r.id = due.id AND o.id = r.order_id
RETURNING r.id, o.provider, r.status = 'processing' AS asked, r.out_refund_no, o.out_trade_no,
    r.amount_fen, o.amount_fen AS of_fen, r.reason
"""


@dataclass(frozen=True, slots=True)
class Claimed:
    """A refund that is ours for a while; `asked`: the provider took it, ask how it went."""

    id: int
    provider: str
    asked: bool
    wanted: RefundWanted


def ask(
    session: Session, order: PaymentOrder, number: str, amount_fen: int, reason: str, now: datetime
) -> None:
    """Give back so much of a paid order, under our own `number`; a sweep asks its provider."""
    refund = PaymentRefund(
        out_refund_no=number,
        order_id=order.id,
        amount_fen=amount_fen,
        reason=reason[:REASON_LENGTH],
        status=CREATED,
        recorded_at=now,
        next_try_at=now,
    )
    session.add(refund)
    order.status = REFUNDING


def claim(session: Session, now: datetime) -> Claimed | None:
    """Take the next refund to ask for, or to ask about; tried again later if we die."""
    row = fetch_row(driver(session), (CLAIM, {"now": now, "lease": LEASE_SECONDS}))
    if row is None:
        return None
    return Claimed(row.pop("id"), row.pop("provider"), row.pop("asked"), RefundWanted(**row))


def stumbled(session: Session, refund_id: int, error: str) -> None:
    """What went wrong; it is tried again when its lease runs out."""
    wrong = update(PaymentRefund).where(PaymentRefund.id == refund_id)
    session.execute(wrong.values(error=error[:ERROR_LENGTH]))


def seen(session: Session, provider: str, told: RefundSeen, now: datetime) -> bool:
    """What the provider says of a refund, whichever way and in whichever order it comes.

    A refund that succeeded stays so; its money leaves the clearing account once. False when it
    says nothing new. RefusedNotificationError for a refund that is not ours or of another amount.
    """
    query = (
        select(PaymentRefund, PaymentOrder)
        .join(PaymentOrder, PaymentOrder.id == PaymentRefund.order_id)
        .where(
            PaymentRefund.out_refund_no == told.out_refund_no,
            PaymentOrder.provider == provider,
            PaymentOrder.out_trade_no == told.out_trade_no,
        )
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    found = session.execute(query).first()
    if found is None:
        raise RefusedNotificationError("unknown-refund", "We have no such refund.")
    refund, order = found
    if told.amount_fen != refund.amount_fen:
        raise RefusedNotificationError("amount-differs", "The refund is of another amount.")
    if refund.status in (SUCCEEDED, told.state):
        return False
    refund.refund_id, refund.raw = told.refund_id, dict(told.raw)
    if told.state == SUCCEEDED:
        _succeeded(session, refund, order, min(told.succeeded_at or now, now))
    elif told.state == FAILED:
        refund.status, refund.error = FAILED, "the provider could not give it back"
        log.error("refund failed", refund=refund.id, order=order.id)
    elif refund.status != FAILED:
        refund.status, refund.error = PROCESSING, None
    session.flush()
    return True


def _succeeded(session: Session, refund: PaymentRefund, order: PaymentOrder, at: datetime) -> None:
    refund.status, refund.succeeded_at, refund.error = SUCCEEDED, at, None
    session.flush()
    others = exists().where(PaymentRefund.order_id == order.id, text(OPEN_REFUND))
    if not session.scalar(select(others)):
        order.status = REFUNDED
    moves.note(
        session,
        REFUND,
        order.provider,
        refund.out_refund_no,
        refund.amount_fen,
        at,
        order.household_id,
    )
