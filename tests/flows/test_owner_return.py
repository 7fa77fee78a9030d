"""An owner's space is shared, the guest does not leave, the owner comes home: whole ways."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from parking import lots
from parking.plates import Plate
from sharing import granting, watch
from tests.cast import NOON, Community, found_community

ZONE = ZoneInfo("Asia/Shanghai")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
OWNER_PLATE, GUEST_PLATE, OTHER_PLATE = "川B22222", "川A12345", "川C33333"
PRIVATE = "B2-100"


@pytest.fixture
def community(app: Flask) -> Community:
    """Two community spaces, and Bo's own, which he shares on working hours (09:00-15:00)."""
    community = found_community(app, spaces=2)
    with clock.at(NOON - 6 * HOUR):
        atomic(_own_space, community.households["bo"])
        offered = community.client.post(
            f"/api/v1/spaces/{PRIVATE}/sharing-windows",
            json={"weekdays": [1, 2, 3, 4, 5], "from": "09:00", "to": "15:00"},
            headers=community.as_person("bo"),
        )
        assert offered.status_code == 201, offered.get_json()
    return community


def _own_space(session: Session, household_id: int) -> None:
    lot = lots.lot_by_code(session, "B2")
    lots.add_spaces(session, lot, [PRIVATE], {PRIVATE: household_id})
    granting.grant_permit(
        session,
        lot="B2",
        kind="resident",
        plates=[Plate(OWNER_PLATE, "blue")],
        starts_at=NOON - 24 * HOUR,
        ends_at=NOON + 999 * HOUR,
        space=PRIVATE,
    )


def book(
    community: Community, plate: str, starts_at: datetime, ends_at: datetime, **more: Any
) -> dict[str, Any]:
    """Ana books, at eight in the morning."""
    with clock.at(NOON - 4 * HOUR):
        answer = community.client.post(
            "/api/v1/bookings",
            json={
                "lot": "B2",
                "plate": plate,
                "starts_at": starts_at.isoformat(),
                "ends_at": ends_at.isoformat(),
                **more,
            },
            headers={**community.as_person("ana"), "Idempotency-Key": uuid4().hex},
        )
    assert answer.status_code == 201, answer.get_json()
    made: dict[str, Any] = answer.get_json()
    return made


def sweep(at: datetime) -> None:
    """Everything that a tick of the watch does, at an instant."""
    with clock.at(at):
        for step in watch.AT_ONCE:
            atomic(step, at)
        for then, row_id in atomic(watch.due, at):
            atomic(then, row_id, at, ZONE)


def read(community: Community, path: str, name: str, at: datetime) -> Any:
    with clock.at(at):
        answer = community.client.get(path, headers=community.as_person(name))
    assert answer.status_code == 200, answer.get_json()
    return answer.get_json()


def told(community: Community, name: str, at: datetime) -> list[str]:
    return [notice["kind"] for notice in read(community, "/api/v1/notices", name, at)]


def shared(community: Community) -> dict[str, Any]:
    """A guest's booking on Bo's space, 11:00 to 15:00, when his own right begins again."""
    prefer = {"preferences": {"prefer": "private"}}
    made = book(community, GUEST_PLATE, NOON - HOUR, NOON + 3 * HOUR, **prefer)
    assert made["space"] == PRIVATE
    return made


def decision(community: Community, device: str, plate: str, at: datetime) -> dict[str, Any]:
    answer: dict[str, Any] = community.knock(device, plate, at)["decision"]
    return answer


def test_a_guest_comes_stays_the_booked_time_and_pays_the_quote(community: Community) -> None:
    made = shared(community)
    came = decision(community, "entry", GUEST_PLATE, NOON - HOUR - 10 * MINUTE)
    assert (came["action"], came["reason"], came["booking_id"], came["space"]) == (
        "open",
        "booking",
        made["id"],
        PRIVATE,
    )
    at = NOON + 3 * HOUR + 10 * MINUTE
    assert decision(community, "exit", GUEST_PLATE, at)["fee"]["total_fen"] == made["total_fen"]


def test_an_owner_is_replaced_before_coming_home_and_the_guest_pays_the_overstay(
    community: Community, session: Session
) -> None:
    made = shared(community)
    decision(community, "entry", GUEST_PLATE, NOON)
    sweep(NOON + 3 * HOUR - 5 * MINUTE)
    assert told(community, "bo", NOON + 3 * HOUR) == ["space-replaced"]
    home = decision(community, "entry", OWNER_PLATE, NOON + 3 * HOUR + 5 * MINUTE)
    assert (home["action"], home["reason"]) == ("open", "permit")
    assert home["space"] != PRIVATE
    sweep(NOON + 4 * HOUR)
    assert "overstay" in told(community, "ana", NOON + 4 * HOUR)
    leaving = decision(community, "exit", GUEST_PLATE, NOON + 4 * HOUR)
    assert leaving["reason"] == "payment-due"
    assert leaving["fee"]["total_fen"] > made["total_fen"]
    gone = decision(community, "exit", OWNER_PLATE, NOON + 5 * HOUR)
    assert (gone["action"], gone["reason"]) == ("open", "permit")
    assert_nothing_overlaps(session)


def test_the_owner_comes_back_to_the_own_space_when_the_guest_left_in_time(
    community: Community, session: Session
) -> None:
    shared(community)
    decision(community, "entry", GUEST_PLATE, NOON)
    sweep(NOON + 3 * HOUR - 5 * MINUTE)
    community.knock("exit", GUEST_PLATE, NOON + 3 * HOUR)
    pay(community, GUEST_PLATE, NOON + 3 * HOUR)
    assert decision(community, "exit", GUEST_PLATE, NOON + 3 * HOUR + MINUTE)["action"] == "open"
    sweep(NOON + 3 * HOUR + 2 * MINUTE)
    assert told(community, "bo", NOON + 4 * HOUR) == ["own-space-free", "space-replaced"]
    home = decision(community, "entry", OWNER_PLATE, NOON + 3 * HOUR + 5 * MINUTE)
    assert (home["action"], home["space"]) == ("open", PRIVATE)
    assert_nothing_overlaps(session)


def test_without_a_free_space_an_operator_hears_before_the_owner_comes(
    community: Community,
) -> None:
    shared(community)
    decision(community, "entry", GUEST_PLATE, NOON)
    for plate in ("川D44444", "川E55555"):
        decision(community, "entry", plate, NOON + HOUR)
    at = NOON + 3 * HOUR - 5 * MINUTE
    sweep(at)
    sweep(at + MINUTE)
    cases = read(community, "/api/v1/exceptions", "olga", at + MINUTE)
    assert [case["reason"] for case in cases].count("owner-without-space") == 1
    assert "space-replaced" not in told(community, "bo", at)


def test_the_next_guest_is_moved_when_the_first_does_not_leave(
    community: Community, session: Session
) -> None:
    first = book(community, GUEST_PLATE, NOON, NOON + HOUR)
    second = book(community, OTHER_PLATE, NOON + HOUR, NOON + 2 * HOUR)
    assert first["space"] == second["space"], "the tightest fit is behind the first"
    decision(community, "entry", GUEST_PLATE, NOON)
    sweep(NOON + 55 * MINUTE)
    assert "booking-moved" in told(community, "ana", NOON + HOUR)
    came = decision(community, "entry", OTHER_PLATE, NOON + HOUR)
    assert (came["action"], came["reason"], came["booking_id"]) == (
        "open",
        "booking",
        second["id"],
    )
    assert came["space"] != first["space"]
    assert_nothing_overlaps(session)


def test_who_does_not_come_pays_by_the_terms_and_the_space_is_free_again(
    community: Community, session: Session
) -> None:
    made = book(community, GUEST_PLATE, NOON, NOON + 3 * HOUR)
    sweep(NOON + 59 * MINUTE)
    assert read(community, f"/api/v1/bookings/{made['id']}", "ana", NOON)["status"] == "confirmed"
    sweep(NOON + HOUR)
    sweep(NOON + HOUR)
    at = NOON + HOUR
    assert read(community, f"/api/v1/bookings/{made['id']}", "ana", at)["status"] == "no_show"
    charges = read(community, "/api/v1/charges", "ana", at)
    assert [charge["amount_fen"] for charge in charges] == [made["total_fen"] // 2]
    assert told(community, "ana", at) == ["booking-no-show"]
    assert session.execute(text("SELECT count(*) FROM space_claim WHERE live")).scalar() == 0


def test_not_coming_to_a_private_space_is_its_owners_income(
    community: Community, session: Session
) -> None:
    shared(community)
    sweep(NOON)
    found = session.execute(text("SELECT owner_household_id FROM charge")).scalars().all()
    assert found == [community.households["bo"]]


def test_a_booking_is_of_the_plate_in_its_colour(community: Community) -> None:
    made = book(community, GUEST_PLATE, NOON, NOON + HOUR)
    lorry = community.knock("entry", GUEST_PLATE, NOON, color="yellow")["decision"]
    assert (lorry["reason"], lorry["booking_id"]) == ("walk-in", None)
    car = decision(community, "entry", GUEST_PLATE, NOON)
    assert (car["reason"], car["booking_id"]) == ("booking", made["id"])


def test_a_walk_in_keeps_its_space_past_the_usual_time(
    community: Community, session: Session
) -> None:
    decision(community, "entry", GUEST_PLATE, NOON)
    at = NOON
    while at < NOON + 30 * HOUR:
        at += HOUR / 2
        sweep(at)
    upper = session.execute(text("SELECT upper(during) FROM space_claim WHERE live")).scalar_one()
    assert upper > at


def pay(community: Community, plate: str, at: datetime) -> None:
    stay = community.stays(plate)[-1]
    with clock.at(at):
        answer = community.client.post(
            "/api/v1/payments",
            json={"stay_id": stay["id"], "method": "cash"},
            headers={**community.as_person("olga"), "Idempotency-Key": uuid4().hex},
        )
    assert answer.status_code == 201, answer.get_json()


def assert_nothing_overlaps(session: Session) -> None:
    overlapping = """
    SELECT count(*) FROM space_claim a JOIN space_claim b
      ON a.space_id = b.space_id AND a.id < b.id AND a.during && b.during
    """
    assert session.execute(text(overlapping)).scalar() == 0


def test_a_short_booking_released_late_holds_nothing_beyond_its_end(
    community: Community, session: Session
) -> None:
    for plate, begins in ((GUEST_PLATE, NOON), (OTHER_PLATE, NOON + HOUR / 2)):
        book(community, plate, begins, begins + HOUR / 2)
    decision(community, "entry", OTHER_PLATE, NOON + HOUR / 2)
    sweep(NOON + 45 * MINUTE)
    statuses = session.execute(text("SELECT status FROM booking ORDER BY id")).scalars().all()
    assert statuses == ["no_show", "checked_in"]
    assert_nothing_overlaps(session)
