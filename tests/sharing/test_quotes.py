"""A price asked for in advance, line by line, and how long and for whom it is good."""

from dataclasses import asdict, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic
from parking import lots
from parking.plates import Plate
from parking.rights import register_vehicle
from tariffs.rule_parsing import parse_rules
from tariffs.rules import ClassPrice, NewEnergy
from tests.cast import NOON, RULES, Community

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
LATER = NOON + 2 * HOUR
GREEN = "川AD12345"


def ask(community: Community, name: str = "ana", **changes: Any) -> TestResponse:
    """Ask for the price of B2 for three hours, two hours after noon."""
    body = {"lot": "B2", "starts_at": LATER.isoformat(), "ends_at": (LATER + 3 * HOUR).isoformat()}
    with clock.at(NOON):
        return community.client.post(
            "/api/v1/quotes", json=body | changes, headers=community.as_person(name)
        )


def book(
    community: Community, quote_id: int | None, name: str = "ana", **changes: Any
) -> TestResponse:
    """Book what `ask` asked for, at the price quoted; a minute later unless told otherwise."""
    now = changes.pop("now", NOON + MINUTE)
    body = {
        "lot": "B2",
        "starts_at": LATER.isoformat(),
        "ends_at": (LATER + 3 * HOUR).isoformat(),
        "plate": "川A12345",
        "quote_id": quote_id,
    }
    community.sent += 1
    with clock.at(now):
        key = {"Idempotency-Key": f"book-{community.sent}"}
        return community.client.post(
            "/api/v1/bookings", json=body | changes, headers=community.as_person(name) | key
        )


def tariff(community: Community, rules: Any, since: Any) -> None:
    """The next tariff of B2, from an instant on."""
    atomic(
        lambda session: lots.add_tariff(
            session, lots.lot_by_code(session, "B2"), asdict(rules), since
        )
    )


def test_a_quote_says_line_by_line_what_a_stay_will_cost(community: Community) -> None:
    quote = ask(community).get_json()
    # 3 hours: the first hour 3 yuan, then four half hours of 1 yuan.
    assert quote["total_fen"] == 300 + 4 * 100
    first, units = quote["lines"]
    assert (first["units"], first["unit_fen"], first["amount_fen"]) == (1, 300, 300)
    assert (units["units"], units["unit_fen"], units["amount_fen"]) == (4, 100, 400)
    assert (first["from"], units["to"]) == (
        "2026-11-23T14:00:00+08:00",
        "2026-11-23T17:00:00+08:00",
    )
    assert units["label"] == "每30分钟"
    assert "v1/" in units["rule"]
    assert quote["expires_at"] == (NOON + 15 * MINUTE).isoformat()


def test_a_quote_uses_the_tariff_that_will_be_in_force(community: Community) -> None:
    tariff(community, replace(RULES, first_fen=500), NOON + DAY)
    tomorrow = NOON + DAY + HOUR
    then = {"starts_at": tomorrow.isoformat(), "ends_at": (tomorrow + HOUR).isoformat()}
    assert ask(community, **then).get_json()["total_fen"] == 500
    assert ask(community).get_json()["total_fen"] == 700


def test_a_plate_brings_its_class_and_its_rebate(community: Community, session: Session) -> None:
    rules = parse_rules(asdict(RULES) | {"classes": [asdict(ClassPrice("large", 200))]})
    tariff(community, replace(rules, new_energy=NewEnergy(free_minutes=60)), NOON)
    atomic(register_vehicle, community.households["ana"], Plate("川A77777", "yellow"))
    session.execute(
        text("UPDATE vehicle SET vehicle_class = 'large' WHERE plate = '川A12345'"),
    )
    session.commit()
    priced = {
        plate: ask(community, **({"plate": plate} if plate else {})).get_json()["total_fen"]
        for plate in (None, "川B22222", "川A12345", "川A77777", GREEN)
    }
    assert priced == {
        None: 700,
        "川B22222": 700,
        "川A12345": 1400,
        "川A77777": 1400,
        GREEN: 400,
    }


def test_what_was_quoted_is_what_the_booking_costs(community: Community) -> None:
    quote = ask(community).get_json()
    tariff(community, replace(RULES, first_fen=999), NOON + HOUR)
    booked = book(community, quote["quote_id"]).get_json()
    assert (booked["total_fen"], booked["quote_id"]) == (700, quote["quote_id"])
    other = {"plate": "川C33333"}
    assert book(community, None, **other).get_json()["total_fen"] == 999 + 400


def test_a_quote_stands_for_a_quarter_of_an_hour(community: Community) -> None:
    quote = ask(community).get_json()["quote_id"]
    lapsed = book(community, quote, now=NOON + 15 * MINUTE)
    assert (lapsed.status_code, lapsed.get_json()["code"]) == (409, "quote-expired")
    assert book(community, quote, now=NOON + 15 * MINUTE - MINUTE / 60).status_code == 201


@pytest.mark.parametrize("name", ["bo", "olga"])
def test_a_quote_is_for_who_asked(community: Community, name: str) -> None:
    quote = ask(community).get_json()["quote_id"]
    foreign = book(community, quote, name, plate="川B22222")
    nothing = book(community, 2**62, name, plate="川B22222")
    for answer in (foreign, nothing):
        assert (answer.status_code, answer.get_json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(
    "changes",
    [
        {"ends_at": (LATER + 4 * HOUR).isoformat()},
        {"starts_at": (LATER + HOUR).isoformat()},
        {"lot": "B3"},
    ],
)
def test_a_quote_is_for_what_was_asked(community: Community, changes: dict[str, str]) -> None:
    def another_lot(session: Session) -> None:
        lot = lots.add_lot(session, code="B3", name="车库", kind="car", takes_walk_ins=True)
        lots.add_spaces(session, lot, ["B3-001"])
        lots.add_tariff(session, lot, asdict(RULES), NOON - DAY)

    atomic(another_lot)
    answer = book(community, ask(community).get_json()["quote_id"], **changes)
    assert (answer.status_code, answer.get_json()["code"]) == (409, "quote-mismatch")


def test_a_quote_without_a_plate_is_for_a_car_that_pays_as_much(community: Community) -> None:
    alike = ask(community).get_json()["quote_id"]
    assert book(community, alike, plate=GREEN).get_json()["total_fen"] == 700
    tariff(community, replace(RULES, new_energy=NewEnergy(free_minutes=60)), NOON + HOUR)
    dearer = ask(community).get_json()["quote_id"]
    refused = book(community, dearer, plate="川AD54321")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "quote-mismatch")
    fitting = ask(community, plate="川AD54321").get_json()
    booked = book(community, fitting["quote_id"], plate="川AD54321").get_json()
    assert booked["total_fen"] == fitting["total_fen"] == 400


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such lot": ({"lot": "B9"}, 404, "not-found"),
    "before there were prices": ({"lot": "B4"}, 409, "no-tariff"),
    "SQL for a lot": ({"lot": "B2' OR '1'='1"}, 422, "invalid"),
    "no plate at all": ({"plate": "'; DROP TABLE quote; --"}, 422, "invalid"),
    "a bicycle in the garage": ({"plate": "川123456"}, 422, "invalid"),
    "ends before it starts": ({"ends_at": NOON.isoformat()}, 422, "invalid"),
    "no time at all": ({"ends_at": LATER.isoformat()}, 422, "invalid"),
    "in the past": ({"starts_at": (NOON - HOUR).isoformat()}, 422, "invalid"),
    "a century ahead": (
        {"starts_at": "2099-12-31T10:00:00Z", "ends_at": "2099-12-31T12:00:00Z"},
        422,
        "invalid",
    ),
    "a century long": ({"ends_at": "2099-12-31T12:00:00Z"}, 422, "invalid"),
    "without an offset": ({"starts_at": "2026-11-23T14:00:00"}, 422, "invalid"),
    "too short": ({"ends_at": (LATER + 29 * MINUTE).isoformat()}, 422, "invalid"),
    "more than was asked for": ({"total_fen": 1}, 422, "invalid"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_priced_is_refused_with_a_reason(community: Community, name: str) -> None:
    changes, status, code = WRONG[name]
    atomic(lots.add_lot, code="B4", name="无价", kind="car", takes_walk_ins=True)
    answer = ask(community, **changes)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)
    assert answer.mimetype == "application/problem+json"


def test_any_offset_names_the_same_instant(community: Community) -> None:
    here = ask(community).get_json()
    there = ask(
        community, starts_at="2026-11-23T01:00:00-05:00", ends_at="2026-11-23T18:00:00+09:00"
    ).get_json()
    assert there["lines"] == here["lines"]


def test_only_residents_and_the_desk_are_quoted(community: Community) -> None:
    asked = {
        name: ask(community, name).status_code for name in ("ana", "olga", "ada", "fan", "ava")
    }
    assert asked == {"ana": 200, "olga": 200, "ada": 200, "fan": 403, "ava": 403}
