"""The dock: which spot is given to whom, and why not."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from parking import lots
from tests.cast import NOON, Community, found_community
from tests.ebikes.rack import CARD, STRANGER, add_rack, book, cases, connect, release
from tests.races.crowd import at_once

HOURS, MINUTES, SECONDS = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
MUCH_LATER = NOON + 12 * HOURS


@pytest.fixture
def rack(community: Community) -> Community:
    """The cast with a rack beside the garage."""
    add_rack(community)
    return community


def test_a_spot_is_given_once(rack: Community) -> None:
    assert connect(rack, "EB-001", NOON)["action"] == "open"
    refused = connect(rack, "EB-001", NOON + MINUTES, tag=STRANGER)
    assert (refused["action"], refused["reason"]) == ("hold", "spot-taken")
    assert refused["display"] == ["EB-001已被占用 请换一个车位"]


def test_unknown_spots_and_those_of_the_garage_are_none(rack: Community) -> None:
    assert connect(rack, "EB-777", NOON)["reason"] == "no-such-spot"
    assert connect(rack, "B2-001", NOON)["reason"] == "no-such-spot"
    assert release(rack, "EB-777", NOON)["reason"] == "no-such-spot"


def test_a_spot_out_of_service_is_not_given(rack: Community, session: Session) -> None:
    session.execute(text("UPDATE space SET in_service = false WHERE code = 'EB-001'"))
    session.commit()
    assert connect(rack, "EB-001", NOON)["reason"] == "out-of-service"


def test_a_full_group_takes_no_more_though_a_spot_is_free(rack: Community) -> None:
    assert connect(rack, "EB-001", NOON)["action"] == "open"
    assert connect(rack, "EB-002", NOON, tag=STRANGER)["action"] == "open"
    refused = connect(rack, "EB-003", NOON, tag="77777777")
    assert (refused["action"], refused["reason"]) == ("hold", "group-full")
    assert release(rack, "EB-002", NOON + MINUTES, tag=STRANGER)["action"] == "open"
    assert connect(rack, "EB-003", NOON + MINUTES, tag="77777777")["action"] == "open"


def test_a_booking_counts_in_the_group_before_it_begins(rack: Community, session: Session) -> None:
    book(session, rack, "EB-001", NOON + 3 * HOURS, NOON + 5 * HOURS)
    connect(rack, "EB-002", NOON, tag=STRANGER)
    came = connect(rack, "EB-003", NOON, tag="77777777")
    assert came["action"] == "open"
    bound = (
        "SELECT upper(during) FROM space_claim c JOIN space s ON s.id = space_id WHERE s.code = "
    )
    session.commit()
    assert session.execute(text(bound + "'EB-003'")).scalar_one() == NOON + 3 * HOURS


def test_a_walk_in_does_not_take_a_spot_that_is_booked_soon(
    rack: Community, session: Session
) -> None:
    book(session, rack, "EB-021", NOON + 30 * MINUTES, NOON + 5 * HOURS)
    assert connect(rack, "EB-021", NOON, tag=STRANGER)["reason"] == "spot-booked"


def test_who_booked_and_comes_hours_early_is_told(rack: Community, session: Session) -> None:
    book(session, rack, "EB-021", NOON + 2 * HOURS, NOON + 5 * HOURS)
    told = connect(rack, "EB-021", NOON)
    assert (told["reason"], told["space"]) == ("too-early", "EB-021")


def test_a_charging_spot_where_cars_stand_is_never_given(rack: Community, session: Session) -> None:
    session.execute(text("UPDATE space SET compartment = 'rack' WHERE code = 'B2-001'"))
    session.commit()
    refused = connect(rack, "EB-011", NOON)
    assert (refused["action"], refused["reason"]) == ("hold", "fire-compartment")
    assert cases(session) == ["fire-compartment"]
    assert connect(rack, "EB-001", NOON)["action"] == "open"


def test_electricity_without_a_price_is_not_sold(rack: Community, session: Session) -> None:
    rules = dict(session.scalars(text("SELECT rules FROM tariff ORDER BY id DESC LIMIT 1")).one())
    session.commit()
    rules["energy"] = None
    atomic(lambda s: lots.add_tariff(s, lots.lot_by_code(s, "EB"), rules, NOON - HOURS))
    assert connect(rack, "EB-011", NOON)["reason"] == "no-tariff"


def test_a_blocked_ebike_and_one_that_stands_elsewhere_are_held(
    rack: Community, session: Session
) -> None:
    session.execute(text("INSERT INTO blocked_plate (plate, reason) VALUES (:p, 'x')"), {"p": CARD})
    session.commit()
    assert connect(rack, "EB-001", NOON)["reason"] == "blocked"
    connect(rack, "EB-002", NOON, tag=STRANGER)
    told = connect(rack, "EB-021", NOON + MINUTES, tag=STRANGER)
    assert (told["reason"], told["space"]) == ("already-inside", "EB-002")


def test_an_ebike_leaves_from_its_own_spot_only(rack: Community, session: Session) -> None:
    connect(rack, "EB-001", NOON)
    told = release(rack, "EB-002", NOON + MINUTES)
    assert (told["action"], told["reason"], told["space"]) == ("hold", "wrong-spot", "EB-001")
    stranger = release(rack, "EB-001", NOON + MINUTES, tag=STRANGER)
    assert (stranger["action"], stranger["reason"]) == ("hold", "unknown-stay")
    assert cases(session) == ["unknown-stay"]


def test_where_only_bookings_count_nobody_walks_in(rack: Community, session: Session) -> None:
    session.execute(text("UPDATE lot SET takes_walk_ins = false WHERE code = 'EB'"))
    session.commit()
    assert connect(rack, "EB-021", NOON, tag=STRANGER)["reason"] == "no-right"
    book(session, rack, "EB-021", NOON, NOON + HOURS)
    assert connect(rack, "EB-021", NOON)["reason"] == "booking"


def test_sixteen_riders_want_three_spots_of_a_group_for_two(app: Flask, session: Session) -> None:
    rack = found_community(app)
    add_rack(rack)

    def comes(number: int) -> Callable[[FlaskClient], str]:
        body = {
            "event_id": f"e{number}",
            "type": "dock.connected",
            "occurred_at": clock.now().isoformat(),
            "data": {"spot": f"EB-00{number % 3 + 1}", "tag": f"CARD{number:04d}"},
        }

        def call(client: FlaskClient) -> str:
            answer = client.post("/api/v1/device-events", json=body, headers=rack.as_device("dock"))
            assert answer.status_code == 200, answer.get_json()
            return str(answer.get_json()["decision"]["reason"])

        return call

    told = at_once(app, [comes(number) for number in range(16)])
    assert told.count("walk-in") == 2
    assert set(told) <= {"walk-in", "spot-taken", "group-full"}
    held = session.scalar(text("SELECT count(*) FROM space_claim WHERE live"))
    assert held == 2
