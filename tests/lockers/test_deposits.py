"""A courier comes with a parcel: whose consent, which door, and what is told when none opens."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from ledger import proof
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import BO, HOUR, MINUTE, STRANGER

LARGE, MEDIUM, SMALL = {1, 6, 11}, {2, 3, 7, 8, 12, 13}, {4, 5, 9, 10, 14, 15}
LOW = {1, 2, 6, 7, 11, 12}


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


def refusal(decision: dict[str, Any]) -> str:
    assert (decision["action"], decision["compartment"]) == ("refuse", None)
    reason: str = decision["reason"]
    return reason


def test_a_parcel_gets_the_smallest_door_that_fits(community: Community, session: Session) -> None:
    decision = hall.request(community, "YT1", NOON)
    assert decision["action"] == "open"
    assert decision["compartment"] in SMALL
    assert decision["consent"] == "yes"
    assert hall.doors(session) == {decision["compartment"]: "held"}
    assert hall.phase(session, "YT1") == "reserved"


def test_a_low_door_on_request_even_if_it_is_larger(community: Community) -> None:
    decision = hall.request(community, "YT1", NOON, low_door=True)
    assert decision["compartment"] in LOW & MEDIUM


def test_a_resident_who_needs_low_doors_always_gets_them(
    community: Community, session: Session
) -> None:
    hall.prefer(session, "ana", "ok", low_door=True)
    assert hall.request(community, "YT1", NOON)["compartment"] in LOW


def test_the_last_large_door_is_kept_for_large_parcels(community: Community) -> None:
    doors = [hall.request(community, f"M{n}", NOON, size="M") for n in range(8)]
    given = {d["compartment"] for d in doors}
    assert given == MEDIUM | set(sorted(LARGE)[:2])
    assert refusal(hall.request(community, "M9", NOON, size="M")) == "cabinet-full"
    assert hall.request(community, "L1", NOON, size="L")["compartment"] == max(LARGE)


def test_a6_8_a_full_cabinet_says_where_else_there_is_room(community: Community) -> None:
    hall.add_cabinet(community, code="K2")
    for n in range(3):
        hall.request(community, f"L{n}", NOON, size="L")
    decision = hall.request(community, "L9", NOON, size="L")
    assert refusal(decision) == "cabinet-full"
    assert decision["elsewhere"] == [{"code": "K2", "name": "K2号柜", "address": None, "free": 3}]


@pytest.mark.parametrize(
    ("choice", "said", "reason"),
    [
        ("never", {}, "consent-refused"),
        ("never", {"consent": "asked"}, "consent-refused"),
        ("when-absent", {}, "only-when-absent"),
        ("ok", {"fresh": True}, "consent-needed"),
        ("ok", {"valuable": True}, "consent-needed"),
        (None, {}, "consent-needed"),
    ],
)
def test_a6_1_nothing_is_deposited_without_consent(
    community: Community, session: Session, choice: str, said: dict[str, Any], reason: str
) -> None:
    hall.prefer(session, "ana", choice)
    decision = hall.request(community, "YT1", NOON, **said)
    assert refusal(decision) == reason
    assert decision["consent"] == ("ask" if reason == "consent-needed" else "no")
    assert decision["display"] != []
    assert hall.doors(session) == {}
    assert hall.ask(session, "SELECT count(*) AS n FROM parcel") == [{"n": 0}]


@pytest.mark.parametrize(
    ("choice", "said", "basis"),
    [
        ("ok", {}, "preference"),
        ("when-absent", {"absent": True}, "preference"),
        ("when-absent", {"consent": "asked"}, "asked"),
        ("ok", {"fresh": True, "consent": "asked"}, "asked"),
        (None, {"consent": "asked"}, "asked"),
    ],
)
def test_what_a_deposit_rests_on_is_kept(
    community: Community, session: Session, choice: str, said: dict[str, Any], basis: str
) -> None:
    hall.prefer(session, "ana", choice)
    assert hall.request(community, "YT1", NOON, **said)["action"] == "open"
    assert hall.ask(session, "SELECT consent FROM parcel") == [{"consent": basis}]


def test_whoever_never_chose_is_asked_first(community: Community) -> None:
    assert refusal(hall.request(community, "YT1", NOON, phone=BO)) == "consent-needed"
    assert hall.request(community, "YT1", NOON, phone=BO, consent="asked")["action"] == "open"


def test_a6_9_nobody_has_to_register_to_be_brought_a_parcel(
    community: Community, session: Session
) -> None:
    assert refusal(hall.request(community, "YT1", NOON, phone=STRANGER)) == "consent-needed"
    hall.deposit(community, "YT1", NOON, phone=STRANGER, consent="asked")
    told = hall.ask(session, "SELECT household_id, phone FROM notice")
    assert told == [{"household_id": None, "phone": STRANGER}]
    code = hall.code(session, "YT1")
    assert hall.pick_up(community, code, NOON + HOUR, phone=STRANGER)["action"] == "open"


def test_a_damaged_parcel_never_goes_in(community: Community) -> None:
    assert refusal(hall.request(community, "YT1", NOON, damaged=True)) == "damaged"


def test_no_deposit_while_the_cameras_are_down(community: Community) -> None:
    hall.say(community, "device.heartbeat", NOON, cameras="covered")
    assert refusal(hall.request(community, "YT1", NOON)) == "camera-down"
    hall.say(community, "device.heartbeat", NOON + MINUTE, cameras="ok")
    assert hall.request(community, "YT1", NOON + MINUTE)["action"] == "open"


def test_where_no_camera_is_asked_for_none_is_missed(
    community: Community, session: Session
) -> None:
    sql = """INSERT INTO locker_terms (version, valid_from, rules, recorded_at)
             VALUES (1, :at, '{"cameras_required": false}', :at)"""
    session.execute(text(sql), {"at": hall.LONG_AGO})
    session.commit()
    hall.say(community, "device.heartbeat", NOON, cameras="down")
    assert hall.request(community, "YT1", NOON)["action"] == "open"


def test_a_cabinet_or_courier_out_of_use_takes_nothing(
    community: Community, session: Session
) -> None:
    session.execute(text("UPDATE courier SET active = false WHERE code = 'S1'"))
    session.commit()
    assert refusal(hall.request(community, "SF1", NOON, courier="S1")) == "courier-blocked"
    session.execute(text("UPDATE cabinet SET active = false"))
    session.commit()
    assert refusal(hall.request(community, "YT1", NOON)) == "cabinet-closed"


def test_a_courier_nobody_knows_is_noted_and_owes_nothing(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "X1", NOON, courier="X-77")
    [courier] = hall.ask(session, "SELECT company_id, active FROM courier WHERE code = 'X-77'")
    assert courier == {"company_id": None, "active": True}
    assert hall.ask(session, "SELECT * FROM charge") == []


def test_asking_again_for_the_same_waybill_gives_the_same_door(
    community: Community, session: Session
) -> None:
    first = hall.request(community, "YT1", NOON)
    again = hall.request(community, "YT1", NOON + MINUTE)
    assert again["compartment"] == first["compartment"]
    assert again["parcel_id"] == first["parcel_id"]
    assert len(hall.doors(session)) == 1


def test_what_is_in_already_is_not_put_in_again(community: Community) -> None:
    hall.deposit(community, "YT1", NOON)
    assert refusal(hall.request(community, "YT1", NOON + HOUR)) == "already-deposited"


def test_another_couriers_same_number_is_another_parcel(
    community: Community, session: Session
) -> None:
    one = hall.deposit(community, "N1", NOON)
    other = hall.deposit(community, "N1", NOON + HOUR, courier="S1")
    assert one != other
    assert hall.ask(session, "SELECT count(*) AS n FROM parcel") == [{"n": 2}]


def test_a_courier_who_gives_up_frees_the_door(community: Community, session: Session) -> None:
    hall.request(community, "YT1", NOON)
    hall.say(community, "delivery_cancelled", NOON + MINUTE, tracking_number="YT1")
    assert hall.doors(session) == {}
    assert hall.phase(session, "YT1") == "expected"
    assert hall.request(community, "YT1", NOON + HOUR)["action"] == "open"
    assert hall.phase(session, "YT1") == "reserved"


def test_the_deposit_is_charged_to_the_company_once(community: Community, session: Session) -> None:
    number = hall.deposit(community, "YT1", NOON, size="L")
    put: dict[str, Any] = {"tracking_number": "YT1", "compartment": number}
    hall.say(community, "parcel_deposited", NOON + 2 * MINUTE, **put)
    charges = hall.ask(session, "SELECT source, amount_fen, company FROM charge")
    assert charges == [{"source": "deposit", "amount_fen": 50, "company": "company:yto"}]
    assert proof.verify(session).ok


def test_a_company_without_money_or_credit_deposits_nothing(
    community: Community, session: Session
) -> None:
    session.execute(text("UPDATE deposit_rate SET fee_fen = 6000 WHERE size = 'S'"))
    session.commit()
    hall.deposit(community, "YT1", NOON)  # 60 of its 100 yuan
    assert refusal(hall.request(community, "YT2", NOON + HOUR)) == "courier-balance"
    assert hall.request(community, "SF1", NOON + HOUR, courier="S1")["action"] == "open"


@pytest.mark.parametrize("late", [{"replayed": True}, {}])
def test_a_stale_request_opens_nothing_and_holds_nothing(
    community: Community, session: Session, late: dict[str, Any]
) -> None:
    now = NOON if late else NOON + timedelta(minutes=3)
    decision = hall.request(community, "YT1", NOON, now=now, **late)
    assert refusal(decision) == "replayed"
    assert hall.doors(session) == {}


def test_a_repeat_is_answered_alike_at_once_and_as_history_later(community: Community) -> None:
    first = hall.request(community, "YT1", NOON, event_id="e1")
    soon = hall.request(community, "YT1", NOON, event_id="e1", now=NOON + timedelta(seconds=9))
    late = hall.request(community, "YT1", NOON, event_id="e1", now=NOON + timedelta(seconds=11))
    assert soon == first
    assert refusal(late) == "replayed"


def test_the_same_key_with_another_content_is_refused(community: Community) -> None:
    hall.request(community, "YT1", NOON, event_id="e1")
    data = hall.ASKED | {"tracking_number": "YT2"}
    answer = hall.say(community, "delivery_requested", NOON, event_id="e1", status=409, **data)
    assert answer["code"] == "event-id-reused"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipient_phone", "123"),
        ("recipient_phone", "13800001111\n"),
        ("size", "XL"),
        ("tracking_number", "'; DROP TABLE parcel; --"),
        ("tracking_number", "x" * 65),
        ("courier", ""),
        ("fresh", "yes"),
    ],
)
def test_a_bad_field_is_named_and_changes_nothing(
    community: Community, session: Session, field: str, value: Any
) -> None:
    said = hall.ASKED | {field: value}
    answer = hall.say(community, "delivery_requested", NOON, status=422, **said)
    assert list(answer["errors"]) == [f"data.{field}"]
    assert hall.ask(session, "SELECT count(*) AS n FROM parcel") == [{"n": 0}]


def test_only_a_cabinet_speaks_of_parcels(community: Community) -> None:
    answer = hall.say(
        community, "delivery_requested", NOON, cabinet="entry", status=403, **hall.ASKED
    )
    assert answer["code"] == "no-cabinet"


def test_asking_again_for_another_size_gives_another_door(
    community: Community, session: Session
) -> None:
    hall.request(community, "YT1", NOON, size="L")
    small = hall.request(community, "YT1", NOON + MINUTE, size="S")
    assert small["compartment"] in SMALL
    assert hall.doors(session) == {small["compartment"]: "held"}
    assert hall.ask(session, "SELECT deposit_fee_fen AS fen FROM parcel") == [{"fen": 30}]


def test_what_the_recipient_said_of_a_parcel_holds_when_the_courier_asks_again(
    community: Community, session: Session
) -> None:
    with clock.at(NOON):
        announced = {"tracking_number": "YT1", "locker": True}
        community.client.post(
            "/api/v1/expected-parcels", json=announced, headers=community.as_person("bo")
        )
    for minute in range(3):
        decision = hall.request(community, "YT1", NOON + minute * MINUTE, phone=BO, fresh=True)
        assert decision["action"] == "open"
    hall.sweep(NOON + 30 * MINUTE)
    later = hall.request(community, "YT1", NOON + HOUR, phone=BO, fresh=True)
    assert later["action"] == "open"
    assert hall.ask(session, "SELECT count(*) AS n FROM parcel") == [{"n": 1}]


def test_two_couriers_with_one_waybill_each_put_in_their_own(
    community: Community, session: Session
) -> None:
    first = hall.request(community, "N1", NOON)["compartment"]
    second = hall.request(community, "N1", NOON, courier="S1")["compartment"]
    for number in (first, second):
        put: dict[str, Any] = {"tracking_number": "N1", "compartment": number}
        hall.say(community, "parcel_deposited", NOON + MINUTE, **put)
    assert hall.cases(session) == []
    assert hall.doors(session) == {first: "occupied", second: "occupied"}


@pytest.mark.parametrize("earlier", [timedelta(seconds=5), timedelta(hours=40)])
def test_a_clock_that_dates_the_deposit_before_the_request_does_no_harm(
    community: Community, session: Session, earlier: timedelta
) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    put: dict[str, Any] = {"tracking_number": "YT1", "compartment": number}
    hall.say(community, "parcel_deposited", NOON - earlier, now=NOON + MINUTE, **put)
    assert hall.phase(session, "YT1") == "ready"
    assert hall.code(session, "YT1")


def test_held_doors_count_against_the_prepaid_balance(
    community: Community, session: Session
) -> None:
    session.execute(text("UPDATE deposit_rate SET fee_fen = 4000 WHERE size = 'S'"))
    session.commit()
    doors = [hall.request(community, f"H{n}", NOON) for n in range(3)]  # 100 yuan prepaid
    assert [door["reason"] for door in doors] == ["deposit", "deposit", "courier-balance"]


def test_couriers_nobody_registered_are_refused_where_the_rules_say_so(
    community: Community, session: Session
) -> None:
    sql = """INSERT INTO locker_terms (version, valid_from, rules, recorded_at)
             VALUES (1, :at, '{"unknown_couriers": "refuse"}', :at)"""
    session.execute(text(sql), {"at": hall.LONG_AGO})
    session.commit()
    assert refusal(hall.request(community, "X1", NOON, courier="X-77")) == "courier-unknown"
    assert hall.request(community, "Y1", NOON)["action"] == "open"
