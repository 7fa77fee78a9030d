"""The dock's use cases: an e-bike comes to a spot, asks to leave it, or has charged there."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from structlog.contextvars import bind_contextvars

from core.db import Connection, Statement, send
from core.metrics import DECISIONS
from devices import events
from devices.events import Event, Receipt
from ebikes import dock
from ebikes import history as dock_history
from ebikes import stays as dock_stays
from ebikes.bill import bill_of_stay
from ebikes.facts import CONNECTED, Look, look, look_charging
from ebikes.history import REPLAYED
from ebikes.look import UNKNOWN_CHARGING
from ebikes.record import Account, Reading, charging_read
from ebikes.texts import told
from parking import record
from parking.plates import Plate


def answer(
    connection: Connection,
    event: Event,
    *,
    token_digest: bytes,
    spot: str,
    plate: Plate,
    zone: ZoneInfo,
) -> Receipt:
    """Decide about an e-bike that comes to a spot or leaves it, and book what follows.

    As at the gate: a repeat within 10 s gets the answer it got; a later one, a replay and a
    stale event are told `hold / replayed`, whatever else they lead to. Raises Problem 401 for
    an unknown token, 403 when the device is no dock, 409 when its key came before with other
    content.
    """
    seen = look(connection, event, token_digest=token_digest, spot=spot, plate=plate)
    if seen.row["seen_at"] is not None:
        return events.again(event, seen.row, told(REPLAYED))
    if event.history or seen.row["overtaken"]:
        decision, statements = dock_history.book(connection, event, seen, plate, zone)
    elif event.type == CONNECTED:
        decision, statements = _comes(event, seen, plate, events.when(event, seen.row), zone)
    else:
        at = events.when(event, seen.row)
        decision, statements = _leaves(connection, event, seen, plate, at, zone)
    send(connection, events.written(event, seen.row, decision, statements))
    DECISIONS.labels(event.type, decision["action"], decision["reason"]).inc()
    bind_contextvars(device=seen.row["device"], plate=plate.masked, reason=decision["reason"])
    return Receipt(event.key, False, event.recorded_at, decision, seen.row["display"])


def charged(
    connection: Connection, event: Event, *, token_digest: bytes, spot: str, zone: ZoneInfo
) -> Receipt:
    """Book what a charger measured: charged once, whenever it arrives and however often.

    A reading that fits no charging waits as an exception, until the e-bike's coming is heard of
    or a person settles it. Raises Problem as `answer` does.
    """
    row = look_charging(connection, event, token_digest=token_digest, spot=spot)
    if row["seen_at"] is not None:
        return events.again(event, row, told(REPLAYED))
    reading = Reading(
        event_id=row["event_id"],
        ended_at=events.when(event, row),
        energy_wh=event.data["energy_wh"],
        seconds=event.data["seconds"],
        stop_reason=event.data["stop_reason"],
    )
    if _awaits(row, reading.ended_at):
        began_at, now = row["started_at"], event.recorded_at
        statements = charging_read(_account(row), reading, began_at, zone, now)
    else:
        statements = [_case(event, row, UNKNOWN_CHARGING, None)]
    send(connection, events.written(event, row, None, statements))
    bind_contextvars(device=row["device"])
    return Receipt(event.key, False, event.recorded_at, None, row["display"])


def _comes(
    event: Event, seen: Look, plate: Plate, at: datetime, zone: ZoneInfo
) -> tuple[dict[str, Any], list[Statement]]:
    outcome, row = dock.connected(seen.facts, at), seen.row
    if outcome.again:
        return row["entered_answer"], []
    if not outcome.opens:
        cases = [_case(event, row, outcome.reason, plate)] if outcome.needs_a_person else []
        return told(outcome, plate=plate, stay_id=row["stay_id"]), cases
    stay = dock_stays.new_stay(row, plate, at, outcome, since=seen.facts.since)
    longest = dock_stays.longest_minutes(row, booked=stay.booking_id is not None)
    decision = told(outcome, plate=plate, stay_id=stay.id, longest_minutes=longest)
    return decision, dock_stays.began(row, stay, plate, zone, event.recorded_at)


def _leaves(
    connection: Connection, event: Event, seen: Look, plate: Plate, at: datetime, zone: ZoneInfo
) -> tuple[dict[str, Any], list[Statement]]:
    row, stay_id = seen.row, seen.row["stay_id"]
    if stay_id is None:
        outcome = dock.released(seen.facts, at)
        if outcome.again:
            return row["left_answer"], []
        return told(outcome, plate=plate), [_case(event, row, outcome.reason, plate)]
    bill = bill_of_stay(connection, stay_id, row["household_id"], at, zone)
    outcome = dock.released(
        seen.facts,
        at,
        due_fen=bill.due_fen,
        costs_fen=bill.costs_fen,
        balance_fen=bill.balance_fen,
    )
    if not outcome.settles:
        return told(outcome, plate=plate, stay_id=stay_id), []
    pays = outcome.reason == "balance-charged"
    statements = bill.taken(at, from_balance=pays)
    if outcome.opens:
        statements += bill.closed(max(at, row["entered_at"]), row["event_id"])
    decision = told(
        outcome,
        plate=plate,
        stay_id=stay_id,
        booking_id=bill.booking_id,
        fee=bill.as_json(paid=pays),
        asked_fen=bill.due_fen,
    )
    return decision, statements


def _awaits(row: DictRow, ended_at: datetime) -> bool:
    """Whether the newest charging at the spot has no reading yet, and this can be it."""
    if row["charging_id"] is None or row["seconds"] is not None:
        return False
    if row["ended_at"] is None:
        return True
    return bool(ended_at <= row["ended_at"] + dock_stays.READING_TOLERANCE)


def _account(row: DictRow) -> Account:
    return Account(
        charging_id=row["charging_id"],
        stay_id=row["stay_id"],
        lot=row["lot"],
        plate=row["plate"],
        household_id=row["stay_household_id"],
        tariff_id=row["tariff_id"],
        tariff_version=row["tariff_version"],
        tariff_rules=row["tariff_rules"],
        pays_fen=None if row["stay_status"] == "open" else row["balance_fen"],
    )


def _case(event: Event, row: DictRow, reason: str, plate: Plate | None) -> Statement:
    return record.case_raised(event, row["event_id"], row["device_id"], reason, plate)
