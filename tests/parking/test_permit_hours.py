"""What of a stay its permits cover: hours of the week, renewals, places taken."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.permits import Right, covered, covers_now, granted, weekly_hours

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = timedelta(minutes=1)
NATIONAL_DAY = datetime(2026, 10, 1, tzinfo=ZONE).date()

# 捷停车's card: evenings of workdays and their nights, whole weekends, Sunday's night too.
EVENINGS: list[dict[str, object]] = [
    {"weekdays": [1, 2, 3, 4, 5, 7], "from": "18:00", "to": "09:00"},
    {"weekdays": [6, 7], "from": "00:00", "to": "00:00"},
]


def at(day: str) -> datetime:
    """An instant by the wall's clock; November 23rd 2026 is a Monday."""
    return datetime.fromisoformat(f"2026-{day}").replace(tzinfo=ZONE).astimezone(UTC)


def a_right(
    first: str = "01-01", last: str = "12-31", hours: list[dict[str, object]] | None = None
) -> Right:
    return Right.of(at(first), at(last), hours)


def shown(
    rights: list[Right],
    entered: str,
    until: str,
    *,
    swap_until: str | None = None,
    freed_at: str | None = None,
) -> list[tuple[str, str]]:
    found = covered(
        rights,
        at(entered),
        at(until),
        zone=ZONE,
        is_holiday=lambda day: day == NATIONAL_DAY,
        swap_until=at(swap_until) if swap_until else None,
        freed_at=at(freed_at) if freed_at else None,
    )
    return [(f"{a.astimezone(ZONE):%d %H:%M}", f"{b.astimezone(ZONE):%d %H:%M}") for a, b in found]


def test_a_permit_without_hours_covers_its_dates() -> None:
    card = a_right("11-24", "11-26")
    assert shown([card], "11-23 20:00", "11-27 08:00") == [("24 00:00", "26 00:00")]
    assert shown([card], "11-26 00:00", "11-27 08:00") == []


def test_a_permit_renewed_before_it_ended_goes_on() -> None:
    rights = [a_right("11-01", "11-24"), a_right("11-24", "12-24")]
    assert shown(rights, "11-23 20:00", "11-25 08:00") == [("23 20:00", "25 08:00")]


def test_a_gap_between_two_permits_is_temporary_parking() -> None:
    rights = [a_right("11-25", "12-24"), a_right("11-01", "11-24")]
    assert shown(rights, "11-23 20:00", "11-25 08:00") == [
        ("23 20:00", "24 00:00"),
        ("25 00:00", "25 08:00"),
    ]


def test_an_evening_card_covers_nights_and_weekends() -> None:
    card = a_right(hours=EVENINGS)
    assert shown([card], "11-26 12:00", "11-30 12:00") == [
        ("26 18:00", "27 09:00"),
        ("27 18:00", "30 09:00"),
    ]


def test_hours_that_rest_on_holidays() -> None:
    rests = [{"weekdays": [3, 4], "from": "18:00", "to": "20:00", "on_holidays": False}]
    assert shown([a_right(hours=rests)], "09-30 00:00", "10-02 00:00") == [("30 18:00", "30 20:00")]


def test_a_second_car_is_covered_while_they_swap() -> None:
    card = [a_right()]
    came, left = "11-23 08:00", "11-23 12:00"
    assert shown(card, came, left, swap_until="11-23 08:30") == [("23 08:00", "23 08:30")]
    assert shown(card, came, left, swap_until="11-23 08:30", freed_at="11-23 10:00") == [
        ("23 08:00", "23 08:30"),
        ("23 10:00", "23 12:00"),
    ]
    assert shown(card, came, left, swap_until="11-23 08:30", freed_at="11-23 08:20") == [
        ("23 08:00", "23 12:00")
    ]
    assert shown(card, came, left, swap_until="11-23 08:00") == []


@pytest.mark.parametrize(
    ("clock", "holds"), [("17:59", False), ("18:00", True), ("08:59", True), ("09:00", False)]
)
def test_the_edges_of_hours_are_half_open(clock: str, holds: bool) -> None:
    card = a_right(hours=EVENINGS)
    found = covers_now(card, at(f"11-25 {clock}"), zone=ZONE, is_holiday=lambda _: False)
    assert found is holds


@pytest.mark.parametrize(("clock", "holds"), [("11-24 00:00", True), ("11-26 00:00", False)])
def test_the_edges_of_dates_are_half_open(clock: str, holds: bool) -> None:
    card = a_right("11-24", "11-26")
    assert covers_now(card, at(clock), zone=ZONE, is_holiday=lambda _: False) is holds


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekdays": [8], "from": "18:00", "to": "09:00"},
        {"weekdays": [1], "from": "25:00", "to": "09:00"},
    ],
)
def test_hours_no_calendar_has_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"weekdays|hour"):
        weekly_hours(wrong)


RANGES = st.tuples(st.integers(0, 4000), st.integers(1, 3000))


@given(
    st.lists(st.tuples(RANGES, st.booleans()), max_size=3),
    RANGES,
    st.none() | st.integers(0, 3000),
    st.none() | st.integers(0, 3000),
)
def test_an_instant_is_covered_when_any_right_holds_then(
    drawn: list[tuple[tuple[int, int], bool]],
    stay: tuple[int, int],
    swap: int | None,
    freed: int | None,
) -> None:
    start = at("11-23 00:00")
    rights = [
        Right.of(
            start + begins * MINUTE,
            start + (begins + length) * MINUTE,
            EVENINGS if limited else None,
        )
        for (begins, length), limited in drawn
    ]
    entered = start + stay[0] * MINUTE
    until = entered + stay[1] * MINUTE
    swap_until = None if swap is None else entered + swap * MINUTE
    freed_at = None if freed is None else entered + freed * MINUTE
    found = covered(
        rights,
        entered,
        until,
        zone=ZONE,
        is_holiday=lambda _: False,
        swap_until=swap_until,
        freed_at=freed_at,
    )
    for minute in range(0, stay[1], 37):
        instant = entered + minute * MINUTE
        held = any(
            covers_now(one, instant, zone=ZONE, is_holiday=lambda _: False) for one in rights
        )
        waits = swap_until is not None and swap_until <= instant < (freed_at or until)
        assert any(a <= instant < b for a, b in found) is (held and not waits)


def test_what_is_granted_lies_within_what_was_asked() -> None:
    found = granted(
        a_right("11-24", "11-26"),
        at("11-20 00:00"),
        at("11-24 12:00"),
        zone=ZONE,
        is_holiday=lambda _: False,
    )
    assert found == [(at("11-24 00:00"), at("11-24 12:00"))]
