"""When a resident is told: stories of nights and shifts, and what holds for all of them."""

from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.reminders import (
    KINDS,
    LEAD,
    LEAST_APART,
    Quiet,
    Reminder,
    before_quiet,
    next_reminder,
    out_of_quiet,
    usual_quiet,
)
from storage.rules import LockerRules, parse_rules

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NIGHT = Quiet(time(22), time(7))
NIGHT_SHIFT = Quiet(time(8), time(15))
WARN = 4 * HOUR


def at(local: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """ "09-07 10:00" of 2026 on the wall, as an instant."""
    return datetime.fromisoformat(f"2026-{local}").replace(tzinfo=zone).astimezone(UTC)


def wall(instant: datetime, zone: ZoneInfo = SHANGHAI) -> str:
    return f"{instant.astimezone(zone):%m-%d %H:%M}"


def following(
    deposited: str,
    free_until: str,
    told: str | None = None,
    told_at: str = "01-01 00:00",
    quiet: Quiet | None = NIGHT,
) -> tuple[str, str]:
    before = at(told_at) if told else None
    kind, instant = next_reminder(
        told, before, at(deposited), at(free_until), WARN, quiet, SHANGHAI
    )
    return kind, wall(instant)


# --- Quiet hours


def test_quiet_hours_are_those_of_the_community_unless_the_resident_has_others() -> None:
    assert usual_quiet(LockerRules()) == NIGHT
    rules = parse_rules({"quiet_from": "21:30", "quiet_until": "08:00"})
    assert usual_quiet(rules) == Quiet(time(21, 30), time(8))


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("09-07 21:59", "09-07 21:59"),
        ("09-07 22:00", "09-08 07:00"),
        ("09-08 00:00", "09-08 07:00"),
        ("09-08 06:59", "09-08 07:00"),
        ("09-08 07:00", "09-08 07:00"),
    ],
)
def test_the_night_is_quiet_and_the_morning_is_not(wanted: str, told: str) -> None:
    assert wall(out_of_quiet(at(wanted), NIGHT, SHANGHAI)) == told


def test_a_night_shift_sleeps_by_day() -> None:
    assert wall(out_of_quiet(at("09-07 08:00"), NIGHT_SHIFT, SHANGHAI)) == "09-07 15:00"
    assert wall(out_of_quiet(at("09-07 03:00"), NIGHT_SHIFT, SHANGHAI)) == "09-07 03:00"


@pytest.mark.parametrize("quiet", [None, Quiet(time(22), time(22)), Quiet(time(0), time(0))])
def test_whoever_chose_any_time_is_told_at_any_time(quiet: Quiet | None) -> None:
    night = at("09-08 03:00")
    assert out_of_quiet(night, quiet, SHANGHAI) == night
    assert before_quiet(night, quiet, SHANGHAI, at("09-07 10:00")) == night


def test_quiet_hours_may_end_or_begin_at_midnight() -> None:
    evening, early = Quiet(time(20), time(0)), Quiet(time(0), time(6))
    assert wall(out_of_quiet(at("09-07 23:00"), evening, SHANGHAI)) == "09-08 00:00"
    assert wall(out_of_quiet(at("09-08 00:00"), early, SHANGHAI)) == "09-08 06:00"


def test_a_warning_in_the_night_comes_the_evening_before() -> None:
    noon = at("09-07 12:00")
    assert wall(before_quiet(at("09-08 03:00"), NIGHT, SHANGHAI, noon)) == "09-07 21:45"
    assert wall(before_quiet(at("09-07 22:00"), NIGHT, SHANGHAI, noon)) == "09-07 21:45"
    assert wall(before_quiet(at("09-08 07:00"), NIGHT, SHANGHAI, noon)) == "09-08 07:00"


def test_but_not_before_there_was_anything_to_warn_of() -> None:
    late = at("09-07 21:50")
    assert wall(before_quiet(at("09-08 03:00"), NIGHT, SHANGHAI, late)) == "09-07 21:50"
    night = at("09-07 23:00")
    assert wall(before_quiet(at("09-08 03:00"), NIGHT, SHANGHAI, night)) == "09-08 07:00"


def test_between_quiet_hours_there_may_be_a_few_minutes_only() -> None:
    nearly_always = Quiet(time(12, 5), time(12))
    noon = at("09-07 10:00")
    assert wall(before_quiet(at("09-08 03:00"), nearly_always, SHANGHAI, noon)) == "09-07 12:00"


def test_hours_follow_the_wall_when_summer_time_begins() -> None:
    """29 March 2026, Berlin: 02:00 becomes 03:00; a night is an hour shorter."""
    told = out_of_quiet(at("03-28 23:00", BERLIN), NIGHT, BERLIN)
    assert wall(told, BERLIN) == "03-29 07:00"
    assert told - at("03-28 23:00", BERLIN) == 7 * HOUR


def test_a_naive_instant_is_refused() -> None:
    naive, aware = datetime(2026, 9, 7), at("09-07 10:00")  # noqa: DTZ001
    with pytest.raises(ValueError, match="aware"):
        out_of_quiet(naive, NIGHT, SHANGHAI)
    with pytest.raises(ValueError, match="aware"):
        before_quiet(aware, NIGHT, SHANGHAI, naive)
    with pytest.raises(ValueError, match="aware"):
        next_reminder(None, None, aware, naive, WARN, NIGHT, SHANGHAI)


# --- What comes next


def test_a_parcel_by_day_is_warned_of_then_overdue_then_daily() -> None:
    parcel = ("09-07 19:00", "09-08 13:00")
    assert following(*parcel) == ("free-ending", "09-08 09:00")
    assert following(*parcel, "free-ending", "09-08 09:00") == ("overdue", "09-08 13:00")
    assert following(*parcel, "overdue", "09-08 13:00") == ("daily", "09-09 13:00")
    assert following(*parcel, "daily", "09-09 13:00") == ("daily", "09-10 13:00")


def test_overdue_in_the_night_is_told_in_the_morning_and_every_morning() -> None:
    parcel = ("09-07 10:00", "09-08 04:00")
    assert following(*parcel) == ("free-ending", "09-07 21:45")
    assert following(*parcel, "free-ending", "09-07 21:45") == ("overdue", "09-08 07:00")
    assert following(*parcel, "overdue", "09-08 07:00") == ("daily", "09-09 07:00")


def test_no_warning_when_the_night_leaves_no_instant_for_it() -> None:
    assert following("09-07 23:00", "09-08 05:00") == ("overdue", "09-08 07:00")
    assert following("09-07 23:00", "09-08 07:00") == ("overdue", "09-08 07:00")
    assert following("09-07 23:00", "09-08 07:01") == ("free-ending", "09-08 07:00")


def test_a_free_time_shorter_than_the_warning_is_warned_of_at_the_deposit() -> None:
    assert following("09-07 10:00", "09-07 12:00") == ("free-ending", "09-07 10:00")


def test_a_warning_moved_to_the_evening_is_not_told_again_in_the_morning() -> None:
    parcel = ("09-07 10:00", "09-08 07:30")
    assert following(*parcel) == ("free-ending", "09-07 21:45")
    assert following(*parcel, "free-ending", "09-07 21:45") == ("overdue", "09-08 07:30")


def test_a_vacation_after_the_warning_brings_a_warning_of_the_new_end() -> None:
    told = ("free-ending", "09-08 09:00")
    assert following("09-07 19:00", "09-20 13:00", *told) == ("free-ending", "09-20 09:00")


def test_an_end_that_moves_by_little_is_not_warned_of_twice() -> None:
    told = ("free-ending", "09-08 09:00")
    assert following("09-07 19:00", "09-08 16:00", *told) == ("overdue", "09-08 16:00")


def test_an_overdue_parcel_given_more_time_may_be_overdue_anew() -> None:
    told = ("overdue", "09-08 13:00")
    assert following("09-07 19:00", "09-10 13:00", *told) == ("free-ending", "09-10 09:00")
    assert following("09-07 19:00", "09-08 16:00", *told) == ("overdue", "09-09 07:00")


def test_an_end_that_moved_back_is_told_after_the_warning_not_before() -> None:
    told = ("free-ending", "09-10 09:00")
    assert following("09-07 19:00", "09-09 13:00", *told) == ("overdue", "09-10 09:00")


def test_what_was_told_was_told_at_some_time() -> None:
    with pytest.raises(ValueError, match="instant"):
        next_reminder("overdue", None, at("09-07 10:00"), at("09-08 04:00"), WARN, NIGHT, SHANGHAI)
    with pytest.raises(ValueError, match="kind"):
        following("09-07 10:00", "09-08 04:00", "deposited", "09-07 10:00")


# --- Complaints (domain/lockers.md A6)


def test_a6_2_no_warning_at_four_in_the_morning() -> None:
    """The case reported: warned at 04:17. Free until 08:17, the warning is due at 04:17."""
    deposited, ends = "09-07 14:17", "09-08 08:17"
    assert following(deposited, ends) == ("free-ending", "09-07 21:45")
    assert following(deposited, ends, "free-ending", "09-07 21:45") == ("overdue", "09-08 08:17")
    assert following(deposited, "09-08 04:17", "free-ending", "09-07 21:45")[1] == "09-08 07:00"


def test_a6_2_no_fee_surprise_the_warning_comes_while_it_is_free() -> None:
    for hour in range(24):
        deposited = at("09-07 00:00") + hour * HOUR
        ends = deposited + 18 * HOUR
        kind, told_at = next_reminder(None, None, deposited, ends, WARN, NIGHT, SHANGHAI)
        assert kind == "free-ending"
        assert deposited < told_at < ends


# --- Properties


clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
quiets = st.builds(Quiet, clocks, clocks)
instants = st.builds(
    lambda start, after: start + after,
    st.sampled_from([at("09-07 10:00"), at("03-27 10:00"), at("10-23 10:00")]),
    st.integers(0, 4 * 1440).map(lambda minutes: minutes * MINUTE)
    | st.timedeltas(timedelta(0), 4 * DAY),
)
free_times = st.integers(1, 72).map(lambda hours: hours * HOUR) | st.timedeltas(MINUTE, 3 * DAY)
warnings = st.integers(1, 24).map(lambda hours: hours * HOUR)


def is_quiet(instant: datetime, quiet: Quiet | None, zone: ZoneInfo) -> bool:
    """Whether the clock on the wall shows quiet hours."""
    if quiet is None or quiet.since == quiet.until:
        return False
    shown = instant.astimezone(zone).time()
    if quiet.since < quiet.until:
        return quiet.since <= shown < quiet.until
    return shown >= quiet.since or shown < quiet.until


@given(instants, quiets)
def test_out_of_quiet_is_the_first_instant_that_is_not(wanted: datetime, quiet: Quiet) -> None:
    told = out_of_quiet(wanted, quiet, SHANGHAI)
    assert not is_quiet(told, quiet, SHANGHAI)
    assert wanted <= told < wanted + DAY
    if told > wanted:
        assert told.astimezone(SHANGHAI).time() == quiet.until
        assert is_quiet(wanted, quiet, SHANGHAI)
    assert out_of_quiet(told, quiet, SHANGHAI) == told


@given(instants, quiets, st.timedeltas(-DAY, 2 * DAY))
def test_a_warning_is_moved_by_the_quiet_hours_and_no_further(
    wanted: datetime, quiet: Quiet, before: timedelta
) -> None:
    least = wanted - before
    told = before_quiet(wanted, quiet, SHANGHAI, least)
    assert not is_quiet(told, quiet, SHANGHAI)
    assert told >= least
    if wanted >= least and not is_quiet(wanted, quiet, SHANGHAI):
        assert told == wanted
    if told < wanted:
        assert wanted - told < DAY + LEAD
        assert is_quiet(told + LEAD, quiet, SHANGHAI)


@given(instants, free_times, warnings, st.none() | quiets, st.sampled_from([SHANGHAI, BERLIN]))
def test_what_is_told_goes_on_from_day_to_day_and_never_in_quiet_hours(
    deposited: datetime, free: timedelta, warn: timedelta, quiet: Quiet | None, zone: ZoneInfo
) -> None:
    ends = deposited + free
    told = sequence(deposited, ends, warn, quiet, zone)
    places = [KINDS.index(reminder.kind) for reminder in told]
    assert places == sorted(places)
    assert [r.kind for r in told].count("free-ending") <= 1
    assert [r.kind for r in told].count("overdue") == 1
    assert all(one.at < other.at for one, other in pairwise(told))
    assert all((r.at < ends) == (r.kind == "free-ending") for r in told)
    costing = [r.at for r in told if r.kind != "free-ending"]
    assert all(other - one >= LEAST_APART for one, other in pairwise(costing))
    assert all(r.at >= deposited and r.at == out_of_quiet(r.at, quiet, zone) for r in told)
    if zone is SHANGHAI:
        assert not any(is_quiet(r.at, quiet, zone) for r in told)


def sequence(
    deposited: datetime, ends: datetime, warn: timedelta, quiet: Quiet | None, zone: ZoneInfo
) -> list[Reminder]:
    """Everything a resident is told of a parcel that lies for days."""
    told = [next_reminder(None, None, deposited, ends, warn, quiet, zone)]
    for _ in range(6):
        before = told[-1]
        told.append(next_reminder(*before, deposited, ends, warn, quiet, zone))
    return told


@given(st.sampled_from(KINDS), instants, instants, free_times, warnings, st.none() | quiets)
def test_whatever_changed_in_between_nothing_is_planned_before_what_was_told(
    told: str,
    told_at: datetime,
    deposited: datetime,
    free: timedelta,
    warn: timedelta,
    quiet: Quiet | None,
) -> None:
    ends = deposited + free
    kind, planned = next_reminder(told, told_at, deposited, ends, warn, quiet, SHANGHAI)
    assert planned >= told_at
    assert not is_quiet(planned, quiet, SHANGHAI)
    assert kind != "free-ending" or told_at + warn < planned < ends
    assert kind == "free-ending" or planned >= ends
    if told != "free-ending" and kind != "free-ending":
        assert planned - told_at >= LEAST_APART
