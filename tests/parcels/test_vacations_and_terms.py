"""What makes storing cost less or later: vacations, memberships, the community's rules."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from parcels.vacations import days_in_a_row
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import HOUR, MINUTE
from tests.parcels import neighbours
from tests.parcels.neighbours import call, get, own, post

DAY = timedelta(days=1)
TODAY = date(2026, 11, 23)


@pytest.fixture
def home(community: Community) -> Community:
    """The cast with the cabinet and the neighbours."""
    neighbours.move_in(community)
    return community


def away(community: Community, starts: int, ends: int, at: Any = NOON, **more: Any) -> Any:
    """Ana is away, by days from today."""
    days = {"starts_on": str(TODAY + starts * DAY), "ends_on": str(TODAY + ends * DAY)}
    return post(community, "ana", "/locker-vacations", at, **{"status": 201} | days | more)


def test_a6_2_nothing_costs_while_its_recipient_is_away(home: Community, session: Session) -> None:
    hall.deposit(home, "YT1", NOON - MINUTE)
    before = own(home, "ana", "YT1", NOON)["fee"]
    away(home, 1, 3)  # midnight is after 12 of the 18 free hours
    parcel = own(home, "ana", "YT1", NOON + HOUR)
    assert parcel["free_until"] == (NOON + 18 * HOUR + 3 * DAY).isoformat()
    assert parcel["fee"]["ladder"][1]["from"] == "2026-11-27T06:00:00+08:00"
    assert before["ladder"][1]["from"] == "2026-11-24T06:00:00+08:00"
    [due] = hall.ask(session, "SELECT due_at FROM parcel")
    assert due["due_at"] == NOON
    hall.sweep(NOON + 2 * MINUTE)
    [kept] = hall.ask(session, "SELECT free_until FROM parcel")
    assert kept["free_until"] == NOON + 18 * HOUR + 3 * DAY


def test_ending_a_vacation_never_makes_a_parcel_dearer_than_it_was_shown(
    home: Community,
) -> None:
    hall.deposit(home, "YT1", NOON - MINUTE)
    vacation = away(home, 0, 9)
    for hours in (20, 60, 100):
        at = NOON + hours * HOUR
        shown = own(home, "ana", "YT1", at)["fee"]["total_fen"]
        assert shown == 0
    call(home, "ana", "DELETE", f"/locker-vacations/{vacation['id']}", at, status=204)
    fee = own(home, "ana", "YT1", at)["fee"]
    assert fee["total_fen"] == shown
    [kept] = get(home, "ana", "/locker-vacations", at)
    assert kept["ends_on"] == str(TODAY + 4 * DAY)  # the day on which it was ended
    assert fee["next_step_at"] == "2026-11-28T10:00:00+00:00"  # 18 hours after that day


def test_a_vacation_to_come_is_taken_back_without_a_trace(home: Community) -> None:
    vacation = away(home, 5, 9)
    path = f"/locker-vacations/{vacation['id']}"
    call(home, "bo", "DELETE", path, NOON, status=404)
    call(home, "ana", "DELETE", path, NOON, status=204)
    assert get(home, "ana", "/locker-vacations", NOON) == []
    call(home, "ana", "DELETE", path, NOON, status=404)


def test_a_vacation_that_is_over_stays(home: Community) -> None:
    vacation = away(home, 0, 1)
    path = f"/locker-vacations/{vacation['id']}"
    assert call(home, "ana", "DELETE", path, NOON + 3 * DAY, status=409)["code"] == (
        "vacation-over"
    )
    for _ in range(2):
        call(home, "ana", "DELETE", path, NOON + HOUR, status=204)
    [kept] = get(home, "ana", "/locker-vacations", NOON)
    assert (kept["starts_on"], kept["ends_on"]) == (str(TODAY), str(TODAY))


@pytest.mark.parametrize(
    ("starts", "ends", "field"),
    [(-1, 3, "starts_on"), (367, 368, "starts_on"), (3, 2, "ends_on"), (0, 60, "ends_on")],
)
def test_a_vacation_lasts_some_days_from_today_on(
    home: Community, starts: int, ends: int, field: str
) -> None:
    assert set(away(home, starts, ends, status=422)["errors"]) == {field}


def test_nobody_is_away_twice(home: Community) -> None:
    away(home, 10, 20)
    for starts, ends in ((5, 10), (20, 25), (12, 13), (5, 25)):
        assert away(home, starts, ends, status=409)["code"] == "vacation-overlap"
    away(home, 21, 25)


def test_sixty_days_in_a_row_are_the_most_however_they_are_said(home: Community) -> None:
    away(home, 10, 40)
    away(home, 41, 60)
    assert set(away(home, 61, 70, status=422)["errors"]) == {"ends_on"}
    assert set(away(home, 0, 9, status=422)["errors"]) == {"ends_on"}
    away(home, 1, 9)  # that makes sixty
    away(home, 62, 90)  # a day at home between


def test_an_evening_in_the_community_is_its_day(home: Community) -> None:
    night = NOON + 13 * HOUR  # an hour after midnight, while it is still yesterday in UTC
    away(home, 0, 0, at=night, status=422)
    assert away(home, 1, 1, at=night)["starts_on"] == str(TODAY + DAY)


SPANS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), min_size=1, max_size=8)


@given(SPANS, st.integers(0, 7))
def test_days_in_a_row_are_those_without_a_gap(pieces: list[tuple[int, int]], which: int) -> None:
    spans, day = [], TODAY
    for gap, length in pieces:
        first = day + gap * DAY
        spans.append((first, first + (length - 1) * DAY))
        day = first + length * DAY
    away_on = {since + n * DAY for since, until in spans for n in range((until - since).days + 1)}
    asked_of = spans[which % len(spans)][0]
    count, day = 1, asked_of
    while (day := day + DAY) in away_on:
        count += 1
    day = asked_of
    while (day := day - DAY) in away_on:
        count += 1
    assert days_in_a_row(spans[::-1], asked_of) == count


def test_a_members_parcel_stays_a_week_for_nothing(home: Community) -> None:
    days = {"starts_on": str(TODAY), "ends_on": str(TODAY + 30 * DAY)}
    made = post(home, "olga", "/locker-memberships", NOON, status=201, username="ana", **days)
    assert (made["household"], made["ends_on"]) == ("1-101", days["ends_on"])
    hall.deposit(home, "YT1", NOON - MINUTE, now=NOON)
    parcel = own(home, "ana", "YT1", NOON + HOUR)
    assert parcel["free_until"] == (NOON + 7 * DAY).isoformat()
    assert "会员" in parcel["fee"]["lines"][0]["label"]
    for who in ("ana", "amy", "ada"):
        assert [m["id"] for m in get(home, who, "/locker-memberships", NOON)] == [made["id"]]
    assert get(home, "bo", "/locker-memberships", NOON) == []
    assert get(home, "bo", "/locker-memberships", NOON, household="1-101") == []
    assert get(home, "olga", "/locker-memberships", NOON, household="2-202") == []


@pytest.mark.parametrize(
    ("new", "status", "named"),
    [
        ({}, 422, {"household"}),
        ({"household": "1-101", "username": "ana"}, 422, {"household"}),
        ({"household": "9-909"}, 422, {"household"}),
        ({"username": "olga"}, 422, {"username"}),
        ({"household": "2-202", "starts_on": str(TODAY - DAY)}, 422, {"starts_on"}),
        ({"household": "2-202", "ends_on": str(TODAY - DAY)}, 422, {"ends_on"}),
        ({"household": "2-202", "ends_on": str(TODAY + 366 * DAY)}, 422, {"ends_on"}),
        ({"household": "2-202", "ends_on": "2026-13-01"}, 422, {"ends_on"}),
        ({"household": "1-101"}, 409, set()),
    ],
)
def test_memberships_that_cannot_be(
    home: Community, new: dict[str, str], status: int, named: set[str]
) -> None:
    days = {"starts_on": str(TODAY), "ends_on": str(TODAY + DAY)}
    first = {"household": "1-101"} | days
    post(home, "olga", "/locker-memberships", NOON, status=201, **first)
    refused = post(home, "olga", "/locker-memberships", NOON, status=status, **days | new)
    assert set(refused.get("errors", ())) == named


def test_a6_2_the_rules_are_there_for_everybody_to_read(home: Community) -> None:
    for who in ("bo", "yun", "ava"):
        [usual] = get(home, who, "/locker-terms", NOON)
        assert (usual["version"], usual["valid_from"]) == (0, None)
        rules = usual["rules"]
        assert (rules["free_hours"], rules["step_fen"], rules["cap_fen"]) == (18, 50, 300)


def test_a_parcel_keeps_the_rules_it_came_under(home: Community) -> None:
    hall.deposit(home, "YT1", NOON - MINUTE)
    new = post(
        home,
        "fan",
        "/locker-terms",
        NOON,
        status=201,
        rules={"free_hours": 24, "step_fen": 20},
    )
    assert (new["version"], new["valid_from"]) == (1, NOON.isoformat())
    assert (new["rules"]["free_hours"], new["rules"]["cap_fen"]) == (24, 300)
    hall.deposit(home, "YT2", NOON)
    free = {p["tracking_number"]: p["free_until"] for p in hall.parcels(home, "ana", NOON + HOUR)}
    assert free == {
        "YT1": (NOON + 18 * HOUR).isoformat(),
        "YT2": (NOON + MINUTE + 24 * HOUR).isoformat(),
    }
    assert [v["version"] for v in get(home, "ana", "/locker-terms", NOON)] == [1, 0]


@pytest.mark.parametrize(
    ("new", "named"),
    [
        ({"rules": {"free_hours": 0}}, {"rules.free_hours"}),
        ({"rules": {"free_hours": "18; --", "cap_fen": -1}}, {"rules.free_hours", "rules.cap_fen"}),
        ({"rules": {"fee": 1}}, {"rules.fee"}),
        ({"rules": []}, {"rules"}),
        ({}, {"rules"}),
        ({"rules": {}, "valid_from": (NOON - MINUTE).isoformat()}, {"valid_from"}),
        ({"rules": {}, "valid_from": (NOON + HOUR).isoformat()}, {"valid_from"}),
    ],
)
def test_rules_that_cannot_be(home: Community, new: dict[str, Any], named: set[str]) -> None:
    later = (NOON + HOUR).isoformat()
    post(home, "ada", "/locker-terms", NOON, status=201, rules={}, valid_from=later)
    refused = post(home, "ada", "/locker-terms", NOON, status=422, **new)
    assert set(refused["errors"]) == named
