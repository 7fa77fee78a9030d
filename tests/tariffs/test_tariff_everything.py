"""The tariff engine under any rules and circumstances at once."""

import json
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from tariffs.days import DayKind
from tariffs.rules import AcrossBorder, CapPer, Rules
from tariffs.tariff import Circumstances, Fee, Tariff, parse_rules, price
from tests.tariffs.counting import BASE, SHANGHAI, counted
from tests.work import calls_of

BERLIN = ZoneInfo("Europe/Berlin")
BOOKED = Circumstances()
minutes = st.integers(0, 4 * 1440)
even_fen = st.integers(0, 300).map(lambda fen: 2 * fen)
unit_lengths = st.sampled_from([7, 15, 30, 60, 90, 240, 720])


def clock(half_hours: int) -> str:
    return f"{half_hours // 2:02}:{half_hours % 2 * 30:02}"


@st.composite
def any_segments(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Some of the spans between some clock times, on all or on some kinds of days."""
    cuts = sorted(draw(st.sets(st.integers(0, 47), min_size=2, max_size=4)))
    spans = [*pairwise(cuts), (cuts[-1], cuts[0])]
    days = draw(st.lists(st.sampled_from(DayKind), unique=True, max_size=3))
    chosen = draw(st.lists(st.sampled_from(spans), unique=True, min_size=1, max_size=3))
    return [
        {
            "name": f"段{number}",
            "begins": clock(begins),
            "ends": clock(ends),
            **draw(first_and_unit()),
            "cap_fen": draw(st.none() | st.integers(600, 1500).map(lambda fen: 2 * fen)),
            "days": days,
        }
        for number, (begins, ends) in enumerate(chosen)
    ]


@st.composite
def first_and_unit(draw: st.DrawFn) -> dict[str, int]:
    first_minutes = draw(st.sampled_from([0, 30, 60, 600]))
    return {
        "first_minutes": first_minutes,
        "first_fen": draw(even_fen) if first_minutes else 0,
        "unit_minutes": draw(unit_lengths),
        "unit_fen": draw(even_fen),
    }


TABLES: list[dict[str, Any]] = [
    {},
    {
        "table": [
            {"from_minutes": 0, "to_minutes": 480, "fen": 500},
            {"from_minutes": 480, "to_minutes": 1440, "fen": 100, "unit_minutes": 60},
        ],
        "table_repeats_minutes": 1440,
    },
    {
        "table": [
            {"from_minutes": 0, "to_minutes": 60, "fen": 0},
            {"from_minutes": 60, "to_minutes": None, "fen": 60, "unit_minutes": 45},
        ]
    },
]


@st.composite
def any_rules(draw: st.DrawFn) -> Rules:
    table = draw(st.sampled_from(TABLES))
    caps = draw(st.lists(st.integers(600, 4000), max_size=3))
    one_cap = draw(st.none() | st.integers(600, 4000)) if not caps else None
    new_energy = {"free_minutes": 90, "percent": 50, "until_minutes": 240}
    night = {"free_from": "20:00", "free_to": "08:00"}
    noon = {"free_minutes": 30, "free_from": "11:30", "free_to": "13:00"}
    return parse_rules(
        {
            "free_minutes": draw(st.sampled_from([0, 15, 120, 2000])),
            "free_deducted": draw(st.booleans()),
            **({} if table else draw(first_and_unit())),
            "cap_fen": one_cap,
            "caps_fen": caps,
            "cap_per": draw(st.sampled_from(CapPer)),
            "leave_within_minutes": 15,
            "free_each_day": draw(st.booleans()),
            "free_again_after_minutes": draw(st.sampled_from([0, 60])),
            "day_begins_hour": draw(st.sampled_from([0, 0, 5])),
            "first_once": draw(st.booleans()),
            **table,
            "segments": draw(st.just([]) | any_segments()),
            "across_border": draw(st.sampled_from(AcrossBorder)),
            "classes": [{"vehicle_class": "three-wheel", "percent": 53}],
            "new_energy": draw(st.sampled_from([None, new_energy, new_energy | night, noon])),
            "overstay": draw(
                st.none()
                | st.builds(
                    lambda percent, cap: {"percent": percent, "cap_fen": cap},
                    st.sampled_from([150, 300]),
                    st.none() | st.integers(0, 9000),
                )
            ),
        }
    )


def at(minute: int) -> datetime:
    return BASE + timedelta(minutes=minute)


@st.composite
def any_circumstances(draw: st.DrawFn, entered: int) -> Circumstances:
    def later() -> datetime:
        return at(entered + draw(minutes))

    covered = [sorted((later(), later())) for _ in range(draw(st.integers(0, 2)))]
    return Circumstances(
        vehicle_class=draw(st.sampled_from(["small", "three-wheel"])),
        new_energy=draw(st.booleans()),
        left_before_at=draw(st.none() | st.sampled_from([at(entered - 30), at(entered - 61)])),
        covered=tuple((since, until) for since, until in covered),
        overstay_from=draw(st.none() | st.builds(later)),
    )


@st.composite
def any_stay(draw: st.DrawFn) -> tuple[int, int, Circumstances]:
    entered = draw(st.integers(0, 5 * 1440))
    return entered, entered + draw(minutes), draw(any_circumstances(entered))


def tariff(rules: Rules, zone: ZoneInfo = SHANGHAI) -> Tariff:
    return Tariff(3, 2, zone, rules)


@settings(deadline=None, max_examples=200)
@given(any_rules(), any_stay())
def test_it_agrees_with_counting_minute_by_minute(
    rules: Rules, stay: tuple[int, int, Circumstances]
) -> None:
    entered, left, circumstances = stay
    asked = price(tariff(rules), at(entered), at(left), circumstances).total_fen
    assert asked == counted(rules, entered, left, circumstances)


@settings(deadline=None, max_examples=100)
@given(any_rules(), any_stay(), st.sampled_from([SHANGHAI, BERLIN]), st.booleans())
def test_lines_explain_every_fee(
    rules: Rules, stay: tuple[int, int, Circumstances], zone: ZoneInfo, in_spring: bool
) -> None:
    entered, left, circumstances = stay
    shift = timedelta(days=30) if in_spring else timedelta(0)  # Berlin's 29 March is near
    came, went = at(entered) + shift, at(left) + shift
    fee = price(tariff(rules, zone), came, went, circumstances)
    assert fee.total_fen == sum(line.amount_fen for line in fee.lines)
    assert fee.total_fen >= 0
    for line in fee.lines:
        assert line.amount_fen == line.units * line.unit_fen
        assert came <= line.starts_at < line.ends_at <= went
        assert line.rule.startswith("tariff:3v2/")
        assert line.label
        assert type(line.amount_fen) is int
    assert json.loads(json.dumps([line.as_json() for line in fee.lines])) is not None
    again = price(tariff(rules, zone), came.astimezone(BERLIN), went, circumstances)
    assert again == fee


@settings(deadline=None, max_examples=100)
@given(any_rules(), any_stay(), minutes, st.sampled_from([SHANGHAI, BERLIN]))
def test_a_longer_stay_is_never_cheaper(
    rules: Rules, stay: tuple[int, int, Circumstances], longer_by: int, zone: ZoneInfo
) -> None:
    entered, left, circumstances = stay
    priced_by = tariff(rules, zone)
    sooner = price(priced_by, at(entered), at(left), circumstances)
    later = price(priced_by, at(entered), at(left + longer_by), circumstances)
    assert sooner.total_fen <= later.total_fen


@settings(deadline=None, max_examples=100)
@given(any_rules(), any_stay(), st.sampled_from([SHANGHAI, BERLIN]))
def test_a_permit_never_makes_a_stay_dearer(
    rules: Rules, stay: tuple[int, int, Circumstances], zone: ZoneInfo
) -> None:
    entered, left, circumstances = stay
    priced_by = tariff(rules, zone)
    came, went = at(entered), at(left)
    with_permit = price(priced_by, came, went, circumstances).total_fen
    without = price(priced_by, came, went, replace(circumstances, covered=())).total_fen
    assert with_permit <= without
    all_of_it = replace(circumstances, covered=((came, went),))
    assert price(priced_by, came, went, all_of_it).lines == ()


@settings(deadline=None, max_examples=100)
@given(any_rules(), any_stay())
def test_every_window_keeps_its_cap(rules: Rules, stay: tuple[int, int, Circumstances]) -> None:
    """The cap is by how much a fee grows from one border of a window to the next, at most."""
    entered, left, circumstances = stay
    capped = replace(rules, free_minutes=0, overstay=None)
    here = replace(circumstances, vehicle_class="small", covered=())
    caps = capped.caps_fen or ((capped.cap_fen,) if capped.cap_fen is not None else ())
    first = entered + 1440
    if capped.cap_per is CapPer.CALENDAR_DAY:
        hour = capped.day_begins_hour * 60
        first = entered + 1440 - (entered - hour) % 1440
    borders = [entered, *range(first, left, 1440), max(left, entered)]
    fees = [price(tariff(capped), at(entered), at(border), here).total_fen for border in borders]
    for number, (before, after) in enumerate(pairwise(fees)):
        if caps:
            assert after - before <= caps[min(number, len(caps) - 1)]


@settings(deadline=None, max_examples=100)
@given(any_rules(), any_stay())
def test_an_overstay_is_a_quote_and_what_follows(
    rules: Rules, stay: tuple[int, int, Circumstances]
) -> None:
    entered, left, circumstances = stay
    priced_by = tariff(rules)
    fee = price(priced_by, at(entered), at(left), circumstances)
    over = [line for line in fee.lines if line.income == "overstay"]
    if rules.overstay is None or circumstances.overstay_from is None:
        assert over == []
        return
    booked_until = min(at(left), max(at(entered), circumstances.overstay_from))
    quoted = replace(circumstances, overstay_from=None)
    quote = price(priced_by, at(entered), booked_until, quoted)
    assert fee.lines[: len(quote.lines)] == quote.lines
    assert list(fee.lines[len(quote.lines) :]) == over
    assert all(line.starts_at >= booked_until for line in over)
    if rules.overstay.cap_fen is not None:
        assert fee.total_fen - quote.total_fen <= rules.overstay.cap_fen


@given(any_rules())
def test_any_rules_survive_the_database(rules: Rules) -> None:
    assert parse_rules(json.loads(json.dumps(asdict(rules)))) == rules


def test_a_year_under_every_rule_is_priced_at_once() -> None:
    """A permit for every night of the year, nights of their own price, progressive caps."""
    night = {"name": "夜间", "begins": "22:00", "ends": "08:00", "unit_minutes": 15}
    rules = parse_rules(
        {
            "free_minutes": 15,
            "free_deducted": True,
            "first_minutes": 60,
            "first_fen": 300,
            "unit_minutes": 15,
            "unit_fen": 50,
            "cap_fen": None,
            "caps_fen": [3000, 4000, 5000],
            "cap_per": "calendar_day",
            "leave_within_minutes": 15,
            "free_each_day": True,
            "segments": [{**night, "first_minutes": 0, "first_fen": 0, "unit_fen": 10}],
            "new_energy": {"free_minutes": 120, "free_from": "20:00", "free_to": "08:00"},
        }
    )
    nights = [(at(day * 1440 + 19 * 60), at(day * 1440 + 31 * 60)) for day in range(365)]
    priced_by = tariff(rules)
    green = Circumstances(new_energy=True, covered=tuple(nights))

    def a_year() -> Fee:
        return price(priced_by, at(9 * 60), at(365 * 1440), green)

    assert len(a_year().lines) > 365
    assert calls_of(a_year) < 1_000 * 365
