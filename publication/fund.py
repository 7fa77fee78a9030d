"""The micro-fund in the open: by month what it earned, from what, what it spent, what it has."""

from collections import defaultdict
from datetime import date
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from ledger.accounts import FUND, INCOMES
from ledger.posting import rows
from reports.target import YEARLY_TARGET_FEN

MONTHS = """
SELECT month, account.code AS account, name_zh AS name, name_en, type,
    sum(credit_fen - debit_fen)::bigint AS fen
FROM account_month JOIN account ON account.code = account_month.account
WHERE book = %(book)s GROUP BY month, account.code ORDER BY month, account.code
"""
SLUGS = {account: income for income, (account, _) in INCOMES.items()}


def fund(session: Session) -> dict[str, Any]:
    """The fund since its first entry, from rollups; all fen, balances at the end of each month."""
    by_month: dict[date, list[DictRow]] = defaultdict(list)
    for row in rows(session, MONTHS, book=FUND):
        by_month[row["month"]].append(row)
    months: list[dict[str, Any]] = []
    balance_fen = 0
    for month in sorted(by_month):
        told = _month(month, by_month[month])
        balance_fen += told.pop("moved_fen")
        months.append(told | {"balance_fen": balance_fen})
    return {
        "balance_fen": balance_fen,
        "income": _total(by_month, "income"),
        "expense": _total(by_month, "expense"),
        "year": _year(months),
        "months": months,
    }


def _month(month: date, lines: list[DictRow]) -> dict[str, Any]:
    income, expense = _lines(lines, "income"), _lines(lines, "expense")
    return {
        "month": f"{month:%Y-%m}",
        "income_fen": sum(line["amount_fen"] for line in income),
        "expense_fen": sum(line["amount_fen"] for line in expense),
        "income": income,
        "expense": expense,
        "moved_fen": -sum(r["fen"] for r in lines if r["type"] in {"asset", "liability"}),
    }


def _lines(lines: list[DictRow], kind: str) -> list[dict[str, Any]]:
    sign = 1 if kind == "income" else -1
    return [
        {
            **{name: row[name] for name in ("account", "name", "name_en")},
            "source": SLUGS.get(row["account"]),
            "amount_fen": sign * row["fen"],
        }
        for row in lines
        if row["type"] == kind and row["fen"]
    ]


def _total(by_month: dict[date, list[DictRow]], kind: str) -> list[dict[str, Any]]:
    """The same, all months together."""
    summed: dict[str, dict[str, Any]] = {}
    for month in sorted(by_month):
        for line in _lines(by_month[month], kind):
            known = summed.setdefault(line["account"], line | {"amount_fen": 0})
            known["amount_fen"] += line["amount_fen"]
    return [summed[account] for account in sorted(summed)]


def _year(months: list[dict[str, Any]]) -> dict[str, Any]:
    """How far this year of the community is towards its target."""
    year = clock.now().astimezone(settings().zone).year
    earned = sum(m["income_fen"] for m in months if m["month"].startswith(f"{year}-"))
    return {
        "year": year,
        "income_fen": earned,
        "target_fen": YEARLY_TARGET_FEN,
        "reached_permille": earned * 1000 // YEARLY_TARGET_FEN,
    }
