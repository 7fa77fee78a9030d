"""Kinds of days: the State Council's notices of 2025 and 2026, and what wins over them."""

from collections import Counter
from datetime import date, timedelta

import pytest

from tariffs.days import DayKind, kind_of, provisional

WORKDAY, WEEKEND = DayKind.WORKDAY, DayKind.WEEKEND
HOLIDAY, MAKEUP = DayKind.HOLIDAY, DayKind.MAKEUP_WORKDAY


@pytest.mark.parametrize(
    ("day", "kind"),
    [
        ("2026-01-01", HOLIDAY),
        ("2026-01-02", HOLIDAY),  # Friday, exchanged for Sunday the 4th
        ("2026-01-03", HOLIDAY),  # Saturday between them
        ("2026-01-04", MAKEUP),
        ("2026-01-05", WORKDAY),
        ("2026-01-10", WEEKEND),
        ("2026-02-14", MAKEUP),  # Saturday before the Spring Festival
        ("2026-02-15", HOLIDAY),  # Sunday: the notice counts from here
        ("2026-02-23", HOLIDAY),  # Monday, to here
        ("2026-02-24", WORKDAY),
        ("2026-02-28", MAKEUP),
        ("2026-04-04", HOLIDAY),  # Saturday before Tomb-Sweeping Day
        ("2026-05-05", HOLIDAY),
        ("2026-05-09", MAKEUP),
        ("2026-09-20", MAKEUP),
        ("2026-10-04", HOLIDAY),  # Sunday within National Day
        ("2026-10-07", HOLIDAY),
        ("2026-10-08", WORKDAY),
        ("2025-01-26", MAKEUP),
        ("2025-10-08", HOLIDAY),
        ("2022-12-31", HOLIDAY),  # Saturday joined to New Year's Day 2023
    ],
)
def test_days_are_what_the_notices_say(day: str, kind: DayKind) -> None:
    assert kind_of(date.fromisoformat(day)) is kind


def test_the_year_2026_adds_up_to_its_notice() -> None:
    """Holidays of 3 + 9 + 3 + 5 + 3 + 3 + 7 = 33 days; 6 make-up workdays."""
    year = (date(2026, 1, 1) + timedelta(days=n) for n in range(365))
    counted = Counter(kind_of(day) for day in year)
    assert (counted[HOLIDAY], counted[MAKEUP], counted.total()) == (33, 6, 365)


def test_a_dated_override_wins() -> None:
    own = {date(2026, 10, 1): WORKDAY, date(2026, 3, 3): HOLIDAY}
    assert kind_of(date(2026, 10, 1), own) is WORKDAY
    assert kind_of(date(2026, 3, 3), own) is HOLIDAY
    assert kind_of(date(2026, 10, 2), own) is HOLIDAY


def test_a_year_without_a_notice_is_provisional_until_overrides_tell_it() -> None:
    far = 2050
    assert not provisional(2026)
    assert provisional(far)
    assert kind_of(date(far, 10, 1)) is HOLIDAY
    assert not provisional(far, {date(far, 10, 8): MAKEUP})
    assert provisional(far, {date(far, 10, 8): HOLIDAY})
    assert provisional(far, {date(far - 1, 10, 9): MAKEUP})
