"""What contracts earn by month: the sums come out to the fen, however the months fall."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.months import next_month
from couriers.accrual import (
    commission_fen,
    covered,
    finished_months,
    rent_fen,
)

FEN = st.integers(1, 10**12)
DAYS = st.dates(date(2020, 1, 1), date(2090, 12, 31))


def months_from(month: date, count: int) -> list[date]:
    """So many months in a row."""
    found = [month.replace(day=1)]
    while len(found) < count:
        found.append(next_month(found[-1]))
    return found


@given(FEN, DAYS, st.integers(1, 40))
def test_any_twelve_whole_months_are_the_annual_rent(
    annual_fen: int, starts_on: date, later: int
) -> None:
    months = months_from(starts_on, later + 12)[later:]
    assert sum(rent_fen(annual_fen, starts_on, None, month) for month in months) == annual_fen


@given(FEN, DAYS)
def test_a_year_from_any_day_is_the_annual_rent(annual_fen: int, starts_on: date) -> None:
    """But for the days of a February that is longer or shorter than the one before."""
    if (starts_on.month, starts_on.day) == (2, 29):
        return
    ends_on = starts_on.replace(year=starts_on.year + 1) - timedelta(days=1)
    rent = sum(rent_fen(annual_fen, starts_on, ends_on, m) for m in months_from(starts_on, 13))
    if starts_on.month == 2 and starts_on.day > 1:
        assert abs(rent - annual_fen) <= annual_fen // 12 // 28 + 1
    else:
        assert rent == annual_fen


@given(FEN, DAYS, st.integers(0, 900))
def test_rent_is_never_negative_and_months_differ_by_a_fen_at_most(
    annual_fen: int, starts_on: date, days: int
) -> None:
    ends_on = starts_on + timedelta(days=days)
    months = list(finished_months(starts_on, ends_on, ends_on + timedelta(days=40)))
    assert months == months_from(starts_on, len(months))
    assert covered(starts_on, ends_on, months[0])[0] == starts_on
    assert covered(starts_on, ends_on, months[-1])[1] == ends_on
    rents = [rent_fen(annual_fen, starts_on, ends_on, month) for month in months]
    assert min(rents) >= 0
    for rent in rents[1:-1]:
        assert abs(rent * 12 - annual_fen) <= 12


def test_rent_worked_by_hand() -> None:
    """12,000 yuan a year from 16 November: half of November, then a thousand a month."""
    starts_on, ends_on = date(2026, 11, 16), date(2027, 1, 10)
    rents = [rent_fen(1_200_000, starts_on, ends_on, m) for m in months_from(starts_on, 3)]
    assert rents == [50_000, 100_000, 32_258]
    assert rent_fen(100, date(2026, 1, 1), None, date(2026, 1, 1)) == 8
    assert [rent_fen(100, date(2026, 1, 1), None, m) for m in months_from(date(2026, 1, 1), 4)] == [
        8,
        9,
        8,
        8,
    ]


@pytest.mark.parametrize(
    ("today", "ends_on", "due"),
    [
        (date(2026, 11, 30), None, 0),
        (date(2026, 12, 1), None, 1),
        (date(2027, 2, 1), None, 3),
        (date(2027, 2, 1), date(2026, 12, 1), 2),
        (date(2027, 2, 1), date(2026, 11, 30), 1),
    ],
)
def test_a_month_is_due_when_it_is_over(today: date, ends_on: date | None, due: int) -> None:
    starts_on = date(2026, 11, 16)
    found = list(finished_months(starts_on, ends_on, today))
    assert found == months_from(starts_on, 12)[:due]


@given(st.integers(0, 10**6), st.integers(-(10**9), 10**9), st.integers(0, 10**4))
def test_commission_is_its_parts_and_a_share_rounds_half_up(
    deposits: int, fees_fen: int, share_bp: int
) -> None:
    share = commission_fen(deposits, fees_fen, None, share_bp)
    assert abs(share * 10_000 - max(fees_fen, 0) * share_bp) <= 5_000
    assert commission_fen(deposits, fees_fen, 7, None) == 7 * deposits
    assert commission_fen(deposits, fees_fen, 7, share_bp) == 7 * deposits + share


def test_commission_worked_by_hand() -> None:
    assert commission_fen(0, 25, None, 1_000) == 3
    assert commission_fen(0, 24, None, 1_000) == 2
    assert commission_fen(3, 100, 5, 10_000) == 115
