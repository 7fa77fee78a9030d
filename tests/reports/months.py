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


def live_through(session: Session) -> Till:
    """Fees, payments, credits, top-ups and moves of September, October and November 2026.

    Every month is settled on its 28th, November on the 23rd.
    """
    till = open_till(session)
    vote(session, income="locker")
    session.commit()
    late = {"occurred_at": SEPTEMBER}
    book(session, fee(1, 801, **late), fee(2, 1000, household_id=till.ana, **late))
    book(session, cash(till, 1, 801, **late))
    _settle_at(SEPTEMBER)
    then = {"occurred_at": OCTOBER}
    fill(session, till, till.ana, 5000)
    book(session, fee(3, 1500, owner_household_id=till.bo, household_id=till.ana, **then))
    book(session, cash(till, 2, 1000, household_id=till.ana, method="balance", **then))
    book(session, fee(4, 333, income="locker", source="visit", **then))
    atomic(moves.note, "surplus", "wechat", "W1", 500, OCTOBER, till.ana)
    atomic(moves.note, "provider_fee", "wechat", "F1", 12, OCTOBER)
    moves.let_settlement_know()
    _settle_at(OCTOBER)
    book(session, fee(3, -400, kind="credit", household_id=till.ana, owner_household_id=till.bo))
    book(session, cash(till, 4, 333, source="visit"))
    atomic(moves.note, "settlement_transfer", "wechat", "T1", 450, NOVEMBER)
    atomic(_spend)
    _settle_at(NOVEMBER)
    return till


def _settle_at(at: datetime) -> None:
    with clock.at(at + timedelta(hours=1)):
        settle_all()


def _spend(session: Session) -> None:
    """The fund pays for an outing, in words that no program should take for its own."""
    lines = (Line("510102", None, 250), Line("1012", None, -250))
    spent = Entry("expense", 1, NOVEMBER.date(), HOSTILE, lines, book="fund")
    posting.post(session, [spent], NOVEMBER + timedelta(hours=2))
