"""Three months of a small community's money, for reports that can be reckoned by hand."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from channels import moves
from core import clock
from core.db import atomic
from ledger import posting
from ledger.journal import Entry, Line
from tests.ledger.till import Till, book, cash, fee, fill, open_till, settle_all, vote

SEPTEMBER = datetime(2026, 9, 30, 15, 30, tzinfo=UTC)
"""Half an hour before midnight in the community: still September there."""

OCTOBER, NOVEMBER = datetime(2026, 10, 5, 4, tzinfo=UTC), datetime(2026, 11, 23, 4, tzinfo=UTC)
HOSTILE = '=cmd|"/c calc"!A1; \\ (x) | 第二行\n* boo, leaf:00'
"""A memo as somebody unfriendly would word it."""


def live_through(session: Session, till: Till | None = None) -> Till:
    """Fees, payments, credits, top-ups and moves of September, October and November 2026.

    Each month is settled an hour after what happened in it.
    """
    till = till or open_till(session)
    vote(session, income="locker")
    session.commit()
    moves.let_settlement_know()
    with clock.at(SEPTEMBER):
        _september(session, till, SEPTEMBER)
    with clock.at(OCTOBER):
        _october(session, till, OCTOBER)
    with clock.at(NOVEMBER):
        _november(session, till, NOVEMBER)
    return till


def _september(session: Session, till: Till, at: datetime) -> None:
    then = {"occurred_at": at}
    book(session, fee(1, 801, **then), fee(2, 1000, household_id=till.ana, **then))
    book(session, cash(till, 1, 801, **then))
    _settle_after(at)


def _october(session: Session, till: Till, at: datetime) -> None:
    then = {"occurred_at": at}
    fill(session, till, till.ana, 5000)
    book(session, fee(3, 1500, owner_household_id=till.bo, household_id=till.ana, **then))
    book(session, cash(till, 2, 1000, household_id=till.ana, method="balance", **then))
    book(session, fee(4, 333, income="locker", source="visit", **then))
    atomic(moves.note, "surplus", "wechat", "W1", 500, at, till.ana)
    atomic(moves.note, "provider_fee", "wechat", "payment:F1", 12, at)
    _settle_after(at)


def _november(session: Session, till: Till, at: datetime) -> None:
    then = {"occurred_at": at}
    of_bo = {"household_id": till.ana, "owner_household_id": till.bo}
    book(session, fee(3, -400, kind="credit", **of_bo, **then))
    book(session, cash(till, 4, 333, source="visit", **then))
    atomic(moves.note, "settlement_transfer", "wechat", "bank:T1", 450, at)
    atomic(_spend)
    _settle_after(at)


def _settle_after(at: datetime) -> None:
    with clock.at(at + timedelta(hours=1)):
        settle_all()


def _spend(session: Session) -> None:
    """The fund pays for an outing, in words that no program should take for its own."""
    lines = (Line("510102", None, 250), Line("1012", None, -250))
    spent = Entry("expense", 1, NOVEMBER.date(), HOSTILE, lines, book="fund")
    posting.post(session, [spent], NOVEMBER + timedelta(hours=2))
