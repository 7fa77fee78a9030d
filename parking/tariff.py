"""What a stay costs and why: a pure function of a tariff version and two instants.

A stay is charged by *periods* (one first period, then equal units). A period is priced as a whole
and belongs to the *window* (calendar day, or 24 h from entry) in which it starts; each window has
its cap. Lengths are differences of UTC instants, calendar days are the wall clock's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from parking.days import NO_OVERRIDES, DayKind

_DAY = timedelta(days=1)


class TariffError(ValueError):
    """Rules that cannot be a tariff; `errors` maps each bad field to its messages."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {' '.join(errors[field])}" for field in errors))
        self.errors = errors


class CapPer(StrEnum):
    """The window a cap counts over."""

    CALENDAR_DAY = "calendar_day"
    ROLLING_24H = "24h"


@dataclass(frozen=True, slots=True)
class Rules:
    """Validated price rules; `dataclasses.asdict` gives back the stored JSON."""

    free_minutes: int
    free_deducted: bool
    first_minutes: int
    first_fen: int
    unit_minutes: int
    unit_fen: int
    cap_fen: int | None
    cap_per: CapPer
    leave_within_minutes: int


@dataclass(frozen=True, slots=True)
class Tariff:
    """One version of a tariff, with the zone whose midnight its calendar days follow."""

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
    covered: tuple[tuple[datetime, datetime], ...] = ()
    overstay_from: datetime | None = None


ORDINARY = Circumstances()


@dataclass(frozen=True, slots=True)
class Line:
    """One reason for money: `units * unit_fen == amount_fen`, negative where a cap gives back.

    `starts_at` and `ends_at` are UTC and lie inside the stay; `zone` is for showing them.
    `income` names whose income it is ("overstay"); None is the lot's own.
    """

    label: str
    starts_at: datetime
    ends_at: datetime
    units: int
    unit_fen: int
    amount_fen: int
    rule: str
    zone: ZoneInfo
    income: str | None = None

    def as_json(self) -> dict[str, str | int]:
        """The line in the contract's field names, instants with the zone's offset."""
        told: dict[str, str | int] = {
            "label": self.label,
            "from": self.starts_at.astimezone(self.zone).isoformat(),
            "to": self.ends_at.astimezone(self.zone).isoformat(),
            "units": self.units,
            "unit_fen": self.unit_fen,
            "amount_fen": self.amount_fen,
            "rule": self.rule,
        }
        return told if self.income is None else told | {"income": self.income}


@dataclass(frozen=True, slots=True)
class Fee:
    """What is owed in fen, and the lines that sum to it."""

    total_fen: int
    lines: tuple[Line, ...]


_MAX_FEN = 10_000_000
_WHOLE_NUMBERS: dict[str, tuple[str, int, int]] = {
    "free_minutes": ("免费时长（free-minutes）", 0, 7 * 1440),
    "first_minutes": ("首时段时长（first-period）", 0, 1440),
    "first_fen": ("首时段价格（first-period）", 0, _MAX_FEN),
    "unit_minutes": ("计费单位时长（unit）", 1, 1440),
    "unit_fen": ("计费单位价格（unit）", 0, _MAX_FEN),
    "cap_fen": ("封顶金额（cap）", 0, _MAX_FEN),
    "leave_within_minutes": ("缴费后离场时限（leave-within）", 0, 1440),
}
_FIELDS = (*_WHOLE_NUMBERS, "free_deducted", "cap_per")


def parse_rules(rules: Mapping[str, object]) -> Rules:
    """Validate the rules as stored. Raises TariffError with a message for every bad field."""
    if not isinstance(rules, Mapping):
        raise TariffError({"rules": ["计费规则须为一个对象"]})
    errors = {field: ["未知字段"] for field in map(str, rules) if field not in _FIELDS}
    errors |= {field: ["缺少此字段"] for field in _FIELDS if field not in rules}
    for name in _FIELDS:
        if name in rules and (message := _wrong_value(name, rules[name])):
            errors[name] = [message]
    if errors:
        raise TariffError(errors)
    parsed = _build(rules)
    if errors := _contradictions(parsed):
        raise TariffError(errors)
    return parsed


def _wrong_value(field: str, value: object) -> str | None:
    if field == "free_deducted":
        return None if isinstance(value, bool) else "超时后扣除免费时长（free-minutes）：须为布尔值"
    if field == "cap_per":
        known = isinstance(value, str) and value in tuple(CapPer)
        return None if known else f"封顶周期（cap）：须为 {' 或 '.join(CapPer)}"
    if field == "cap_fen" and value is None:
        return None
    rule, low, high = _WHOLE_NUMBERS[field]
    if type(value) is int and low <= value <= high:
        return None
    return f"{rule}：须为 {low} 到 {high} 的整数"


def _build(rules: Mapping[str, object]) -> Rules:
    whole = {field: value for field, value in rules.items() if type(value) is int}
    return Rules(
        free_minutes=whole["free_minutes"],
        free_deducted=rules["free_deducted"] is True,
        first_minutes=whole["first_minutes"],
        first_fen=whole["first_fen"],
        unit_minutes=whole["unit_minutes"],
        unit_fen=whole["unit_fen"],
        cap_fen=whole.get("cap_fen"),
        cap_per=CapPer(str(rules["cap_per"])),
        leave_within_minutes=whole["leave_within_minutes"],
    )


def _contradictions(rules: Rules) -> dict[str, list[str]]:
    errors: dict[str, list[str]] = {}
    if rules.first_minutes == 0 and rules.first_fen > 0:
        errors["first_fen"] = ["首时段价格（first-period）：首时段时长为 0 时价格须为 0"]
    if rules.cap_fen is not None and rules.cap_fen < max(rules.first_fen, rules.unit_fen):
        errors["cap_fen"] = ["封顶金额（cap）：不得低于首时段价格或计费单位价格"]
    return errors


_CAP_LABEL_AND_SLUG = {
    CapPer.CALENDAR_DAY: ("当日封顶", "cap-calendar-day"),
    CapPer.ROLLING_24H: ("24小时封顶", "cap-24h"),
}


def price(
    tariff: Tariff,
    entered_at: datetime,
    left_at: datetime,
    circumstances: Circumstances = ORDINARY,  # noqa: ARG001 - no rule asks for them yet
) -> Fee:
    """Price the stay from `entered_at` to `left_at` (aware; any zone), in fen.

    Raises ValueError when an instant is naive or the stay ends before it begins.
    """
    if entered_at.tzinfo is None or left_at.tzinfo is None:
        raise ValueError("instants of a stay must be aware")
    entered, left = entered_at.astimezone(UTC), left_at.astimezone(UTC)
    if left < entered:
        raise ValueError("a stay cannot end before it begins")
    lines = tuple(_lines(tariff, entered, left))
    return Fee(sum([line.amount_fen for line in lines]), lines)


def _lines(tariff: Tariff, entered: datetime, left: datetime) -> Iterator[Line]:
    rules = tariff.rules
    free_until = entered + timedelta(minutes=rules.free_minutes)
    is_free = left <= free_until
    if entered < min(free_until, left) and (is_free or rules.free_deducted):
        label = f"免费{_length(rules.free_minutes)}"
        yield _line(tariff, label, "free-minutes", entered, min(free_until, left), 1, 0)
    if is_free:
        return
    charged_from = free_until if rules.free_deducted else entered
    for opens, closes in _windows(tariff, entered, left):
        charges = _charges(tariff, charged_from, left, opens, closes)
        yield from charges
        over = _over_cap(rules, sum([line.amount_fen for line in charges]))
        if over:
            label, slug = _CAP_LABEL_AND_SLUG[rules.cap_per]
            yield _line(tariff, label, slug, opens, closes, 1, -over)


def _windows(
    tariff: Tariff, entered: datetime, left: datetime
) -> Iterator[tuple[datetime, datetime]]:
    """The stay cut where a new cap begins; without a cap, in one piece."""
    if tariff.rules.cap_fen is None:
        yield entered, left
        return
    rolling = tariff.rules.cap_per is CapPer.ROLLING_24H
    borders = _full_days(entered) if rolling else _midnights(tariff.zone, entered)
    opens = entered
    while opens < left:
        closes = min(next(borders), left)
        yield opens, closes
        opens = closes


def _full_days(entered: datetime) -> Iterator[datetime]:
    while True:
        entered += _DAY
        yield entered


def _midnights(zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """First instants of the zone's days after `after`, in UTC.

    A midnight that the clock skips is the instant of the skip, one that it strikes twice is the
    first; a border already passed (a clock set back over midnight, a skipped date) is left out.
    """
    day = after.astimezone(zone).date()
    while True:
        day += _DAY
        midnight = datetime.combine(day, time.min, zone).astimezone(UTC)
        if midnight > after:
            yield midnight
            after = midnight


def _charges(
    tariff: Tariff, charged_from: datetime, left: datetime, opens: datetime, closes: datetime
) -> list[Line]:
    """Lines of the periods that start in the window [opens, closes)."""
    rules, lines = tariff.rules, []
    units_from = charged_from + timedelta(minutes=rules.first_minutes)
    if rules.first_minutes and opens <= charged_from < closes:
        label, ends = f"首{_length(rules.first_minutes)}", min(units_from, left)
        lines.append(_line(tariff, label, "first-period", charged_from, ends, 1, rules.first_fen))
    unit = timedelta(minutes=rules.unit_minutes)
    before, upto = _started(units_from, unit, opens), _started(units_from, unit, closes)
    if upto > before:
        starts, ends = units_from + before * unit, min(units_from + upto * unit, left)
        label = f"每{_length(rules.unit_minutes)}"
        lines.append(_line(tariff, label, "unit", starts, ends, upto - before, rules.unit_fen))
    return lines


def _started(units_from: datetime, unit: timedelta, before: datetime) -> int:
    """How many units of the row beginning at `units_from` start before an instant."""
    return max(0, -((units_from - before) // unit))


def _over_cap(rules: Rules, amount_fen: int) -> int:
    return 0 if rules.cap_fen is None else max(0, amount_fen - rules.cap_fen)


def _length(minutes: int) -> str:
    hours, rest = divmod(minutes, 60)
    if rest:
        return f"{minutes}分钟"
    return "小时" if hours == 1 else f"{hours}小时"


def _line(
    tariff: Tariff,
    label: str,
    slug: str,
    starts_at: datetime,
    ends_at: datetime,
    units: int,
    unit_fen: int,
) -> Line:
    rule = f"tariff:{tariff.id}v{tariff.version}/{slug}"
    amount_fen = units * unit_fen
    return Line(label, starts_at, ends_at, units, unit_fen, amount_fen, rule, tariff.zone)
