"""The events a bench sends: each connection serves two lots, each vehicle has its own plate."""

import json
from datetime import UTC, datetime
from typing import Any

from bench.garages import LOTS, SPACES, token
from bench.load import post

CONNECTIONS = 32
EACH = LOTS // CONNECTIONS
MOST = LOTS * SPACES * 3 // 4
"""Entries a round may have, so that no lot ever fills."""

EVENTS = "/api/v1/device-events"


def lists(path: str, direction: str, count: int) -> list[list[bytes]]:
    """`count` requests shared out over the connections; the same vehicles whatever the way."""
    now = datetime.now(UTC)
    return [
        [
            post(path, token(direction, lot_of(line, n)), body(direction, plate(line, n), now))
            for n in range(count // CONNECTIONS)
        ]
        for line in range(CONNECTIONS)
    ]


def lot_of(line: int, n: int) -> int:
    """The lot a connection's n-th vehicle comes to."""
    return line * EACH + n % EACH + 1


def plate(line: int, n: int) -> str:
    """The plate of a connection's n-th vehicle."""
    return f"川A{line * SPACES * EACH + n:05d}"


def body(prefix: str, read: str, at: datetime, **more: Any) -> bytes:
    """A gate.request in the neutral form; the plate makes its key."""
    data = {"plate": read, "plate_color": "blue", "confidence": 0.97, **more}
    event_id = f"{prefix}-{read[1:]}"
    said = {"event_id": event_id, "type": "gate.request", "occurred_at": at.isoformat()}
    return json.dumps({**said, "data": data}, ensure_ascii=False).encode()
