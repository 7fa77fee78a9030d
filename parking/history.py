"""Late movements: booked where they belong in the past, never obeyed."""

from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow

from core.db import Connection, Statement, fetch_row
from devices.events import Event
from parking import record
from parking.facts import PERMIT_END, Look, bill_of, neighbours
from parking.fees import Owed, owed
from parking.plates import Plate
from parking.texts import told
from parking.timeline import Place, Placement, Seen, place

# What the closing of a stay needs: its own terms, or those in force when it began.
TERMS = f"""
SELECT coalesce(s.entered_at, %(entered)s) AS entered_at, s.household_id AS stay_household_id,
    space.owner_household_id AS stay_owner_household_id,
    {PERMIT_END.format("permit")} AS permit_ends_at,
    t.id AS stay_tariff_id, t.version AS stay_tariff_version, t.rules AS stay_rules,
    r.charged_fen, r.paid_fen, r.charged_at, r.moved_at
FROM stay s
LEFT JOIN space ON space.id = s.space_id
LEFT JOIN permit ON permit.id = coalesce(s.permit_id, %(permit)s)
LEFT JOIN tariff t ON t.id = coalesce(s.tariff_id, %(tariff)s)
LEFT JOIN receivable r ON r.source = 'stay' AND r.source_id = s.id
WHERE s.id = %(stay)s
"""  # noqa: S608 - constants of ours


def book(
    connection: Connection, event: Event, seen: Look, plate: Plate | None, zone: ZoneInfo
) -> tuple[dict[str, Any], list[Statement]]:
    """The answer (always `hold / replayed`) and the statements that complete the stays."""
    if plate is None:
        return told("hold", "replayed", None), []
    row = seen.row
    before, after = neighbours(connection, row["lot_id"], plate, event.at)
    found = place(row["direction"], event.at, before, after)
    stay_id, statements = _consequences(connection, event, row, plate, found, zone)
    if found.abandoned:
        left = record.stay_abandoned(found.abandoned.stay_id, event.recorded_at)
        statements = [*left, *statements, _case(event, row, plate, "exit-missing")]
    return told("hold", "replayed", plate.text, stay_id=stay_id), statements


def _consequences(
    connection: Connection,
    event: Event,
    row: DictRow,
    plate: Plate,
    found: Placement,
    zone: ZoneInfo,
) -> tuple[int | None, list[Statement]]:
    if found.place is Place.CONFLICT:
        return None, [_case(event, row, plate, "history-conflict")]
    if found.place in (Place.NEW_OPEN, Place.NEW_EXIT_MISSING):
        return row["new_stay_id"], _begun(event, row, plate, found)
    if found.place is Place.NEW_ENTRY_MISSING or found.stay is None:
        return row["new_stay_id"], _ended_alone(event, row, plate)
    if found.place is Place.SAME:
        return found.stay.stay_id, []
    return found.stay.stay_id, _completed(connection, event, row, found.stay, zone)


def _case(event: Event, row: DictRow, plate: Plate, reason: str) -> Statement:
    return record.case_raised(event, row["event_id"], row["device_id"], reason, plate)


def _begun(event: Event, row: DictRow, plate: Plate, found: Placement) -> list[Statement]:
    inside_now = found.place is Place.NEW_OPEN
    space_id = row["stay_space_id"] if found.abandoned else row["free_id"]
    unpriced = row["tariff_id"] is None and row["permit_id"] is None
    cases = [_case(event, row, plate, "no-tariff")] if unpriced else []
    return cases + record.stay_opened(
        stay_id=row["new_stay_id"],
        lot_id=row["lot_id"],
        plate=plate,
        right=_right(row),
        at=event.at,
        event_id=row["event_id"],
        space_id=space_id if inside_now else None,
        permit_id=row["permit_id"],
        tariff_id=row["tariff_id"],
        household_id=row["household_id"],
        status="open" if inside_now else "exit-missing",
        claimed_from=event.recorded_at,
    )


def _ended_alone(event: Event, row: DictRow, plate: Plate) -> list[Statement]:
    return record.exit_alone(
        stay_id=row["new_stay_id"],
        lot_id=row["lot_id"],
        plate=plate,
        at=event.at,
        event_id=row["event_id"],
        household_id=row["household_id"],
    )


def _completed(
    connection: Connection, event: Event, row: DictRow, stay: Seen, zone: ZoneInfo
) -> list[Statement]:
    """The missing half has come: the stay is closed, priced and charged; who can, pays."""
    arrived = row["direction"] == "entry"
    terms = fetch_row(
        connection,
        (
            TERMS,
            {
                "stay": stay.stay_id,
                "entered": event.at,
                "permit": row["permit_id"] if arrived else None,
                "tariff": row["tariff_id"] if arrived else None,
            },
        ),
    )
    if terms is None:
        raise LookupError(f"stay {stay.stay_id} vanished")
    left_at = stay.exited_at or event.at
    fee = owed(bill_of(terms, zone), left_at)
    household_id = row["household_id"] or terms["stay_household_id"]
    if arrived:
        closing = record.stay_completed(
            stay_id=stay.stay_id,
            right=_right(row),
            at=event.at,
            event_id=row["event_id"],
            permit_id=row["permit_id"],
            tariff_id=row["tariff_id"],
            household_id=household_id,
            fee_fen=fee.total_fen,
        )
    else:
        closing = record.stay_closed(
            stay.stay_id, left_at, row["event_id"], fee.total_fen, household_id=household_id
        )
    taken = record.fee_taken(
        stay_id=stay.stay_id,
        fee=fee,
        household_id=household_id,
        owner_household_id=terms["stay_owner_household_id"],
        from_balance_fen=_affordable(row, fee),
        at=left_at,
    )
    return [*closing, *taken]


def _affordable(row: DictRow, fee: Owed) -> int:
    return fee.due_fen if row["household_id"] and row["balance_fen"] >= fee.due_fen else 0


def _right(row: DictRow) -> str:
    return "permit" if row["permit_id"] else "walk-in"
