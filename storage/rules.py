"""What a community decides about its lockers: dated rules, checked when they are written. Pure.

They are stored as JSON with a date, as booking terms are; a parcel keeps those it came under.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

Site = Literal["residential", "office", "school", "station"]
SITES: tuple[Site, ...] = ("residential", "office", "school", "station")
"""Where a cabinet stands; on weekends some of these are locked."""

Unknown = Literal["ask", "refuse"]
Strange = Literal["accept", "refuse"]


class RulesError(ValueError):
    """Rules that cannot be; `errors` maps each bad field to its messages."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {' '.join(errors[field])}" for field in errors))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class LockerRules:
    """Validated rules; `dataclasses.asdict` gives back the stored JSON.

    Storing is free for `free_hours` of running time, then costs `step_fen` per started
    `step_hours`, `cap_fen` at most (storage/fees.py). `warn_hours` are before the end of the
    free time. `reclaim_hours` (the courier's) and `removal_hours` (the operator's) count from the
    deposit, but wait for that end (storage/due.py). Quiet hours are those in which nobody is told
    anything; with `quiet_stops` no fee grows in them either. Equal times are no quiet hours.

    A cabinet is late after `heartbeat_seconds` of silence, offline `grace_seconds` later.
    """

    free_hours: int = 18
    step_hours: int = 12
    step_fen: int = 50
    cap_fen: int = 300
    member_free_hours: int = 168
    holidays_stop: bool = True
    weekends_stop_at: tuple[Site, ...] = ("office",)
    quiet_from: str = "22:00"
    quiet_until: str = "07:00"
    quiet_stops: bool = False
    warn_hours: int = 4
    reclaim_hours: int = 72
    removal_hours: int = 168
    unknown_recipients: Unknown = "ask"
    unknown_couriers: Strange = "accept"
    hold_minutes: int = 10
    keep_large_free: int = 1
    cameras_required: bool = True
    heartbeat_seconds: int = 60
    grace_seconds: int = 240
    code_failures: int = 5
    code_lock_minutes: int = 15
    guess_failures: int = 10
    guess_window_seconds: int = 60
    guess_pause_seconds: int = 30


_STEPS_AT_MOST = 60
_LONGEST_QUIET_MINUTES = 16 * 60
_DAY_MINUTES = 1440
_WHOLE_NUMBERS: dict[str, tuple[str, int, int]] = {
    # An hour at least: inside the storage period nothing may be charged, and there has to be one
    # (智能快件箱寄递服务管理办法).
    "free_hours": ("免费存放时长", 1, 336),
    "step_hours": ("超期计费周期", 1, 168),
    "step_fen": ("每个周期的超期费", 0, 5_000),
    "cap_fen": ("每件封顶金额", 0, 10_000),
    "member_free_hours": ("会员免费存放时长", 1, 744),
    "warn_hours": ("免费期届满前的提醒时间", 1, 72),
    "reclaim_hours": ("通知快递员取回的时间", 1, 720),
    "removal_hours": ("由物业取出的时间", 2, 2160),
    "hold_minutes": ("为快递员保留格口的时间", 1, 60),
    "keep_large_free": ("保留的大格口数", 0, 50),
    "heartbeat_seconds": ("心跳间隔", 5, 3600),
    "grace_seconds": ("判定离线的宽限时间", 5, 86_400),
    "code_failures": ("取件码锁定前的错误次数", 1, 10),
    "code_lock_minutes": ("取件码锁定时间", 1, 1440),
    "guess_failures": ("快递柜限流前的错误次数", 1, 100),
    "guess_window_seconds": ("快递柜限流的统计时间", 1, 3600),
    "guess_pause_seconds": ("快递柜限流的暂停时间", 1, 3600),
}
_YES_OR_NO = {
    "holidays_stop": "法定节假日停止计时",
    "quiet_stops": "夜间停止计时",
    "cameras_required": "须有摄像头方可投递",
}
_CLOCK_TIMES = {"quiet_from": "免打扰开始", "quiet_until": "免打扰结束"}
_CLOCK_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]")
_CHOICES: dict[str, tuple[str, tuple[str, ...]]] = {
    "unknown_recipients": ("未登记收件人的处理", ("ask", "refuse")),
    "unknown_couriers": ("未登记快递员的处理", ("accept", "refuse")),
}
_FIELDS = tuple(field.name for field in fields(LockerRules))


def parse_rules(rules: Mapping[str, Any]) -> LockerRules:
    """Validate rules as stored; what they leave out has its default.

    Raises RulesError with a message for every bad field.
    """
    if not isinstance(rules, Mapping):
        raise RulesError({"rules": ["快递柜规则须为一个对象"]})
    errors = {field: ["未知字段"] for field in map(str, rules) if field not in _FIELDS}
    for field in _FIELDS:
        if field in rules and (message := _wrong_value(field, rules[field])):
            errors[field] = [message]
    if errors:
        raise RulesError(errors)
    parsed = LockerRules(**_with_tuples(rules))
    if errors := _contradictions(parsed):
        raise RulesError(errors)
    return parsed


def quiet_minutes(rules: LockerRules) -> int:
    """How many minutes of a day are quiet."""
    return (_minute(rules.quiet_until) - _minute(rules.quiet_from)) % _DAY_MINUTES


def _with_tuples(rules: Mapping[str, Any]) -> dict[str, Any]:
    """JSON has lists where frozen rules have tuples."""
    return {f: tuple(value) if isinstance(value, list) else value for f, value in rules.items()}


def _wrong_value(field: str, value: object) -> str | None:
    if field in _WHOLE_NUMBERS:
        name, low, high = _WHOLE_NUMBERS[field]
        right = type(value) is int and low <= value <= high
        return None if right else f"{name}：须为 {low} 到 {high} 的整数"
    if field in _YES_OR_NO:
        return None if type(value) is bool else f"{_YES_OR_NO[field]}：须为 true 或 false"
    if field in _CLOCK_TIMES:
        right = isinstance(value, str) and _CLOCK_TIME.fullmatch(value) is not None
        return None if right else f"{_CLOCK_TIMES[field]}：须为 00:00 到 23:59 的时刻"
    if field == "weekends_stop_at":
        return _wrong_sites(value)
    name, choices = _CHOICES[field]
    right = isinstance(value, str) and value in choices
    return None if right else f"{name}：须为 {' 或 '.join(choices)}"


def _wrong_sites(value: object) -> str | None:
    name = "周末停止计时的场所"
    if not isinstance(value, (list, tuple)):
        return f"{name}：须为一个列表"
    if any(not isinstance(site, str) or site not in SITES for site in value):
        return f"{name}：每项须为 {' 或 '.join(SITES)}"
    return f"{name}：重复" if len(set(value)) < len(value) else None


def _contradictions(rules: LockerRules) -> dict[str, list[str]]:
    found = {
        field: [f"{_name(field)}：{message}"]
        for wrong, field, message in (*_about_fees(rules), *_about_deadlines(rules))
        if wrong
    }
    if quiet_minutes(rules) > _LONGEST_QUIET_MINUTES:
        message = f"免打扰不得超过 {_LONGEST_QUIET_MINUTES // 60} 小时，否则无法及时通知"
        found["quiet_until"] = [f"免打扰结束：{message}"]
    return found


def _about_fees(rules: LockerRules) -> tuple[tuple[bool, str, str], ...]:
    return (
        (
            rules.cap_fen < rules.step_fen,
            "cap_fen",
            "不得低于一个周期的超期费（step_fen）",
        ),
        (
            rules.cap_fen > _STEPS_AT_MOST * rules.step_fen > 0,
            "cap_fen",
            f"须在 {_STEPS_AT_MOST} 个计费周期内达到",
        ),
        (
            rules.member_free_hours < rules.free_hours,
            "member_free_hours",
            "不得短于免费存放时长（free_hours）",
        ),
        (
            rules.quiet_stops and not quiet_minutes(rules),
            "quiet_stops",
            "没有免打扰时段（quiet_from、quiet_until），无法停止计时",
        ),
    )


def _about_deadlines(rules: LockerRules) -> tuple[tuple[bool, str, str], ...]:
    return (
        (
            rules.warn_hours >= rules.free_hours,
            "warn_hours",
            "须短于免费存放时长（free_hours）",
        ),
        (
            rules.removal_hours <= rules.reclaim_hours,
            "removal_hours",
            "须晚于通知快递员取回的时间（reclaim_hours）",
        ),
        (
            rules.grace_seconds < rules.heartbeat_seconds,
            "grace_seconds",
            "不得短于心跳间隔（heartbeat_seconds），否则丢失一次心跳即判为离线",
        ),
    )


def _name(field: str) -> str:
    return _WHOLE_NUMBERS[field][0] if field in _WHOLE_NUMBERS else _YES_OR_NO[field]


def _minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])
