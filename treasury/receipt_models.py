"""Tables of what the micro-fund receives, and of the papers that money carries."""

from datetime import date, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Date,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base
from ledger.source_models import Settled
from treasury.models import SETTLED_ONCE, Fen, Instant

DONATION, BUSINESS, SERVICE = "donation", "business", "service"
NO_VOUCHER, DONATION_RECEIPT, INVOICE = "none", "donation-receipt", "invoice"


class FundReceipt(Settled, Base):
    """收款单: what the micro-fund receives beside its share of fees.

    A donation is a gift, a low-fee service has a price; a business may give or buy: what it gets
    in return decides which paper its money may carry.
    """

    __tablename__ = "fund_receipt"
    __table_args__ = (
        CheckConstraint("kind IN ('donation', 'business', 'service')", name="kind"),
        CheckConstraint("amount_fen > 0", name="amount"),
        CheckConstraint("(in_return IS NULL OR kind <> 'donation')", name="donation_is_free"),
        CheckConstraint("in_return IS NOT NULL OR kind <> 'service'", name="service_has_price"),
        CheckConstraint(
            "voucher_kind IN ('none', 'donation-receipt', 'invoice')", name="voucher_kind"
        ),
        CheckConstraint(
            "CASE WHEN in_return IS NULL THEN voucher_kind <> 'invoice'"
            " ELSE voucher_kind <> 'donation-receipt' END",
            name="price_is_no_gift",
        ),
        CheckConstraint(
            "NOT restricted OR kind = 'donation' AND programme IS NOT NULL", name="restricted"
        ),
        CheckConstraint("method IN ('cash', 'bank')", name="method"),
        CheckConstraint("(method = 'bank') = (bank_reference IS NOT NULL)", name="bank_reference"),
        CheckConstraint(
            "method <> 'cash' OR received_by IS NOT NULL",
            name="cash_taker",
        ),
        CheckConstraint(SETTLED_ONCE, name="settled_once"),
        UniqueConstraint("id", "voucher_kind"),
        Index("ix_fund_receipt_to_settle", "id", postgresql_where=text("settled_at IS NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    payer: Mapped[str] = mapped_column(String(128))
    household_id: Mapped[int | None] = mapped_column(ForeignKey("household.id"), index=True)
    amount_fen: Mapped[int] = mapped_column(Fen)
    restricted: Mapped[bool] = mapped_column(Boolean, server_default=text("false"))
    programme: Mapped[str | None] = mapped_column(
        ForeignKey("account.code"), comment="what it is given for"
    )
    in_return: Mapped[str | None] = mapped_column(
        String(256), comment="what the payer gets for it; null: a gift"
    )
    memo: Mapped[str] = mapped_column(String(128))
    method: Mapped[str] = mapped_column(String(16))
    bank_reference: Mapped[str | None] = mapped_column(String(64))
    received_by: Mapped[int | None] = mapped_column(ForeignKey("person.id"))
    voucher_kind: Mapped[str] = mapped_column(String(16))
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    occurred_at: Mapped[datetime] = mapped_column(Instant)
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class Voucher(Base):
    """票据: a paper that was issued for money we received, or the red letter that voids one.

    A fee that was paid is a price: it carries an invoice and never a donation receipt.
    """

    __tablename__ = "voucher"
    __table_args__ = (
        CheckConstraint("kind IN ('donation-receipt', 'invoice')", name="kind"),
        CheckConstraint("(fund_receipt_id IS NULL) <> (payment_id IS NULL)", name="one_cause"),
        CheckConstraint("payment_id IS NULL OR kind = 'invoice'", name="fee_is_no_gift"),
        CheckConstraint("kind <> 'invoice' OR seller_tax_id IS NOT NULL", name="seller"),
        CheckConstraint(
            "amount_fen <> 0 AND (amount_fen < 0) = (red_letter_of_id IS NOT NULL)", name="amount"
        ),
        ForeignKeyConstraint(
            ["fund_receipt_id", "kind"], ["fund_receipt.id", "fund_receipt.voucher_kind"]
        ),
        UniqueConstraint("kind", "number"),
        Index(None, "payment_id", postgresql_where=text("payment_id IS NOT NULL")),
        Index(None, "fund_receipt_id", postgresql_where=text("fund_receipt_id IS NOT NULL")),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    number: Mapped[str] = mapped_column(String(32))
    seller_tax_id: Mapped[str | None] = mapped_column(String(20))
    fund_receipt_id: Mapped[int | None] = mapped_column(BigInteger)
    payment_id: Mapped[int | None] = mapped_column(ForeignKey("payment.id"))
    amount_fen: Mapped[int] = mapped_column(Fen)
    red_letter_of_id: Mapped[int | None] = mapped_column(ForeignKey("voucher.id"), unique=True)
    issued_on: Mapped[date] = mapped_column(Date)
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)
