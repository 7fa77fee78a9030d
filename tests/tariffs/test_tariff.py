"""The tariff engine: cases worked by hand, and rules that are refused."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tariffs.tariff import Fee, Tariff, TariffError, parse_rules, price
from tests.work import calls_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
USUAL: dict[str, object] = {
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


def tariff(zone: ZoneInfo = SHANGHAI, **changes: object) -> Tariff:
    return Tariff(3, 2, zone, parse_rules({**USUAL, **changes}))


def at(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """The wall clock of March 2026, as "2 08:00" (day, time)."""
    day, clock = text.split()
    return datetime.fromisoformat(f"2026-03-{int(day):02}T{clock}").replace(tzinfo=zone)


def bill(fee: Fee) -> list[tuple[str, int, int]]:
    return [(line.label, line.units, line.amount_fen) for line in fee.lines]


# --- Worked by hand: 15 minutes free, first hour 3 yuan, then 1 yuan per half hour, 15 yuan a day


def test_fifteen_minutes_are_free_and_one_second_more_pays_from_minute_zero() -> None:
    # 08:00:00–08:15:00: 15 min <= 15 free -> 0.
    # 08:00:00–08:15:01: over; free time is not deducted: 15 min 1 s from 08:00 -> first hour 300.
    free = price(tariff(), at("2 08:00"), at("2 08:15"))
    over = price(tariff(), at("2 08:00"), at("2 08:15:01"))
    assert (free.total_fen, bill(free)) == (0, [("免费15分钟", 1, 0)])
    assert (over.total_fen, bill(over)) == (300, [("首小时", 1, 300)])


def test_a_part_unit_counts_whole() -> None:
    # 08:00–10:10 = 130 min; first 60 -> 300; 70 min left = 2 units + 10 min -> 3 * 100. Sum 600.
    fee = price(tariff(), at("2 08:00"), at("2 10:10"))
    assert (fee.total_fen, bill(fee)) == (600, [("首小时", 1, 300), ("每30分钟", 3, 300)])


def test_free_time_deducted_delays_the_first_hour() -> None:
    # 08:00–09:16; free until 08:15; first hour 08:15–09:15 -> 300; 1 min of a unit -> 100. Sum 400.
    fee = price(tariff(free_deducted=True), at("2 08:00"), at("2 09:16"))
    assert bill(fee) == [("免费15分钟", 1, 0), ("首小时", 1, 300), ("每30分钟", 1, 100)]
    assert fee.total_fen == 400


def test_a_whole_working_day_meets_the_cap() -> None:
    # 08:00–20:00 = 720 min; 300 + 660 / 30 = 22 units * 100 = 2500; day cap 1500 -> back 1000.
    fee = price(tariff(), at("2 08:00"), at("2 20:00"))
    assert bill(fee) == [("首小时", 1, 300), ("每30分钟", 22, 2200), ("当日封顶", 1, -1000)]
    assert fee.total_fen == 1500


def test_a_night_has_two_calendar_days_but_one_24_hours() -> None:
    # 22:00–09:10. By calendar day: 22–23 300 + 2 units 200 = 500; from 00:00 9 h 10 = 18 + 1 units
    # = 1900 -> 1500. Sum 2000. By 24 h from 22:00: 300 + (2 + 19) * 100 = 2400 -> 1500.
    stay = at("2 22:00"), at("3 09:10")
    by_day, by_24h = price(tariff(), *stay), price(tariff(cap_per="24h"), *stay)
    assert bill(by_day) == [
        ("首小时", 1, 300),
        ("每30分钟", 2, 200),
        ("每30分钟", 19, 1900),
        ("当日封顶", 1, -400),
    ]
    assert bill(by_24h) == [("首小时", 1, 300), ("每30分钟", 21, 2100), ("24小时封顶", 1, -900)]
    assert (by_day.total_fen, by_24h.total_fen) == (2000, 1500)


def test_a_unit_across_midnight_belongs_to_the_day_it_starts_in() -> None:
    # Cap 400. 21:50–00:30: first hour 300, units at 22:50, 23:20 and 23:50 = 600 -> 400 in day 2;
    # unit at 00:20 100 in day 3. Sum 500 (600 if the unit of 23:50 were day 3's).
    fee = price(tariff(cap_fen=400), at("2 21:50"), at("3 00:30"))
    crossing, cap, last = fee.lines[1:]
    assert (crossing.units, crossing.ends_at) == (3, at("3 00:20"))
    assert (cap.amount_fen, cap.ends_at) == (-200, at("3 00:00"))
    assert (last.amount_fen, fee.total_fen) == (100, 500)


def test_three_days_and_a_bit_by_24_hours() -> None:
    # 2nd 08:00 – 5th 09:05, no free time: 3 windows at 1500; the fourth from 5th 08:00: 65 min,
    # units go on (no second first hour): 2 full + 5 min -> 3 * 100. Sum 4800.
    fee = price(tariff(cap_per="24h", free_minutes=0), at("2 08:00"), at("5 09:05"))
    assert fee.total_fen == 3 * 1500 + 300


def test_a_price_per_visit_and_a_plain_hourly_price() -> None:
    # Per visit: 5 yuan for the first 24 h and nothing after. Hourly: 2 h 01 min -> 3 * 250 = 750.
    visit = tariff(first_minutes=1440, first_fen=500, unit_fen=0, cap_fen=None)
    hourly = tariff(first_minutes=0, first_fen=0, unit_minutes=60, unit_fen=250)
    assert price(visit, at("2 08:00"), at("6 08:00")).total_fen == 500
    assert bill(price(hourly, at("2 08:00"), at("2 10:01"))) == [("每小时", 3, 750)]


def test_the_communitys_midnight_counts_not_utcs() -> None:
    # 23:00–01:00 in Shanghai = 15:00–17:00 UTC; cap 300 a day. In Shanghai two days: 300 + 2 * 100
    # = 500. In UTC one day: 500 -> 300. West of UTC likewise: 23:00–01:00 in New York = 500.
    stay = at("2 23:00"), at("3 01:00")
    assert price(tariff(cap_fen=300), *stay).total_fen == 500
    assert price(tariff(ZoneInfo("UTC"), cap_fen=300), *stay).total_fen == 300
    new_york = ZoneInfo("America/New_York")
    stay = at("2 23:00", new_york), at("3 01:00", new_york)
    assert price(tariff(new_york, cap_fen=300), *stay).total_fen == 500


def test_a_changing_clock_costs_what_was_really_stayed() -> None:
    # Berlin, 29 March 2026: 02:00 -> 03:00, so 00:00–24:00 lasts 23 h. 1 yuan an hour -> 23 * 100;
    # cap 24 yuan not met. 24 h from entry end on the 30th at 01:00.
    berlin = ZoneInfo("Europe/Berlin")

    def hourly(cap_per: str, cap_fen: int) -> Tariff:
        return tariff(
            berlin,
            first_minutes=0,
            first_fen=0,
            unit_minutes=60,
            cap_per=cap_per,
            cap_fen=cap_fen,
        )

    entered = at("29 00:00", berlin)
    by_day = price(hourly("calendar_day", 2400), entered, at("30 00:00", berlin))
    by_24h = price(hourly("24h", 1000), entered, at("31 00:00", berlin))
    assert by_day.total_fen == 2300
    assert by_24h.lines[1].ends_at == at("30 01:00", berlin)


def test_a_first_hour_from_midnight_on_the_dot_is_the_new_days() -> None:
    # In at 23:45, deducted free time ends at 00:00; first hour 00:00–01:00 once: 300.
    fee = price(tariff(free_deducted=True), at("2 23:45"), at("3 00:30"))
    assert bill(fee) == [("免费15分钟", 1, 0), ("首小时", 1, 300)]


def test_a_clock_set_back_over_midnight_does_not_begin_a_day_twice() -> None:
    # St John's, 7 November 2010: at 00:01 back to 23:01 of the 6th. In at the second 23:30 (03:00
    # UTC), the 7th has begun already: its cap holds until the 8th at 00:00 (03:30 UTC).
    entered = datetime(2010, 11, 7, 3, tzinfo=UTC)
    fee = price(tariff(ZoneInfo("America/St_Johns")), entered, entered + timedelta(hours=24))
    cap = fee.lines[-1]
    assert (cap.starts_at, cap.ends_at) == (entered, entered + timedelta(hours=24))
    assert fee.total_fen == 1500


def test_a_line_speaks_the_contracts_json_in_local_time() -> None:
    fee = price(tariff(), datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 2, 1, 10, tzinfo=UTC))
    assert json.loads(json.dumps(fee.lines[1].as_json())) == {
        "label": "每30分钟",
        "from": "2026-03-02T09:00:00+08:00",
        "to": "2026-03-02T09:10:00+08:00",
        "units": 1,
        "unit_fen": 100,
        "amount_fen": 100,
        "rule": "tariff:3v2/unit",
    }


def test_a_stay_of_no_length_owes_nothing_and_a_stay_backwards_is_refused() -> None:
    now = at("2 08:00")
    assert price(tariff(free_minutes=0), now, now) == Fee(0, ())
    with pytest.raises(ValueError, match="end before"):
        price(tariff(), now, now - timedelta(microseconds=1))
    with pytest.raises(ValueError, match="aware"):
        price(tariff(), now.replace(tzinfo=None), now)


def test_a_century_by_the_minute_is_priced_at_once() -> None:
    by_minute = tariff(unit_minutes=1, unit_fen=1, cap_fen=None)

    def a_century() -> Fee:
        return price(by_minute, at("2 08:00"), at("2 08:00") + timedelta(days=36_525))

    assert a_century().total_fen == 300 + 36_525 * 1440 - 60
    assert calls_of(a_century) < 1_000


# --- The stored rules


@pytest.mark.parametrize(
    "changes",
    [{}, {"cap_fen": None}, {"cap_per": "24h", "free_deducted": True}, {"unit_fen": 0}],
)
def test_rules_survive_the_database(changes: dict[str, object]) -> None:
    stored = {**USUAL, **changes}
    again = json.loads(json.dumps(asdict(parse_rules(stored))))
    assert {name: again[name] for name in stored} == stored
    assert parse_rules(again) == parse_rules(stored)


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("free_minutes", -1, "免费时长"),
        ("free_minutes", 15.0, "整数"),
        ("free_minutes", "15", "整数"),
        ("free_minutes", True, "整数"),
        ("free_minutes", None, "整数"),
        ("free_minutes", 10**30, "整数"),
        ("free_deducted", 1, "布尔"),
        ("free_deducted", None, "布尔"),
        ("first_minutes", 1441, "首时段"),
        ("first_minutes", 0, "首时段时长为 0"),
        ("first_fen", -300, "首时段"),
        ("first_fen", 3.5, "首时段"),
        ("unit_minutes", 0, "计费单位"),
        ("unit_minutes", 1441, "计费单位"),
        ("unit_fen", -1, "计费单位"),
        ("cap_fen", False, "封顶"),
        ("cap_fen", 299, "不得低于"),
        ("unit_fen", 1501, "不得低于"),
        ("cap_fen", "1500", "封顶"),
        ("cap_per", "day", "calendar_day 或 24h"),
        ("cap_per", ["24h"], "封顶周期"),
        ("cap_per", None, "封顶周期"),
        ("leave_within_minutes", -1, "离场时限"),
        ("night_fen", 100, "未知"),
    ],
)
def test_wrong_rules_are_refused_by_field_and_rule(field: str, value: object, says: str) -> None:
    with pytest.raises(TariffError) as refused:
        parse_rules({**USUAL, field: value})
    blamed = {"首时段时长为 0": "first_fen", "不得低于": "cap_fen"}.get(says, field)
    assert list(refused.value.errors) == [blamed]
    assert says in refused.value.errors[blamed][0]


@pytest.mark.parametrize("field", USUAL)
def test_no_field_may_be_missing(field: str) -> None:
    with pytest.raises(TariffError) as refused:
        parse_rules({name: value for name, value in USUAL.items() if name != field})
    assert refused.value.errors == {field: ["缺少此字段"]}


def test_all_faults_are_told_at_once() -> None:
    with pytest.raises(TariffError, match="unit_fen") as refused:
        parse_rules({**USUAL, "unit_fen": -1, "cap_per": 24, "x": 1})
    assert set(refused.value.errors) == {"unit_fen", "cap_per", "x"}
