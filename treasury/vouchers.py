"""票据: donation receipts for gifts, invoices for prices, and the red letters that void them."""

from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Problem, not_found
from ledger.source_models import Payment
from treasury.receipt_models import DONATION_RECEIPT, NO_VOUCHER, FundReceipt, Voucher

NONE, DUE, ISSUED, RED_LETTERED = "none", "due", "issued", "red-lettered"
"""States of a voucher: none is wanted, one is owed, stands, or was voided by a red letter."""


def voucher_of(session: Session, receipt: FundReceipt) -> dict[str, Any]:
    """Kind, state and newest paper of what was received."""
    newest = session.scalar(
        select(Voucher)
        .where(Voucher.fund_receipt_id == receipt.id)
        .order_by(Voucher.id.desc())
        .limit(1)
    )
    if receipt.voucher_kind == NO_VOUCHER:
        state = NONE
    elif newest is None:
        state = DUE
    else:
        state = ISSUED if newest.amount_fen > 0 else RED_LETTERED
    names = ("number", "seller_tax_id", "red_letter_of_id", "issued_on")
    said = {f"voucher_{name}": getattr(newest, name, None) for name in names}
    return {"voucher_kind": receipt.voucher_kind, "voucher_state": state} | said


def issue(
    session: Session,
    *,
    recorded_by: int,
    fund_receipt_id: int | None = None,
    payment_id: int | None = None,
    **paper: Any,
) -> Voucher:
    """Note the paper issued for what the fund received, or the invoice of a paid fee.

    Problem 404; 409 `voucher-not-wanted` for another kind than its row says. The database
    refuses papers of more than was received, and a donation receipt for any price.
    """
    if fund_receipt_id is not None:
        receipt = session.get(FundReceipt, fund_receipt_id)
        if receipt is None:
            raise not_found("receipt of the fund")
        if receipt.voucher_kind != paper["kind"]:
            detail = f"What was received carries: {receipt.voucher_kind}."
            raise Problem(409, "voucher-not-wanted", detail)
    elif session.get(Payment, payment_id) is None:
        raise not_found("payment")
    elif paper["kind"] == DONATION_RECEIPT:
        raise Problem(409, "voucher-not-wanted", "A fee is a price, not a gift.")
    return _add(
        session,
        fund_receipt_id=fund_receipt_id,
        payment_id=payment_id,
        recorded_by=recorded_by,
        **paper,
    )


def red_letter(session: Session, voucher_id: int, *, recorded_by: int, **paper: Any) -> Voucher:
    """红字: void a paper by one of the same amount below zero, once. Problem 404, 409."""
    voided = session.get(Voucher, voucher_id)
    if voided is None:
        raise not_found("voucher")
    same = select(Voucher.id).where(Voucher.red_letter_of_id == voucher_id)
    if voided.amount_fen < 0 or session.scalar(same):
        raise Problem(409, "voided-before", "It was voided, or is a red letter itself.")
    kept = ("kind", "seller_tax_id", "fund_receipt_id", "payment_id")
    return _add(
        session,
        amount_fen=-voided.amount_fen,
        red_letter_of_id=voided.id,
        recorded_by=recorded_by,
        **{name: getattr(voided, name) for name in kept},
        **paper,
    )


def vouchers() -> Select[Any]:
    """Every paper, the newest first."""
    return select(Voucher).order_by(Voucher.id.desc())


def _add(session: Session, **facts: Any) -> Voucher:
    voucher = Voucher(recorded_at=clock.now(), **facts)
    session.add(voucher)
    session.flush()
    return voucher
