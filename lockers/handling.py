"""What cabinets say became of parcels: put in, taken out, put back, reclaimed, given up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import DictRow, dict_row
from structlog.contextvars import bind_contextvars

from core.db import Connection, Statement, pipeline
from devices import events, exceptions
from devices.events import Event, Receipt
from lockers import custody, texts
from lockers.custody import Premises
from lockers.hearing import book, decided, known_cabinet, when
from lockers.lifecycle import INSIDE, Happening, Phase, Step
from lockers.look import LOOK_BY_DOOR, LOOK_BY_WAYBILL, ONE_CABINET
from lockers.pickups import STAFF
from lockers.record import OPEN_DOOR, Said, happened, happened_at_door

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """The parcel a cabinet speaks of: by its waybill, its compartment, or both."""

    tracking_number: str | None
    compartment: int | None


def hear(
    connection: Connection,
    event: Event,
    step: Step,
    named: Named,
    *,
    token_digest: bytes,
    ours: Premises,
    photo: str | None = None,
) -> Receipt:
    """Book what happened to a parcel, whenever it is heard and however often.

    A waybill nobody asked a compartment for is booked as well, for an operator to see; so is a
    compartment in which we know of nothing. Problem 401 for an unknown token, 403 when the
    device is no cabinet, 409 when its key came before with other content.
    """
    put_in = step is Step.DEPOSITED
    row = _look(connection, event, named, token_digest, put_in=put_in)
    if row["seen_at"] is not None:
        return events.again(event, row, {})
    at = when(event, row)
    if put_in and row["reserved_at"] is not None:
        at = max(at, row["reserved_at"])  # it cannot have been put in before it was asked for
    book(connection, event, row, None, _booked(event, row, step, named, at, ours, photo))
    bind_contextvars(device=row["device"], step=step)
    return Receipt(event.key, False, event.recorded_at, None)


def ask_to_reclaim(
    connection: Connection,
    event: Event,
    named: Named,
    *,
    courier: str,
    token_digest: bytes,
) -> Receipt:
    """Answer a courier at the cabinet who wants a parcel back: only their own company's opens.

    Any time, for a courier answers for what was put in; a stale message opens nothing. Problem
    as `hear`.
    """
    row = _look(connection, event, named, token_digest, courier=courier)
    if row["seen_at"] is not None:
        return events.again(event, row, _told("refuse", "replayed", None))
    at = when(event, row)
    theirs = row["asking_id"] is not None and row["own_number"] is not None and _reclaimable(row)
    reason = "replayed" if event.history else "reclaim" if theirs else "not-yours"
    number = row["own_number"] if reason == "reclaim" else None
    statements: list[Statement] = []
    if number is not None:
        said = Said(f"courier:{row['asking_id']}", at, event.recorded_at, row["event_id"])
        statements = [
            (OPEN_DOOR, {"parcel": row["parcel_id"], "at": at, "by": "courier"}),
            happened(row["parcel_id"], "door.opened", said, by="courier"),
            happened_at_door(row["own_id"], "door.opened", said, by="courier"),
        ]
    answer = _told("open" if number is not None else "refuse", reason, number)
    return decided(connection, event, row, answer, statements)


def _look(
    connection: Connection,
    event: Event,
    named: Named,
    token_digest: bytes,
    *,
    courier: str | None = None,
    put_in: bool = False,
) -> DictRow:
    values = {
        "digest": token_digest,
        "key": event.key,
        "now": event.recorded_at,
        "at": event.at,
        "tracking": named.tracking_number,
        "number": named.compartment,
        "asking": courier,
        "put_in": put_in,
    }
    look = LOOK_BY_WAYBILL if named.tracking_number else LOOK_BY_DOOR
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute(ONE_CABINET, values)
        return known_cabinet(cursor.execute(look, values).fetchone())


def _booked(
    event: Event,
    row: DictRow,
    step: Step,
    named: Named,
    at: datetime,
    ours: Premises,
    photo: str | None,
) -> list[Statement]:
    if row["parcel_id"] is None:
        if named.tracking_number is None:
            reason = f"{step.value.partition('.')[2]}-unknown"
            return [exceptions.met(row["event_id"], row["device_id"], reason, event.recorded_at)]
        row["parcel_id"] = row["new_parcel_id"]
        row["tracking_number"] = named.tracking_number
    actor = f"device:{row['device']}"
    data: dict[str, Any] = {"compartment": named.compartment or row["own_number"]}
    if photo:
        data["photo"] = photo
    if step is Step.COLLECTED:
        by, step = _who(event, row, at)
        data["by"] = by
    said = Said(actor, at, event.recorded_at, row["event_id"])
    return custody.happens(row, Happening(step, at), said, ours, **data)


def _who(event: Event, row: Row, at: datetime) -> tuple[str, Step]:
    """Whose code had opened the door; what staff or a courier takes out was not collected."""
    opened_by, opened_at = row["opened_by"], row["opened_at"]
    if opened_by is None or not timedelta(0) <= at - opened_at <= custody.STILL_OPEN:
        return "offline" if event.history else "unknown", Step.COLLECTED
    return opened_by, Step.RECLAIMED if opened_by in {STAFF, "courier"} else Step.COLLECTED


def _reclaimable(row: Row) -> bool:
    phase = Phase(row["phase"])
    return phase in INSIDE or phase is Phase.EXCEPTION


def _told(action: str, reason: str, number: int | None) -> dict[str, Any]:
    decision = {"action": action, "reason": reason, "compartment": number}
    return decision | texts.said(reason, number)
