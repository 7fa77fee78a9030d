"""Devices and their credentials: a random token, kept only as a digest."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from core.errors import Problem, not_found
from devices.models import Device, Lane

GRACE = timedelta(days=1)
"""How long the old token still works after a rotation, so that nobody has to hurry."""

HEARD = """
    d.id AS device_id, d.code AS device, d.kind AS device_kind, d.display, d.clock_off_seconds,
    seen.type AS seen_type, seen.data AS seen_data, seen.answer AS seen_answer,
    seen.recorded_at AS seen_at, nextval('device_event_id_seq') AS event_id
"""
"""What a look asks of a device `d`, and of the event `seen` that came before with the same key."""

KNOWN = """
WHERE d.active AND (
    d.token_digest = %(digest)s
    OR (d.previous_token_digest = %(digest)s AND d.previous_token_until > %(now)s)
)
"""
"""`authenticate` as the condition of a look at everything about a device `d`."""


def digest(token: str) -> bytes:
    """What is stored of a token (32 random bytes need no slow hash)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Issued:
    """A device and the only sight of its token."""

    device: Device
    token: str


def register(
    session: Session,
    *,
    code: str,
    serial: str,
    kind: str,
    lane: str | None = None,
    display: str = "none",
) -> Issued:
    """Add a device; raises Problem 404 for an unknown lane."""
    token = secrets.token_urlsafe(32)
    lane_id = _lane_id(session, lane) if lane else None
    device = Device(
        code=code,
        serial=serial,
        kind=kind,
        lane_id=lane_id,
        display=display,
        token_digest=digest(token),
    )
    session.add(device)
    session.flush()
    return Issued(device, token)


def rotate(session: Session, code: str, now: datetime) -> Issued:
    """Give a device a new token; the old one works for a day more, an older one no longer."""
    device = session.scalar(select(Device).where(Device.code == code).with_for_update())
    if device is None:
        raise not_found("device")
    token = secrets.token_urlsafe(32)
    device.previous_token_digest = device.token_digest
    device.previous_token_until = now + GRACE
    device.token_digest = digest(token)
    session.flush()
    return Issued(device, token)


def authenticate(session: Session, token: str, now: datetime) -> Device:
    """The active device this token belongs to; raises Problem 401."""
    token_digest = digest(token)
    device = session.scalar(
        select(Device).where(
            Device.active,
            or_(
                Device.token_digest == token_digest,
                (Device.previous_token_digest == token_digest)
                & (Device.previous_token_until > now),
            ),
        )
    )
    if device is None:
        raise unknown_device()
    return device


def unknown_device() -> Problem:
    """401 for a token that is wrong, expired or of a retired device."""
    return Problem(
        401,
        "unauthorized",
        "This device token is not valid.",
        headers={"WWW-Authenticate": "Bearer"},
    )


def _lane_id(session: Session, code: str) -> int:
    lane_id = session.scalar(select(Lane.id).where(Lane.code == code))
    if lane_id is None:
        raise not_found("lane")
    return lane_id
