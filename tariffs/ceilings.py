"""The legal ceilings of a tariff against the dearest hour and day its rules can produce. Pure.

Asked once, when rules are written. Stays are priced as without free minutes and rebates, entered
at every phase that can matter: multiples and halves of the greatest step that divides every
length and border of the rules (but no finer than five minutes), on every sequence of the kinds of
days that the rules tell apart.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import product
from math import gcd
from zoneinfo import ZoneInfo

from tariffs.days import DayKind
from tariffs.lines import half_up
from tariffs.rule_conflicts import span_of
from tariffs.rules import Ceiling, Regime, Rules, Segment, TariffError
from tariffs.tariff import Tariff, parse_rules, percent_of, price

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_A_DATE = date(2001, 6, 1)
_FINEST = timedelta(minutes=5)
_FIELDS = {"hour": "hour_fen", "day": "day_fen", "24h": "rolling_24h_fen"}
_TOLD = {"hour": "一小时", "day": "一日", "24h": "24小时"}

Exceeded = tuple[str, str, int, int]
"""Class, period ("hour", "day" or "24h"), the dearest price and its ceiling in fen."""


def accept_rules(rules: Mapping[str, object]) -> Rules:
    """Validate rules about to be written: the form, and ceilings under government pricing.

    Raises TariffError. A market price above its ceiling is accepted; `exceeded` tells of it.
    """
    parsed = parse_rules(rules)
    errors: dict[str, list[str]] = {}
    by_class = {row.vehicle_class: number for number, row in enumerate(parsed.ceilings)}
    for vehicle_class, period, fen, most in exceeded(parsed):
        number = by_class[vehicle_class]
        if parsed.ceilings[number].regime is Regime.GOVERNMENT:
            message = f"法定上限（ceiling）：{_TOLD[period]}最高可收 {fen} 分，超过 {most} 分"
            errors[f"ceilings.{number}.{_FIELDS[period]}"] = [message]
    if errors:
        raise TariffError(errors)
    return parsed


def exceeded(rules: Rules) -> list[Exceeded]:
    """The ceilings, of either regime, that these rules can exceed."""
    found = []
    for period, field in _FIELDS.items():
        limited = [(row, most) for row in rules.ceilings if (most := _most(row, field)) is not None]
        if limited:
            dearest = _dearest(rules, period)
            for row, most in limited:
                fen = half_up(dearest * percent_of(rules, row.vehicle_class), 100)
                if fen > most:
                    found.append((row.vehicle_class, period, fen, most))
    return found


def _most(ceiling: Ceiling, field: str) -> int | None:
    limits = {
        "hour_fen": ceiling.hour_fen,
        "day_fen": ceiling.day_fen,
        "rolling_24h_fen": ceiling.rolling_24h_fen,
    }
    return limits[field]


def _dearest(rules: Rules, period: str) -> int:
    """The most a vehicle of 100 % can be asked for a period, at the start of a stay or later."""
    plain = replace(rules, free_minutes=0, classes=(), new_energy=None, overstay=None)
    calendar, days = _every_sequence(plain)
    tariff = Tariff(0, 0, ZoneInfo("UTC"), plain, calendar)
    parts = {"hour": _hours, "day": _calendar_days, "24h": _full_days}[period]

    def fen(entered: datetime, until: datetime) -> int:
        return price(tariff, entered, until).total_fen if entered < until else 0

    looked_at = {
        (entered - day, _kinds(calendar, since, until)): (entered, since, until)
        for day in days
        for entered, since, until in parts(plain, day)
    }
    return max(
        fen(entered, until) - fen(entered, since) for entered, since, until in looked_at.values()
    )


def _kinds(
    calendar: Mapping[date, DayKind], since: datetime, until: datetime
) -> tuple[DayKind | None, ...]:
    """The kinds of the days of a period and of the day before: all that tells sequences apart."""
    days = ((until - timedelta(microseconds=1)).date() - since.date()).days
    return tuple(calendar.get(since.date() + n * _DAY) for n in range(-1, days + 1))


Part = tuple[datetime, datetime, datetime]
"""When the vehicle entered, and the period of its stay that is looked at."""


def _hours(rules: Rules, day: datetime) -> Iterator[Part]:
    """Hours at entry, and after each first period or row of a table."""
    prices: list[Rules | Segment] = [rules, *rules.segments]
    after = {0, *(p.first_minutes for p in prices), *(row.from_minutes for row in rules.table)}
    for phase, minutes in product(_phases(rules), sorted(after)):
        since = day + phase
        yield since - timedelta(minutes=minutes), since, since + _HOUR


def _full_days(rules: Rules, day: datetime) -> Iterator[Part]:
    for phase, before in product(_phases(rules), range(_windows(rules))):
        since = day + phase
        yield since - before * _DAY, since, since + _DAY


def _calendar_days(rules: Rules, day: datetime) -> Iterator[Part]:
    begins = day + timedelta(hours=rules.day_begins_hour)
    for phase, before in product(_phases(rules), range(_windows(rules) + 1)):
        entered = begins + phase - before * _DAY
        yield entered, max(entered, begins), begins + _DAY


def _windows(rules: Rules) -> int:
    """How many days into a stay prices may still change."""
    rows = max((row.from_minutes for row in rules.table), default=0)
    return max(2, len(rules.caps_fen), rows // 1440 + 2)


def _phases(rules: Rules) -> list[timedelta]:
    """The times of day at which entering can make a difference."""
    prices: list[Rules | Segment] = [rules, *rules.segments]
    lengths = [60, *(p.first_minutes for p in prices), *(p.unit_minutes for p in prices)]
    lengths += [minutes for s in rules.segments for minutes in span_of(s.begins, s.ends)]
    lengths += [row.unit_minutes or row.to_minutes or 0 for row in rules.table]
    lengths += [row.from_minutes for row in rules.table]
    step = max(_FINEST, timedelta(minutes=gcd(*lengths)) / 2)
    return [n * step for n in range(_DAY // step)]


def _every_sequence(rules: Rules) -> tuple[Mapping[date, DayKind], list[datetime]]:
    """A calendar with every kind of day before every other, and the midnights to look at.

    Where a segment wraps midnight, the day before counts as well.
    """
    alike = {tuple(kind in (s.days or DayKind) for s in rules.segments): kind for kind in DayKind}
    wraps = any(span_of(s.begins, s.ends)[1] > 1440 for s in rules.segments)
    in_a_row = 3 if wraps else 2
    calendar: dict[date, DayKind] = {}
    looked_at = []
    for number, kinds in enumerate(product(alike.values(), repeat=in_a_row)):
        first = _A_DATE + in_a_row * number * _DAY
        calendar |= {first + n * _DAY: kind for n, kind in enumerate(kinds)}
        looked_at.append(datetime.combine(first + (in_a_row - 2) * _DAY, time(), UTC))
    return calendar, looked_at
