"""Income by month, beside the year before and the yearly target of the micro-fund."""

from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from sqlalchemy.orm import Session

from core.months import month_end
from reports import links
from reports.balances import ALL, Known, by_month, chart
from reports.report import Report, stamp

YEARLY_TARGET_FEN = 10_000_000
"""100,000 CNY a year: what the community wants its micro-fund to earn."""


@dataclass(frozen=True, slots=True)
class IncomeMonth:
    """A month's income, and what the year earned by its end; percent in tenths, of the target."""

    month: date
    income_fen: int
    last_year_fen: int
    cumulative_fen: int
    last_year_cumulative_fen: int
    target_fen: int
    permille: int
    statement: str

    @property
    def percent(self) -> float:
        """What share of the yearly target was reached by the end of the month."""
        return self.permille / 10


@dataclass(frozen=True, slots=True, kw_only=True)
class YearlyIncome(Report):
    """The twelve months; `target_fen` of a month is its even part of the year's, cumulative."""

    year: int
    target_fen: int
    months: list[IncomeMonth]


def yearly_income(
    session: Session, year: int, as_of: date, book: str, known: Known = ALL
) -> YearlyIncome:
    """What a book earned in a year and the one before, by posting date, up to `as_of`."""
    ours = _by_month(session, year, as_of, book, known)
    theirs = _by_month(session, year - 1, as_of, book, known)
    months = [
        IncomeMonth(
            month=date(year, number, 1),
            income_fen=ours[number - 1],
            last_year_fen=theirs[number - 1],
            cumulative_fen=earned,
            last_year_cumulative_fen=earned_then,
            target_fen=YEARLY_TARGET_FEN * number // 12,
            permille=earned * 1000 // YEARLY_TARGET_FEN,
            statement=_statement(book, date(year, number, 1), known),
        )
        for number, earned, earned_then in zip(
            range(1, 13), accumulate(ours), accumulate(theirs), strict=True
        )
    ]
    return YearlyIncome(
        **stamp(session, as_of, book, known),
        year=year,
        target_fen=YEARLY_TARGET_FEN,
        months=months,
    )


def _statement(book: str, month: date, known: Known) -> str:
    return links.statement(book, month, month_end(month), known.at)


def _by_month(session: Session, year: int, as_of: date, book: str, known: Known) -> list[int]:
    first, last = date(year, 1, 1), min(date(year, 12, 31), as_of)
    if last < first:
        return [0] * 12
    incomes = {line["code"] for line in chart(session, book) if line["type"] == "income"}
    earned = [0] * 12
    for (account, month), fen in by_month(session, first, last, book, known).items():
        if account in incomes:
            earned[month.month - 1] -= fen
    return earned
