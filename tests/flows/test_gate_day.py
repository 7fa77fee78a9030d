"""The main way: a car comes in, stays, owes, pays, leaves, and the fee stands in the ledger."""

from dataclasses import asdict
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic
from ledger.settlement import settle_batch
from parking import rights
from parking.plates import Plate
from sharing import granting
from tests.cast import NOON, RULES, Community, found_community

VISITOR = "川C33333"
HOURS = timedelta(hours=1)


def pay(community: Community, name: str, key: str, **said: object) -> tuple[int, dict[str, object]]:
    answer = community.client.post(
        "/api/v1/payments",
        json=said,
        headers=community.as_person(name) | {"Idempotency-Key": key},
    )
    return answer.status_code, answer.get_json()


def top_up(community: Community, username: str, amount_fen: int, key: str = "top-up") -> None:
    answer = community.client.post(
        "/api/v1/balance/top-ups",
        json={"username": username, "amount_fen": amount_fen},
        headers=community.as_person("olga") | {"Idempotency-Key": key},
    )
    assert answer.status_code == 201, answer.get_json()


def settle_all() -> None:
    while atomic(settle_batch, 100):
        pass


def balances(community: Community) -> dict[str, int]:
    answer = community.client.get(
        "/api/v1/ledger/trial-balance", headers=community.as_person("fan")
    ).get_json()
    assert answer["total_debit_fen"] == answer["total_credit_fen"]
    assert answer["unsettled"] == {"count": 0, "amount_fen": 0}
    return {r["name_en"]: r["debit_fen"] - r["credit_fen"] for r in answer["rows"]}


def test_a_visitor_pays_cash_and_the_fee_reaches_the_micro_fund(community: Community) -> None:
    came = community.knock("entry", VISITOR, NOON)["decision"]
    assert (came["action"], came["reason"], came["space"]) == ("open", "walk-in", "B2-001")

    # 2 h 10 min: first hour 3.00, then three started half hours at 1.00 each.
    leaving = NOON + 2 * HOURS + timedelta(minutes=10)
    asked = community.knock("exit", VISITOR, leaving)["decision"]
    assert (asked["action"], asked["reason"]) == ("hold", "payment-due")
    assert (asked["fee"]["total_fen"], asked["fee"]["due_fen"]) == (600, 600)
    assert sum(line["amount_fen"] for line in asked["fee"]["lines"]) == 600
    assert asked["display"] == [VISITOR, "请缴费6.00元"]

    with clock.at(leaving + timedelta(minutes=3)):
        status, paid = pay(community, "olga", "k1", stay_id=asked["stay_id"], method="cash")
    assert (status, paid["amount_fen"], paid["status"]) == (201, 600, "succeeded")

    gone = community.knock("exit", VISITOR, leaving + timedelta(minutes=5))["decision"]
    assert (gone["action"], gone["reason"]) == ("open", "paid")
    [stay] = community.stays(VISITOR)
    assert (stay["status"], stay["paid_fen"], stay["fee"]["total_fen"]) == ("closed", 600, 600)

    settle_all()
    books = balances(community)
    assert books["Cash on hand"] == 600
    assert books["Parking income"] == -420
    assert books["Payable to the property company"] == -180
    assert books["Fees receivable"] == 0
    proof = community.client.get("/api/v1/ledger/verify", headers=community.as_person("ava"))
    assert proof.get_json()["ok"] is True


def test_whoever_stays_on_after_paying_owes_the_difference_only(community: Community) -> None:
    community.knock("entry", VISITOR, NOON)
    asked = community.knock("exit", VISITOR, NOON + HOURS)["decision"]
    assert asked["fee"]["due_fen"] == 300
    with clock.at(NOON + HOURS):
        pay(community, "olga", "k1", stay_id=asked["stay_id"], method="cash")

    later = community.knock("exit", VISITOR, NOON + 2 * HOURS)["decision"]
    assert (later["reason"], later["fee"]["total_fen"], later["fee"]["due_fen"]) == (
        "payment-due",
        500,
        200,
    )
    with clock.at(NOON + 2 * HOURS):
        _, paid = pay(community, "olga", "k2", stay_id=asked["stay_id"], method="cash")
    assert paid["amount_fen"] == 200
    assert (
        community.knock("exit", VISITOR, NOON + 2 * HOURS + timedelta(seconds=30))["decision"][
            "reason"
        ]
        == "paid"
    )


def test_a_short_stop_costs_nothing_and_raises_no_charge(
    community: Community, session: Session
) -> None:
    community.knock("entry", VISITOR, NOON)
    gone = community.knock("exit", VISITOR, NOON + timedelta(minutes=14))["decision"]
    assert (gone["action"], gone["reason"], gone["fee"]["total_fen"]) == ("open", "nothing-due", 0)
    assert session.scalar(text("SELECT count(*) FROM charge")) == 0
    assert session.scalar(text("SELECT fee_fen FROM stay")) == 0


def test_a_households_balance_pays_at_the_barrier(community: Community) -> None:
    top_up(community, "ana", 1000)
    community.knock("entry", "川A12345", NOON)
    gone = community.knock("exit", "川A12345", NOON + HOURS)["decision"]
    assert (gone["action"], gone["reason"]) == ("open", "balance-charged")
    assert gone["fee"]["due_fen"] == 0
    assert gone["display"] == ["川A12345", "余额已扣3.00元"]
    left = community.client.get("/api/v1/balance", headers=community.as_person("ana")).get_json()
    assert left["balance_fen"] == 700

    settle_all()
    books = balances(community)
    assert books["Residents' prepaid balances"] == -700
    assert books["Cash on hand"] == 1000


def test_a_balance_that_does_not_cover_the_fee_is_not_touched(community: Community) -> None:
    top_up(community, "ana", 299)
    community.knock("entry", "川A12345", NOON)
    asked = community.knock("exit", "川A12345", NOON + HOURS)["decision"]
    assert (asked["action"], asked["reason"]) == ("hold", "payment-due")
    left = community.client.get("/api/v1/balance", headers=community.as_person("ana")).get_json()
    assert left["balance_fen"] == 299


def test_a_resident_pays_before_walking_to_the_car(community: Community) -> None:
    top_up(community, "ana", 1000)
    stay_id = community.knock("entry", "川A12345", NOON)["decision"]["stay_id"]
    with clock.at(NOON + HOURS):
        token_before = community.as_person("ana")
        status, paid = pay(community, "ana", "k", stay_id=stay_id, method="balance")
    assert token_before
    assert (status, paid["amount_fen"]) == (201, 300)
    leaving = NOON + HOURS + timedelta(minutes=15)
    assert community.knock("exit", "川A12345", leaving)["decision"]["reason"] == "paid"


def test_nobody_pays_or_sees_a_strangers_stay(community: Community) -> None:
    top_up(community, "bo", 1000)
    stay_id = community.knock("entry", "川A12345", NOON)["decision"]["stay_id"]
    with clock.at(NOON + HOURS):
        status, _ = pay(community, "bo", "k", stay_id=stay_id, method="balance")
        seen = community.client.get(f"/api/v1/stays/{stay_id}", headers=community.as_person("bo"))
    assert (status, seen.status_code) == (404, 404)
    assert community.stays(as_name="bo") == []


def test_a_permit_passes_free_and_its_end_begins_the_clock(community: Community) -> None:
    plate = Plate("川D44444", "blue")
    atomic(
        granting.grant_permit,
        lot="B2",
        kind="monthly",
        plates=[plate],
        starts_at=NOON - HOURS,
        ends_at=NOON + 2 * HOURS,
    )
    came = community.knock("entry", plate.text, NOON)["decision"]
    assert (came["action"], came["reason"], came["display"][1]) == ("open", "permit", "欢迎回家")
    gone = community.knock("exit", plate.text, NOON + HOURS)["decision"]
    assert (gone["action"], gone["reason"]) == ("open", "permit")

    community.knock("entry", plate.text, NOON + HOURS + timedelta(minutes=5))
    late = community.knock("exit", plate.text, NOON + 3 * HOURS)["decision"]
    assert (late["reason"], late["fee"]["total_fen"]) == ("payment-due", 300)


def exceptions(community: Community) -> list[dict[str, object]]:
    answer = community.client.get(
        "/api/v1/exceptions?resolved=false", headers=community.as_person("olga")
    )
    found: list[dict[str, object]] = answer.get_json()
    return found


def test_every_refusal_is_explained_and_reaches_an_operator(app: Flask) -> None:
    community = found_community(app, spaces=1)
    atomic(rights.block, Plate("川E55555", "blue"), "欠费")
    told = {
        "no-plate": community.knock("entry", "", NOON),
        "blocked": community.knock("entry", "川E55555", NOON),
        "unknown-stay": community.knock("exit", "川F66666", NOON),
    }
    community.knock("entry", VISITOR, NOON)
    told["already-inside"] = community.knock("entry", VISITOR, NOON + HOURS)
    told["lot-full"] = community.knock("entry", "川G77777", NOON + HOURS)
    for reason, answer in told.items():
        decision = answer["decision"]
        assert (decision["action"], decision["reason"]) == ("hold", reason)
        assert all(line.strip() for line in decision["display"])
        assert decision["voice"]
    assert {case["reason"] for case in exceptions(community)} == set(told)

    [full] = [case for case in exceptions(community) if case["reason"] == "lot-full"]
    resolved = community.client.post(
        f"/api/v1/exceptions/{full['id']}/resolve",
        json={"reason": "人工引导至 B1"},
        headers=community.as_person("olga"),
    )
    assert resolved.get_json()["resolution"] == "人工引导至 B1"
    assert "lot-full" not in {case["reason"] for case in exceptions(community)}


@pytest.mark.parametrize(
    ("seconds", "action", "reason"), [(10, "open", "walk-in"), (11, "hold", "replayed")]
)
def test_a_repeat_is_answered_alike_for_ten_seconds_and_never_opens_later(
    community: Community, seconds: int, action: str, reason: str
) -> None:
    first = community.knock("entry", VISITOR, NOON, event_id="one")
    again = community.knock(
        "entry", VISITOR, NOON, event_id="one", now=NOON + timedelta(seconds=seconds)
    )
    assert (first["duplicate"], again["duplicate"]) == (False, True)
    assert again["recorded_at"] == first["recorded_at"]
    assert (again["decision"]["action"], again["decision"]["reason"]) == (action, reason)
    assert len(community.stays(VISITOR)) == 1


@pytest.mark.parametrize(
    ("late", "action"), [(timedelta(minutes=2), "open"), (timedelta(minutes=2, seconds=1), "hold")]
)
def test_an_event_older_than_two_minutes_is_history(
    community: Community, late: timedelta, action: str
) -> None:
    told = community.knock("entry", VISITOR, NOON, now=NOON + late)
    assert told["decision"]["action"] == action
    [stay] = community.stays(VISITOR)
    assert (stay["status"], stay["entered_at"]) == ("open", "2026-11-23T04:00:00+00:00")


def test_the_price_is_the_one_in_force_at_entry(community: Community, session: Session) -> None:
    community.knock("entry", VISITOR, NOON)
    dearer = {
        "free_minutes": 0,
        "free_deducted": False,
        "first_minutes": 60,
        "first_fen": 9900,
        "unit_minutes": 30,
        "unit_fen": 9900,
        "cap_fen": None,
        "cap_per": "24h",
        "leave_within_minutes": 15,
    }
    with clock.at(NOON + timedelta(minutes=1)):
        answer = community.client.post(
            "/api/v1/lots/B2/tariffs", json={"rules": dearer}, headers=community.as_person("ada")
        )
    assert answer.status_code == 201, answer.get_json()
    asked = community.knock("exit", VISITOR, NOON + HOURS)["decision"]
    assert asked["fee"]["total_fen"] == 300


def test_an_operator_is_shown_what_a_misread_plate_may_be(community: Community) -> None:
    stay_id = community.knock("entry", "川C08B12", NOON)["decision"]["stay_id"]
    assert community.knock("exit", "川C0BB12", NOON + HOURS / 12)["decision"]["reason"] == (
        "unknown-stay"
    )
    with clock.at(NOON + HOURS / 10):
        answer = community.client.get(
            "/api/v1/plates/川C0BB12/suggestions", headers=community.as_person("olga")
        )
    assert answer.get_json() == [{"plate": "川C08B12", "plate_color": "blue", "stay_id": stay_id}]


def test_a_market_price_above_the_legal_ceiling_is_kept_and_shown(community: Community) -> None:
    ceiling = {"vehicle_class": "small", "hour_fen": 200}

    def add(regime: str) -> TestResponse:
        rules = asdict(RULES) | {"ceilings": [ceiling | {"regime": regime}]}
        return community.client.post(
            "/api/v1/lots/B2/tariffs", json={"rules": rules}, headers=community.as_person("ada")
        )

    assert add("government").status_code == 422
    kept = add("market")
    assert kept.status_code == 201
    assert kept.get_json()["over_ceiling"] == [
        {"vehicle_class": "small", "period": "hour", "dearest_fen": 300, "ceiling_fen": 200}
    ]
