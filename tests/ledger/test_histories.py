"""Random histories of charges, corrections, payments and top-ups against a small model."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from ledger import proof
from ledger.accounts import (
    CASH,
    FUND,
    FUND_PAYABLE,
    FUND_RECEIVABLE,
    OWNERS,
    PREPAID,
    PROPERTY_PAYABLE,
    PROVIDER,
    PROVIDER_RECEIVABLE,
    RECEIVABLE,
)
from reports.trial_balance import trial_balance
from tests.ledger.till import NOON, Till, book, cash, fee, fill, open_till, seal_all, settle_all

REFUSED = (
    psycopg.errors.CheckViolation,
    psycopg.errors.UniqueViolation,
    psycopg.errors.ForeignKeyViolation,
)
KINDS = ("fee", "supplement", "credit", "cash", "balance", "top_up", "settle", "seal")
STEPS = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 3), st.integers(1, 2000), st.booleans()),
    min_size=5,
    max_size=40,
)


@dataclass
class Model:
    """What is owed, paid, in the till and in Ana's balance, by arithmetic alone."""

    charged: Counter[int] = field(default_factory=Counter)
    paid: Counter[int] = field(default_factory=Counter)
    till_fen: int = 0
    balance_fen: int = 0

    def allows(self, kind: str, stay: int, fen: int) -> bool:
        """Whether the ledger should take this step."""
        due = self.charged[stay] - self.paid[stay]
        return {
            "fee": stay not in self.paid,
            "supplement": stay in self.paid,
            "credit": fen <= due,
            "cash": fen <= due,
            "balance": fen <= min(due, self.balance_fen),
        }[kind]

    def take(self, kind: str, stay: int, fen: int) -> None:
        """Do the step."""
        if kind in {"cash", "balance"}:
            self.paid[stay] += fen
        else:
            self.charged[stay] += -fen if kind == "credit" else fen
            self.paid[stay] += 0
        if kind == "cash":
            self.till_fen += fen
        if kind == "balance":
            self.balance_fen -= fen


def step(session: Session, till: Till, kind: str, stay: int, fen: int, private: bool) -> None:
    """Book one step; even stays are Ana's, odd ones nobody's we know."""
    debtor = None if stay % 2 else till.ana
    if kind == "cash":
        book(session, cash(till, stay, fen))
    elif kind == "balance":
        book(session, cash(till, stay, fen, method=kind, household_id=till.ana))
    else:
        owner = till.bo if private else None
        signed = -fen if kind == "credit" else fen
        changes = {"household_id": debtor, "owner_household_id": owner}
        book(session, fee(stay, signed, kind=kind, **changes))


def test_any_history_settles_to_what_happened(session: Session) -> None:
    till, model, blocks = open_till(session), Model(), count(step=4)

    @settings(max_examples=25)
    @given(STEPS)
    def play(steps: list[tuple[str, int, int, bool]]) -> None:
        block = next(blocks)
        for kind, place, fen, private in steps:
            stay = block + place
            if kind == "settle":
                settle_all(limit=3)
            elif kind == "seal":
                seal_all()
            elif kind == "top_up":
                fill(session, till, till.ana, fen)
                model.till_fen += fen
                model.balance_fen += fen
            elif model.allows(kind, stay, fen):
                step(session, till, kind, stay, fen, private)
                model.take(kind, stay, fen)
            else:
                with pytest.raises(REFUSED):
                    step(session, till, kind, stay, fen, private)
                session.rollback()
        settle_all()
        _check(session, model)

    play()


def _check(session: Session, model: Model) -> None:
    trial = trial_balance(session, NOON.date().replace(year=2099))
    net = {row.account: row.debit_fen - row.credit_fen for row in trial.rows}
    assert trial.total_debit_fen == trial.total_credit_fen
    for name in (OWNERS, FUND, PROVIDER):
        assert not sum(r.debit_fen - r.credit_fen for r in trial.rows if r.book == name)
    assert net[FUND_RECEIVABLE] == -net[FUND_PAYABLE]
    assert net[PROVIDER_RECEIVABLE] == -net[PROPERTY_PAYABLE]
    assert trial.unsettled.count == 0
    assert net[RECEIVABLE] == model.charged.total() - model.paid.total()
    assert net[CASH] == model.till_fen
    assert -net[PREPAID] == model.balance_fen
    found = proof.verify(session)
    session.rollback()
    assert found.ok, found.checks
