"""Which periods a stay is charged by: first periods, units, rows of a table, by segment. Pure.

Periods of equal length and price in a row make one *run*, so that a long stay costs little to
price. A period belongs to the instant at which it starts and is charged whole.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from tariffs.borders import Stretch, stretches
from tariffs.days import DayKind
from tariffs.rules import AcrossBorder, Rules, Segment, TableRow


class Run(NamedTuple):
    """Periods every `step` from `starts`, none of them starting at `until` or later.

    No period reaches beyond `ends`. `stretch` is the segment's occurrence they are priced by.
    """

    starts: datetime
    until: datetime
    ends: datetime
    step: timedelta
    fen: int
    label: str
    slug: str
    stretch: Stretch | None

    def started(self, before: datetime) -> int:
        """How many of the periods start before an instant."""
        limit = before if before < self.until else self.until
        return -((self.starts - limit) // self.step) if limit > self.starts else 0


def runs(
    rules: Rules,
    zone: ZoneInfo,
    calendar: Mapping[date, DayKind],
    starts: datetime,
    ends: datetime,
) -> Iterator[Run]:
    """The periods of [starts, ends) in order.

    Segments need not cover the day: where none is, the rules' own prices hold. Every occurrence
    of a segment begins with its own first period, and so do the rules' own prices when they
    come again, unless the first period is charged once.
    """
    if rules.segments:
        return _by_segment(rules, zone, calendar, starts, ends)
    return _usual(rules, starts, ends, ends, with_first=True)


def _by_segment(
    rules: Rules,
    zone: ZoneInfo,
    calendar: Mapping[date, DayKind],
    starts: datetime,
    ends: datetime,
) -> Iterator[Run]:
    at, usual_before = starts, False
    for stretch in stretches(rules.segments, zone, calendar, starts, ends):
        at = max(at, stretch.starts)
        if at >= stretch.ends:
            continue
        cut = stretch.ends if rules.across_border is AcrossBorder.NEW_UNIT else ends
        if stretch.row is None:
            with_first = not (rules.first_once and usual_before)
            here = _usual(rules, at, stretch.ends, cut, with_first=with_first)
            usual_before = True
        else:
            here = _of_segment(rules.segments[stretch.row], stretch, at, cut)
        for run in here:
            yield run
            at = min(run.starts + run.started(run.until) * run.step, cut)


def _of_segment(segment: Segment, stretch: Stretch, at: datetime, cut: datetime) -> Iterator[Run]:
    row = f"segment-{(stretch.row or 0) + 1}-"
    for run in _periods(segment, at, stretch.ends, cut, with_first=True):
        label, slug = segment.name + run.label, row + run.slug
        yield run._replace(label=label, slug=slug, stretch=stretch)


def _usual(
    rules: Rules, at: datetime, until: datetime, cut: datetime, *, with_first: bool
) -> Iterator[Run]:
    if rules.table:
        return _rows(rules, at, until, cut)
    return _periods(rules, at, until, cut, with_first=with_first)


def _periods(
    prices: Rules | Segment, at: datetime, until: datetime, cut: datetime, *, with_first: bool
) -> Iterator[Run]:
    if with_first and prices.first_minutes:
        first = timedelta(minutes=prices.first_minutes)
        label = "首" + _each(prices.first_minutes)
        ends = at + first
        stops = ends if ends < until else until
        yield Run(at, stops, cut, first, prices.first_fen, label, "first-period", None)
        at = ends
    if at < until:
        unit = timedelta(minutes=prices.unit_minutes)
        label = "每" + _each(prices.unit_minutes)
        yield Run(at, until, cut, unit, prices.unit_fen, label, "unit", None)


def _rows(rules: Rules, at: datetime, until: datetime, cut: datetime) -> Iterator[Run]:
    while True:
        for number, row in enumerate(rules.table):
            starts = at + timedelta(minutes=row.from_minutes)
            if starts >= until:
                return
            stops, unit = until, row.unit_minutes
            if row.to_minutes is not None:
                stops = min(until, at + timedelta(minutes=row.to_minutes))
                unit = unit or row.to_minutes - row.from_minutes
            step, slug = timedelta(minutes=unit or 0), f"table-{number + 1}"
            yield Run(starts, stops, cut, step, row.fen, _row_label(row), slug, None)
        if rules.table_repeats_minutes is None:
            return
        at += timedelta(minutes=rules.table_repeats_minutes)


def _row_label(row: TableRow) -> str:
    if row.to_minutes is None:
        span = f"{length(row.from_minutes)}起" if row.from_minutes else ""
    elif row.from_minutes:
        span = f"{length(row.from_minutes)}至{length(row.to_minutes)}"
    else:
        span = f"{length(row.to_minutes)}内"
    return span if row.unit_minutes is None else f"{span}每{_each(row.unit_minutes)}"


def length(minutes: int) -> str:
    """A length as people say it."""
    hours, rest = divmod(minutes, 60)
    return f"{minutes}分钟" if rest else f"{hours}小时"


@lru_cache(maxsize=256)
def _each(minutes: int) -> str:
    """A length after 首 or 每."""
    return "小时" if minutes == 60 else length(minutes)
