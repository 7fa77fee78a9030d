"""Tables of payment channels: orders and refunds in flight, provider bills, what differs."""

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
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from ledger.source_models import Settled

Fen = BigInteger
Instant = DateTime(timezone=True)

CREATED, PENDING, PAID, CLOSED = "created", "pending", "paid", "closed"
REFUNDING, REFUNDED, FAILED = "refunding", "refunded", "failed"
PROCESSING, SUCCEEDED = "processing", "succeeded"
SURPLUS, REFUND, PROVIDER_FEE, SETTLEMENT_TRANSFER = (
    "surplus",
    "refund",
    "provider_fee",
    "settlement_transfer",
)
OPEN_ORDER = "status IN ('created', 'pending')"
OPEN_REFUND = "status IN ('created', 'processing')"


class PaymentOrder(Base):
    """What a provider was, or shall be, asked to collect for us. The row is the queue."""

    __tablename__ = "payment_order"
    __table_args__ = (
        CheckConstraint("provider IN ('wechat')", name="provider"),
        CheckConstraint("trade_type IN ('native', 'jsapi')", name="trade_type"),
        CheckConstraint("(trade_type = 'jsapi') = (openid IS NOT NULL)", name="openid"),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint(
            "status IN ('created', 'pending', 'paid', 'closed', 'refunding', 'refunded', 'failed')",
            name="status",
        ),
        CheckConstraint("(source IS NULL) = (source_id IS NULL)", name="source"),
        CheckConstraint("source IS NOT NULL OR household_id IS NOT NULL", name="purpose"),
        CheckConstraint(
            "(status IN ('paid', 'refunding', 'refunded')) = (transaction_id IS NOT NULL)",
            name="transaction",
        ),
        CheckConstraint("(transaction_id IS NULL) = (paid_at IS NULL)", name="paid_at"),
        CheckConstraint(
            "transaction_id IS NOT NULL OR (payment_id IS NULL AND top_up_id IS NULL)",
            name="money",
        ),
        CheckConstraint("payment_id IS NULL OR top_up_id IS NULL", name="one_effect"),
        Index("ix_payment_order_source_source_id", "source", "source_id"),
        Index("ix_payment_order_next_try_at", "next_try_at", postgresql_where=text(OPEN_ORDER)),
        Index("ix_payment_order_paid_at", "paid_at", postgresql_where="paid_at IS NOT NULL"),
        Index(
            "ix_payment_order_household_id",
            "household_id",
            postgresql_where="household_id IS NOT NULL",
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    out_trade_no: Mapped[str] = mapped_column(
        String(32), unique=True, comment="our name for it, which the provider repeats"
    )
    provider: Mapped[str] = mapped_column(String(16))
    trade_type: Mapped[str] = mapped_column(String(16))
    openid: Mapped[str | None] = mapped_column(String(128), comment="who pays inside WeChat")
    source: Mapped[str | None] = mapped_column(
        String(32), comment="what is paid; null: a household's balance"
    )
    source_id: Mapped[int | None] = mapped_column(BigInteger)
    household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id"), comment="whose payment it is, when known"
    )
    asked_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    description: Mapped[str] = mapped_column(String(64))
    amount_fen: Mapped[int] = mapped_column(Fen)
    status: Mapped[str] = mapped_column(String(16), server_default=CREATED)
    code_url: Mapped[str | None] = mapped_column(String(512), comment="what the QR code says")
    prepay_id: Mapped[str | None] = mapped_column(String(128))
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    placed_at: Mapped[datetime | None] = mapped_column(Instant)
    expires_at: Mapped[datetime] = mapped_column(Instant, comment="as the provider was told")
    close_at: Mapped[datetime] = mapped_column(Instant, comment="when we close it if still unpaid")
    paid_at: Mapped[datetime | None] = mapped_column(Instant)
    transaction_id: Mapped[str | None] = mapped_column(
        String(64), unique=True, comment="the provider's name for the money"
    )
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"), unique=True)
    top_up_id: Mapped[int | None] = mapped_column(ForeignKey("top_up.id"), unique=True)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(String(256))
    raw: Mapped[dict[str, Any] | None] = mapped_column(
        JSONB(none_as_null=True), comment="what the provider said of it, without the payer"
    )

    @property
    def method(self) -> str:
        """As payments call the provider."""
        return self.provider

    @property
    def occurred_at(self) -> datetime:
        """When it was asked for."""
        return self.recorded_at


class PaymentRefund(Base):
    """Money of an order that a provider gives back; the row is the queue."""

    __tablename__ = "payment_refund"
    __table_args__ = (
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint(
            "status IN ('created', 'processing', 'succeeded', 'failed')", name="status"
        ),
        CheckConstraint("(status = 'succeeded') = (succeeded_at IS NOT NULL)", name="succeeded"),
        Index("ix_payment_refund_next_try_at", "next_try_at", postgresql_where=text(OPEN_REFUND)),
        Index(
            "ix_payment_refund_succeeded_at",
            "succeeded_at",
            postgresql_where="succeeded_at IS NOT NULL",
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    out_refund_no: Mapped[str] = mapped_column(String(64), unique=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("payment_order.id"), index=True)
    amount_fen: Mapped[int] = mapped_column(Fen)
    reason: Mapped[str] = mapped_column(String(80))
    status: Mapped[str] = mapped_column(String(16), server_default=CREATED)
    refund_id: Mapped[str | None] = mapped_column(
        String(64), unique=True, comment="the provider's name for it"
    )
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    succeeded_at: Mapped[datetime | None] = mapped_column(Instant)
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    next_try_at: Mapped[datetime] = mapped_column(Instant)
    error: Mapped[str | None] = mapped_column(String(256))
    raw: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))


class ChannelMove(Settled, Base):
    """A source row of the ledger: money at a provider that is no payment and no top-up.

    A surplus came in beyond what was due, a refund went back, a fee was kept, a transfer reached
    our bank account.
    """

    __tablename__ = "channel_move"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('surplus', 'refund', 'provider_fee', 'settlement_transfer')", name="kind"
        ),
        CheckConstraint("channel IN ('wechat', 'alipay')", name="channel"),
        CheckConstraint("amount_fen <> 0", name="amount"),
        CheckConstraint("amount_fen > 0 OR kind NOT IN ('surplus', 'refund')", name="sign"),
        CheckConstraint("settled_at IS NULL OR set_aside_reason IS NULL", name="settled_once"),
        UniqueConstraint("kind", "channel", "reference"),
        Index("ix_channel_move_to_settle", "id", postgresql_where=text("settled_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str] = mapped_column(
        String(96), comment="its cause: our number of the order or refund, or a bill's line"
    )
    amount_fen: Mapped[int] = mapped_column(
        Fen, comment="negative: a fee or a transfer that came back"
    )
    household_id: Mapped[int | None] = mapped_column(
        ForeignKey("household.id"), comment="whose money it is, when known"
    )
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class BillImport(Base):
    """A file of a provider or bank that somebody imported, and the days that it covers."""

    __tablename__ = "bill_import"
    __table_args__ = (
        CheckConstraint("channel IN ('wechat', 'alipay', 'bank')", name="channel"),
        CheckConstraint("covers_from <= covers_to", name="covers"),
        Index(None, "channel", "covers_from", "covers_to"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    channel: Mapped[str] = mapped_column(String(16))
    filename: Mapped[str] = mapped_column(String(128))
    sha256: Mapped[str] = mapped_column(String(64))
    covers_from: Mapped[date] = mapped_column(Date)
    covers_to: Mapped[date] = mapped_column(Date)
    lines: Mapped[int]
    new_lines: Mapped[int]
    imported_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class BillLine(Base):
    """One line of a provider's bill or a bank's statement, once, whatever file it came in."""

    __tablename__ = "bill_line"
    __table_args__ = (
        CheckConstraint("channel IN ('wechat', 'alipay', 'bank')", name="channel"),
        CheckConstraint("type IN ('payment', 'refund', 'transfer', 'other')", name="type"),
        CheckConstraint("verdict IN ('matched', 'missing_here', 'amount_differs')", name="verdict"),
        UniqueConstraint("channel", "external_id", "type"),
        Index(None, "channel", "on_day"),
        Index(None, "type", "reference"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    import_id: Mapped[int] = mapped_column(ForeignKey("bill_import.id"))
    channel: Mapped[str] = mapped_column(String(16))
    type: Mapped[str] = mapped_column(String(16))
    external_id: Mapped[str] = mapped_column(String(64), comment="the provider's name for it")
    reference: Mapped[str] = mapped_column(String(64), comment="our name for it, if it says one")
    provider: Mapped[str | None] = mapped_column(
        String(16), comment="of a bank's line: the provider that paid us"
    )
    amount_fen: Mapped[int] = mapped_column(Fen)
    fee_fen: Mapped[int] = mapped_column(Fen, comment="negative: given back")
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    on_day: Mapped[date] = mapped_column(Date)
    memo: Mapped[str] = mapped_column(String(128))
    verdict: Mapped[str | None] = mapped_column(String(16))


class ReconciliationTask(Base):
    """差异: what a person has to explain, or what a later file or payment explained."""

    __tablename__ = "reconciliation_task"
    __table_args__ = (
        CheckConstraint("kind IN ('missing_here', 'missing_there', 'amount_differs')", name="kind"),
        CheckConstraint("status IN ('open', 'resolved')", name="status"),
        CheckConstraint(
            "(status = 'resolved') = (resolved_at IS NOT NULL AND reason IS NOT NULL)",
            name="resolved",
        ),
        UniqueConstraint("channel", "type", "reference", "kind"),
        Index(None, "status", "on_day"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    channel: Mapped[str] = mapped_column(String(16))
    type: Mapped[str] = mapped_column(String(16))
    reference: Mapped[str] = mapped_column(String(64), comment="our name for it, else theirs")
    on_day: Mapped[date] = mapped_column(Date)
    ours_fen: Mapped[int | None] = mapped_column(Fen)
    theirs_fen: Mapped[int | None] = mapped_column(Fen)
    status: Mapped[str] = mapped_column(String(16), server_default="open")
    reason: Mapped[str | None] = mapped_column(String(256))
    resolved_by: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), comment="null: it came right by itself"
    )
    resolved_at: Mapped[datetime | None] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
