"""Bookings made longer, made shorter and cancelled, and what each costs."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from parking import lots
from tests.cast import NOON, RULES, Community, found_community
from tests.sharing.booker import (
    DAY,
    DOUBLE,
    HOUR,
    LATER,
    MINUTE,
    VISITOR,
    book,
    booked,
    come,
    extend,
    refused,
    send,
    terms,
)


@pytest.fixture
def community(app: Flask) -> Community:
    """The cast and a garage of two spaces."""
    return found_community(app, spaces=2)


def test_a_longer_stay_keeps_its_space_and_its_price_rules(community: Community) -> None:
    made = booked(community)
    atomic(_another_price)
    terms(community, most_minutes=180)
    longer = send(
        community,
        "PATCH",
        f"/bookings/{made['id']}",
        "ana",
        NOON + HOUR,
        ends_at=(LATER + 4 * HOUR).isoformat(),
    )
    assert longer.status_code == 200, longer.get_json()
    assert (longer.get_json()["space"], longer.get_json()["total_fen"]) == ("B2-001", 900)
    booked(community, plate=VISITOR, starts_at=LATER + 3 * HOUR, ends_at=LATER + 4 * HOUR)
    third = book(
        community, "bo", plate="川B22222", starts_at=LATER + 3 * HOUR, ends_at=LATER + 4 * HOUR
    )
    assert refused(third) == (409, "no-space-free")


def _another_price(session: Session) -> None:
    lot = lots.lot_by_code(session, "B2")
    lots.add_tariff(session, lot, asdict(RULES) | {"unit_fen": 1000}, NOON + MINUTE)


def test_who_has_not_come_yet_may_be_moved_to_stay_longer(
    community: Community, session: Session
) -> None:
    made = booked(community)
    session.execute(text("UPDATE space SET in_service = false WHERE code = 'B2-002'"))
    session.commit()
    next_one = booked(
        community, plate=VISITOR, starts_at=LATER + 3 * HOUR, ends_at=LATER + 4 * HOUR
    )
    session.execute(text("UPDATE space SET in_service = true WHERE code = 'B2-002'"))
    session.commit()
    assert made["space"] == next_one["space"]
    moved = extend(community, made["id"], LATER + 4 * HOUR).get_json()
    assert (moved["space"], moved["total_fen"]) == ("B2-002", 900)
    assert session.scalar(text(DOUBLE)) == 0
    held = "SELECT space.code, upper(during) FROM space_claim c JOIN space ON space.id = c.space_id"
    claims = session.execute(text(held + " WHERE booking_id = :id"), {"id": made["id"]})
    assert claims.one() == ("B2-002", LATER + 4 * HOUR)


def test_who_is_inside_stays_on_the_same_space(community: Community, session: Session) -> None:
    made = booked(community)
    session.execute(text("UPDATE space SET in_service = false WHERE code = 'B2-002'"))
    session.commit()
    booked(community, plate=VISITOR, starts_at=LATER + 3 * HOUR, ends_at=LATER + 4 * HOUR)
    session.execute(text("UPDATE space SET in_service = true WHERE code = 'B2-002'"))
    session.commit()
    come(session, made["id"])
    now = LATER + HOUR
    taken = extend(community, made["id"], LATER + 4 * HOUR, now=now)
    assert refused(taken) == (409, "no-space-free")
    next_door = taken.get_json()["alternatives"][0]
    then = {name: next_door[name] for name in ("lot", "starts_at", "ends_at")}
    other = booked(community, now=now, **then)
    assert (other["space"], other["total_fen"]) == ("B2-002", next_door["total_fen"])
    assert datetime.fromisoformat(other["starts_at"]) == LATER + 3 * HOUR
    shorter = extend(community, made["id"], LATER + 2 * HOUR, now=now).get_json()
    assert (shorter["status"], shorter["total_fen"]) == ("checked_in", 500)
    again = extend(community, made["id"], LATER + 3 * HOUR, now=now).get_json()
    assert (again["space"], again["total_fen"]) == ("B2-001", 700)


def test_an_extension_meets_the_same_rules(community: Community) -> None:
    made = booked(community)
    booked(community, starts_at=LATER + 4 * HOUR, ends_at=LATER + 5 * HOUR)
    assert refused(extend(community, made["id"], LATER + 5 * HOUR)) == (409, "plate-elsewhere")
    assert refused(extend(community, made["id"], LATER + 8 * DAY)) == (422, "invalid")
    for bad in ("2026-11-23T09:00:00", "soon", "2099-01-01T00:00:00Z", 5, None):
        answer = send(community, "PATCH", f"/bookings/{made['id']}", "ana", NOON, ends_at=bad)
        assert refused(answer) == (422, "invalid")
    also = {"ends_at": (LATER + 4 * HOUR).isoformat(), "plate": VISITOR}
    assert refused(send(community, "PATCH", f"/bookings/{made['id']}", "ana", NOON, **also)) == (
        422,
        "invalid",
    )


def test_an_extension_counts_for_the_month(community: Community) -> None:
    terms(community, household_month_minutes=240, household_open=1)
    made = booked(community)
    assert refused(extend(community, made["id"], LATER + 241 * MINUTE)) == (
        409,
        "household-month-quota",
    )
    assert extend(community, made["id"], LATER + 240 * MINUTE).status_code == 200


def test_a_shorter_stay_gives_back_what_it_leaves(community: Community) -> None:
    made = booked(community)
    booked(community, plate=VISITOR)
    shorter = extend(community, made["id"], LATER + HOUR).get_json()
    assert shorter["total_fen"] == 300
    rest: dict[str, Any] = {"starts_at": LATER + HOUR, "ends_at": LATER + 3 * HOUR}
    assert booked(community, "bo", plate="川B22222", **rest)["space"] == made["space"]


def test_a_booking_cannot_end_before_now_or_be_too_short(community: Community) -> None:
    made = booked(community)
    assert refused(extend(community, made["id"], LATER + 29 * MINUTE)) == (422, "invalid")
    past = extend(community, made["id"], LATER + HOUR, now=LATER + 2 * HOUR)
    assert refused(past) == (422, "invalid")
    over = extend(community, made["id"], LATER + 4 * HOUR, now=LATER + 3 * HOUR)
    assert refused(over) == (409, "not-changeable")


# When it is cancelled, and what that costs of the 7 yuan the stay would have cost.
CANCELLED = {
    "half an hour before": (LATER - 30 * MINUTE, 0),
    "a minute later": (LATER - 29 * MINUTE, 350),
    "when it began": (LATER, 350),
    "when the place is not held any more": (LATER + HOUR, 350),
}


@pytest.mark.parametrize("when", CANCELLED)
def test_cancelling_costs_what_the_terms_say(
    community: Community, session: Session, when: str
) -> None:
    now, fee = CANCELLED[when]
    made = booked(community)
    path = f"/bookings/{made['id']}"
    told = send(community, "GET", path, "ana", now).get_json()["terms"]
    gone = send(community, "DELETE", path, "ana", now)
    assert gone.status_code == 200, gone.get_json()
    body = gone.get_json()
    assert (body["status"], body["fee_fen"], told["cancel_fee_fen"]) == ("cancelled", fee, fee)
    assert body["ended_at"] == now.isoformat()
    charged = session.execute(
        text("SELECT amount_fen, income, household_id FROM charge WHERE source = 'booking'")
    ).all()
    assert charged == ([(fee, "booking", community.households["ana"])] if fee else [])
    assert refused(send(community, "DELETE", path, "ana", now)) == (409, "not-cancellable")
    again = extend(community, made["id"], LATER + 5 * HOUR, now=now)
    assert refused(again) == (409, "not-changeable")
    if now < LATER + HOUR:
        then: dict[str, Any] = {"starts_at": LATER + HOUR, "ends_at": LATER + 2 * HOUR}
        assert booked(community, **then)["space"] == made["space"]


def test_the_terms_of_a_booking_stay_as_they_were(community: Community) -> None:
    terms(community, cancel_free_minutes=120, late_cancel_percent=30)
    made = booked(community)
    with clock.at(NOON + MINUTE):
        lenient = send(
            community,
            "POST",
            "/lots/B2/booking-terms",
            "fan",
            NOON + MINUTE,
            rules={"cancel_free_minutes": 0, "late_cancel_percent": 0},
        )
    assert lenient.get_json()["version"] == 2
    gone = send(community, "DELETE", f"/bookings/{made['id']}", "ana", NOON + 2 * MINUTE)
    assert gone.get_json()["fee_fen"] == 210
    assert made["terms"] | {"no_show_fee_fen": 350} == made["terms"]
    assert datetime.fromisoformat(made["terms"]["free_cancellation_until"]) == NOON
    assert datetime.fromisoformat(made["terms"]["hold_until"]) == LATER + HOUR


def test_who_is_inside_cannot_cancel(community: Community, session: Session) -> None:
    made = booked(community)
    come(session, made["id"])
    gone = send(community, "DELETE", f"/bookings/{made['id']}", "ana", NOON)
    assert refused(gone) == (409, "not-cancellable")


def told(community: Community) -> list[str]:
    """What Ana's household finds in its inbox."""
    seen = send(community, "GET", "/notices", "ana", NOON).get_json()
    return [notice["text"] for notice in seen]


def test_what_the_desk_does_to_a_booking_is_told(community: Community) -> None:
    made = booked(community)
    extend(community, made["id"], LATER + 4 * HOUR)
    assert told(community) == []
    extend(community, made["id"], LATER + 2 * HOUR, name="olga")
    send(community, "DELETE", f"/bookings/{made['id']}", "olga", LATER)
    cancelled, changed = told(community)
    what = "川A12345，B2 B2-001，11月23日 14:00 至 11月23日 16:00"
    assert changed == f"物业已将您的预约改为：{what}，费用 5.00 元。"
    assert cancelled == f"物业已取消您的预约：{what}，取消费 2.50 元。"


def test_the_same_end_changes_nothing(community: Community) -> None:
    made = booked(community)
    same = extend(community, made["id"], LATER + 3 * HOUR)
    assert (same.status_code, same.get_json()["total_fen"]) == (200, made["total_fen"])


def test_who_waits_gets_what_was_given_back(community: Community) -> None:
    booked(community, plate=VISITOR)
    last = booked(community)
    with clock.at(NOON):
        times = {"starts_at": LATER.isoformat(), "ends_at": (LATER + HOUR).isoformat()}
        waiting = community.client.post(
            "/api/v1/waitlist",
            json={"lot": "B2", "plate": "川B22222", **times},
            headers=community.as_person("bo") | {"Idempotency-Key": "wait"},
        )
    assert waiting.get_json()["status"] == "waiting"
    send(community, "DELETE", f"/bookings/{last['id']}", "ana", NOON)
    [served] = send(community, "GET", "/bookings", "bo", NOON).get_json()
    assert (served["status"], served["space"]) == ("confirmed", last["space"])


def test_shortening_late_does_not_lower_what_cancelling_costs(community: Community) -> None:
    made = booked(community, ends_at=LATER + 6 * HOUR)
    late = LATER - 10 * MINUTE
    with clock.at(late):
        shorter = community.client.patch(
            f"/api/v1/bookings/{made['id']}",
            json={"ends_at": (LATER + HOUR / 2).isoformat()},
            headers=community.as_person("ana"),
        )
        gone = community.client.delete(
            f"/api/v1/bookings/{made['id']}", headers=community.as_person("ana")
        )
    assert shorter.get_json()["total_fen"] < made["total_fen"]
    assert gone.get_json()["fee_fen"] == made["total_fen"] // 2
