"""Taking money: payments for what was charged, top-ups of households' and companies' balances."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.db import Statement
from core.errors import Problem, invalid, not_found
from ledger.charges import only_whole
from ledger.source_models import Balance, CompanyBalance, Payment, Receivable, TopUp

SOURCES: dict[str, Callable[[Session, int], int | None]] = {}
"""How a source brings its charge up to date before it is paid.

Registered by the source's package. Problem 404 when there is no such source row; returns the
household that would owe, so that its members learn "nothing due" and others nothing at all.
"""

ORDERS: dict[str, Callable[[Session, Receivable, "Payer", str | None], Any]] = {}
"""Methods that are not instant: how each asks its provider to collect all that is due."""

CASH_TAKERS = frozenset({"operator", "admin"})

RECEIVED = """
INSERT INTO payment (source, source_id, method, amount_fen, household_id, received_by,
    occurred_at, recorded_at, company)
VALUES (%(source)s, %(source_id)s, %(method)s, %(amount_fen)s, %(household_id)s,
    %(received_by)s, %(occurred_at)s, %(recorded_at)s, %(company)s)
"""


class Payer(Protocol):
    """Who asks to pay; identity's principal is one."""

    @property
    def id(self) -> int:
        """The person."""

    @property
    def role(self) -> str:
        """One of identity's roles."""

    @property
    def household_id(self) -> int | None:
        """The household of a resident."""


@dataclass(frozen=True, slots=True)
class NewPayment:
    """A payment about to be received; by `balance` it needs its owner, by `cash` the taker.

    The owner is a household, or instead a `company` by its party code. TypeError for fen that
    are no int.
    """

    source: str
    source_id: int
    method: Literal["cash", "balance"]
    amount_fen: int
    household_id: int | None
    occurred_at: datetime
    received_by: int | None = None
    company: str | None = None

    def __post_init__(self) -> None:
        only_whole(self.amount_fen)


def received(payment: NewPayment) -> Statement:
    """The statement that receives the payment; triggers reduce what is due and the balance.

    The database refuses more than is due and more than the balance holds, whoever races.
    """
    values = {name: getattr(payment, name) for name in NewPayment.__slots__}
    return RECEIVED, values | {"recorded_at": clock.now()}


def pay(session: Session, *, source: str, source_id: int, method: str, payer: Payer) -> Payment:
    """Pay everything that is due for a source, as of now; what a company owes only in cash.

    Problem 403 for cash by anyone but an operator or admin; 404 for what a resident's own
    household does not owe; 409 `nothing-due` or `insufficient-balance`.
    """
    if method == "cash" and payer.role not in CASH_TAKERS:
        raise Problem(403, "forbidden", "Only an operator takes cash.")
    if method == "balance" and payer.household_id is None:
        raise invalid("method", "only a resident's household has a balance")
    owed = due_now(session, source, source_id, payer)
    due_fen = owed.charged_fen - owed.paid_fen
    if method == "balance":
        _check_balance(session, payer, due_fen)
    now = clock.now()
    payment = Payment(
        source=source,
        source_id=source_id,
        method=method,
        amount_fen=due_fen,
        household_id=payer.household_id if method == "balance" else owed.household_id,
        company=owed.company if method == "cash" else None,
        received_by=payer.id if method == "cash" else None,
        status="succeeded",
        occurred_at=now,
        recorded_at=now,
    )
    session.add(payment)
    session.flush()
    return payment


def due_now(session: Session, source: str, source_id: int, payer: Payer) -> Receivable:
    """What is due for a source as of now, locked.

    Problem 404 for what a resident's own household does not owe; 409 `nothing-due`.
    """
    owed = _owed(session, source, source_id, payer)
    if owed is None or owed.charged_fen <= owed.paid_fen:
        raise Problem(409, "nothing-due", "Nothing is due.")
    return owed


def top_up(
    session: Session,
    *,
    household_id: int | None = None,
    company: str | None = None,
    amount_fen: int,
    received_by: int,
) -> TopUp:
    """Take cash into the balance of a household or of a company, by its party code.

    Exactly one of both, or the database refuses. Whole fen, TypeError otherwise.
    """
    only_whole(amount_fen)
    now = clock.now()
    top_up = TopUp(
        household_id=household_id,
        company=company,
        method="cash",
        amount_fen=amount_fen,
        received_by=received_by,
        occurred_at=now,
        recorded_at=now,
    )
    session.add(top_up)
    session.flush()
    return top_up


def balance_fen(session: Session, household_id: int) -> int:
    """What a household has left of its top-ups."""
    found = session.scalar(select(Balance.amount_fen).where(Balance.household_id == household_id))
    return found or 0


def company_balance_fen(session: Session, company: str) -> int:
    """What a company, by its party code, has left of its top-ups."""
    query = select(CompanyBalance.amount_fen).where(CompanyBalance.company == company)
    return session.scalar(query) or 0


def payments(
    household_id: int | None = None, source: str | None = None, source_id: int | None = None
) -> Select[Payment]:
    """Payments, newest first, of one household or source if given."""
    query = select(Payment).order_by(Payment.id.desc())
    if household_id is not None:
        query = query.where(Payment.household_id == household_id)
    if source is not None:
        query = query.where(Payment.source == source)
    if source_id is not None:
        query = query.where(Payment.source_id == source_id)
    return query


def _owed(session: Session, source: str, source_id: int, payer: Payer) -> Receivable | None:
    """The receivable, brought up to date and locked; 404 when a resident may not know of it."""
    bring_up_to_date = SOURCES.get(source)
    debtor = bring_up_to_date(session, source_id) if bring_up_to_date else None
    owed = session.get(
        Receivable, (source, source_id), with_for_update=True, populate_existing=True
    )
    if owed is None and bring_up_to_date is None:
        raise not_found(source)
    if payer.role == "resident":
        debtor = owed.household_id if owed else debtor
        if debtor is None or debtor != payer.household_id:
            raise not_found(source)
    return owed


def _check_balance(session: Session, payer: Payer, due_fen: int) -> None:
    query = select(Balance.amount_fen).where(Balance.household_id == payer.household_id)
    left_fen = session.scalar(query.with_for_update()) or 0
    if left_fen < due_fen:
        detail = "The balance does not cover what is due."
        raise Problem(409, "insufficient-balance", detail, due_fen=due_fen, balance_fen=left_fen)
