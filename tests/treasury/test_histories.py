"""Random histories of fees, payments, credits, refunds and write-offs against a small model."""

from collections import Counter
from dataclasses import dataclass, field
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core.errors import Problem
from ledger import proof
from ledger.accounts import CASH, PREPAID, RECEIVABLE
from reports.trial_balance import trial_balance
from tests.ledger.till import NOON, Till, ask, book, cash, fee, open_till, settle_all, vote
from treasury import fee_credits, refunds, write_offs
from treasury.fee_credits import Cause

KINDS = ("fee", "supplement", "cash", "credit", "refund-cash", "refund-balance", "write-off")
STEPS = st.lists(
    st.tuples(st.sampled_from((*KINDS, "settle")), st.integers(0, 2), st.integers(1, 900)),
    min_size=5,
    max_size=30,
)


@dataclass
class Model:
    """What was charged and paid, what is in the till and in Ana's balance, by arithmetic alone."""

    charged: Counter[int] = field(default_factory=Counter)
    paid: Counter[int] = field(default_factory=Counter)
    till_fen: int = 0
    balance_fen: int = 0

    def take(self, kind: str, stay: int, fen: int) -> bool:
        """Do the step; whether the office should."""
        due, paid = self.charged[stay] - self.paid[stay], self.paid[stay]
        refund = kind.startswith("refund")
        if (kind in {"cash", "credit"} and fen > due) or (refund and fen > paid):
            return False
        if kind == "write-off" and not due:
            return False
        fen = due if kind == "write-off" else fen
        self.charged[stay] += (
            fen if kind in {"fee", "supplement"} else -fen if kind != "cash" else 0
        )
        self.paid[stay] += fen if kind == "cash" else -fen if refund else 0
        self.till_fen += {"cash": fen, "refund-cash": -fen}.get(kind, 0)
        self.balance_fen += fen if kind == "refund-balance" else 0
        return True


def step(session: Session, till: Till, kind: str, stay: int, fen: int, charge: int) -> None:
    """Do it for real: of two incomes, on Bo's space, owed by Ana."""
    facts = {"household_id": till.ana, "owner_household_id": till.bo}
    if kind in {"fee", "supplement"}:
        parts = {"parking": fen - fen // 3} | ({"overstay": fen // 3} if fen // 3 else {})
        book(session, fee(stay, fen, kind=kind, parts=parts, **facts))
    elif kind == "cash":
        book(session, cash(till, stay, fen))
    elif kind == "credit":
        fee_credits.credit_unpaid(
            session, charge_id=charge, amount_fen=fen, cause=Cause("减免", till.olga)
        )
    elif kind == "write-off":
        drafted = write_offs.draft(session, charge_id=charge, reason="核销", drafted_by=till.olga)
        write_offs.decide(session, drafted.id, approved=True, decided_by=till.olga + 1)
    else:
        refunds.refund(
            session,
            charge_id=charge,
            amount_fen=fen,
            method=kind.partition("-")[2],
            reason="退",
            asked_by=till.olga,
        )
    session.commit()


def test_any_history_settles_to_what_happened(session: Session) -> None:
    till, model, blocks = open_till(session), Model(), count(step=3)
    vote(session, income="overstay")
    ask(session, "INSERT INTO person (username, password_hash, name, role, active)"
        " VALUES ('fan', '', 'fan', 'finance', true) RETURNING id")  # fmt: skip

    @settings(max_examples=20)
    @given(STEPS)
    def play(steps: list[tuple[str, int, int]]) -> None:
        block, charges = next(blocks), dict[int, int]()
        for kind, place, fen in steps:
            stay = block + place
            if kind == "settle":
                settle_all(limit=3)
                continue
            if (kind == "fee") == (stay in charges):
                continue
            if not model.take(kind, stay, fen):
                if kind != "cash":
                    with pytest.raises(Problem, match=r"more-than|nothing-"):
                        step(session, till, kind, stay, fen, charges[stay])
                    session.rollback()
                continue
            step(session, till, kind, stay, fen, charges.get(stay, 0))
            if kind == "fee":
                charges[stay] = ask(session, "SELECT max(id) FROM charge")[0][0]
        settle_all()
        _check(session, model)

    play()


def _check(session: Session, model: Model) -> None:
    trial = trial_balance(session, NOON.date().replace(year=2099))
    net = {row.account: row.debit_fen - row.credit_fen for row in trial.rows}
    assert trial.unsettled.count == 0
    assert net[RECEIVABLE] == model.charged.total() - model.paid.total()
    assert net[CASH] == model.till_fen
    assert -net[PREPAID] == model.balance_fen
    (kept,) = ask(session, "SELECT sum(charged_fen)::int, sum(paid_fen)::int FROM receivable")
    assert kept in {(model.charged.total(), model.paid.total()), (None, None)}
    checks = proof.verify(session).checks
    session.rollback()
    assert {n: c.detail for n, c in checks.items() if not c.ok and n != "stays"} == {}
