"""Stays as people see them, with the fee as it stands; and the fee brought up to date."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import Connection, driver, fetch_row, send
from core.errors import Problem, invalid, not_found
from parking import record
from parking.facts import bill_of
from parking.fees import owed
from parking.look import BILL, BILL_FROM, CHARGED_PARTS

# Electricity is paid by its own charges: these are what they stand at.
CHARGINGS = """(
    SELECT jsonb_agg(jsonb_build_object(
        'id', c.id, 'charge_id', fee.id, 'total_fen', owed.charged_fen,
        'due_fen', owed.charged_fen - owed.paid_fen) ORDER BY c.id)
    FROM charging c
    JOIN receivable owed ON owed.source = 'charging' AND owed.source_id = c.id
    JOIN charge fee ON fee.source = 'charging' AND fee.source_id = c.id AND fee.kind = 'fee'
    WHERE c.stay_id = s.id
)"""

STAYS = f"""
SELECT s.id, s.plate, s.plate_color, s.status, s."right", s.exited_at, s.fee_fen,
    lot.code AS lot, lot.kind AS lot_kind, {BILL},
    r.charged_fen, r.paid_fen, r.credited_fen, r.charged_at, r.moved_at,
    {CHARGINGS} AS chargings,
    CASE WHEN s.status <> 'closed' THEN {CHARGED_PARTS.format("r")} END AS charged_parts
FROM stay s
JOIN lot ON lot.id = s.lot_id
{BILL_FROM}
LEFT JOIN receivable r ON r.source = 'stay' AND r.source_id = s.id
"""  # noqa: S608 - constants of ours

ONE = (
    STAYS
    + "WHERE s.id = %(id)s AND (%(household)s::bigint IS NULL OR s.household_id = %(household)s)"
)

ALL = """
WHERE (%(household)s::bigint IS NULL OR s.household_id = %(household)s)
  AND (%(plate)s::text IS NULL OR s.plate = %(plate)s)
  AND (%(status)s::text IS NULL OR s.status = %(status)s)
"""

# The gate decides about a plate alone; the charge read after this is the newest.
ONE_AT_A_TIME = """
SELECT pg_advisory_xact_lock(hashtextextended('plate ' || plate, 0)) FROM stay WHERE id = %(id)s
"""

PAGE = STAYS + ALL + "ORDER BY s.id DESC LIMIT %(limit)s OFFSET %(offset)s"
COUNT = "SELECT count(*) AS count FROM stay s" + ALL  # noqa: S608 - constants of ours


def stay(
    session: Session, stay_id: int, household_id: int | None, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """One stay; Problem 404 if there is none or it is another household's."""
    row = fetch_row(driver(session), (ONE, {"id": stay_id, "household": household_id}))
    if row is None:
        raise not_found("stay")
    return _shown(row, now, zone)


def stays(
    session: Session, wanted: dict[str, Any], now: datetime, zone: ZoneInfo
) -> tuple[int, Sequence[dict[str, Any]]]:
    """How many stays match, and one page of them, newest first.

    `wanted` has household, plate, status (None matches all), limit and offset.
    """
    with driver(session).cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(PAGE, wanted).fetchall()
    count = fetch_row(driver(session), (COUNT, wanted))
    return (count or {"count": 0})["count"], [_shown(row, now, zone) for row in rows]


def bring_charge_up_to_date(
    session: Session, stay_id: int, now: datetime, zone: ZoneInfo
) -> int | None:
    """Charge an open stay what it owes by now, so that it can be paid before leaving.

    Returns the household that owes, if one is known; Problem 404 if there is no such stay.
    """
    connection = driver(session)
    row = _alone(connection, stay_id)
    household_id: int | None = row["stay_household_id"]
    if row["status"] != "open":
        return household_id
    statements = record.fee_taken(
        stay_id=stay_id,
        fee=owed(bill_of(row, zone), now),
        income=record.INCOMES[row["lot_kind"]],
        lot=row["lot"],
        household_id=household_id,
        owner_household_id=row["stay_owner_household_id"],
        from_balance_fen=0,
        at=now,
    )
    send(connection, statements)
    return household_id


def close_by_hand(
    session: Session,
    stay_id: int,
    *,
    exited_at: datetime,
    reason: str,
    person_id: int,
    now: datetime,
    zone: ZoneInfo,
) -> None:
    """End a stay whose exit no camera saw; its fee up to `exited_at` is charged and stays due.

    Problem 404 if there is none, 409 if it is not waiting for an exit, 422 for an impossible
    instant.
    """
    connection = driver(session)
    row = _alone(connection, stay_id)
    if row["status"] not in ("open", "exit-missing"):
        raise Problem(409, "not-inside", "This stay is not waiting for an exit.")
    if not row["entered_at"] <= exited_at <= now:
        raise invalid("exited_at", "must lie between the entry and now")
    fee = owed(bill_of(row, zone), exited_at)
    household_id = row["stay_household_id"]
    taken = record.fee_taken(
        stay_id=stay_id,
        fee=fee,
        income=record.INCOMES[row["lot_kind"]],
        lot=row["lot"],
        household_id=household_id,
        owner_household_id=row["stay_owner_household_id"],
        from_balance_fen=0,
        at=exited_at,
    )
    by_hand = record.closed_by_hand(stay_id, person_id, reason)
    closed = record.stay_closed(stay_id, exited_at, None, fee.total_fen, household_id=household_id)
    ended = record.chargings_ended(stay_id, exited_at)
    send(connection, [by_hand, *closed, *taken, ended])


def _alone(connection: Connection, stay_id: int) -> DictRow:
    """The stay as it is now, with its plate to ourselves until the transaction ends."""
    fetch_row(connection, (ONE_AT_A_TIME, {"id": stay_id}))
    row = fetch_row(connection, (ONE + " FOR UPDATE OF s", {"id": stay_id, "household": None}))
    if row is None:
        raise not_found("stay")
    return row


def _shown(row: DictRow, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    shown = {name: row[name] for name in ("id", "plate", "plate_color", "lot", "right")}
    shown |= {"space": row["stay_space"], "booking_id": row["stay_booking_id"]}
    shown |= {name: row[name] for name in ("entered_at", "exited_at", "status")}
    shown |= {name: row[name] or 0 for name in ("paid_fen", "credited_fen")}
    shown["chargings"] = row["chargings"] or []
    return shown | {"fee": _fee(row, now, zone)}


def _fee(row: DictRow, now: datetime, zone: ZoneInfo) -> dict[str, Any] | None:
    """The running fee of an open stay, the final one of a closed; what a lost exit left charged."""
    until = now if row["status"] == "open" else row["exited_at"] or row["charged_at"]
    if row["entered_at"] is None or until is None:
        return None
    return owed(bill_of(row, zone), until).as_json()
