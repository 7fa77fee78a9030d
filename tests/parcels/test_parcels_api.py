"""What of parcels people see over HTTP: everybody theirs, nobody another's code."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from identity import people
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import ANA, BO, HOUR, MINUTE, STRANGER
from tests.parcels import neighbours
from tests.parcels.neighbours import get, id_of, own, post

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    neighbours.move_in(community)


def waybills(community: Community, who: str, **query: Any) -> list[str]:
    """What a person finds in the list, as it is in the first hour."""
    return [p["tracking_number"] for p in hall.parcels(community, who, NOON + HOUR, **query)]


def test_the_recipient_sees_place_code_deadline_and_fee(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON, size="M")
    [parcel] = hall.parcels(community, "ana", NOON + 2 * MINUTE)
    assert parcel["place"] == {
        "cabinet": "K1",
        "name": "K1号柜",
        "address": None,
        "compartment": number,
        "size": "M",
    }
    assert (parcel["phase"], parcel["status"], parcel["reason"]) == ("ready", "ready", None)
    assert parcel["courier"] == {"code": "Y1", "company": "yto", "company_name": "圆通"}
    assert parcel["pickup_code"] == parcel["code"] == hall.code(session, "YT1")
    assert (parcel["phone"], parcel["phone_tail"], parcel["mine"]) == (ANA, "1111", True)
    assert parcel["deposited_at"] == (NOON + MINUTE).isoformat()
    assert parcel["free_until"] == (NOON + MINUTE + 18 * HOUR).isoformat()
    assert (parcel["ended_at"], parcel["charge_id"]) == (None, None)


def test_a6_2_the_fee_is_seen_before_it_costs_and_is_what_is_charged(community: Community) -> None:
    hall.deposit(community, "YT1", NOON - MINUTE)
    fee = own(community, "ana", "YT1", NOON + HOUR)["fee"]
    assert (fee["total_fen"], fee["due_fen"]) == (0, 0)
    assert fee["next_step_at"] == (NOON + 18 * HOUR).isoformat()
    assert [rung["total_fen"] for rung in fee["ladder"]] == [0, 50, 100, 150, 200, 250, 300]
    assert fee["ladder"][1]["from"] == "2026-11-24T06:00:00+08:00"

    before = own(community, "ana", "YT1", NOON + 20 * HOUR)
    assert before["fee"]["total_fen"] == before["fee"]["due_fen"] == 50
    assert [line["amount_fen"] for line in before["fee"]["lines"]] == [0, 50]
    hall.pick_up(community, before["code"], NOON + 20 * HOUR)
    hall.collect(community, "YT1", NOON + 20 * HOUR + MINUTE)

    after = own(community, "ana", "YT1", NOON + 21 * HOUR)
    assert after["fee"] == {**before["fee"], "ladder": [], "next_step_at": None}
    assert after["ended_at"] == (NOON + 20 * HOUR + MINUTE).isoformat()
    assert (after["pickup_code"], after["code"]) == (None, None)


def test_the_fee_is_paid_by_its_charge(community: Community) -> None:
    hall.deposit(community, "YT1", NOON - MINUTE)
    hall.collect(community, "YT1", NOON + 20 * HOUR)
    at = NOON + 21 * HOUR
    owed = own(community, "ana", "YT1", at)
    with clock.at(at):
        paid = community.client.post(
            "/api/v1/payments",
            json={"charge_id": owed["charge_id"], "method": "cash"},
            headers={**community.as_person("olga"), "Idempotency-Key": "k1"},
        )
    assert (paid.status_code, paid.get_json()["amount_fen"]) == (201, 50)
    assert own(community, "ana", "YT1", at)["fee"]["due_fen"] == 0


def test_a_parcel_nobody_was_asked_about_costs_nothing(community: Community) -> None:
    hall.say(community, "parcel_deposited", NOON, tracking_number="ZT1", compartment=4)
    [parcel] = hall.parcels(community, "olga", NOON + 40 * HOUR)
    assert (parcel["phase"], parcel["reason"]) == ("exception", "courier-no-scan")
    assert parcel["fee"]["total_fen"] == 0
    assert (parcel["phone"], parcel["courier"], parcel["code"]) == (None, None, None)


def test_a6_4_bo_never_sees_anas_parcel_nor_its_code(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    parcel = id_of(session, "YT1")
    assert waybills(community, "bo") == []
    assert waybills(community, "bo", tracking_number="YT1") == []
    get(community, "bo", f"/parcels/{parcel}", NOON + HOUR, status=404)
    post(community, "bo", f"/parcels/{parcel}/code", NOON + HOUR, status=404)
    theft = {"name": "Bo", "expires_at": (NOON + DAY).isoformat()}
    post(community, "bo", f"/parcels/{parcel}/delegates", NOON + HOUR, status=404, **theft)
    neighbours.call(
        community, "bo", "DELETE", f"/parcels/{parcel}/delegates/1", NOON + HOUR, status=404
    )
    events = "SELECT type FROM parcel_event WHERE type LIKE 'code.%'"
    assert [row["type"] for row in hall.ask(session, events)] == ["code.issued"]


def test_couriers_see_their_own_deposits_only(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.deposit(community, "SF1", NOON, courier="S1")
    assert [waybills(community, who) for who in ("yun", "yan", "sun")] == [["YT1"], [], ["SF1"]]
    for other in ("yan", "sun"):
        get(community, other, f"/parcels/{id_of(session, 'YT1')}", NOON + HOUR, status=404)
    seen = own(community, "yun", "YT1", NOON + HOUR)
    assert (seen["phone"], seen["code"], seen["fee"], seen["recipient"]) == (
        "138****1111",
        None,
        None,
        None,
    )
    assert [event["type"] for event in seen["events"]] == [
        "consent.given",
        "door.held",
        "parcel.deposited",
    ]


def test_a_courier_who_was_blocked_sees_nothing(community: Community) -> None:
    hall.deposit(community, "YT1", NOON)
    [yun] = get(community, "ada", "/couriers", NOON, code="Y1")
    neighbours.call(community, "ada", "PATCH", f"/couriers/{yun['id']}", NOON, active=False)
    assert waybills(community, "yun") == []


def test_operators_see_every_parcel_and_never_a_code_nor_a_whole_phone(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.deposit(community, "YT2", NOON, phone=BO, consent="asked")
    code = hall.code(session, "YT1")
    for who in ("olga", "ada"):
        listed = hall.parcels(community, who, NOON + HOUR)
        assert [(p["tracking_number"], p["phone"]) for p in listed] == [
            ("YT2", "139****2222"),
            ("YT1", "138****1111"),
        ]
        told = json.dumps([listed, own(community, who, "YT1", NOON + HOUR)])
        assert ANA not in told
        assert f'"{code}"' not in told
    for who in ("fan", "ava"):
        get(community, who, "/parcels", NOON + HOUR, status=403)


def test_a_household_shares_by_choice(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    path = f"/parcels/{id_of(session, 'YT1')}"
    assert waybills(community, "amy") == []
    neighbours.choose(community, "ana", NOON + MINUTE, share_with_household=True)
    shared = own(community, "amy", "YT1", NOON + HOUR)
    assert shared["code"] == shared["pickup_code"] == hall.code(session, "YT1")
    assert (shared["phone"], shared["phone_tail"], shared["recipient"], shared["mine"]) == (
        "138****1111",
        "1111",
        "ana",
        False,
    )
    assert waybills(community, "bo") == []
    post(community, "amy", f"{path}/code", NOON + HOUR, status=403)
    neighbours.choose(community, "ana", NOON + HOUR, share_with_household=False)
    assert waybills(community, "amy") == []
    get(community, "amy", path, NOON + HOUR, status=404)


def test_who_has_moved_away_shares_nothing_with_those_after(
    community: Community, session: Session
) -> None:
    neighbours.choose(community, "ana", NOON, share_with_household=True)
    hall.deposit(community, "YT1", NOON)
    [ana] = hall.ask(session, "SELECT id FROM person WHERE username = 'ana'")
    assert waybills(community, "amy") == ["YT1"]
    atomic(people.update_person, ana["id"], {"household": "2-202"})
    assert [waybills(community, who) for who in ("amy", "bo", "ana")] == [[], [], ["YT1"]]
    atomic(people.update_person, ana["id"], {"household": "1-101", "active": False})
    assert waybills(community, "amy") == []


def test_the_list_is_filtered_and_paged(community: Community) -> None:
    for n in range(1, 4):
        hall.deposit(community, f"YT{n}", NOON + n * MINUTE)
    hall.collect(community, "YT2", NOON + 10 * MINUTE)
    assert waybills(community, "ana") == ["YT3", "YT2", "YT1"]
    assert waybills(community, "ana", status="ready") == ["YT3", "YT1"]
    assert waybills(community, "ana", status="collected") == ["YT2"]
    assert waybills(community, "ana", tracking_number="YT1") == ["YT1"]
    assert waybills(community, "ana", page=2, page_size=2) == ["YT1"]
    with clock.at(NOON + HOUR):
        headers = community.as_person("ana")
        answer = community.client.get("/api/v1/parcels?page_size=2", headers=headers)
    assert json.loads(answer.headers["X-Pagination"])["total"] == 3


@pytest.mark.parametrize(
    "query",
    [
        {"tracking_number": "' OR 1=1 --"},
        {"tracking_number": "Y" * 65},
        {"tracking_number": "YT1; DROP TABLE parcel"},
        {"tracking_number": ""},
        {"status": "ready' OR 'a'='a"},
        {"status": "lost"},
        {"traking_number": "YT1"},
    ],
)
def test_what_is_no_filter_is_refused_by_name(community: Community, query: dict[str, str]) -> None:
    hall.deposit(community, "YT1", NOON)
    headers = community.as_person("ana")
    answer = community.client.get("/api/v1/parcels", query_string=query, headers=headers)
    assert (answer.status_code, set(answer.get_json()["errors"])) == (422, set(query))


def test_a_parcel_tells_its_whole_life(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON - MINUTE)
    hall.pick_up(community, "999999", NOON + HOUR)
    hall.pick_up(community, hall.code(session, "YT1"), NOON + 20 * HOUR)
    hall.collect(community, "YT1", NOON + 20 * HOUR + MINUTE)
    events = own(community, "ana", "YT1", NOON + DAY)["events"]
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    assert [event["type"] for event in events] == [
        "consent.given",
        "door.held",
        "parcel.deposited",
        "code.issued",
        "notice.queued",
        "code.failed",
        "door.opened",
        "parcel.collected",
        "fee.charged",
    ]
    for who in ("ana", "olga"):
        told = json.dumps(own(community, who, "YT1", NOON + DAY)["events"])
        assert ANA not in told
        assert "999999" not in told


def test_who_saw_a_parcel_taken_out_is_for_the_desk_to_know(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    taken: dict[str, Any] = {
        "reason": "过期，收件人电话13700003333",
        "photo": "p/1.jpg",
        "witness": "李四",
    }
    path = f"/parcels/{id_of(session, 'YT1')}/remove"
    post(community, "olga", path, NOON + HOUR, **taken)
    told = {}
    for who in ("olga", "ana", "yun"):
        [event] = [
            e
            for e in own(community, who, "YT1", NOON + 2 * HOUR)["events"]
            if e["type"] == "parcel.reclaimed"
        ]
        told[who] = {name: event["data"].get(name) for name in ("why", "photo", "witness")}
    why, photo = "过期，收件人电话137****3333", "p/1.jpg"
    assert told == {
        "olga": {"why": why, "photo": photo, "witness": "李四"},
        "ana": {"why": why, "photo": photo, "witness": None},
        "yun": {"why": None, "photo": None, "witness": None},
    }


def test_a_stranger_without_an_account_is_seen_by_courier_and_desk_alone(
    community: Community,
) -> None:
    hall.deposit(community, "YT1", NOON, phone=STRANGER, consent="asked")
    found = [waybills(community, who) for who in ("ana", "amy", "bo", "yun", "olga")]
    assert found == [[], [], [], ["YT1"], ["YT1"]]
