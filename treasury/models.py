"""Tables of money out and back: credits, disbursements and their evidence, write-offs.

Triggers of the migration keep what may change to the steps that the tables' words allow.
"""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from ledger.source_models import Settled

Fen = BigInteger
Instant = DateTime(timezone=True)

DRAFTED, APPROVED, REJECTED, PAID = "drafted", "approved", "rejected", "paid"
PAYOUT, FUND_SHARE, PROVIDER_SHARE, EXPENSE = "payout", "fund_share", "provider_share", "expense"
CASH_DEPOSIT = "cash_deposit"
CASH, BANK = "cash", "bank"

SETTLED_ONCE = "settled_at IS NULL OR set_aside_reason IS NULL"
LARGEST_FILE = 5 * 1024 * 1024
MEDIA_TYPES = (
    "application/pdf",
    "image/png",
    "image/jpeg",
    "application/xml",
    "application/ofd",
)


class Credit(Base):
    """Why a credit charge was raised, and by whom: by hand, with a refund, or to write off."""

    __tablename__ = "credit"
    __table_args__ = (
        CheckConstraint("fee_refund_id IS NULL OR write_off_id IS NULL", name="one_cause"),
        CheckConstraint("raised_by IS NOT NULL OR write_off_id IS NOT NULL", name="raised_by"),
    )

    charge_id: Mapped[int] = mapped_column(
        ForeignKey("charge.id"), primary_key=True, autoincrement=False
    )
    reason: Mapped[str] = mapped_column(String(256))
    raised_by: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), comment="null: a rule of write-offs"
    )
    fee_refund_id: Mapped[int | None] = mapped_column(ForeignKey("fee_refund.id"), unique=True)
    write_off_id: Mapped[int | None] = mapped_column(ForeignKey("write_off.id"), unique=True)


class Disbursement(Settled, Base):
    """付款单: money that leaves a book for somebody, or its cash box for the bank.

    One drafts it, another approves it.
    It becomes an entry when it is paid, not before: until then nothing has left.
    """

    __tablename__ = "disbursement"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('payout', 'fund_share', 'provider_share', 'expense', 'cash_deposit')",
            name="kind",
        ),
        CheckConstraint(
            "book = 'owners' OR book = 'fund' AND kind IN ('expense', 'cash_deposit')",
            name="book",
        ),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("(kind = 'expense') = (programme IS NOT NULL)", name="programme"),
        CheckConstraint(
            "CASE kind WHEN 'payout' THEN party LIKE 'household:%' AND month IS NOT NULL"
            " WHEN 'provider_share' THEN party = 'company:property' ELSE party IS NULL END IS TRUE",
            name="payee",
        ),
        CheckConstraint("EXTRACT(day FROM month) = 1", name="month"),
        CheckConstraint("NOT restricted OR book = 'fund'", name="restricted"),
        CheckConstraint("status IN ('drafted', 'approved', 'rejected', 'paid')", name="status"),
        CheckConstraint("approved_by <> drafted_by", name="second_person"),
        CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)"
            " AND (status = 'rejected' OR (approved_by IS NULL) = (status = 'drafted'))",
            name="approved",
        ),
        CheckConstraint(
            "CASE WHEN status = 'rejected' THEN num_nulls(rejected_by, rejected_at, rejection) = 0"
            " ELSE num_nonnulls(rejected_by, rejected_at, rejection) = 0 END",
            name="rejected",
        ),
        CheckConstraint(
            "CASE WHEN status = 'paid' THEN num_nulls(paid_by, paid_at, recorded_at, method) = 0"
            " ELSE num_nonnulls(paid_by, paid_at, recorded_at, method, bank_reference) = 0 END",
            name="paid",
        ),
        CheckConstraint(
            "method IN ('bank', 'cash') AND (method = 'bank') = (bank_reference IS NOT NULL)"
            " AND (method = 'bank' OR kind = 'expense')",
            name="method",
        ),
        CheckConstraint("settled_at IS NULL OR status = 'paid'", name="settled_when_paid"),
        CheckConstraint(SETTLED_ONCE, name="settled_once"),
        Index(
            "uq_disbursement_payout",
            "party",
            "month",
            unique=True,
            postgresql_where=text("kind = 'payout' AND status <> 'rejected'"),
        ),
        Index(None, "status", "id"),
        Index(
            "ix_disbursement_to_settle",
            "id",
            postgresql_where=text("settled_at IS NULL AND status = 'paid'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    book: Mapped[str] = mapped_column(ForeignKey("book.code"))
    month: Mapped[date | None] = mapped_column(Date, comment="whose statement is paid out")
    party: Mapped[str | None] = mapped_column(ForeignKey("party.code"))
    programme: Mapped[str | None] = mapped_column(
        ForeignKey("account.code"), comment="what it is spent on: an expense account of the book"
    )
    restricted: Mapped[bool] = mapped_column(
        Boolean, server_default=text("false"), comment="paid from what was given for the programme"
    )
    amount_fen: Mapped[int] = mapped_column(Fen)
    payee: Mapped[str] = mapped_column(String(128))
    memo: Mapped[str] = mapped_column(String(128))
    status: Mapped[str] = mapped_column(String(16), server_default=DRAFTED)
    drafted_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    drafted_at: Mapped[datetime] = mapped_column(Instant)
    approved_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    approved_at: Mapped[datetime | None] = mapped_column(Instant)
    rejected_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    rejected_at: Mapped[datetime | None] = mapped_column(Instant)
    rejection: Mapped[str | None] = mapped_column(String(256), comment="why it was rejected")
    paid_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    paid_at: Mapped[datetime | None] = mapped_column(Instant)
    recorded_at: Mapped[datetime | None] = mapped_column(
        Instant, comment="when somebody said that it was paid"
    )
    method: Mapped[str | None] = mapped_column(String(16))
    bank_reference: Mapped[str | None] = mapped_column(String(64))


class Evidence(Base):
    """A file that shows what a disbursement is for: an invoice, a contract, a slip of the bank."""

    __tablename__ = "evidence"
    __table_args__ = (
        CheckConstraint(f"media_type IN {MEDIA_TYPES}", name="media_type"),
        CheckConstraint(f"octet_length(content) BETWEEN 1 AND {LARGEST_FILE}", name="size"),
        CheckConstraint("sha256 = sha256(content)", name="sha256"),
        UniqueConstraint("disbursement_id", "sha256"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    disbursement_id: Mapped[int] = mapped_column(ForeignKey("disbursement.id"))
    filename: Mapped[str] = mapped_column(String(128))
    media_type: Mapped[str] = mapped_column(String(32))
    sha256: Mapped[bytes] = mapped_column(LargeBinary)
    content: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    attached_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class RestrictedMoney(Base):
    """限定性: what was given for a programme and what of it is approved; kept by triggers."""

    __tablename__ = "restricted_money"
    __table_args__ = (CheckConstraint("0 <= spent_fen AND spent_fen <= given_fen", name="spent"),)

    programme: Mapped[str] = mapped_column(ForeignKey("account.code"), primary_key=True)
    given_fen: Mapped[int] = mapped_column(Fen)
    spent_fen: Mapped[int] = mapped_column(Fen)


class WriteOffRule(Base):
    """What nobody will pay any more is written off from a date on: how old, how much at most."""

    __tablename__ = "write_off_rule"
    __table_args__ = (
        CheckConstraint("older_than_days >= 30", name="older_than_days"),
        CheckConstraint("at_most_fen >= 0", name="at_most"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date)
    older_than_days: Mapped[int]
    at_most_fen: Mapped[int] = mapped_column(Fen, comment="of one receivable; 0: none at all")
    decided_by: Mapped[str] = mapped_column(String(256), comment="the vote behind it")
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class WriteOff(Base):
    """核销: what is left unpaid of one source is given up, by a rule or by two people."""

    __tablename__ = "write_off"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("status IN ('drafted', 'approved', 'rejected')", name="status"),
        CheckConstraint("(rule_id IS NULL) = (drafted_by IS NOT NULL)", name="by_rule_or_person"),
        CheckConstraint("decided_by <> drafted_by OR status = 'rejected'", name="second_person"),
        CheckConstraint(
            "(decided_at IS NULL) = (status = 'drafted')"
            " AND (decided_by IS NOT NULL) = (status <> 'drafted' AND rule_id IS NULL)",
            name="decided",
        ),
        CheckConstraint("rule_id IS NULL OR status = 'approved'", name="rule_decides"),
        Index(
            "uq_write_off_drafted",
            "source",
            "source_id",
            unique=True,
            postgresql_where=text("status = 'drafted'"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    source: Mapped[str] = mapped_column(String(32))
    source_id: Mapped[int] = mapped_column(BigInteger)
    amount_fen: Mapped[int] = mapped_column(Fen)
    reason: Mapped[str] = mapped_column(String(256))
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("write_off_rule.id"))
    status: Mapped[str] = mapped_column(String(16), server_default=DRAFTED)
    drafted_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    drafted_at: Mapped[datetime] = mapped_column(Instant)
    decided_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    decided_at: Mapped[datetime | None] = mapped_column(Instant)
