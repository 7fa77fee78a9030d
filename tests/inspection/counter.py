"""The counter of whoever works here, for tests that tell stories: asking over HTTP as somebody."""

from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from tests.cast import Community
from tests.lockers import hall


def send(
    community: Community, ask: str, at: datetime, *, who: str = "olga", **body: Any
) -> TestResponse:
    """`ask` is a method and a path below /api/v1, as "POST parcels/1/waive"; the whole answer."""
    method, path = ask.split(" ")
    with clock.at(at):
        return community.client.open(
            f"/api/v1/{path}",
            method=method,
            json=body if method in {"POST", "PATCH"} else None,
            headers=community.as_person(who),
        )


def ask(
    community: Community,
    what: str,
    at: datetime,
    *,
    who: str = "olga",
    status: int = 200,
    **body: Any,
) -> Any:
    """Like `send`; the JSON of the answer, which has this status."""
    answer = send(community, what, at, who=who, **body)
    assert answer.status_code == status, answer.get_json()
    return answer.get_json()


def door(community: Community, number: int, at: datetime) -> dict[str, Any]:
    """One door of K1 as operators see it."""
    found = ask(community, "GET cabinets/K1/compartments", at)
    [door] = [door for door in found if door["number"] == number]
    assert isinstance(door, dict)
    return door


def correct(
    community: Community, number: int, at: datetime, found: str, waybill: str | None = None
) -> dict[str, Any]:
    """Somebody looked behind a door of K1; the door after that."""
    where = f"POST cabinets/K1/compartments/{number}/correct"
    said: dict[str, Any] = {"found": found, "reason": "周巡检", "tracking_number": waybill}
    after = ask(community, where, at, **said)
    assert isinstance(after, dict)
    return after


def parcel_id(session: Session, waybill: str) -> int:
    """The newest parcel of a waybill."""
    sql = "SELECT id FROM parcel WHERE tracking_number = :waybill ORDER BY id DESC LIMIT 1"
    found: int = hall.ask(session, sql, waybill=waybill)[0]["id"]
    return found


def reason(session: Session, waybill: str) -> str | None:
    """Why the newest parcel of a waybill is an exception."""
    sql = "SELECT reason FROM parcel WHERE tracking_number = :waybill ORDER BY id DESC LIMIT 1"
    found: str | None = hall.ask(session, sql, waybill=waybill)[0]["reason"]
    return found


def happened(session: Session, waybill: str) -> list[str]:
    """What happened to the parcels of a waybill, in order."""
    sql = """SELECT e.type FROM parcel_event e JOIN parcel p ON p.id = e.parcel_id
             WHERE p.tracking_number = :waybill ORDER BY e.parcel_id, e.seq"""
    return [row["type"] for row in hall.ask(session, sql, waybill=waybill)]


def at_door(session: Session, number: int) -> list[str]:
    """What happened to a door of K1, in order."""
    sql = """SELECT e.type FROM compartment_event e JOIN compartment k ON k.id = e.compartment_id
             JOIN cabinet c ON c.id = k.cabinet_id
             WHERE c.code = 'K1' AND k.number = :number ORDER BY e.id"""
    return [row["type"] for row in hall.ask(session, sql, number=number)]


def opened_by_hand(community: Community, parcel: int, at: datetime) -> dict[str, Any]:
    """Staff ask for a code; what they are told."""
    told = ask(community, f"POST parcels/{parcel}/open-code", at, status=201, reason="收件人打不开")
    assert isinstance(told, dict)
    return told


def charged(session: Session, source: str = "parcel") -> list[tuple[str, int]]:
    """What was charged and credited for parcels, in order."""
    sql = "SELECT kind, amount_fen FROM charge WHERE source = :source ORDER BY id"
    rows = hall.ask(session, sql, source=source)
    return [(row["kind"], row["amount_fen"]) for row in rows]
