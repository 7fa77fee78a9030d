"""Cabinets as they stand: where, how healthy, and what is free; setting them up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from psycopg.rows import dict_row
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from core.db import driver
from core.errors import Problem, invalid, not_found
from devices.models import Device
from lockers.allocation import SIZES
from lockers.clocks import rules_in_force
from lockers.health import health_of
from lockers.models import STATES, Cabinet, Compartment

KIND = "cabinet"

CABINETS = """
SELECT cab.code, cab.name, cab.address, cab.site, cab.low_rows, cab.active, cab.audited_at,
    d.code AS device, cab.cameras_down_at, d.last_seen_at, doors.kinds
FROM cabinet cab
JOIN device d ON d.id = cab.device_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_array(kind.size, kind.state, kind.count)) AS kinds
    FROM (SELECT size, state, count(*) AS count FROM compartment k
          WHERE k.cabinet_id = cab.id GROUP BY size, state) kind
) doors ON true
WHERE %(code)s::text IS NULL OR cab.code = %(code)s
ORDER BY cab.code
"""


def add_cabinet(
    session: Session,
    device: Device,
    *,
    code: str,
    name: str,
    compartments: Sequence[Mapping[str, Any]],
    **more: Any,
) -> Cabinet:
    """A cabinet with its compartments, each `{"number", "size", "row"}`.

    `more` may have address, site and low_rows.
    """
    cabinet = Cabinet(code=code, name=name, device_id=device.id, **more)
    session.add(cabinet)
    session.flush()
    session.execute(insert(Compartment), [{"cabinet_id": cabinet.id, **c} for c in compartments])
    return cabinet


def set_up(session: Session, new: Mapping[str, Any]) -> None:
    """`add_cabinet` by its device's code. Problem 422 for a device that is no cabinet, or for
    two compartments of one number; 409 when the code or the device is taken.
    """
    device = session.scalar(select(Device).where(Device.code == new["device"]))
    if device is None or device.kind != KIND:
        raise invalid("device", "must be a device of the kind cabinet")
    numbers = [door["number"] for door in new["compartments"]]
    if len(set(numbers)) < len(numbers):
        raise invalid("compartments", "two of them have one number")
    taken = select(Cabinet.code).where(
        (Cabinet.code == new["code"]) | (Cabinet.device_id == device.id)
    )
    if session.scalar(taken.limit(1)) is not None:
        raise Problem(409, "cabinet-exists", "There is a cabinet of this code or device.")
    add_cabinet(session, device, **{k: v for k, v in new.items() if k != "device"})


def change(session: Session, code: str, changes: Mapping[str, Any]) -> None:
    """Change name, address, site, low_rows or active; what is absent stays. Problem 404."""
    query = select(Cabinet).where(Cabinet.code == code).with_for_update(key_share=True)
    cabinet = session.scalar(query)
    if cabinet is None:
        raise not_found("cabinet")
    for name, value in changes.items():
        setattr(cabinet, name, value)
    session.flush()


def cabinets(session: Session, now: datetime) -> list[dict[str, Any]]:
    """Every cabinet: its doors by size and state, whether it is heard, whether cameras see."""
    return _shown(session, now, None)


def cabinet(session: Session, code: str, now: datetime) -> dict[str, Any]:
    """One of `cabinets`; Problem 404."""
    found = _shown(session, now, code)
    if not found:
        raise not_found("cabinet")
    return found[0]


def _shown(session: Session, now: datetime, code: str | None) -> list[dict[str, Any]]:
    connection = driver(session)
    rules = rules_in_force(connection, now)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(CABINETS, {"code": code}).fetchall()
    return [
        row
        | _counted(row.pop("kinds") or [])
        | {
            "health": health_of(row["last_seen_at"], now, rules),
            "cameras": "ok" if row["cameras_down_at"] is None else "down",
        }
        for row in rows
    ]


def _counted(kinds: list[tuple[str, str, int]]) -> dict[str, Any]:
    """How many doors there are, of each size, free of each size, and in each state."""
    return {
        "compartments": sum(count for _, _, count in kinds),
        **{size: sum(count for s, _, count in kinds if s == size) for size in SIZES},
        "free": {
            size: sum(count for s, state, count in kinds if (s, state) == (size, "free"))
            for size in SIZES
        },
        "states": {state: sum(count for _, s, count in kinds if s == state) for state in STATES},
    }
