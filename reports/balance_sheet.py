"""资产负债表, one for each book: assets = liabilities + net assets, with the year's surplus."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from reports import links
from reports.balances import ALL, Known, balances, chart
from reports.report import Report, stamp

DEBIT, CREDIT = 1, -1


@dataclass(frozen=True, slots=True)
class SheetLine:
    """An account's balance at the end of the day, and as the year began."""

    account: str
    name: str
    name_en: str
    restricted: bool
    amount_fen: int
    opening_fen: int
    entries: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """The balance sheet of one book.

    Income and expense are not carried over into net assets by entries: `earlier_surplus_fen` is
    what they left before this year, `surplus_fen` since.
    """

    book: str
    assets: list[SheetLine]
    liabilities: list[SheetLine]
    net_assets: list[SheetLine]
    earlier_surplus_fen: int
    surplus_fen: int
    restricted_surplus_fen: int

    @property
    def total_assets_fen(self) -> int:
        """What the book has."""
        return sum(line.amount_fen for line in self.assets)

    @property
    def total_liabilities_fen(self) -> int:
        """What it owes."""
        return sum(line.amount_fen for line in self.liabilities)

    @property
    def total_net_assets_fen(self) -> int:
        """What is its owner's: equity and all surplus."""
        equity = sum(line.amount_fen for line in self.net_assets)
        return equity + self.earlier_surplus_fen + self.surplus_fen

    @property
    def balanced(self) -> bool:
        """Whether assets = liabilities + net assets; anything else is a broken book."""
        return self.total_assets_fen == self.total_liabilities_fen + self.total_net_assets_fen


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSheet(Report):
    """A sheet for each book that was asked for; `since` is the first day of the year."""

    since: date
    books: list[Sheet]


def balance_sheet(
    session: Session, as_of: date, book: str | None = None, known: Known = ALL
) -> BalanceSheet:
    """What each book has and owes at the end of `as_of`."""
    since = as_of.replace(month=1, day=1)
    net = balances(session, as_of, book, known)
    before = balances(session, since - timedelta(days=1), book, known)
    lines = chart(session, book)
    books = sorted({line["book"] for line in lines})
    return BalanceSheet(
        **stamp(session, as_of, book, known),
        since=since,
        books=[
            _sheet(name, [x for x in lines if x["book"] == name], net, before, as_of, known)
            for name in books
        ],
    )


def _sheet(
    book: str,
    chart_: Sequence[DictRow],
    net: Mapping[str, int],
    before: Mapping[str, int],
    as_of: date,
    known: Known,
) -> Sheet:
    def lines(kind: str, side: int) -> list[SheetLine]:
        return [
            SheetLine(
                account=row["code"],
                name=row["name_zh"],
                name_en=row["name_en"],
                restricted=row["restricted"],
                amount_fen=side * net.get(row["code"], 0),
                opening_fen=side * before.get(row["code"], 0),
                entries=links.entries(row["code"], None, as_of, known.at),
            )
            for row in chart_
            if row["type"] == kind and (row["active"] or row["code"] in net)
        ]

    results = [row for row in chart_ if row["type"] in {"income", "expense"}]
    restricted = [row["code"] for row in results if row["restricted"]]
    earlier = -sum(before.get(row["code"], 0) for row in results)
    return Sheet(
        book=book,
        assets=lines("asset", DEBIT),
        liabilities=lines("liability", CREDIT),
        net_assets=lines("equity", CREDIT),
        earlier_surplus_fen=earlier,
        surplus_fen=-sum(net.get(row["code"], 0) for row in results) - earlier,
        restricted_surplus_fen=-sum(net.get(c, 0) - before.get(c, 0) for c in restricted),
    )
