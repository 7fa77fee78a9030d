"""An e-bike's day: it comes, charges, leaves, and three kinds of income stand in the ledger."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

import sample
from core import clock
from core.db import atomic
from ebikes import chargings
from ledger.settlement import settle_batch
from tests.cast import NOON, Community
from tests.ebikes.rack import CARD, STRANGER, add_rack, book, connect, measured, release, say
from tests.flows.test_gate_day import balances, pay, settle_all, top_up

HOURS = timedelta(hours=1)
MINUTES = timedelta(minutes=1)


@pytest.fixture
def rack(community: Community) -> Community:
    """The cast with a rack beside the garage."""
    add_rack(community)
    return community


def verified(community: Community) -> dict[str, Any]:
    answer = community.client.get("/api/v1/ledger/verify", headers=community.as_person("ava"))
    proof: dict[str, Any] = answer.get_json()
    return proof


def test_a_household_charges_overnight_and_its_balance_pays_all_at_once(rack: Community) -> None:
    top_up(rack, "ana", 1000)
    came = connect(rack, "EB-011", NOON)
    assert (came["action"], came["reason"], came["space"]) == ("open", "walk-in", "EB-011")
    assert came["longest_minutes"] == 600
    assert came["display"] == ["请停放EB-011"]

    # The charger of sample 27: 0.71 kWh in 4 h 12 min. 42.6 fen and 28.4 fen, rounded apart.
    ended = measured(rack, "EB-011", NOON + 252 * MINUTES)
    assert (ended["duplicate"], ended["decision"]) == (False, None)

    gone = release(rack, "EB-011", NOON + 6 * HOURS)
    assert (gone["action"], gone["reason"]) == ("open", "balance-charged")
    fee = gone["fee"]
    assert (fee["total_fen"], fee["due_fen"]) == (50 + 43 + 28, 0)
    assert [line["amount_fen"] for line in fee["lines"]] == [50, 43, 28]
    assert fee["lines"][1]["label"] == "电费 0.71度"
    assert (fee["lines"][1]["from"], fee["lines"][1]["to"]) == (
        "2026-11-23T12:00:00+08:00",
        "2026-11-23T16:12:00+08:00",
    )
    assert fee["lines"][2]["label"] == "充电服务费 0.71度"
    assert gone["display"] == ["余额已扣1.21元"]
    assert ([s["status"] for s in rack.stays(CARD)]) == ["closed"]

    settle_all()
    books = balances(rack)
    assert books["E-bike spot income"] == -35
    assert books["Charging electricity income"] == -30
    assert books["Charging service fee income"] == -20
    proof = verified(rack)
    assert proof["ok"] is True
    assert proof["checks"]["chargings"]["ok"] is True


def test_a_stranger_pays_cash_for_the_stay_and_for_the_charging(rack: Community) -> None:
    connect(rack, "EB-011", NOON, tag=STRANGER)
    measured(rack, "EB-011", NOON + 2 * HOURS, energy_wh=500, seconds=7000)
    leaving = NOON + 3 * HOURS
    asked = release(rack, "EB-011", leaving, tag=STRANGER)
    assert (asked["action"], asked["reason"]) == ("hold", "payment-due")
    assert (asked["fee"]["total_fen"], asked["fee"]["due_fen"]) == (100, 100)
    assert asked["display"] == ["请缴费1.00元"]
    [charging] = asked["fee"]["chargings"]
    assert (charging["total_fen"], charging["due_fen"]) == (50, 50)

    with clock.at(leaving + MINUTES):
        _, stay = pay(rack, "olga", "k1", stay_id=asked["stay_id"], method="cash")
    half = release(rack, "EB-011", leaving + 2 * MINUTES, tag=STRANGER)
    assert (half["reason"], half["fee"]["due_fen"]) == ("payment-due", 50)
    with clock.at(leaving + 3 * MINUTES):
        _, energy = pay(rack, "olga", "k2", charge_id=charging["charge_id"], method="cash")
    assert (stay["amount_fen"], energy["amount_fen"]) == (50, 50)
    gone = release(rack, "EB-011", leaving + 4 * MINUTES, tag=STRANGER)
    assert (gone["action"], gone["reason"]) == ("open", "paid")


def test_a_booked_spot_waits_and_another_free_one_takes_the_booking_over(
    rack: Community, session: Session
) -> None:
    first = book(session, rack, "EB-001", NOON, NOON + 4 * HOURS)
    assert connect(rack, "EB-001", NOON + MINUTES, tag=STRANGER)["reason"] == "spot-taken"
    came = connect(rack, "EB-001", NOON - 10 * MINUTES)
    assert (came["reason"], came["booking_id"]) == ("booking", first)
    status = text("SELECT status, space.code FROM booking JOIN space ON space.id = space_id")
    assert session.execute(status).all() == [("checked_in", "EB-001")]
    session.commit()
    gone = release(rack, "EB-001", NOON + 3 * HOURS)
    assert (gone["booking_id"], gone["fee"]["total_fen"]) == (first, 50)
    assert gone["reason"] == "payment-due"
    with clock.at(NOON + 3 * HOURS):
        pay(rack, "olga", "k1", stay_id=came["stay_id"], method="cash")
    assert release(rack, "EB-001", NOON + 3 * HOURS + MINUTES)["reason"] == "paid"

    tomorrow = NOON + 24 * HOURS
    book(session, rack, "EB-002", tomorrow, tomorrow + 4 * HOURS)
    moved = connect(rack, "EB-021", tomorrow + MINUTES)
    assert (moved["action"], moved["space"]) == ("open", "EB-021")
    assert session.execute(status).all() == [("fulfilled", "EB-001"), ("checked_in", "EB-021")]
    session.commit()
    assert connect(rack, "EB-002", tomorrow + 2 * MINUTES, tag=STRANGER)["action"] == "open"


def ask_for(rack: Community, key: str, **said: Any) -> tuple[int, dict[str, Any]]:
    """Ana books at the rack by her card, an hour from noon on."""
    body = {
        "lot": "EB",
        "plate": CARD,
        "starts_at": (NOON + HOURS).isoformat(),
        "ends_at": (NOON + 4 * HOURS).isoformat(),
    }
    with clock.at(NOON):
        answer = rack.client.post(
            "/api/v1/bookings",
            json=body | said,
            headers=rack.as_person("ana") | {"Idempotency-Key": key},
        )
    return answer.status_code, answer.get_json()


def test_who_books_a_charger_by_card_charges_there(rack: Community) -> None:
    top_up(rack, "ana", 1000)
    status, booking = ask_for(rack, "k", preferences={"charging": True})
    assert (status, booking["space"], booking["total_fen"]) == (201, "EB-011", 50)
    came = connect(rack, "EB-011", NOON + 50 * MINUTES)
    assert (came["reason"], came["booking_id"]) == ("booking", booking["id"])
    measured(rack, "EB-011", NOON + 3 * HOURS, energy_wh=500, seconds=7000)
    gone = release(rack, "EB-011", NOON + 4 * HOURS + 10 * MINUTES)
    assert gone["fee"]["total_fen"] == booking["total_fen"] + 50
    settle_all()
    assert verified(rack)["ok"] is True


def test_no_booking_is_given_a_charger_where_cars_stand(rack: Community, session: Session) -> None:
    session.execute(text("UPDATE space SET compartment = 'rack' WHERE code = 'B2-001'"))
    session.commit()
    assert ask_for(rack, "k1", preferences={"charging": True})[0] == 409
    assert ask_for(rack, "k2")[0] == 201


def test_an_ebike_of_a_booking_is_shown_its_own_spot_when_this_one_is_not_free(
    rack: Community, session: Session
) -> None:
    book(session, rack, "EB-001", NOON, NOON + 4 * HOURS)
    connect(rack, "EB-021", NOON - HOURS, tag=STRANGER)
    told = connect(rack, "EB-021", NOON + MINUTES)
    assert (told["action"], told["reason"], told["space"]) == ("hold", "wrong-spot", "EB-001")
    assert told["display"] == ["请到EB-001"]
    assert connect(rack, "EB-001", NOON + 2 * MINUTES)["reason"] == "booking"


def test_a_booking_does_not_move_to_a_spot_that_somebody_booked_for_later(
    rack: Community, session: Session
) -> None:
    book(session, rack, "EB-001", NOON, NOON + 4 * HOURS)
    book(session, rack, "EB-021", NOON + 3 * HOURS, NOON + 5 * HOURS, card=STRANGER)
    assert connect(rack, "EB-021", NOON)["reason"] == "wrong-spot"


def test_who_charges_too_long_is_shown_to_the_operator_while_it_lasts(rack: Community) -> None:
    came = connect(rack, "EB-012", NOON)
    assert atomic(chargings.overlong, NOON + 10 * HOURS) == 0
    assert atomic(chargings.overlong, NOON + 11 * HOURS) == 1
    assert atomic(chargings.overlong, NOON + 12 * HOURS) == 0
    cases = rack.client.get("/api/v1/exceptions", headers=rack.as_person("olga")).get_json()
    assert [(c["reason"], c["plate"]) for c in cases] == [("charging-too-long", CARD)]
    assert came["action"] == "open"


def test_a_resident_sees_the_chargings_of_the_household_only(rack: Community) -> None:
    connect(rack, "EB-011", NOON)
    connect(rack, "EB-012", NOON, tag=STRANGER)
    measured(rack, "EB-011", NOON + 2 * HOURS, energy_wh=500, seconds=7000)

    def seen(name: str) -> list[tuple[str, int | None, int]]:
        answer = rack.client.get("/api/v1/chargings", headers=rack.as_person(name))
        return [(c["spot"], c["energy_wh"], c["fee"]["due_fen"]) for c in answer.get_json()]

    assert seen("ana") == [("EB-011", 500, 50)]
    assert seen("bo") == []
    assert seen("olga") == [("EB-012", None, 0), ("EB-011", 500, 50)]


def test_the_set_up_of_a_rack_is_refused_where_fire_rules_forbid_it(rack: Community) -> None:
    def patched(lot: str, **change: Any) -> int:
        answer = rack.client.patch(
            f"/api/v1/lots/{lot}/spaces", json=change, headers=rack.as_person("ada")
        )
        return answer.status_code

    assert patched("B2", codes=["B2-001"], compartment="garage") == 204
    assert patched("EB", codes=["EB-011"], compartment="garage") == 422
    assert patched("EB", codes=["EB-001"], compartment="garage") == 204
    assert patched("EB", codes=["EB-001"], charging=True) == 422
    assert patched("B2", codes=["B2-002"], compartment="rack") == 422
    assert patched("EB", codes=["EB-999"], charging=False) == 422
    assert patched("B2", codes=["B2-001"], group="G1") == 422
    made = rack.client.post(
        "/api/v1/lots/EB/groups",
        json={"code": "G9", "capacity": 26},
        headers=rack.as_person("ada"),
    )
    assert made.status_code == 422
    shown = rack.client.get("/api/v1/lots/EB/groups", headers=rack.as_person("ana")).get_json()
    assert [(g["code"], g["capacity"], g["spots"]) for g in shown] == [("G1", 2, 3), ("G2", 3, 3)]
    connect(rack, "EB-002", NOON)
    assert patched("EB", codes=["EB-002"], group="G2") == 409


def test_cards_are_registered_and_forgotten(rack: Community) -> None:
    def post(**said: Any) -> Any:
        body = {"household_id": rack.households["bo"], **said}
        return rack.client.post("/api/v1/ebikes", json=body, headers=rack.as_person("olga"))

    assert post(tag="5d:c0:91:7a").status_code == 409
    assert post(tag="川A12345").status_code == 422
    assert post(plate="川A12345").status_code == 422
    made = post(plate="成华 012345").status_code, post(plate="川 012345").get_json()
    assert made == (422, {"id": made[1]["id"], "plate": "川012345", "household_id": 2})
    top_up(rack, "bo", 1000)
    connect(rack, "EB-001", NOON, plate="川012345")
    gone = release(rack, "EB-001", NOON + 2 * HOURS, plate="川0·12345")
    assert (gone["reason"], gone["display"][0]) == ("balance-charged", "川012345")
    listed = rack.client.get("/api/v1/ebikes", headers=rack.as_person("bo")).get_json()
    assert [e["plate"] for e in listed] == ["川012345"]
    removed = f"/api/v1/ebikes/{listed[0]['id']}"
    assert rack.client.delete(removed, headers=rack.as_person("olga")).status_code == 204
    assert rack.client.delete(removed, headers=rack.as_person("olga")).status_code == 404


def test_the_dock_alone_speaks_for_docks(rack: Community) -> None:
    body = {"event_id": "x", "type": "dock.connected", "occurred_at": NOON.isoformat()}
    body |= {"data": {"spot": "EB-001", "tag": CARD}}  # type: ignore[dict-item]  # JSON
    with clock.at(NOON):
        answer = rack.client.post(
            "/api/v1/device-events", json=body, headers=rack.as_device("entry")
        )
    assert (answer.status_code, answer.get_json()["code"]) == (403, "no-dock")
    say(rack, "connected", "EB-001", NOON, status=422)
    say(rack, "connected", "EB-001", NOON, status=422, tag=CARD, plate="川012345")
    say(rack, "connected", "EB-001", NOON, status=422, plate="川A12345")
    assert atomic(settle_batch, 10) == 0


def test_the_samples_dock_works_for_the_residents_card(app: Flask, session: Session) -> None:
    secret = atomic(sample.fill, None)
    community = Community(app.test_client(), tokens={"dock": secret["devices"]["dock"]["token"]})
    card = secret["users"]["resident"]["tag"]
    came = connect(community, "EB-001", NOON, tag=card)
    assert (came["action"], came["longest_minutes"]) == ("open", 480)
    assert connect(community, "EB-220", NOON, tag=STRANGER)["action"] == "open"
    measured(community, "EB-001", NOON + 5 * HOURS)
    asked = release(community, "EB-001", NOON + 6 * HOURS, tag=card)
    # 0.71 kWh at 0.56 and 0.40 yuan: 39.76 and 28.4 fen.
    assert [line["amount_fen"] for line in asked["fee"]["lines"]] == [50, 40, 28]
    groups = session.execute(
        text("""
            SELECT g.capacity, count(*), bool_and(s.charging), count(DISTINCT s.compartment)
            FROM space s JOIN space_group g ON g.id = s.group_id GROUP BY g.id ORDER BY g.id
        """)
    ).all()
    assert groups == [(20, 20, number < 6, 1) for number in range(11)]
