"""Late comings and leavings at a rack: booked where they belong in the past, never obeyed."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.db import Connection, Statement
from devices.events import Event
from ebikes import dock
from ebikes import stays as dock_stays
from ebikes.bill import DockBill, bill_of_stay
from ebikes.dock import Outcome
from ebikes.facts import CONNECTED, Look
from ebikes.texts import told
from parking import record
from parking.facts import neighbours
from parking.plates import Plate
from parking.record import chargings_ended
from parking.timeline import Place, Placement, Seen, place

REPLAYED = Outcome("hold", "replayed")


def book(
    connection: Connection, event: Event, seen: Look, plate: Plate, zone: ZoneInfo
) -> tuple[dict[str, Any], list[Statement]]:
    """The answer (always `hold / replayed`) and the statements that complete the stays."""
    row = seen.row
    if row["spot_id"] is None:
        return told(REPLAYED, plate=plate), [_case(event, seen, plate, "no-such-spot")]
    before, after = neighbours(connection, row["lot_id"], plate, event.at)
    direction = "entry" if event.type == CONNECTED else "exit"
    found = place(direction, event.at, before, after)
    stay_id, statements = _consequences(connection, event, seen, plate, found, zone)
    if found.abandoned:
        left = record.stay_abandoned(found.abandoned.stay_id, event.recorded_at)
        left.append(chargings_ended(found.abandoned.stay_id, event.recorded_at))
        statements = [*left, *statements, _case(event, seen, plate, "exit-missing")]
    return told(REPLAYED, plate=plate, stay_id=stay_id), statements


def _consequences(
    connection: Connection,
    event: Event,
    seen: Look,
    plate: Plate,
    found: Placement,
    zone: ZoneInfo,
) -> tuple[int | None, list[Statement]]:
    new_stay_id = seen.row["new_stay_id"]
    if found.place is Place.CONFLICT:
        return None, [_case(event, seen, plate, "history-conflict")]
    if found.place is Place.NEW_OPEN:
        return new_stay_id, _began(event, seen, plate, zone)
    if found.place is Place.NEW_EXIT_MISSING:
        return new_stay_id, _passed(event, seen, plate)
    if found.place is Place.NEW_ENTRY_MISSING or found.stay is None:
        return new_stay_id, _ended_alone(event, seen, plate)
    if found.place is Place.SAME:
        return found.stay.stay_id, []
    if found.place is Place.COMPLETE_NEXT:
        return found.stay.stay_id, _began_before(connection, event, seen, plate, found.stay, zone)
    return found.stay.stay_id, _ended(connection, event, seen, found.stay, zone)


def _case(event: Event, seen: Look, plate: Plate, reason: str) -> Statement:
    return record.case_raised(event, seen.row["event_id"], seen.row["device_id"], reason, plate)


def _began(event: Event, seen: Look, plate: Plate, zone: ZoneInfo) -> list[Statement]:
    """It stands there now, whatever we would have said; if its spot is not its own, who knows."""
    outcome = dock.connected(replace(seen.facts, stay=None), event.at)
    stay = dock_stays.new_stay(seen.row, plate, event.at, outcome, since=seen.facts.since)
    statements = dock_stays.began(seen.row, stay, plate, zone, event.recorded_at)
    return statements if outcome.opens else [*statements, _case(event, seen, plate, outcome.reason)]


def _passed(event: Event, seen: Look, plate: Plate) -> list[Statement]:
    stay = dock_stays.new_stay(seen.row, plate, event.at, REPLAYED, since=event.at)
    return [record.stay_opened(replace(stay, status="exit-missing"))]


def _ended_alone(event: Event, seen: Look, plate: Plate) -> list[Statement]:
    return record.exit_alone(
        stay_id=seen.row["new_stay_id"],
        lot_id=seen.row["lot_id"],
        plate=plate,
        at=event.at,
        event_id=seen.row["event_id"],
        household_id=seen.row["household_id"],
    )


def _began_before(
    connection: Connection, event: Event, seen: Look, plate: Plate, stay: Seen, zone: ZoneInfo
) -> list[Statement]:
    """The beginning of a stay whose end was booked before: it is closed, priced and charged."""
    row, left_at = seen.row, stay.exited_at or event.at
    found = {
        "booking": None,
        "permit": None,
        "tariff": row["tariff_id"],
        "vehicle_class": "ebike",
        "new_energy": False,
        "left_before": row["came_before_until"],
    }
    bill = bill_of_stay(
        connection,
        stay.stay_id,
        row["household_id"],
        left_at,
        zone,
        entered=found | {"entered": event.at},
    )
    completed = record.stay_completed(
        stay.stay_id,
        right="walk-in",
        at=event.at,
        event_id=row["event_id"],
        household_id=bill.household_id,
        fee_fen=bill.fee.total_fen,
        now=event.recorded_at,
        found=found,
    )
    left_fen = bill.balance_fen - (bill.due_fen if bill.affordable else 0)
    account = dock_stays.account_of(row, stay.stay_id, plate, bill.household_id, pays_fen=left_fen)
    charged = dock_stays.charged(row, account, event.at, left_at, zone, event.recorded_at)
    return [*completed, *_taken(bill, left_at), *charged]


def _ended(
    connection: Connection, event: Event, seen: Look, stay: Seen, zone: ZoneInfo
) -> list[Statement]:
    """The end of a stay: closed, priced and charged; who can, pays."""
    bill = bill_of_stay(connection, stay.stay_id, seen.row["household_id"], event.at, zone)
    return [*bill.closed(event.at, seen.row["event_id"]), *_taken(bill, event.at)]


def _taken(bill: DockBill, at: datetime) -> list[Statement]:
    return bill.taken(at, from_balance=bill.affordable)
