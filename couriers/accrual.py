"""What a site contract earns in a month: rent by time, commission by deposits. Pure."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from fractions import Fraction

from core.months import next_month

MONTHS = 12
WHOLE_BP = 10_000
DAY = timedelta(days=1)


def finished_months(starts_on: date, ends_on: date | None, today: date) -> Iterator[date]:
    """The first days of the months in which a contract runs and that are over by `today`.

    `ends_on` is its last day.
    """
    month = starts_on.replace(day=1)
    while (after := next_month(month)) <= today and (ends_on is None or month <= ends_on):
        yield month
        month = after


def covered(starts_on: date, ends_on: date | None, month: date) -> tuple[date, date]:
    """The first and the last day of a contract inside a month in which it runs."""
    last = next_month(month) - DAY
    return max(starts_on, month), last if ends_on is None else min(ends_on, last)


def rent_fen(annual_fen: int, starts_on: date, ends_on: date | None, month: date) -> int:
    """Straight-line rent of a month, in fen; `month` is its first day.

    The difference of two rents since the start, each rounded once: twelve whole months together
    are the annual rent to the fen, whatever it is. A part of a month counts by its days.
    """
    first, last = covered(starts_on, ends_on, month)
    return _since(annual_fen, starts_on, last + DAY) - _since(annual_fen, starts_on, first)


def commission_fen(
    deposits: int, fees_fen: int, per_deposit_fen: int | None, share_bp: int | None
) -> int:
    """Commission on what couriers deposited and were charged in a month, in fen.

    The share of the fees is rounded half up. More was credited than charged: no share.
    """
    share = max(fees_fen, 0) * (share_bp or 0)
    return deposits * (per_deposit_fen or 0) + (2 * share + WHOLE_BP) // (2 * WHOLE_BP)


def _since(annual_fen: int, starts_on: date, until: date) -> int:
    """Rent from the start until a day, which is not part of it, rounded half up."""
    exact = annual_fen * (_months(until) - _months(starts_on)) / MONTHS
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _months(day: date) -> Fraction:
    """Where a day begins, in months of the calendar."""
    of_month = monthrange(day.year, day.month)[1]
    return day.year * MONTHS + day.month - 1 + Fraction(day.day - 1, of_month)
