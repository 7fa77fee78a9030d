"""Where the wall clock cuts a stay: days that begin at an hour, segments of the day. Pure.

Borders are UTC instants. A time of day that the clock skips counts as if it had not been set
yet, one that it strikes twice is the first; a border already passed is left out.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tariffs.days import DayKind, kind_of
from tariffs.rule_conflicts import span_of
from tariffs.rules import Segment

_DAY = timedelta(days=1)


def day_borders(zone: ZoneInfo, hour: int, after: datetime) -> Iterator[datetime]:
    """First instants of the zone's days, which begin at `hour`, after an instant.

    A clock set back over a border does not begin that day twice.
    """
    local = after.astimezone(zone)
    day = local.date()
    clock = time(hour)
    if local.hour < hour:
        day -= _DAY
    while True:
        day += _DAY
        border = datetime.combine(day, clock, zone).astimezone(UTC)
        if border > after:
            yield border
            after = border


def full_days(after: datetime) -> Iterator[datetime]:
    """The instants every 24 hours after an instant."""
    while True:
        after += _DAY
        yield after


class Stretch(NamedTuple):
    """A part of a stay in one segment (its row), or in none; `since` tells occurrences apart."""

    starts: datetime
    ends: datetime
    row: int | None
    since: datetime


def stretches(
    segments: tuple[Segment, ...],
    zone: ZoneInfo,
    calendar: Mapping[date, DayKind],
    starts: datetime,
    ends: datetime,
) -> Iterator[Stretch]:
    """[starts, ends) cut at the borders of segments, in order and without a gap."""
    at = starts
    for since, until, row in _occurrences(segments, zone, calendar, starts, ends):
        begins, stops = max(since, at), min(until, ends)
        if begins >= stops:
            continue
        if at < begins:
            yield Stretch(at, begins, None, at)
        yield Stretch(begins, stops, row, since)
        at = stops
    if at < ends:
        yield Stretch(at, ends, None, at)


def _occurrences(
    segments: tuple[Segment, ...],
    zone: ZoneInfo,
    calendar: Mapping[date, DayKind],
    starts: datetime,
    ends: datetime,
) -> Iterator[tuple[datetime, datetime, int]]:
    """Every segment of every day from the one before (it may wrap) to the last."""
    rows = sorted((*span_of(s.begins, s.ends), row) for row, s in enumerate(segments))
    day, last = (starts - _DAY).astimezone(zone).date(), ends.astimezone(zone).date()
    while day <= last:
        kind = kind_of(day, calendar)
        for begins, stops, row in rows:
            if not segments[row].days or kind in segments[row].days:
                yield _instant(zone, day, begins), _instant(zone, day, stops), row
        day += _DAY


def spans_between(
    begins: str, stops: str, zone: ZoneInfo, starts: datetime, ends: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The parts of [starts, ends) between two clock times of every day."""
    first, last = span_of(begins, stops)
    day, final = (starts - _DAY).astimezone(zone).date(), ends.astimezone(zone).date()
    while day <= final:
        since, until = _instant(zone, day, first), _instant(zone, day, last)
        if max(since, starts) < min(until, ends):
            starts = max(since, starts)
            yield starts, min(until, ends)
            starts = min(until, ends)
        day += _DAY


def _instant(zone: ZoneInfo, day: date, minute: int) -> datetime:
    """A minute of a day (from 1440 on of the next), in UTC."""
    days, rest = divmod(minute, 1440)
    clock = time(*divmod(rest, 60))
    return datetime.combine(day + timedelta(days=days), clock, zone).astimezone(UTC)
