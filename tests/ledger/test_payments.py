"""Paying what is due, once, by whoever may."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from core.db import atomic
from core.errors import Problem
from ledger import payments
from ledger.payments import SOURCES
from ledger.source_models import Payment
from tests.ledger.till import Till, ask, book, fee, fill, open_till, settle_all


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person as payments see them."""

    id: int
    role: str
    household_id: int | None


@pytest.fixture
def till(session: Session) -> Iterator[Till]:
    """Nobody else's packages have a say in these stays."""
    before = dict(SOURCES)
    SOURCES.clear()
    yield open_till(session)
    SOURCES.clear()
    SOURCES.update(before)


def pay(session: Session, who: Somebody, stay: int, method: str = "balance") -> Payment:
    """Pay a stay and commit."""
    paid = payments.pay(session, source="stay", source_id=stay, method=method, payer=who)
    session.commit()
    return paid


def refused(session: Session, who: Somebody, stay: int, method: str = "balance") -> str:
    """The slug with which paying is refused."""
    with pytest.raises(Problem) as caught:
        pay(session, who, stay, method)
    session.rollback()
    return caught.value.code


def test_a_resident_pays_from_the_balance_once(session: Session, till: Till) -> None:
    ana = Somebody(till.olga, "resident", till.ana)
    book(session, fee(1, 800, household_id=till.ana))
    assert refused(session, ana, 1) == "insufficient-balance"
    fill(session, till, till.ana, 1000)
    paid = pay(session, ana, 1)
    assert (paid.amount_fen, paid.method, paid.status) == (800, "balance", "succeeded")
    assert payments.balance_fen(session, till.ana) == 200
    assert refused(session, ana, 1) == "nothing-due"
    book(session, fee(1, 150, kind="supplement"))
    assert pay(session, ana, 1).amount_fen == 150
    assert settle_all() == 5


def test_only_operators_take_cash(session: Session, till: Till) -> None:
    book(session, fee(1, 800, household_id=till.ana), fee(2))
    assert refused(session, Somebody(till.olga, "resident", till.ana), 1, "cash") == "forbidden"
    olga = Somebody(till.olga, "operator", None)
    assert refused(session, olga, 1, "balance") == "invalid"
    paid = pay(session, olga, 1, "cash")
    assert (paid.received_by, paid.household_id) == (till.olga, till.ana)
    assert pay(session, olga, 2, "cash").household_id is None


def test_what_others_owe_is_not_there(session: Session, till: Till) -> None:
    bo = Somebody(till.olga, "resident", till.bo)
    fill(session, till, till.bo, 5000)
    book(session, fee(1, household_id=till.ana), fee(2))
    assert refused(session, bo, 1) == "not-found"
    assert refused(session, bo, 2) == "not-found"
    assert refused(session, bo, 3) == "not-found"
    assert refused(session, Somebody(till.olga, "operator", None), 3, "cash") == "not-found"


def test_the_source_brings_its_charge_up_to_date_first(session: Session, till: Till) -> None:
    def raise_fee(session: Session, stay: int) -> int | None:
        if stay == 1:
            book(session, fee(1, 300, household_id=till.ana))
        return till.ana

    SOURCES["stay"] = raise_fee
    fill(session, till, till.ana, 1000)
    ana, bo = (Somebody(till.olga, "resident", home) for home in (till.ana, till.bo))
    assert refused(session, ana, 2) == "nothing-due"
    assert refused(session, bo, 2) == "not-found"
    assert pay(session, ana, 1).amount_fen == 300
    assert ask(session, "SELECT charged_fen, paid_fen FROM receivable") == [(300, 300)]


def test_whoever_pays_at_once_pays_once(app: Flask, session: Session, till: Till) -> None:
    book(session, fee(1, 800, household_id=till.ana))
    olga = Somebody(till.olga, "operator", None)
    together = Barrier(4)

    def payer() -> str:
        with app.app_context():
            together.wait()
            try:
                return str(atomic(_pay_in_cash, olga).amount_fen)
            except Problem as problem:
                return problem.code

    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(payer) for _ in range(4)]]
    assert sorted(answers) == ["800", *["nothing-due"] * 3]


def _pay_in_cash(session: Session, who: Somebody) -> Payment:
    paid = payments.pay(session, source="stay", source_id=1, method="cash", payer=who)
    session.refresh(paid)
    session.expunge(paid)
    return paid
