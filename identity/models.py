"""Who lives here, who works here, and who is signed in."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    String,
    UniqueConstraint,
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db import Base

RESIDENT, OPERATOR, FINANCE, AUDITOR, ADMIN = "resident", "operator", "finance", "auditor", "admin"
COURIER = "courier"
ROLES = (RESIDENT, OPERATOR, FINANCE, AUDITOR, ADMIN, COURIER)
USERNAME = r"^[a-z0-9][a-z0-9._@+-]{1,63}$"
PHONE = r"^1[3-9][0-9]{9}$"


class Household(Base):
    """One home: a party of the ledger's sub-ledger, known by its door's code."""

    __tablename__ = "household"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(64))


class Person(Base):
    """One who may sign in: a resident of a household, staff, or a courier, who is neither."""

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint(f"username ~ '{USERNAME}'", name="username"),
        CheckConstraint(f"phone ~ '{PHONE}'", name="phone"),
        CheckConstraint(f"role IN {ROLES}", name="role"),
        CheckConstraint(
            "(role = 'resident') = (household_id IS NOT NULL)", name="residents_have_a_household"
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    username: Mapped[str] = mapped_column(String(64), unique=True)
    password_hash: Mapped[str] = mapped_column(String(256))
    name: Mapped[str] = mapped_column(String(64))
    phone: Mapped[str | None] = mapped_column(String(11), index=True)
    role: Mapped[str] = mapped_column(String(16))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), index=True)
    active: Mapped[bool] = mapped_column(server_default=sql("true"), default=True)

    household: Mapped[Household | None] = relationship()


class AuthSession(Base):
    """One sign-in; it stands until it expires or is revoked, and knows its one refresh token."""

    __tablename__ = "auth_session"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"), index=True)
    refresh_id: Mapped[UUID]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    person: Mapped[Person] = relationship()


class Notice(Base):
    """Something people were told: a household, one person of it, or whoever has a phone.

    It is in the inbox from `shown_at` on, unless it was cancelled before. `{code}` in its text
    stands for what `secret` seals; the clear text is never stored.
    """

    __tablename__ = "notice"
    __table_args__ = (
        CheckConstraint("household_id IS NOT NULL OR phone IS NOT NULL", name="recipient"),
        CheckConstraint(
            "person_id IS NULL OR household_id IS NOT NULL", name="person_of_a_household"
        ),
        Index(None, "household_id", "id"),
        Index(None, "about", "about_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    phone: Mapped[str | None] = mapped_column(String(11))
    kind: Mapped[str] = mapped_column(String(64))
    text: Mapped[str]
    secret: Mapped[bytes | None]
    about: Mapped[str | None] = mapped_column(String(32), comment="what it is about: booking, …")
    about_id: Mapped[int | None] = mapped_column(BigInteger)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    shown_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    person: Mapped[Person | None] = relationship()


class Delivery(Base):
    """A notice on its way through one channel; the row is the queue of the sweep."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("notice_id", "channel"),
        Index(
            "ix_delivery_due",
            "channel",
            "due_at",
            postgresql_where=sql("sent_at IS NULL AND cancelled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    notice_id: Mapped[int] = mapped_column(ForeignKey("notice.id"))
    channel: Mapped[str] = mapped_column(String(16))
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    cancelled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    attempts: Mapped[int] = mapped_column(server_default=sql("0"), default=0)
    next_try_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    error: Mapped[str | None] = mapped_column(String(200))

    notice: Mapped[Notice] = relationship()
