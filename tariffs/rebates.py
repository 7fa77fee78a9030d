"""Which parts of a new-energy vehicle's stay are free or cheaper. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tariffs.borders import spans_between
from tariffs.periods import length
from tariffs.rules import NewEnergy


class Rebate(NamedTuple):
    """Periods that start in [starts, ends) cost `percent` of their price."""

    starts: datetime
    ends: datetime
    percent: int
    label: str
    slug: str


def rebates(rule: NewEnergy, zone: ZoneInfo, starts: datetime, ends: datetime) -> list[Rebate]:
    """The rebates of [starts, ends), in order; minutes count from `starts`.

    Between the two clock times everything is free, whatever the minutes say.
    """
    at_night: list[Rebate] = []
    if rule.free_from and rule.free_to:
        label = f"新能源{rule.free_from}–{rule.free_to}免费"
        at_night = [
            Rebate(since, until, 0, label, "new-energy-hours")
            for since, until in spans_between(rule.free_from, rule.free_to, zone, starts, ends)
        ]
    by_minutes = [r for r in _by_minutes(rule, starts) if r.starts < r.ends]
    by_day = [part for rebate in by_minutes for part in _outside(rebate, at_night)]
    return sorted([*at_night, *by_day])


def _by_minutes(rule: NewEnergy, starts: datetime) -> Iterator[Rebate]:
    free_until = starts + timedelta(minutes=rule.free_minutes)
    label = f"新能源前{length(rule.free_minutes)}免费"
    yield Rebate(starts, free_until, 0, label, "new-energy-free")
    if rule.until_minutes and rule.percent < 100:
        until = starts + timedelta(minutes=rule.until_minutes)
        label = f"新能源{length(rule.until_minutes)}以前按{rule.percent}%"
        yield Rebate(free_until, until, rule.percent, label, "new-energy-percent")


def _outside(rebate: Rebate, others: list[Rebate]) -> Iterator[Rebate]:
    starts = rebate.starts
    for other in others:
        if other.starts >= rebate.ends:
            break
        if starts < other.starts:
            yield rebate._replace(starts=starts, ends=other.starts)
        starts = max(starts, other.ends)
    if starts < rebate.ends:
        yield rebate._replace(starts=starts)
