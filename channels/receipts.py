"""Money that a provider took for an order: it pays what is due, fills a balance, or goes back."""

from datetime import datetime

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from channels import moves, refunds
from channels.models import PAID, SURPLUS, PaymentOrder
from channels.provider import RefusedNotificationError, Seen
from ledger.source_models import Payment, Receivable, TopUp

SURPLUS_REASON = "重复支付，原路退回"

log = structlog.get_logger()


def received(session: Session, provider: str, seen: Seen, now: datetime) -> bool:
    """The provider has the money: it pays what is due, or fills the balance, exactly once.

    What nobody owes any more (it was paid in cash meanwhile, or credited) goes back the way it
    came: nobody asked us to keep it. False when we knew. RefusedNotificationError for an order
    that we do not have, another amount, or a second transaction for the same order.
    """
    query = select(PaymentOrder).where(
        PaymentOrder.out_trade_no == seen.out_trade_no, PaymentOrder.provider == provider
    )
    fresh = query.with_for_update(key_share=True).execution_options(populate_existing=True)
    order = session.scalar(fresh)
    if order is None:
        raise RefusedNotificationError("unknown-order", "We have no such order.")
    if order.transaction_id is not None and order.transaction_id == seen.transaction_id:
        return False
    if order.transaction_id is not None:
        raise RefusedNotificationError("other-transaction", "The order was paid otherwise.")
    if seen.amount_fen != order.amount_fen:
        raise RefusedNotificationError("amount-differs", "The order is of another amount.")
    if seen.transaction_id is None or seen.paid_at is None:
        raise RefusedNotificationError("not-paid", "It does not say that the order was paid.")
    order.transaction_id, order.paid_at = seen.transaction_id, min(seen.paid_at, now)
    order.raw, order.error, order.status = dict(seen.raw), None, PAID
    surplus_fen = order.amount_fen - _applied_fen(session, order, now)
    if surplus_fen:
        _give_back(session, order, surplus_fen, now)
    session.flush()
    log.info("order paid", order=order.id, fen=order.amount_fen, surplus_fen=surplus_fen)
    return True


def _applied_fen(session: Session, order: PaymentOrder, now: datetime) -> int:
    """How much of it was of use; the row of the money is written here."""
    if order.source is None:
        taken = TopUp(household_id=order.household_id, amount_fen=order.amount_fen)
        _add_money(session, taken, order, now)
        order.top_up_id = taken.id
        return order.amount_fen
    owed = session.get(
        Receivable, (order.source, order.source_id), with_for_update=True, populate_existing=True
    )
    due_fen = owed.charged_fen - owed.paid_fen if owed else 0
    if owed is None or due_fen <= 0:
        return 0
    paid = Payment(
        source=order.source,
        source_id=order.source_id,
        amount_fen=min(due_fen, order.amount_fen),
        household_id=None if owed.company else order.household_id or owed.household_id,
        company=owed.company,
        status="succeeded",
    )
    _add_money(session, paid, order, now)
    order.payment_id = paid.id
    return paid.amount_fen


def _add_money(
    session: Session, money: Payment | TopUp, order: PaymentOrder, now: datetime
) -> None:
    money.method, money.recorded_at = order.provider, now
    money.occurred_at = order.paid_at or now
    session.add(money)
    session.flush()


def _give_back(session: Session, order: PaymentOrder, surplus_fen: int, now: datetime) -> None:
    moves.note(
        session,
        SURPLUS,
        order.provider,
        order.out_trade_no,
        surplus_fen,
        order.paid_at or now,
        order.household_id,
    )
    refunds.ask(session, order, f"r{order.out_trade_no}", surplus_fen, SURPLUS_REASON, now)
