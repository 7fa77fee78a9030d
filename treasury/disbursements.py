"""付款单: one drafts, another approves or rejects, somebody pays and says by which reference."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Problem, invalid, not_found
from ledger.accounts import FUND
from ledger.models import Account
from treasury.balances import (
    PAYABLE,
    available_fen,
    enough,
    in_account_fen,
    one_at_a_time,
    owed_fen,
    restricted_fen,
    unrestricted_fen,
)
from treasury.drafts import DRAWN_ON, MONEY
from treasury.models import (
    APPROVED,
    BANK,
    CASH,
    CASH_DEPOSIT,
    DRAFTED,
    EXPENSE,
    PAID,
    REJECTED,
    Disbursement,
    Evidence,
)


def draft_expense(session: Session, *, drafted_by: int, **expense: Any) -> Disbursement:
    """An expense to be approved: book, programme, amount_fen, payee, memo, restricted.

    Problem 422 when the programme is no expense account of the book, or its book has no
    restricted money.
    """
    book, programme = expense["book"], expense["programme"]
    of_book = select(Account.code).where(
        Account.code == programme, Account.book == book, Account.type == "expense", Account.active
    )
    if session.scalar(of_book) is None:
        raise invalid("programme", "no expense account in use of this book")
    if expense["restricted"] and book != FUND:
        raise invalid("restricted", "only the micro-fund is given money for a purpose")
    return add(session, kind=EXPENSE, drafted_by=drafted_by, **expense)


def draft_deposit(session: Session, *, book: str, amount_fen: int, drafted_by: int) -> Disbursement:
    """Cash of a book to be brought to its bank, as counted; who approves counts it again.

    Problem 409 `insufficient-funds` for more than is there and not on its way already.
    """
    one_at_a_time(session)
    _enough_in_account(session, book, CASH, amount_fen, DRAFTED, APPROVED, PAID)
    facts = {"kind": CASH_DEPOSIT, "book": book, "payee": "开户银行", "memo": "开户银行"}
    return add(session, amount_fen=amount_fen, drafted_by=drafted_by, **facts)


def add(session: Session, **facts: Any) -> Disbursement:
    """A draft of these facts."""
    drafted = Disbursement(status=DRAFTED, drafted_at=clock.now(), **facts)
    session.add(drafted)
    session.flush()
    return drafted


def approve(session: Session, number: int, by: int) -> Disbursement:
    """Another person than who drafted it approves; from then on its money is as good as gone.

    Problem 404; 409 `wrong-step`, `second-person-needed`, `evidence-needed`, or
    `more-than-due` when a credit came since a payout or share was drafted, or
    `insufficient-funds` when the book, or the account that it goes from, has not so much, or the
    programme was not given so much, or what is left was given for other purposes.
    """
    wanted = _at(session, number, DRAFTED)
    if wanted.drafted_by == by:
        raise Problem(409, "second-person-needed", "Somebody else has to approve it.")
    if wanted.kind == EXPENSE and not session.scalar(_evidence(number).limit(1)):
        raise Problem(409, "evidence-needed", "Attach what shows the expense first.")
    one_at_a_time(session)
    _still_owed(session, wanted)
    if wanted.kind != CASH_DEPOSIT:
        enough(wanted.amount_fen, _left_fen(session, wanted), wanted.book)
    if (money := DRAWN_ON.get(wanted.kind)) is not None:
        _enough_in_account(session, wanted.book, money, wanted.amount_fen, APPROVED, PAID)
    return _to(session, wanted, APPROVED, approved_by=by, approved_at=clock.now())


def reject(session: Session, number: int, by: int, reason: str) -> Disbursement:
    """It is not paid after all. Problem 404, 409 `wrong-step` once it was paid or rejected."""
    wanted = _at(session, number, DRAFTED, APPROVED)
    said = {"rejected_by": by, "rejected_at": clock.now(), "rejection": reason}
    return _to(session, wanted, REJECTED, **said)


def pay(
    session: Session,
    number: int,
    by: int,
    *,
    method: str,
    bank_reference: str | None,
    paid_at: datetime | None,
) -> Disbursement:
    """The money left, by the bank's reference or out of the cash box; settlement books it.

    Problem 404, 409 `wrong-step` unless it is approved, or `insufficient-funds` when the account
    that it goes from has not so much; 422 for an instant before the approval or yet to come, or
    cash for anything but an expense.
    """
    wanted = _at(session, number, APPROVED)
    now = clock.now()
    at = paid_at or now
    if wanted.approved_at is None or not wanted.approved_at <= at <= now:
        raise invalid("paid_at", "lies between the approval and now")
    if method != BANK and wanted.kind != EXPENSE:
        raise invalid("method", "only expenses are paid in cash")
    one_at_a_time(session)
    _still_owed(session, wanted)
    money = DRAWN_ON.get(wanted.kind, method)
    _enough_in_account(session, wanted.book, money, wanted.amount_fen, PAID)
    said = {"paid_by": by, "paid_at": at, "method": method, "bank_reference": bank_reference}
    return _to(session, wanted, PAID, recorded_at=now, **said)


def _still_owed(session: Session, wanted: Disbursement) -> None:
    """Problem 409 `more-than-due` when less is owed by now than a payout or share would pay."""
    if wanted.kind in PAYABLE and wanted.amount_fen > (due_fen := owed_fen(session, wanted)):
        raise Problem(409, "more-than-due", "Less than that is owed by now.", due_fen=due_fen)


def disbursements(kind: str | None = None, status: str | None = None) -> Select[Any]:
    """Disbursements, the newest first; of a kind or status if given."""
    query = select(Disbursement).order_by(Disbursement.id.desc())
    if kind is not None:
        query = query.where(Disbursement.kind == kind)
    return query if status is None else query.where(Disbursement.status == status)


def disbursement(session: Session, number: int) -> Disbursement:
    """One of them; Problem 404."""
    found = session.get(Disbursement, number)
    if found is None:
        raise not_found("disbursement")
    return found


def _evidence(number: int) -> Select[Any]:
    return select(Evidence.id).where(Evidence.disbursement_id == number)


def _left_fen(session: Session, wanted: Disbursement) -> int:
    """What may pay for it: what is free, or what was given for its programme and is there."""
    if not wanted.restricted:
        return unrestricted_fen(session, wanted.book)
    given_fen = restricted_fen(session, wanted.programme)
    return min(given_fen, available_fen(session, wanted.book))


def _enough_in_account(
    session: Session, book: str, method: str, asked_fen: int, *statuses: str
) -> None:
    """Neither the cash box nor the bank goes below zero for it, whatever the other has."""
    enough(asked_fen, in_account_fen(session, book, method, statuses), MONEY[book, method])


def _at(session: Session, number: int, *statuses: str) -> Disbursement:
    """The disbursement, locked, which has to be at one of these steps."""
    found = session.get(Disbursement, number, with_for_update=True, populate_existing=True)
    if found is None:
        raise not_found("disbursement")
    if found.status not in statuses:
        raise Problem(409, "wrong-step", f"It is {found.status}.")
    return found


def _to(session: Session, wanted: Disbursement, status: str, **said: Any) -> Disbursement:
    wanted.status = status
    for name, value in said.items():
        setattr(wanted, name, value)
    session.flush()
    return wanted
