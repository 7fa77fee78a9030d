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
    Uuid,
)
from sqlalchemy import text as sql
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db import Base

RESIDENT, OPERATOR, FINANCE, AUDITOR, ADMIN = "resident", "operator", "finance", "auditor", "admin"
ROLES = (RESIDENT, OPERATOR, FINANCE, AUDITOR, ADMIN)
USERNAME = r"^[a-z0-9][a-z0-9._@+-]{1,63}$"
PHONE = r"^1[3-9][0-9]{9}$"


class Household(Base):
    """One home: a party of the ledger's sub-ledger, known by its door's code."""

    __tablename__ = "household"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(64))


class Person(Base):
    """One who may sign in: a resident of a household, or staff."""

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
    """Something a household was told; its members find it in their inbox."""

    __tablename__ = "notice"
    __table_args__ = (Index(None, "household_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    household_id: Mapped[int] = mapped_column(ForeignKey("household.id"))
    kind: Mapped[str] = mapped_column(String(64))
    text: Mapped[str]
    about: Mapped[str | None] = mapped_column(String(32), comment="what it is about: booking, …")
    about_id: Mapped[int | None] = mapped_column(BigInteger)
    recorded_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    read_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
