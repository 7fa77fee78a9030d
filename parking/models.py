"""Tables: lots and spaces, who may park, what was observed, and what it costs."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

Instant = DateTime(timezone=True)


class Lot(Base):
    """A garage or a rack."""

    __tablename__ = "lot"
    __table_args__ = (CheckConstraint("kind IN ('car', 'ebike')", name="kind"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str]
    kind: Mapped[str]
    takes_walk_ins: Mapped[bool] = mapped_column(server_default=text("true"))


class Space(Base):
    """The place of one vehicle; without an owner it belongs to the community."""

    __tablename__ = "space"
    __table_args__ = (Index(None, "lot_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    code: Mapped[str] = mapped_column(String, unique=True)
    owner_household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    in_service: Mapped[bool] = mapped_column(server_default=text("true"))


class Tariff(Base):
    """One version of a lot's price rules, in force from `valid_from`. Never edited."""

    __tablename__ = "tariff"
    __table_args__ = (
        UniqueConstraint("lot_id", "version"),
        UniqueConstraint("lot_id", "valid_from"),
        CheckConstraint("version > 0", name="version"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    version: Mapped[int]
    valid_from: Mapped[datetime] = mapped_column(Instant)
    rules: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Vehicle(Base):
    """A household's vehicle: its stays are theirs to see and its fees may use their balance."""

    __tablename__ = "vehicle"
    __table_args__ = (UniqueConstraint("plate", "plate_color"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    plate: Mapped[str]
    plate_color: Mapped[str]
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"), index=True)


class Permit(Base):
    """Standing right of a plate in a lot, `[starts_at, ends_at)`; perhaps to one fixed space."""

    __tablename__ = "permit"
    __table_args__ = (
        CheckConstraint("kind IN ('resident', 'monthly', 'staff')", name="kind"),
        CheckConstraint("starts_at < ends_at", name="order"),
        Index(None, "lot_id", "plate"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    kind: Mapped[str]
    plate: Mapped[str]
    plate_color: Mapped[str]
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)


class BlockedPlate(Base):
    """A plate the gate must not let in."""

    __tablename__ = "blocked_plate"

    plate: Mapped[str] = mapped_column(String, primary_key=True)
    reason: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())


class Stay(Base):
    """Observed entry → exit of one vehicle, priced by the tariff in force when it began.

    `entry-missing`: only the exit was seen so far; `exit-missing`: the vehicle came again
    before its exit was seen.
    """

    __tablename__ = "stay"
    __table_args__ = (
        CheckConstraint("entered_at <= exited_at", name="order"),
        CheckConstraint(
            "(status = 'open' AND entered_at IS NOT NULL AND exited_at IS NULL)"
            " OR (status = 'closed' AND entered_at IS NOT NULL AND exited_at IS NOT NULL)"
            " OR (status = 'entry-missing' AND entered_at IS NULL AND exited_at IS NOT NULL)"
            " OR (status = 'exit-missing' AND entered_at IS NOT NULL AND exited_at IS NULL)",
            name="status",
        ),
        CheckConstraint("\"right\" IN ('walk-in', 'permit', 'booking')", name="right"),
        CheckConstraint("(status = 'closed') = (fee_fen IS NOT NULL)", name="closed_has_fee"),
        CheckConstraint("fee_fen >= 0", name="fee"),
        CheckConstraint(
            "(closed_by IS NULL) = (close_reason IS NULL)", name="closed_by_hand_with_reason"
        ),
        Index(
            "uq_stay_open",
            "lot_id",
            "plate",
            "plate_color",
            unique=True,
            postgresql_where=text("status = 'open'"),
        ),
        Index("ix_stay_plate_entered_at", "plate", "entered_at"),
        Index("ix_stay_plate_exited_at", "plate", "exited_at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    plate: Mapped[str]
    plate_color: Mapped[str]
    status: Mapped[str]
    right: Mapped[str]
    entered_at: Mapped[datetime | None] = mapped_column(Instant)
    exited_at: Mapped[datetime | None] = mapped_column(Instant)
    entry_event_id: Mapped[int | None] = mapped_column(ForeignKey("device_event.id"))
    exit_event_id: Mapped[int | None] = mapped_column(ForeignKey("device_event.id"))
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"))
    permit_id: Mapped[int | None] = mapped_column(ForeignKey("permit.id"))
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), index=True)
    closed_by: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), comment="the operator, when no camera saw the exit"
    )
    close_reason: Mapped[str | None]
    fee_fen: Mapped[int | None] = mapped_column(BigInteger, comment="final fee, once closed")


class SpaceClaim(Base):
    """A space is held for a time, by a stay or (later) a booking.

    The exclusion constraint is invariant 1: no two live claims hold one space at one instant.
    """

    __tablename__ = "space_claim"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    stay_id: Mapped[int] = mapped_column(ForeignKey("stay.id"), unique=True)
    live: Mapped[bool] = mapped_column(server_default=text("true"))

    __table_args__ = (
        ExcludeConstraint(
            (func.int8range(literal_column("space_id"), literal_column("space_id"), "[]"), "&&"),
            ("during", "&&"),
            name="ex_space_claim_one_at_a_time",
            using="gist",
            where=text("live"),
        ),
        CheckConstraint("NOT isempty(during)", name="during"),
        Index("ix_space_claim_live", "lot_id", "space_id", postgresql_where=text("live")),
    )
