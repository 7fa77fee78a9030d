"""A cabinet beside the garage of the cast, for tests that tell stories.

Cabinet K1 has three columns of five doors, from the ground up: L, M, M, S, S (numbers 1 to 15,
rows 1 and 2 are low). Ana (13800001111) likes the locker, Bo (13900002222) never chose. Yun
(courier Y1) deposits for YTO, who prepaid 100 yuan and pays 30, 40, 50 fen for S, M, L; Sun
(courier S1) for SF. Terms are the usual ones: 18 hours free, then 0.50 for 12 hours, 3.00 at most.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import atomic
from core.sealing import unseal
from devices import registry
from identity.models import Person
from lockers import cabinets
from parcels.models import LockerPreference
from tests.cast import NOON, Community, split
from workers import tasks

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ANA, BO, STRANGER = "13800001111", "13900002222", "13700003333"
SIZES = "LMMSS"
LONG_AGO = NOON - timedelta(days=400)

FORGOTTEN = (
    "delivery",
    "notice",
    "exception_case",
    "pickup_code",
    "parcel_event",
    "compartment_event",
    "parcel",
    "charge",
    "receivable",
    "company_owed",
    "device_event",
)

ASKED: dict[str, Any] = {
    "tracking_number": "YT1",
    "recipient_phone": ANA,
    "size": "S",
    "courier": "Y1",
}
"""What a courier says who wants to leave a parcel."""

COURIERS = """
WITH parties AS (
    INSERT INTO party (code, kind, name) VALUES ('company:yto', 'company', '圆通'),
        ('company:sf', 'company', '顺丰')
), companies AS (
    INSERT INTO courier_company (code, name, party, credit_fen)
    VALUES ('yto', '圆通', 'company:yto', 0), ('sf', '顺丰', 'company:sf', 100000)
    RETURNING id, code
), couriers AS (
    INSERT INTO courier (code, name, company_id)
    SELECT upper(left(code, 1)) || '1', code, id FROM companies
)
INSERT INTO deposit_rate (size, fee_fen, valid_from, recorded_at)
VALUES ('S', 30, '2025-01-01', :at), ('M', 40, '2025-01-01', :at), ('L', 50, '2025-01-01', :at)
"""

PREPAY = """
INSERT INTO top_up (company, method, amount_fen, received_by, occurred_at, recorded_at)
SELECT 'company:yto', 'cash', :fen, id, :at, :at FROM person WHERE username = 'olga'
"""


def add_cabinet(community: Community, *, code: str = "K1", columns: int = 3) -> None:
    """Build the cabinet, and once the couriers and what the residents chose."""
    atomic(_build, community, code, columns)


def _build(session: Session, community: Community, code: str, columns: int) -> None:
    issued = registry.register(session, code=code, serial=f"serial-{code}", kind="cabinet")
    community.tokens[code] = issued.token
    doors = [
        {"number": column * len(SIZES) + row, "size": size, "row": row}
        for column in range(columns)
        for row, size in enumerate(SIZES, start=1)
    ]
    cabinets.add_cabinet(session, issued.device, code=code, name=f"{code}号柜", compartments=doors)
    if code == "K1":
        _furnish(session)


def _furnish(session: Session) -> None:
    ana = session.query(Person).filter_by(username="ana").one()
    bo = session.query(Person).filter_by(username="bo").one()
    ana.phone, bo.phone = ANA, BO
    session.add(LockerPreference(person_id=ana.id, locker="ok", recorded_at=LONG_AGO))
    session.execute(text(COURIERS), {"at": LONG_AGO})
    session.execute(text(PREPAY), {"at": LONG_AGO, "fen": 10_000})
    for income in ("locker", "locker-deposit", "site-rent", "locker-commission"):
        split(session, income)


def say(
    community: Community,
    type_: str,
    at: datetime,
    *,
    cabinet: str = "K1",
    event_id: str | None = None,
    now: datetime | None = None,
    status: int = 200,
    **data: Any,
) -> dict[str, Any]:
    """A cabinet says something that happened at `at`, heard by us at `now` (at once)."""
    community.sent += 1
    body = {
        "event_id": event_id or f"{cabinet}-{community.sent}",
        "type": type_ if "." in type_ else f"locker.{type_}",
        "occurred_at": at.isoformat(),
        "data": data,
    }
    with clock.at(now or at):
        answer = community.client.post(
            "/api/v1/device-events", json=body, headers=community.as_device(cabinet)
        )
    assert answer.status_code == status, answer.get_json()
    told: dict[str, Any] = answer.get_json()
    return told


def request(
    community: Community, waybill: str, at: datetime, *, phone: str = ANA, **said: Any
) -> dict[str, Any]:
    """A courier asks for a compartment; the decision."""
    data: dict[str, Any] = {
        "tracking_number": waybill,
        "recipient_phone": phone,
        "size": "S",
        "courier": "Y1",
    }
    decision: dict[str, Any] = say(community, "delivery_requested", at, **data | said)["decision"]
    return decision


def deposit(
    community: Community, waybill: str, at: datetime, *, phone: str = ANA, **said: Any
) -> int:
    """A courier asks, the door opens, the parcel is in a minute later; the compartment."""
    decision = request(community, waybill, at, phone=phone, **said)
    assert decision["action"] == "open", decision
    number: int = decision["compartment"]
    where: dict[str, Any] = {"cabinet": said["cabinet"]} if "cabinet" in said else {}
    put: dict[str, Any] = {"tracking_number": waybill, "compartment": number}
    say(community, "parcel_deposited", at + MINUTE, **where, **put)
    return number


def pick_up(
    community: Community, code: str, at: datetime, *, phone: str = ANA, **said: Any
) -> dict[str, Any]:
    """Somebody enters a phone tail and a code; the decision."""
    data = {"phone_tail": phone[-4:], "code": code}
    decision: dict[str, Any] = say(community, "pickup_requested", at, **data | said)["decision"]
    return decision


def collect(community: Community, waybill: str, at: datetime, **said: Any) -> None:
    """The cabinet says that a parcel was taken out."""
    say(community, "parcel_collected", at, tracking_number=waybill, **said)


def parcels(community: Community, name: str, at: datetime, **query: Any) -> list[dict[str, Any]]:
    """The parcels that a person sees."""
    with clock.at(at):
        answer = community.client.get(
            "/api/v1/parcels", query_string=query, headers=community.as_person(name)
        )
    assert answer.status_code == 200, answer.get_json()
    found: list[dict[str, Any]] = answer.get_json()
    return found


def code_of(community: Community, name: str, waybill: str, at: datetime) -> str:
    """The pickup code that the recipient reads."""
    [parcel] = [p for p in parcels(community, name, at) if p["tracking_number"] == waybill]
    code: str = parcel["pickup_code"]
    return code


def sweep(at: datetime) -> int:
    """What the workers do for lockers at that time, as often as there is something to do."""
    done = 0
    with clock.at(at):
        while some := tasks.look_after_lockers():
            done += some
    return done


def code(session: Session, waybill: str, kind: str = "recipient") -> str:
    """The code that opens the door now, out of its seal."""
    sql = """SELECT sealed FROM pickup_code c JOIN parcel p ON p.id = c.parcel_id
             WHERE p.tracking_number = :waybill AND c.kind = :kind AND c.ended_at IS NULL"""
    [row] = ask(session, sql, waybill=waybill, kind=kind)
    return unseal(settings().secret_key, bytes(row["sealed"]))


def prefer(session: Session, name: str, locker: str | None, **chosen: Any) -> None:
    """A resident chooses."""
    person = session.query(Person).filter_by(username=name).one()
    session.add(LockerPreference(person_id=person.id, locker=locker, recorded_at=NOON, **chosen))
    session.commit()


def ask(session: Session, sql: str, **values: Any) -> list[Mapping[str, Any]]:
    """What plain SQL answers."""
    session.rollback()
    return [dict(row) for row in session.execute(text(sql), values).mappings()]


def doors(session: Session, cabinet: str = "K1") -> dict[int, str]:
    """The state of every door that is not free."""
    sql = """SELECT number, state FROM compartment k JOIN cabinet c ON c.id = k.cabinet_id
             WHERE c.code = :cabinet AND state <> 'free'"""
    return {row["number"]: row["state"] for row in ask(session, sql, cabinet=cabinet)}


def phase(session: Session, waybill: str) -> str:
    """The phase of the newest parcel of a waybill."""
    sql = "SELECT phase FROM parcel WHERE tracking_number = :waybill ORDER BY id DESC LIMIT 1"
    found: str = ask(session, sql, waybill=waybill)[0]["phase"]
    return found


def cases(session: Session) -> list[str]:
    """The open exceptions, oldest first."""
    sql = "SELECT reason FROM exception_case WHERE resolved_at IS NULL ORDER BY id"
    return [row["reason"] for row in ask(session, sql)]


def wipe(session: Session) -> None:
    """Forget every parcel and message, as only the database's owner can, and only in tests."""
    url = session.get_bind().engine.url.set(username="postgres")
    plain = url.render_as_string(hide_password=False).replace("+psycopg", "")
    with psycopg.connect(plain, autocommit=True) as owner:
        owner.execute("SET session_replication_role = replica")
        owner.execute("UPDATE compartment SET state = 'free', parcel_id = NULL, hold_until = NULL")
        for table in FORGOTTEN:
            owner.execute(f"DELETE FROM {table}")
