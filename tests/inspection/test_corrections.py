"""Operators at the doors: corrections, blocked doors, opening by hand, removal, sparing fees."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from tests.cast import NOON, Community
from tests.inspection import counter
from tests.lockers import hall
from tests.lockers.hall import HOUR, MINUTE
from tests.races.crowd import at_once


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


def sensed(community: Community, number: int, sensor: str, at: Any) -> None:
    hall.say(community, "device.heartbeat", at, doors={str(number): sensor})


def put(community: Community, number: int, state: str, at: Any, reason: str = "锁舌卡住") -> Any:
    where = f"POST cabinets/K1/compartments/{number}/state"
    return counter.ask(community, where, at, state=state, reason=reason)


# --- Complaints (domain/lockers.md A6).


def test_a6_10_an_empty_door_shown_occupied_is_corrected_in_one_step(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    sensed(community, number, "empty", NOON + HOUR)
    assert hall.cases(session) == ["sensor-mismatch"]
    after = counter.correct(community, number, NOON + 2 * HOUR, "empty")
    assert (after["state"], after["parcel"]) == ("free", None)
    assert (hall.phase(session, "YT1"), counter.reason(session, "YT1")) == ("exception", "missing")
    assert hall.cases(session) == ["missing"]
    assert counter.at_door(session, number)[-2:] == ["audit.mismatch", "audit.corrected"]
    assert hall.request(community, "YT2", NOON + 3 * HOUR)["compartment"] == number


def test_a6_4_a_parcel_taken_by_others_is_set_aside_and_its_code_is_dead(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    found = counter.correct(community, number, NOON + HOUR, "wrong-person")
    assert found["parcel"]["reason"] == "misdelivered"
    assert hall.pick_up(community, code, NOON + HOUR)["reason"] == "wrong-code"
    assert hall.doors(session) == {number: "occupied"}
    assert counter.charged(session) == []


def test_a6_5_a_door_that_does_not_open_costs_nothing_and_is_charged_once(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    hall.say(community, "door_fault", NOON + 17 * HOUR, compartment=number)
    parcel = counter.parcel_id(session, "YT1")
    longer = counter.ask(
        community, f"POST parcels/{parcel}/extend", NOON + 18 * HOUR, hours=24, reason="柜门故障"
    )
    assert longer["extra_free_hours"] == 24
    put(community, number, "free", NOON + 30 * HOUR, "已修复")
    assert hall.cases(session) == []
    told = hall.pick_up(community, hall.code(session, "YT1"), NOON + 40 * HOUR)
    assert (told["action"], told["fee"]["total_fen"]) == ("open", 0)
    for minute in (1, 2):
        hall.collect(community, "YT1", NOON + 40 * HOUR + minute * MINUTE)
    assert counter.charged(session) == []


# --- Corrections.


def test_every_finding_said_twice_is_said_once(community: Community, session: Session) -> None:
    numbers = [hall.deposit(community, f"YT{n}", NOON + n * MINUTE) for n in range(3)]
    said: list[tuple[int, str, str | None]] = [
        (numbers[0], "empty", None),
        (numbers[1], "other-parcel", "SF9"),
        (numbers[2], "wrong-person", None),
        (2, "parcel", "ZTO8"),
        (3, "other-parcel", None),
    ]
    rows = """SELECT (SELECT count(*) FROM parcel_event) + (SELECT count(*) FROM compartment_event)
              + (SELECT count(*) FROM parcel) + (SELECT count(*) FROM exception_case) AS rows"""
    for number, found, waybill in said:
        first = counter.correct(community, number, NOON + HOUR, found, waybill)
        before = hall.ask(session, rows)
        assert counter.correct(community, number, NOON + 2 * HOUR, found, waybill) == first
        assert hall.ask(session, rows) == before
    assert hall.doors(session) == {
        numbers[1]: "occupied",
        numbers[2]: "occupied",
        2: "occupied",
        3: "needs_check",
    }


def test_a_parcel_nobody_scanned_is_recorded_where_it_lies(
    community: Community, session: Session
) -> None:
    sensed(community, 7, "occupied", NOON)
    assert hall.doors(session) == {7: "needs_check"}
    after = counter.correct(community, 7, NOON + HOUR, "parcel", "ZTO8")
    assert (after["state"], after["reason"]) == ("occupied", None)
    assert (after["parcel"]["tracking_number"], after["parcel"]["phase"]) == ("ZTO8", "exception")
    assert counter.reason(session, "ZTO8") == "courier-no-scan"
    assert hall.cases(session) == ["courier-no-scan"]
    assert counter.charged(session, "deposit") == []


def test_a_full_door_without_a_waybill_is_given_to_nobody(
    community: Community, session: Session
) -> None:
    after = counter.correct(community, 4, NOON, "parcel")
    assert (after["state"], after["reason"]) == ("needs_check", "周巡检")
    assert hall.request(community, "YT1", NOON + MINUTE)["compartment"] != 4
    assert counter.correct(community, 4, NOON + HOUR, "empty")["state"] == "free"


def test_two_parcels_changed_places(community: Community, session: Session) -> None:
    first, second = (hall.deposit(community, w, NOON + n * HOUR) for n, w in enumerate("AB"))
    code = hall.code(session, "B")
    after = counter.correct(community, first, NOON + 2 * HOUR, "other-parcel", "B")
    assert after["parcel"]["tracking_number"] == "B"
    assert counter.reason(session, "A") == "missing"
    assert hall.doors(session) == {first: "occupied"}
    counter.correct(community, second, NOON + 2 * HOUR, "parcel", "A")
    assert counter.reason(session, "A") == "courier-no-scan"
    opened = hall.pick_up(community, code, NOON + 3 * HOUR)
    assert (opened["action"], opened["compartment"]) == ("open", first)


def test_another_parcel_than_recorded_has_to_be_called_so(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    where = f"POST cabinets/K1/compartments/{number}/correct"
    said = {"found": "parcel", "tracking_number": "YT2", "reason": "周巡检"}
    refused = counter.ask(community, where, NOON + HOUR, status=409, **said)
    assert refused["code"] == "another-recorded"
    where = "POST cabinets/K1/compartments/1/correct"
    said = {"found": "wrong-person", "reason": "周巡检"}
    refused = counter.ask(community, where, NOON + HOUR, status=409, **said)
    assert refused["code"] == "nothing-recorded"
    assert hall.phase(session, "YT1") == "ready"


def test_a_deposit_whose_message_was_lost_is_made_good_by_hand(
    community: Community, session: Session
) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    assert counter.correct(community, number, NOON + MINUTE, "empty")["state"] == "held"
    after = counter.correct(community, number, NOON + 5 * MINUTE, "parcel", "YT1")
    assert (after["state"], after["parcel"]["phase"]) == ("occupied", "ready")
    code = hall.code(session, "YT1")
    assert hall.pick_up(community, code, NOON + HOUR)["compartment"] == number
    assert counter.charged(session, "deposit") == [("fee", 30)]
    counter.correct(community, 8, NOON + HOUR, "parcel", "YT2")
    hall.request(community, "YT3", NOON + 2 * HOUR)


def test_a_confirmed_record_silences_the_sensor(community: Community, session: Session) -> None:
    number = hall.deposit(community, "YT1", NOON)
    sensed(community, number, "empty", NOON + HOUR)
    after = counter.correct(community, number, NOON + 2 * HOUR, "parcel")
    assert (after["state"], after["parcel"]["phase"]) == ("occupied", "ready")
    assert hall.cases(session) == []


def test_an_offline_cabinet_that_tells_of_an_earlier_pickup_is_believed(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    counter.correct(community, number, NOON + 3 * HOUR, "empty")
    hall.collect(community, "YT1", NOON + HOUR, now=NOON + 4 * HOUR, replayed=True)
    assert hall.phase(session, "YT1") == "collected"
    assert "missing" not in hall.cases(session)


# --- Doors.


def test_a_blocked_door_is_given_to_nobody_and_still_gives(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    assert put(community, number, "blocked", NOON + HOUR)["reason"] == "锁舌卡住"
    put(community, number, "blocked", NOON + HOUR)
    assert counter.at_door(session, number).count("door.blocked") == 1
    assert counter.happened(session, "YT1")[-1] == "door.blocked"
    told = hall.pick_up(community, hall.code(session, "YT1"), NOON + 2 * HOUR)
    assert (told["action"], told["compartment"]) == ("open", number)
    hall.collect(community, "YT1", NOON + 2 * HOUR + MINUTE)
    assert hall.doors(session) == {number: "blocked"}
    assert put(community, number, "free", NOON + 3 * HOUR)["state"] == "free"


def test_a_mended_door_with_a_parcel_inside_is_occupied_again(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    hall.say(community, "door_fault", NOON + HOUR, compartment=number)
    assert hall.cases(session) == ["door-fault"]
    door = put(community, number, "free", NOON + 2 * HOUR, "换锁")
    assert (door["state"], door["reason"]) == ("occupied", None)
    resolved = "SELECT resolution, resolved_by FROM exception_case WHERE resolved_at IS NOT NULL"
    [case] = hall.ask(session, resolved)
    [olga] = hall.ask(session, "SELECT id FROM person WHERE username = 'olga'")
    assert case == {"resolution": "换锁", "resolved_by": olga["id"]}


@pytest.mark.parametrize(("state", "left"), [("blocked", "blocked"), ("free", None)])
def test_whoever_held_a_door_out_of_use_asks_anew(
    community: Community, session: Session, state: str, left: str | None
) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    put(community, number, state, NOON + MINUTE)
    assert hall.phase(session, "YT1") == "expected"
    assert hall.doors(session) == ({number: left} if left else {})
    assert hall.request(community, "YT1", NOON + 2 * MINUTE)["action"] == "open"


def test_doors_and_cabinets_there_are_not(community: Community) -> None:
    said = {"found": "empty", "reason": "巡检"}
    counter.ask(community, "POST cabinets/K1/compartments/99/correct", NOON, status=404, **said)
    counter.ask(community, "POST cabinets/K9/compartments/1/correct", NOON, status=404, **said)
    counter.ask(community, "GET cabinets/K9/compartments", NOON, status=404)
    blank = {"state": "blocked", "reason": " "}
    counter.ask(community, "POST cabinets/K1/compartments/1/state", NOON, status=422, **blank)


def test_operators_see_phones_masked(community: Community, session: Session) -> None:
    number = hall.deposit(community, "YT1", NOON)
    parcel = counter.door(community, number, NOON + HOUR)["parcel"]
    assert (parcel["phone"], parcel["phase"]) == ("138****1111", "ready")
    assert len(counter.ask(community, "GET cabinets/K1/compartments", NOON + HOUR)) == 15


# --- Whatever people say, in whatever order.

SAID = st.tuples(
    st.integers(1, 4),
    st.sampled_from(
        ["empty", "parcel", "other-parcel", "wrong-person", "blocked", "free", "check"]
    ),
    st.sampled_from([None, "YT1", "YT2", "ZTO8"]),
)
REFUSALS = {"another-recorded", "nothing-recorded"}


@settings(max_examples=30)
@given(said=st.lists(SAID, min_size=1, max_size=12))
def test_no_finding_contradicts_the_doors_and_each_is_idempotent(
    community: Community, session: Session, said: list[tuple[int, str, str | None]]
) -> None:
    hall.wipe(session)
    session.execute(text("UPDATE compartment SET reason = NULL"))
    session.commit()
    hall.deposit(community, "YT1", NOON)
    hall.request(community, "YT2", NOON)
    for number, what, waybill in said:
        where = f"POST cabinets/K1/compartments/{number}"
        ask = f"{where}/correct"
        body: dict[str, Any] = {"found": what, "tracking_number": waybill}
        if what in {"blocked", "free", "check"}:
            ask = f"{where}/state"
            body = {"state": "needs_check" if what == "check" else what}
        answers = [
            counter.send(community, ask, NOON + MINUTE, **body, reason="巡检") for _ in range(2)
        ]
        assert answers[0].get_json() == answers[1].get_json() or answers[0].status_code == 409
        assert all(a.status_code == 200 or a.get_json()["code"] in REFUSALS for a in answers)
    lying = """SELECT count(*) AS parcels FROM compartment k JOIN parcel p ON p.id = k.parcel_id
               WHERE p.phase IN ('collected', 'reclaimed', 'returned', 'expected')
                  OR p.phase = 'exception' AND p.reason IN ('missing', 'lost')
                  OR p.compartment_id <> k.id"""
    assert hall.ask(session, lying) == [{"parcels": 0}]


# --- At the same instant.


def correcting(
    community: Community, number: int, found: str, waybill: str | None = None
) -> Callable[[FlaskClient], int]:
    """Somebody corrects a door of K1, over a connection of their own."""
    body = {"found": found, "tracking_number": waybill, "reason": "巡检"}
    path, olga = f"/api/v1/cabinets/K1/compartments/{number}/correct", community.as_person("olga")
    return lambda client: client.post(path, json=body, headers=olga).status_code


def test_two_who_find_one_parcel_record_it_once(
    app: Flask, community: Community, session: Session
) -> None:
    session.rollback()
    with clock.at(NOON):
        calls = [correcting(community, 7, "parcel", "ZTO8") for _ in range(8)]
        assert at_once(app, calls) == [200] * 8
    assert hall.ask(session, "SELECT count(*) AS found FROM parcel") == [{"found": 1}]
    assert counter.at_door(session, 7) == ["audit.corrected"]


def test_a_door_found_empty_while_its_parcel_is_being_collected(
    app: Flask, community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    session.rollback()
    event = {
        "event_id": "taken",
        "type": "locker.parcel_collected",
        "occurred_at": (NOON + HOUR).isoformat(),
        "data": {"tracking_number": "YT1"},
    }
    with clock.at(NOON + HOUR):
        cabinet = community.as_device("K1")
        said = at_once(
            app,
            [
                correcting(community, number, "empty"),
                lambda client: (
                    client.post("/api/v1/device-events", json=event, headers=cabinet).status_code
                ),
            ],
        )
    assert said == [200, 200]
    assert hall.doors(session) == {}
    assert hall.phase(session, "YT1") == "collected"
