"""Tariffs as Chinese operators and cities publish them, each sum worked in the test's own text."""

from datetime import date
from typing import Any

from tariffs.days import DayKind
from tariffs.tariff import Fee, Tariff, parse_rules
from tests.tariffs.worked import HOURLY, SHANGHAI, at, bill, fee, segment, tariff


def test_an_airports_caps_rise_with_the_days() -> None:
    """5 yuan an hour; first 24 h at most 30, second 40, from the third 50 each.

    2 March 08:00 – 6 March 10:00 = 98 h: 24 * 5 = 120 -> 30; 120 -> 40; 120 -> 50; 120 -> 50;
    the last 2 h 10. Sum 180.
    """
    airport = tariff(unit_fen=500, caps_fen=[3000, 4000, 5000])
    asked = fee(airport, "03-02 08:00", "03-06 10:00")
    assert asked.total_fen == 18000
    assert bill(asked)[:4] == [
        ("每小时", 24, 12000),
        ("第1个24小时封顶", 1, -9000),
        ("每小时", 24, 12000),
        ("第2个24小时封顶", 1, -8000),
    ]


TAIYUAN = {
    "free_minutes": 120,
    "percent": 50,
    "until_minutes": 240,
    "free_from": "20:00",
    "free_to": "08:00",
}


def test_taiyuan_spares_new_energy_by_day() -> None:
    """2 yuan an hour; new energy: 2 h free, hours 3 and 4 at half, 20:00–08:00 free.

    09:00–14:00: 5 * 2 = 10; less 2 * 2 = 4; less half of 2 * 2 = 2. Sum 4. Others pay 10.
    """
    taiyuan = tariff(new_energy=TAIYUAN)
    green = fee(taiyuan, "03-02 09:00", "03-02 14:00", new_energy=True)
    assert bill(green) == [
        ("每小时", 5, 1000),
        ("新能源前2小时免费", 1, -400),
        ("新能源4小时以前按50%", 1, -200),
    ]
    assert green.total_fen == 400
    assert fee(taiyuan, "03-02 09:00", "03-02 14:00").total_fen == 1000


def test_taiyuan_spares_new_energy_by_night() -> None:
    """18:30–09:00: hours from 18:30 and 19:30 are the first two, free; those from 20:30 to
    07:30 (12) start at night, free; the hour from 08:30 costs 2. 15 * 2 - 4 - 24 = 2.
    """
    taiyuan = tariff(new_energy=TAIYUAN)
    asked = fee(taiyuan, "03-02 18:30", "03-03 09:00", new_energy=True)
    assert bill(asked) == [
        ("每小时", 15, 3000),
        ("新能源前2小时免费", 1, -400),
        ("新能源20:00–08:00免费", 1, -2400),
    ]
    assert asked.total_fen == 200


def test_taiyuan_spares_whoever_comes_after_midnight() -> None:
    """05:30–09:30: hours from 05:30, 06:30 and 07:30 start at night, free; 08:30 is in the third
    and fourth hour, half: 1.
    """
    taiyuan = tariff(new_energy=TAIYUAN)
    assert fee(taiyuan, "03-02 05:30", "03-02 09:30", new_energy=True).total_fen == 100


NIGHT = segment("夜间", "20:00", "08:00", first_minutes=720, first_fen=500)


def test_a_night_at_one_price_where_a_new_unit_begins_at_the_border() -> None:
    """Day 2 yuan an hour, night 20:00–08:00 5 yuan. 18:30–09:10 over the night:

    18:30–20:00 is 1.5 h -> 2 * 2 = 4; the night 5; 08:00–09:10 -> 2 * 2 = 4. Sum 13.
    """
    asked = fee(tariff(segments=[NIGHT], across_border="new_unit"), "03-02 18:30", "03-03 09:10")
    assert bill(asked) == [("每小时", 2, 400), ("夜间首12小时", 1, 500), ("每小时", 2, 400)]
    assert [line.ends_at for line in asked.lines[:2]] == [at("03-02 20:00"), at("03-03 08:00")]
    assert asked.lines[1].rule == "tariff:3v2/segment-1-first-period"


def test_the_same_night_where_a_unit_is_priced_by_its_start() -> None:
    """The hour from 19:30 ends at 20:30, the night's period from there at 08:30 (5), one hour
    until 09:10 (2). 4 + 5 + 2 = 11.
    """
    asked = fee(tariff(segments=[NIGHT]), "03-02 18:30", "03-03 09:10")
    assert bill(asked) == [("每小时", 2, 400), ("夜间首12小时", 1, 500), ("每小时", 1, 200)]
    assert [line.ends_at for line in asked.lines[:2]] == [at("03-02 20:30"), at("03-03 08:30")]


def test_a_capped_night_over_two_calendar_days() -> None:
    """Night 22:00–06:00 1 yuan an hour, at most 5 a night; day 2 yuan; 40 a calendar day.

    2 March 21:00 – 3 March 07:00: 21–22 2; 22–24 2 of the night's 5; 00–06 6 of which only 3
    are left; 06–07 2. Sum 2 + 2 + 3 + 2 = 9.
    """
    night = segment("夜间", "22:00", "06:00", unit_fen=100, cap_fen=500)
    capped = tariff(segments=[night], cap_per="calendar_day", cap_fen=4000)
    asked = fee(capped, "03-02 21:00", "03-03 07:00")
    assert bill(asked) == [
        ("每小时", 1, 200),
        ("夜间每小时", 2, 200),
        ("夜间每小时", 6, 600),
        ("夜间封顶", 1, -300),
        ("每小时", 1, 200),
    ]
    assert asked.total_fen == 900


WEEKENDS_FREE = segment("周末免费", "00:00", "24:00", days=["weekend", "holiday"])


def test_a_makeup_saturday_is_a_workday() -> None:
    """3 yuan an hour, weekends free. Saturday 28 February 2026 makes up for 23 February (Spring
    Festival): 2 h -> 6. Saturday 7 March: 0. Monday 23 February, a holiday: 0.
    """
    office = tariff(unit_fen=300, segments=[WEEKENDS_FREE])
    assert fee(office, "02-28 09:00", "02-28 11:00").total_fen == 600
    assert fee(office, "03-07 09:00", "03-07 11:00").total_fen == 0
    assert fee(office, "02-23 09:00", "02-23 11:00").total_fen == 0


def test_a_communitys_own_calendar_wins() -> None:
    """The same Saturday 28 February, which this community keeps as a weekend: 0."""
    kept = {date(2026, 2, 28): DayKind.WEEKEND}
    office = tariff(kept, unit_fen=300, segments=[WEEKENDS_FREE])
    assert fee(office, "02-28 09:00", "02-28 11:00").total_fen == 0


def test_national_day_ends_at_midnight() -> None:
    """2 yuan an hour, 5 on holidays. 7 October 22:00 – 8 October 01:30: 2 * 5 = 10 on the last
    day of the holiday, 00:00–01:30 -> 2 * 2 = 4. Sum 14. Sunday 4 October, within it: 1 h 5.
    """
    holiday = segment("节假日", "00:00", "24:00", unit_fen=500, days=["holiday"])
    scenic = tariff(segments=[holiday])
    asked = fee(scenic, "10-07 22:00", "10-08 01:30")
    assert bill(asked) == [("节假日每小时", 2, 1000), ("每小时", 2, 400)]
    assert fee(scenic, "10-04 09:00", "10-04 10:00").total_fen == 500


def test_a_day_and_a_night_by_24_hours_and_by_calendar_day() -> None:
    """2 yuan an hour, at most 20. 2 March 22:00 – 3 March 22:00. By 24 h: 48 -> 20. By calendar
    day: 22–24 4; 22 h 44 -> 20. Sum 24.
    """
    stay = "03-02 22:00", "03-03 22:00"
    assert fee(tariff(cap_fen=2000), *stay).total_fen == 2000
    assert fee(tariff(cap_fen=2000, cap_per="calendar_day"), *stay).total_fen == 2400


def test_a_day_that_begins_at_five() -> None:
    """2 yuan an hour, at most 10 a day. 2 March 22:00 – 3 March 08:00. Days from 00:00: 4, and
    16 -> 10: 14. Days from 05:00: 7 h 14 -> 10, and 3 h 6: 16.
    """
    stay = "03-02 22:00", "03-03 08:00"
    by_day: dict[str, Any] = {"cap_fen": 1000, "cap_per": "calendar_day"}
    assert fee(tariff(**by_day), *stay).total_fen == 1400
    asked = fee(tariff(**by_day, day_begins_hour=5), *stay)
    assert asked.total_fen == 1600
    assert asked.lines[1].ends_at == at("03-03 05:00")


def test_whoever_drives_out_and_in_again_gets_no_second_free_half_hour() -> None:
    """30 min free, first hour 3, then 2. In at 10:20 for 25 min after leaving at 10:00: 3. After
    leaving at 09:19 (61 min before), or never seen before: 0.
    """
    again = tariff(free_minutes=30, first_minutes=60, first_fen=300, free_again_after_minutes=60)
    stay = "03-02 10:20", "03-02 10:45"
    assert bill(fee(again, *stay, left_before_at=at("03-02 10:00"))) == [("首小时", 1, 300)]
    assert fee(again, *stay, left_before_at=at("03-02 09:20")).total_fen == 300
    assert fee(again, *stay, left_before_at=at("03-02 09:19")).total_fen == 0
    assert fee(again, *stay).total_fen == 0


def test_free_minutes_granted_again_after_midnight() -> None:
    """15 min free, 2 yuan an hour; 23:50–00:10 is 20 min: one hour, 2. Granted each day, 10 min
    before and 10 after midnight are free: 0. Until 00:20, the second day has 20 min: 2.
    """
    once = tariff(free_minutes=15)
    each_day = tariff(free_minutes=15, free_each_day=True)
    assert fee(once, "03-02 23:50", "03-03 00:10").total_fen == 200
    assert fee(each_day, "03-02 23:50", "03-03 00:10").total_fen == 0
    asked = fee(each_day, "03-02 23:50", "03-03 00:20")
    assert bill(asked) == [("免费15分钟", 1, 0), ("每小时", 1, 200)]
    assert asked.lines[1].starts_at == at("03-03 00:00")


def test_suzhou_eight_hours_or_a_day() -> None:
    """Up to 8 h 5 yuan, to 24 h 10 (another 5), then anew. 7 h 5; 8 h 5; 8 h 01 10; 24 h 10;
    25 h 10 + 5 = 15; 33 h 10 + 10 = 20.
    """
    rules = {name: value for name, value in HOURLY.items() if not name.startswith("unit")}
    table = [
        {"from_minutes": 0, "to_minutes": 480, "fen": 500},
        {"from_minutes": 480, "to_minutes": 1440, "fen": 500},
    ]
    rules |= {"table": table, "table_repeats_minutes": 1440}
    suzhou = Tariff(3, 2, SHANGHAI, parse_rules(rules))
    for left, fen in {
        "03-02 15:00": 500,
        "03-02 16:00": 500,
        "03-02 16:01": 1000,
        "03-03 08:00": 1000,
        "03-03 09:00": 1500,
        "03-03 17:00": 2000,
    }.items():
        assert fee(suzhou, "03-02 08:00", left).total_fen == fen, left
    assert bill(fee(suzhou, "03-02 08:00", "03-02 20:00")) == [
        ("8小时内", 1, 500),
        ("8小时至24小时", 1, 500),
    ]


def test_hangzhou_overstays_thrice_and_at_most_200_yuan() -> None:
    """5 yuan an hour, booked 09:00–12:00: 15. Left at 14:10: 3 h beyond, 15 * 3 = 45. Sum 60.
    Left two days later at 14:00: 50 h, 250 * 3 = 750 -> 200. Sum 215. Free minutes do not come
    again: left at 12:05, one hour, 5 * 3 = 15. Sum 30.
    """
    hangzhou = tariff(unit_fen=500, free_minutes=15, overstay={"percent": 300, "cap_fen": 20000})

    def left(text: str) -> Fee:
        return fee(hangzhou, "03-02 09:00", text, overstay_from=at("03-02 12:00"))

    assert bill(left("03-02 14:10")) == [
        ("每小时", 3, 1500),
        ("每小时", 3, 1500),
        ("超时停放300%", 1, 3000),
    ]
    assert [line.income for line in left("03-02 14:10").lines] == [None, "overstay", "overstay"]
    assert left("03-02 14:10").lines[1].as_json()["income"] == "overstay"
    assert (left("03-04 14:00").total_fen, left("03-02 12:05").total_fen) == (21500, 3000)
    assert bill(left("03-04 14:00"))[-1] == ("超时封顶", 1, -55000)
    assert left("03-02 12:00") == fee(hangzhou, "03-02 09:00", "03-02 12:00")


def test_large_vehicles_pay_double_and_three_wheels_half() -> None:
    """First hour 3 yuan, then 0.75 per half hour. 2 h: 3 + 2 * 0.75 = 4.50; large 9.00; three
    wheels 2.25. An overstay at 150 % of 2 h beyond is rounded once: 450 * 0.5 * 1.5 = 337.5 ->
    338.
    """
    priced_by = tariff(
        first_minutes=60,
        first_fen=300,
        unit_minutes=30,
        unit_fen=75,
        classes=[
            {"vehicle_class": "large", "percent": 200},
            {"vehicle_class": "three-wheel", "percent": 50},
        ],
        overstay={"percent": 150},
    )
    stay = "03-02 09:00", "03-02 11:00"
    large = fee(priced_by, *stay, vehicle_class="large")
    assert bill(large) == [("首小时", 1, 300), ("每30分钟", 2, 150), ("大型车200%", 1, 450)]
    assert fee(priced_by, *stay, vehicle_class="small").total_fen == 450
    assert fee(priced_by, *stay, vehicle_class="three-wheel").total_fen == 225
    late = fee(priced_by, *stay, vehicle_class="three-wheel", overstay_from=at("03-02 09:00"))
    assert (late.total_fen, late.lines[-1].label) == (338, "超时停放150%")


def test_a_night_permit_leaves_the_evening_and_the_morning() -> None:
    """2 yuan an hour, 15 min free, at most 10 by 24 h; a permit covers 18:00–09:00.

    2 March 16:30 – 3 March 10:30: 90 min before the permit and 90 after, together over the free
    15: 2 * 2 + 2 * 2 = 8. Until 20:30: in the 24 h to 16:30 4 and, from 09:00, 8 hours begun 16,
    together 20 -> 10; then the hour from 17:00 2, and the permit covers the rest. Sum 12.
    """
    capped = tariff(free_minutes=15, cap_fen=1000)
    nights = tuple((at(f"03-0{day} 18:00"), at(f"03-0{day + 1} 09:00")) for day in (2, 3))
    asked = fee(capped, "03-02 16:30", "03-03 10:30", covered=nights)
    assert bill(asked) == [("每小时", 2, 400), ("每小时", 2, 400)]
    assert asked.lines[0].ends_at == at("03-02 18:00")
    assert fee(capped, "03-02 16:30", "03-03 20:30", covered=nights).total_fen == 1200


def test_free_minutes_are_deducted_once_before_and_after_a_permit() -> None:
    """15 min free, deducted; 2 yuan an hour; a permit covers 18:00–09:00. 17:50–10:06: 10 min
    free before it and 5 after; 09:05–10:06 is 61 min -> 2 * 2 = 4.
    """
    deducted = tariff(free_minutes=15, free_deducted=True)
    night = (at("03-02 18:00"), at("03-03 09:00"))
    asked = fee(deducted, "03-02 17:50", "03-03 10:06", covered=(night,))
    assert bill(asked) == [("免费15分钟", 1, 0), ("免费15分钟", 1, 0), ("每小时", 2, 400)]
    assert asked.lines[2].starts_at == at("03-03 09:05")


def test_a_permit_in_the_middle_of_an_hour_does_not_make_it_dearer() -> None:
    """First hour 3, then 1 per half hour. 09:00–12:00: 3 + 4 = 7. A permit from 10:29 to 10:30
    leaves 89 and 90 min, each 3 + 1 = 4, which is more; 7 is owed.
    """
    usual = tariff(first_minutes=60, first_fen=300, unit_minutes=30, unit_fen=100)
    minute = (at("03-02 10:29"), at("03-02 10:30"))
    asked = fee(usual, "03-02 09:00", "03-02 12:00", covered=(minute,))
    assert bill(asked)[-1] == ("不高于无许可时的费用", 1, -100)
    assert asked.total_fen == 700


def test_a_first_hour_only_once_or_with_every_day() -> None:
    """First hour 6, then 2 an hour; nights 20:00–08:00 free. 2 March 18:00 – 3 March 10:00 with
    units anew at the border: 6 + 2; the night 0; the morning 6 + 2 again = 16, or once: 12.
    """
    night = segment("夜间", "20:00", "08:00")
    prices: dict[str, Any] = {"first_minutes": 60, "first_fen": 600, "segments": [night]}
    stay = "03-02 18:00", "03-03 10:00"
    assert fee(tariff(**prices, across_border="new_unit"), *stay).total_fen == 1600
    once = tariff(**prices, across_border="new_unit", first_once=True)
    assert fee(once, *stay).total_fen == 1200
