"""What every message of a cabinet has in common: who speaks, and when it was."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import DictRow
from structlog.contextvars import bind_contextvars

from core.db import Connection, Statement, send
from core.errors import Problem
from core.metrics import DECISIONS
from devices import events
from devices.events import Event, Receipt
from devices.registry import unknown_device

Row = Mapping[str, Any]

HEARD = "UPDATE device SET last_seen_at = greatest(last_seen_at, %(at)s) WHERE id = %(device)s"


def known_cabinet(row: DictRow | None) -> DictRow:
    """The row of a look; Problem 401 for an unknown token, 403 for a device that is no cabinet."""
    if row is None:
        raise unknown_device()
    if row["cabinet_id"] is None:
        raise Problem(403, "no-cabinet", "This device is no parcel cabinet.")
    return row


def when(event: Event, row: Row) -> datetime:
    """When it happened: where the cabinet's clock is known to be off, what it tells of the past is
    moved by as much, so that it stands in its place among what we heard at once.
    """
    off = row["clock_off_seconds"]
    if off is None or not event.history:
        return events.when(event, row)
    return min(event.occurred_at + timedelta(seconds=off), event.recorded_at)


def book(
    connection: Connection,
    event: Event,
    row: Row,
    answer: dict[str, Any] | None,
    statements: Iterable[Statement],
) -> None:
    """Write the event with its answer and what follows, and that the cabinet was heard."""
    heard = (HEARD, {"device": row["device_id"], "at": event.recorded_at})
    send(connection, [*events.written(event, row, answer, statements), heard])


def decided(
    connection: Connection,
    event: Event,
    row: Row,
    answer: dict[str, Any],
    statements: Iterable[Statement],
) -> Receipt:
    """Book the decision a cabinet asked for, count it by its reason, and hand it back."""
    book(connection, event, row, answer, statements)
    DECISIONS.labels(event.type, answer["action"], answer["reason"]).inc()
    bind_contextvars(device=row["device"], reason=answer["reason"])
    return Receipt(event.key, False, event.recorded_at, answer)
