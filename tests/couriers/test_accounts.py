"""Companies prepay, owe, and pay by themselves: oldest first, each whole, each once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import atomic
from core.errors import Problem
from couriers import accounts, companies
from ledger import payments
from ledger.payments import company_balance_fen
from tests.couriers.depot import (
    NOON,
    Depot,
    ask,
    charge,
    collect_all,
    company,
    deposit,
    deposit_fee,
    open_depot,
    pay_in,
    prove,
)
from tests.ledger.test_payments import Somebody

PAID = "SELECT source_id, amount_fen FROM payment ORDER BY id"


@pytest.fixture
def depot(session: Session) -> Depot:
    """Two companies, open for business."""
    return open_depot(session)


def standing(session: Session, courier: str = "P80417") -> tuple[int, int, int] | None:
    """Balance, owed and credit of a courier's company, in fen."""
    sql = accounts.standing("(SELECT id FROM courier WHERE code = :code)")
    row = session.execute(text(sql), {"code": courier}).mappings().one_or_none()
    session.commit()
    return (row["balance_fen"], row["owed_fen"], row["credit_fen"]) if row else None


def test_deposits_are_paid_from_what_was_prepaid(session: Session, depot: Depot) -> None:
    pay_in(session, depot, 60)
    parcels = [deposit(session, number, 25) for number in (1, 2, 3)]
    assert standing(session) == (60, 75, 0)
    assert collect_all() == 2
    assert ask(session, PAID) == [(parcels[0], 25), (parcels[1], 25)]
    assert standing(session) == (10, 25, 0)
    assert collect_all() == 0
    pay_in(session, depot, 15)
    assert collect_all() == 1
    assert standing(session) == (0, 0, 0)
    prove(session)
    books = "SELECT account, party, sum(amount_fen) FROM posting GROUP BY 1, 2 ORDER BY 1, 2"
    assert ask(session, books) == [
        ("1001", None, 75),
        ("1121", depot.yto, 0),
        ("1131", None, 54),
        ("1141", None, 21),
        ("220302", depot.yto, 0),
        ("220902", "company:property", -21),
        ("220903", None, -54),
        ("430108", None, -54),
        ("600108", None, -21),
    ]


def test_the_oldest_is_paid_first_and_none_in_part(session: Session, depot: Depot) -> None:
    late = deposit(session, 1, 10, at=NOON)
    early = deposit(session, 2, 40, at=NOON - timedelta(days=1))
    pay_in(session, depot, 39)
    assert collect_all() == 0
    pay_in(session, depot, 1)
    assert collect_all() == 1
    assert ask(session, PAID) == [(early, 40)]
    pay_in(session, depot, 10)
    assert collect_all() == 1
    assert ask(session, PAID)[-1] == (late, 10)


def test_each_company_pays_for_its_own(session: Session, depot: Depot) -> None:
    charge(session, deposit_fee(900, 30, depot.sto), deposit_fee(901, 25, depot.yto))
    pay_in(session, depot, 100, "yto")
    assert collect_all() == 1
    assert (standing(session), standing(session, "Q1")) == ((75, 0, 0), (0, 30, 0))
    pay_in(session, depot, 100, "sto")
    assert collect_all(limit=1) == 1
    assert company_balance_fen(session, depot.sto) == 70
    prove(session)


def test_a_courier_of_no_company_stands_for_nobody(session: Session, depot: Depot) -> None:
    session.execute(text("INSERT INTO courier (code) VALUES ('stranger')"))
    session.commit()
    assert standing(session, "stranger") is None
    companies.update(session, "yto", {"credit_fen": 5000})
    session.commit()
    assert standing(session) == (0, 0, 5000)


def test_what_was_credited_is_not_owed(session: Session, depot: Depot) -> None:
    parcel = deposit(session, 1, 25)
    correction = deposit_fee(parcel, -10, depot.sto, kind="credit", income="parking")
    charge(session, correction)
    debtors = "SELECT company, income, amount_fen FROM charge ORDER BY id"
    assert ask(session, debtors) == [
        (depot.yto, "locker-deposit", 25),
        (depot.yto, "locker-deposit", -10),
    ]
    assert standing(session) == (0, 15, 0)
    pay_in(session, depot, 15)
    assert collect_all() == 1
    prove(session)


def test_an_operator_takes_a_companys_cash_for_one_charge(session: Session, depot: Depot) -> None:
    parcel = deposit(session, 1, 25)
    olga = Somebody(depot.olga, "operator", None)
    ana = Somebody(depot.olga, "resident", 1)
    with pytest.raises(Problem, match="404"):
        payments.pay(session, source="deposit", source_id=parcel, method="balance", payer=ana)
    paid = payments.pay(session, source="deposit", source_id=parcel, method="cash", payer=olga)
    assert (paid.company, paid.household_id, paid.amount_fen) == (depot.yto, None, 25)
    session.commit()
    assert standing(session) == (0, 0, 0)
    prove(session)


def test_collectors_at_once_pay_once(app: Flask, session: Session, depot: Depot) -> None:
    parcels = [deposit(session, number, 25) for number in range(12)]
    pay_in(session, depot, 10 * 25)
    together = Barrier(4)

    def collector() -> int:
        with app.app_context():
            together.wait()
            return sum([atomic(accounts.collect, 3) for _ in range(6)])

    with ThreadPoolExecutor(4) as pool:
        paid = [future.result() for future in [pool.submit(collector) for _ in range(4)]]
    collect_all()
    assert sum(paid) <= 10
    assert ask(session, PAID) == [(parcel, 25) for parcel in parcels[:10]]
    assert standing(session) == (0, 50, 0)
    prove(session)


def test_cash_and_the_collector_do_not_both_pay(app: Flask, session: Session, depot: Depot) -> None:
    """What an operator is taking cash for this instant is passed over."""
    first, second = deposit(session, 1, 25), deposit(session, 2, 25)
    pay_in(session, depot, 100)
    olga = Somebody(depot.olga, "operator", None)
    payments.pay(session, source="deposit", source_id=first, method="cash", payer=olga)
    with ThreadPoolExecutor(1) as elsewhere:

        def collector() -> int:
            with app.app_context():
                return atomic(accounts.collect)

        assert elsewhere.submit(collector).result(timeout=30) == 1
    session.commit()
    assert collect_all() == 0
    assert sorted(ask(session, PAID)) == [(first, 25), (second, 25)]
    prove(session)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("charge"), st.integers(1, 50)),
        st.tuples(st.just("pay in"), st.integers(1, 120)),
        st.tuples(st.just("collect"), st.integers(1, 3)),
    ),
    max_size=12,
)


def test_any_history_leaves_the_books_right(session: Session, depot: Depot) -> None:
    numbers = iter(range(1000, 10**9))

    @hypothesis_settings(max_examples=15)
    @given(STEPS)
    def histories(steps: list[tuple[str, int]]) -> None:
        for what, size in steps:
            if what == "charge":
                charge(session, deposit_fee(next(numbers), size, depot.yto))
            elif what == "pay in":
                pay_in(session, depot, size)
            else:
                atomic(accounts.collect, size)
        collect_all()
        owed = ask(session, "SELECT min(charged_fen - paid_fen) FROM receivable WHERE owed_by > ''")
        left_fen = company_balance_fen(session, depot.yto)
        assert left_fen >= 0
        if owed[0][0] is not None:
            oldest = ask(
                session,
                "SELECT charged_fen FROM receivable WHERE owed_by > ''"
                " ORDER BY charged_at, source, source_id LIMIT 1",
            )
            assert left_fen < oldest[0][0]
        prove(session)

    histories()


def test_a_company_is_found_by_its_code(session: Session, depot: Depot) -> None:
    assert company(session, "sto").party == "company:sto"
    with pytest.raises(Problem, match="404"):
        company(session, "nobody")
    for taken in ("yto", "property"):
        with pytest.raises(Problem, match="409 company-exists"):
            companies.create(session, code=taken, name="又一家")
