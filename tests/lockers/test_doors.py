"""Doors by themselves: left open, broken, seen by sensors; and holds that go on meanwhile."""

from itertools import permutations
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import HOUR, MINUTE


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)
    hall.say(community, "device.heartbeat", NOON)


def heard(community: Community, *messages: tuple[str, int, bool], number: int = 7) -> None:
    """Messages of a door: what, in which minute it happened, and whether it is told late."""
    for n, (type_, minute, late) in enumerate(messages):
        at = NOON + minute * MINUTE
        now: dict[str, Any] = {"now": NOON + HOUR + n * MINUTE, "replayed": True} if late else {}
        hall.say(community, type_, at, compartment=number, **now)


@pytest.mark.parametrize("late", [(False, True), (True, False), (True, True), (False, False)])
def test_a_door_that_was_closed_again_is_free_however_it_is_told(
    community: Community, session: Session, late: tuple[bool, bool]
) -> None:
    told = [("door_left_open", 2, late[0]), ("door_closed", 5, late[1])]
    for order in permutations(told):
        heard(community, *order)
        assert hall.doors(session) == {}
        assert hall.cases(session) == []


def test_a_door_left_open_is_shown_and_not_given_out(
    community: Community, session: Session
) -> None:
    heard(community, ("door_left_open", 2, False))
    assert hall.doors(session) == {7: "open"}
    assert hall.cases(session) == ["door-left-open"]


def test_a_fault_that_is_told_late_takes_the_door_out_of_use(
    community: Community, session: Session
) -> None:
    heard(community, ("door_fault", 2, True))
    assert hall.doors(session) == {7: "blocked"}


@pytest.mark.parametrize("types", [["door_left_open"], ["door_left_open", "door_closed"]])
def test_a_hold_ends_also_when_its_door_was_left_open(
    community: Community, session: Session, types: list[str]
) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    heard(community, *((type_, 1, False) for type_ in types), number=number)
    hall.say(community, "device.heartbeat", NOON + 9 * MINUTE)
    hall.sweep(NOON + 11 * MINUTE)
    assert hall.phase(session, "YT1") == "expected"
    assert hall.doors(session) == {}


def test_a_courier_whose_door_breaks_gets_another_and_the_broken_one_stays_out_of_use(
    community: Community, session: Session
) -> None:
    broken = hall.request(community, "YT1", NOON)["compartment"]
    heard(community, ("door_fault", 1, False), number=broken)
    other = hall.request(community, "YT1", NOON + 2 * MINUTE)["compartment"]
    assert other != broken
    assert hall.doors(session) == {broken: "blocked", other: "held"}


def test_a_hold_at_a_door_that_breaks_ends(community: Community, session: Session) -> None:
    broken = hall.request(community, "YT1", NOON)["compartment"]
    heard(community, ("door_fault", 1, False), number=broken)
    hall.sweep(NOON + 11 * MINUTE)
    assert hall.phase(session, "YT1") == "expected"
    assert hall.doors(session) == {broken: "blocked"}


def test_a_doubtful_hold_is_on_the_operators_list(community: Community, session: Session) -> None:
    number = hall.request(community, "YT1", NOON + HOUR)["compartment"]
    hall.sweep(NOON + HOUR + 11 * MINUTE)
    assert hall.doors(session) == {number: "needs_check"}
    assert "hold-unclear" in hall.cases(session)


def test_an_old_heartbeat_says_nothing_of_now(community: Community, session: Session) -> None:
    late: dict[str, Any] = {"now": NOON + HOUR}
    hall.say(community, "device.heartbeat", NOON, cameras="down", doors={"7": "occupied"}, **late)
    assert hall.request(community, "YT1", NOON + HOUR)["action"] == "open"
    assert 7 not in hall.doors(session)


def test_a_sensor_that_agrees_again_closes_its_case(community: Community, session: Session) -> None:
    number = hall.deposit(community, "YT1", NOON)
    for minute, seen in ((5, "empty"), (6, "occupied")):
        at = NOON + minute * MINUTE
        hall.say(community, "device.heartbeat", at, doors={str(number): seen})
    assert hall.cases(session) == []


def test_a_cabinet_that_was_not_audited_for_a_week_is_shown(
    community: Community, session: Session
) -> None:
    hall.ask(session, "SELECT 1")
    session.connection().exec_driver_sql("UPDATE cabinet SET audited_at = '2026-11-23T04:00Z'")
    session.commit()
    hall.sweep(NOON + 167 * HOUR)
    assert "audit-due" not in hall.cases(session)
    hall.sweep(NOON + 169 * HOUR)
    assert "audit-due" in hall.cases(session)
