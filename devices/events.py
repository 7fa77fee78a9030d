"""What a device said, in our words, and how it enters the event log."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import Statement, driver, send
from core.errors import Problem
from devices.models import Device, DeviceEvent

STALE = timedelta(minutes=2)
"""An event older than this, or from further in the future, is history and never opens."""

REPEAT = timedelta(seconds=10)
"""A repeat within this time is the sender's retry and gets the same answer."""

CLOCK_TOLERANCE_SECONDS = 30
"""A clock further off than this is shown to operators, and its events are priced by ours."""

OLDEST = timedelta(days=400)
NEWEST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Event:
    """One event: the device's own key and time, our time, its content and its raw body."""

    key: str
    type: str
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any]
    raw: bytes
    replayed: bool = False
    history: bool = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "history", self.replayed or self.late)

    @property
    def late(self) -> bool:
        """Too old, or too far in the future, to be obeyed."""
        return abs(self.recorded_at - self.occurred_at) > STALE

    @property
    def on_time(self) -> bool:
        """Whether the device's clock agrees with ours."""
        return abs(self.behind_seconds) <= CLOCK_TOLERANCE_SECONDS

    @property
    def behind_seconds(self) -> int:
        """How far the device's clock seems to be behind ours, in whole seconds."""
        return (self.recorded_at - self.occurred_at) // timedelta(seconds=1)

    @property
    def at(self) -> datetime:
        """When it happened, by the device's clock, or by ours when that clock runs ahead."""
        return min(self.occurred_at, self.recorded_at)


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the sender is told: whether we had it, since when, and the decision."""

    key: str
    duplicate: bool
    recorded_at: datetime
    decision: dict[str, Any] | None
    display: str = "none"


def plausible(occurred_at: datetime, now: datetime) -> bool:
    """Whether a clock can have said this: not older than 400 days, not beyond tomorrow."""
    return now - OLDEST <= occurred_at <= now + NEWEST


def repeat(event: Event, seen_type: str, seen_data: dict[str, Any] | None) -> None:
    """Refuse a key that comes again with other content: Problem 409."""
    if seen_type != event.type or (seen_data is not None and seen_data != event.data):
        detail = "This event_id came before with another content."
        raise Problem(409, "event-id-reused", detail)


def again(event: Event, row: Mapping[str, Any], history: dict[str, Any]) -> Receipt:
    """What a device is told that says something again; Problem 409 when it says something else.

    `row` has what was seen (`seen_type`, `seen_data`, `seen_at`, `seen_answer`). A repeat within
    10 s is the sender's retry and gets its answer; later, and as a replay, it is told `history`,
    for an old "open" answered again would open now.
    """
    repeat(event, row["seen_type"], row["seen_data"])
    fresh = not event.replayed and event.recorded_at - row["seen_at"] <= REPEAT
    decision = row["seen_answer"]
    if decision and not fresh:
        decision = history
    return Receipt(event.key, True, row["seen_at"], decision, row.get("display") or "none")


def recorded(
    event: Event, event_id: int | None, device_id: int, answer: dict[str, Any] | None
) -> Statement:
    """The statement that writes an event with its answer; without an id it takes the next."""
    return RECORD, {
        "id": event_id,
        "device": device_id,
        "key": event.key,
        "type": event.type,
        "occurred": event.occurred_at,
        "recorded": event.recorded_at,
        "history": event.history,
        "raw": event.raw,
        "data": json.dumps(event.data, ensure_ascii=False),
        "answer": None if answer is None else json.dumps(answer, ensure_ascii=False),
    }


RECORD = """
INSERT INTO device_event
    (id, device_id, event_key, type, occurred_at, recorded_at, history, raw, data, answer)
VALUES (coalesce(%(id)s::bigint, nextval('device_event_id_seq')), %(device)s, %(key)s, %(type)s,
        %(occurred)s, %(recorded)s, %(history)s, %(raw)s, %(data)s, %(answer)s)
"""


def written(
    event: Event,
    row: Mapping[str, Any],
    answer: dict[str, Any] | None,
    statements: Iterable[Statement],
) -> list[Statement]:
    """An event with its answer and what follows from it; first the event, for cases name it."""
    said = recorded(event, row["event_id"], row["device_id"], answer)
    return [said, *statements, *clock_noted(event, row)]


def when(event: Event, row: Mapping[str, Any]) -> datetime:
    """A device whose clock is known to be off is priced by ours, unless it tells the past."""
    clock_off = row["clock_off_seconds"] is not None and not event.history
    return event.recorded_at if clock_off else event.at


def clock_noted(event: Event, row: Mapping[str, Any]) -> list[Statement]:
    """A clock that is off is shown to operators, once; a right one is forgiven."""
    if event.replayed:
        return []
    values = {"event": row["event_id"], "device": row["device_id"], "at": event.recorded_at}
    if event.late:
        return [(CLOCK, values | {"off": event.behind_seconds}), (CLOCK_CASE, values)]
    forgiven = row["clock_off_seconds"] is not None and event.on_time
    return [(CLOCK, values | {"off": None})] if forgiven else []


CLOCK = "UPDATE device SET clock_off_seconds = %(off)s WHERE id = %(device)s"

CLOCK_CASE = """
INSERT INTO exception_case (event_id, device_id, reason, raised_at)
SELECT %(event)s, %(device)s, 'device-clock', %(at)s
WHERE NOT EXISTS (SELECT FROM exception_case
                  WHERE device_id = %(device)s AND reason = 'device-clock'
                    AND resolved_at IS NULL)
"""


def heartbeat(session: Session, device: Device, event: Event) -> Receipt:
    """Note that a device lives and how far its clock is off; the same beat twice is one."""
    seen = session.scalar(
        select(DeviceEvent).where(
            DeviceEvent.device_id == device.id, DeviceEvent.event_key == event.key
        )
    )
    if seen:
        repeat(event, seen.type, seen.data)
        return Receipt(event.key, True, seen.recorded_at, None)
    send(
        driver(session), [(ALIVE, _alive(device.id, event)), recorded(event, None, device.id, None)]
    )
    return Receipt(event.key, False, event.recorded_at, None)


def _alive(device_id: int, event: Event) -> dict[str, Any]:
    return {
        "device": device_id,
        "at": event.recorded_at,
        "off": None if event.on_time else event.behind_seconds,
    }


ALIVE = """
UPDATE device SET last_seen_at = greatest(last_seen_at, %(at)s), clock_off_seconds = %(off)s
WHERE id = %(device)s
"""
