"""收款单: donations, contributions of businesses and low-fee services."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Problem, invalid, not_found
from core.money import yuan
from identity.models import Household
from ledger.accounts import FUND
from ledger.models import Account
from treasury.balances import one_at_a_time, restricted_fen
from treasury.drafts import RECEIVED
from treasury.models import CASH
from treasury.numerals import in_words
from treasury.receipt_models import FundReceipt
from treasury.vouchers import voucher_of

NOTICE = "本收据仅证明款项已收，不能代替发票或公益事业捐赠票据。"


def receive(
    session: Session, *, recorded_by: int, household: str | None, **received: Any
) -> FundReceipt:
    """Record money that the fund was given or earned, now or before; settlement books it.

    Problem 422 for an unknown household, a programme the fund does not have, an instant to
    come. The database refuses a donation receipt for a price and an invoice for a gift.
    """
    now = clock.now()
    at: datetime = received.pop("received_at", now)
    if at > now:
        raise invalid("received_at", "has not come yet")
    programme = received.get("programme")
    if programme is not None:
        _check_programme(session, programme)
    taken = FundReceipt(
        household_id=_household(session, household),
        received_by=recorded_by if received["method"] == CASH else None,
        recorded_by=recorded_by,
        occurred_at=at,
        recorded_at=now,
        **received,
    )
    session.add(taken)
    session.flush()
    return taken


def check_unspent(session: Session, number: int) -> None:
    """Problem 409 `spent-already` when money for a programme cannot be taken back any more."""
    receipt = session.get_one(FundReceipt, number)
    if not receipt.restricted:
        return
    one_at_a_time(session)
    left_fen = restricted_fen(session, receipt.programme)
    if receipt.amount_fen > left_fen:
        detail = f"{left_fen} fen of what was given for {receipt.programme} are not spent yet."
        asked_fen = receipt.amount_fen
        raise Problem(409, "spent-already", detail, available_fen=left_fen, asked_fen=asked_fen)


def fund_receipts(kind: str | None = None, household_id: int | None = None) -> Select[Any]:
    """What the fund received, the newest first; of a kind or household if given."""
    query = select(FundReceipt).order_by(FundReceipt.id.desc())
    if kind is not None:
        query = query.where(FundReceipt.kind == kind)
    if household_id is not None:
        query = query.where(FundReceipt.household_id == household_id)
    return query


def fund_receipt(session: Session, number: int, household_id: int | None = None) -> FundReceipt:
    """One of them; Problem 404, also for another household's."""
    found = session.scalar(fund_receipts(None, household_id).where(FundReceipt.id == number))
    if found is None:
        raise not_found("receipt of the fund")
    receipt: FundReceipt = found
    return receipt


def printable(session: Session, receipt: FundReceipt, zone: ZoneInfo) -> dict[str, Any]:
    """All that a printed receipt says, with its number."""
    day = receipt.occurred_at.astimezone(zone).date()
    return {
        "number": f"SJ{day:%Y}-{receipt.id:06d}",
        "received_on": day,
        "received_from": receipt.payer,
        "kind": receipt.kind,
        "kind_name": RECEIVED[receipt.kind],
        "amount_fen": receipt.amount_fen,
        "amount_yuan": yuan(receipt.amount_fen),
        "amount_in_words": f"人民币{in_words(receipt.amount_fen)}",
        "purpose": _purpose(session, receipt),
        "restricted": receipt.restricted,
        "in_return": receipt.in_return,
        "method": receipt.method,
        "received_by": receipt.received_by,
        "voucher": voucher_of(session, receipt),
        "notice": NOTICE,
    }


def _household(session: Session, code: str | None) -> int | None:
    if code is None:
        return None
    found = session.scalar(select(Household.id).where(Household.code == code))
    if found is None:
        raise invalid("household", "there is no such household")
    return found


def _check_programme(session: Session, programme: str) -> None:
    of_fund = select(Account.code).where(
        Account.code == programme, Account.book == FUND, Account.type == "expense", Account.active
    )
    if session.scalar(of_fund) is None:
        raise invalid("programme", "no programme in use of the fund")


def _purpose(session: Session, receipt: FundReceipt) -> str:
    if receipt.programme is None:
        return receipt.memo
    named = session.scalar(select(Account.name_zh).where(Account.code == receipt.programme))
    return f"{named}：{receipt.memo}"
