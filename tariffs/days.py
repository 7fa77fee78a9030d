"""What kind of day a date is: workday, weekend, holiday or make-up workday. Pure.

The defaults are the State Council's yearly notices as the `holidays` library holds them; dated
overrides (a community's own table) win over them.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from holidays import country_holidays

_DAY = timedelta(days=1)
_SATURDAY = 5
_AS_FAR_AS_NOTICES_MAY_GO = range(2020, 2060)


class DayKind(StrEnum):
    """The kinds of days a price may be limited to."""

    WORKDAY = "workday"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    MAKEUP_WORKDAY = "makeup_workday"


NO_OVERRIDES: Mapping[date, DayKind] = MappingProxyType({})


def kind_of(day: date, overrides: Mapping[date, DayKind] = NO_OVERRIDES) -> DayKind:
    """The kind of a date in China.

    Days off given in exchange for a make-up workday are holidays, and so is a weekend that joins
    a holiday without a workday between them: the notices count both among the days of a holiday.
    """
    if day in overrides:
        return overrides[day]
    return _named_days(day.year).get(day) or _by_weekday(day)


def provisional(year: int, overrides: Mapping[date, DayKind] = NO_OVERRIDES) -> bool:
    """Whether the year's make-up workdays are not announced (to us) yet.

    Its holidays then fall on the statutory dates, and no weekend is a workday. Overrides that
    name a make-up workday of the year are taken for its announcement.
    """
    told = any(
        day.year == year and kind is DayKind.MAKEUP_WORKDAY for day, kind in overrides.items()
    )
    return year > _newest_notice() and not told


def _by_weekday(day: date) -> DayKind:
    return DayKind.WEEKEND if day.weekday() >= _SATURDAY else DayKind.WORKDAY


@cache
def _newest_notice() -> int:
    return max(day.year for year in _AS_FAR_AS_NOTICES_MAY_GO for day in _makeup_workdays(year))


@cache
def _makeup_workdays(year: int) -> frozenset[date]:
    """A make-up workday of late December is told with the next year's holidays."""
    told = country_holidays("CN", years=(year, year + 1)).weekend_workdays
    return frozenset(day for day in told if day.year == year)


@cache
def _named_days(year: int) -> Mapping[date, DayKind]:
    """The days of a year that are not what their weekday says."""
    off = frozenset(country_holidays("CN", years=(year - 1, year, year + 1)))
    makeup = _makeup_workdays(year - 1) | _makeup_workdays(year) | _makeup_workdays(year + 1)
    holidays = {joined for day in off - makeup for joined in _with_weekend(day, makeup)}
    named = dict.fromkeys(holidays, DayKind.HOLIDAY) | dict.fromkeys(makeup, DayKind.MAKEUP_WORKDAY)
    return {day: kind for day, kind in named.items() if day.year == year}


def _with_weekend(holiday: date, makeup: frozenset[date]) -> Iterator[date]:
    yield holiday
    for step in (-_DAY, _DAY):
        day = holiday + step
        while day not in makeup and _by_weekday(day) is DayKind.WEEKEND:
            yield day
            day += step


def overrides(calendar: Mapping[str, str] | None) -> dict[date, DayKind]:
    """Dated exceptions of the calendar as SQL aggregates them: day -> kind."""
    return {date.fromisoformat(day): DayKind(kind) for day, kind in (calendar or {}).items()}


def holidays_by(calendar: Mapping[str, str] | None) -> Callable[[date], bool]:
    """Whether a day is a statutory holiday, by the published calendar and its exceptions."""
    decreed = overrides(calendar)
    return lambda day: kind_of(day, decreed) is DayKind.HOLIDAY
