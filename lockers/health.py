"""Whether a cabinet is heard: online, late or offline. Pure."""

from datetime import datetime, timedelta
from typing import Literal

from storage.rules import LockerRules

Health = Literal["online", "late", "offline"]


def health_of(last_seen_at: datetime | None, now: datetime, rules: LockerRules) -> Health:
    """How a cabinet is, last heard at an instant or never.

    Late after `heartbeat_seconds` of silence, offline `grace_seconds` later, as the rules say.
    """
    if last_seen_at is None:
        return "offline"
    silent = now - last_seen_at
    late = timedelta(seconds=rules.heartbeat_seconds)
    if silent <= late:
        return "online"
    return "late" if silent <= late + timedelta(seconds=rules.grace_seconds) else "offline"
