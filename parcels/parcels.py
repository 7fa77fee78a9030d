"""Parcels as people see them: residents theirs, couriers theirs, the desk all of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import Connection, driver, fetch_row
from core.errors import Problem, not_found
from identity.models import ADMIN, COURIER, OPERATOR, RESIDENT
from lockers import custody
from lockers.clocks import CLOCK, TERMS_OF
from lockers.custody import Premises
from parcels import view

# What a resident shares today is what the newest choice says; who has left shares nothing.
SHARING = """
SELECT m.id FROM person m
WHERE m.household_id = %(household)s AND m.active AND (
    SELECT newest.share_with_household FROM locker_preference newest
    WHERE newest.person_id = m.id ORDER BY newest.id DESC LIMIT 1)
"""

SEEN_BY = {
    RESIDENT: f"""(p.recipient_id = %(person)s
        OR p.household_id = %(household)s AND p.recipient_id IN ({SHARING}))""",
    COURIER: "p.courier_id = (SELECT id FROM courier WHERE person_id = %(person)s AND active)",
    OPERATOR: "true",
    ADMIN: "true",
}

MATCHING = """
    AND (%(status)s::text IS NULL OR p.phase = %(status)s)
    AND (%(tracking)s::text IS NULL OR p.tracking_number = %(tracking)s)
"""

# The code leaves the database only for those who may read it.
SHOWN = f"""
SELECT p.id, p.tracking_number, p.phase, p.reason, p.size, p.delicate, p.wanted, p.consent,
    p.reserved_at, p.deposited_at, p.free_until, p.ended_at, p.recorded_at,
    p.recipient_id, p.recipient_phone, recipient.name AS recipient,
    cab.code AS cabinet, cab.name AS cabinet_name, cab.address,
    k.number AS compartment, k.size AS compartment_size,
    courier.code AS courier, company.code AS company, company.name AS company_name,
    r.charged_fen, r.paid_fen, fee.id AS charge_id,
    (SELECT jsonb_agg(line ORDER BY c.id, place)
     FROM charge c, jsonb_array_elements(c.lines) WITH ORDINALITY AS own (line, place)
     WHERE c.source = 'parcel' AND c.source_id = p.id) AS charged_lines,
    CASE WHEN %(reads_codes)s THEN code.sealed END AS sealed,
    CASE WHEN %(reads_codes)s THEN code.locked_until END AS locked_until,
    {CLOCK}
FROM ({{which}}) p
LEFT JOIN person recipient ON recipient.id = p.recipient_id
LEFT JOIN cabinet cab ON cab.id = p.cabinet_id
LEFT JOIN compartment k ON k.id = p.compartment_id
LEFT JOIN courier ON courier.id = p.courier_id
LEFT JOIN courier_company company ON company.id = courier.company_id
LEFT JOIN receivable r ON r.source = 'parcel' AND r.source_id = p.id
LEFT JOIN charge fee ON fee.source = 'parcel' AND fee.source_id = p.id AND fee.kind = 'fee'
LEFT JOIN pickup_code code ON code.parcel_id = p.id AND code.kind = 'recipient'
    AND code.ended_at IS NULL
{TERMS_OF}
ORDER BY p.id DESC
"""  # noqa: S608 - the pieces put together are constants of ours

EVENTS = """
SELECT seq, type, actor, occurred_at, recorded_at, data FROM parcel_event
WHERE parcel_id = %(id)s ORDER BY seq
"""

DELEGATES = """
SELECT id, name, phone_tail, sealed, created_at, expires_at, locked_until, ended_at, ended_reason
FROM pickup_code WHERE parcel_id = %(id)s AND kind = 'delegate' ORDER BY id DESC
"""


# What the newest complaint was answered.
COMPLAINT = """
SELECT resolved_at, resolution FROM exception_case
WHERE subject = 'parcel' AND subject_id = %(id)s AND reason = 'complaint'
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """Who asks about parcels."""

    person_id: int
    role: str
    household_id: int | None

    def values(self) -> dict[str, Any]:
        """As the statements name them."""
        return {
            "person": self.person_id,
            "household": self.household_id,
            "reads_codes": self.role == RESIDENT,
        }


def parcels(
    session: Session, reader: Reader, wanted: Mapping[str, Any], now: datetime, ours: Premises
) -> tuple[int, Sequence[dict[str, Any]]]:
    """How many parcels match that the reader may see, and one page of them, newest first.

    `wanted` has status, tracking (None matches all), limit and offset.
    """
    seen = f"FROM parcel p WHERE {SEEN_BY[reader.role]} {MATCHING}"
    page = f"SELECT p.* {seen} ORDER BY p.id DESC LIMIT %(limit)s OFFSET %(offset)s"
    values = reader.values() | dict(wanted)
    rows = _rows(driver(session), SHOWN.format(which=page), values)
    count = fetch_row(driver(session), (f"SELECT count(*) AS count {seen}", values))
    shown = [view.parcel(row, reader.person_id, reader.role, now, ours) for row in rows]
    return (count or {"count": 0})["count"], shown


def parcel(
    session: Session, reader: Reader, parcel_id: int, now: datetime, ours: Premises
) -> dict[str, Any]:
    """One parcel with what happened to it; the recipient also sees whom they gave codes.

    Problem 404 if there is none, or the reader may not see it.
    """
    connection, values = driver(session), reader.values() | {"id": parcel_id}
    row = fetch_row(connection, (SHOWN.format(which=_one(reader)), values))
    if row is None:
        raise not_found("parcel")
    events = _rows(connection, EVENTS, values)
    mine = row["recipient_id"] == reader.person_id
    given = _rows(connection, DELEGATES, values) if mine else []
    case = fetch_row(connection, (COMPLAINT, values))
    return view.parcel(row, reader.person_id, reader.role, now, ours) | {
        "events": view.events(events, reader.role),
        "delegates": [view.delegate(code, now, ours) for code in given],
        "complaints": [] if reader.role == COURIER else view.complaints(events, case),
    }


def own(
    connection: Connection, parcel_id: int, reader: Reader, *, desk_may: bool = False
) -> DictRow:
    """The reader's parcel as `custody.in_hand` gives it; the desk's is any where it may.

    Problem 404, 403 for whom the recipient only shares with.
    """
    row = custody.in_hand(connection, parcel_id)
    if row["recipient_id"] == reader.person_id or (desk_may and reader.role != RESIDENT):
        return row
    if fetch_row(connection, (_one(reader), reader.values() | {"id": parcel_id})):
        raise Problem(403, "not-the-recipient", "Only the recipient may do this.")
    raise not_found("parcel")


def _one(reader: Reader) -> str:
    return f"SELECT p.* FROM parcel p WHERE p.id = %(id)s AND {SEEN_BY[reader.role]}"  # noqa: S608


def _rows(connection: Connection, sql: str, values: Mapping[str, Any]) -> list[DictRow]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, values).fetchall()
