"""Reading a device's message in the contract's JSON, whatever kind of device it is."""

from datetime import datetime
from typing import Any

import marshmallow as ma

from core.errors import Problem
from core.http import mend
from devices.events import Event

Said = dict[str, Any]
"""One event as its sender said it, checked by EventSchema."""


def load(schema: ma.Schema, value: Any, within: str = "") -> dict[str, Any]:
    """Validate by a schema; raises Problem 422 naming the fields."""
    try:
        loaded: dict[str, Any] = schema.load(value)
    except ma.ValidationError as error:
        errors = {mend(f"{within}{name}"): rule for name, rule in error.messages_dict.items()}
        raise Problem(422, "invalid", "The request breaks a rule.", errors=errors) from error
    return loaded


def event_of(said: Said, data: dict[str, Any], raw: bytes, now: datetime) -> Event:
    """The event for the log; `replayed` is not of its content but says how it came."""
    return Event(
        key=said["event_id"],
        type=said["type"],
        occurred_at=said["occurred_at"],
        recorded_at=now,
        data={name: value for name, value in data.items() if name != "replayed"},
        raw=raw,
        replayed=data.get("replayed") is True,
    )
