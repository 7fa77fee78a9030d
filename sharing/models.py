"""Tables of sharing: what owners offer, what residents book, who waits, and who holds a space."""

from datetime import date, datetime, time
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    String,
    Time,
    UniqueConstraint,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSTZRANGE, ExcludeConstraint, Range
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from parking.models import Instant

ACTIVE = "status IN ('confirmed', 'checked_in')"


def one_element(column: str) -> Any:
    """A number as a range of itself: for plain numbers GiST would need an extension."""
    return func.int8range(literal_column(column), literal_column(column), "[]")


class SharingWindow(Base):
    """When an owner offers a private space: weekly hours, perhaps over midnight, for some dates."""

    __tablename__ = "sharing_window"
    __table_args__ = (
        CheckConstraint("weekdays <@ '{1,2,3,4,5,6,7}' AND weekdays <> '{}'", name="weekdays"),
        CheckConstraint("valid_from <= valid_until", name="order"),
        Index("ix_sharing_window_space", "space_id", postgresql_where="withdrawn_at IS NULL"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    weekdays: Mapped[list[int]] = mapped_column(ARRAY(SmallInteger))
    begins: Mapped[time] = mapped_column(Time)
    ends: Mapped[time] = mapped_column(Time)
    valid_from: Mapped[date] = mapped_column(Date)
    valid_until: Mapped[date | None] = mapped_column(Date)
    blocked: Mapped[list[date]] = mapped_column(ARRAY(Date), server_default="{}")
    on_holidays: Mapped[bool] = mapped_column(server_default=text("true"))
    offered_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant, server_default=func.now())
    withdrawn_at: Mapped[datetime | None] = mapped_column(Instant)


class BookingTerms(Base):
    """One version of a lot's booking terms, in force from `valid_from`. Never edited."""

    __tablename__ = "booking_terms"
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


class Quote(Base):
    """A price promised until `expires_at`, line by line."""

    __tablename__ = "quote"
    __table_args__ = (CheckConstraint("starts_at < ends_at", name="order"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    vehicle_class: Mapped[str] = mapped_column(String, server_default="small")
    new_energy: Mapped[bool] = mapped_column(server_default=text("false"))
    tariff_id: Mapped[int] = mapped_column(ForeignKey("tariff.id"))
    total_fen: Mapped[int] = mapped_column(BigInteger)
    lines: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    expires_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class Booking(Base):
    """One right of one plate to one space for `[starts_at, ends_at)`.

    `guest`: a resident's, priced by the tariff frozen here. `replacement`: what an owner is given
    elsewhere while a guest overstays on the owner's space; it costs nothing.
    The trigger `booking_is_offered` is invariant 2; one plate cannot be in two places.
    """

    __tablename__ = "booking"
    __table_args__ = (
        CheckConstraint("kind IN ('guest', 'replacement')", name="kind"),
        CheckConstraint(
            "status IN ('confirmed', 'checked_in', 'fulfilled', 'cancelled', 'no_show')",
            name="status",
        ),
        CheckConstraint("starts_at < ends_at", name="order"),
        CheckConstraint("total_fen >= 0", name="total"),
        CheckConstraint("(kind = 'guest') = (tariff_id IS NOT NULL)", name="guests_pay"),
        CheckConstraint("(kind = 'replacement') = (instead_of_id IS NOT NULL)", name="instead"),
        ExcludeConstraint(
            (
                func.int8range(
                    func.hashtextextended(literal_column("plate"), literal_column("0")),
                    func.hashtextextended(literal_column("plate"), literal_column("0")),
                    "[]",
                ),
                "&&",
            ),
            (func.tstzrange(literal_column("starts_at"), literal_column("ends_at")), "&&"),
            name="ex_booking_one_place_a_plate",
            using="gist",
            where=text(f"{ACTIVE} AND kind = 'guest'"),
        ),
        Index("ix_booking_active", "lot_id", "starts_at", postgresql_where=text(ACTIVE)),
        Index("ix_booking_plate", "plate", "starts_at"),
        Index("ix_booking_household", "household_id", "starts_at"),
        Index("ix_booking_space", "space_id", postgresql_where=text(ACTIVE)),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String, server_default="guest")
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    booked_by: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), comment="null: the community itself, for a replacement"
    )
    plate: Mapped[str]
    plate_color: Mapped[str]
    vehicle_class: Mapped[str] = mapped_column(String, server_default="small")
    new_energy: Mapped[bool] = mapped_column(server_default=text("false"))
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    status: Mapped[str] = mapped_column(String, server_default="confirmed")
    tariff_id: Mapped[int | None] = mapped_column(ForeignKey("tariff.id"))
    terms_id: Mapped[int | None] = mapped_column(ForeignKey("booking_terms.id"))
    quote_id: Mapped[int | None] = mapped_column(ForeignKey("quote.id"))
    instead_of_id: Mapped[int | None] = mapped_column(
        ForeignKey("permit.id"), comment="the permit whose fixed space is taken"
    )
    total_fen: Mapped[int] = mapped_column(BigInteger)
    shortened_from_fen: Mapped[int | None] = mapped_column(
        BigInteger, comment="the price before it was shortened when cancelling was free no more"
    )
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    ended_at: Mapped[datetime | None] = mapped_column(Instant)
    ended_reason: Mapped[str | None]


class WaitlistEntry(Base):
    """Somebody who wants what is full now; booked in order as soon as a space is free."""

    __tablename__ = "waitlist_entry"
    __table_args__ = (
        CheckConstraint("status IN ('waiting', 'booked', 'expired', 'withdrawn')", name="status"),
        CheckConstraint("starts_at < ends_at", name="order"),
        CheckConstraint("(status = 'booked') = (booking_id IS NOT NULL)", name="booked"),
        Index("ix_waitlist_entry_waiting", "lot_id", "id", postgresql_where="status = 'waiting'"),
        Index("ix_waitlist_entry_household", "household_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    plate: Mapped[str]
    plate_color: Mapped[str]
    starts_at: Mapped[datetime] = mapped_column(Instant)
    ends_at: Mapped[datetime] = mapped_column(Instant)
    wish: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    status: Mapped[str] = mapped_column(String, server_default="waiting")
    booking_id: Mapped[int | None] = mapped_column(ForeignKey("booking.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class Draw(Base):
    """In which order a contested lot's waiters were served, and the seed that drew the ties."""

    __tablename__ = "draw"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"), index=True)
    drawn_at: Mapped[datetime] = mapped_column(Instant)
    seed: Mapped[str]
    waiting: Mapped[list[dict[str, Any]]] = mapped_column(
        JSONB, comment="entry, household's minutes this month; in the order served"
    )


class SpaceClaim(Base):
    """A space is held for a time, by a booking, by a stay, or by the stay of a booking.

    The exclusion constraint is invariant 1: no two live claims hold one space at one instant.
    A live claim with a stay means that a vehicle stands there now, whatever its upper bound:
    nobody knows when a vehicle leaves, so the bound is moved on as time passes (`watch.py`).
    """

    __tablename__ = "space_claim"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    lot_id: Mapped[int] = mapped_column(ForeignKey("lot.id"))
    space_id: Mapped[int] = mapped_column(ForeignKey("space.id"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("space_group.id"))
    during: Mapped[Range[datetime]] = mapped_column(TSTZRANGE)
    stay_id: Mapped[int | None] = mapped_column(ForeignKey("stay.id"), unique=True)
    booking_id: Mapped[int | None] = mapped_column(
        ForeignKey("booking.id", deferrable=True, initially="DEFERRED"), unique=True
    )
    live: Mapped[bool] = mapped_column(server_default=text("true"))

    __table_args__ = (
        ExcludeConstraint(
            (one_element("space_id"), "&&"),
            ("during", "&&"),
            name="ex_space_claim_one_at_a_time",
            using="gist",
            where=text("live"),
        ),
        CheckConstraint("NOT isempty(during)", name="during"),
        CheckConstraint("num_nonnulls(stay_id, booking_id) > 0", name="held_by"),
        Index("ix_space_claim_live", "lot_id", "space_id", postgresql_where=text("live")),
        Index(
            "ix_space_claim_lot_during",
            one_element("lot_id"),
            "during",
            postgresql_using="gist",
            postgresql_where=text("live"),
        ),
    )
