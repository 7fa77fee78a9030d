"""The fixed figures of an edition: from entries up to its last, and what its row says besides."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from ledger import seals
from ledger.accounts import FUND
from ledger.periods import Month
from ledger.posting import rows
from publication.detail import Group, Item, groups
from publication.heads import fixed_days
from publication.models import Publication
from publication.pack import told
from reports.balances import Known, balances, by_month
from reports.plain_text import ChartLine

# Whoever paid, by household or company where known, else by what was paid: a stay, a parcel.
ITEMS = """
SELECT e.book, e.posted_on AS day,
    coalesce('household:' || coalesce(c.household_id, p.household_id, t.household_id), c.company,
        p.company, t.company, c.source || ':' || c.source_id, p.source || ':' || p.source_id,
        line.household, e.source || ':' || e.source_id) AS payer,
    line.accounts, line.amounts
FROM journal_entry AS e
LEFT JOIN charge AS c ON e.source = 'charge' AND c.id = e.source_id
LEFT JOIN payment AS p ON e.source = 'payment' AND p.id = e.source_id
LEFT JOIN top_up AS t ON e.source = 'top_up' AND t.id = e.source_id
CROSS JOIN LATERAL (
    SELECT array_agg(account ORDER BY line) AS accounts,
        array_agg(amount_fen ORDER BY line) AS amounts,
        min(party) FILTER (WHERE party LIKE 'household:%%') AS household
    FROM posting WHERE entry_id = e.id
) AS line
WHERE e.posted_on BETWEEN %(first)s AND %(last)s AND e.id <= %(last_entry)s
ORDER BY e.id
"""


@dataclass(frozen=True, slots=True)
class Edition:
    """All that an edition is made of."""

    figures: dict[str, Any]
    groups: list[Group]
    chart: list[ChartLine]
    opening: Mapping[str, int]
    closing: Mapping[str, int]


def edition(session: Session, row: Publication) -> Edition:
    """Read what the row's entries say; the same for the same row, whatever was posted since."""
    month, known = Month(row.month), Known(last_entry=row.last_entry_id)
    opening = balances(session, row.month - date.resolution, known=known)
    closing = balances(session, month.last, known=known)
    least = row.facts["least_payers"]
    told_of = groups(_items(session, month, row.last_entry_id), least)
    years = by_month(session, _january(row.month, before=1), month.last, known=known)
    figures = {
        "format": row.format,
        "month": f"{row.month:%Y-%m}",
        "edition": row.edition,
        "entries": {"last": row.last_entry_id, "of_month": sum(g.entries for g in told_of)},
        "books": _books(row.facts, opening, closing),
        **_activities(row, years),
        "fund": _fund(row, opening, closing, years),
        "detail": {
            "least_payers": least,
            "smallest_group": told(min((g.payers for g in told_of), default=0), least),
        },
        "heads": row.heads,
        "chain": _chain(session, row),
        **{name: row.facts[name] for name in ("approvers", "objection", "corrections")},
    }
    chart = [ChartLine(**line) for line in row.facts["accounts"]]
    return Edition(figures, told_of, chart, opening, closing)


def _chain(session: Session, row: Publication) -> list[dict[str, Any]]:
    """Each book's days since the month began: packs in a row overlap, and have to agree."""
    return [
        {
            "book": book,
            "previous": days[0].previous.hex(),
            "days": [
                {"day": day.day.isoformat(), "count": day.count, "root": day.root.hex()}
                for day in days
            ],
        }
        for book, fixed in fixed_days(row).items()
        for days in [seals.chain_to(session, fixed, row.month)]
    ]


def moved(session: Session, month: date, known: Known) -> dict[str, int]:
    """Fen by account that a month moved, debit positive."""
    found = by_month(session, month, Month(month).last, known=known)
    return {account: fen for (account, _), fen in found.items() if fen}


def _items(session: Session, month: Month, last_entry_id: int) -> list[Item]:
    found = rows(session, ITEMS, first=month.first, last=month.last, last_entry=last_entry_id)
    return [
        Item(row["book"], row["day"], row["payer"], _summed(row["accounts"], row["amounts"]))
        for row in found
    ]


def _summed(accounts: list[str], amounts: list[int]) -> dict[str, int]:
    said: dict[str, int] = {}
    for account, fen in zip(accounts, amounts, strict=True):
        said[account] = said.get(account, 0) + fen
    return said


def _books(
    facts: Mapping[str, Any], opening: Mapping[str, int], closing: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Every book: what it owns less what it owes, and its accounts that ever moved."""
    return [
        {
            **book,
            "opening_fen": _net(facts, book["book"], opening),
            "closing_fen": _net(facts, book["book"], closing),
            "accounts": [
                {
                    **_names(line),
                    "opening_fen": opening.get(line["code"], 0),
                    "moved_fen": closing[line["code"]] - opening.get(line["code"], 0),
                    "closing_fen": closing[line["code"]],
                }
                for line in facts["accounts"]
                if line["book"] == book["book"] and line["code"] in closing
            ],
        }
        for book in facts["books"]
    ]


def _names(line: Mapping[str, Any]) -> dict[str, Any]:
    return {"account": line["code"]} | {n: line[n] for n in ("name_zh", "name_en", "type")}


def _net(facts: Mapping[str, Any], book: str, fen: Mapping[str, int]) -> int:
    kinds = {"asset", "liability"}
    codes = [a["code"] for a in facts["accounts"] if a["book"] == book and a["type"] in kinds]
    return sum(fen.get(code, 0) for code in codes)


Years = Mapping[tuple[str, date], int]


def _activities(row: Publication, years: Years) -> dict[str, list[dict[str, Any]]]:
    """Income by source and expenses by programme: this month, last year's, and the year so far."""
    found: dict[str, list[dict[str, Any]]] = {"income": [], "expense": []}
    for line in row.facts["accounts"]:
        if line["type"] not in found:
            continue
        sign = -1 if line["type"] == "income" else 1
        by = {month: sign * fen for (code, month), fen in years.items() if code == line["code"]}
        if any(by.values()):
            told_of = {
                "month_fen": by.get(row.month, 0),
                "last_year_fen": by.get(row.month.replace(year=row.month.year - 1), 0),
                "year_fen": _sum_of_year(row.month, by),
                "by_month": {f"{month:%Y-%m}": fen for month, fen in sorted(by.items())},
            }
            found[line["type"]].append({"book": line["book"], **_names(line), **told_of})
    return found


def _sum_of_year(month: date, by: Mapping[date, int]) -> int:
    return sum(fen for of, fen in by.items() if _january(month) <= of <= month)


def _fund(
    row: Publication, opening: Mapping[str, int], closing: Mapping[str, int], years: Years
) -> dict[str, int]:
    """The micro-fund from its opening to its closing balance, and how far the year is."""
    types = {a["code"]: a["type"] for a in row.facts["accounts"] if a["book"] == FUND}

    def earned(since: date, until: date, kind: str = "income") -> int:
        return -sum(
            fen
            for (code, month), fen in years.items()
            if since <= month <= until and types.get(code) == kind
        )

    then = row.month.replace(year=row.month.year - 1)
    year_fen, target_fen = earned(_january(row.month), row.month), row.facts["target_fen"]
    return {
        "opening_fen": _net(row.facts, FUND, opening),
        "income_fen": earned(row.month, row.month),
        "expense_fen": -earned(row.month, row.month, "expense"),
        "closing_fen": _net(row.facts, FUND, closing),
        "year_income_fen": year_fen,
        "last_year_income_fen": earned(_january(then), then),
        "target_fen": target_fen,
        "target_permille": year_fen * 1000 // target_fen,
    }


def _january(month: date, before: int = 0) -> date:
    return month.replace(year=month.year - before, month=1)
