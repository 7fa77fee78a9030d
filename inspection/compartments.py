"""The doors of one cabinet as operators see them: what the record says is behind each."""

from datetime import datetime
from typing import Any

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import Connection, driver, fetch_row
from core.errors import not_found
from identity.channels import masked_phone

CABINET = "SELECT id FROM cabinet WHERE code = %(code)s FOR NO KEY UPDATE"

# Whatever parcel holds the door or lies behind it.
DOORS = """
SELECT k.number, k.size, k."row", k.state, k.reason, k.sensor, k.sensor_at, k.hold_until,
    p.id AS parcel_id, p.tracking_number, p.phase, p.reason AS parcel_reason,
    p.recipient_phone, p.reserved_at, p.deposited_at, p.free_until, p.recorded_at
FROM cabinet cab
LEFT JOIN compartment k ON k.cabinet_id = cab.id
LEFT JOIN parcel p ON p.id = k.parcel_id
WHERE cab.code = %(code)s AND (%(number)s::int IS NULL OR k.number = %(number)s)
ORDER BY k.number
"""


def cabinet_in_hand(connection: Connection, code: str) -> int:
    """Lock a cabinet, so that nobody else changes its doors or parcels; its id. Problem 404."""
    cabinet = fetch_row(connection, (CABINET, {"code": code}))
    if cabinet is None:
        raise not_found("cabinet")
    return int(cabinet["id"])


def doors(session: Session, code: str, number: int | None = None) -> list[DictRow]:
    """The doors of a cabinet, or one, with their parcels; Problem 404."""
    with driver(session).cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(DOORS, {"code": code, "number": number}).fetchall()
    if not rows:
        raise not_found("cabinet" if number is None else "compartment")
    return [row for row in rows if row["number"] is not None]


def compartments(session: Session, code: str) -> list[dict[str, Any]]:
    """Every door of a cabinet and the parcel behind it, phones masked; Problem 404."""
    return [shown(row) for row in doors(session, code)]


def compartment(session: Session, code: str, number: int) -> dict[str, Any]:
    """One of `compartments`; Problem 404."""
    return shown(doors(session, code, number)[0])


def shown(row: DictRow) -> dict[str, Any]:
    """A door for an operator's eyes."""
    names = ("number", "size", "row", "state", "reason", "sensor", "sensor_at", "hold_until")
    door: dict[str, Any] = {name: row[name] for name in names}
    return door | {"parcel": _parcel(row) if row["parcel_id"] is not None else None}


def since(row: DictRow) -> datetime:
    """Since when a door has its parcel: since the deposit, if it was seen."""
    at: datetime = row["deposited_at"] or row["reserved_at"] or row["recorded_at"]
    return at


def _parcel(row: DictRow) -> dict[str, Any]:
    return {
        "id": row["parcel_id"],
        "tracking_number": row["tracking_number"],
        "phase": row["phase"],
        "reason": row["parcel_reason"],
        "phone": masked_phone(row["recipient_phone"]),
        "since": since(row),
    }
