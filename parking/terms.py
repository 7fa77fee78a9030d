"""What a lot asks of those who book: dated terms, checked when written, and what follows. Pure.

Terms are stored as JSON with a date, as tariff rules are; a booking keeps those it was made under.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any, Literal

JUST_NOW = timedelta(minutes=2)
"""A booking may begin this long ago."""

Order = Literal["first-come", "least-used"]
Prefer = Literal["community", "private"]


class TermsError(ValueError):
    """Terms that cannot be; `errors` maps each bad field to its messages."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {' '.join(errors[field])}" for field in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Terms:
    """Validated booking terms; `dataclasses.asdict` gives back the stored JSON.

    Without a step (0) a booking begins and ends at any instant.
    """

    least_minutes: int = 30
    most_minutes: int = 7 * 1440
    ahead_minutes: int = 30 * 1440
    step_minutes: int = 0
    household_open: int = 5
    household_month_minutes: int = 200 * 60
    early_minutes: int = 15
    late_minutes: int = 15
    too_early_minutes: int = 240
    hold_minutes: int = 60
    no_show_percent: int = 50
    cancel_free_minutes: int = 30
    late_cancel_percent: int = 50
    order: Order = "first-come"
    prefer: Prefer = "community"
    walk_in_hold_minutes: int = 720
    walk_in_least_minutes: int = 60
    lead_minutes: int = 10


_DAY, _YEAR = 1440, 366 * 1440
_WHOLE_NUMBERS: dict[str, tuple[str, int, int]] = {
    "least_minutes": ("最短预约时长", 1, _YEAR),
    "most_minutes": ("最长预约时长", 1, _YEAR),
    "ahead_minutes": ("可提前预约的时间", 0, _YEAR),
    "household_open": ("每户同时有效的预约数", 0, 1000),
    "household_month_minutes": ("每户每月预约时长", 0, 100 * 31 * _DAY),
    "early_minutes": ("允许提前到达的时间", 0, _DAY),
    "late_minutes": ("允许延后离场的时间", 0, _DAY),
    "too_early_minutes": ("提示来得太早的时间", 0, _DAY),
    "hold_minutes": ("未到场保留时长", 1, 7 * _DAY),
    "no_show_percent": ("未到场收费比例", 0, 100),
    "cancel_free_minutes": ("免费取消的提前时间", 0, _YEAR),
    "late_cancel_percent": ("逾时取消收费比例", 0, 100),
    "walk_in_hold_minutes": ("临停预计最长时长", 1, 30 * _DAY),
    "walk_in_least_minutes": ("临停所需最短空闲时长", 1, 30 * _DAY),
    "lead_minutes": ("下一位到来前的提醒时间", 0, _DAY),
}
_CHOICES: dict[str, tuple[str, tuple[object, ...]]] = {
    "step_minutes": ("预约起止的时间刻度（分钟）", (0, 1, 5, 15)),
    "order": ("车位紧张时的次序", ("first-come", "least-used")),
    "prefer": ("优先分配的车位", ("community", "private")),
}
_FIELDS = tuple(field.name for field in fields(Terms))


def parse_terms(terms: Mapping[str, Any]) -> Terms:
    """Validate terms as stored; what they leave out has its default.

    Steps divide a quarter of an hour because every zone's offset is a multiple of one, so they
    are the same on every wall clock. Raises TermsError with a message for every bad field.
    """
    if not isinstance(terms, Mapping):
        raise TermsError({"terms": ["预约条款须为一个对象"]})
    errors = {field: ["未知字段"] for field in map(str, terms) if field not in _FIELDS}
    for field in _FIELDS:
        if field in terms and (message := _wrong_value(field, terms[field])):
            errors[field] = [message]
    if errors:
        raise TermsError(errors)
    parsed = Terms(**terms)
    if errors := _contradictions(parsed):
        raise TermsError(errors)
    return parsed


def _wrong_value(field: str, value: object) -> str | None:
    if field in _CHOICES:
        name, choices = _CHOICES[field]
        known = type(value) in (int, str) and value in choices
        return None if known else f"{name}：须为 {' 或 '.join(map(str, choices))}"
    name, low, high = _WHOLE_NUMBERS[field]
    if type(value) is int and low <= value <= high:
        return None
    return f"{name}：须为 {low} 到 {high} 的整数"


def _contradictions(terms: Terms) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    if terms.least_minutes > terms.most_minutes:
        found["least_minutes"] = ["最短预约时长：不得超过最长预约时长（most_minutes）"]
    for field in ("least_minutes", "most_minutes"):
        if terms.step_minutes and getattr(terms, field) % terms.step_minutes:
            name = _WHOLE_NUMBERS[field][0]
            found.setdefault(field, []).append(f"{name}：须为时间刻度（step_minutes）的整数倍")
    if terms.household_month_minutes < terms.least_minutes:
        found["household_month_minutes"] = [
            "每户每月预约时长：不得短于最短预约时长（least_minutes），否则无人能够预约"
        ]
    if terms.cancel_free_minutes > terms.ahead_minutes:
        found["cancel_free_minutes"] = [
            "免费取消的提前时间：不得超过可提前预约的时间（ahead_minutes），否则无法免费取消"
        ]
    if terms.late_cancel_percent > terms.no_show_percent:
        found["late_cancel_percent"] = [
            "逾时取消收费比例：不得高于未到场收费比例（no_show_percent），否则无人会取消"
        ]
    if terms.walk_in_least_minutes > terms.walk_in_hold_minutes:
        found["walk_in_least_minutes"] = [
            "临停所需最短空闲时长：不得超过临停预计最长时长（walk_in_hold_minutes）"
        ]
    return found


def refusal(
    terms: Terms, starts_at: datetime, ends_at: datetime, now: datetime
) -> tuple[str, str] | None:
    """Field and rule that `[starts_at, ends_at)`, asked for at `now`, breaks; None when it may be.

    What began a moment ago, and the step that is running, may still be booked: a driver at the
    gate books "from now", and clocks differ.
    Raises ValueError when an instant is naive.
    """
    if wrong := length_refusal(terms, starts_at, ends_at):
        return wrong
    if starts_at < now - max(JUST_NOW, timedelta(minutes=terms.step_minutes)):
        return "starts_at", "must not be in the past"
    if starts_at > now + timedelta(minutes=terms.ahead_minutes):
        return "starts_at", f"must be at most {_length(terms.ahead_minutes)} ahead"
    return None


def length_refusal(terms: Terms, starts_at: datetime, ends_at: datetime) -> tuple[str, str] | None:
    """The same for the two instants alone, as when a booking that has begun is extended."""
    if starts_at.tzinfo is None or ends_at.tzinfo is None:
        raise ValueError("instants must be aware")
    for field, instant in (("starts_at", starts_at), ("ends_at", ends_at)):
        if terms.step_minutes and (
            instant.second or instant.microsecond or instant.minute % terms.step_minutes
        ):
            return field, _step_rule(terms.step_minutes)
    length = ends_at - starts_at
    if length <= timedelta(0):
        return "ends_at", "must be later than starts_at"
    if length < timedelta(minutes=terms.least_minutes):
        return "ends_at", f"must be at least {_length(terms.least_minutes)} after starts_at"
    if length > timedelta(minutes=terms.most_minutes):
        return "ends_at", f"must be at most {_length(terms.most_minutes)} after starts_at"
    return None


def quota_refusal(
    terms: Terms, open_count: int, month_minutes: int, new_minutes: int
) -> str | None:
    """Which quota of a household one more booking would break; None when it may be.

    `open_count` and `month_minutes` are without the new booking. One that runs from a month into
    the next is asked about once for each, with the minutes that fall into it.
    """
    if open_count >= terms.household_open:
        return "household-open-quota"
    if month_minutes + new_minutes > terms.household_month_minutes:
        return "household-month-quota"
    return None


def cancel_fee_fen(terms: Terms, quoted_fen: int, starts_at: datetime, now: datetime) -> int:
    """What cancelling at `now` costs of a price quoted in fen, rounded half up.

    Nothing until `cancel_free_minutes` before the start, that instant included. Who cancels when
    the place is no longer held pays for not coming: it must not matter who is faster, the person
    or the sweep that releases the place.
    """
    if now <= starts_at - timedelta(minutes=terms.cancel_free_minutes):
        return 0
    if now >= starts_at + timedelta(minutes=terms.hold_minutes):
        return no_show_fee_fen(terms, quoted_fen)
    return _percent(quoted_fen, terms.late_cancel_percent)


def no_show_fee_fen(terms: Terms, quoted_fen: int) -> int:
    """What not coming costs of a price quoted in fen, rounded half up."""
    return _percent(quoted_fen, terms.no_show_percent)


def _step_rule(minutes: int) -> str:
    return "must be a whole minute" if minutes == 1 else f"must be a multiple of {minutes} minutes"


def _percent(fen: int, percent: int) -> int:
    return (fen * percent + 50) // 100


def _length(minutes: int) -> str:
    for size, unit in ((1440, "day"), (60, "hour")):
        if minutes and minutes % size == 0:
            return f"{minutes // size} {unit}{'s' if minutes > size else ''}"
    return f"{minutes} minute{'s' if minutes != 1 else ''}"
