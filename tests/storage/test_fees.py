"""The fee of a parcel: stories by hand, each with the complaint or the law behind it.

September 2026: the 7th is a Monday. The 19th is a Saturday; the 20th, a Sunday, is worked for
National Day, which is the 1st to the 7th of October.
"""

from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from storage.fees import STANDS_AT_MOST, Clock, Rung, fee, free_until, ladder, next_step_at
from storage.rules import LockerRules, parse_rules
from tariffs.days import DayKind
from tariffs.lines import Fee

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
A_MOMENT = timedelta(microseconds=1)


def at(local: str) -> datetime:
    """ "09-07 10:00" of 2026 on the wall, as an instant."""
    return datetime.fromisoformat(f"2026-{local}").replace(tzinfo=SHANGHAI).astimezone(UTC)


def wall(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant.astimezone(SHANGHAI):%m-%d %H:%M}"


def clock(site: Any = "residential", rules: LockerRules | None = None, **how: Any) -> Clock:
    return Clock(rules or LockerRules(), SHANGHAI, site, **how)


def told(priced: Fee) -> list[tuple[str, str, str, int, int]]:
    """What the lines say, on the wall's clock."""
    return [
        (line.label, wall(line.starts_at), wall(line.ends_at), line.units, line.amount_fen)
        for line in priced.lines
    ]


MONDAY = at("09-07 10:00")


# --- The ladder


@pytest.mark.parametrize(
    ("hours", "fen"), [(18, 0), (30, 50), (42, 100), (54, 150), (66, 200), (78, 250), (900, 300)]
)
def test_the_ladder_residents_know(hours: int, fen: int) -> None:
    border = MONDAY + hours * HOUR
    assert fee(clock(), MONDAY, border).total_fen == fen
    assert fee(clock(), MONDAY, border + A_MOMENT).total_fen == min(fen + 50, 300)


def test_the_ladder_is_told_before_it_costs() -> None:
    assert [(wall(from_at), fen) for from_at, fen in ladder(clock(), MONDAY)] == [
        ("09-07 10:00", 0),
        ("09-08 04:00", 50),
        ("09-08 16:00", 100),
        ("09-09 04:00", 150),
        ("09-09 16:00", 200),
        ("09-10 04:00", 250),
        ("09-10 16:00", 300),
    ]


def test_a_cap_that_no_number_of_steps_hits_is_the_last_rung() -> None:
    rules = parse_rules({"cap_fen": 120})
    assert [fen for _, fen in ladder(clock(rules=rules), MONDAY)] == [0, 50, 100, 120]
    assert told(fee(clock(rules=rules), MONDAY, MONDAY + 43 * HOUR))[1:] == [
        ("超期每12小时", "09-08 04:00", "09-09 05:00", 3, 150),
        ("每件封顶", "09-08 04:00", "09-09 05:00", 1, -30),
    ]


def test_where_nothing_is_taken_the_ladder_has_one_rung_and_the_fee_no_steps() -> None:
    nothing = clock(rules=parse_rules({"step_fen": 0, "cap_fen": 0}))
    assert ladder(nothing, MONDAY) == (Rung(MONDAY, 0),)
    assert next_step_at(nothing, MONDAY, MONDAY) is None
    assert told(fee(nothing, MONDAY, MONDAY + 9 * DAY)) == [
        ("免费存放18小时", "09-07 10:00", "09-08 04:00", 18, 0)
    ]


def test_the_next_step_is_the_last_instant_at_today_s_price() -> None:
    def after(hours: float) -> str:
        return wall(next_step_at(clock(), MONDAY, MONDAY + timedelta(hours=hours)))

    assert after(-1) == after(0) == after(18) == "09-08 04:00"
    assert after(18.1) == after(30) == "09-08 16:00"
    assert after(78) == "09-10 16:00"
    assert after(78.1) == ""


# --- Lines


def test_every_fen_is_explained() -> None:
    assert told(fee(clock(), MONDAY, MONDAY + 20 * HOUR)) == [
        ("免费存放18小时", "09-07 10:00", "09-08 04:00", 18, 0),
        ("超期每12小时", "09-08 04:00", "09-08 06:00", 1, 50),
    ]


def test_the_free_line_counts_the_hours_begun() -> None:
    assert told(fee(clock(), MONDAY, MONDAY + 90 * 60 * timedelta(seconds=1))) == [
        ("免费存放18小时", "09-07 10:00", "09-07 11:30", 2, 0)
    ]


def test_lines_name_the_version_of_the_terms_and_are_told_in_the_contract_s_form() -> None:
    priced = fee(clock(terms="locker-terms:4v2"), MONDAY, MONDAY + 19 * HOUR)
    assert priced.lines[1].as_json() == {
        "label": "超期每12小时",
        "from": "2026-09-08T04:00:00+08:00",
        "to": "2026-09-08T05:00:00+08:00",
        "units": 1,
        "unit_fen": 50,
        "amount_fen": 50,
        "rule": "locker-terms:4v2/overdue",
    }


# --- What stops the clock


def test_a_holiday_stops_the_clock_and_says_so() -> None:
    deposited, collected = at("09-30 18:00"), at("10-08 13:00")
    assert wall(free_until(clock(), deposited)) == "10-08 12:00"
    assert told(fee(clock(), deposited, collected)) == [
        ("免费存放18小时", "09-30 18:00", "10-08 12:00", 18, 0),
        ("法定节假日停止计时", "10-01 00:00", "10-08 00:00", 1, 0),
        ("超期每12小时", "10-08 12:00", "10-08 13:00", 1, 50),
    ]


def test_a_community_may_let_the_clock_run_on_holidays() -> None:
    running = clock(rules=parse_rules({"holidays_stop": False}))
    assert wall(free_until(running, at("09-30 18:00"))) == "10-01 12:00"


def test_an_office_is_locked_on_weekends_a_home_is_not() -> None:
    friday = at("09-11 12:00")
    assert wall(free_until(clock("office"), friday)) == "09-14 06:00"
    assert wall(free_until(clock("residential"), friday)) == "09-12 06:00"
    assert told(fee(clock("office"), friday, at("09-12 09:00"))) == [
        ("免费存放18小时", "09-11 12:00", "09-12 09:00", 12, 0),
        ("周末停止计时", "09-12 00:00", "09-12 09:00", 1, 0),
    ]


def test_a_make_up_workday_is_no_weekend() -> None:
    friday_18th = at("09-18 12:00")
    assert wall(free_until(clock("office"), friday_18th)) == "09-20 06:00"


def test_the_community_s_own_calendar_counts() -> None:
    def closed_on_tuesday(day: date) -> DayKind:
        return DayKind.HOLIDAY if day == date(2026, 9, 8) else DayKind.WORKDAY

    assert wall(free_until(clock(kind_of=closed_on_tuesday), MONDAY)) == "09-09 04:00"


def test_a_sunday_among_holidays_is_still_a_sunday() -> None:
    rules = parse_rules({"holidays_stop": False})
    friday_2nd = at("10-02 12:00")  # the 3rd and 4th are the weekend of National Day
    assert wall(free_until(clock("office", rules), friday_2nd)) == "10-05 06:00"


def test_who_is_away_is_not_charged_for_it() -> None:
    away = (at("09-07 22:00"), at("09-21 08:00"))
    holding = clock(vacations=(away,))
    assert wall(free_until(holding, MONDAY)) == "09-21 14:00"
    assert told(fee(holding, MONDAY, at("09-21 15:00"))) == [
        ("免费存放18小时", "09-07 10:00", "09-21 14:00", 18, 0),
        ("暂存（休假）停止计时", "09-07 22:00", "09-21 08:00", 1, 0),
        ("超期每12小时", "09-21 14:00", "09-21 15:00", 1, 50),
    ]


def test_going_away_later_stops_a_clock_that_costs_already() -> None:
    away = (MONDAY + 20 * HOUR, MONDAY + 20 * DAY)
    holding = clock(vacations=(away,))
    assert fee(holding, MONDAY, MONDAY + 19 * DAY).total_fen == 50
    assert fee(clock(), MONDAY, MONDAY + 19 * DAY).total_fen == 300


def test_the_night_stops_the_clock_where_the_community_says_so() -> None:
    nights = clock(rules=parse_rules({"quiet_stops": True}))
    assert wall(free_until(nights, MONDAY)) == "09-08 13:00"
    assert told(fee(nights, MONDAY, at("09-08 12:00")))[1:] == [
        ("夜间停止计时", "09-07 22:00", "09-08 07:00", 1, 0)
    ]


def test_of_several_reasons_the_first_explains() -> None:
    """A vacation over a weekend, with nights: away, then the weekend's rest, then the night."""
    rules = parse_rules({"quiet_stops": True})
    away = (at("09-11 20:00"), at("09-12 12:00"))
    both = clock("office", rules, vacations=(away, away))
    assert told(fee(both, at("09-11 18:00"), at("09-14 08:00"))) == [
        ("免费存放18小时", "09-11 18:00", "09-14 08:00", 3, 0),
        ("暂存（休假）停止计时", "09-11 20:00", "09-12 12:00", 1, 0),
        ("周末停止计时", "09-12 12:00", "09-14 00:00", 1, 0),
        ("夜间停止计时", "09-14 00:00", "09-14 07:00", 1, 0),
    ]


def test_free_time_used_up_as_the_clock_stops_ends_when_it_goes_on() -> None:
    friday = at("09-11 06:00")  # 18 h later it is midnight, and Saturday
    office = clock("office")
    assert wall(free_until(office, friday)) == "09-14 00:00"
    assert fee(office, friday, at("09-14 00:00")).total_fen == 0
    assert fee(office, friday, at("09-14 00:00") + A_MOMENT).total_fen == 50
    assert wall(next_step_at(office, friday, at("09-12 15:00"))) == "09-14 00:00"


# --- Who waits longer


def test_members_have_seven_days() -> None:
    member = clock(member=True)
    assert wall(free_until(member, MONDAY)) == "09-14 10:00"
    assert told(fee(member, MONDAY, MONDAY + DAY)) == [
        ("会员免费存放168小时", "09-07 10:00", "09-08 10:00", 24, 0)
    ]


def test_time_granted_is_added_and_never_taken() -> None:
    assert wall(free_until(clock(extra_free=DAY), MONDAY)) == "09-09 04:00"
    assert told(fee(clock(extra_free=DAY), MONDAY, MONDAY + HOUR))[0][0] == "免费存放42小时"
    with pytest.raises(ValueError, match="negative"):
        clock(extra_free=-HOUR)


# --- Instants


def test_a_parcel_collected_before_its_deposit_costs_nothing() -> None:
    for skew in (timedelta(0), 5 * HOUR):
        assert fee(clock(), MONDAY, MONDAY - skew) == Fee(0, ())


def test_an_instant_is_the_same_wherever_it_is_written() -> None:
    there = MONDAY.astimezone(timezone(timedelta(hours=-7)))
    assert fee(clock(), there, there + 40 * HOUR) == fee(clock(), MONDAY, MONDAY + 40 * HOUR)
    assert ladder(clock(), there) == ladder(clock(), MONDAY)
    assert all(rung.from_at.tzinfo is UTC for rung in ladder(clock(), there))


def test_a_naive_instant_is_refused() -> None:
    naive = MONDAY.replace(tzinfo=None)
    for asked in (
        lambda: fee(clock(), naive, MONDAY),
        lambda: fee(clock(), MONDAY, naive),
        lambda: free_until(clock(), naive),
        lambda: next_step_at(clock(), MONDAY, naive),
        lambda: free_until(clock(vacations=((naive, naive),)), MONDAY),
    ):
        with pytest.raises(ValueError, match="aware"):
            asked()


def test_a_day_is_as_long_as_the_zone_makes_it() -> None:
    berlin = ZoneInfo("Europe/Berlin")  # 25 h on Sunday 25 October 2026

    def weekday(day: date) -> DayKind:
        return DayKind.WEEKEND if day.weekday() >= 5 else DayKind.WORKDAY

    saturday = datetime(2026, 10, 24, 1, tzinfo=berlin)
    assert free_until(Clock(LockerRules(), berlin, "office", weekday), saturday) == (
        datetime(2026, 10, 26, 18, tzinfo=berlin).astimezone(UTC)
    )
    friday = datetime(2026, 10, 23, 23, tzinfo=berlin).astimezone(UTC)
    assert free_until(Clock(LockerRules(), berlin, "office", weekday), friday) == (
        friday + (18 + 24 + 25) * HOUR
    )


def test_a_clock_that_never_runs_does_after_two_years() -> None:
    """Nobody's calendar may keep the server counting, or a compartment for ever."""
    always = clock(kind_of=lambda _: DayKind.HOLIDAY)
    assert free_until(always, MONDAY) == MONDAY + STANDS_AT_MOST + 18 * HOUR
    away = clock(vacations=((MONDAY, datetime.max.replace(tzinfo=UTC)),))
    assert free_until(away, MONDAY) == MONDAY + STANDS_AT_MOST + 18 * HOUR
    assert fee(away, MONDAY, MONDAY + 700 * DAY).total_fen == 0


# --- Complaints (domain/lockers.md A6)


def test_a6_2_no_fee_inside_the_storage_period() -> None:
    for hours in range(19):
        assert fee(clock(), MONDAY, MONDAY + hours * HOUR).total_fen == 0


def test_a6_2_no_fee_surprise_what_was_told_at_the_deposit_is_what_is_due() -> None:
    promised = ladder(clock("office"), at("09-10 15:00"))
    for rung, later in pairwise(promised):
        assert fee(clock("office"), at("09-10 15:00"), later.from_at).total_fen == rung.total_fen


def test_a6_2_there_is_a_cap_and_it_is_shown() -> None:
    priced = fee(clock(), MONDAY, MONDAY + 60 * DAY)
    assert priced.total_fen == 300
    assert told(priced) == [
        ("免费存放18小时", "09-07 10:00", "09-08 04:00", 18, 0),
        ("法定节假日停止计时", "09-25 00:00", "09-28 00:00", 1, 0),
        ("法定节假日停止计时", "10-01 00:00", "10-08 00:00", 1, 0),
        ("超期每12小时", "09-08 04:00", "11-06 10:00", 99, 4950),
        ("每件封顶", "09-08 04:00", "11-06 10:00", 1, -4650),
    ]


def test_a6_2_nobody_pays_twice_for_one_period() -> None:
    """Asked at any two instants of one step the fee is the same."""
    opened, shut = MONDAY + 19 * HOUR, MONDAY + 29 * HOUR
    assert fee(clock(), MONDAY, opened).total_fen == fee(clock(), MONDAY, shut).total_fen == 50
