"""The gate's one use case: a vehicle stands in the lane, or stood there a while ago."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from structlog.contextvars import bind_contextvars

from core.db import Connection, Statement, send
from core.errors import Problem
from core.metrics import DECISIONS
from devices import events
from devices.events import Event, Receipt
from parking import history, record
from parking.facts import Look, class_of, look
from parking.gate import Outcome, decide
from parking.plates import Plate
from parking.texts import told


def answer(
    connection: Connection,
    event: Event,
    *,
    token_digest: bytes,
    plate: Plate | None,
    zone: ZoneInfo,
    serial: str | None = None,
) -> Receipt:
    """Decide about a gate event, book what follows, and say what the gate must do.

    A repeat within 10 s gets the answer it got; a later one, a replay and a stale event are
    told `hold / replayed`, whatever else they lead to. Raises Problem 401 for an unknown
    token, 403 when the device stands in no lane or claims another serial, 409 when its key
    came before with other content.
    """
    seen = look(
        connection,
        token_digest=token_digest,
        key=event.key,
        plate=plate,
        at=event.at,
        now=event.recorded_at,
        zone=zone,
    )
    _check_device(seen.row, serial)
    if seen.row["seen_at"] is not None:
        return events.again(event, seen.row, told("hold", "replayed", None))
    if event.history or seen.row["overtaken"]:
        decision, statements = history.book(connection, event, seen, plate, zone)
    else:
        decision, statements = _live(event, seen, plate, events.when(event, seen.row))
    send(connection, events.written(event, seen.row, decision, statements))
    DECISIONS.labels(event.type, decision["action"], decision["reason"]).inc()
    bind_contextvars(
        device=seen.row["device"], plate=plate and plate.masked, reason=decision["reason"]
    )
    return Receipt(event.key, False, event.recorded_at, decision, seen.row["display"])


def _check_device(row: DictRow, serial: str | None) -> None:
    if row["direction"] is None:
        raise Problem(403, "no-lane", "This device stands in no lane.")
    if serial is not None and serial != row["serial"]:
        raise Problem(403, "wrong-serial", "This token belongs to a device of another serial.")


def _live(
    event: Event, seen: Look, plate: Plate | None, at: datetime
) -> tuple[dict[str, Any], list[Statement]]:
    outcome = decide(seen.facts, plate, at)
    row = seen.row
    if outcome.again:
        return row["entered_answer"] or row["left_answer"], []
    statements: list[Statement] = []
    stay_id = row["stay_id"]
    if outcome.opens_stay and plate:
        stay_id = row["new_stay_id"]
        statements.append(_opened(row, outcome, plate, at, event.recorded_at))
    if outcome.fee:
        statements += record.fee_taken(
            stay_id=row["stay_id"],
            fee=outcome.fee,
            income=record.INCOMES[row["lot_kind"]],
            lot=row["lot"],
            household_id=row["household_id"],
            owner_household_id=row["stay_owner_household_id"],
            from_balance_fen=outcome.pay_from_balance_fen,
            at=at,
        )
    if outcome.closes_stay and outcome.fee:
        left_at = max(at, row["entered_at"])
        statements += record.stay_closed(
            stay_id,
            left_at,
            row["event_id"],
            outcome.fee.total_fen,
            household_id=row["household_id"],
        )
    if outcome.needs_a_person:
        statements.append(
            record.case_raised(event, row["event_id"], row["device_id"], outcome.reason, plate)
        )
    space = outcome.space.code if outcome.space else row["stay_space"]
    text = plate.text if plate else None
    decision = told(
        outcome.action,
        outcome.reason,
        text,
        stay_id=stay_id,
        booking_id=outcome.booking_id or row["stay_booking_id"],
        space=space,
        fee=outcome.fee,
        asked_fen=outcome.asked_fen,
    )
    return decision, statements


def _opened(row: DictRow, outcome: Outcome, plate: Plate, at: datetime, now: datetime) -> Statement:
    """The stay begins when the camera saw it; its space is held from now, when it is given."""
    vehicle_class, new_energy = class_of(row, plate, outcome.booking_id)
    return record.stay_opened(
        record.NewStay(
            id=row["new_stay_id"],
            lot_id=row["lot_id"],
            plate=plate,
            right=outcome.reason,
            entered_at=at,
            event_id=row["event_id"],
            space_id=outcome.space.id if outcome.space else None,
            tariff_id=row["tariff_id"],
            household_id=_payer(row, outcome),
            claimed_from=now,
            hold_minutes=row["walk_in_hold_minutes"],
            vehicle_class=vehicle_class,
            new_energy=new_energy,
            permit_id=outcome.permit_id,
            booking_id=outcome.booking_id,
            left_before_at=row["came_before_until"],
            swap_until=outcome.swap_until,
        )
    )


def _payer(row: DictRow, outcome: Outcome) -> int | None:
    """Who booked, be it for a visitor; else the household whose vehicle it is."""
    booked_by: int | None = row["booked_household_id"] if outcome.booking_id else None
    return booked_by or row["household_id"]
