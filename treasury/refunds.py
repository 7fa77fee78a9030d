"""退费: what was paid for a fee goes back, and the fee becomes smaller by as much."""

from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from channels import refunds as channel_refunds
from channels.models import PaymentOrder
from core import clock
from core.errors import Problem, invalid
from ledger.source_models import FeeRefund, Payment, Receivable
from treasury.fee_credits import Cause, raise_credit, receivable_of

BY_PROVIDER = ("wechat",)


def refund(
    session: Session,
    *,
    charge_id: int,
    amount_fen: int | None,
    method: str,
    reason: str,
    asked_by: int,
) -> FeeRefund:
    """Give back what was paid for a charge, or so much of it, and credit the fee.

    By `cash`, which the person who asks hands out; by `balance`, to whoever paid; by `wechat`
    through the provider that took it, as a row that a sweep sends. Problem 404 without the
    charge, 409 `nothing-paid` or `more-than-paid`, 422 for a balance of nobody.
    """
    owed = receivable_of(session, charge_id)
    wanted_fen = owed.paid_fen if amount_fen is None else amount_fen
    if not owed.paid_fen:
        raise Problem(409, "nothing-paid", "Nothing was paid, or all of it was given back.")
    if wanted_fen > owed.paid_fen:
        detail = "Less than that was paid and not given back."
        raise Problem(409, "more-than-paid", detail, paid_fen=owed.paid_fen)
    order = _order(session, owed, wanted_fen) if method in BY_PROVIDER else None
    household_id, company = (order.household_id, None) if order else _payer(session, owed)
    if method == "balance" and household_id is None and company is None:
        raise invalid("method", "nobody known paid it, so there is no balance")
    now = clock.now()
    given = FeeRefund(
        source=owed.source,
        source_id=owed.source_id,
        method=method,
        amount_fen=wanted_fen,
        household_id=household_id,
        company=company,
        paid_out_by=asked_by if method == "cash" else None,
        payment_id=order.payment_id if order else None,
        reason=reason,
        asked_by=asked_by,
        occurred_at=now,
        recorded_at=now,
    )
    session.add(given)
    session.flush()
    if order:
        number = f"r{order.out_trade_no}-{given.id}"
        channel_refunds.ask(session, order, number, wanted_fen, reason, now)
    raise_credit(session, owed, wanted_fen, Cause(reason, asked_by, fee_refund_id=given.id))
    return given


def refunds(household_id: int | None = None) -> Select[Any]:
    """Refunds, the newest first; of one household if given."""
    query = select(FeeRefund).order_by(FeeRefund.id.desc())
    return query if household_id is None else query.where(FeeRefund.household_id == household_id)


def _order(session: Session, owed: Receivable, wanted_fen: int) -> PaymentOrder:
    """The order of the payment that has so much left; Problem 409 when none has."""
    given = (
        select(func.coalesce(func.sum(FeeRefund.amount_fen), 0))
        .where(FeeRefund.payment_id == Payment.id)
        .scalar_subquery()
    )
    left_fen = Payment.amount_fen - given
    query = (
        select(PaymentOrder, left_fen)
        .join(Payment, Payment.id == PaymentOrder.payment_id)
        .where(Payment.source == owed.source, Payment.source_id == owed.source_id)
        .order_by(left_fen.desc(), Payment.id.desc())
        .limit(1)
        .with_for_update(of=PaymentOrder, key_share=True)
    )
    found = session.execute(query.execution_options(populate_existing=True)).first()
    if found is None or found[1] < wanted_fen:
        detail = "No payment through the provider has so much left to give back."
        raise Problem(409, "more-than-paid", detail, paid_fen=found[1] if found else 0)
    order: PaymentOrder = found[0]
    return order


def _payer(session: Session, owed: Receivable) -> tuple[int | None, str | None]:
    """Household and company of the newest payment that names one, else the debtor's."""
    named = Payment.household_id.is_not(None) | Payment.company.is_not(None)
    query = (
        select(Payment.household_id, Payment.company)
        .where(Payment.source == owed.source, Payment.source_id == owed.source_id, named)
        .order_by(Payment.id.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    return (found[0], found[1]) if found else (owed.household_id, owed.company)
