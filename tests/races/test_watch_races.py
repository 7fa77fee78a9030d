"""Time meets people: a sweep and a vehicle, or two sweeps, at the same instant."""

from datetime import timedelta

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, driver
from sharing import watch
from sharing.owner_return import end_replacement, replace_owner, replacements_due
from tests.cast import NOON, Community, found_community
from tests.races.meeting import a_shared_space, comes, meanwhile, permitting, reason
from tests.races.test_gate_races import knocking, rows
from tests.sharing.offering import ZONE, at, book

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
ANA, BO = "川A12345", "川B22222"


def test_who_stays_on_is_told_once_by_two_sweeps(
    app: Flask, community: Community, session: Session
) -> None:
    book(community, "B2-001", "11-23 12:05", "11-23 13:00")
    assert community.knock("entry", BO, NOON)["decision"]["reason"] == "booking"
    late = NOON + 2 * HOUR

    def telling(_client: FlaskClient) -> int:
        with app.app_context():
            return atomic(watch.tell_overstayers, late)

    assert meanwhile(app, lambda mine: watch.tell_overstayers(mine, late), telling) == 0
    assert rows(session, "SELECT count(*) FROM notice WHERE kind = 'overstay'") == [(1,)]


def test_a_guest_comes_as_the_booking_is_given_up(
    app: Flask, community: Community, session: Session
) -> None:
    """The sweep is first: there is a no-show, and a walk-in on another right."""
    booking = book(community, "B2-001", "11-23 12:05", "11-23 15:00")
    late = at("11-23 13:06")
    with clock.at(late):
        coming = knocking(community, "entry", BO, late, "e")
        said = meanwhile(app, lambda mine: watch.release_no_show(mine, booking, late, ZONE), coming)
    assert reason(said) == "walk-in"
    assert rows(
        session, "SELECT b.status, s.id FROM booking b LEFT JOIN stay s ON s.booking_id = b.id"
    ) == [("no_show", None)]


def test_a_booking_is_given_up_as_its_guest_comes(
    app: Flask, community: Community, session: Session
) -> None:
    """The gate is first: nothing is given up, nothing charged."""
    booking = book(community, "B2-001", "11-23 12:05", "11-23 15:00")
    late = at("11-23 13:06")

    def sweeping(_client: FlaskClient) -> None:
        with app.app_context():
            atomic(watch.release_no_show, booking, late, ZONE)

    with clock.at(late):
        meanwhile(app, comes("entry", BO, late), sweeping)
    assert rows(session, "SELECT status FROM booking") == [("checked_in",)]
    assert rows(session, "SELECT count(*) FROM charge") == [(0,)]


def test_an_owner_comes_home_as_a_guest_s_time_runs_out(app: Flask, community: Community) -> None:
    """Nobody came, nobody has swept, and the camera's word arrives when the time is over."""
    a_shared_space(community)
    atomic(permitting(ANA, space="P-1"))
    book(community, "P-1", "11-23 12:30", "11-23 13:00")
    came = at("11-23 13:00") - 2 * SECOND
    said = community.knock("entry", ANA, came, now=came + 4 * SECOND)
    assert said["decision"]["reason"] == "permit"


def test_an_owner_comes_home_as_another_space_is_being_held(
    app: Flask, community: Community, session: Session
) -> None:
    """The gate is first and finds the owner a space; the other is given back by the next sweep."""
    a_shared_space(community)
    atomic(permitting(ANA, space="P-1"))
    book(community, "P-1", "11-23 12:05", "11-23 18:00")
    community.knock("entry", BO, NOON)
    late = at("11-23 18:01")
    [(stay,)] = rows(session, "SELECT id FROM stay")

    def replacing(_client: FlaskClient) -> None:
        with app.app_context():
            atomic(replace_owner, stay, late, ZONE)

    with clock.at(late):
        meanwhile(app, comes("entry", ANA, late), replacing)
    for booking in atomic(replacements_due, late):
        atomic(end_replacement, booking, late, ZONE)
    live = "SELECT count(*) FROM booking WHERE kind = 'replacement' AND status = 'confirmed'"
    assert rows(session, live) == [(0,)]
    assert rows(session, "SELECT count(*) FROM space_claim WHERE live") == [(2,)]


def test_a_late_word_of_who_stays_on_where_another_is_due(app: Flask, session: Session) -> None:
    """It is booked as history; the space is the guest's who comes next."""
    community = found_community(app, spaces=1)
    community.knock("entry", ANA, at("11-23 11:50"))
    atomic(
        lambda mine: driver(mine).execute(
            "UPDATE space_claim SET during = tstzrange(lower(during), %(until)s)",
            {"until": at("11-23 13:00")},
        )
    )
    book(community, "B2-001", "11-23 13:00", "11-23 17:00")
    again = at("11-23 13:20")
    told = community.knock("entry", ANA, again, now=again + 10 * MINUTE)
    assert told["decision"]["reason"] == "replayed"
    assert ("exit-missing",) in rows(session, "SELECT reason FROM exception_case")
    [(standing,)] = rows(session, "SELECT count(*) FROM stay WHERE status = 'open'")
    assert standing == 1
