"""Operators and single parcels: opening by hand, taking out, sending back, sparing fees."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.cast import NOON, Community
from tests.inspection import counter
from tests.lockers import hall
from tests.lockers.hall import ANA, BO, HOUR, MINUTE

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


# --- Opening by hand, taking out, sending back.


def test_staff_open_a_door_once_and_what_they_take_out_was_not_collected(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    told = counter.opened_by_hand(community, counter.parcel_id(session, "YT1"), NOON + 30 * HOUR)
    assert told["phone_tail"] == ANA[-4:]
    first = hall.pick_up(community, told["code"], NOON + 30 * HOUR + MINUTE)
    assert (first["action"], first["compartment"], first["fee"]["total_fen"]) == ("open", number, 0)
    again = hall.pick_up(community, told["code"], NOON + 30 * HOUR + 2 * MINUTE)
    assert again["reason"] == "wrong-code"
    hall.collect(community, "YT1", NOON + 30 * HOUR + 3 * MINUTE)
    assert hall.phase(session, "YT1") == "reclaimed"
    assert counter.charged(session) == []
    assert "manual.open" in counter.happened(session, "YT1")
    assert "manual.open" in counter.at_door(session, number)


def test_a_staff_code_lasts_a_quarter_of_an_hour_and_the_next_kills_it(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    parcel = counter.parcel_id(session, "YT1")
    first = counter.opened_by_hand(community, parcel, NOON + HOUR)
    second = counter.opened_by_hand(community, parcel, NOON + HOUR)
    assert hall.pick_up(community, first["code"], NOON + HOUR)["reason"] == "wrong-code"
    late = NOON + HOUR + 15 * MINUTE
    assert hall.pick_up(community, second["code"], late)["reason"] == "wrong-code"
    kept = "SELECT sealed FROM pickup_code WHERE kind = 'staff'"
    assert [row["sealed"] for row in hall.ask(session, kept)] == [None, None]


def test_the_recipients_code_still_opens_after_staff_looked(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    told = counter.opened_by_hand(community, counter.parcel_id(session, "YT1"), NOON + HOUR)
    hall.pick_up(community, told["code"], NOON + HOUR)
    hall.say(community, "door_closed", NOON + HOUR + MINUTE, compartment=number)
    hall.pick_up(community, hall.code(session, "YT1"), NOON + 2 * HOUR)
    hall.collect(community, "YT1", NOON + 2 * HOUR + MINUTE)
    assert hall.phase(session, "YT1") == "collected"


def test_a_parcel_without_a_known_phone_is_opened_with_zeros(
    community: Community, session: Session
) -> None:
    counter.correct(community, 4, NOON, "parcel", "ZTO8")
    told = counter.opened_by_hand(community, counter.parcel_id(session, "ZTO8"), NOON)
    assert told["phone_tail"] == "0000"
    opened = hall.pick_up(community, told["code"], NOON, phone="0000")
    assert (opened["action"], opened["compartment"]) == ("open", 4)


def test_removal_needs_proof_and_ends_in_the_senders_hands(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    parcel = counter.parcel_id(session, "YT1")
    remove = f"POST parcels/{parcel}/remove"
    bare = counter.ask(community, remove, NOON + 8 * DAY, status=422, reason="滞留")
    assert set(bare["errors"]) == {"photo", "witness"}
    proof: dict[str, Any] = {"reason": "滞留7天", "photo": "photo/1.jpg", "witness": "王保安"}
    back = f"POST parcels/{parcel}/returned"
    early = counter.ask(community, back, NOON + 8 * DAY, status=409, reason="退回")
    assert (early["code"], early["phase"]) == ("not-taken-out", "ready")
    for _ in range(2):
        removed = counter.ask(community, remove, NOON + 8 * DAY, **proof)
        assert (removed["phase"], removed["compartment"]) == ("reclaimed", None)
    for _ in range(2):
        assert counter.ask(community, back, NOON + 9 * DAY, reason="退回")["phase"] == "returned"
    assert counter.happened(session, "YT1")[-3:] == [
        "parcel.reclaimed",
        "notice.queued",
        "parcel.returned",
    ]
    gone = counter.ask(community, remove, NOON + 9 * DAY, status=409, **proof)
    assert gone["code"] == "not-inside"
    no_door: dict[str, Any] = {"status": 409, "reason": "看看"}
    refused = counter.ask(community, f"POST parcels/{parcel}/open-code", NOON + 9 * DAY, **no_door)
    assert refused["code"] == "no-door"
    assert counter.charged(session) == []


@pytest.mark.parametrize(
    ("reason", "inside"),
    [("damaged", True), ("misdelivered", True), ("lost", False), ("missing", False)],
)
def test_what_is_set_aside_keeps_its_door_while_it_is_inside(
    community: Community, session: Session, reason: str, inside: bool
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    aside = f"POST parcels/{counter.parcel_id(session, 'YT1')}/except"
    for _ in range(2):
        after = counter.ask(community, aside, NOON + HOUR, reason=reason, note="收件人来电")
        assert (after["phase"], after["reason"]) == ("exception", reason)
    assert hall.doors(session) == ({number: "occupied"} if inside else {})
    assert counter.happened(session, "YT1").count("parcel.excepted") == 1
    counter.ask(community, aside, NOON + HOUR, status=422, reason="eaten")


def test_what_was_collected_cannot_be_set_aside(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + HOUR)
    aside = f"POST parcels/{counter.parcel_id(session, 'YT1')}/except"
    refused = counter.ask(community, aside, NOON + 2 * HOUR, status=409, reason="lost")
    assert (refused["code"], refused["phase"]) == ("not-here", "collected")


# --- Time and money.


def test_a_storm_gives_everybody_in_the_cabinet_a_day(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.deposit(community, "YT2", NOON, phone=BO, consent="asked")
    hall.deposit(community, "YT3", NOON)
    hall.collect(community, "YT3", NOON + HOUR)
    storm = "POST cabinets/K1/extend"
    told = counter.ask(community, storm, NOON + 2 * HOUR, hours=24, reason="台风")
    assert told == {"parcels": 2}
    rows = hall.ask(session, "SELECT tracking_number, free_until, due_at FROM parcel ORDER BY id")
    due = NOON + 2 * HOUR
    free = NOON + MINUTE + 42 * HOUR
    assert [tuple(row.values()) for row in rows[:2]] == [("YT1", free, due), ("YT2", free, due)]
    told = hall.pick_up(community, hall.code(session, "YT1"), NOON + 41 * HOUR)
    assert told["fee"]["total_fen"] == 0
    assert counter.ask(community, storm, NOON, status=422, hours=169, reason="台风")["errors"]
    counter.ask(community, "POST cabinets/K9/extend", NOON, status=404, hours=1, reason="台风")


def test_only_what_waits_can_wait_longer(community: Community, session: Session) -> None:
    hall.request(community, "YT1", NOON)
    extend = f"POST parcels/{counter.parcel_id(session, 'YT1')}/extend"
    refused = counter.ask(community, extend, NOON, status=409, hours=1, reason="停电")
    assert refused["code"] == "not-waiting"


def test_an_overdue_parcel_that_may_stay_longer_costs_nothing_meanwhile(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.sweep(NOON + 20 * HOUR)
    assert hall.phase(session, "YT1") == "overdue"
    extend = f"POST parcels/{counter.parcel_id(session, 'YT1')}/extend"
    counter.ask(community, extend, NOON + 20 * HOUR, hours=48, reason="停电")
    hall.sweep(NOON + 20 * HOUR)
    hall.collect(community, "YT1", NOON + 60 * HOUR)
    assert counter.charged(session) == []


def test_paid_fees_are_not_waived(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + HOUR)
    waive = f"POST parcels/{counter.parcel_id(session, 'YT1')}/waive"
    refused = counter.ask(community, waive, NOON + DAY, status=409, reason="误收")
    assert refused["code"] == "nothing-due"
    counter.ask(community, "POST parcels/999/waive", NOON, status=404, reason="误收")


def test_a6_5_what_was_charged_for_our_fault_is_waived_once(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + 20 * HOUR)
    waive = f"POST parcels/{counter.parcel_id(session, 'YT1')}/waive"
    assert counter.ask(community, waive, NOON + DAY, reason="柜门故障")["due_fen"] == 0
    again = counter.ask(community, waive, NOON + DAY, status=409, reason="柜门故障")
    assert again["code"] == "nothing-due"
    assert counter.charged(session) == [("fee", 50), ("credit", -50)]
    assert counter.happened(session, "YT1")[-1] == "fee.waived"
