"""Weekly wall-clock hours as spans of instants, and sums and differences of spans. Pure.

A span is a half-open pair of aware UTC datetimes. Hours follow the clock on the wall of their
zone: they begin, and end, at the first instant at which that clock has reached the time, so
a time the clock skips is the instant of the skip, and one it strikes twice is the first.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

Span = tuple[datetime, datetime]

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """The same hours on some days of the week; a day is the one on which they begin.

    `weekdays` are ISO numbers (Monday 1). Hours that do not end after they begin end on the
    next day, so equal times are a whole day. `valid_from` and `valid_until` are inclusive.
    A statutory holiday counts as the weekday it is unless `on_holidays` is False. A make-up
    workday is always the weekday it is: people offer the days they named, not office hours.
    """

    weekdays: frozenset[int]
    begins: time
    ends: time
    valid_from: date | None
    valid_until: date | None
    blocked: frozenset[date] = frozenset()
    on_holidays: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for a weekday no calendar has."""
        if not self.weekdays <= frozenset(range(1, 8)):
            raise ValueError("weekdays are numbered 1 to 7")


def spans(
    hours: WeeklyHours,
    zone: ZoneInfo,
    since: datetime,
    until: datetime,
    is_holiday: Callable[[date], bool],
) -> list[Span]:
    """When the hours hold within `[since, until)`: sorted, apart from each other, in UTC.

    Raises ValueError when an instant is naive.
    """
    if since.tzinfo is None or until.tzinfo is None:
        raise ValueError("instants must be aware")
    if until <= since:
        return []
    opens, closes = since.astimezone(UTC), until.astimezone(UTC)
    found = [_hours_of(hours, zone, day) for day in _days(hours, zone, opens, closes, is_holiday)]
    return union((max(begins, opens), min(ends, closes)) for begins, ends in found)


def union(*several: Iterable[Span]) -> list[Span]:
    """Everything that any of them covers: sorted; what touches or overlaps is one span."""
    merged: list[Span] = []
    for begins, ends in sorted([span for some in several for span in some if span[0] < span[1]]):
        if merged and begins <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(ends, merged[-1][1])
        else:
            merged.append((begins, ends))
    return merged


def subtract(whole: Iterable[Span], holes: Iterable[Span]) -> list[Span]:
    """What is left of `whole` without `holes`: sorted, apart from each other."""
    left, gaps, first = [], union(holes), 0
    for begins, ends in union(whole):
        while first < len(gaps) and gaps[first][1] <= begins:
            first += 1
        for hole_begins, hole_ends in gaps[first:]:
            if hole_begins >= ends:
                break
            if begins < hole_begins:
                left.append((begins, hole_begins))
            begins = hole_ends
        if begins < ends:
            left.append((begins, ends))
    return left


def covers(offered: Iterable[Span], starts_at: datetime, ends_at: datetime) -> bool:
    """Whether all of `[starts_at, ends_at)` is offered, be it by spans that only touch.

    A time that does not end after it starts is never covered.
    """
    return starts_at < ends_at and any(
        begins <= starts_at and ends_at <= ends for begins, ends in union(offered)
    )


def _days(
    hours: WeeklyHours,
    zone: ZoneInfo,
    since: datetime,
    until: datetime,
    is_holiday: Callable[[date], bool],
) -> Iterator[date]:
    """Days whose hours might touch `[since, until)`, one more than the clock needs on each side."""
    day = max(since.astimezone(zone).date() - _DAY, hours.valid_from or date.min)
    last = min(until.astimezone(zone).date() + _DAY, hours.valid_until or date.max)
    while day <= last:
        if (
            day.isoweekday() in hours.weekdays
            and day not in hours.blocked
            and (hours.on_holidays or not is_holiday(day))
        ):
            yield day
        day += _DAY


def _hours_of(hours: WeeklyHours, zone: ZoneInfo, day: date) -> Span:
    last_day = day if hours.begins < hours.ends else day + _DAY
    return _reached(day, hours.begins, zone), _reached(last_day, hours.ends, zone)


def _reached(day: date, clock: time, zone: ZoneInfo) -> datetime:
    """The first instant at which the zone's clock shows this time of this day, or a later one."""
    wanted = datetime.combine(day, clock)
    shown = wanted.replace(tzinfo=zone, fold=0)
    instant = shown.astimezone(UTC)
    if instant.astimezone(zone).replace(tzinfo=None, fold=0) == wanted:
        return instant
    before = shown.replace(fold=1).astimezone(UTC)
    return _skip_between(before, instant, zone)


def _skip_between(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant, to the second, from which the zone has the offset it has at `after`."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
