"""Which parts of a stay are charged at all: not what a permit covers, not free minutes. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from tariffs.borders import day_borders
from tariffs.rules import Rules

Span = tuple[datetime, datetime]
_NOTHING = timedelta(0)


def uncovered(starts: datetime, ends: datetime, covered: Iterable[Span]) -> list[Span]:
    """The parts of [starts, ends) outside the spans given, which may overlap or be empty."""
    left = []
    for since, until in sorted(covered):
        if since >= until:
            continue
        if starts < min(since, ends):
            left.append((starts, min(since, ends)))
        starts = max(starts, until)
    if starts < ends:
        left.append((starts, ends))
    return left


def free_and_charged(
    rules: Rules, zone: ZoneInfo, spans: list[Span], *, again_too_soon: bool
) -> tuple[list[Span], list[Span]]:
    """The spans divided into what free minutes take and what is charged.

    Free minutes are granted once for all spans together, or to each calendar day's part of
    them; whoever comes again too soon has no first grant.
    """
    free_for = timedelta(minutes=rules.free_minutes)
    if not rules.free_each_day:
        return _grant(spans, _NOTHING if again_too_soon else free_for, rules.free_deducted)
    free: list[Span] = []
    charged: list[Span] = []
    for number, day in enumerate(_by_day(rules, zone, spans)):
        granted = _NOTHING if again_too_soon and number == 0 else free_for
        free_today, charged_today = _grant(day, granted, rules.free_deducted)
        free += free_today
        charged += charged_today
    return free, list(_joined(charged))


def _grant(spans: list[Span], free_for: timedelta, deducted: bool) -> tuple[list[Span], list[Span]]:
    if not free_for:
        return [], spans
    if len(spans) == 1:
        stayed = spans[0][1] - spans[0][0]
    else:
        stayed = sum([ends - starts for starts, ends in spans], _NOTHING)
    if stayed <= free_for:
        return spans, []
    if not deducted:
        return [], spans
    free: list[Span] = []
    for number, (starts, ends) in enumerate(spans):
        if ends - starts > free_for:
            until = starts + free_for
            return [*free, (starts, until)], [(until, ends), *spans[number + 1 :]]
        free.append((starts, ends))
        free_for -= ends - starts
    return free, []


def _by_day(rules: Rules, zone: ZoneInfo, spans: list[Span]) -> Iterator[list[Span]]:
    """The spans cut where a calendar day begins; days without a part are left out."""
    if not spans:
        return
    borders = day_borders(zone, rules.day_begins_hour, spans[0][0])
    closes = next(borders)
    day: list[Span] = []
    for starts, ends in spans:
        since = starts
        while closes < ends:
            if since < closes:
                day.append((since, closes))
                since = closes
            if day:
                yield day
                day = []
            closes = next(borders)
        day.append((since, ends))
    yield day


def _joined(spans: list[Span]) -> Iterator[Span]:
    """Spans that touch, as one."""
    joined: Span | None = None
    for starts, ends in spans:
        if joined and joined[1] == starts:
            joined = joined[0], ends
        else:
            if joined:
                yield joined
            joined = starts, ends
    if joined:
        yield joined
