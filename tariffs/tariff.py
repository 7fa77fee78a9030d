"""What a stay costs and why: a pure function of a tariff version, two instants and circumstances.

A stay is charged by *periods* (tariffs/periods.py). A period is priced as a whole and belongs to
the *window* (calendar day, or 24 h from where charging may begin) in which it starts; each
window has its cap. Lengths are differences of UTC instants, days and segments the wall clock's.

The order within a window: periods, less a new-energy rebate, less a segment's cap, less the
window's cap. Then the whole is multiplied for the vehicle's class, rounded once, half up. Time
beyond a booking is priced apart, without free minutes, rebates and caps but its own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from tariffs.caps import label_and_slug, over_cap, windows
from tariffs.days import NO_OVERRIDES, DayKind
from tariffs.lines import Fee, Line, Scribe, half_up, total
from tariffs.periods import Run, length, runs
from tariffs.rebates import Rebate, rebates
from tariffs.reckoning import Reckoning
from tariffs.rule_parsing import parse_rules
from tariffs.rules import CapPer, Rules, TariffError
from tariffs.spans import Span, free_and_charged, uncovered

__all__ = [
    "ORDINARY",
    "CapPer",
    "Circumstances",
    "Fee",
    "Line",
    "Rules",
    "Tariff",
    "TariffError",
    "parse_rules",
    "price",
]


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of a tariff, with the zone whose wall clock its days and segments follow.

    `calendar` holds the kinds of days that differ from tariffs/days.py.
    """

    id: int
    version: int
    zone: ZoneInfo
    rules: Rules
    calendar: Mapping[date, DayKind] = field(default_factory=lambda: NO_OVERRIDES)


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What besides the two instants decides a price. Instants are aware.

    `left_before_at` is the vehicle's previous exit from the lot; `covered` are spans that a
    permit covers (free, never priced); from `overstay_from` on the stay overstays its booking.
    """

    vehicle_class: str = "small"
    new_energy: bool = False
    left_before_at: datetime | None = None
    covered: tuple[Span, ...] = ()
    overstay_from: datetime | None = None


ORDINARY = Circumstances()


def price(
    tariff: Tariff,
    entered_at: datetime,
    left_at: datetime,
    circumstances: Circumstances = ORDINARY,
) -> Fee:
    """Price the stay from `entered_at` to `left_at` (aware; any zone), in fen.

    Covered spans never make a stay dearer than it is without them. Without an overstay rule
    the whole stay is priced as booked time. Raises ValueError when an instant is naive or the
    stay ends before it begins.
    """
    if entered_at.tzinfo is None or left_at.tzinfo is None:
        raise ValueError("instants of a stay must be aware")
    entered, left = entered_at.astimezone(UTC), left_at.astimezone(UTC)
    if left < entered:
        raise ValueError("a stay cannot end before it begins")
    booked_until = left
    if tariff.rules.overstay and circumstances.overstay_from:
        booked_until = max(entered, min(left, _utc(circumstances.overstay_from)))
    lines = _never_dearer(_booked, tariff, entered, booked_until, circumstances)
    if booked_until < left:
        lines += _never_dearer(_overstayed, tariff, booked_until, left, circumstances)
    return Fee(total(lines), tuple(lines))


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("instants of a stay must be aware")
    return instant.astimezone(UTC)


def _never_dearer(
    priced: Callable[[Tariff, datetime, list[Span], Circumstances], list[Line]],
    tariff: Tariff,
    starts: datetime,
    ends: datetime,
    circumstances: Circumstances,
) -> list[Line]:
    """The lines of one part of a stay, outside its covered spans.

    Several spans with first periods of their own might cost more than the part would without a
    permit; the difference is taken off.
    """
    whole = [(starts, ends)] if starts < ends else []
    if not circumstances.covered:
        return priced(tariff, starts, whole, circumstances)
    covered = [(_utc(since), _utc(until)) for since, until in circumstances.covered]
    lines = priced(tariff, starts, uncovered(starts, ends, covered), circumstances)
    dearer_by = total(lines) - total(priced(tariff, starts, whole, circumstances))
    if dearer_by > 0:
        scribe = _scribe(tariff, lines[-1].income)
        label = "不高于无许可时的费用"
        lines.append(scribe.once(label, "never-dearer", starts, ends, -dearer_by))
    return lines


def _booked(
    tariff: Tariff, entered: datetime, spans: list[Span], circumstances: Circumstances
) -> list[Line]:
    """Time the driver may stay: with free minutes, rebates, caps and the class's percentage."""
    rules, zone, scribe = tariff.rules, tariff.zone, _scribe(tariff)
    too_soon = _again_too_soon(rules, entered, circumstances.left_before_at)
    free, charged = free_and_charged(rules, zone, spans, again_too_soon=too_soon)
    lines: list[Line] = []
    if free:
        label = f"免费{length(rules.free_minutes)}"
        lines = [scribe.once(label, "free-minutes", since, until, 0) for since, until in free]
    if not charged:
        return lines
    starts, ends = spans[0][0], spans[-1][1]
    less: list[Rebate] = []
    if rules.new_energy and circumstances.new_energy:
        less = rebates(rules.new_energy, zone, starts, ends)
    reckoning = Reckoning(scribe, _runs(tariff, charged), less, rules.segments)
    for number, (opens, closes) in enumerate(windows(rules, zone, starts, ends)):
        in_window = reckoning.lines(opens, closes)
        lines += in_window
        if over := over_cap(rules, number, total(in_window)):
            label, slug = label_and_slug(rules, number)
            lines.append(scribe.once(label, slug, opens, closes, -over))
    if rules.classes:
        lines += _of_class(tariff, scribe, lines, circumstances.vehicle_class, (starts, ends))
    return lines


def _overstayed(
    tariff: Tariff, _from: datetime, spans: list[Span], circumstances: Circumstances
) -> list[Line]:
    """Time beyond a booking: the class's price without any cap, multiplied, rounded once."""
    rule, scribe = tariff.rules.overstay, _scribe(tariff, "overstay")
    if not spans or rule is None:
        return []
    starts, ends = spans[0][0], spans[-1][1]
    lines = Reckoning(scribe, _runs(tariff, spans), []).lines(starts, ends)
    percent = percent_of(tariff.rules, circumstances.vehicle_class)
    owed = half_up(total(lines) * percent * rule.percent, 10_000)
    lines += _of_class(tariff, scribe, lines, circumstances.vehicle_class, (starts, ends))
    if more := owed - total(lines):
        label = f"超时停放{rule.percent}%"
        lines.append(scribe.once(label, "overstay-percent", starts, ends, more))
    if rule.cap_fen is not None and owed > rule.cap_fen:
        over = owed - rule.cap_fen
        lines.append(scribe.once("超时封顶", "overstay-cap", starts, ends, -over))
    return lines


def _again_too_soon(rules: Rules, entered: datetime, left_before_at: datetime | None) -> bool:
    """Whether a vehicle comes back before free minutes are granted again."""
    if not rules.free_again_after_minutes or left_before_at is None:
        return False
    return entered - _utc(left_before_at) <= timedelta(minutes=rules.free_again_after_minutes)


def _runs(tariff: Tariff, spans: list[Span]) -> list[Run]:
    rules, zone, calendar = tariff.rules, tariff.zone, tariff.calendar
    return [run for starts, ends in spans for run in runs(rules, zone, calendar, starts, ends)]


_CLASS_NAMES = {
    "small": "小型车",
    "large": "大型车",
    "three-wheel": "三轮车",
    "ebike": "电动自行车",
}


def _of_class(
    tariff: Tariff, scribe: Scribe, lines: list[Line], vehicle_class: str, part: Span
) -> list[Line]:
    """What a class of vehicles pays more or less than the lines say."""
    percent, plain = percent_of(tariff.rules, vehicle_class), total(lines)
    more = half_up(plain * percent, 100) - plain
    if not more:
        return []
    label = f"{_CLASS_NAMES.get(vehicle_class, vehicle_class)}{percent}%"
    return [scribe.once(label, f"class-{vehicle_class}", *part, more)]


def percent_of(rules: Rules, vehicle_class: str) -> int:
    """What percentage of the price a class of vehicles pays."""
    for row in rules.classes:
        if row.vehicle_class == vehicle_class:
            return row.percent
    return 100


def _scribe(tariff: Tariff, income: str | None = None) -> Scribe:
    return Scribe(f"tariff:{tariff.id}v{tariff.version}/", tariff.zone, income)
