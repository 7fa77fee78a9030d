"""业务活动表: income by source and expense by programme, by account and month, from rollups."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.months import month_end, next_month
from reports import links
from reports.balances import ALL, Known, by_month, chart
from reports.report import Report, stamp

INCOME, EXPENSE = "income", "expense"


@dataclass(frozen=True, slots=True)
class MonthFigure:
    """What an account earned or cost in a month, or in the part of it that was asked for."""

    month: date
    amount_fen: int
    entries: str


@dataclass(frozen=True, slots=True)
class StatementRow:
    """An account of income or expense: what it earned or cost, above zero as a rule."""

    book: str
    account: str
    name: str
    name_en: str
    type: str
    restricted: bool
    total_fen: int
    months: list[MonthFigure]


@dataclass(frozen=True, slots=True)
class Result:
    """Income less expense."""

    income_fen: int
    expense_fen: int

    @property
    def surplus_fen(self) -> int:
        """What is left, or lacking when below zero."""
        return self.income_fen - self.expense_fen


@dataclass(frozen=True, slots=True)
class MonthResult:
    """The result of a month."""

    month: date
    result: Result


@dataclass(frozen=True, slots=True)
class BookResult:
    """The result of a book: what is one owner's is not another's."""

    book: str
    result: Result


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement(Report):
    """The period's rows, and their results: of each month and book, by restriction, in all.

    限定性 is what was given for a purpose only; the rest is 非限定性.
    """

    since: date
    until: date
    rows: list[StatementRow]
    months: list[MonthResult]
    books: list[BookResult]
    restricted: Result
    unrestricted: Result
    total: Result


def statement(
    session: Session, since: date, until: date, book: str | None = None, known: Known = ALL
) -> Statement:
    """What was earned and spent from `since` to `until`, both included, by posting date.

    Accounts that did not move in that time are left out.
    """
    moved: dict[str, dict[date, int]] = defaultdict(dict)
    for (account, month), fen in by_month(session, since, until, book, known).items():
        if fen:
            moved[account][month] = fen
    rows = [
        _row(line, moved[line["code"]], since, until, known)
        for line in chart(session, book)
        if line["type"] in {INCOME, EXPENSE} and line["code"] in moved
    ]
    return Statement(
        **stamp(session, until, book, known),
        since=since,
        until=until,
        rows=rows,
        months=list(_months(rows, since, until)),
        books=[
            BookResult(name, _result((row.type, row.total_fen) for row in rows if row.book == name))
            for name in sorted({row.book for row in rows})
        ],
        restricted=_result((row.type, row.total_fen) for row in rows if row.restricted),
        unrestricted=_result((row.type, row.total_fen) for row in rows if not row.restricted),
        total=_result((row.type, row.total_fen) for row in rows),
    )


def _row(
    line: DictRow, net: Mapping[date, int], since: date, until: date, known: Known
) -> StatementRow:
    sign = -1 if line["type"] == INCOME else 1
    code = line["code"]
    figures = [
        MonthFigure(month, sign * net[month], _entries(code, month, since, until, known))
        for month in sorted(net)
    ]
    return StatementRow(
        book=line["book"],
        account=code,
        name=line["name_zh"],
        name_en=line["name_en"],
        type=line["type"],
        restricted=line["restricted"],
        total_fen=sum(figure.amount_fen for figure in figures),
        months=figures,
    )


def _entries(code: str, month: date, since: date, until: date, known: Known) -> str:
    first, last = max(month, since), min(month_end(month), until)
    return links.entries(code, first, last, known.at)


def _months(rows: Iterable[StatementRow], since: date, until: date) -> Iterator[MonthResult]:
    figures: dict[date, list[tuple[str, int]]] = defaultdict(list)
    for row in rows:
        for figure in row.months:
            figures[figure.month].append((row.type, figure.amount_fen))
    month = since.replace(day=1)
    while month <= until:
        yield MonthResult(month, _result(figures[month]))
        month = next_month(month)


def _result(figures: Iterable[tuple[str, int]]) -> Result:
    by_type = {INCOME: 0, EXPENSE: 0}
    for kind, fen in figures:
        by_type[kind] += fen
    return Result(by_type[INCOME], by_type[EXPENSE])
