"""What storing a parcel costs: a clock that runs and stands still, and a ladder of fees. Pure.

The clock runs from the deposit. It stands still while the resident is away, on statutory
holidays, on weekends where the cabinet's site is closed, and in the quiet hours if the community
says so; where several hold at once, the first of these explains it. Days are whole days of the
zone. A clock that stands still makes the storage period longer, never a fee higher.

The source of the ladder is the one residents know: 18 h free, 0.50 yuan per started 12 h, 3 yuan
at most. The period that ends at an instant includes it: at exactly 18 h nothing is due.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import NamedTuple
from zoneinfo import ZoneInfo

from storage.rules import LockerRules, Site, quiet_minutes
from tariffs import days
from tariffs.borders import spans_between
from tariffs.days import DayKind
from tariffs.lines import Fee, Line, Scribe, total
from tariffs.periods import length
from tariffs.spans import Span, uncovered

__all__ = [
    "NOTHING_DUE",
    "STANDS_AT_MOST",
    "Clock",
    "Fee",
    "Rung",
    "Stop",
    "fee",
    "free_until",
    "ladder",
    "next_step_at",
    "stops_between",
]

NOTHING_DUE = Fee(0, ())
STANDS_AT_MOST = timedelta(days=731)
"""So long after the deposit the clock runs whatever stops it: no parcel is computed for ever."""

_NOTHING, _HOUR, _DAY = timedelta(0), timedelta(hours=1), timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Clock:
    """Whose rules, whose wall clock, and what besides the instants decides a fee.

    `kind_of` tells holidays, weekends and make-up workdays. `vacations` are spans of aware
    instants, in any order. `extra_free` is storage time granted or bought. `terms` names the
    version of the rules in the lines. Raises ValueError when `extra_free` takes time away.
    """

    rules: LockerRules
    zone: ZoneInfo
    site: Site
    kind_of: Callable[[date], DayKind] = days.kind_of
    vacations: tuple[Span, ...] = ()
    member: bool = False
    extra_free: timedelta = _NOTHING
    terms: str = "locker-terms:1v1"

    def __post_init__(self) -> None:
        """The storage period that was promised may become longer only."""
        if self.extra_free < _NOTHING:
            raise ValueError("extra free time cannot be negative")

    @property
    def free(self) -> timedelta:
        """The running time that costs nothing."""
        hours = self.rules.member_free_hours if self.member else self.rules.free_hours
        return hours * _HOUR + self.extra_free


class Rung(NamedTuple):
    """After `from_at` (UTC) the fee is `total_fen`, until the next rung."""

    from_at: datetime
    total_fen: int


class Stop(NamedTuple):
    """Why, from when and until when the clock stands still."""

    starts: datetime
    ends: datetime
    label: str
    slug: str


def fee(clock: Clock, deposited_at: datetime, at: datetime) -> Fee:
    """What a parcel deposited and collected at two aware instants costs in fen, line by line.

    A parcel collected before its deposit (the cabinet's clock was set) costs nothing. Raises
    ValueError when an instant is naive.
    """
    starts, ends = _utc(deposited_at), _utc(at)
    if ends <= starts:
        return NOTHING_DUE
    scribe = Scribe(f"{clock.terms}/", clock.zone)
    stops = stops_between(clock, starts, ends)
    runs = _outside(stops, starts, ends)
    ran = sum([until - since for since, until in runs], _NOTHING)
    free_ends = ends if ran <= clock.free else _passing(runs, [clock.free])[0]
    lines = [_free_line(clock, scribe, starts, free_ends, min(ran, clock.free))]
    lines += [scribe.once(stop.label, stop.slug, stop.starts, stop.ends, 0) for stop in stops]
    if ran > clock.free:
        lines += _overdue_lines(clock.rules, scribe, free_ends, ends, ran - clock.free)
    return Fee(total(lines), tuple(lines))


def free_until(clock: Clock, deposited_at: datetime) -> datetime:
    """The last instant, in UTC, at which the parcel costs nothing.

    When the free time is used up just as the clock stops, that is when it goes on. Raises
    ValueError when the instant is naive.
    """
    return _reached(clock, _utc(deposited_at), [clock.free])[0]


def ladder(clock: Clock, deposited_at: datetime) -> tuple[Rung, ...]:
    """How the fee grows from nothing to the cap, as known now: what a resident is told.

    Raises ValueError when the instant is naive.
    """
    rules, starts = clock.rules, _utc(deposited_at)
    steps = -(-rules.cap_fen // rules.step_fen) if rules.step_fen else 0
    passed = [clock.free + step * rules.step_hours * _HOUR for step in range(steps)]
    totals = [min((step + 1) * rules.step_fen, rules.cap_fen) for step in range(steps)]
    return (Rung(starts, 0), *map(Rung, _reached(clock, starts, passed), totals))


def next_step_at(clock: Clock, deposited_at: datetime, at: datetime) -> datetime | None:
    """Until when, in UTC, the fee stays what it is at `at`; None when it never grows again.

    Raises ValueError when an instant is naive.
    """
    now = _utc(at)
    grows = (rung.from_at for rung in ladder(clock, deposited_at)[1:])
    return next((grown for grown in grows if grown >= now), None)


def stops_between(clock: Clock, starts: datetime, ends: datetime) -> list[Stop]:
    """Where the clock stands still within [starts, ends), in order, one reason at a time.

    `starts` is the deposit; both are UTC.
    """
    ends = min(ends, starts + STANDS_AT_MOST)
    stops: list[Stop] = []
    for label, slug, spans in _reasons(clock, starts, ends):
        without = uncovered(starts, ends, spans)
        new = _outside(stops, starts, ends, without)
        stops += [Stop(since, until, label, slug) for since, until in new]
    return sorted(stops)


def _outside(
    stops: list[Stop], starts: datetime, ends: datetime, others: Iterable[Span] = ()
) -> list[Span]:
    """[starts, ends) without the stops, and without other spans."""
    return uncovered(starts, ends, [*((s.starts, s.ends) for s in stops), *others])


def _reasons(
    clock: Clock, starts: datetime, ends: datetime
) -> Iterator[tuple[str, str, list[Span]]]:
    """Why the clock stands still, and when; the first reason explains an instant."""
    rules, zone = clock.rules, clock.zone
    away = [(_utc(since), _utc(until)) for since, until in clock.vacations]
    yield "暂存（休假）停止计时", "stop-vacation", away
    if rules.holidays_stop:
        holidays = _whole_days(zone, starts, ends, lambda day: _is_holiday(clock, day))
        yield "法定节假日停止计时", "stop-holiday", list(holidays)
    if clock.site in rules.weekends_stop_at:
        weekends = _whole_days(zone, starts, ends, lambda day: _is_weekend(clock, day))
        yield "周末停止计时", "stop-weekend", list(weekends)
    if rules.quiet_stops and quiet_minutes(rules):
        nights = spans_between(rules.quiet_from, rules.quiet_until, zone, starts, ends)
        yield "夜间停止计时", "stop-night", list(nights)


def _is_holiday(clock: Clock, day: date) -> bool:
    return clock.kind_of(day) is DayKind.HOLIDAY


def _is_weekend(clock: Clock, day: date) -> bool:
    """A Sunday among holidays is one too, where holidays do not stop the clock."""
    kind = clock.kind_of(day)
    return kind is DayKind.WEEKEND or (kind is DayKind.HOLIDAY and day.weekday() >= _SATURDAY)


def _whole_days(
    zone: ZoneInfo, starts: datetime, ends: datetime, stands: Callable[[date], bool]
) -> Iterator[Span]:
    """Days on which the clock stands, those in a row as one span; they reach beyond the ends."""
    first, last = (starts - _DAY).astimezone(zone).date(), (ends + _DAY).astimezone(zone).date()
    every = (first + timedelta(days=n) for n in range((last - first).days + 1))
    for standing, group in groupby(every, stands):
        if standing:
            row = list(group)
            yield _midnight(row[0], zone), _midnight(row[-1] + _DAY, zone)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(0), zone).astimezone(UTC)


def _reached(clock: Clock, starts: datetime, passed: list[timedelta]) -> list[datetime]:
    """Until when the clock shows no more than each of the running times, which ascend."""
    if not passed:
        return []
    looked_at = 2 * passed[-1] + 14 * _DAY
    while True:
        stops = stops_between(clock, starts, starts + looked_at)
        found = _passing(_outside(stops, starts, starts + looked_at), passed)
        if len(found) == len(passed):
            return found
        looked_at *= 2  # ends, because after STANDS_AT_MOST the clock runs


def _passing(runs: list[Span], passed: list[timedelta]) -> list[datetime]:
    """The instants after which the clock shows more than each running time, as far as it runs."""
    found: list[datetime] = []
    ran = _NOTHING
    for since, until in runs:
        while len(found) < len(passed) and passed[len(found)] - ran < until - since:
            found.append(since + (passed[len(found)] - ran))
        ran += until - since
    return found


def _free_line(
    clock: Clock, scribe: Scribe, starts: datetime, ends: datetime, ran: timedelta
) -> Line:
    """The free period, in hours begun."""
    label, slug = ("会员免费存放", "member-free") if clock.member else ("免费存放", "free")
    label += length(clock.free // timedelta(minutes=1))
    return scribe.units(label, slug, starts, ends, _started(ran, _HOUR), 0)


def _overdue_lines(
    rules: LockerRules, scribe: Scribe, starts: datetime, ends: datetime, ran: timedelta
) -> Iterator[Line]:
    """The steps begun beyond the free period, less what is above the cap."""
    if not rules.step_fen:
        return
    label, steps = f"超期每{length(60 * rules.step_hours)}", _started(ran, rules.step_hours * _HOUR)
    line = scribe.units(label, "overdue", starts, ends, steps, rules.step_fen)
    yield line
    if line.amount_fen > rules.cap_fen:
        over = line.amount_fen - rules.cap_fen
        yield scribe.once("每件封顶", "cap", starts, ends, -over)


def _started(of: timedelta, step: timedelta) -> int:
    """How many steps of a length are begun."""
    return -(-of // step)


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("instants of a parcel must be aware")
    return instant.astimezone(UTC)
