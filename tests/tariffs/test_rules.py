"""What is refused when rules are written: by field, by row, in words of the rule."""

import json
from dataclasses import asdict
from typing import Any

import pytest

from tariffs.ceilings import accept_rules, exceeded
from tariffs.rule_parsing import parse_rules
from tariffs.rules import CapPer, Rules, TariffError

FLAT: dict[str, Any] = {
    "free_minutes": 15,
    "free_deducted": False,
    "first_minutes": 60,
    "first_fen": 300,
    "unit_minutes": 30,
    "unit_fen": 100,
    "cap_fen": 1500,
    "cap_per": "calendar_day",
    "leave_within_minutes": 15,
}
NO_PERIODS = {"first_minutes": 0, "first_fen": 0, "unit_fen": 0}
NIGHT: dict[str, Any] = {
    "name": "夜间",
    "begins": "22:00",
    "ends": "08:00",
    "first_minutes": 0,
    "first_fen": 0,
    "unit_minutes": 60,
    "unit_fen": 100,
    "cap_fen": 500,
    "days": ["workday", "makeup_workday"],
}
DAY: dict[str, Any] = {**NIGHT, "name": "日间", "begins": "08:00", "ends": "22:00"}
SUZHOU = [
    {"from_minutes": 0, "to_minutes": 480, "fen": 500},
    {"from_minutes": 480, "to_minutes": 1440, "fen": 500},
]
EVERYTHING: dict[str, Any] = {
    **FLAT,
    "cap_fen": None,
    "free_each_day": True,
    "free_again_after_minutes": 60,
    "day_begins_hour": 5,
    "caps_fen": [3000, 4000],
    "first_once": True,
    "segments": [NIGHT],
    "across_border": "new_unit",
    "classes": [{"vehicle_class": "large", "percent": 200}],
    "new_energy": {
        "free_minutes": 120,
        "percent": 50,
        "until_minutes": 240,
        "free_from": "20:00",
        "free_to": "08:00",
    },
    "overstay": {"percent": 300, "cap_fen": 20000},
    "ceilings": [{"vehicle_class": "small", "regime": "market", "hour_fen": 300}],
    "energy": {
        "electricity_fen_per_kwh": 55,
        "service_fen_per_kwh": 60,
        "longest_minutes": 480,
    },
}


def refusal(changes: dict[str, Any]) -> dict[str, list[str]]:
    with pytest.raises(TariffError) as refused:
        parse_rules({**FLAT, **changes})
    return refused.value.errors


def test_the_oldest_rules_stay_rules_and_mean_the_same() -> None:
    stored = json.loads(json.dumps(FLAT))
    assert parse_rules(stored) == Rules(**FLAT | {"cap_per": CapPer.CALENDAR_DAY})


@pytest.mark.parametrize(
    "rules",
    [
        EVERYTHING,
        {**FLAT, **NO_PERIODS, "table": SUZHOU, "table_repeats_minutes": 1440},
        {**FLAT, "segments": [NIGHT, DAY, {**DAY, "days": ["weekend"]}]},
    ],
)
def test_rules_with_everything_survive_the_database(rules: dict[str, Any]) -> None:
    parsed = parse_rules(rules)
    again = json.loads(json.dumps(asdict(parsed)))
    assert parse_rules(again) == parsed
    assert rules.items() <= without_what_was_not_said(again, rules).items()


def without_what_was_not_said(stored: Any, said: Any) -> Any:
    """The stored rules with only those fields that were given, at any depth."""
    if isinstance(said, dict):
        return {name: without_what_was_not_said(stored[name], said[name]) for name in said}
    if isinstance(said, list):
        return [without_what_was_not_said(*pair) for pair in zip(stored, said, strict=True)]
    return stored


def test_a_table_needs_no_first_period_and_unit() -> None:
    needless = {"first_minutes", "first_fen", "unit_minutes", "unit_fen"}
    rest = {name: value for name, value in FLAT.items() if name not in needless}
    assert parse_rules({**rest, "table": SUZHOU, "table_repeats_minutes": 1440}).unit_fen == 0
    with pytest.raises(TariffError) as refused:
        parse_rules({**rest, "table": []})
    assert set(refused.value.errors) == needless


def row(start: int, end: int | None, fen: int = 100, unit: int | None = None) -> dict[str, Any]:
    return {"from_minutes": start, "to_minutes": end, "fen": fen, "unit_minutes": unit}


@pytest.mark.parametrize(
    ("rows", "repeats", "field", "says"),
    [
        (
            [row(0, 60), row(60, 120), row(180, 1440)],
            1440,
            "table.2.from_minutes",
            "空缺，须为 120",
        ),
        ([row(0, 60), row(30, 1440)], 1440, "table.1.from_minutes", "重叠，须为 60"),
        ([row(15, 1440)], 1440, "table.0.from_minutes", "须为 0"),
        ([row(0, 144)], 1440, "table.0.to_minutes", "1440"),
        ([row(0, 60), row(60, 1440)], None, "table.1.to_minutes", "无截止"),
        ([row(0, None, unit=30)], 1440, "table.0.to_minutes", "1440"),
        ([row(0, None, unit=30), row(60, 1440)], 1440, "table.1.from_minutes", "没有截止"),
        ([row(0, None)], None, "table.0.unit_minutes", "须有计费单位"),
        ([row(0, 60), row(60, 60)], 60 * 24, "table.1.to_minutes", "大于起始"),
        ([row(0, 1440, unit=50)], 1440, "table.0.unit_minutes", "整除"),
        ([row(0, 1440, fen=1501)], 1440, "cap_fen", "不得低于"),
        ([row(0, 60), {"from_minutes": 60, "fen": 1}], None, "table.1.to_minutes", "缺少"),
        ([row(0, 60), {**row(60, None), "x": 1}], None, "table.1.x", "未知"),
        ([row(0, 60), "row"], None, "table.1", "对象"),
        ([row(-1, 60)], None, "table.0.from_minutes", "整数"),
        ([], 1440, "table_repeats_minutes", "没有费率表"),
        ({"0": row(0, 60)}, None, "table", "列表"),
    ],
)
def test_a_table_covers_its_time_without_gap_or_overlap(
    rows: Any, repeats: int | None, field: str, says: str
) -> None:
    table = {**NO_PERIODS, "table": rows, "table_repeats_minutes": repeats}
    told = refusal(table)
    assert says in told[field][0]


def test_a_table_replaces_first_period_and_unit() -> None:
    table = {"table": SUZHOU, "table_repeats_minutes": 1440}
    assert list(refusal(table)) == ["table"]


@pytest.mark.parametrize(
    ("other", "field"),
    [
        ({"begins": "07:00", "ends": "09:00"}, "segments.1.begins"),
        ({"begins": "21:59", "ends": "22:01"}, "segments.1.begins"),
        # a workday's night reaches into whatever day follows
        ({"begins": "00:00", "ends": "24:00", "days": ["weekend"]}, "segments.1.begins"),
        ({"begins": "21:00", "ends": "08:01", "days": ["holiday"]}, None),
        ({"begins": "00:00", "ends": "00:00", "days": []}, "segments.1.begins"),
        ({"begins": "08:00", "ends": "22:00", "days": []}, None),
        ({"begins": "08:00", "ends": "24:00", "days": ["weekend"]}, None),
        ({"begins": "24:00"}, "segments.1.begins"),
        ({"ends": "24:01"}, "segments.1.ends"),
        ({"begins": "8:00", "ends": "22:00"}, "segments.1.begins"),
        ({"begins": "08:00", "ends": "22:00", "cap_fen": 99}, "segments.1.cap_fen"),
        ({"begins": "08:00", "ends": "22:00", "first_fen": 1}, "segments.1.first_fen"),
        ({"begins": "08:00", "ends": "22:00", "unit_minutes": 0}, "segments.1.unit_minutes"),
        ({"begins": "08:00", "ends": "22:00", "unit_fen": 501}, "segments.1.cap_fen"),
        ({"begins": "08:00", "ends": "22:00", "days": ["monday"]}, "segments.1.days.0"),
        ({"begins": "08:00", "ends": "22:00", "days": ["holiday"] * 2}, "segments.1.days"),
        ({"begins": "08:00", "ends": "22:00", "name": " "}, "segments.1.name"),
    ],
)
def test_segments_do_not_overlap_on_any_kind_of_day(
    other: dict[str, Any], field: str | None
) -> None:
    segments = {"segments": [NIGHT, {**DAY, **other}]}
    if field is None:
        assert len(parse_rules({**FLAT, **segments}).segments) == 2
    else:
        assert field in refusal(segments)


def test_a_holidays_longer_night_meets_the_workdays_night_that_follows_it() -> None:
    longer = {**NIGHT, "begins": "21:00", "ends": "22:00", "days": ["holiday"]}
    assert parse_rules({**FLAT, "segments": [NIGHT, longer]}).segments[1].ends == "22:00"
    longer["ends"] = "21:30"
    longer["begins"] = "07:30"
    assert list(refusal({"segments": [NIGHT, longer]})) == ["segments.1.begins"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"free_each_day": 1}, "free_each_day"),
        ({"free_again_after_minutes": -1}, "free_again_after_minutes"),
        ({"day_begins_hour": 24}, "day_begins_hour"),
        ({"caps_fen": [1500]}, "caps_fen"),
        ({"cap_fen": None, "caps_fen": [3000, 299]}, "caps_fen.1"),
        ({"cap_fen": None, "caps_fen": [3000, "4000"]}, "caps_fen.1"),
        ({"cap_fen": None, "caps_fen": 3000}, "caps_fen"),
        ({"across_border": "halves"}, "across_border"),
        ({"classes": [{"vehicle_class": "Large", "percent": 1}]}, "classes.0.vehicle_class"),
        ({"classes": [{"vehicle_class": "large", "percent": 2.0}]}, "classes.0.percent"),
        ({"classes": [{"vehicle_class": "a", "percent": 1}] * 2}, "classes.1.vehicle_class"),
        ({"new_energy": {"percent": 50}}, "new_energy.until_minutes"),
        (
            {"new_energy": {"free_minutes": 60, "until_minutes": 30}},
            "new_energy.until_minutes",
        ),
        ({"new_energy": {"free_from": "20:00"}}, "new_energy.free_to"),
        ({"new_energy": {"free_to": "20:00"}}, "new_energy.free_from"),
        ({"new_energy": {"free_until": "20:00"}}, "new_energy.free_until"),
        ({"new_energy": []}, "new_energy"),
        ({"overstay": {"percent": 99}}, "overstay.percent"),
        ({"overstay": {"cap_fen": 1}}, "overstay.percent"),
        ({"energy": {"electricity_fen_per_kwh": 55}}, "energy.service_fen_per_kwh"),
        (
            {"ceilings": [{"vehicle_class": "small", "regime": "guild"}]},
            "ceilings.0.regime",
        ),
        (
            {"ceilings": [{"vehicle_class": "small", "regime": "market"}] * 2},
            "ceilings.1.vehicle_class",
        ),
    ],
)
def test_other_rules_are_refused_by_field_and_row(changes: dict[str, Any], field: str) -> None:
    assert field in refusal(changes)


# --- Legal ceilings


def ceiling(regime: str, **most: int) -> dict[str, Any]:
    return {"ceilings": [{"vehicle_class": "small", "regime": regime, **most}]}


@pytest.mark.parametrize(
    ("changes", "hour", "day", "full_day"),
    [
        # First hour 3, then 2 half hours an hour: 3. A calendar day 15; 24 h over two days: 30.
        ({}, 300, 1500, 3000),
        ({"cap_per": "24h"}, 300, 1500, 1500),
        # Without a cap: 300 + 46 * 100.
        ({"cap_fen": None}, 300, 4900, 4900),
        # The first hour is cheap; any later one is two units.
        ({"first_fen": 50, "cap_fen": None}, 200, 4800, 4800),
        # The third 24 hours may cost 50.
        ({"cap_fen": None, "cap_per": "24h", "caps_fen": [3000, 4000, 4500]}, 300, 4500, 4500),
        # Day 2 an hour, night 22:00–08:00 1 an hour and at most 5, a unit anew at the border.
        # 21:30–22:30: 2 + 1. A calendar day: 5 + 14 * 2 + 2 = 35. From 03:30: 5 + 28 and most of
        # the next night 5 = 38.
        (
            {
                **NO_PERIODS,
                "unit_minutes": 60,
                "unit_fen": 200,
                "cap_fen": None,
                "cap_per": "24h",
                "across_border": "new_unit",
                "segments": [{**NIGHT, "days": [], "cap_fen": 500}],
            },
            300,
            3500,
            3800,
        ),
        # The table's second row is due with the ninth hour.
        (
            {**NO_PERIODS, "table": SUZHOU, "table_repeats_minutes": 1440, "cap_fen": None},
            500,
            1000,
            1000,
        ),
    ],
)
def test_the_dearest_hour_and_day(
    changes: dict[str, Any], hour: int, day: int, full_day: int
) -> None:
    at_zero = ceiling("market", hour_fen=0, day_fen=0, rolling_24h_fen=0)
    found = exceeded(parse_rules({**FLAT, **changes, **at_zero}))
    assert {period: fen for _, period, fen, _ in found} == {
        "hour": hour,
        "day": day,
        "24h": full_day,
    }
    kept = ceiling("market", hour_fen=hour, day_fen=day, rolling_24h_fen=full_day)
    assert exceeded(parse_rules({**FLAT, **changes, **kept})) == []


def test_a_government_price_above_its_ceiling_is_refused_a_market_price_shown() -> None:
    by_government = {**FLAT, **ceiling("government", hour_fen=299, day_fen=1500)}
    with pytest.raises(TariffError) as refused:
        accept_rules(by_government)
    assert list(refused.value.errors) == ["ceilings.0.hour_fen"]
    assert "300" in refused.value.errors["ceilings.0.hour_fen"][0]
    by_market = accept_rules({**FLAT, **ceiling("market", hour_fen=299)})
    assert exceeded(by_market) == [("small", "hour", 300, 299)]
    assert accept_rules({**FLAT, **ceiling("government", hour_fen=300)}).ceilings


def test_ceilings_are_per_class_after_its_percentage() -> None:
    """Large vehicles pay 200 %: an hour 6, above a ceiling of 5; small ones 3, below it."""
    both = [
        {"vehicle_class": name, "regime": "government", "hour_fen": 500}
        for name in ("small", "large")
    ]
    with pytest.raises(TariffError) as refused:
        accept_rules(
            {**FLAT, "classes": [{"vehicle_class": "large", "percent": 200}], "ceilings": both}
        )
    assert list(refused.value.errors) == ["ceilings.1.hour_fen"]


def test_a_ceiling_is_kept_on_the_dearest_kind_of_day() -> None:
    """Holidays cost 8 an hour, workdays 1 per half hour. The last half hour before a holiday and
    its first hour, begun at 00:00, are both asked between 23:30 and 00:30: 9.
    """
    holiday = {**NIGHT, "begins": "00:00", "ends": "24:00", "unit_fen": 800, "cap_fen": None}
    rules = {**FLAT, "cap_fen": None, "segments": [{**holiday, "days": ["holiday"]}]}
    found = exceeded(parse_rules({**rules, **ceiling("market", hour_fen=700)}))
    assert found == [("small", "hour", 900, 700)]
