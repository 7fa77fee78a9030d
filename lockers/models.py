"""Tables: cabinets and compartments, parcels and what happened to them, and their pickup codes."""

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
    SmallInteger,
    String,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from lockers.lifecycle import ENDED, Phase
from storage.rules import SITES

Instant = DateTime(timezone=True)

FREE, HELD, OPEN, OCCUPIED = "free", "held", "open", "occupied"
NEEDS_CHECK, BLOCKED = "needs_check", "blocked"
STATES = (FREE, HELD, OPEN, OCCUPIED, NEEDS_CHECK, BLOCKED)
_ENDED = ", ".join(f"'{phase}'" for phase in sorted(ENDED))


class Cabinet(Base):
    """A parcel locker; its device speaks for it."""

    __tablename__ = "cabinet"
    __table_args__ = (
        CheckConstraint(f"site IN {SITES}", name="site"),
        CheckConstraint("low_rows >= 0", name="low_rows"),
        Index("uq_cabinet_public_key", text("(public_key ->> 'x')"), unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String, unique=True)
    name: Mapped[str]
    address: Mapped[str | None] = mapped_column(String(128), comment="where to find it")
    device_id: Mapped[int] = mapped_column(ForeignKey("device.id"), unique=True)
    site: Mapped[str] = mapped_column(String(16), server_default="residential")
    low_rows: Mapped[int] = mapped_column(
        SmallInteger, server_default="2", comment="rows from the ground that count as low doors"
    )
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    audited_at: Mapped[datetime] = mapped_column(
        Instant,
        server_default=func.now(),
        comment="when somebody last walked along its doors with the worksheet",
    )
    cameras_down_at: Mapped[datetime | None] = mapped_column(Instant)
    guesses: Mapped[int] = mapped_column(
        server_default="0", comment="wrong codes entered since guesses_since"
    )
    guesses_since: Mapped[datetime | None] = mapped_column(Instant)
    slow_until: Mapped[datetime | None] = mapped_column(
        Instant, comment="no code is looked at before"
    )
    public_key: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="its key (JWK): offline lists are encrypted to it"
    )


class Compartment(Base):
    """One door of a cabinet and what is behind it; row 1 is the lowest."""

    __tablename__ = "compartment"
    __table_args__ = (
        UniqueConstraint("cabinet_id", "number"),
        CheckConstraint("size IN ('S', 'M', 'L')", name="size"),
        CheckConstraint('number > 0 AND "row" > 0', name="place"),
        CheckConstraint(f"state IN {STATES}", name="state"),
        CheckConstraint("state <> 'free' OR parcel_id IS NULL", name="free_is_empty"),
        CheckConstraint(
            "state NOT IN ('held', 'occupied') OR parcel_id IS NOT NULL", name="taken_by_a_parcel"
        ),
        CheckConstraint("state <> 'held' OR hold_until IS NOT NULL", name="hold_ends"),
        CheckConstraint("hold_until IS NULL OR parcel_id IS NOT NULL", name="held_for_a_parcel"),
        CheckConstraint("sensor IN ('empty', 'occupied')", name="sensor"),
        Index(
            "uq_compartment_parcel_id",
            "parcel_id",
            unique=True,
            postgresql_where="parcel_id IS NOT NULL",
        ),
        Index("ix_compartment_free", "cabinet_id", postgresql_where="state = 'free'"),
        Index("ix_compartment_hold_until", "hold_until", postgresql_where="hold_until IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    cabinet_id: Mapped[int] = mapped_column(ForeignKey("cabinet.id"))
    number: Mapped[int]
    size: Mapped[str]
    row: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), server_default="free")
    parcel_id: Mapped[int | None] = mapped_column(
        ForeignKey("parcel.id", use_alter=True), comment="whose door it is while held or inside"
    )
    hold_until: Mapped[datetime | None] = mapped_column(Instant)
    reason: Mapped[str | None] = mapped_column(String(200), comment="why blocked or to be checked")
    sensor: Mapped[str | None] = mapped_column(String(16))
    sensor_at: Mapped[datetime | None] = mapped_column(Instant)


class Parcel(Base):
    """One parcel at one cabinet; its phase is what its events say (lifecycle.py)."""

    __tablename__ = "parcel"
    __table_args__ = (
        CheckConstraint(f"phase IN {tuple(str(phase) for phase in Phase)}", name="phase"),
        CheckConstraint("size IN ('S', 'M', 'L')", name="size"),
        CheckConstraint("(phase = 'exception') = (reason IS NOT NULL)", name="reason"),
        CheckConstraint("fee_fen >= 0 AND deposit_fee_fen >= 0", name="fee"),
        Index(
            "uq_parcel_waybill",
            "courier_id",
            "tracking_number",
            unique=True,
            postgresql_where=f"phase NOT IN ({_ENDED})",
        ),
        Index("ix_parcel_tracking_number", "tracking_number"),
        Index("ix_parcel_recipient_id", "recipient_id", "id"),
        Index("ix_parcel_household_id", "household_id", "id"),
        Index("ix_parcel_courier_id_deposited_at", "courier_id", "deposited_at"),
        Index(
            "ix_parcel_compartment_id",
            "compartment_id",
            text("coalesce(reserved_at, recorded_at)"),
            "id",
        ),
        Index("ix_parcel_reserved", "company", postgresql_where="phase = 'reserved'"),
        Index("ix_parcel_due_at", "due_at", postgresql_where="due_at IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    cabinet_id: Mapped[int | None] = mapped_column(
        ForeignKey("cabinet.id"), comment="null while only expected"
    )
    compartment_id: Mapped[int | None] = mapped_column(
        ForeignKey("compartment.id"), comment="the last place it had"
    )
    tracking_number: Mapped[str] = mapped_column(String(64))
    courier_id: Mapped[int | None] = mapped_column(ForeignKey("courier.id"))
    company: Mapped[str | None] = mapped_column(
        ForeignKey("party.code"), comment="who pays for the deposit, as of the hold"
    )
    recipient_phone: Mapped[str | None] = mapped_column(String(11))
    recipient_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    size: Mapped[str | None] = mapped_column(String(1))
    delicate: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="fresh or valuable: always ask"
    )
    wanted: Mapped[bool | None] = mapped_column(
        comment="what the recipient said of this very parcel before it came"
    )
    consent: Mapped[str | None] = mapped_column(String(16), comment="what the deposit rests on")
    phase: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32), comment="of an exception")
    terms_id: Mapped[int | None] = mapped_column(ForeignKey("locker_terms.id"))
    member: Mapped[bool] = mapped_column(server_default=text("false"))
    extra_free_hours: Mapped[int] = mapped_column(server_default="0")
    reserved_at: Mapped[datetime | None] = mapped_column(Instant)
    deposited_at: Mapped[datetime | None] = mapped_column(Instant)
    deposit_fee_fen: Mapped[int | None] = mapped_column(
        BigInteger, comment="what the company of the courier pays for the deposit"
    )
    free_until: Mapped[datetime | None] = mapped_column(Instant)
    opened_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="when a code last opened its door"
    )
    opened_by: Mapped[str | None] = mapped_column(String(16), comment="whose code that was")
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    fee_fen: Mapped[int | None] = mapped_column(
        BigInteger, comment="what storage cost, once collected"
    )
    due_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="when a sweep has something to do for it"
    )
    reminded: Mapped[str | None] = mapped_column(String(16))
    reminded_at: Mapped[datetime | None] = mapped_column(Instant)
    reclaim_asked_at: Mapped[datetime | None] = mapped_column(Instant)
    removal_asked_at: Mapped[datetime | None] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class ParcelEvent(Base):
    """One thing that happened to a parcel; a chain of hashes, only ever added to.

    A trigger gives each its place and its hash over the one before.
    """

    __tablename__ = "parcel_event"
    __table_args__ = (UniqueConstraint("parcel_id", "seq"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcel.id"))
    seq: Mapped[int]
    type: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(80))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    event_id: Mapped[int | None] = mapped_column(BigInteger, comment="the device event behind it")
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)
    previous_hash: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class CompartmentEvent(Base):
    """One thing that happened to a door, whatever was behind it; only ever added to."""

    __tablename__ = "compartment_event"
    __table_args__ = (Index(None, "compartment_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    compartment_id: Mapped[int] = mapped_column(ForeignKey("compartment.id"))
    type: Mapped[str] = mapped_column(String(32))
    actor: Mapped[str] = mapped_column(String(80))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    event_id: Mapped[int | None] = mapped_column(BigInteger)
    data: Mapped[dict[str, Any]] = mapped_column(JSONB)


class PickupCode(Base):
    """A code that opens one parcel's door: found by a keyed digest, shown from a sealed copy.

    Kinds: the recipient's, a delegate's by name, and staff's, with a reason, to open by hand.
    """

    __tablename__ = "pickup_code"
    __table_args__ = (
        CheckConstraint("kind IN ('recipient', 'delegate', 'staff')", name="kind"),
        CheckConstraint("(kind = 'recipient') = (name IS NULL)", name="name"),
        CheckConstraint("kind = 'recipient' OR expires_at IS NOT NULL", name="expires"),
        CheckConstraint("(ended_at IS NULL) = (ended_reason IS NULL)", name="ended"),
        CheckConstraint("ended_at IS NULL OR sealed IS NULL", name="erased_when_over"),
        Index(
            "uq_pickup_code_digest",
            "cabinet_id",
            "digest",
            unique=True,
            postgresql_where="ended_at IS NULL",
        ),
        Index(
            "uq_pickup_code_recipient",
            "parcel_id",
            unique=True,
            postgresql_where="ended_at IS NULL AND kind = 'recipient'",
        ),
        Index(
            "ix_pickup_code_tail",
            "cabinet_id",
            "phone_tail",
            postgresql_where="ended_at IS NULL",
        ),
        Index("ix_pickup_code_parcel_id", "parcel_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    parcel_id: Mapped[int] = mapped_column(ForeignKey("parcel.id"))
    cabinet_id: Mapped[int] = mapped_column(ForeignKey("cabinet.id"))
    kind: Mapped[str] = mapped_column(String(16))
    name: Mapped[str | None] = mapped_column(String(64), comment="the delegate, or why staff opens")
    phone_tail: Mapped[str] = mapped_column(String(4))
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    sealed: Mapped[bytes | None] = mapped_column(LargeBinary)
    failures: Mapped[int] = mapped_column(server_default="0")
    locked_until: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime | None] = mapped_column(Instant)
    created_at: Mapped[datetime] = mapped_column(Instant)
    created_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_reason: Mapped[str | None] = mapped_column(String(16))
