"""Tables of what was published of the books, and of the notes that correct it.

Triggers of the migrations draft the notes and refuse rewriting.
"""

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
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

Instant = DateTime(timezone=True)
DRAFT = text("published_at IS NULL")


class Publication(Base):
    """公示: one edition of a closed month. Its pack follows from the row and the entries alone."""

    __tablename__ = "publication"
    __table_args__ = (
        UniqueConstraint("month", "edition"),
        CheckConstraint("EXTRACT(day FROM month) = 1", name="month"),
        CheckConstraint("octet_length(sha256) = 32", name="sha256"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    month: Mapped[date] = mapped_column(ForeignKey("period.month"))
    edition: Mapped[int] = mapped_column(Integer)
    closed_event_id: Mapped[int] = mapped_column(
        ForeignKey("period_event.id"), unique=True, comment="the close that it follows"
    )
    last_entry_id: Mapped[int] = mapped_column(BigInteger, comment="the highest entry included")
    heads: Mapped[list[Any]] = mapped_column(
        JSONB, comment="the newest day of every book, and days before it that were open too"
    )
    facts: Mapped[dict[str, Any]] = mapped_column(
        JSONB, comment="what the pack says besides entries: names, approvers, terms"
    )
    format: Mapped[int] = mapped_column(SmallInteger, comment="by which writer it is rebuilt")
    sha256: Mapped[bytes] = mapped_column(LargeBinary, comment="of the pack, which is rebuilt")
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class Correction(Base):
    """更正说明: what changed of a published month since, drafted with the entries that do it."""

    __tablename__ = "correction"
    __table_args__ = (
        CheckConstraint(
            "(published_at IS NULL) = (published_by IS NULL)"
            " AND (published_at IS NULL) = (figures IS NULL)"
            " AND (published_at IS NULL OR reason IS NOT NULL)",
            name="published",
        ),
        CheckConstraint("published_by <> reversed_by", name="second_person"),
        Index("uq_correction_draft", "month", "about", unique=True, postgresql_where=DRAFT),
        Index(None, "month"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    month: Mapped[date] = mapped_column(Date, comment="the published month it touches")
    publication_id: Mapped[int] = mapped_column(
        ForeignKey("publication.id"), comment="the edition it corrects"
    )
    about: Mapped[str] = mapped_column(
        String(64), comment="the source row that was reversed, or `late` for facts that came late"
    )
    reason: Mapped[str | None] = mapped_column(String(256))
    reversed_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    drafted_at: Mapped[datetime] = mapped_column(Instant)
    figures: Mapped[list[Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="before and after, as published"
    )
    published_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    published_at: Mapped[datetime | None] = mapped_column(Instant)


class CorrectionEntry(Base):
    """An entry that a correction is about."""

    __tablename__ = "correction_entry"

    correction_id: Mapped[int] = mapped_column(
        ForeignKey("correction.id"), primary_key=True, autoincrement=False
    )
    entry_id: Mapped[int] = mapped_column(
        ForeignKey("journal_entry.id"), primary_key=True, autoincrement=False, index=True
    )
