"""Tables: what storage costs and asks, by date, and what residents chose."""

from datetime import date, datetime, time
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
    Time,
    func,
    literal_column,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, ExcludeConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from lockers.consent import CHOICES

Instant = DateTime(timezone=True)


def _one_at_a_time(whose: str, name: str) -> ExcludeConstraint:
    """No two rows of the same person or household have a day in common."""
    column = literal_column
    return ExcludeConstraint(
        (func.int8range(column(whose), column(whose), "[]"), "&&"),
        (func.daterange(column("starts_on"), column("ends_on"), "[]"), "&&"),
        name=name,
        using="gist",
    )


class LockerTerms(Base):
    """One version of the community's rules for lockers; a parcel keeps those it came under."""

    __tablename__ = "locker_terms"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    version: Mapped[int] = mapped_column(unique=True)
    valid_from: Mapped[datetime] = mapped_column(Instant, unique=True)
    rules: Mapped[dict[str, Any]] = mapped_column(JSONB)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class LockerPreference(Base):
    """What a resident chose, as of when; the newest counts, the older ones are proof."""

    __tablename__ = "locker_preference"
    __table_args__ = (
        CheckConstraint(f"locker IN {CHOICES}", name="locker"),
        CheckConstraint("(quiet_from IS NULL) = (quiet_until IS NULL)", name="quiet"),
        CheckConstraint("NOT (any_time AND quiet_from IS NOT NULL)", name="any_time"),
        Index(None, "person_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    locker: Mapped[str | None] = mapped_column(
        String(16), comment="null: a consent that was withdrawn; ask again"
    )
    low_door: Mapped[bool] = mapped_column(server_default=text("false"))
    share_with_household: Mapped[bool] = mapped_column(server_default=text("false"))
    any_time: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="may be told at night, too"
    )
    quiet_from: Mapped[time | None] = mapped_column(Time, comment="own quiet hours; null: usual")
    quiet_until: Mapped[time | None] = mapped_column(Time)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class LockerVacation(Base):
    """Whole days on which a resident is away: the fee clock stands still."""

    __tablename__ = "locker_vacation"
    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="order"),
        CheckConstraint("ends_on - starts_on < 60", name="length"),
        _one_at_a_time("person_id", "ex_locker_vacation_one_at_a_time"),
        Index(None, "person_id", "ends_on"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class LockerMembership(Base):
    """Days on which a household's parcels may stay longer for nothing."""

    __tablename__ = "locker_membership"
    __table_args__ = (
        CheckConstraint("starts_on <= ends_on", name="order"),
        _one_at_a_time("household_id", "ex_locker_membership_one_at_a_time"),
        Index(None, "household_id", "ends_on"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    recorded_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
