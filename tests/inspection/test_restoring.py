"""Exceptions that are none any more: a wrong click, a parcel found again, one nobody scanned."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import clock
from tests.cast import NOON, Community
from tests.inspection import counter
from tests.lockers import hall
from tests.lockers.hall import ANA, BO, HOUR, MINUTE, STRANGER
from workers import tasks

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


def aside(community: Community, session: Session, at: Any, reason: str = "damaged") -> None:
    """Olga sets YT1 aside."""
    path = f"POST parcels/{counter.parcel_id(session, 'YT1')}/except"
    counter.ask(community, path, at, reason=reason)


def restore(
    community: Community, session: Session, waybill: str, at: Any, status: int = 200, **said: Any
) -> Any:
    """Olga makes a parcel ready; the answer."""
    path = f"POST parcels/{counter.parcel_id(session, waybill)}/restore"
    return counter.ask(community, path, at, status=status, **{"reason": "误操作"} | said)


def told(community: Community, who: str, at: Any) -> list[str]:
    """The kinds of notices in somebody's inbox, newest first."""
    with clock.at(at):
        tasks.send_out()
    return [notice["kind"] for notice in counter.ask(community, "GET notices", at, who=who)]


def resolutions(session: Session) -> list[tuple[str, str | None]]:
    sql = """SELECT reason, resolution FROM exception_case WHERE subject = 'parcel' ORDER BY id"""
    return [(row["reason"], row["resolution"]) for row in hall.ask(session, sql)]


# --- A wrong click.


def test_a_wrong_click_is_undone_and_the_residents_new_code_opens(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    old = hall.code(session, "YT1")
    aside(community, session, NOON + HOUR)
    assert hall.code_of(community, "ana", "YT1", NOON + HOUR) is None
    after = restore(community, session, "YT1", NOON + 2 * HOUR)
    assert (after["phase"], after["reason"], after["compartment"]) == ("ready", None, number)
    new = hall.code_of(community, "ana", "YT1", NOON + 2 * HOUR)
    assert hall.pick_up(community, new, NOON + 3 * HOUR)["compartment"] == number
    assert new != old
    hall.collect(community, "YT1", NOON + 3 * HOUR + MINUTE)
    assert hall.phase(session, "YT1") == "collected"
    assert resolutions(session) == [("damaged", "误操作")]
    assert counter.happened(session, "YT1").count("parcel.restored") == 1
    assert counter.charged(session) == []


def test_a6_5_the_time_in_which_nobody_could_fetch_it_costs_nothing(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON - MINUTE)
    aside(community, session, NOON + 17 * HOUR)
    after = restore(community, session, "YT1", NOON + 39 * HOUR + MINUTE)
    assert after["extra_free_hours"] == 23
    code = hall.code_of(community, "ana", "YT1", NOON + 40 * HOUR)
    assert hall.pick_up(community, code, NOON + 40 * HOUR)["fee"]["total_fen"] == 0
    opened = hall.pick_up(community, code, NOON + 42 * HOUR)
    assert opened["fee"]["total_fen"] == 50
    hall.collect(community, "YT1", NOON + 42 * HOUR + MINUTE)
    assert counter.charged(session) == [("fee", 50)]


def test_it_is_set_aside_again_for_the_same_reason_and_shown_again(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    for hour in (1, 3):
        aside(community, session, NOON + hour * HOUR)
        assert hall.cases(session) == ["damaged"]
        restore(community, session, "YT1", NOON + (hour + 1) * HOUR)
        assert hall.cases(session) == []
    after = restore(community, session, "YT1", NOON + 5 * HOUR, status=409)
    assert (after["code"], after["phase"]) == ("no-exception", "ready")


def test_what_waits_anew_is_told_and_reclaimed_anew(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    for hours in (20, 80, 200):
        hall.sweep(NOON + hours * HOUR)
    assert "removal-due" in hall.cases(session)
    aside(community, session, NOON + 201 * HOUR)
    restore(community, session, "YT1", NOON + 202 * HOUR)
    assert not {"removal-due", "damaged"} & set(hall.cases(session))
    assert counter.ask(community, "GET reclaim-tasks", NOON + 202 * HOUR) == []
    hall.sweep(NOON + 203 * HOUR)
    assert len(counter.ask(community, "GET reclaim-tasks", NOON + 203 * HOUR)) == 1


def test_what_was_refused_by_mistake_is_fetched_after_all(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + 20 * HOUR)
    hall.say(
        community, "parcel_refused", NOON + 20 * HOUR + MINUTE, tracking_number="YT1",
        compartment=number,
    )  # fmt: skip
    restore(community, session, "YT1", NOON + 21 * HOUR)
    code = hall.code_of(community, "ana", "YT1", NOON + 21 * HOUR)
    assert hall.pick_up(community, code, NOON + 22 * HOUR)["compartment"] == number
    hall.collect(community, "YT1", NOON + 22 * HOUR + MINUTE)
    assert sum(fen for _, fen in counter.charged(session)) == 0


# --- Found again.


def test_what_was_missing_is_found_behind_another_door(
    community: Community, session: Session
) -> None:
    first = hall.deposit(community, "YT1", NOON)
    counter.correct(community, first, NOON + HOUR, "empty")
    assert counter.reason(session, "YT1") == "missing"
    other = hall.deposit(community, "YT2", NOON + HOUR + MINUTE)
    at = NOON + 2 * HOUR
    nowhere = restore(community, session, "YT1", at, status=409)
    assert nowhere["code"] == "compartment-needed"
    taken = restore(community, session, "YT1", at, status=409, compartment=other)
    assert taken["code"] == "compartment-taken"
    restore(community, session, "YT1", at, status=404, compartment=99)
    assert hall.cases(session) == ["missing"]
    assert restore(community, session, "YT1", at, compartment=14)["compartment"] == 14
    assert hall.doors(session) == {other: "occupied", 14: "occupied"}
    code = hall.code_of(community, "ana", "YT1", at)
    assert hall.pick_up(community, code, at + HOUR)["compartment"] == 14


def test_a_parcel_that_lies_elsewhere_than_recorded_moves(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    aside(community, session, NOON + HOUR, "misdelivered")
    assert restore(community, session, "YT1", NOON + HOUR, compartment=15)["compartment"] == 15
    assert hall.doors(session) == {15: "occupied"}


def test_a_parcel_nobody_saw_being_put_in_was_put_in_by_now(
    community: Community, session: Session
) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    aside(community, session, NOON + MINUTE, "lost")
    restore(community, session, "YT1", NOON + 5 * HOUR, compartment=number)
    parcel = hall.parcels(community, "ana", NOON + 5 * HOUR)[0]
    assert parcel["deposited_at"] == (NOON + 5 * HOUR).isoformat()
    assert counter.charged(session, "deposit") == [("fee", 30)]
    assert hall.pick_up(community, parcel["code"], NOON + 6 * HOUR)["compartment"] == number


# --- Whose it is.


def test_a_parcel_nobody_scanned_is_given_to_bo_who_owes_nothing(
    community: Community, session: Session
) -> None:
    hall.say(community, "parcel_deposited", NOON, tracking_number="ZT1", compartment=4)
    at = NOON + 30 * HOUR
    whose = restore(community, session, "ZT1", at, status=409)
    assert whose["code"] == "recipient-needed"
    restore(community, session, "ZT1", at, status=422, recipient_phone="123")
    restore(community, session, "ZT1", at, recipient_phone=BO, reason="面单为王先生")
    assert told(community, "bo", at + MINUTE) == ["parcel-deposited"]
    [parcel] = hall.parcels(community, "bo", at + 40 * HOUR)
    assert (parcel["phase"], parcel["consent"], parcel["fee"]["due_fen"]) == ("ready", "desk", 0)
    assert parcel["free_until"] is None or parcel["free_until"] >= (at + 18 * HOUR).isoformat()
    opened = hall.pick_up(community, parcel["code"], at + 40 * HOUR, phone=BO)
    assert (opened["action"], opened["compartment"]) == ("open", 4)
    assert opened["fee"]["total_fen"] == 0
    hall.collect(community, "ZT1", at + 40 * HOUR + MINUTE)
    assert counter.charged(session) == []
    assert counter.charged(session, "deposit") == []
    assert resolutions(session) == [("courier-no-scan", "面单为王先生")]


def test_a_misdelivered_parcel_goes_to_whose_it_is_and_is_hidden_from_the_other(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    aside(community, session, NOON + HOUR, "misdelivered")
    restore(community, session, "YT1", NOON + 2 * HOUR, recipient_phone=BO)
    assert hall.parcels(community, "ana", NOON + 2 * HOUR) == []
    late = NOON + 60 * HOUR
    hall.sweep(late)
    [parcel] = hall.parcels(community, "bo", late)
    assert parcel["fee"]["due_fen"] == 0  # the courier had asked Ana, not Bo
    hall.pick_up(community, parcel["code"], late, phone=BO)
    hall.collect(community, "YT1", late + MINUTE)
    assert counter.charged(session) == []
    texts = [row["text"] for row in hall.ask(session, "SELECT text FROM notice ORDER BY id")]
    assert "逾期每12小时" in texts[0]
    assert all("不收保管费" in text for text in texts[1:])


def test_the_file_tells_who_was_given_it_by_whom(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    aside(community, session, NOON + HOUR, "misdelivered")
    restore(community, session, "YT1", NOON + 2 * HOUR, recipient_phone=STRANGER)
    path = f"GET parcels/{counter.parcel_id(session, 'YT1')}/dispute"
    file = counter.ask(community, path, NOON + DAY, who="ava")
    assert file["consent"]["basis"] == "desk"
    assert file["chain"]["ok"]
    given = [event for event in file["events"] if event["type"] == "consent.given"][-1]
    assert given["actor"].startswith("person:")
    assert given["data"] == {"basis": "desk", "phone": "137****3333"}


def test_the_same_phone_changes_nothing_about_whose_it_is(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    aside(community, session, NOON + HOUR)
    restore(community, session, "YT1", NOON + HOUR + MINUTE, recipient_phone=ANA)
    [parcel] = hall.parcels(community, "ana", NOON + 2 * HOUR)
    assert parcel["consent"] == "preference"
    assert counter.happened(session, "YT1").count("consent.given") == 1
