"""More people around the cabinet of the hall, and how they speak over HTTP.

Amy lives with Ana (1-101) and has a phone of her own. Yun signs in as courier Y1 and Yan as Y2,
both of YTO; Sun as S1 of SF.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from couriers import couriers
from identity import people
from identity.models import COURIER, RESIDENT
from tests.cast import PASSWORD, Community
from tests.lockers import hall

AMY = "13600004444"
SEEN = "INSERT INTO courier (code) VALUES (:code) ON CONFLICT DO NOTHING"
COURIERS = {"yun": ("Y1", "yto"), "yan": ("Y2", "yto"), "sun": ("S1", "sf")}


def move_in(community: Community) -> None:
    """Build the cabinet and everybody around it."""
    hall.add_cabinet(community)
    atomic(_build)


def _build(session: Session) -> None:
    home = people.household_by_code(session, "1-101")
    people.create_person(session, "amy", PASSWORD, RESIDENT, phone=AMY, household=home)
    for name, (code, company) in COURIERS.items():
        people.create_person(session, name, PASSWORD, COURIER)
        session.execute(text(SEEN), {"code": code})
        [courier] = session.scalars(couriers.couriers(code=code))
        couriers.update(session, courier.id, {"username": name, "company": company})


def call(
    community: Community,
    who: str,
    method: str,
    path: str,
    at: datetime,
    *,
    status: int = 200,
    query: dict[str, Any] | None = None,
    **body: Any,
) -> Any:
    """A person does something over HTTP at an instant; the answer's JSON."""
    with clock.at(at):
        answer = community.client.open(
            f"/api/v1{path}",
            method=method,
            json=body if method in {"POST", "PUT", "PATCH"} else None,
            query_string=query,
            headers=community.as_person(who),
        )
    assert answer.status_code == status, (answer.status_code, answer.get_json())
    return answer.get_json() if answer.data else None


def get(
    community: Community, who: str, path: str, at: datetime, *, status: int = 200, **query: Any
) -> Any:
    """What a person reads."""
    return call(community, who, "GET", path, at, status=status, query=query)


def post(
    community: Community, who: str, path: str, at: datetime, *, status: int = 200, **body: Any
) -> Any:
    """What a person sends."""
    return call(community, who, "POST", path, at, status=status, **body)


def choose(community: Community, who: str, at: datetime, **choice: Any) -> Any:
    """A resident's choice; the locker is fine unless it says something else."""
    return call(community, who, "PUT", "/locker-preferences", at, **{"locker": "ok"} | choice)


def own(community: Community, who: str, waybill: str, at: datetime) -> Any:
    """The parcel of that waybill as a person sees it, with its events."""
    [parcel] = hall.parcels(community, who, at, tracking_number=waybill)
    return get(community, who, f"/parcels/{parcel['id']}", at)


def id_of(session: Session, waybill: str) -> int:
    """The id of the newest parcel of a waybill."""
    sql = "SELECT max(id) AS id FROM parcel WHERE tracking_number = :waybill"
    found: int = hall.ask(session, sql, waybill=waybill)[0]["id"]
    return found
