"""Late movements: booked where they belong in the past, never obeyed."""

from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow

from core.db import Connection, Statement, fetch_row
from devices.events import Event
from parking import record
from parking.facts import Look, bill_of, class_of, neighbours
from parking.fees import Owed, owed
from parking.look import BILL, BILL_FROM, CHARGED_PARTS
from parking.plates import Plate
from parking.record import NewStay
from parking.texts import told
from parking.timeline import Place, Placement, Seen, place

# What the closing of a stay needs: its own terms, or those in force when it began.
TERMS = f"""
SELECT {BILL}, r.charged_fen, r.paid_fen, r.credited_fen, r.charged_at, r.moved_at,
    {CHARGED_PARTS.format("r")} AS charged_parts,
    (SELECT code FROM lot WHERE id = s.lot_id) AS lot
FROM (
    SELECT id, plate, lot_id, space_id, household_id, swap_until,
        coalesce(booking_id, %(booking)s) AS booking_id,
        coalesce(entered_at, %(entered)s) AS entered_at,
        coalesce(permit_id, %(permit)s) AS permit_id, coalesce(tariff_id, %(tariff)s) AS tariff_id,
        coalesce(%(vehicle_class)s, vehicle_class) AS vehicle_class,
        coalesce(%(new_energy)s, new_energy) AS new_energy,
        coalesce(left_before_at, %(left_before)s) AS left_before_at
    FROM stay WHERE id = %(stay)s
) s
{BILL_FROM}
LEFT JOIN receivable r ON r.source = 'stay' AND r.source_id = s.id
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
    stay_id, statements = _consequences(connection, event, seen, plate, found, zone)
    if found.abandoned:
        left = record.stay_abandoned(found.abandoned.stay_id, event.recorded_at)
        statements = [*left, *statements, _case(event, row, plate, "exit-missing")]
    return told("hold", "replayed", plate.text, stay_id=stay_id), statements


def _consequences(
    connection: Connection,
    event: Event,
    seen: Look,
    plate: Plate,
    found: Placement,
    zone: ZoneInfo,
) -> tuple[int | None, list[Statement]]:
    row = seen.row
    if found.place is Place.CONFLICT:
        return None, [_case(event, row, plate, "history-conflict")]
    if found.place in (Place.NEW_OPEN, Place.NEW_EXIT_MISSING):
        return row["new_stay_id"], _begun(event, seen, plate, found)
    if found.place is Place.NEW_ENTRY_MISSING or found.stay is None:
        return row["new_stay_id"], _ended_alone(event, row, plate)
    if found.place is Place.SAME:
        return found.stay.stay_id, []
    return found.stay.stay_id, _completed(connection, event, seen, plate, found.stay, zone)


def _case(event: Event, row: DictRow, plate: Plate, reason: str) -> Statement:
    return record.case_raised(event, row["event_id"], row["device_id"], reason, plate)


def _begun(event: Event, seen: Look, plate: Plate, found: Placement) -> list[Statement]:
    row, right = seen.row, _right(seen, event)
    inside_now = found.place is Place.NEW_OPEN
    booked = seen.facts.booked if inside_now and right == "booking" else None
    space_id = row["stay_space_id"] if found.abandoned else row["free_id"]
    if booked and booked.ready:
        space_id = booked.space.id
    vehicle_class, new_energy = class_of(row, plate, booked.id if booked else None)
    unpriced = row["tariff_id"] is None and row["permit_id"] is None
    cases = [_case(event, row, plate, "no-tariff")] if unpriced else []
    stay = NewStay(
        id=row["new_stay_id"],
        lot_id=row["lot_id"],
        plate=plate,
        right="walk-in" if right == "booking" and booked is None else right,
        entered_at=event.at,
        event_id=row["event_id"],
        space_id=space_id if inside_now else None,
        permit_id=_permit_id(seen),
        booking_id=booked.id if booked and space_id else None,
        tariff_id=row["tariff_id"],
        household_id=(row["booked_household_id"] if booked else None) or row["household_id"],
        vehicle_class=vehicle_class,
        new_energy=new_energy,
        left_before_at=row["came_before_until"],
        status="open" if inside_now else "exit-missing",
        claimed_from=event.recorded_at,
        hold_minutes=row["walk_in_hold_minutes"],
        yields=True,
    )
    return [*cases, record.stay_opened(stay)]


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
    connection: Connection, event: Event, seen: Look, plate: Plate, stay: Seen, zone: ZoneInfo
) -> list[Statement]:
    """The missing half has come: the stay is closed, priced and charged; who can, pays."""
    row = seen.row
    arrived = row["direction"] == "entry"
    booking_id = row["booking_id"] if _right(seen, event) == "booking" else None
    vehicle_class, new_energy = class_of(row, plate, booking_id)
    found = {
        "permit": _permit_id(seen),
        "booking": booking_id,
        "tariff": row["tariff_id"],
        "vehicle_class": vehicle_class,
        "new_energy": new_energy,
        "left_before": row["came_before_until"],
    }
    found = found if arrived else dict.fromkeys(found)
    terms = fetch_row(connection, (TERMS, found | {"stay": stay.stay_id, "entered": event.at}))
    if terms is None:
        raise LookupError(f"stay {stay.stay_id} vanished")
    left_at = stay.exited_at or event.at
    fee = owed(bill_of(terms, zone), left_at)
    booked_by = row["booked_household_id"] if booking_id else None
    household_id = booked_by or row["household_id"] or terms["stay_household_id"]
    if arrived:
        closing = record.stay_completed(
            stay.stay_id,
            right=_right(seen, event),
            at=event.at,
            event_id=row["event_id"],
            household_id=household_id,
            fee_fen=fee.total_fen,
            now=event.recorded_at,
            found=found,
        )
    else:
        closing = record.stay_closed(
            stay.stay_id, left_at, row["event_id"], fee.total_fen, household_id=household_id
        )
    taken = record.fee_taken(
        stay_id=stay.stay_id,
        fee=fee,
        income=record.INCOMES[row["lot_kind"]],
        lot=row["lot"],
        household_id=household_id,
        owner_household_id=terms["stay_owner_household_id"],
        from_balance_fen=_affordable(row, fee),
        at=left_at,
    )
    return [*closing, *taken]


def _affordable(row: DictRow, fee: Owed) -> int:
    return fee.due_fen if row["household_id"] and row["balance_fen"] >= fee.due_fen else 0


def _permit_id(seen: Look) -> int | None:
    return seen.facts.permit.id if seen.facts.permit else None


def _right(seen: Look, event: Event) -> str:
    """By which right the vehicle came in, as far as anybody can know afterwards."""
    booked, permit = seen.facts.booked, seen.facts.permit
    if booked and not booked.replaces_own_space and event.at >= booked.starts_at - booked.early:
        return "booking"
    return "permit" if permit and permit.holds_now else "walk-in"
