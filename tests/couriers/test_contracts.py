"""Rent and commission: every finished month is accrued once, whoever runs, whenever."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from core.errors import Problem
from couriers import contracts
from couriers.closing import unaccrued
from ledger import settlement
from ledger.periods import month_of
from tests.couriers.depot import (
    NOON,
    Depot,
    ask,
    charge,
    collect_all,
    deposit,
    deposit_fee,
    leave,
    open_depot,
    pay_in,
    prove,
)
from tests.ledger.till import shut

ACCRUED = "SELECT month, amount_fen FROM accrual ORDER BY contract_id, month"
CHARGED = """
SELECT source, income, company, amount_fen, (occurred_at AT TIME ZONE 'Asia/Shanghai')::date
FROM charge WHERE source = 'accrual' ORDER BY id
"""
OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)


@pytest.fixture
def depot(session: Session) -> Depot:
    """Two companies, open for business."""
    return open_depot(session)


def sign(session: Session, kind: str = "rent", **terms: Any) -> int:
    """A contract with YTO since the start of October; its id."""
    facts: dict[str, Any] = {
        "company": "yto",
        "kind": kind,
        "starts_on": OCTOBER,
        "decided_by": "合同 1 号",
    }
    made = contracts.add(session, **facts | terms).id
    session.commit()
    return made


def accrue(today: date) -> int:
    """Accrue what is due on a day."""
    with clock.at(datetime.combine(today, datetime.min.time(), UTC)):
        return atomic(contracts.accrue_due, today)


def test_rent_is_accrued_by_month_and_paid(session: Session, depot: Depot) -> None:
    sign(session, annual_fen=1_200_000)
    assert accrue(date(2026, 10, 31)) == 0
    assert accrue(NOVEMBER) == 1
    assert accrue(date(2026, 11, 30)) == 0
    pay_in(session, depot, 100_000)
    assert collect_all() == 1
    assert accrue(date(2026, 12, 2)) == 1
    assert ask(session, CHARGED) == [
        ("accrual", "site-rent", depot.yto, 100_000, date(2026, 10, 31)),
        ("accrual", "site-rent", depot.yto, 100_000, date(2026, 11, 30)),
    ]
    [[line]] = ask(session, "SELECT lines FROM charge WHERE id = 1")[0]
    assert line == {
        "label": "场地租金 2026-10",
        "from": "2026-10-01",
        "to": "2026-10-31",
        "units": 1,
        "unit_fen": 100_000,
        "amount_fen": 100_000,
        "rule": "contract:1/rent",
    }
    prove(session)
    income = "SELECT posted_on, amount_fen FROM posting WHERE account = '430109' ORDER BY 1"
    assert ask(session, income) == [
        (date(2026, 10, 31), -70_000),
        (date(2026, 11, 30), -70_000),
    ]


def test_months_that_were_lost_are_made_good(session: Session, depot: Depot) -> None:
    sign(session, annual_fen=100, starts_on=date(2026, 1, 1), ends_on=date(2026, 12, 31))
    assert accrue(date(2026, 3, 1)) == 2
    assert accrue(date(2027, 5, 5)) == 10
    assert accrue(date(2027, 6, 1)) == 0
    rents = [fen for _, fen in ask(session, ACCRUED)]
    assert (len(rents), sum(rents), set(rents)) == (12, 100, {8, 9})


def test_commission_counts_deposits_and_shares_fees(session: Session, depot: Depot) -> None:
    for number, size, fen in ((1, "S", 25), (2, "M", 30), (3, "L", 45)):
        deposit(session, number, fen, size)
    leave(session, 4)
    leave(session, 5, at=NOON - timedelta(days=40))
    leave(session, 6, courier="Q1")
    charge(session, deposit_fee(1, -5, depot.yto, kind="credit"))
    terms: dict[str, Any] = {"kind": "commission", "starts_on": NOVEMBER}
    sign(session, per_deposit_fen=2, share_bp=1000, cabinet="cab-1", **terms)
    sign(session, share_bp=0, **terms)
    assert accrue(DECEMBER) == 2
    assert ask(session, ACCRUED) == [(NOVEMBER, 8 + 10), (NOVEMBER, 0)]
    [(income, lines)] = ask(session, "SELECT income, lines FROM charge WHERE source = 'accrual'")
    assert income == "locker-commission"
    assert [(line["label"], line["units"], line["amount_fen"]) for line in lines] == [
        ("投柜分成 4 件", 4, 8),
        ("投柜费分成 0.95 元的 10%", 1, 10),
    ]
    prove(session)


def test_commission_is_of_the_days_of_the_contract(session: Session, depot: Depot) -> None:
    for number, day in enumerate((9, 10, 20, 21), start=1):
        deposit(session, number, 25, at=datetime(2026, 11, day, 4, tzinfo=UTC))
    terms: dict[str, Any] = {"starts_on": date(2026, 11, 10), "ends_on": date(2026, 11, 20)}
    sign(session, "commission", per_deposit_fen=1, share_bp=10_000, **terms)
    assert accrue(DECEMBER) == 1
    assert ask(session, ACCRUED) == [(NOVEMBER, 2 + 50)]


def test_a_deposit_stays_with_whom_it_was_charged_to(session: Session, depot: Depot) -> None:
    """A courier who changes the company takes along only what nobody was charged for."""
    deposit(session, 1, 25)
    leave(session, 2)
    move = "UPDATE courier SET company_id = (SELECT id FROM courier_company WHERE code = 'sto')"
    session.execute(text(move))
    session.commit()
    for company in ("yto", "sto"):
        sign(session, "commission", company=company, starts_on=NOVEMBER, per_deposit_fen=10)
    accrue(DECEMBER)
    assert ask(session, ACCRUED) == [(NOVEMBER, 10), (NOVEMBER, 10)]


def test_two_who_accrue_at_once_charge_once(app: Flask, session: Session, depot: Depot) -> None:
    for _ in range(3):
        sign(session, annual_fen=1_200)
    together = Barrier(4)

    def runner() -> int:
        with app.app_context():
            together.wait()
            return atomic(contracts.accrue_due, date(2027, 1, 1))

    with ThreadPoolExecutor(4) as pool:
        done = [future.result() for future in [pool.submit(runner) for _ in range(4)]]
    assert sum(done) == 9
    assert ask(session, "SELECT count(*), sum(amount_fen) FROM charge") == [(9, 900)]
    prove(session)


def test_a_contract_ends_but_not_before_what_was_accrued(session: Session, depot: Depot) -> None:
    contract = sign(session, annual_fen=1_200_000)

    def end(day: date) -> str:
        try:
            atomic(contracts.end, contract, day)
        except Problem as problem:
            return problem.code
        return "ended"

    accrue(date(2026, 11, 5))
    assert end(date(2026, 9, 30)) == "invalid"
    assert end(date(2026, 10, 30)) == "already-accrued"
    assert end(date(2026, 11, 15)) == "ended"
    assert end(date(2026, 11, 10)) == "ended"
    accrue(date(2027, 3, 1))
    assert ask(session, ACCRUED) == [(OCTOBER, 100_000), (NOVEMBER, 33_333)]
    assert end(date(2026, 12, 31)) == "already-accrued"
    with pytest.raises(Problem, match="404"):
        atomic(contracts.end, 4711, NOVEMBER)


def test_accruals_are_never_edited(session: Session, depot: Depot) -> None:
    sign(session, annual_fen=1_200)
    accrue(DECEMBER)
    for attack in ("UPDATE accrual SET amount_fen = 1", "DELETE FROM accrual"):
        with pytest.raises(Exception, match="the ledger only adds"):
            session.execute(text(attack))
        session.rollback()


def test_a_month_that_is_not_accrued_yet_cannot_close(session: Session, depot: Depot) -> None:
    sign(session, annual_fen=1_200_000)
    october = month_of("2026-10")
    assert [blocker.count for blocker in unaccrued(session, october)] == [1]
    session.commit()
    accrue(NOVEMBER)
    assert [blocker.count for blocker in unaccrued(session, october)] == [0]


def test_the_rent_of_a_closed_month_is_posted_into_the_next(session: Session, depot: Depot) -> None:
    sign(session, annual_fen=1_200_000)
    shut(session, "2026-10-01")
    session.commit()
    accrue(NOVEMBER)
    while atomic(settlement.settle_batch):
        pass
    dates = "SELECT DISTINCT occurred_on::text, posted_on::text FROM journal_entry"
    assert ask(session, dates) == [("2026-10-31", "2026-11-01")]
