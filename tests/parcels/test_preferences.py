"""What residents choose about lockers, and what they say of a parcel before it comes."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import BO, HOUR, MINUTE
from tests.parcels import neighbours
from tests.parcels.neighbours import AMY, call, choose, get, own, post

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    neighbours.move_in(community)


def asked(community: Community, waybill: str, at: Any, **said: Any) -> str:
    """What the cabinet answers a courier: open, or why not."""
    decision = hall.request(community, waybill, at, **said)
    return "open" if decision["action"] == "open" else str(decision["reason"])


def expect(community: Community, who: str, waybill: str, at: Any, **more: Any) -> Any:
    """A resident announces a parcel; a locker is fine unless it says something else."""
    more = {"status": 201, "locker": True} | more
    return post(community, who, "/expected-parcels", at, tracking_number=waybill, **more)


def happened(session: Session, waybill: str) -> list[str]:
    """What is on record of a waybill."""
    sql = """SELECT e.type FROM parcel_event e JOIN parcel p ON p.id = e.parcel_id
             WHERE p.tracking_number = :waybill ORDER BY e.id"""
    return [row["type"] for row in hall.ask(session, sql, waybill=waybill)]


def test_who_never_chose_is_asked_every_time(community: Community) -> None:
    nothing = get(community, "amy", "/locker-preferences", NOON)
    assert nothing == {
        "locker": None,
        "low_door": False,
        "share_with_household": False,
        "any_time": False,
        "quiet_from": None,
        "quiet_until": None,
        "recorded_at": None,
        "phone": AMY,
    }
    assert asked(community, "YT1", NOON, phone=AMY) == "consent-needed"


def test_a6_1_the_standing_choice_answers_the_courier(community: Community) -> None:
    for n, (choice, answer) in enumerate(
        (("never", "consent-refused"), ("when-absent", "only-when-absent"), ("ok", "open"))
    ):
        choose(community, "bo", NOON + n * MINUTE, locker=choice)
        assert asked(community, f"YT{n}", NOON + n * MINUTE, phone=BO) == answer
    choose(community, "bo", NOON + HOUR, locker=None)
    assert asked(community, "YT9", NOON + HOUR, phone=BO) == "consent-needed"


def test_every_choice_stays_as_proof_and_the_same_again_is_none(community: Community) -> None:
    night = {"low_door": True, "quiet_from": "08:00", "quiet_until": "16:30"}
    for at in (NOON, NOON + HOUR):
        chosen = choose(community, "bo", at, **night)
    assert chosen["recorded_at"] == NOON.isoformat()
    assert (chosen["quiet_from"], chosen["quiet_until"]) == ("08:00", "16:30")
    choose(community, "bo", NOON + 2 * HOUR, locker="never")
    history = get(community, "bo", "/locker-preferences/history", NOON + DAY)
    assert [(c["locker"], c["low_door"], c["recorded_at"]) for c in history] == [
        ("never", False, (NOON + 2 * HOUR).isoformat()),
        ("ok", True, NOON.isoformat()),
    ]
    assert get(community, "amy", "/locker-preferences/history", NOON) == []


@pytest.mark.parametrize(
    ("choice", "field"),
    [
        ({"locker": "maybe"}, "locker"),
        ({"locker": "ok'; --"}, "locker"),
        ({"low_door": "yes"}, "low_door"),
        ({"quiet_from": "22:00"}, "quiet_until"),
        ({"quiet_from": "22:00", "quiet_until": "22:00"}, "quiet_until"),
        ({"quiet_from": "25:00", "quiet_until": "07:00"}, "quiet_from"),
        ({"quiet_from": "22:00", "quiet_until": "07:00", "any_time": True}, "any_time"),
        ({"phone": BO}, "phone"),
    ],
)
def test_what_cannot_be_chosen(community: Community, choice: dict[str, Any], field: str) -> None:
    refused = choose(community, "ana", NOON, status=422, **choice)
    assert set(refused["errors"]) == {field}
    assert call(community, "ana", "PUT", "/locker-preferences", NOON, status=422, low_door=True)[
        "errors"
    ].keys() == {"locker"}


def test_a6_2_whoever_works_at_night_is_told_when_awake(
    community: Community, session: Session
) -> None:
    choose(community, "ana", NOON, quiet_from="08:00", quiet_until="16:00")
    hall.deposit(community, "YT1", NOON)
    [told] = hall.ask(session, "SELECT DISTINCT due_at FROM delivery")
    assert told["due_at"] == NOON + 4 * HOUR  # 16:00
    choose(community, "ana", NOON + HOUR, any_time=True)
    [due] = hall.ask(session, "SELECT due_at FROM parcel")
    assert due["due_at"] == NOON + HOUR  # the sweep reckons anew


def test_a6_1_an_answer_beforehand_opens_even_for_fresh_goods(
    community: Community, session: Session
) -> None:
    assert asked(community, "YT1", NOON, phone=BO, fresh=True) == "consent-needed"
    said = expect(community, "bo", "YT1", NOON + MINUTE)
    assert (said["phase"], said["wanted"], said["place"]) == ("expected", True, None)
    assert asked(community, "YT1", NOON + 2 * MINUTE, phone=BO, fresh=True) == "open"
    parcel = own(community, "bo", "YT1", NOON + 3 * MINUTE)
    assert (parcel["id"], parcel["phase"], parcel["consent"]) == (
        said["id"],
        "reserved",
        "this-parcel",
    )
    assert happened(session, "YT1") == [
        "parcel.announced",
        "consent.given",
        "consent.given",
        "door.held",
    ]


def test_a6_1_an_answer_beforehand_refuses_whatever_else_was_chosen(community: Community) -> None:
    expect(community, "ana", "YT1", NOON, locker=False)
    assert asked(community, "YT1", NOON + MINUTE, consent="asked", absent=True) == "consent-refused"
    assert asked(community, "YT2", NOON + MINUTE) == "open"


def test_the_newest_answer_counts_and_the_same_again_is_none(
    community: Community, session: Session
) -> None:
    first = expect(community, "ana", "YT1", NOON, locker=False)
    for at, locker, status in ((1, False, 200), (2, True, 200), (3, True, 200)):
        again = expect(community, "ana", "YT1", NOON + at * MINUTE, locker=locker, status=status)
        assert (again["id"], again["wanted"]) == (first["id"], locker)
    assert happened(session, "YT1") == ["parcel.announced", "consent.withdrawn", "consent.given"]
    assert [p["tracking_number"] for p in hall.parcels(community, "ana", NOON + HOUR)] == ["YT1"]
    assert asked(community, "YT1", NOON + HOUR) == "open"


def test_an_answer_is_its_recipients_alone(community: Community) -> None:
    expect(community, "bo", "YT1", NOON, locker=False)
    assert asked(community, "YT1", NOON + MINUTE) == "open"  # it is Ana's
    assert hall.parcels(community, "amy", NOON + HOUR) == []


def test_an_answer_changes_after_a_hold_ran_out(community: Community, session: Session) -> None:
    assert asked(community, "YT1", NOON) == "open"
    hall.sweep(NOON + 11 * MINUTE)
    assert hall.phase(session, "YT1") == "expected"
    expect(community, "ana", "YT1", NOON + 12 * MINUTE, locker=False, status=200)
    assert asked(community, "YT1", NOON + 13 * MINUTE) == "consent-refused"
    expect(community, "ana", "YT1", NOON + 14 * MINUTE, locker=True, status=200)
    hall.deposit(community, "YT1", NOON + 15 * MINUTE)
    [parcel] = hall.parcels(community, "ana", NOON + HOUR)
    assert (parcel["phase"], parcel["place"]["cabinet"]) == ("ready", "K1")


def test_what_has_come_is_not_expected(community: Community) -> None:
    assert asked(community, "YT1", NOON) == "open"
    late = expect(community, "ana", "YT1", NOON + MINUTE, locker=False, status=409)
    assert late["code"] == "already-here"
    hall.say(community, "parcel_deposited", NOON + MINUTE, tracking_number="YT1", compartment=4)
    expect(community, "ana", "YT1", NOON + HOUR, status=409)
    hall.collect(community, "YT1", NOON + HOUR)
    expect(community, "ana", "YT1", NOON + 2 * HOUR)  # it comes a second time


def test_whom_no_courier_could_name_expects_nothing(community: Community, session: Session) -> None:
    [amy] = hall.ask(session, "SELECT id FROM person WHERE username = 'amy'")
    call(community, "ada", "PATCH", f"/people/{amy['id']}", NOON, phone=None)
    assert expect(community, "amy", "YT1", NOON, status=409)["code"] == "phone-unknown"


@pytest.mark.parametrize(
    "waybill", ["", "Y" * 65, "YT 1", "YT1' OR '1'='1", "YT1\n", "运单1", "-YT1"]
)
def test_a_waybill_is_letters_and_digits(community: Community, waybill: str) -> None:
    refused = expect(community, "ana", waybill, NOON, status=422)
    assert set(refused["errors"]) == {"tracking_number"}
    refused = expect(community, "ana", "YT1", NOON, locker="yes", status=422)
    assert set(refused["errors"]) == {"locker"}
