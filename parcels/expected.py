"""Parcels that their recipients announce, with the answer to what every courier asks."""

from datetime import datetime
from typing import Any

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import Connection, Statement, driver, fetch_row, send
from core.errors import Problem
from lockers import record
from lockers.lifecycle import ENDED, Phase, Step
from lockers.record import Said

# One announcement of a resident at a time.
WHOSE = """
SELECT household_id, phone FROM person WHERE id = %(person)s FOR NO KEY UPDATE
"""

# A hold that ran out left the parcel expected at its cabinet.
ITS_CABINETS = """
SELECT c.id FROM cabinet c WHERE c.id IN (
    SELECT p.cabinet_id FROM parcel p WHERE p.recipient_id = %(person)s
    AND p.tracking_number = %(tracking)s AND p.phase = 'expected')
ORDER BY c.id FOR NO KEY UPDATE OF c
"""

OPEN = """
SELECT id, phase, cabinet_id, wanted FROM parcel
WHERE recipient_id = %(person)s AND tracking_number = %(tracking)s AND phase <> ALL (%(ended)s)
ORDER BY id DESC FOR NO KEY UPDATE
"""

ANNOUNCE = """
INSERT INTO parcel (tracking_number, recipient_phone, recipient_id, household_id, wanted, phase,
    recorded_at)
VALUES (%(tracking)s, %(phone)s, %(person)s, %(household)s, %(wanted)s, 'expected', %(now)s)
RETURNING id
"""

# Any cabinet may get it now.
ANSWER = "UPDATE parcel SET wanted = %(wanted)s, cabinet_id = NULL WHERE id = %(parcel)s"


def announce(
    session: Session, person_id: int, tracking_number: str, *, locker: bool, now: datetime
) -> tuple[int, bool]:
    """A resident expects a parcel and says whether a locker is fine for it, whatever it holds.

    Said again, the newest answer counts; the same answer changes nothing. Returns the parcel's
    id and whether it is new. Problem 409 `phone-unknown` for one whom no courier could name,
    `already-here` when the parcel has come.
    """
    connection = driver(session)
    values = {"person": person_id, "tracking": tracking_number, "wanted": locker, "now": now}
    with connection.cursor(row_factory=dict_row) as cursor:
        who = cursor.execute(WHOSE, values).fetchone()
        cursor.execute(ITS_CABINETS, values)
        known = cursor.execute(OPEN, values | {"ended": sorted(ENDED)}).fetchall()
    if who is None or who["phone"] is None:
        detail = "Parcels come by mobile number, and yours is not known: ask the desk to add it."
        raise Problem(409, "phone-unknown", detail)
    if any(row["phase"] != Phase.EXPECTED for row in known):
        raise Problem(409, "already-here", "This parcel has come already.")
    said = Said(f"person:{person_id}", now, now)
    if known:
        _answered(connection, known[0], values, said)
        return known[0]["id"], False
    new = values | {"phone": who["phone"], "household": who["household_id"]}
    parcel_id = _announced(connection, new)
    announced = record.happened(parcel_id, Step.ANNOUNCED, said)
    send(connection, [announced, _consented(parcel_id, locker, said)])
    return parcel_id, True


def _announced(connection: Connection, values: dict[str, Any]) -> int:
    row = fetch_row(connection, (ANNOUNCE, values))
    assert row is not None  # noqa: S101 - an INSERT returns its row
    return int(row["id"])


def _answered(connection: Connection, row: DictRow, values: dict[str, Any], said: Said) -> None:
    statements: list[Statement] = [(ANSWER, values | {"parcel": row["id"]})]
    if row["wanted"] is not values["wanted"]:
        statements.append(_consented(row["id"], values["wanted"], said))
    send(connection, statements)


def _consented(parcel_id: int, locker: bool, said: Said) -> Statement:
    type_ = "consent.given" if locker else "consent.withdrawn"
    return record.happened(parcel_id, type_, said, basis="this-parcel")
