"""Tables of what is charged and paid, from which the journal follows, and of what is left of it.

Triggers of the migrations keep receivables and balances, and refuse rewriting.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Computed,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    SmallInteger,
    String,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

Fen = BigInteger
Instant = DateTime(timezone=True)
TO_SETTLE = text("settled_at IS NULL")
ONE_OF_BOTH = "household_id IS NULL OR company IS NULL"
OWED_BY = "CASE WHEN charged_fen > paid_fen THEN company ELSE NULL::character varying END"


class Party(Base):
    """A household or company that a line of the sub-ledger belongs to."""

    __tablename__ = "party"
    __table_args__ = (
        CheckConstraint("kind IN ('household', 'company')", name="kind"),
        CheckConstraint("(kind = 'household') = (household_id IS NOT NULL)", name="household"),
        CheckConstraint("(kind = 'company') = (name IS NOT NULL)", name="name"),
    )

    code: Mapped[str] = mapped_column(String(64), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), unique=True)
    name: Mapped[str | None] = mapped_column(
        String(64), comment="of a company; a household has its own"
    )


class Settled:
    """What settlement writes on a source row; nothing else on the row may ever change."""

    settled_at: Mapped[datetime | None] = mapped_column(Instant)
    set_aside_reason: Mapped[str | None] = mapped_column(
        String(64), comment="why settlement could not post it"
    )


class Charge(Settled, Base):
    """A fee owed, or a correction that names the fee: a supplement adds, a credit takes back."""

    __tablename__ = "charge"
    __table_args__ = (
        CheckConstraint("kind IN ('fee', 'supplement', 'credit')", name="kind"),
        CheckConstraint("amount_fen <> 0 AND (amount_fen < 0) = (kind = 'credit')", name="amount"),
        CheckConstraint("(kind = 'fee') = (corrects_id IS NULL)", name="corrects"),
        CheckConstraint("settled_at IS NULL OR set_aside_reason IS NULL", name="settled_once"),
        Index("uq_charge_fee", "source", "source_id", unique=True, postgresql_where="kind = 'fee'"),
        Index("ix_charge_source", "source", "source_id"),
        Index("ix_charge_to_settle", "id", postgresql_where=TO_SETTLE),
        Index("ix_charge_corrects_id", "corrects_id", postgresql_where="kind <> 'fee'"),
        Index(
            "ix_charge_household_id", "household_id", postgresql_where="household_id IS NOT NULL"
        ),
        CheckConstraint(ONE_OF_BOTH, name="one_debtor"),
        Index(None, "company", "occurred_at", postgresql_where=text("company IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(32))
    source_id: Mapped[int] = mapped_column(BigInteger)
    income: Mapped[str] = mapped_column(String(32))
    household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id"), comment="who owes, when known"
    )
    owner_household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id"), comment="who owns the place; null: the community"
    )
    amount_fen: Mapped[int] = mapped_column(Fen)
    corrects_id: Mapped[int | None] = mapped_column(ForeignKey("charge.id"))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    lines: Mapped[list[Any]] = mapped_column(JSONB, comment="how the amount came about")
    parts: Mapped[dict[str, int] | None] = mapped_column(
        JSONB(none_as_null=True),
        comment="fen by income, summing to the amount; null: all of it is the income",
    )
    company: Mapped[str | None] = mapped_column(
        ForeignKey("party.code"), comment="the company that owes, instead of a household"
    )
    lot: Mapped[str | None] = mapped_column(
        String, comment="code of the lot whose place earned it; null: no lot's, or not recorded yet"
    )


class Receivable(Base):
    """What one source was charged and what came in; kept by triggers, never overpaid."""

    __tablename__ = "receivable"
    __table_args__ = (
        CheckConstraint("0 <= paid_fen AND paid_fen <= charged_fen", name="paid"),
        Index(
            "ix_receivable_household_id",
            "household_id",
            postgresql_where="household_id IS NOT NULL",
        ),
        CheckConstraint(ONE_OF_BOTH, name="one_debtor"),
        Index(None, "owed_by", "charged_at", postgresql_where=text("owed_by IS NOT NULL")),
    )

    source: Mapped[str] = mapped_column(String(32), primary_key=True)
    source_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"))
    charged_fen: Mapped[int] = mapped_column(Fen)
    paid_fen: Mapped[int] = mapped_column(Fen)
    charged_at: Mapped[datetime] = mapped_column(Instant, comment="the newest charge")
    moved_at: Mapped[datetime] = mapped_column(Instant, comment="the newest charge or payment")
    company: Mapped[str | None] = mapped_column(ForeignKey("party.code"))
    owed_by: Mapped[str | None] = mapped_column(
        String(64),
        Computed(OWED_BY, persisted=True),
        comment="the company, while something is unpaid",
    )


class Payment(Settled, Base):
    """Money received for a source: in cash, out of a balance, or through a provider."""

    __tablename__ = "payment"
    __table_args__ = (
        CheckConstraint("method IN ('cash', 'balance', 'wechat')", name="method"),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("status = 'succeeded'", name="status"),
        CheckConstraint(
            "method <> 'balance' OR household_id IS NOT NULL OR company IS NOT NULL",
            name="balance_payer",
        ),
        CheckConstraint(ONE_OF_BOTH, name="one_payer"),
        CheckConstraint("method <> 'cash' OR received_by IS NOT NULL", name="cash_taker"),
        CheckConstraint("settled_at IS NULL OR set_aside_reason IS NULL", name="settled_once"),
        Index("ix_payment_source_source_id", "source", "source_id"),
        Index("ix_payment_to_settle", "id", postgresql_where=TO_SETTLE),
        Index(
            "ix_payment_household_id", "household_id", postgresql_where="household_id IS NOT NULL"
        ),
        Index(None, "company", "occurred_at", postgresql_where=text("company IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    source: Mapped[str] = mapped_column(String(32))
    source_id: Mapped[int] = mapped_column(BigInteger)
    method: Mapped[str] = mapped_column(String(16))
    amount_fen: Mapped[int] = mapped_column(Fen)
    household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id"), comment="whose payment it is, when known"
    )
    received_by: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), comment="who took the cash"
    )
    status: Mapped[str] = mapped_column(String(16), server_default="succeeded")
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    company: Mapped[str | None] = mapped_column(
        ForeignKey("party.code"), comment="the company whose payment it is, instead of a household"
    )


class TopUp(Settled, Base):
    """Money a household or a company leaves with us against later fees."""

    __tablename__ = "top_up"
    __table_args__ = (
        CheckConstraint("method IN ('cash', 'wechat')", name="method"),
        CheckConstraint("method <> 'cash' OR received_by IS NOT NULL", name="cash_taker"),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("settled_at IS NULL OR set_aside_reason IS NULL", name="settled_once"),
        CheckConstraint("(household_id IS NULL) <> (company IS NULL)", name="one_balance"),
        Index("ix_top_up_to_settle", "id", postgresql_where=TO_SETTLE),
        Index(None, "company", "occurred_at", postgresql_where=text("company IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), index=True)
    method: Mapped[str] = mapped_column(String(16))
    amount_fen: Mapped[int] = mapped_column(Fen)
    received_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    company: Mapped[str | None] = mapped_column(
        ForeignKey("party.code"), comment="the company whose cash it is, instead of a household"
    )


class Balance(Base):
    """What a household has left of its top-ups; kept by triggers, never negative."""

    __tablename__ = "balance"
    __table_args__ = (CheckConstraint("amount_fen >= 0", name="amount"),)

    household_id: Mapped[int] = mapped_column(
        ForeignKey("household.id"), primary_key=True, autoincrement=False
    )
    amount_fen: Mapped[int] = mapped_column(Fen)


class CompanyBalance(Base):
    """What a company has left of its top-ups; kept by triggers, never negative."""

    __tablename__ = "company_balance"
    __table_args__ = (CheckConstraint("amount_fen >= 0", name="amount"),)

    company: Mapped[str] = mapped_column(ForeignKey("party.code"), primary_key=True)
    amount_fen: Mapped[int] = mapped_column(Fen)


class CompanyOwed(Base):
    """Rollup of what companies owe for one kind of source, in shards; kept by triggers."""

    __tablename__ = "company_owed"

    company: Mapped[str] = mapped_column(String(64), primary_key=True)
    source: Mapped[str] = mapped_column(String(32), primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    owed_fen: Mapped[int] = mapped_column(Fen)
