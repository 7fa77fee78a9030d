"""Whole ways of parcels through HTTP and the sweeps, from the courier to the books."""

from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import clock
from tests.cast import NOON, Community
from tests.ledger import till
from tests.lockers import hall
from tests.lockers.hall import ANA, HOUR, MINUTE
from workers import tasks


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


def asked(
    community: Community, verb: str, path: str, who: str, at: Any, status: int = 200, **body: Any
) -> Any:
    """A request of a person at a time; the JSON answer."""
    with clock.at(at):
        headers = community.as_person(who) | {"Idempotency-Key": f"{path}-{at}"}
        answer = community.client.open(
            f"/api/v1/{path}", method=verb, json=body or None, headers=headers
        )
    assert answer.status_code == status, answer.get_json()
    return answer.get_json()


def workers_at(at: Any) -> None:
    """Everything the workers do for lockers and money at that time."""
    hall.sweep(at)
    with clock.at(at):
        tasks.send_out()
        till.settle_all()


def test_a_parcel_from_the_courier_to_the_micro_fund(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    workers_at(NOON + 2 * MINUTE)

    [notice] = asked(community, "GET", "notices", "ana", NOON + 3 * MINUTE)
    [parcel] = asked(community, "GET", "parcels", "ana", NOON + 3 * MINUTE)
    assert parcel["pickup_code"] in notice["text"]
    assert parcel["place"]["compartment"] == number
    assert parcel["fee"]["total_fen"] == 0
    assert [rung["total_fen"] for rung in parcel["fee"]["ladder"]][:3] == [0, 50, 100]

    late = NOON + 32 * HOUR
    workers_at(late)
    [parcel] = asked(community, "GET", "parcels", "ana", late)
    assert (parcel["phase"], parcel["fee"]["total_fen"]) == ("overdue", 100)
    opened = hall.pick_up(community, parcel["pickup_code"], late)
    assert (opened["action"], opened["fee"]["total_fen"]) == ("open", 100)
    hall.collect(community, "YT1", late + MINUTE)

    [parcel] = asked(community, "GET", "parcels", "ana", late + 2 * MINUTE)
    assert (parcel["phase"], parcel["pickup_code"]) == ("collected", None)
    owed: dict[str, Any] = {"charge_id": parcel["charge_id"], "method": "cash"}
    paid = asked(community, "POST", "payments", "olga", late + HOUR, 201, **owed)
    assert paid["amount_fen"] == 100
    workers_at(late + HOUR)
    books = asked(community, "GET", "ledger/verify", "fan", late + HOUR)
    assert books["ok"], books
    trial = asked(community, "GET", "ledger/trial-balance", "fan", late + HOUR)
    credits_ = {row["account"]: row["credit_fen"] for row in trial["rows"]}
    assert (credits_["430103"], credits_["430108"]) == (70, 21)  # 70 % of 100 and of 30 fen
    file = asked(community, "GET", f"parcels/{parcel['id']}/dispute", "ana", late + HOUR)
    assert file["chain"]["ok"]
    assert [event["type"] for event in file["events"]] == [
        "consent.given",
        "door.held",
        "parcel.deposited",
        "code.issued",
        "notice.queued",
        "deposit.charged",
        "parcel.overdue",
        "notice.queued",
        "door.opened",
        "parcel.collected",
        "fee.charged",
    ]


def test_nobody_comes_the_courier_takes_it_back_and_returns_it(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    for hours in range(0, 75, 2):
        workers_at(NOON + hours * HOUR)
    after = NOON + 74 * HOUR
    [task] = asked(community, "GET", "reclaim-tasks", "olga", after)
    assert task["tracking_number"] == "YT1"
    ask: dict[str, Any] = {"courier": "Y1", "tracking_number": "YT1"}
    opened = hall.say(community, "reclaim_requested", after, **ask)["decision"]
    assert opened["action"] == "open"
    hall.say(community, "parcel_reclaimed", after + MINUTE, tracking_number="YT1")
    [parcel] = asked(community, "GET", "parcels", "ana", after + HOUR)
    assert (parcel["phase"], parcel["fee"]["total_fen"]) == ("reclaimed", 0)
    back = f"parcels/{parcel['id']}/returned"
    asked(community, "POST", back, "olga", after + HOUR, reason="退回寄件人")
    assert hall.phase(session, "YT1") == "returned"
    workers_at(after + HOUR)
    told = asked(community, "GET", "notices", "ana", after + HOUR)
    assert [n["kind"].removeprefix("parcel-") for n in told][::-1] == [
        "deposited",
        "overdue",
        "daily",
        "daily",
        "reclaimed",
    ]


def test_nobody_reacts_and_an_operator_removes_it_with_a_witness(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    after = NOON + 169 * HOUR
    workers_at(NOON + 73 * HOUR)
    workers_at(after)
    [case] = [
        case
        for case in asked(community, "GET", "exceptions?resolved=false", "olga", after)
        if case["reason"] == "removal-due"
    ]
    code = asked(
        community,
        "POST",
        f"parcels/{case['subject_id']}/open-code",
        "olga",
        after,
        201,
        reason="逾期清理",
    )
    opened = hall.pick_up(community, code["code"], after + MINUTE, phone=f"0{code['phone_tail']}")
    assert (opened["action"], opened["compartment"]) == ("open", number)
    taken: dict[str, Any] = {"reason": "逾期清理", "photo": "photo-1.jpg", "witness": "王主任"}
    path = f"parcels/{case['subject_id']}/remove"
    asked(community, "POST", path, "olga", after + 2 * MINUTE, **taken)
    assert hall.phase(session, "YT1") == "reclaimed"
    assert hall.doors(session) == {}


def test_a_parcel_looked_at_and_put_back_goes_back_with_the_courier(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    hall.pick_up(community, hall.code(session, "YT1"), NOON + HOUR)
    hall.say(community, "parcel_refused", NOON + HOUR + MINUTE, tracking_number="YT1")
    assert hall.doors(session) == {number: "occupied"}
    assert hall.pick_up(community, "000000", NOON + 2 * HOUR)["reason"] == "wrong-code"
    [task] = asked(community, "GET", "reclaim-tasks", "olga", NOON + 2 * HOUR)
    assert task["reason"] == "refused"
    hall.say(community, "reclaim_requested", NOON + 3 * HOUR, courier="Y1", compartment=number)
    hall.say(community, "parcel_collected", NOON + 3 * HOUR + MINUTE, compartment=number)
    assert hall.phase(session, "YT1") == "reclaimed"
    assert hall.ask(session, "SELECT * FROM charge WHERE source = 'parcel'") == []


def test_a_neighbour_fetches_it_with_a_code_of_their_own(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    [parcel] = asked(community, "GET", "parcels", "ana", NOON + HOUR)
    given = asked(
        community,
        "POST",
        f"parcels/{parcel['id']}/delegates",
        "ana",
        NOON + HOUR,
        201,
        name="王阿姨",
        expires_at=(NOON + 5 * HOUR).isoformat(),
    )
    assert hall.pick_up(community, given["code"], NOON + 2 * HOUR, phone=ANA)["action"] == "open"
    hall.collect(community, "YT1", NOON + 2 * HOUR + MINUTE)
    assert hall.pick_up(community, given["code"], NOON + 3 * HOUR)["reason"] == "wrong-code"
