"""Tables of the journal: books, accounts, rules, entries and their seals.

Triggers of the migrations keep the sums and refuse rewriting.
"""

from datetime import date, datetime

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base

Fen = BigInteger
Instant = DateTime(timezone=True)


class Book(Base):
    """账簿: the money of one owner, kept by one accounting regime; no entry spans two."""

    __tablename__ = "book"
    __table_args__ = (
        CheckConstraint("regime IN ('owners', 'nonprofit', 'enterprise')", name="regime"),
    )

    code: Mapped[str] = mapped_column(String(16), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(64))
    name_en: Mapped[str] = mapped_column(String(64))
    regime: Mapped[str] = mapped_column(String(16), comment="by which accounting rules it is kept")


class Account(Base):
    """科目: one line of the chart of accounts of a book; its code is of no other book."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(
            "type IN ('asset', 'liability', 'equity', 'income', 'expense')", name="type"
        ),
        CheckConstraint("normal_side IN ('debit', 'credit')", name="normal_side"),
    )

    code: Mapped[str] = mapped_column(String(16), primary_key=True)
    name_zh: Mapped[str] = mapped_column(String(64))
    name_en: Mapped[str] = mapped_column(String(64))
    type: Mapped[str] = mapped_column(String(16))
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    book: Mapped[str] = mapped_column(ForeignKey("book.code"))
    normal_side: Mapped[str] = mapped_column(String(8), comment="the side its balance falls on")
    restricted: Mapped[bool] = mapped_column(
        server_default=text("false"), comment="given for a purpose only"
    )
    parent: Mapped[str | None] = mapped_column(ForeignKey("account.code"))


class SplitRule(Base):
    """How income of one source divides from a date on, by integer weights, and who decided it.

    Only ever added to; versions count the rules of one income, ownership and lot.
    """

    __tablename__ = "split_rule"
    __table_args__ = (
        UniqueConstraint(
            "income", "ownership", "lot", "version", postgresql_nulls_not_distinct=True
        ),
        CheckConstraint("cost_permille BETWEEN 0 AND 1000", name="cost"),
        CheckConstraint(
            "num_nulls(votes_for, votes_against, votes_abstained) IN (0, 3)", name="votes"
        ),
        CheckConstraint(
            "votes_for >= 0 AND votes_against >= 0 AND votes_abstained >= 0", name="voters"
        ),
        CheckConstraint("area_for_permille BETWEEN 0 AND 1000", name="area"),
        CheckConstraint("ownership IN ('community', 'private')", name="ownership"),
        CheckConstraint("micro_fund >= 0 AND property >= 0 AND owner >= 0", name="weights"),
        CheckConstraint("micro_fund + property + owner > 0", name="whole"),
        CheckConstraint("owner = 0 OR ownership = 'private'", name="owner"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    income: Mapped[str] = mapped_column(String(32))
    ownership: Mapped[str] = mapped_column(String(16))
    micro_fund: Mapped[int]
    property: Mapped[int]
    owner: Mapped[int]
    valid_from: Mapped[date] = mapped_column(Date)
    decided_by: Mapped[str] = mapped_column(String(256), comment="the vote or contract behind it")
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    lot: Mapped[str | None] = mapped_column(ForeignKey("lot.code"), comment="null: every lot")
    version: Mapped[int]
    cost_permille: Mapped[int] = mapped_column(
        server_default=text("0"), comment="of the income, to the provider before shares"
    )
    decided_on: Mapped[date | None] = mapped_column(Date)
    votes_for: Mapped[int | None]
    votes_against: Mapped[int | None]
    votes_abstained: Mapped[int | None]
    area_for_permille: Mapped[int | None] = mapped_column(
        comment="the share of exclusive area that voted for it"
    )
    reference: Mapped[str | None] = mapped_column(
        String(256), comment="where the minutes and the ballots are kept"
    )


class Period(Base):
    """A month of the books, named by its first day; a closed one takes no entries."""

    __tablename__ = "period"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'closing', 'closed')", name="status"),
        CheckConstraint("EXTRACT(day FROM month) = 1", name="month"),
    )

    month: Mapped[date] = mapped_column(Date, primary_key=True)
    status: Mapped[str] = mapped_column(String(16), server_default="open")


class PeriodEvent(Base):
    """What somebody did to a month, and why; its status follows. Triggers keep the order."""

    __tablename__ = "period_event"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('closing', 'withdrawn', 'closed', 'reopening', 'declined', 'reopened')",
            name="kind",
        ),
        CheckConstraint(
            "kind NOT IN ('closed', 'reopened') OR asked_by IS NOT NULL AND asked_by <> person_id",
            name="second_person",
        ),
        CheckConstraint(
            "kind NOT IN ('withdrawn', 'reopening', 'declined') OR reason IS NOT NULL",
            name="reason",
        ),
        Index(None, "month", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    month: Mapped[date] = mapped_column(ForeignKey("period.month"))
    kind: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    asked_by: Mapped[int | None] = mapped_column(
        ForeignKey("person.id"), comment="whose event this one answers"
    )
    reason: Mapped[str | None] = mapped_column(String(256))
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class JournalEntry(Base):
    """凭证: what one source row became in the books, exactly once per purpose.

    The insert triggers check what it and its postings refer to, a statement's rows at once.
    """

    __tablename__ = "journal_entry"
    __table_args__ = (
        UniqueConstraint("source", "source_id", "purpose"),
        CheckConstraint("posted_on >= occurred_on", name="posted_on"),
        Index(
            "uq_journal_entry_reverses_id",
            "reverses_id",
            unique=True,
            postgresql_where="reverses_id IS NOT NULL",
        ),
        Index("ix_journal_entry_posted_on", "posted_on"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    source: Mapped[str] = mapped_column(String(32))
    source_id: Mapped[int] = mapped_column(BigInteger)
    purpose: Mapped[str] = mapped_column(String(32))
    fingerprint: Mapped[bytes] = mapped_column(
        LargeBinary, comment="SHA-256 of the content, to tell a repeat from a contradiction"
    )
    occurred_on: Mapped[date] = mapped_column(Date)
    recorded_at: Mapped[datetime] = mapped_column(Instant)
    memo: Mapped[str] = mapped_column(String(256))
    split_rule_id: Mapped[int | None] = mapped_column(BigInteger)
    reverses_id: Mapped[int | None] = mapped_column(BigInteger)
    book: Mapped[str] = mapped_column(String(16))
    posted_on: Mapped[date] = mapped_column(
        Date, comment="the accounting date: later than occurred_on when that month was closed"
    )


class Posting(Base):
    """分录: one line of an entry, debit positive; an entry's lines are numbered from 1."""

    __tablename__ = "posting"
    __table_args__ = (
        CheckConstraint("amount_fen <> 0", name="amount"),
        Index(
            "ix_posting_account_posted_on",
            "account",
            "posted_on",
            postgresql_include=["amount_fen"],
        ),
        Index(
            "ix_posting_party_posted_on",
            "party",
            "posted_on",
            postgresql_where="party IS NOT NULL",
        ),
    )

    entry_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    line: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    account: Mapped[str] = mapped_column(String(16))
    party: Mapped[str | None] = mapped_column(String(64))
    amount_fen: Mapped[int] = mapped_column(Fen)
    posted_on: Mapped[date] = mapped_column(Date)
    split_rule_id: Mapped[int | None] = mapped_column(
        BigInteger,
        comment="the rule that split this income, where the entry has several",
    )


class Reversal(Base):
    """Who took an entry back, and why; the entry that does so is of the same change."""

    __tablename__ = "reversal"

    entry_id: Mapped[int] = mapped_column(
        ForeignKey("journal_entry.id"), primary_key=True, autoincrement=False
    )
    person_id: Mapped[int] = mapped_column(ForeignKey("person.id"))
    reason: Mapped[str] = mapped_column(String(200))
    recorded_at: Mapped[datetime] = mapped_column(Instant)


class AccountMonth(Base):
    """Rollup of the postings of one account and month, in shards so that writers do not queue."""

    __tablename__ = "account_month"

    account: Mapped[str] = mapped_column(String(16), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    shard: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    debit_fen: Mapped[int] = mapped_column(Fen)
    credit_fen: Mapped[int] = mapped_column(Fen)


class Unposted(Base):
    """Entries whose postings have still to come in the same transaction; kept by triggers."""

    __tablename__ = "unposted"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    entry_ids: Mapped[list[int]] = mapped_column(
        ARRAY(BigInteger), comment="that one statement recorded"
    )


class Unsealed(Base):
    """The queue of the sealer: entries without a leaf; kept by triggers."""

    __tablename__ = "unsealed"

    entry_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)


class EntryLeaf(Base):
    """An entry's SHA-256, at its place in the Merkle tree of its book and day."""

    __tablename__ = "entry_leaf"
    __table_args__ = (UniqueConstraint("book", "day", "position"),)

    entry_id: Mapped[int] = mapped_column(
        ForeignKey("journal_entry.id"), primary_key=True, autoincrement=False
    )
    book: Mapped[str] = mapped_column(String(16))
    day: Mapped[date] = mapped_column(
        Date, comment="of recording, in UTC; the next open one when that was sealed"
    )
    position: Mapped[int]
    leaf: Mapped[bytes] = mapped_column(LargeBinary)


class DaySeal(Base):
    """A day of a book that is over: its Merkle root, chained to the day sealed before."""

    __tablename__ = "day_seal"

    book: Mapped[str] = mapped_column(ForeignKey("book.code"), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    count: Mapped[int]
    root: Mapped[bytes] = mapped_column(LargeBinary)
    previous: Mapped[bytes] = mapped_column(LargeBinary)
    head: Mapped[bytes] = mapped_column(LargeBinary)
