"""Parcels that couriers are to take back: nobody fetched them, or they were refused."""

from collections.abc import Sequence
from typing import Any

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import driver, fetch_row
from core.logs import mask
from identity.models import ADMIN, COURIER, OPERATOR
from parcels import view
from parcels.parcels import Reader

OVERSTAYED = "overstayed"

ASKED_OF = {
    COURIER: """courier.id IN (
        SELECT theirs.id FROM courier me
        JOIN courier theirs ON theirs.id = me.id OR theirs.company_id = me.company_id
        WHERE me.person_id = %(person)s AND me.active)""",
    OPERATOR: "true",
    ADMIN: "true",
}

STILL_INSIDE = """
FROM compartment k
JOIN parcel p ON p.id = k.parcel_id
JOIN cabinet cab ON cab.id = k.cabinet_id
LEFT JOIN courier ON courier.id = p.courier_id
LEFT JOIN courier_company company ON company.id = courier.company_id
WHERE (p.phase = 'exception' OR p.phase IN ('ready', 'overdue') AND p.reclaim_asked_at IS NOT NULL)
  AND {of}
"""

TASKS = f"""
SELECT p.id, p.tracking_number, p.phase, p.reason, p.deposited_at, p.recipient_phone,
    coalesce(
        CASE WHEN p.phase <> 'exception' THEN p.reclaim_asked_at END,
        (SELECT max(e.occurred_at) FROM parcel_event e WHERE e.parcel_id = p.id
         AND e.type IN ('parcel.refused', 'parcel.excepted', 'parcel.deposited')),
        p.recorded_at) AS since,
    cab.code AS cabinet, cab.name AS cabinet_name, cab.address,
    k.number AS compartment, k.size AS compartment_size,
    courier.code AS courier, company.code AS company, company.name AS company_name
{STILL_INSIDE}
ORDER BY since, p.id LIMIT %(limit)s OFFSET %(offset)s
"""  # noqa: S608 - constants of ours


def tasks(
    session: Session, reader: Reader, limit: int, offset: int
) -> tuple[int, Sequence[dict[str, Any]]]:
    """How many parcels are to be taken back, and one page of them, the oldest first.

    A courier is asked for those of the own company.
    """
    of = ASKED_OF[reader.role]
    values = reader.values() | {"limit": limit, "offset": offset}
    with driver(session).cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(TASKS.format(of=of), values).fetchall()
    counted = f"SELECT count(*) AS count {STILL_INSIDE.format(of=of)}"
    count = fetch_row(driver(session), (counted, values))
    return (count or {"count": 0})["count"], [_shown(row) for row in rows]


def _shown(row: DictRow) -> dict[str, Any]:
    named = ("id", "tracking_number", "phase", "deposited_at", "since")
    return {name: row[name] for name in named} | {
        "reason": row["reason"] or OVERSTAYED,
        "place": view.place(row),
        "courier": view.courier(row),
        "phone": row["recipient_phone"] and mask(row["recipient_phone"]),
    }
