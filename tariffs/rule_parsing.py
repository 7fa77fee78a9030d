"""Reading price rules from JSON: the form of every field, told in the words of its row. Pure."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, TypeVar

from tariffs.days import DayKind
from tariffs.rule_conflicts import conflicts
from tariffs.rules import (
    AcrossBorder,
    CapPer,
    Ceiling,
    ClassPrice,
    Energy,
    NewEnergy,
    Overstay,
    Regime,
    Rules,
    Segment,
    TableRow,
    TariffError,
)

Read = Callable[[object], Any]
Kind = TypeVar("Kind", bound=StrEnum)

_MAX_FEN = 10_000_000
_DAY = 1440
_CLOCK = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
_CLASS = re.compile(r"[a-z][a-z0-9-]{0,29}")


def parse_rules(rules: Mapping[str, object]) -> Rules:
    """Validate the rules as stored. Raises TariffError with a message for every bad field."""
    if not isinstance(rules, Mapping):
        raise TariffError({"rules": ["计费规则须为一个对象"]})
    if rules.get("table"):
        parsed = Rules(**_INSTEAD_OF_A_TABLE | _read(_FORM, _REQUIRED_BESIDE_A_TABLE, rules))
    else:
        parsed = Rules(**_read(_FORM, _REQUIRED, rules))
    if errors := conflicts(parsed):
        raise TariffError(errors)
    return parsed


def _read(
    form: Mapping[str, Read], required: tuple[str, ...], given: Mapping[str, object]
) -> dict[str, Any]:
    """The values of an object, converted; what is wrong inside a value is told with its path."""
    errors = {name: ["缺少此字段"] for name in required if name not in given}
    values = {}
    for name, value in given.items():
        read = form.get(name)
        if read is None:
            errors[str(name)] = ["未知字段"]
            continue
        try:
            values[name] = read(value)
        except TariffError as wrong:
            errors |= {f"{name}.{at}".rstrip("."): told for at, told in wrong.errors.items()}
    if errors:
        raise TariffError(errors)
    return values


def _wrong(message: str) -> TariffError:
    """What is wrong with the value at hand."""
    return TariffError({"": [message]})


def _whole(rule: str, low: int, high: int, *, or_none: bool = False) -> Read:
    def read(value: object) -> int | None:
        if type(value) is int and low <= value <= high:
            return value
        if value is None and or_none:
            return None
        raise _wrong(f"{rule}：须为 {low} 到 {high} 的整数")

    return read


def _fen(rule: str, *, or_none: bool = False) -> Read:
    return _whole(rule, 0, _MAX_FEN, or_none=or_none)


def _yes_or_no(rule: str) -> Read:
    def read(value: object) -> bool:
        if isinstance(value, bool):
            return value
        raise _wrong(f"{rule}：须为布尔值")

    return read


def _one_of(rule: str, kinds: type[Kind]) -> Read:
    def read(value: object) -> Kind:
        if isinstance(value, str) and value in tuple(kinds):
            return kinds(value)
        raise _wrong(f"{rule}：须为 {' 或 '.join(kinds)}")

    return read


def _text(rule: str, pattern: re.Pattern[str], says: str, *, or_none: bool = False) -> Read:
    def read(value: object) -> str | None:
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        if value is None and or_none:
            return None
        raise _wrong(f"{rule}：须为 {says}")

    return read


def _clock(rule: str, *, or_none: bool = False) -> Read:
    return _text(rule, _CLOCK, "00:00 到 23:59 的时刻", or_none=or_none)


def _rows(rule: str, most: int, read_row: Read) -> Read:
    """A list, its rows read one by one; errors name the row, counted from 0."""

    def read(value: object) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) > most:
            raise _wrong(f"{rule}：须为不超过 {most} 行的列表")
        rows: list[Any] = []
        errors: dict[str, list[str]] = {}
        for number, row in enumerate(value):
            try:
                rows.append(read_row(row))
            except TariffError as wrong:
                errors |= {f"{number}.{at}".rstrip("."): told for at, told in wrong.errors.items()}
        if errors:
            raise TariffError(errors)
        return tuple(rows)

    return read


def _object(made: Callable[..., Any], required: str, form: Mapping[str, Read]) -> Read:
    def read(value: object) -> object:
        if not isinstance(value, Mapping):
            raise _wrong("须为一个对象")
        return made(**_read(form, tuple(required.split()), value))

    return read


def _or_none(read_value: Read) -> Read:
    def read(value: object) -> object:
        return None if value is None else read_value(value)

    return read


_CLASS_NAME = _text("车辆类型（class）", _CLASS, "小写字母开头的代码")

_TABLE_ROW = _object(
    TableRow,
    "from_minutes to_minutes fen",
    {
        "from_minutes": _whole("起始分钟（table）", 0, 7 * _DAY),
        "to_minutes": _whole("截止分钟（table）", 1, 7 * _DAY, or_none=True),
        "fen": _fen("价格（table）"),
        "unit_minutes": _whole("计费单位时长（table）", 1, _DAY, or_none=True),
    },
)

_SEGMENT = _object(
    Segment,
    "name begins ends first_minutes first_fen unit_minutes unit_fen",
    {
        "name": _text("时段名称（segment）", re.compile(r"\S.{0,19}"), "1 到 20 个字"),
        "begins": _clock("时段开始（segment）"),
        "ends": _text(
            "时段结束（segment）", re.compile(_CLOCK.pattern + "|24:00"), "00:00 到 24:00 的时刻"
        ),
        "first_minutes": _whole("首时段时长（first-period）", 0, _DAY),
        "first_fen": _fen("首时段价格（first-period）"),
        "unit_minutes": _whole("计费单位时长（unit）", 1, _DAY),
        "unit_fen": _fen("计费单位价格（unit）"),
        "cap_fen": _fen("时段封顶（segment-cap）", or_none=True),
        "days": _rows("适用日（days）", len(DayKind), _one_of("适用日（days）", DayKind)),
    },
)

_CLASS_PRICE = _object(
    ClassPrice,
    "vehicle_class percent",
    {"vehicle_class": _CLASS_NAME, "percent": _whole("百分比（class）", 0, 1000)},
)

_NEW_ENERGY = _object(
    NewEnergy,
    "",
    {
        "free_minutes": _whole("新能源免费时长（new-energy）", 0, 7 * _DAY),
        "percent": _whole("新能源百分比（new-energy）", 0, 100),
        "until_minutes": _whole("新能源优惠截止（new-energy）", 0, 7 * _DAY),
        "free_from": _clock("新能源免费开始（new-energy）", or_none=True),
        "free_to": _clock("新能源免费结束（new-energy）", or_none=True),
    },
)

_OVERSTAY = _object(
    Overstay,
    "percent",
    {
        "percent": _whole("超时百分比（overstay）", 100, 1000),
        "cap_fen": _fen("超时封顶（overstay）", or_none=True),
    },
)

_CEILING = _object(
    Ceiling,
    "vehicle_class regime",
    {
        "vehicle_class": _CLASS_NAME,
        "regime": _one_of("定价方式（ceiling）", Regime),
        "hour_fen": _fen("每小时上限（ceiling）", or_none=True),
        "day_fen": _fen("每日上限（ceiling）", or_none=True),
        "rolling_24h_fen": _fen("24小时上限（ceiling）", or_none=True),
    },
)

_ENERGY = _object(
    Energy,
    "electricity_fen_per_kwh service_fen_per_kwh longest_minutes",
    {
        "electricity_fen_per_kwh": _whole("电费每千瓦时（energy）", 0, 10_000),
        "service_fen_per_kwh": _whole("服务费每千瓦时（energy）", 0, 10_000),
        "longest_minutes": _whole("最长充电时间（energy）", 1, _DAY),
    },
)

_FORM: dict[str, Read] = {
    "free_minutes": _whole("免费时长（free-minutes）", 0, 7 * _DAY),
    "free_deducted": _yes_or_no("超时后扣除免费时长（free-minutes）"),
    "first_minutes": _whole("首时段时长（first-period）", 0, _DAY),
    "first_fen": _fen("首时段价格（first-period）"),
    "unit_minutes": _whole("计费单位时长（unit）", 1, _DAY),
    "unit_fen": _fen("计费单位价格（unit）"),
    "cap_fen": _fen("封顶金额（cap）", or_none=True),
    "cap_per": _one_of("封顶周期（cap）", CapPer),
    "leave_within_minutes": _whole("缴费后离场时限（leave-within）", 0, _DAY),
    "free_each_day": _yes_or_no("每日重新免费（free-minutes）"),
    "free_again_after_minutes": _whole("再次入场免费间隔（free-minutes）", 0, 7 * _DAY),
    "day_begins_hour": _whole("每日起始钟点（cap）", 0, 23),
    "caps_fen": _rows("递进封顶（caps）", 31, _fen("封顶金额（caps）")),
    "first_once": _yes_or_no("首时段仅一次（first-period）"),
    "table": _rows("费率表（table）", 50, _TABLE_ROW),
    "table_repeats_minutes": _whole("费率表周期（table）", 720, 7 * _DAY, or_none=True),
    "segments": _rows("分时段（segments）", 20, _SEGMENT),
    "across_border": _one_of("跨时段单位（segments）", AcrossBorder),
    "classes": _rows("车辆类型（classes）", 30, _CLASS_PRICE),
    "new_energy": _or_none(_NEW_ENERGY),
    "overstay": _or_none(_OVERSTAY),
    "ceilings": _rows("法定上限（ceilings）", 30, _CEILING),
    "energy": _or_none(_ENERGY),
}
_INSTEAD_OF_A_TABLE = {"first_minutes": 0, "first_fen": 0, "unit_minutes": _DAY, "unit_fen": 0}
_REQUIRED = tuple(_FORM)[:9]
_REQUIRED_BESIDE_A_TABLE = tuple(name for name in _REQUIRED if name not in _INSTEAD_OF_A_TABLE)
