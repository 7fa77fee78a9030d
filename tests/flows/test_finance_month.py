"""The last days of a month in a small community, and all that finance does about them."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from flask import Flask

from core.app import settings
from simulation import month
from simulation.office import Office
from simulation.play import play
from simulation.tenpay import provider
from tests.flows.test_simulation import SMALL

OCTOBER, LAST_DAYS = date(2026, 10, 1), date(2026, 10, 28)


@pytest.fixture
def figures(app: Flask, tmp_path: Path) -> month.Figures:
    """What finance found."""
    before = settings()
    with provider() as tenpay:
        app.config["SETTINGS"] = replace(before, wechat=tenpay.merchant)
        lived = play(4, 7, before.zone, first_day=LAST_DAYS, size=SMALL, tenpay=tenpay)
        found = month.finance(Office(app, lived.world.now), tenpay, OCTOBER, tmp_path / "papers")
        app.config["SETTINGS"] = before
    assert lived.world.tally.faults == []
    return found


def test_a_month_is_settled_reconciled_published_corrected_and_exported(
    figures: month.Figures,
) -> None:
    assert figures.wrong == []
    assert [one.kind for one in figures.differences] == [
        "amount_differs",
        "missing_here",
        "missing_there",
    ]
    assert [said.split(":")[0] for said in figures.refusals] == [
        "approve one's own expense",
        "close too early",
        "close alone",
    ]
    assert "unmatched (3)" in figures.refusals[1]
    service = next(f for f in figures.correction["figures"] if f["account"] == "430201")
    assert (service["before_fen"], service["after_fen"]) == (2400, 1200)
    assert figures.balances["510102 为老服务支出"] == 180_000
    assert figures.balances["430201 低偿服务收入"] == -1200
    assert sum(figures.balances.values()) == 0
    money = {
        account: fen
        for account, fen in figures.balances.items()
        if account.split()[0] in {"1001", "1002", "1011", "1012", "1022"}
    }
    assert money.keys() >= {"1002 银行存款"}
    assert {account: fen for account, fen in money.items() if fen < 0} == {}
    assert "below the published heads" in figures.receipt
