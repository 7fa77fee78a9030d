"""Tables: lanes, devices, what devices said, and what needs a person's eye."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

Instant = DateTime(timezone=True)


class Lane(Base):
    """Where vehicles pass: one direction of one lot's entrance."""

    __tablename__ = "lane"
    __table_args__ = (CheckConstraint("direction IN ('entry', 'exit')", name="direction"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str]
    direction: Mapped[str]
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))


class Device(Base):
    """A camera, dock or cabinet. Its token is stored only as a SHA-256 digest."""

    __tablename__ = "device"
    __table_args__ = (
        CheckConstraint("kind IN ('camera', 'dock', 'cabinet')", name="kind"),
        CheckConstraint("display IN ('none', 'led-485', 'tts')", name="display"),
        CheckConstraint(
            "(previous_token_digest IS NULL) = (previous_token_until IS NULL)", name="grace"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String, unique=True)
    serial: Mapped[str] = mapped_column(String, unique=True)
    kind: Mapped[str]
    lane_id: Mapped[int | None] = mapped_column(ForeignKey("lane.id"))
    token_digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    previous_token_digest: Mapped[bytes | None] = mapped_column(LargeBinary, unique=True)
    previous_token_until: Mapped[datetime | None] = mapped_column(Instant)
    display: Mapped[str] = mapped_column(String, server_default="none")
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    last_seen_at: Mapped[datetime | None] = mapped_column(Instant)
    clock_off_seconds: Mapped[int | None] = mapped_column(
        comment="how far its clock is behind ours, when beyond tolerance"
    )


class DeviceEvent(Base):
    """One event of one device, once: what it said, when, and what we answered.

    Rows are never changed, except that pictures and personal data expire.
    """

    __tablename__ = "device_event"
    __table_args__ = (
        UniqueConstraint("device_id", "event_key"),
        Index("ix_device_event_recorded_at", "recorded_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"))
    event_key: Mapped[str]
    type: Mapped[str]
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    history: Mapped[bool] = mapped_column(comment="replayed or stale: booked, never obeyed")
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    data: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    answer: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class ExceptionCase(Base):
    """Something that an operator should look at: a device met it, or a sweep found it.

    `subject` and `subject_id` name what a sweep found it about, such as a stay or a booking.
    """

    __tablename__ = "exception_case"
    __table_args__ = (
        UniqueConstraint("event_id", "reason"),
        UniqueConstraint("subject", "subject_id", "reason"),
        CheckConstraint("(subject IS NULL) = (subject_id IS NULL)", name="subject"),
        CheckConstraint("event_id IS NOT NULL OR subject IS NOT NULL", name="about_something"),
        Index("ix_exception_case_open", "raised_at", postgresql_where=text("resolved_at IS NULL")),
        CheckConstraint(
            "(resolved_at IS NULL) = (resolution IS NULL)", name="resolved_with_reason"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    event_id: Mapped[int | None] = mapped_column(ForeignKey("device_event.id"))
    device_id: Mapped[int | None] = mapped_column(ForeignKey("device.id"))
    subject: Mapped[str | None]
    subject_id: Mapped[int | None] = mapped_column(BigInteger)
    reason: Mapped[str]
    plate: Mapped[str | None]
    raised_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    resolved_at: Mapped[datetime | None] = mapped_column(Instant)
    resolved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    resolution: Mapped[str | None]
