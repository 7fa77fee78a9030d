"""The ceilings over HTTP: Flask with nothing around it, on the flags of the shipped server.

`POST /fixed` answers always the same; `POST /entry` parses the event, calls the one SQL
function of entry.sql on its thread's own connection, and answers what that returns.
"""

import hashlib
import os
import threading
from typing import Any

import psycopg
from flask import Flask, request
from psycopg.types.json import Jsonb

app = Flask(__name__)
mine = threading.local()

FIXED = {
    "event_id": "e-00000",
    "duplicate": False,
    "recorded_at": "2026-01-01T00:00:00+00:00",
    "decision": {"action": "open", "reason": "walk-in", "stay_id": 1, "space": "L01-001"},
}

ENTRY = "SELECT bench_entry(%s, %s, %s::timestamptz, %s, %s, %s, %s)"


@app.post("/fixed")
def fixed() -> dict[str, Any]:
    """Always the same."""
    return FIXED


@app.post("/entry")
def entry() -> dict[str, Any]:
    """A walk-in entry, trusting the sender to be well-behaved."""
    said = request.get_json()
    token = request.headers["Authorization"].removeprefix("Bearer ")
    data = said["data"]
    values = (
        hashlib.sha256(token.encode()).digest(),
        said["event_id"],
        said["occurred_at"],
        request.get_data(),
        Jsonb(data),
        data["plate"],
        data["plate_color"],
    )
    row = _connection().execute(ENTRY, values).fetchone()
    assert row is not None
    answer: dict[str, Any] = row[0]
    return answer


def _connection() -> psycopg.Connection[tuple[Any, ...]]:
    if not hasattr(mine, "connection"):
        mine.connection = psycopg.connect(os.environ["BENCH_DATABASE"], autocommit=True)
    connection: psycopg.Connection[tuple[Any, ...]] = mine.connection
    return connection
