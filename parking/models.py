"""Tables: lots and spaces, who may park, what was observed, and what it costs."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE
from sqlalchemy.dialects.postgresql.ranges import MultiRange
from sqlalchemy.orm import Mapped, mapped_column, relationship

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


class SpaceGroup(Base):
    """Spaces side by side that fire rules count together; at most 25 e-bikes in a group.

    The trigger `group_has_room` refuses more live claims at one instant than `capacity`.
    """

    __tablename__ = "space_group"
    __table_args__ = (
        UniqueConstraint("lot_id", "code"),
        CheckConstraint("capacity BETWEEN 1 AND 25", name="capacity"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    code: Mapped[str]
    capacity: Mapped[int]


class Space(Base):
    """The place of one vehicle; without an owner it belongs to the community.

    `offered` is when it may be booked: null means always; what sharing windows and fixed-space
    permits leave of it is written there by `offers.py`.
    """

    __tablename__ = "space"
    __table_args__ = (
        Index(None, "lot_id", "id"),
        CheckConstraint("owner_household_id IS NULL OR offered IS NOT NULL", name="owner_offers"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    code: Mapped[str] = mapped_column(String, unique=True)
    owner_household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), index=True)
    in_service: Mapped[bool] = mapped_column(server_default=text("true"))
    offered: Mapped[MultiRange[datetime] | None] = mapped_column(TSTZMULTIRANGE)
    charging: Mapped[bool] = mapped_column(server_default=text("false"))
    accessible: Mapped[bool] = mapped_column(server_default=text("false"))
    building: Mapped[str | None] = mapped_column(String, comment="the building it is near")
    compartment: Mapped[str | None] = mapped_column(String, comment="fire compartment")
    group_id: Mapped[int | None] = mapped_column(ForeignKey("space_group.id"))


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
    vehicle_class: Mapped[str | None] = mapped_column(String, comment="null: by the plate")


class Permit(Base):
    """Standing right of one or more plates in a lot, `[starts_at, ends_at)`.

    With a space it is to that space alone; without, it counts `places` of the lot's capacity.
    `hours` (a list of weekly patterns) limits it to parts of the week. As many vehicles as
    `places` may be inside on it; one more may come for `swap_minutes` while another leaves.
    """

    __tablename__ = "permit"
    __table_args__ = (
        CheckConstraint("kind IN ('resident', 'monthly', 'staff')", name="kind"),
        CheckConstraint("starts_at < ends_at", name="order"),
        CheckConstraint("places BETWEEN 1 AND 1000", name="places"),
        CheckConstraint("space_id IS NULL OR places = 1", name="one_space_one_place"),
        CheckConstraint("swap_minutes BETWEEN 0 AND 1440", name="swap"),
        Index("ix_permit_floating", "lot_id", postgresql_where=text("space_id IS NULL")),
        Index("ix_permit_space_id", "space_id", postgresql_where=text("space_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    kind: Mapped[str]
    space_id: Mapped[int | None] = mapped_column(ForeignKey("space.id"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    hours: Mapped[list[dict[str, Any]] | None] = mapped_column(JSONB(none_as_null=True))
    places: Mapped[int] = mapped_column(server_default=text("1"))
    swap_minutes: Mapped[int] = mapped_column(server_default=text("0"))

    plates: Mapped[list["PermitPlate"]] = relationship(lazy="selectin", order_by="PermitPlate.id")


class PermitPlate(Base):
    """One plate of a permit."""

    __tablename__ = "permit_plate"
    __table_args__ = (UniqueConstraint("permit_id", "plate"), Index(None, "plate"))

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    permit_id: Mapped[int] = mapped_column(ForeignKey("permit.id", ondelete="CASCADE"))
    plate: Mapped[str]
    plate_color: Mapped[str]


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
        Index("uq_stay_booking_id", "booking_id", unique=True),
        Index("ix_stay_permit_id", "permit_id", postgresql_where=text("permit_id IS NOT NULL")),
        Index("ix_stay_permit_open", "permit_id", postgresql_where=text("status = 'open'")),
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
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"))
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    vehicle_class: Mapped[str] = mapped_column(String, server_default="small")
    new_energy: Mapped[bool] = mapped_column(server_default=text("false"))
    left_before_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="when this vehicle last left the lot; tariffs may ask"
    )
    swap_until: Mapped[datetime | None] = mapped_column(
        Instant, comment="came while its permit's places were taken; covered until then"
    )
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), index=True)
    closed_by: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), comment="the operator, when no camera saw the exit"
    )
    close_reason: Mapped[str | None]
    fee_fen: Mapped[int | None] = mapped_column(BigInteger, comment="final fee, once closed")


class Charging(Base):
    """Electricity one e-bike took at one spot; electricity and service are priced apart."""

    __tablename__ = "charging"
    __table_args__ = (
        CheckConstraint("started_at <= ended_at", name="order"),
        CheckConstraint("energy_wh >= 0 AND seconds >= 0", name="measured"),
        CheckConstraint("(ended_at IS NULL) = (energy_wh IS NULL)", name="ended_with_energy"),
        Index("uq_charging_open", "space_id", unique=True, postgresql_where="ended_at IS NULL"),
        Index(None, "stay_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    stay_id: Mapped[int] = mapped_column(ForeignKey("stay.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    started_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    energy_wh: Mapped[int | None] = mapped_column(BigInteger)
    seconds: Mapped[int | None]
    stop_reason: Mapped[str | None]


class CalendarDay(Base):
    """A day whose kind was decreed otherwise than the published calendar says."""

    __tablename__ = "calendar_day"
    __table_args__ = (
        CheckConstraint("kind IN ('workday', 'weekend', 'holiday', 'makeup_workday')", name="kind"),
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
