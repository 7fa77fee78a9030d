"""The fee of a parcel: what must hold for all rules, all stops and all instants."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from storage.fees import STANDS_AT_MOST, Clock, fee, free_until, ladder, next_step_at
from storage.rules import SITES, LockerRules, parse_rules
from tariffs.days import DayKind

HOUR, DAY, A_MOMENT = timedelta(hours=1), timedelta(days=1), timedelta(microseconds=1)
NOTHING = timedelta(0)
ZONES = [
    ZoneInfo(name)
    for name in (
        "Asia/Shanghai",
        "Europe/Berlin",
        "America/Sao_Paulo",  # midnight skipped, 23:00 struck twice
        "America/Havana",  # midnight struck twice
        "Pacific/Apia",  # no 30 December 2011
    )
]
AROUND = [
    datetime(2026, 9, 25, tzinfo=UTC),
    datetime(2026, 10, 24, tzinfo=UTC),
    datetime(2026, 3, 28, tzinfo=UTC),
    datetime(2017, 10, 14, tzinfo=UTC),
    datetime(2018, 2, 17, tzinfo=UTC),
    datetime(2025, 11, 1, tzinfo=UTC),
    datetime(2011, 12, 28, tzinfo=UTC),
]
whole_hours = st.integers(0, 12 * 24).map(lambda hours: hours * HOUR)
lengths = whole_hours | st.timedeltas(NOTHING, 40 * DAY)
deposits = st.builds(lambda near, later: near + later, st.sampled_from(AROUND), lengths)


def plain(_: date) -> DayKind:
    return DayKind.WORKDAY


@st.composite
def any_rules(draw: st.DrawFn) -> LockerRules:
    step_fen = draw(st.sampled_from([0, 1, 50, 70]))
    free_hours = draw(st.integers(5, 48))
    begins, quiet = draw(st.integers(0, 1439)), draw(st.integers(1, 16 * 60))
    return parse_rules(
        {
            "free_hours": free_hours,
            "member_free_hours": free_hours + draw(st.integers(0, 100)),
            "step_hours": draw(st.integers(1, 30)),
            "step_fen": step_fen,
            "cap_fen": step_fen * draw(st.integers(1, 8)) + (step_fen // 2 + 1) % 3,
            "holidays_stop": draw(st.booleans()),
            "weekends_stop_at": draw(st.lists(st.sampled_from(SITES), unique=True)),
            "quiet_stops": draw(st.booleans()),
            "quiet_from": _wall(begins),
            "quiet_until": _wall((begins + quiet) % 1440),
        }
    )


def _wall(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


@st.composite
def any_clock(draw: st.DrawFn, deposited_at: datetime) -> Clock:
    kinds: list[DayKind] = draw(st.lists(st.sampled_from(DayKind), min_size=1, max_size=9))

    def kind_of(day: date) -> DayKind:
        return kinds[day.toordinal() % len(kinds)]

    spans = st.tuples(st.timedeltas(-5 * DAY, 20 * DAY), st.timedeltas(-DAY, 15 * DAY))
    away = draw(st.lists(spans, max_size=3))
    return Clock(
        draw(any_rules()),
        draw(st.sampled_from(ZONES)),
        draw(st.sampled_from(SITES)),
        kind_of,
        tuple((deposited_at + since, deposited_at + since + for_) for since, for_ in away),
        member=draw(st.booleans()),
        extra_free=draw(st.sampled_from([NOTHING, HOUR, timedelta(minutes=95)])),
    )


@st.composite
def cases(draw: st.DrawFn) -> tuple[Clock, datetime]:
    deposited_at = draw(deposits)
    return draw(any_clock(deposited_at)), deposited_at


@given(cases(), st.floats(0, 1))
def test_never_a_fee_inside_the_storage_period(case: tuple[Clock, datetime], part: float) -> None:
    clock, deposited_at = case
    ends = free_until(clock, deposited_at)
    inside = deposited_at + part * (ends - deposited_at)
    assert ends - deposited_at >= clock.free
    assert fee(clock, deposited_at, min(inside, ends)).total_fen == 0
    assert fee(clock, deposited_at, deposited_at + part * clock.free).total_fen == 0
    assert fee(clock, deposited_at, ends).total_fen == 0
    assert fee(clock, deposited_at, ends + A_MOMENT).total_fen == clock.rules.step_fen


@given(cases(), st.lists(lengths, min_size=2, max_size=5))
def test_a_fee_only_grows_and_never_above_the_cap(
    case: tuple[Clock, datetime], later: list[timedelta]
) -> None:
    clock, deposited_at = case
    fees = [fee(clock, deposited_at, deposited_at + after).total_fen for after in sorted(later)]
    assert fees == sorted(fees)
    assert 0 <= fees[-1] <= clock.rules.cap_fen


@given(cases(), lengths, st.timedeltas(-DAY, 30 * DAY), st.timedeltas(NOTHING, 10 * DAY))
def test_one_more_stop_never_makes_it_dearer(
    case: tuple[Clock, datetime], after: timedelta, since: timedelta, away_for: timedelta
) -> None:
    clock, deposited_at = case
    away = (deposited_at + since, deposited_at + since + away_for)
    further = replace(clock, vacations=(*clock.vacations, away))
    at = deposited_at + after
    assert fee(further, deposited_at, at).total_fen <= fee(clock, deposited_at, at).total_fen
    assert free_until(further, deposited_at) >= free_until(clock, deposited_at)


@given(cases(), lengths)
def test_every_kind_of_stop_is_a_kindness(case: tuple[Clock, datetime], after: timedelta) -> None:
    clock, deposited_at = case
    at = deposited_at + after
    due = fee(clock, deposited_at, at).total_fen
    for less in (
        replace(clock, vacations=()),
        replace(clock, kind_of=plain),
        replace(clock, rules=replace(clock.rules, quiet_stops=False)),
        replace(clock, member=False),
        replace(clock, extra_free=NOTHING),
    ):
        assert due <= fee(less, deposited_at, at).total_fen


@given(any_rules(), st.sampled_from(ZONES), deposits, lengths)
def test_without_stops_it_is_the_closed_formula_in_every_zone(
    rules: LockerRules, zone: ZoneInfo, deposited_at: datetime, after: timedelta
) -> None:
    clock = Clock(replace(rules, quiet_stops=False), zone, "residential", plain)
    beyond = max(NOTHING, after - rules.free_hours * HOUR)
    expected = min(rules.cap_fen, -(-beyond // (rules.step_hours * HOUR)) * rules.step_fen)
    assert fee(clock, deposited_at, deposited_at + after).total_fen == expected
    assert free_until(clock, deposited_at) == deposited_at + rules.free_hours * HOUR


@given(cases())
def test_ladder_and_fee_agree_on_both_sides_of_every_rung(case: tuple[Clock, datetime]) -> None:
    clock, deposited_at = case
    rungs = ladder(clock, deposited_at)
    assert (rungs[0].from_at, rungs[0].total_fen) == (deposited_at, 0)
    for below, rung in pairwise(rungs):
        assert below.from_at < rung.from_at
        assert below.total_fen < rung.total_fen
        assert fee(clock, deposited_at, rung.from_at).total_fen == below.total_fen
        assert fee(clock, deposited_at, rung.from_at + A_MOMENT).total_fen == rung.total_fen
        assert next_step_at(clock, deposited_at, rung.from_at) == rung.from_at
    assert rungs[-1].total_fen == (clock.rules.cap_fen if clock.rules.step_fen else 0)
    assert next_step_at(clock, deposited_at, rungs[-1].from_at + A_MOMENT) is None
    if len(rungs) > 1:
        assert rungs[1].from_at == free_until(clock, deposited_at)


@given(cases(), lengths)
def test_lines_sum_and_lie_within_the_storing(
    case: tuple[Clock, datetime], after: timedelta
) -> None:
    clock, deposited_at = case
    at = deposited_at + after
    priced = fee(clock, deposited_at, at)
    assert sum(line.amount_fen for line in priced.lines) == priced.total_fen
    for line in priced.lines:
        assert deposited_at <= line.starts_at < line.ends_at <= at
        assert line.units * line.unit_fen == line.amount_fen
        assert line.units > 0 or (line.unit_fen, line.starts_at) == (0, deposited_at)


@given(cases(), lengths)
def test_the_stops_in_the_lines_are_the_whole_difference(
    case: tuple[Clock, datetime], after: timedelta
) -> None:
    """Stops never overlap; what lies between them is what the fee is reckoned from."""
    clock, deposited_at = case
    at = deposited_at + after
    lines = fee(clock, deposited_at, at).lines
    stops = [line for line in lines if "/stop-" in line.rule]
    assert all(one.ends_at <= other.starts_at for one, other in pairwise(stops))
    ran = after - sum([stop.ends_at - stop.starts_at for stop in stops], NOTHING)
    steps = -(-max(NOTHING, ran - clock.free) // (clock.rules.step_hours * HOUR))
    assert sum(line.units for line in lines if line.rule.endswith("/overdue")) == (
        steps if clock.rules.step_fen else 0
    )


@given(deposits, st.sampled_from(ZONES), st.integers(0, 3), st.integers(1, 5))
def test_a_holiday_inside_the_free_time_prolongs_it_by_its_length(
    deposited_at: datetime, zone: ZoneInfo, days_later: int, days: int
) -> None:
    first = deposited_at.astimezone(zone).date() + (days_later + 1) * DAY
    off = {first + n * DAY for n in range(days)}

    def kind_of(day: date) -> DayKind:
        return DayKind.HOLIDAY if day in off else DayKind.WORKDAY

    def midnight(day: date) -> datetime:
        return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)

    begins, ends = midnight(first), midnight(first + days * DAY)
    clock = Clock(parse_rules({"free_hours": 30}), zone, "office", kind_of)
    usually = free_until(replace(clock, kind_of=plain), deposited_at)
    assume(deposited_at < begins <= usually)
    assert free_until(clock, deposited_at) == usually + (ends - begins)


@given(cases(), lengths, st.sampled_from(ZONES))
def test_it_does_not_matter_in_which_zone_an_instant_is_written(
    case: tuple[Clock, datetime], after: timedelta, written_in: ZoneInfo
) -> None:
    clock, deposited_at = case
    here, there = deposited_at.astimezone(written_in), deposited_at + after
    away = tuple((a.astimezone(written_in), b.astimezone(written_in)) for a, b in clock.vacations)
    elsewhere = replace(clock, vacations=away)
    assert fee(elsewhere, here, there.astimezone(written_in)) == fee(clock, deposited_at, there)
    assert ladder(elsewhere, here) == ladder(clock, deposited_at)


def test_a_parcel_that_lies_sixty_days_asks_the_calendar_a_few_hundred_times() -> None:
    """Once for every day and kind of stop, whatever the rules; so a price takes milliseconds."""
    asked: list[date] = []

    def kind_of(day: date) -> DayKind:
        asked.append(day)
        return DayKind.WORKDAY

    clock = Clock(parse_rules({"quiet_stops": True}), ZONES[0], "office", kind_of)
    fee(clock, AROUND[0], AROUND[0] + 60 * DAY)
    assert len(asked) <= 2 * 63
    free_until(clock, AROUND[0])
    ladder(clock, AROUND[0])
    assert len(asked) <= 2 * 63 + 2 * 2 * 30


def test_nothing_makes_the_calendar_be_asked_beyond_two_years() -> None:
    asked: list[date] = []

    def always(day: date) -> DayKind:
        asked.append(day)
        return DayKind.HOLIDAY

    clock = Clock(LockerRules(), ZONES[0], "office", always)
    ladder(clock, AROUND[0])
    assert max(asked) <= (AROUND[0] + STANDS_AT_MOST + 2 * DAY).date()
    assert len(asked) < 10_000
