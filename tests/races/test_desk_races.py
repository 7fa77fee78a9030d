"""The desk and residents at the same instant as somebody else, at two cabinets or twice at one."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.app import settings
from core.db import driver
from devices.events import Event
from devices.models import Device
from lockers import deposits
from tests.cast import NOON, Community
from tests.inspection import counter
from tests.lockers import hall
from tests.lockers.hall import ANA, HOUR, MINUTE
from tests.races.crowd import at_once
from tests.races.meeting import asking, meanwhile

TODAY = date(2026, 11, 23)
DAYS = {"starts_on": str(TODAY + timedelta(days=2)), "ends_on": str(TODAY + timedelta(days=9))}

AWAY = """
INSERT INTO locker_vacation (person_id, starts_on, ends_on, recorded_at)
SELECT id, '2026-11-27', '2026-11-28', :now FROM person WHERE username = 'ana'
"""
MEMBER = """
INSERT INTO locker_membership (household_id, starts_on, ends_on, recorded_at)
SELECT household_id, '2026-11-27', '2026-11-28', :now FROM person WHERE username = 'ana'
"""


def going_on_to(cabinet: str, waybill: str, at: Any) -> Callable[[Session], object]:
    """Its courier asks for a door at another cabinet, as the first of two."""
    event = Event(f"on-to-{cabinet}", "locker.delivery_requested", at, at, {}, b"{}")
    wish = deposits.Wish(waybill, ANA, "S", "Y1")
    digest = select(Device.token_digest).where(Device.code == cabinet)

    def ask(session: Session) -> object:
        known, zone = session.scalars(digest).one(), settings().zone
        return deposits.ask(driver(session), event, token_digest=known, wish=wish, zone=zone)

    return ask


def held(session: Session) -> list[tuple[str, int]]:
    """Doors that have a parcel, with their cabinets."""
    sql = """SELECT c.code, k.number FROM compartment k JOIN cabinet c ON c.id = k.cabinet_id
             WHERE k.parcel_id IS NOT NULL ORDER BY 1, 2"""
    return [(row["code"], row["number"]) for row in hall.ask(session, sql)]


def at_the_desk(community: Community, path: str, **body: Any) -> Callable[[FlaskClient], Any]:
    """Olga does something at the same time."""
    with clock.at(NOON + MINUTE):
        return asking(community.as_person("olga"), "POST", path, **body)


@pytest.mark.parametrize(
    ("what", "body", "state"),
    [
        ("state", {"state": "blocked"}, "blocked"),
        ("state", {"state": "free"}, "free"),
        ("correct", {"found": "other-parcel"}, "needs_check"),
    ],
)
def test_a_hold_that_moved_to_another_cabinet_is_left_alone(
    app: Flask, community: Community, session: Session, what: str, body: Any, state: str
) -> None:
    hall.add_cabinet(community)
    hall.add_cabinet(community, code="K2")
    number = hall.request(community, "YT1", NOON)["compartment"]
    path = f"cabinets/K1/compartments/{number}/{what}"
    desk = at_the_desk(community, path, **body, reason="锁舌卡住")
    with clock.at(NOON + MINUTE):
        answer: TestResponse = meanwhile(app, going_on_to("K2", "YT1", NOON + MINUTE), desk)
    assert (answer.status_code, answer.get_json()["state"]) == (200, state)
    assert hall.phase(session, "YT1") == "reserved"
    [(cabinet, other)] = held(session)
    assert cabinet == "K2"
    hall.say(
        community, "parcel_deposited", NOON + 2 * MINUTE, cabinet="K2", tracking_number="YT1",
        compartment=other,
    )  # fmt: skip
    assert hall.phase(session, "YT1") == "ready"


def test_what_is_found_here_is_not_booked_at_the_cabinet_its_waybill_went_on_to(
    app: Flask, community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    hall.add_cabinet(community, code="K2")
    hall.request(community, "YT1", NOON)
    found = {"found": "parcel", "tracking_number": "YT1", "reason": "巡检"}
    desk = at_the_desk(community, "cabinets/K1/compartments/15/correct", **found)
    with clock.at(NOON + MINUTE):
        answer: TestResponse = meanwhile(app, going_on_to("K2", "YT1", NOON + MINUTE), desk)
    assert answer.status_code == 200
    assert [cabinet for cabinet, _ in held(session)] == ["K1", "K2"]
    sql = "SELECT phase FROM parcel WHERE tracking_number = 'YT1' ORDER BY id"
    assert [row["phase"] for row in hall.ask(session, sql)] == ["reserved", "exception"]


def test_two_who_undo_a_wrong_click_undo_it_once(
    app: Flask, community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    hall.deposit(community, "YT1", NOON)
    path = f"parcels/{counter.parcel_id(session, 'YT1')}"
    counter.ask(community, f"POST {path}/except", NOON + MINUTE, reason="damaged")
    session.rollback()
    with clock.at(NOON + HOUR):
        olga = community.as_person("olga")
        calls = [asking(olga, "POST", f"{path}/restore", reason="误操作") for _ in range(6)]
        answers = at_once(app, calls)
    assert sorted(answer.status_code for answer in answers) == [200] + [409] * 5
    codes = "SELECT count(*) AS codes FROM pickup_code WHERE ended_at IS NULL"
    assert hall.ask(session, codes) == [{"codes": 1}]


@pytest.mark.parametrize(
    ("who", "path", "more", "problem"),
    [
        ("ana", "locker-vacations", {}, "vacation-overlap"),
        ("olga", "locker-memberships", {"household": "1-101"}, "membership-overlap"),
    ],
)
def test_the_same_days_said_many_times_at_once_are_said_once(
    app: Flask, community: Community, who: str, path: str, more: Any, problem: str
) -> None:
    with clock.at(NOON):
        headers = community.as_person(who)
        answers = at_once(app, [asking(headers, "POST", path, **DAYS, **more) for _ in range(6)])
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5
    codes = {a.get_json()["code"] for a in answers if a.status_code == 409}
    assert codes == {problem}


@pytest.mark.parametrize(
    ("who", "path", "more", "sql", "problem"),
    [
        ("ana", "locker-vacations", {}, AWAY, "vacation-overlap"),
        ("olga", "locker-memberships", {"household": "1-101"}, MEMBER, "membership-overlap"),
    ],
)
def test_days_that_the_database_alone_knows_to_overlap_are_refused_by_name(
    app: Flask, community: Community, who: str, path: str, more: Any, sql: str, problem: str
) -> None:
    """As if somebody had forgotten to wait for the other: the constraint holds, and the second
    look says why.
    """
    with clock.at(NOON):
        post = asking(community.as_person(who), "POST", path, **DAYS, **more)
        answer: TestResponse = meanwhile(
            app, lambda session: session.execute(text(sql), {"now": NOON}), post
        )
    assert (answer.status_code, answer.get_json()["code"]) == (409, problem)
