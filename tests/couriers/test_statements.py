"""A company's month ties out: what was counted, charged, paid, prepaid and left."""

from datetime import UTC, date, datetime, timedelta
from operator import itemgetter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from core.errors import Problem
from couriers import contracts, rates, statements
from couriers.statements import SizeSaid, read_csv
from tests.couriers.depot import (
    NOON,
    OPENING,
    Depot,
    ask,
    charge,
    collect_all,
    company,
    deposit,
    deposit_fee,
    leave,
    open_depot,
    pay_in,
    price,
)

ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER, NOVEMBER, DECEMBER = date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)
LAST_NIGHT_OF_OCTOBER = datetime(2026, 10, 31, 15, 59, 59, tzinfo=UTC)


@pytest.fixture
def depot(session: Session) -> Depot:
    """Two companies, open for business."""
    return open_depot(session)


def of(session: Session, month: date = NOVEMBER, code: str = "yto") -> dict[str, Any]:
    """The statement of a company's month."""
    said = statements.statement(session, company(session, code), month, ZONE)
    session.commit()
    return said


def test_a_month_that_ties_out(session: Session, depot: Depot) -> None:
    with clock.at(NOON - timedelta(days=40)):
        pay_in(session, depot, 200)
    deposit(session, 1, 25, at=LAST_NIGHT_OF_OCTOBER)
    collect_all(at=LAST_NIGHT_OF_OCTOBER)
    for number, size, fen in ((2, "S", 25), (3, "S", 25), (4, "M", 30), (5, "L", 45)):
        deposit(session, number, fen, size)
    contracts.add(
        session,
        company="yto",
        kind="rent",
        annual_fen=1_200,
        starts_on=NOVEMBER,
        decided_by="合同",
    )
    session.commit()
    collect_all()
    atomic(contracts.accrue_due, DECEMBER)
    with clock.at(NOON):
        pay_in(session, depot, 30)
    november = of(session)
    assert november["sizes"] == [
        {"size": "S", "deposits": 2, "counted_fen": 50, "charged_fen": 50},
        {"size": "M", "deposits": 1, "counted_fen": 30, "charged_fen": 30},
        {"size": "L", "deposits": 1, "counted_fen": 45, "charged_fen": 45},
    ]
    assert {name: november[name] for name in november if name.endswith("_fen")} == {
        "counted_fen": 125,
        "charged_fen": 125,
        "difference_fen": 0,
        "accrued_fen": 100,
        "opening_balance_fen": 175,
        "top_ups_fen": 30,
        "paid_from_balance_fen": 125,
        "paid_in_cash_fen": 0,
        "closing_balance_fen": 80,
        "owed_fen": 100,
    }
    assert (november["deposits"], november["differences"], november["theirs"]) == (4, [], None)
    october = of(session, OCTOBER)
    assert (october["deposits"], october["charged_fen"], october["owed_fen"]) == (1, 25, 0)
    assert october["closing_balance_fen"] == november["opening_balance_fen"]
    other = of(session, code="sto")
    assert (other["deposits"], other["charged_fen"], other["owed_fen"]) == (0, 0, 0)


def test_every_difference_is_explained(session: Session, depot: Depot) -> None:
    deposit(session, 1, 25)
    leave(session, 2, "M")
    deposit(session, 3, 40, "L")
    corrected = deposit(session, 4, 30, "M")
    charge(session, deposit_fee(corrected, -12, depot.yto, kind="credit"))
    late = leave(session, 5, at=LAST_NIGHT_OF_OCTOBER)
    charge(
        session,
        deposit_fee(late, 25, depot.yto),
        deposit_fee(4711, 20, depot.yto),
    )
    november = of(session)
    assert november["deposits"] == 4
    assert november["differences"] == [
        {"why": "at-another-rate", "parcels": 1, "fen": 45 - 40},
        {"why": "corrected", "parcels": 1, "fen": 12},
        {"why": "no-parcel", "parcels": 1, "fen": -20},
        {"why": "not-charged", "parcels": 1, "fen": 30},
        {"why": "of-another-month", "parcels": 1, "fen": -25},
    ]
    assert november["difference_fen"] == sum(row["fen"] for row in november["differences"])
    assert of(session, OCTOBER)["differences"] == [{"why": "not-charged", "parcels": 1, "fen": 25}]


def test_a_deposit_costs_what_the_rate_of_its_day_says(session: Session, depot: Depot) -> None:
    price(session, None, "S", 60, since=date(2026, 11, 1))
    price(session, "yto", "S", 27, since=date(2026, 11, 24))
    price(session, "yto", "S", 28, since=date(2026, 11, 24))
    price(session, "yto", "M", 0, since=date(2026, 11, 24))
    session.commit()
    tomorrow = NOON + timedelta(days=1)
    for number, size, at in ((1, "S", NOON), (2, "S", tomorrow), (3, "M", tomorrow)):
        leave(session, number, size, at=at)
    leave(session, 4, at=datetime(2026, 9, 30, 15, tzinfo=UTC))
    leave(session, 5, courier="Q1")
    assert [row["counted_fen"] for row in of(session)["sizes"]] == [25 + 28, 0, 0]
    assert of(session, code="sto")["counted_fen"] == 60
    before = of(session, date(2026, 9, 1))
    assert (before["deposits"], before["counted_fen"], before["difference_fen"]) == (1, 0, 0)


def test_rates_are_not_changed_backwards(session: Session, depot: Depot) -> None:
    yesterday = OPENING - timedelta(days=1)
    with pytest.raises(Problem, match="422"):
        rates.add(session, None, size="S", fee_fen=1, valid_from=yesterday, today=OPENING)


def test_their_statement_is_laid_beside_ours(session: Session, depot: Depot) -> None:
    deposit(session, 1, 25)
    deposit(session, 2, 30, "M")

    def compare(text: str) -> Any:
        made = statements.compare(
            session,
            company(session),
            NOVEMBER,
            read_csv(text),
            recorded_by=depot.olga,
            zone=ZONE,
        )
        session.commit()
        return made

    assert compare("size,deposits,fees_fen\nS,1,25\nM,1,30\n").agrees
    theirs = compare("\ufeffsize, deposits, fees_fen\r\nS,1,25\r\n\r\nL,2,90")
    assert not theirs.agrees
    shown = itemgetter("size", "deposits", "fees_fen", "counted", "charged_fen")
    assert [shown(row) for row in theirs.sizes] == [
        ("S", 1, 25, 1, 25),
        ("M", 0, 0, 1, 30),
        ("L", 2, 90, 0, 0),
    ]
    with pytest.raises(Problem, match="422"):
        compare("size,deposits,fees_fen\nS,1,25\nS,1,25")
    assert of(session)["theirs"].id == theirs.id
    assert of(session, OCTOBER)["theirs"] is None
    assert ask(session, "SELECT count(*) FROM courier_statement") == [(2,)]


def test_a_csv_that_cannot_be_read_is_refused_by_its_row() -> None:
    assert read_csv("size,deposits,fees_fen\n") == []
    assert read_csv('size,deposits,fees_fen\n"S",1,25') == [SizeSaid("S", 1, 25)]
    for text in ("", "S,1,25", "size;deposits;fees_fen\nS;1;25", "deposits,size,fees_fen\n1,S,2"):
        with pytest.raises(Problem) as caught:
            read_csv(text)
        assert caught.value.errors == {"csv": ["the first line must be size,deposits,fees_fen"]}
    for row in ("S,1", "S,1,2,3", "XL,1,2", "S,-1,2", "S,1,2.5", "S,١,2", "S,1," + "9" * 16):
        with pytest.raises(Problem) as caught:
            read_csv(f"size,deposits,fees_fen\nM,1,1\n{row}")
        assert caught.value.errors is not None
        assert caught.value.errors["csv"][0].startswith("row 2 ")
