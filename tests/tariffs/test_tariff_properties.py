"""The tariff engine: what must hold for every tariff and every stay."""

import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.tariff import CapPer, Rules, Tariff, parse_rules, price


def tariff(zone: ZoneInfo, **rules: object) -> Tariff:
    return Tariff(
        3, 2, zone, parse_rules({"free_deducted": False, "leave_within_minutes": 15} | rules)
    )


SHANGHAI = ZoneInfo("Asia/Shanghai")
STEADY_ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "UTC", "Asia/Kathmandu")]
SHIFTING_ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Berlin",
        "America/Sao_Paulo",  # midnight skipped in spring, 23:00 struck twice in autumn
        "America/Havana",  # midnight struck twice
        "Australia/Lord_Howe",  # half an hour
        "Pacific/Apia",  # no 30 December 2011
    )
]
AROUND_SHIFTS = [
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 10, 25, tzinfo=UTC),
    datetime(2017, 10, 15, 3, tzinfo=UTC),
    datetime(2018, 2, 18, 2, tzinfo=UTC),
    datetime(2025, 3, 9, 5, tzinfo=UTC),
    datetime(2025, 11, 2, 5, tzinfo=UTC),
    datetime(2026, 4, 4, 15, tzinfo=UTC),
    datetime(2011, 12, 30, 10, tzinfo=UTC),
]
whole_minutes = st.integers(0, 5 * 1440).map(lambda minutes: timedelta(minutes=minutes))
to_the_microsecond = st.timedeltas(timedelta(0), timedelta(days=5))
lengths = whole_minutes | to_the_microsecond
entries = st.builds(
    lambda shift, before: shift - before,
    st.sampled_from(AROUND_SHIFTS),
    st.one_of(whole_minutes, st.timedeltas(timedelta(0), timedelta(days=2))),
)


@st.composite
def any_tariff(draw: st.DrawFn) -> Tariff:
    first_minutes = draw(st.sampled_from([0, 1, 15, 30, 60, 120, 1440]))
    first_fen = draw(st.integers(0, 1000)) if first_minutes else 0
    unit_fen = draw(st.integers(0, 400))
    caps = st.integers(max(first_fen, unit_fen), 6000)
    return tariff(
        draw(st.sampled_from(STEADY_ZONES + SHIFTING_ZONES)),
        free_minutes=draw(st.sampled_from([0, 1, 15, 30, 120, 1440, 2000])),
        free_deducted=draw(st.booleans()),
        first_minutes=first_minutes,
        first_fen=first_fen,
        unit_minutes=draw(st.sampled_from([5, 7, 15, 30, 50, 60, 240, 1440])),
        unit_fen=unit_fen,
        cap_fen=draw(st.none() | caps),
        cap_per=draw(st.sampled_from(CapPer)),
    )


def counted_one_by_one(rules: Rules, zone: ZoneInfo, entered: datetime, left: datetime) -> int:
    """The same prices by another way: walk period by period and drop each into its day's box."""
    if left - entered <= timedelta(minutes=rules.free_minutes):
        return 0
    clock = entered + timedelta(minutes=rules.free_minutes if rules.free_deducted else 0)
    next_period = (rules.first_minutes, rules.first_fen)
    boxes: dict[object, int] = {}
    while clock < left:
        minutes, fen = next_period
        if minutes:
            rolling = rules.cap_per == "24h"
            box = (clock - entered).days if rolling else clock.astimezone(zone).date()
            boxes[box] = boxes.get(box, 0) + fen
        clock += timedelta(minutes=minutes)
        next_period = (rules.unit_minutes, rules.unit_fen)
    return sum(fen if rules.cap_fen is None else min(fen, rules.cap_fen) for fen in boxes.values())


@settings(deadline=None, max_examples=600)
@given(any_tariff(), entries, lengths)
def test_it_agrees_with_counting_one_by_one(
    priced_by: Tariff, entered: datetime, length: timedelta
) -> None:
    expected = counted_one_by_one(priced_by.rules, priced_by.zone, entered, entered + length)
    assert price(priced_by, entered, entered + length).total_fen == expected


@settings(deadline=None, max_examples=300)
@given(any_tariff(), entries, lengths, lengths)
def test_a_fee_is_never_negative_and_never_falls_when_the_stay_gets_longer(
    priced_by: Tariff, entered: datetime, length: timedelta, longer_by: timedelta
) -> None:
    sooner = price(priced_by, entered, entered + length).total_fen
    later = price(priced_by, entered, entered + length + longer_by).total_fen
    assert 0 <= sooner <= later


@settings(deadline=None, max_examples=300)
@given(any_tariff(), entries, lengths)
def test_lines_explain_the_total_and_follow_the_stay(
    priced_by: Tariff, entered: datetime, length: timedelta
) -> None:
    left = entered + length
    fee = price(priced_by, entered, left)
    assert fee.total_fen == sum(line.amount_fen for line in fee.lines)
    assert all(line.amount_fen == line.units * line.unit_fen for line in fee.lines)
    assert all(entered <= line.starts_at < line.ends_at <= left for line in fee.lines)
    assert all(line.rule.startswith("tariff:3v2/") and line.label for line in fee.lines)
    caps = [line for line in fee.lines if line.amount_fen < 0]
    charges = [line for line in fee.lines if line.amount_fen >= 0]
    for row in (caps, charges):
        assert all(a.ends_at <= b.starts_at for a, b in pairwise(row))
    if charges:  # every moment of the stay is either free or charged
        assert charges[0].starts_at == entered
        assert charges[-1].ends_at == left
        assert all(a.ends_at == b.starts_at for a, b in pairwise(charges))
    assert {line.rule for line in caps} <= {"tariff:3v2/cap-calendar-day", "tariff:3v2/cap-24h"}


# --- Leaving and coming back must not be cheaper than staying
#
# Splitting a stay never lowers the fee when there is no free time, the first period is not cheaper
# than the units it stands for (a part unit counted whole), and, if there is a cap,
#   - the unit divides the day, and every calendar day has 24 h;
#   - per 24 h: the unit divides the first period;
#   - per calendar day: the first period, if any, is as long as a unit.
# Otherwise the row of units reaches a window at another phase after a split than without one, and
# a unit can slip from an uncapped window into a capped one: never worth more than that unit.


first_parts = st.integers(0, 2 * 1440).map(lambda minutes: timedelta(minutes=minutes)) | lengths


@st.composite
def split_proof_tariff(draw: st.DrawFn) -> Tariff:
    cap_per = draw(st.sampled_from([None, *CapPer]))
    dividing_the_day = [20, 30, 45, 60, 120, 180, 240, 480, 720, 1440]
    unit_minutes = draw(st.sampled_from(dividing_the_day) if cap_per else st.integers(20, 1440))
    unit_fen = draw(st.sampled_from([100, 1]) | st.integers(0, 400))
    if cap_per is None:
        first_minutes = draw(st.integers(0, 1440))
    else:
        longest = 1440 // unit_minutes if cap_per is CapPer.ROLLING_24H else 1
        first_minutes = unit_minutes * draw(st.integers(0, longest))
    dearer_by = draw(st.sampled_from([0, unit_fen, 1])) if first_minutes else 0
    first_fen = -(-first_minutes // unit_minutes) * unit_fen + dearer_by
    above = st.integers(0, 1440 // unit_minutes).map(lambda units: units * unit_fen)
    lowest_cap = max(first_fen, unit_fen)
    return tariff(
        draw(st.sampled_from(STEADY_ZONES)),
        free_minutes=0,
        first_minutes=first_minutes,
        first_fen=first_fen,
        unit_minutes=unit_minutes,
        unit_fen=unit_fen,
        cap_fen=lowest_cap + draw(above | st.integers(0, 5)) if cap_per else None,
        cap_per=cap_per or CapPer.CALENDAR_DAY,
    )


def saved_by_splitting(
    priced_by: Tariff, entered: datetime, stayed: timedelta, then: timedelta
) -> int:
    middle, left = entered + stayed, entered + stayed + then
    parts = price(priced_by, entered, middle).total_fen + price(priced_by, middle, left).total_fen
    return price(priced_by, entered, left).total_fen - parts


@settings(deadline=None, max_examples=1000)
@given(split_proof_tariff(), entries, first_parts)
def test_leaving_and_coming_back_never_beats_staying(
    priced_by: Tariff, entered: datetime, stayed: timedelta
) -> None:
    """Tries every end at which the whole stay has just become dearer, over three days."""
    unit = timedelta(minutes=priced_by.rules.unit_minutes)
    just_begun = timedelta(minutes=priced_by.rules.first_minutes, microseconds=1)
    dearer_at = (just_begun + n * unit for n in range(timedelta(days=3) // unit))
    ends = [length - stayed for length in dearer_at if length >= stayed]
    assert [end for end in ends if saved_by_splitting(priced_by, entered, stayed, end) > 0] == []


BERLIN = ZoneInfo("Europe/Berlin")
PLAIN: dict[str, object] = {
    "free_minutes": 0,
    "first_minutes": 0,
    "first_fen": 0,
    "unit_minutes": 30,
    "unit_fen": 100,
    "cap_fen": 1500,
    "cap_per": "24h",
}


@pytest.mark.parametrize(
    ("zone", "changes", "entered", "stayed", "then"),
    [
        pytest.param(SHANGHAI, {"free_minutes": 15}, "28 00:00", 15, 15, id="free time anew"),
        pytest.param(
            SHANGHAI, {"first_minutes": 60, "first_fen": 100}, "28 00:00", 60, 60, id="cheap first"
        ),
        pytest.param(
            # 5 days are 144 units of 50 min: the sixth window begins with a unit. The second part's
            # fifth window (from its minute 5760) begins with 40 min left of a capped unit.
            SHANGHAI,
            {"unit_minutes": 50, "cap_fen": 1000},
            "28 00:00",
            1440,
            5760 + 30,
            id="unit does not divide the day",
        ),
        pytest.param(
            # Whole: 1000, 1000 and a unit begun in the third window. Each part: 1000, and the
            # first unit of its second window would begin at minute 1455.
            SHANGHAI,
            {"first_minutes": 15, "first_fen": 100, "cap_fen": 1000},
            "28 00:00",
            1455,
            1455,
            id="unit does not divide the first period",
        ),
        pytest.param(
            # Shanghai, in at 23:31 on the 28th: first hour 300 (28th), then units at :01 and :31,
            # the 29th is capped at 1500, the 30th until 04:50 has 10 units: 2800. Leaving at 00:27
            # and coming back at once: 300; then units at :27 and :57, the 29th again 1500, the
            # 30th only 9 units: 2700.
            SHANGHAI,
            {"first_minutes": 60, "first_fen": 300, "cap_per": "calendar_day"},
            "28 15:31",
            56,
            1703,
            id="first period longer than a unit, by calendar day",
        ),
        pytest.param(
            # The 29th has 23 hours: whole, units at 15:37, 23:37 (28th); 08:37, 16:37 (29th);
            # 00:37, 08:37 (30th): 600. Parts 15:37–22:52 and on, units at 22:52; 07:52, 15:52,
            # 23:52 capped to 200; 07:52: 100 + 100 + 200 + 100.
            BERLIN,
            {"unit_minutes": 480, "cap_fen": 200, "cap_per": "calendar_day"},
            "28 14:37",
            435,
            2189,
            id="a day of 23 hours",
        ),
    ],
)
def test_each_condition_for_it_is_needed(
    zone: ZoneInfo, changes: dict[str, object], entered: str, stayed: int, then: int
) -> None:
    entered_at = datetime.fromisoformat(f"2026-03-{entered.replace(' ', 'T')}+00:00")
    parts = timedelta(minutes=stayed), timedelta(minutes=then)
    assert saved_by_splitting(tariff(zone, **{**PLAIN, **changes}), entered_at, *parts) == 100


@given(any_tariff())
def test_any_rules_survive_the_database(priced_by: Tariff) -> None:
    stored = json.loads(json.dumps(asdict(priced_by.rules)))
    assert parse_rules(stored) == priced_by.rules
