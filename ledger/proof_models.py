"""The table of nightly proofs."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, Date, DateTime, Identity
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

Instant = DateTime(timezone=True)


class ProofReport(Base):
    """The nightly proof of a day of the community: what was checked, and what stood beside what."""

    __tablename__ = "proof_report"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    day: Mapped[date] = mapped_column(Date, unique=True, comment="of the night, in the community")
    started_at: Mapped[datetime] = mapped_column(Instant)
    finished_at: Mapped[datetime] = mapped_column(Instant)
    ok: Mapped[bool]
    checks: Mapped[dict[str, Any]] = mapped_column(JSONB)
    sides: Mapped[list[Any]] = mapped_column(
        JSONB, comment="source rows beside entries, payments beside lines of bills"
    )
    heads: Mapped[list[Any]] = mapped_column(JSONB, comment="the newest head of each book")
