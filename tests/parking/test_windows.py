"""Weekly hours as instants: stories by hand, and agreement with a look at the clock each minute."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parking.windows import Span, WeeklyHours, covers, spans, subtract, union

SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
EVERY_DAY = frozenset(range(1, 8))
NATIONAL_DAY = {date(2026, 10, day) for day in range(1, 8)}


def offer(
    begins: str, ends: str, weekdays: Iterable[int] = EVERY_DAY, *, on_holidays: bool = True
) -> WeeklyHours:
    return WeeklyHours(
        frozenset(weekdays),
        time.fromisoformat(begins),
        time.fromisoformat(ends),
        valid_from=None,
        valid_until=None,
        on_holidays=on_holidays,
    )


def shown(
    hours: WeeklyHours, first: str, last: str, zone: ZoneInfo = SHANGHAI
) -> list[tuple[str, str]]:
    """What is offered from the first midnight to the last, on the clock of the wall."""
    since, until = (datetime.fromisoformat(day).replace(tzinfo=zone) for day in (first, last))
    found = spans(hours, zone, since, until, NATIONAL_DAY.__contains__)
    return [(f"{a.astimezone(zone):%d %H:%M}", f"{b.astimezone(zone):%d %H:%M}") for a, b in found]


def minutes(found: list[Span]) -> list[int]:
    return [(ends - begins) // MINUTE for begins, ends in found]


# --- Stories. September 2026: the 7th is a Monday.


def test_working_hours_of_a_week() -> None:
    hours = offer("08:30", "18:00", range(1, 6))
    days = ["07", "08", "09", "10", "11"]
    assert shown(hours, "2026-09-07", "2026-09-14") == [(f"{d} 08:30", f"{d} 18:00") for d in days]


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = offer("18:00", "09:00", {5})
    assert shown(friday_night, "2026-09-07", "2026-09-14") == [("11 18:00", "12 09:00")]
    assert shown(friday_night, "2026-09-12", "2026-09-13") == [("12 00:00", "12 09:00")]


def test_equal_times_are_a_whole_day_and_whole_days_in_a_row_are_one_span() -> None:
    weekend = offer("08:00", "08:00", {6, 7})
    assert shown(weekend, "2026-09-08", "2026-09-15") == [("12 08:00", "14 08:00")]


def test_the_first_and_the_last_day_count_and_the_night_of_the_last_runs_to_its_end() -> None:
    hours = WeeklyHours(
        EVERY_DAY, time(18), time(9), valid_from=date(2026, 9, 8), valid_until=date(2026, 9, 9)
    )
    nights = [("08 18:00", "09 09:00"), ("09 18:00", "10 09:00")]
    assert shown(hours, "2026-09-01", "2026-10-01") == nights


def test_a_blocked_day_takes_only_the_hours_that_begin_on_it() -> None:
    hours = WeeklyHours(EVERY_DAY, time(18), time(9), None, None, frozenset({date(2026, 9, 8)}))
    assert shown(hours, "2026-09-07", "2026-09-10") == [
        ("07 00:00", "07 09:00"),
        ("07 18:00", "08 09:00"),
        ("09 18:00", "10 00:00"),
    ]


def test_holidays_are_left_out_on_request_and_a_make_up_workday_is_the_sunday_it_is() -> None:
    # 1 to 7 October is National Day; Sunday 20 September is worked to make up for it.
    weekdays = offer("09:00", "18:00", range(1, 6), on_holidays=False)
    assert shown(weekdays, "2026-09-30", "2026-10-09") == [
        ("30 09:00", "30 18:00"),
        ("08 09:00", "08 18:00"),
    ]
    assert len(shown(offer("09:00", "18:00", range(1, 6)), "2026-09-30", "2026-10-09")) == 7
    assert shown(weekdays, "2026-09-19", "2026-09-21") == []


def test_the_night_before_a_holiday_runs_into_it() -> None:
    nights = offer("18:00", "09:00", on_holidays=False)
    assert shown(nights, "2026-10-01", "2026-10-08") == [
        ("01 00:00", "01 09:00"),
    ]


def test_what_is_offered_is_cut_to_the_second_where_asked() -> None:
    since = datetime(2026, 9, 7, 9, 0, 7, tzinfo=SHANGHAI)
    until = datetime(2026, 9, 7, 9, 30, 8, tzinfo=SHANGHAI)
    hours = offer("08:30", "18:00")
    assert spans(hours, SHANGHAI, since, until, lambda _: False) == [(since, until)]
    assert spans(hours, SHANGHAI, until, since, lambda _: False) == []


# --- Berlin: on 29 March 2026 02:00 becomes 03:00, on 25 October 03:00 becomes 02:00.


@pytest.mark.parametrize(
    ("begins", "ends", "spring", "autumn"),
    [
        ("22:00", "08:00", 9 * 60, 11 * 60),
        ("02:30", "04:00", 60, 150),  # half past two: the skip, or its first stroke
        ("01:00", "02:30", 60, 90),
        ("02:15", "02:45", 0, 30),
        ("03:00", "05:00", 120, 120),
    ],
)
def test_hours_follow_the_clock_when_it_is_changed(
    begins: str, ends: str, spring: int, autumn: int
) -> None:
    for sunday, expected in ((date(2026, 3, 29), spring), (date(2026, 10, 25), autumn)):
        night = sunday - DAY if ends < begins else sunday
        hours = WeeklyHours(
            EVERY_DAY, time.fromisoformat(begins), time.fromisoformat(ends), night, night
        )
        since = datetime.combine(sunday - 2 * DAY, time.min, BERLIN)
        found = spans(hours, BERLIN, since, since + 5 * DAY, lambda _: False)
        assert sum(minutes(found)) == expected
        assert all(begun.utcoffset() == timedelta(0) for begun, _ in found)


def test_a_skipped_minute_is_the_instant_of_the_skip() -> None:
    sunday = date(2026, 3, 29)
    hours = WeeklyHours(EVERY_DAY, time(2, 30), time(4), sunday, sunday)
    since = datetime.combine(sunday, time.min, BERLIN)
    assert spans(hours, BERLIN, since, since + DAY, lambda _: False) == [
        (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 3, 29, 2, tzinfo=UTC))
    ]


# --- Minute by minute

PLACES_AND_DAYS = [
    (SHANGHAI, datetime(2026, 10, 1, tzinfo=UTC)),
    (BERLIN, datetime(2026, 3, 29, tzinfo=UTC)),
    (BERLIN, datetime(2026, 10, 25, tzinfo=UTC)),
    (ZoneInfo("America/Sao_Paulo"), datetime(2017, 10, 15, 3, tzinfo=UTC)),  # midnight skipped
    (ZoneInfo("America/Sao_Paulo"), datetime(2018, 2, 18, 2, tzinfo=UTC)),
    (ZoneInfo("America/Havana"), datetime(2025, 11, 2, 5, tzinfo=UTC)),  # midnight twice
    (ZoneInfo("Australia/Lord_Howe"), datetime(2026, 4, 4, 15, tzinfo=UTC)),  # half an hour
    (ZoneInfo("Pacific/Apia"), datetime(2011, 12, 30, 10, tzinfo=UTC)),  # a day that never was
]
clocks = st.times().map(lambda t: t.replace(second=0, microsecond=0)) | st.sampled_from(
    [time(0), time(1, 30), time(2), time(2, 30), time(3), time(23, 30)]
)


@st.composite
def asked(draw: st.DrawFn) -> tuple[WeeklyHours, ZoneInfo, datetime, datetime, frozenset[date]]:
    zone, around = draw(st.sampled_from(PLACES_AND_DAYS))
    since = around - draw(st.integers(0, 2 * 1440)) * MINUTE
    days = st.integers(-4, 4).map(lambda n: around.date() + n * DAY)
    hours = WeeklyHours(
        draw(st.frozensets(st.integers(1, 7), min_size=1) | st.just(EVERY_DAY)),
        draw(clocks),
        draw(clocks),
        draw(st.none() | days),
        draw(st.none() | days),
        draw(st.frozensets(days, max_size=2)),
        draw(st.booleans()),
    )
    until = since + draw(st.integers(0, 3 * 1440)) * MINUTE
    return hours, zone, since, until, draw(st.frozensets(days, max_size=2))


def by_the_minute(
    hours: WeeklyHours, zone: ZoneInfo, since: datetime, until: datetime, holidays: frozenset[date]
) -> list[datetime]:
    """Watch a clock that never goes back, and note each minute at which the hours hold."""

    def counts(day: date) -> bool:
        return (
            day.isoweekday() in hours.weekdays
            and (hours.valid_from is None or hours.valid_from <= day)
            and (hours.valid_until is None or day <= hours.valid_until)
            and day not in hours.blocked
            and (hours.on_holidays or day not in holidays)
        )

    instant = since - DAY
    found, clock = [], instant.replace(tzinfo=None) - DAY
    while instant < until:
        clock = max(clock, instant.astimezone(zone).replace(tzinfo=None, fold=0))
        today, now = clock.date(), clock.time()
        if hours.begins < hours.ends:
            holds = counts(today) and hours.begins <= now < hours.ends
        else:
            holds = (counts(today) and hours.begins <= now) or (
                counts(today - DAY) and now < hours.ends
            )
        if holds and instant >= since:
            found.append(instant)
        instant += MINUTE
    return found


@settings(deadline=None, max_examples=250)
@given(asked())
def test_it_agrees_with_looking_at_the_clock_each_minute(
    question: tuple[WeeklyHours, ZoneInfo, datetime, datetime, frozenset[date]],
) -> None:
    hours, zone, since, until, holidays = question
    found = spans(hours, zone, since, until, holidays.__contains__)
    covered = [
        begins + n * MINUTE for begins, ends in found for n in range((ends - begins) // MINUTE)
    ]
    assert covered == by_the_minute(hours, zone, since, until, holidays)
    assert found == union(found), "sorted, apart, nothing empty"


# --- Sums and differences

EPOCH = datetime(2026, 9, 7, tzinfo=UTC)
spans_of_minutes = st.tuples(st.integers(0, 40), st.integers(0, 40)).map(
    lambda pair: (EPOCH + pair[0] * MINUTE, EPOCH + pair[1] * MINUTE)
)
some_spans = st.lists(spans_of_minutes, max_size=7)


def as_set(some: Iterable[Span]) -> set[int]:
    """The minutes a list of spans covers."""
    return {
        n
        for begins, ends in some
        for n in range((begins - EPOCH) // MINUTE, (ends - EPOCH) // MINUTE)
    }


def apart(some: list[Span]) -> bool:
    return all(begins < ends for begins, ends in some) and all(
        before[1] < after[0] for before, after in pairwise(some)
    )


@given(some_spans, some_spans)
def test_union_and_difference_are_those_of_sets_of_minutes(
    some: list[Span], others: list[Span]
) -> None:
    assert as_set(union(some, others)) == as_set(some) | as_set(others)
    assert as_set(subtract(some, others)) == as_set(some) - as_set(others)
    assert apart(union(some, others))
    assert apart(subtract(some, others))


@given(some_spans, spans_of_minutes)
def test_covered_means_every_minute_of_it(some: list[Span], wanted: Span) -> None:
    every = bool(as_set([wanted])) and as_set([wanted]) <= as_set(some)
    assert covers(some, *wanted) == every


def test_an_evening_and_the_morning_after_are_one_offer() -> None:
    evening, morning = offer("18:00", "00:00"), offer("00:00", "09:00")
    since = datetime(2026, 9, 7, tzinfo=SHANGHAI)
    both = [spans(h, SHANGHAI, since, since + 2 * DAY, lambda _: False) for h in (evening, morning)]
    begins, ends = since.replace(hour=20), since.replace(day=8, hour=8)
    assert covers(both[0] + both[1], begins, ends)
    assert not covers(both[0], begins, ends)


# --- What is refused


def test_a_naive_instant_and_an_eighth_day_are_mistakes() -> None:
    hours, noon = offer("08:00", "18:00"), datetime(2026, 9, 7, 12)  # noqa: DTZ001 - what is tested
    for since, until in ((noon, noon.replace(tzinfo=UTC)), (noon.replace(tzinfo=UTC), noon)):
        with pytest.raises(ValueError, match="aware"):
            spans(hours, SHANGHAI, since, until, lambda _: False)
    for weekday in (0, 8):
        with pytest.raises(ValueError, match="1 to 7"):
            offer("08:00", "18:00", {weekday})
