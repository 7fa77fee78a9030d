"""`Idempotency-Key`: a request sent twice has one effect and one answer.

The key's row is written in the transaction of the effect itself: both stand or neither does.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, cast

from flask import Response, jsonify, request
from sqlalchemy import CursorResult, DateTime, LargeBinary, String, delete, func, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, Session, mapped_column

from core.db import Base, atomic
from core.errors import Problem

LONGEST_KEY = 128
KEPT = timedelta(days=7)


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
    key = request.headers.get("Idempotency-Key", "")
    if not (0 < len(key) <= LONGEST_KEY and key.isprintable() and key.isascii()):
        detail = f"Send an Idempotency-Key header of 1 to {LONGEST_KEY} printable characters."
        raise Problem(400, "idempotency-key-required", detail)
    fingerprint = _fingerprint(body)
    answer, replayed = atomic(_once, caller, key, fingerprint, status, effect)
    response = jsonify(answer)
    response.status_code = status
    if replayed:
        response.headers["Idempotency-Replayed"] = "true"
    return response


def _once(
    session: Session,
    caller: str,
    key: str,
    fingerprint: bytes,
    status: int,
    effect: Callable[[Session], dict[str, Any]],
) -> tuple[dict[str, Any], bool]:
    lock = func.pg_try_advisory_xact_lock(func.hashtextextended(f"{caller}\n{key}", 0))
    if not session.scalar(select(lock)):
        raise Problem(409, "still-running", "The first request with this key is still running.")
    seen = session.get(IdempotentRequest, (caller, key))
    if seen is None:
        answer = effect(session)
        session.add(
            IdempotentRequest(
                caller=caller, key=key, fingerprint=fingerprint, status=status, answer=answer
            )
        )
        return answer, False
    if seen.fingerprint != fingerprint:
        detail = "This Idempotency-Key came before with another request."
        raise Problem(422, "idempotency-key-reused", detail)
    return seen.answer, True


def _fingerprint(body: Mapping[str, Any]) -> bytes:
    said = json.dumps([request.method, request.path, body], sort_keys=True, default=str)
    return hashlib.sha256(said.encode()).digest()


def forget_before(session: Session, now: datetime) -> int:
    """Drop answers older than a week; returns how many."""
    old = delete(IdempotentRequest).where(IdempotentRequest.recorded_at < now - KEPT)
    return cast("CursorResult[Any]", session.execute(old)).rowcount
