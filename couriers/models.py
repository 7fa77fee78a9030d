"""Tables: couriers and their companies, what a deposit costs, site contracts and their accruals."""

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
from sqlalchemy.orm import Mapped, mapped_column, relationship

from core.db import Base
from identity.models import PHONE, Person

Fen = BigInteger
Instant = DateTime(timezone=True)

CODE = r"^[a-z0-9][a-z0-9-]{0,31}$"
SIZES = ("S", "M", "L")
RENT, COMMISSION = "rent", "commission"
KINDS = (RENT, COMMISSION)
FIRST_OF_MONTH = "EXTRACT(day FROM month) = 1"


class CourierCompany(Base):
    """A company whose couriers deposit here: a party of the ledger, debtor and prepayer."""

    __tablename__ = "courier_company"
    __table_args__ = (
        CheckConstraint(f"code ~ '{CODE}'", name="code"),
        CheckConstraint("credit_fen >= 0", name="credit"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String(32), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    party: Mapped[str] = mapped_column(ForeignKey("party.code"), unique=True)
    credit_fen: Mapped[int] = mapped_column(
        Fen,
        server_default=text("0"),
        comment="how far unpaid deposit fees may exceed the prepaid balance",
    )
    active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)


class Courier(Base):
    """One who deposits parcels, by the code that cabinets send."""

    __tablename__ = "courier"
    __table_args__ = (
        CheckConstraint("code <> ''", name="code"),
        CheckConstraint(f"phone ~ '{PHONE}'", name="phone"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(String(64), unique=True, comment="what cabinets call them")
    name: Mapped[str | None] = mapped_column(String(64))
    phone: Mapped[str | None] = mapped_column(String(11))
    company_id: Mapped[int | None] = mapped_column(
        ForeignKey("courier_company.id"),
        index=True,
        comment="null: seen at a cabinet, known to nobody yet",
    )
    person_id: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), unique=True, comment="as whom they sign in, if they do"
    )
    active: Mapped[bool] = mapped_column(server_default=text("true"), default=True)

    company: Mapped[CourierCompany | None] = relationship()
    person: Mapped[Person | None] = relationship()


class DepositRate(Base):
    """What a deposit of one size costs a courier's company from a day on; only ever added to."""

    __tablename__ = "deposit_rate"
    __table_args__ = (
        CheckConstraint(f"size IN {SIZES}", name="size"),
        CheckConstraint("fee_fen >= 0", name="fee"),
        Index(None, "company_id", "size", "valid_from"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    company_id: Mapped[int | None] = mapped_column(
        ForeignKey("courier_company.id"), comment="null: of all without their own"
    )
    size: Mapped[str] = mapped_column(String(1))
    fee_fen: Mapped[int] = mapped_column(Fen)
    valid_from: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(Instant)

    company: Mapped[CourierCompany | None] = relationship()


class SiteContract(Base):
    """What a company pays the community by month for having its lockers or deposits here."""

    __tablename__ = "site_contract"
    __table_args__ = (
        CheckConstraint(f"kind IN {KINDS}", name="kind"),
        CheckConstraint(
            "(kind = 'rent') = (annual_fen IS NOT NULL) AND (kind = 'commission') ="
            " (per_deposit_fen IS NOT NULL OR share_bp IS NOT NULL)",
            name="price",
        ),
        CheckConstraint(
            "annual_fen > 0 AND per_deposit_fen >= 0 AND share_bp BETWEEN 0 AND 10000", name="fen"
        ),
        CheckConstraint("starts_on <= ends_on", name="lasts"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("courier_company.id"), index=True)
    kind: Mapped[str] = mapped_column(String(16))
    cabinet_id: Mapped[int | None] = mapped_column(
        ForeignKey("cabinet.id"), comment="null: wherever the company deposits"
    )
    annual_fen: Mapped[int | None] = mapped_column(Fen, comment="rent for twelve months")
    per_deposit_fen: Mapped[int | None] = mapped_column(
        Fen, comment="commission for every parcel deposited"
    )
    share_bp: Mapped[int | None] = mapped_column(
        comment="commission of the deposit fees charged, in 1/10000"
    )
    starts_on: Mapped[date] = mapped_column(Date)
    ends_on: Mapped[date | None] = mapped_column(Date, comment="the last day")
    decided_by: Mapped[str] = mapped_column(String(256), comment="the vote or contract behind it")
    recorded_at: Mapped[datetime] = mapped_column(Instant)

    company: Mapped[CourierCompany] = relationship()


class Accrual(Base):
    """What one contract earned in one month, once; its charge names it as source."""

    __tablename__ = "accrual"
    __table_args__ = (
        UniqueConstraint("contract_id", "month"),
        CheckConstraint("amount_fen >= 0", name="amount"),
        CheckConstraint(FIRST_OF_MONTH, name="month"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    contract_id: Mapped[int] = mapped_column(ForeignKey("site_contract.id"))
    month: Mapped[date] = mapped_column(Date)
    amount_fen: Mapped[int] = mapped_column(Fen)
    lines: Mapped[list[Any]] = mapped_column(JSONB, comment="how the amount came about")
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class CourierStatement(Base):
    """A company's own statement of a month, laid beside what was counted here."""

    __tablename__ = "courier_statement"
    __table_args__ = (
        CheckConstraint(FIRST_OF_MONTH, name="month"),
        Index(None, "company_id", "month"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    company_id: Mapped[int] = mapped_column(ForeignKey("courier_company.id"))
    month: Mapped[date] = mapped_column(Date)
    sizes: Mapped[list[Any]] = mapped_column(
        JSONB, comment="deposits and fen by size as they say and as counted here"
    )
    agrees: Mapped[bool]
    recorded_by: Mapped[int] = mapped_column(ForeignKey("person.id"))
    recorded_at: Mapped[datetime] = mapped_column(Instant)
