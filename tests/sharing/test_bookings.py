"""Booking over HTTP: what residents and the desk get, and what they are told instead."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.db import atomic
from parking import lots, rights
from parking.plates import Plate
from tests.cast import NOON, RULES, Community, found_community
from tests.sharing.booker import (
    DAY,
    HOUR,
    LATER,
    MINUTE,
    VISITOR,
    book,
    booked,
    refused,
    send,
    terms,
    wanted,
)


@pytest.fixture
def community(app: Flask) -> Community:
    """The cast and a garage of two spaces."""
    return found_community(app, spaces=2)


def test_a_resident_books_for_their_car(community: Community) -> None:
    made = booked(community)
    assert made | {"id": 1} == made | {
        "id": 1,
        "status": "confirmed",
        "lot": "B2",
        "space": "B2-001",
        "plate": "川A12345",
        "plate_color": "blue",
        "total_fen": 700,
        "household_id": community.households["ana"],
        "preferences": {},
    }
    assert datetime.fromisoformat(made["starts_at"]) == LATER
    assert datetime.fromisoformat(made["ends_at"]) == LATER + 3 * HOUR
    shown = send(community, "GET", f"/bookings/{made['id']}", "ana", NOON).get_json()
    assert shown | {"lines": []} == made | {"lines": []}
    assert sum(line["amount_fen"] for line in shown["lines"]) == 700


def test_a_resident_books_for_a_visitor_but_not_for_a_neighbour(community: Community) -> None:
    assert booked(community, plate="川c·33333")["plate"] == VISITOR
    assert refused(book(community, plate="川B22222")) == (409, "plate-of-others")
    assert refused(book(community, plate="川B22222", plate_color="yellow")) == (
        409,
        "plate-of-others",
    )


def test_the_desk_books_for_anybody(community: Community) -> None:
    ana = community.households["ana"]
    for_ana = booked(community, "olga", household_id=ana)
    for_nobody = booked(community, "olga", plate=VISITOR)
    assert (for_ana["household_id"], for_nobody["household_id"]) == (ana, None)
    seen = send(community, "GET", "/bookings", "ana", NOON).get_json()
    assert [one["id"] for one in seen] == [for_ana["id"]]
    assert refused(book(community, "olga", plate="川E55555", household_id=10**15)) == (
        422,
        "invalid",
    )
    own = book(community, "ana", plate="川E55555", household_id=community.households["bo"])
    assert refused(own) == (422, "invalid")


def test_a_repeat_books_nothing_more(community: Community) -> None:
    first, again = book(community, key="once"), book(community, key="once")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert again.headers["Idempotency-Replayed"] == "true"
    assert refused(book(community, key="once", plate=VISITOR)) == (422, "idempotency-key-reused")
    assert len(send(community, "GET", "/bookings", "ana", NOON).get_json()) == 1


def test_without_a_key_nothing_is_booked(community: Community) -> None:
    answer = send(community, "POST", "/bookings", "ana", NOON, **wanted())
    assert refused(answer) == (400, "idempotency-key-required")


def test_a_full_lot_says_what_is_free_instead(community: Community) -> None:
    booked(community)
    booked(community, plate=VISITOR)
    full = book(community, "bo", plate="川B22222")
    assert refused(full) == (409, "no-space-free")
    other = full.get_json()["alternatives"][0]
    then = {name: other[name] for name in ("lot", "starts_at", "ends_at")}
    found = booked(community, "bo", plate="川B22222", **then)
    assert found["total_fen"] == other["total_fen"]


def test_neighbouring_times_share_a_space(community: Community) -> None:
    one = booked(community)
    two = booked(community, starts_at=LATER + 3 * HOUR, ends_at=LATER + 5 * HOUR)
    assert one["space"] == two["space"]


def test_one_plate_is_not_in_two_places(community: Community) -> None:
    booked(community)
    overlapping: dict[str, Any] = {"starts_at": LATER + 2 * HOUR, "ends_at": LATER + 4 * HOUR}
    assert refused(book(community, **overlapping)) == (409, "plate-elsewhere")
    assert refused(book(community, **overlapping, plate_color="green")) == (409, "plate-elsewhere")


def test_a_blocked_plate_gets_no_space(community: Community) -> None:
    atomic(rights.block, Plate(VISITOR, "blue"), "逃费")
    assert refused(book(community, plate=VISITOR)) == (409, "blocked")


def test_needs_are_met_or_refused(community: Community, session: Session) -> None:
    session.execute(text("UPDATE space SET charging = true WHERE code = 'B2-002'"))
    session.commit()
    charging = booked(community, preferences={"charging": True})
    assert (charging["space"], charging["preferences"]) == ("B2-002", {"charging": True})
    more = book(community, plate=VISITOR, preferences={"charging": True})
    assert refused(more) == (409, "no-space-free")
    assert booked(community, plate=VISITOR)["space"] == "B2-001"


def test_only_what_is_offered_is_given(community: Community, session: Session) -> None:
    offered = "UPDATE space SET offered = tstzmultirange(tstzrange(:since, :until))"
    session.execute(text(offered), {"since": LATER, "until": LATER + 3 * HOUR})
    session.commit()
    booked(community)
    beyond: dict[str, Any] = {"starts_at": LATER + HOUR, "ends_at": LATER + 3 * HOUR + MINUTE}
    assert refused(book(community, plate=VISITOR, **beyond)) == (409, "no-space-free")


def test_an_e_bike_is_booked_by_its_plate_or_card(community: Community) -> None:
    def rack(session: Session) -> None:
        lot = lots.add_lot(session, code="EB", name="车棚", kind="ebike", takes_walk_ins=True)
        lots.add_spaces(session, lot, ["EB-001", "EB-002"])
        lots.add_tariff(session, lot, asdict(RULES), NOON - DAY)

    atomic(rack)
    spots = [
        booked(community, lot="EB", plate=plate)["space"] for plate in ("川123456", "5D:C0:91:7A")
    ]
    assert spots == ["EB-001", "EB-002"]
    for no_e_bike in ("?!", "川A12345"):
        assert refused(book(community, lot="EB", plate=no_e_bike)) == (422, "invalid")


def test_households_have_quotas(community: Community) -> None:
    terms(community, household_open=2, household_month_minutes=300)
    booked(community)
    over = book(community, plate=VISITOR, ends_at=LATER + 121 * MINUTE)
    assert refused(over) == (409, "household-month-quota")
    booked(community, plate=VISITOR, ends_at=LATER + 120 * MINUTE)
    third = book(community, plate="川D44444", starts_at=LATER + 4 * HOUR, ends_at=LATER + 5 * HOUR)
    assert refused(third) == (409, "household-open-quota")
    by_the_desk = book(
        community, "olga", plate="川D44444", household_id=community.households["ana"]
    )
    assert refused(by_the_desk) == (409, "household-open-quota")
    assert book(community, "bo", starts_at=LATER + 4 * HOUR, ends_at=LATER + 5 * HOUR,
                plate="川B22222").status_code == 201  # fmt: skip


def test_a_month_quota_counts_each_month_by_itself(community: Community) -> None:
    terms(community, household_month_minutes=120)
    midnight = datetime.fromisoformat("2026-12-01T00:00:00+08:00")
    booked(community, starts_at=midnight - 2 * HOUR, ends_at=midnight + HOUR)
    before: dict[str, Any] = {"starts_at": midnight - 4 * HOUR, "ends_at": midnight - 3 * HOUR}
    assert refused(book(community, **before)) == (409, "household-month-quota")
    booked(community, starts_at=midnight + 4 * HOUR, ends_at=midnight + 5 * HOUR)
    after: dict[str, Any] = {"starts_at": midnight + 6 * HOUR, "ends_at": midnight + 7 * HOUR}
    assert refused(book(community, **after)) == (409, "household-month-quota")


def test_what_was_cancelled_counts_for_no_quota(community: Community) -> None:
    terms(community, household_open=1, household_month_minutes=180)
    made = booked(community)
    assert send(community, "DELETE", f"/bookings/{made['id']}", "ana", NOON).status_code == 200
    booked(community)


@pytest.mark.parametrize(
    ("method", "body"), [("GET", {}), ("PATCH", {"ends_at": 1}), ("DELETE", {})]
)
def test_a_neighbours_booking_does_not_exist(
    community: Community, method: str, body: dict[str, Any]
) -> None:
    made = booked(community)
    body = {"ends_at": (LATER + 4 * HOUR).isoformat()} if body else {}
    for number in (made["id"], 10**15, 2**63):
        answer = send(community, method, f"/bookings/{number}", "bo", NOON, **body)
        assert refused(answer) == (404, "not-found")
    assert (
        send(community, method, f"/bookings/{made['id']}", "olga", NOON, **body).status_code == 200
    )


def test_bookings_can_be_searched(community: Community) -> None:
    first = booked(community)["id"]
    second = booked(community, "bo", plate="川B22222")["id"]
    third = booked(community, starts_at=NOON + DAY, ends_at=NOON + DAY + HOUR)["id"]
    send(community, "DELETE", f"/bookings/{first}", "ana", NOON)

    def found(name: str = "olga", **query: Any) -> list[int]:
        with clock.at(NOON):
            answer = community.client.get(
                "/api/v1/bookings", query_string=query, headers=community.as_person(name)
            )
        assert answer.status_code == 200, answer.get_json()
        return [one["id"] for one in answer.get_json()]

    assert found() == found("ava") == [third, second, first]
    assert found("ana") == [third, first]
    assert found("bo") == [second]
    assert found(status="cancelled") == [first]
    assert found(plate="川b22222") == [second]
    assert found(lot="B9") == []
    assert found(**{"from": (NOON + DAY).isoformat()}) == [third]
    assert found(to=(NOON + DAY).isoformat()) == [second, first]
    assert found(page=2, page_size=2) == [first]
    for bad in ({"status": "gone"}, {"from": "yesterday"}, {"plat": "x"}, {"page": 10**18}):
        with clock.at(NOON):
            answer = community.client.get(
                "/api/v1/bookings", query_string=bad, headers=community.as_person("ana")
            )
        assert refused(answer)[0] == 422


WRONG: dict[str, tuple[dict[str, Any], int, str]] = {
    "no such lot": ({"lot": "B9"}, 404, "not-found"),
    "SQL for a lot": ({"lot": "B2'; DROP TABLE booking; --"}, 422, "invalid"),
    "SQL for a plate": ({"plate": "川A' OR '1'='1"}, 422, "invalid"),
    "an e-bike in the garage": ({"plate": "川123456"}, 422, "invalid"),
    "no plate": ({"plate": ""}, 422, "invalid"),
    "a NUL": ({"plate": "川A1234\x00"}, 422, "invalid"),
    "ends before it starts": ({"ends_at": LATER - HOUR}, 422, "invalid"),
    "ends as it starts": ({"ends_at": LATER}, 422, "invalid"),
    "began already": ({"starts_at": NOON - 3 * MINUTE}, 422, "invalid"),
    "a century ahead": ({"starts_at": "2099-12-31T10:00:00Z", "ends_at": "2099-12-31T12:00:00Z"},
                        422, "invalid"),
    "beyond every calendar": ({"ends_at": "9999-12-31T23:59:00Z"}, 422, "invalid"),
    "a century long": ({"ends_at": "2099-12-31T12:00:00Z"}, 422, "invalid"),
    "naive": ({"starts_at": "2026-11-23T14:00:00"}, 422, "invalid"),
    "too short": ({"ends_at": LATER + 29 * MINUTE}, 422, "invalid"),
    "too long": ({"ends_at": LATER + 8 * DAY}, 422, "invalid"),
    "a huge quote": ({"quote_id": 2**70}, 422, "invalid"),
    "no such quote": ({"quote_id": 2**62}, 404, "not-found"),
    "a price of one's own": ({"total_fen": 1}, 422, "invalid"),
    "another wish": ({"preferences": {"charging": "yes"}}, 422, "invalid"),
    "an unknown wish": ({"preferences": {"window": True}}, 422, "invalid"),
    "no wishes": ({"preferences": None}, 422, "invalid"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_booked_is_refused_with_a_reason(
    community: Community, session: Session, name: str
) -> None:
    changes, status, code = WRONG[name]
    assert refused(book(community, **changes)) == (status, code)
    assert session.scalar(text("SELECT count(*) FROM booking")) == 0


def test_what_began_a_moment_ago_may_be_booked_to_the_microsecond(community: Community) -> None:
    odd = timedelta(seconds=59, microseconds=7)
    made = booked(community, starts_at=NOON + odd, now=NOON + 2 * MINUTE)
    assert datetime.fromisoformat(made["starts_at"]) == NOON + odd


def test_steps_are_the_wall_clocks(community: Community) -> None:
    terms(community, step_minutes=15)
    assert refused(book(community, starts_at=LATER + 10 * MINUTE)) == (422, "invalid")
    booked(community, starts_at="2026-11-23T11:45:00+05:30", ends_at=LATER + 3 * HOUR)


def test_terms_have_versions(community: Community) -> None:
    def add(name: str, **body: Any) -> TestResponse:
        return send(community, "POST", "/lots/B2/booking-terms", name, NOON, **body)

    assert add("ana", rules={}).status_code == add("olga", rules={}).status_code == 403
    bad = add("fan", rules={"least_minutes": 0, "colour": "red"})
    assert refused(bad) == (422, "invalid")
    assert set(bad.get_json()["errors"]) == {"rules.least_minutes", "rules.colour"}
    assert refused(add("fan", rules={}, valid_from=(NOON - MINUTE).isoformat())) == (422, "invalid")
    assert add("fan", rules={"most_minutes": 60}).get_json()["version"] == 1
    assert refused(add("fan", rules={}, valid_from=NOON.isoformat())) == (422, "invalid")
    assert add("ada", rules={}, valid_from=(NOON + DAY).isoformat()).get_json()["version"] == 2
    seen = send(community, "GET", "/lots/B2/booking-terms", "ana", NOON).get_json()
    assert [one["version"] for one in seen] == [2, 1]
    assert refused(book(community)) == (422, "invalid")
    assert book(community, now=NOON + DAY, starts_at=NOON + DAY, ends_at=NOON + DAY + 3 * HOUR)
    assert refused(send(community, "GET", "/lots/B9/booking-terms", "ana", NOON)) == (
        404,
        "not-found",
    )
