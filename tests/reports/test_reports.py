"""Statements, balance sheets, cash flows: the three months of `months.py`, reckoned by hand."""

import json
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from ledger import posting
from ledger.journal import Entry, Line
from reports.balances import ALL, Known, balances, by_month
from tests.cast import Community
from tests.ledger.till import ask, book, fee, open_till, seal_all, settle_all
from tests.reports.conftest import Ask, Report
from tests.reports.months import NOVEMBER, OCTOBER

OWNERS = {
    "1001": 6134,
    "1002": 450,
    "101201": 38,
    "1121": 1100,
    "2203": -4000,
    "220901": -770,
    "220902": -750,
    "220903": -1714,
    "224101": -500,
    "520101": 12,
}
FUND = {"1131": 1714, "430101": -1481, "430103": -233, "510102": 250, "1012": -250}
PROVIDER = {"1141": 750, "600101": -650, "600103": -100}
THREE = {"since": "2026-09-01", "to": "2026-11-30"}


def net(trial: Any) -> dict[str, int]:
    """Fen by account, of those that are not zero."""
    found = {row["account"]: row["debit_fen"] - row["credit_fen"] for row in trial["rows"]}
    return {account: fen for account, fen in found.items() if fen}


def test_the_trial_balance_of_today_and_of_any_day(report: Report) -> None:
    whole = report("trial-balance", as_of="2026-11-30")
    assert net(whole) == OWNERS | FUND | PROVIDER
    assert whole["total_debit_fen"] == whole["total_credit_fen"]
    assert net(report("trial-balance", as_of="2026-10-04", book="fund")) == {
        "1131": 1261,
        "430101": -1261,
    }
    assert net(report("trial-balance", as_of="2026-09-29")) == {}
    assert net(report("trial-balance", as_of="2026-09-30", book="owners"))["1001"] == 801


def test_what_the_books_said_at_an_instant(
    session: Session, lived: Community, report: Report
) -> None:
    """A fee of October that is recorded in November changes October, but not what was known."""
    then = (NOVEMBER + timedelta(hours=3)).isoformat()
    before = report("trial-balance", as_of="2026-10-31", known_at=then)
    statement = report("statement", since="2026-10-01", to="2026-10-31", known_at=then)
    sheet = report("balance-sheet", as_of="2026-10-31", known_at=then)
    assert net(before) == net(report("trial-balance", as_of="2026-10-31"))
    with clock.at(NOVEMBER + timedelta(hours=4)):
        book(session, fee(50, 1000, occurred_at=OCTOBER))
    waiting = {"count": 1, "amount_fen": 1000}
    assert report("trial-balance", as_of="2026-10-31")["unsettled"] == waiting
    with clock.at(NOVEMBER + timedelta(hours=5)):
        settle_all()
    now = net(report("trial-balance", as_of="2026-10-31"))
    assert now["1121"] == net(before)["1121"] + 1000
    again = report("trial-balance", as_of="2026-10-31", known_at=then)
    assert (net(again), again["unsettled"]) == (net(before), {"count": 0, "amount_fen": 0})
    between = (NOVEMBER + timedelta(hours=4, minutes=30)).isoformat()
    assert report("trial-balance", as_of="2026-10-31", known_at=between)["unsettled"] == waiting
    october = {"since": "2026-10-01", "to": "2026-10-31"}
    assert report("statement", **october, known_at=then)["rows"] == statement["rows"]
    assert report("statement", **october)["rows"] != statement["rows"]
    assert report("balance-sheet", as_of="2026-10-31", known_at=then)["books"] == sheet["books"]


def test_the_statement_by_account_and_month(report: Report) -> None:
    found = report("statement", **THREE, by="month", book="fund")
    rows = {
        row["account"]: {month["month"]: month["amount_fen"] for month in row["months"]}
        for row in found["rows"]
    }
    assert rows == {
        "430101": {"2026-09": 1261, "2026-10": 300, "2026-11": -80},
        "430103": {"2026-10": 233},
        "510102": {"2026-11": 250},
    }
    assert found["total"] == {"income_fen": 1714, "expense_fen": 250, "surplus_fen": 1464}
    assert [month["surplus_fen"] for month in found["months"]] == [1261, 533, -330]
    apart = {book["book"]: book["surplus_fen"] for book in report("statement", **THREE)["books"]}
    assert apart == {"owners": -12, "fund": 1464, "provider": 750}
    part = report("statement", since="2026-10-05", to="2026-11-22", book="fund")
    assert part["total"]["income_fen"] == 533
    assert [month["month"] for month in part["months"]] == ["2026-10", "2026-11"]
    assert report("statement", since="2026-10-06", to="2026-11-22")["rows"] == []


def test_restricted_money_stands_apart(session: Session, lived: Community, report: Report) -> None:
    gift = Entry(
        "gift",
        1,
        date(2026, 11, 20),
        "限定性捐赠",
        (Line("1012", None, 700), Line("410102", None, -700)),
        book="fund",
    )
    atomic(posting.post, [gift], NOVEMBER)
    found = report("statement", **THREE, book="fund")
    assert found["restricted"] == {"income_fen": 700, "expense_fen": 0, "surplus_fen": 700}
    assert found["unrestricted"]["income_fen"] == 1714
    [sheet] = report("balance-sheet", as_of="2026-11-30", book="fund")["books"]
    assert (sheet["surplus_fen"], sheet["restricted_surplus_fen"]) == (2164, 700)


def test_assets_are_liabilities_and_net_assets(report: Report) -> None:
    found = {b["book"]: b for b in report("balance-sheet", as_of="2026-11-30")["books"]}
    totals = {
        name: (b["total_assets_fen"], b["total_liabilities_fen"], b["total_net_assets_fen"])
        for name, b in found.items()
    }
    assert totals == {
        "owners": (7722, 7734, -12),
        "fund": (1464, 0, 1464),
        "provider": (750, 0, 750),
    }
    assert all(sheet["balanced"] for sheet in found.values())
    [next_year] = report("balance-sheet", as_of="2027-01-31", book="fund")["books"]
    assert (next_year["earlier_surplus_fen"], next_year["surplus_fen"]) == (1464, 0)


def test_cash_flows_explain_the_cash(report: Report) -> None:
    found = report("cash-flow", since="2026-10-01", to="2026-11-30", book="owners")
    flows = {row["account"]: (row["inflow_fen"], row["outflow_fen"]) for row in found["rows"]}
    assert flows == {"1121": (333, 0), "2203": (5000, 0), "224101": (500, 0), "520101": (0, 12)}
    assert (found["opening_fen"], found["net_fen"], found["closing_fen"]) == (801, 5821, 6622)
    assert found["explained"]
    cash = {row["account"]: row["closing_fen"] for row in found["cash"]}
    assert cash == {"1001": 6134, "1002": 450, "101201": 38}
    fund = report("cash-flow", **THREE, book="fund")
    assert [(row["account"], row["net_fen"]) for row in fund["rows"]] == [("510102", -250)]


@pytest.mark.parametrize("size", [1, 2, 100])
def test_the_balance_runs_on_from_page_to_page(get: Ask, report: Report, size: int) -> None:
    lines: list[Any] = []
    total = 1
    while len(lines) < total:
        number = len(lines) // size + 1
        answer = get("ava", "accounts/1121", **THREE, page=number, page_size=size)
        total = json.loads(answer.headers["X-Pagination"])["total"]
        lines += answer.get_json()["rows"]
    amounts = [line["amount_fen"] for line in lines]
    assert amounts == [801, 1000, -801, 1500, 333, -1000, -400, -333]
    sums = [sum(amounts[: n + 1]) for n in range(len(amounts))]
    assert [line["balance_fen"] for line in lines] == sums
    later = report("accounts/1121", since="2026-11-01", to="2026-11-30", page_size=size)
    assert (later["opening_fen"], later["closing_fen"]) == (1833, 1100)
    assert later["rows"][0]["balance_fen"] == 1433


def test_a_party_and_its_balance(lived: Community, report: Report) -> None:
    ana = f"household:{lived.households['ana']}"
    found = report(f"parties/{ana}", **THREE)
    assert found["closing_fen"] == 1100 - 4000 - 500
    assert found["rows"][-1]["balance_fen"] == found["closing_fen"]
    owed = report(f"parties/{ana}", since="2026-10-01", to="2026-11-30", account="1121")
    assert (owed["opening_fen"], owed["closing_fen"]) == (1000, 1100)
    assert owed == report("accounts/1121", since="2026-10-01", to="2026-11-30", party=ana)


def test_nobody_has_no_ledger(get: Ask) -> None:
    for path in ("accounts/9999", "parties/household:4711", "parties/%00", "accounts/'"):
        assert get("fan", path).status_code in {400, 404}, path


def test_income_beside_last_year_and_the_target(
    session: Session, lived: Community, report: Report
) -> None:
    last_year = (Line("1012", None, 5_000_000), Line("410101", None, -5_000_000))
    gift = Entry("gift", 1, date(2025, 11, 3), "捐赠", last_year, book="fund")
    atomic(posting.post, [gift], NOVEMBER)
    found = report("income", year=2026)
    assert found["target_fen"] == 10_000_000
    november = found["months"][10]
    assert november == {
        "month": "2026-11",
        "income_fen": -80,
        "last_year_fen": 5_000_000,
        "cumulative_fen": 1714,
        "last_year_cumulative_fen": 5_000_000,
        "target_fen": 9_166_666,
        "percent": 0.0,
        "statement": "/api/v1/ledger/statement?book=fund&from=2026-11-01&to=2026-11-30",
    }
    assert report("income", year=2025)["months"][11]["percent"] == 50.0


def test_how_long_settlement_took(report: Report) -> None:
    days = {day["day"]: day for day in report("settlement-lag", **THREE)["days"]}
    assert {day: said["count"] for day, said in days.items()} == {
        "2026-09-30": 3,
        "2026-10-05": 6,
        "2026-11-23": 3,
    }
    assert days["2026-10-05"]["p50_seconds"] == days["2026-10-05"]["max_seconds"] == 3600.0


EVERY = (
    "trial-balance",
    "balance-sheet",
    "statement",
    "cash-flow",
    "income",
    "settlement-lag",
    "accounts/1121",
)


@pytest.mark.parametrize("path", EVERY)
def test_every_report_carries_the_heads(session: Session, report: Report, path: str) -> None:
    seal_all()
    found = report(path)
    books = {"fund"} if path == "income" else {"owners", "fund", "provider"}
    assert {head["book"] for head in found["heads"]} == books
    assert all(len(head["head"]) == 64 for head in found["heads"])
    assert found["unsettled"] == {"count": 0, "amount_fen": 0}
    assert found["as_of"] == "2026-11-23"


def test_every_figure_leads_to_its_entries(get: Ask, report: Report) -> None:
    def summed(link: str, account: str) -> int:
        path, _, query = link.removeprefix("/api/v1/ledger/").partition("?")
        found = get("ava", f"{path}?{query}&page_size=100").get_json()
        lines = [line for entry in found for line in entry["postings"]]
        return sum(line["amount_fen"] for line in lines if line["account"] == account)

    for row in report("statement", **THREE)["rows"]:
        sign = -1 if row["type"] == "income" else 1
        for month in row["months"]:
            assert summed(month["entries"], row["account"]) == sign * month["amount_fen"]
    for row in report("cash-flow", **THREE)["rows"]:
        assert summed(row["entries"], row["account"]) == -row["net_fen"]
    then = (OCTOBER + timedelta(hours=2)).isoformat()
    for known in ({}, {"known_at": then}):
        for row in report("trial-balance", as_of="2026-11-30", **known)["rows"]:
            balance = row["debit_fen"] - row["credit_fen"]
            assert summed(row["entries"], row["account"]) == balance
    for book_ in report("balance-sheet", as_of="2026-11-30")["books"]:
        for line in book_["assets"]:
            assert summed(line["entries"], line["account"]) == line["amount_fen"]


NONSENSE: list[tuple[str, dict[str, Any]]] = [
    ("trial-balance", {"known_at": "yesterday"}),
    ("trial-balance", {"known_at": "2026-11-01T00:00:00"}),
    ("trial-balance", {"asof": "2026-11-01"}),
    ("statement", {"since": "2026-11-02", "to": "2026-11-01"}),
    ("statement", {"since": "2001-01-01", "to": "2026-11-01"}),
    ("statement", {"by": "moon"}),
    ("statement", {"book": "ours' OR 1=1"}),
    ("cash-flow", {"since": "1970-01-01"}),
    ("income", {"year": 1999}),
    ("settlement-lag", {"since": "2024-01-01", "to": "2026-01-01"}),
    ("accounts/1121", {"page": 10**30}),
    ("trace", {}),
    ("trace", {"entry": 1, "charge": 1}),
    ("trace", {"entry": 10**30}),
    ("trace", {"source": "stay"}),
    ("export", {}),
    ("export", {"format": "pdf"}),
    ("export", {"format": "csv", "since": "2026-11-02", "to": "2026-11-01"}),
    ("export", {"format": "csv", "since": "2027-01-01"}),
]


@pytest.mark.parametrize(("path", "query"), NONSENSE)
def test_nonsense_is_refused(get: Ask, path: str, query: dict[str, Any]) -> None:
    answer = get("fan", path, **query)
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


def test_rollups_and_postings_say_the_same_of_any_days(session: Session) -> None:
    """Whatever the days: the rollups less what lies outside are the postings inside."""
    open_till(session)
    first = date(2026, 8, 1)
    for number in range(120):
        day = first + timedelta(days=number * 7 % 100)
        book(session, fee(number, 100 + number * 13, occurred_at=_noon(day)))
    settle_all()
    [(last,)] = ask(session, "SELECT max(id) FROM journal_entry")
    known = Known(last_entry=last)
    days = st.integers(-10, 120).map(lambda n: first + timedelta(days=n))

    @given(days, days, st.sampled_from([None, "owners", "fund"]))
    def same(one: date, other: date, of: str | None) -> None:
        since, until = sorted((one, other))
        rolled = by_month(session, since, until, of, ALL)
        assert {key: fen for key, fen in rolled.items() if fen} == {
            key: fen for key, fen in by_month(session, since, until, of, known).items() if fen
        }
        balance = balances(session, until, of, known)
        assert {key: fen for key, fen in balances(session, until, of).items() if fen} == {
            key: fen for key, fen in balance.items() if fen
        }

    same()


def _noon(day: date) -> datetime:
    return NOVEMBER.replace(year=day.year, month=day.month, day=day.day)
