"""Pairs that meet at the worst instant: each finds what the other left, nobody loses a right."""

from collections import Counter
from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, driver
from sharing import bookings, claims
from sharing.allocation import Wish
from sharing.booking_facts import NewBooking
from tests.cast import NOON, Community, found_community
from tests.races.crowd import at_once
from tests.races.meeting import a_shared_space, asking, comes, meanwhile, permitting, reason
from tests.races.test_gate_races import knocking, rows
from tests.sharing.offering import ZONE, at, book, own, share, space_of

HOUR = timedelta(hours=1)
ANA, BO, CARD = "川A12345", "川B22222", "川D00001"
CROWD = 12

STRANDED = """
SELECT count(*) FROM booking b JOIN space s ON s.id = b.space_id
WHERE b.status IN ('confirmed', 'checked_in') AND (
    NOT coalesce(s.offered @> tstzrange(b.starts_at, b.ends_at), true)
    OR NOT EXISTS (SELECT FROM space_claim c WHERE c.booking_id = b.id AND c.live
                   AND c.space_id = b.space_id))
"""


def test_a_guest_comes_as_the_booking_is_being_moved(app: Flask, community: Community) -> None:
    withdrawing = a_shared_space(community)
    booking = book(community, "P-1", "11-23 12:05", "11-23 16:00")
    with clock.at(NOON):
        said = meanwhile(app, withdrawing, knocking(community, "entry", BO, NOON, "e"))
    assert reason(said) == "booking"
    assert said[1]["decision"]["booking_id"] == booking


def test_a_guest_cancels_as_the_booking_is_being_moved(app: Flask, community: Community) -> None:
    withdrawing = a_shared_space(community)
    booking = book(community, "P-1", "11-23 14:05", "11-23 16:00")
    with clock.at(NOON):
        cancelling = asking(community.as_person("bo"), "DELETE", f"bookings/{booking}")
        assert meanwhile(app, withdrawing, cancelling).status_code == 200


def test_a_booking_grows_into_the_time_of_a_permit_being_granted(
    app: Flask, community: Community, session: Session
) -> None:
    booking = book(community, "B2-001", "11-24 09:00", "11-24 12:00")
    ends_at = at("11-24 15:00").isoformat()
    with clock.at(NOON):
        extending = asking(
            community.as_person("bo"), "PATCH", f"bookings/{booking}", ends_at=ends_at
        )
        granting = permitting(CARD, since=at("11-24 12:00"), space="B2-001")
        assert meanwhile(app, granting, extending).status_code == 200
    assert space_of(booking) == "B2-002"
    assert rows(session, STRANDED) == [(0,)]


def test_a_booking_moves_while_the_next_best_space_is_being_reserved(
    app: Flask, community: Community, session: Session
) -> None:
    booking = book(community, "B2-005", "11-24 09:00", "11-24 17:00")

    def moving(_client: FlaskClient) -> str | None:
        with app.app_context():
            return atomic(
                lambda mine: claims.moved(driver(mine), booking, now=NOON, zone=ZONE, wish=Wish())
            )

    with clock.at(NOON):
        assert meanwhile(app, permitting(CARD, space="B2-001"), moving) == "B2-002"
    assert rows(session, STRANDED) == [(0,)]


def test_many_guests_make_way_at_once(app: Flask) -> None:
    """Each looks for the best other space, and that is the same for all."""
    community = found_community(app, spaces=CROWD)
    codes = [f"P-{n:02d}" for n in range(CROWD)]
    own(community, *codes)
    windows = [share(community, code)[1]["id"] for code in codes]
    for n, code in enumerate(codes):
        book(community, code, "11-24 09:00", "11-24 17:00", plate=f"川Z100{n:02d}")
    with clock.at(NOON):
        ana = community.as_person("ana")
        withdrawing = [
            asking(ana, "DELETE", f"spaces/{code}/sharing-windows/{window}")
            for code, window in zip(codes, windows, strict=True)
        ]
        answers = at_once(app, withdrawing)
    assert Counter(answer.status_code for answer in answers) == {204: CROWD}


def test_one_key_of_many_at_once_books_once(
    app: Flask, community: Community, session: Session
) -> None:
    span = {"starts_at": (NOON + HOUR).isoformat(), "ends_at": (NOON + 2 * HOUR).isoformat()}
    with clock.at(NOON):
        bo = community.as_person("bo") | {"Idempotency-Key": "same"}
        same = asking(bo, "POST", "bookings", lot="B2", plate=BO, **span)
        answers = at_once(app, [same] * 16)
    made = {answer.get_json()["id"] for answer in answers if answer.status_code == 201}
    refused = {answer.get_json()["code"] for answer in answers if answer.status_code != 201}
    assert len(made) == 1
    assert refused <= {"still-running"}
    assert rows(session, "SELECT id FROM booking") == [(made.pop(),)]


def test_two_cars_of_one_place_come_at_once(app: Flask, community: Community) -> None:
    atomic(permitting(CARD, "川D00002", places=1))
    with clock.at(NOON):
        second = knocking(community, "entry", "川D00002", NOON, "e")
        assert reason(meanwhile(app, comes("entry", CARD, NOON), second)) == "walk-in"


def test_two_floating_permits_do_not_mind_each_other(app: Flask, community: Community) -> None:
    atomic(permitting(CARD))
    atomic(permitting("川D00002"))
    for plate in (CARD, "川D00002"):
        assert community.knock("entry", plate, NOON)["decision"]["reason"] == "permit"


def test_the_last_space_beside_those_of_floating_permits_is_walked_into_once(
    app: Flask, community: Community
) -> None:
    atomic(permitting(CARD, places=4))
    with clock.at(NOON):
        second = knocking(community, "entry", BO, NOON, "e")
        assert reason(meanwhile(app, comes("entry", ANA, NOON), second)) == "lot-full"


def test_the_last_space_beside_those_of_floating_permits_is_booked_once(
    app: Flask, community: Community
) -> None:
    atomic(permitting(CARD, places=4))
    begins, ends = NOON + HOUR, NOON + 2 * HOUR
    new = NewBooking("B2", begins, ends, ANA, 1, community.households["ana"])
    with clock.at(NOON):
        bo = community.as_person("bo") | {"Idempotency-Key": "1"}
        span = {"starts_at": begins.isoformat(), "ends_at": ends.isoformat()}
        second = asking(bo, "POST", "bookings", lot="B2", plate=BO, **span)
        answer = meanwhile(
            app, lambda session: bookings.book(driver(session), new, NOON, ZONE), second
        )
    assert (answer.status_code, answer.get_json()["code"]) == (409, "no-space-free")


def test_a_walk_in_gets_a_space_that_is_being_booked_for_tomorrow(app: Flask) -> None:
    community = found_community(app, spaces=1)
    begins = NOON + 24 * HOUR
    new = NewBooking("B2", begins, begins + HOUR, ANA, 1, community.households["ana"])
    with clock.at(NOON):
        coming = knocking(community, "entry", BO, NOON, "e")
        said = meanwhile(
            app, lambda session: bookings.book(driver(session), new, NOON, ZONE), coming
        )
    assert reason(said) == "walk-in"
