"""`Idempotency-Key`: a request sent twice has one effect and one answer.

The key's row is written in the transaction of the effect itself: both stand or neither does.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Response, jsonify, request
from psycopg.types.json import Jsonb
from sqlalchemy import CursorResult, DateTime, LargeBinary, String, delete, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, Connection, atomic, driver, fetch_row, pipeline, send, swift
from core.errors import Problem

LONGEST_KEY = 128
ONCE = [
    {
        "in": "header",
        "name": "Idempotency-Key",
        "required": True,
        "schema": {"type": "string", "maxLength": LONGEST_KEY},
    }
]
"""The header in the OpenAPI page of a route that asks for a key."""
KEPT = timedelta(days=7)


# Whoever has the lock but reads from before the last holder's commit meets the key when writing,
# and is run again.
SEEN = """
SELECT pg_try_advisory_xact_lock(hashtextextended(%(caller)s || chr(10) || %(key)s, 0)) AS mine,
    seen.fingerprint, seen.answer
FROM (VALUES (1)) one
LEFT JOIN idempotent_request seen ON seen.caller = %(caller)s AND seen.key = %(key)s
"""
NOTE = """
INSERT INTO idempotent_request (caller, key, fingerprint, status, answer)
VALUES (%(caller)s, %(key)s, %(fingerprint)s, %(status)s, %(answer)s)
"""


class IdempotentRequest(Base):
    """One request that was carried out, its fingerprint and its answer."""

    __tablename__ = "idempotent_request"

    caller: Mapped[str] = mapped_column(String, primary_key=True)
    key: Mapped[str] = mapped_column(String(LONGEST_KEY), primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    answer: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )


def once(
    caller: str, body: Mapping[str, Any], status: int, effect: Callable[[Session], dict[str, Any]]
) -> Response:
    """Carry out `effect` once per (caller, Idempotency-Key) and answer its JSON with `status`.

    400 without a key; 422 when the key came with another request; 409 while the first is
    still running; a repeat gets the first answer with `Idempotency-Replayed: true`.
    """
    key = _key()
    fingerprint = _fingerprint(body)

    def carried_out(session: Session) -> tuple[dict[str, Any], bool]:
        ours = driver(session)
        return carried_out_once(ours, caller, key, fingerprint, status, lambda _: effect(session))

    return _answered(*atomic(carried_out), status)


def swiftly_once(
    caller: str,
    body: Mapping[str, Any],
    status: int,
    effect: Callable[[Connection], dict[str, Any]],
) -> Response:
    """`once` for an effect that speaks plain SQL; see `core.db.swift`."""
    key = _key()
    told, replayed = swift(carried_out_once, caller, key, _fingerprint(body), status, effect)
    return _answered(told, replayed, status)


def _answered(answer: dict[str, Any], replayed: bool, status: int) -> Response:
    response = jsonify(answer)
    response.status_code = status
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _key() -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not (0 < len(key) <= LONGEST_KEY and key.isprintable() and key.isascii()):
        detail = f"Send an Idempotency-Key header of 1 to {LONGEST_KEY} printable characters."
        raise Problem(400, "idempotency-key-required", detail)
    return key


def carried_out_once(
    connection: Connection,
    caller: str,
    key: str,
    fingerprint: bytes,
    status: int,
    effect: Callable[[Connection], dict[str, Any]],
) -> tuple[dict[str, Any], bool]:
    """The answer of `effect`, or of the first request of that key; and whether it is a repeat.

    Problem 409 while the first is still running, 422 when the key came with another request.
    """
    wanted = {"caller": caller, "key": key}
    with pipeline(connection):
        row = fetch_row(connection, (SEEN, wanted)) or {}
    if not row["mine"]:
        raise Problem(409, "still-running", "The first request with this key is still running.")
    if row["fingerprint"] is None:
        answer = effect(connection)
        noted = {"fingerprint": fingerprint, "status": status, "answer": Jsonb(answer)}
        send(connection, [(NOTE, wanted | noted)])
        return answer, False
    if row["fingerprint"] != fingerprint:
        detail = "This Idempotency-Key came before with another request."
        raise Problem(422, "idempotency-key-reused", detail)
    return row["answer"], True


def _fingerprint(body: Mapping[str, Any]) -> bytes:
    said = json.dumps([request.method, request.path, body], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).digest()


def forget_before(session: Session, now: datetime) -> int:
    """Drop answers older than a week; returns how many."""
    old = delete(IdempotentRequest).where(IdempotentRequest.recorded_at < now - KEPT)
    return cast("CursorResult[Any]", session.execute(old)).rowcount
