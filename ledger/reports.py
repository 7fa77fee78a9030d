"""What the books say: the trial balance from rollups, and the entries behind it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Select, exists, or_, select, text
from sqlalchemy.orm import Session

from core.app import settings
from ledger import seals
from ledger.models import EntryLeaf, JournalEntry, Posting
from ledger.seals import Day
from ledger.source_models import Charge, FeeRefund, Payment

# The month's rollup less its later postings: as of today these are few or none.
BALANCES = text("""
SELECT account.book, account.code AS account, account.name_zh AS name, account.name_en,
    account.type,
    (coalesce(rolled.fen, 0) - coalesce(later.fen, 0))::bigint AS net_fen
FROM account
LEFT JOIN (
    SELECT account, sum(debit_fen - credit_fen) AS fen FROM account_month
    WHERE month <= :as_of GROUP BY account
) AS rolled ON rolled.account = account.code
LEFT JOIN LATERAL (
    SELECT sum(amount_fen) AS fen FROM posting
    WHERE posting.account = account.code
        AND posting.posted_on > :as_of AND posting.posted_on <= :month_end
) AS later ON true
WHERE (account.active OR rolled.fen IS NOT NULL)
    AND account.book = coalesce(:book, account.book)
ORDER BY account.code
""")

UNSETTLED = text("""
SELECT count(*) AS count, coalesce(sum(abs(amount_fen)), 0)::bigint AS amount_fen FROM (
    SELECT amount_fen, occurred_at FROM charge WHERE settled_at IS NULL
    UNION ALL SELECT amount_fen, occurred_at FROM payment WHERE settled_at IS NULL
    UNION ALL SELECT amount_fen, occurred_at FROM top_up WHERE settled_at IS NULL
    UNION ALL SELECT amount_fen, occurred_at FROM channel_move WHERE settled_at IS NULL
    UNION ALL SELECT amount_fen, occurred_at FROM fee_refund WHERE settled_at IS NULL
    UNION ALL SELECT amount_fen, occurred_at FROM fund_receipt WHERE settled_at IS NULL
    UNION ALL SELECT amount_fen, paid_at FROM disbursement
    WHERE settled_at IS NULL AND status = 'paid'
) AS waiting
WHERE (occurred_at AT TIME ZONE :zone)::date <= :as_of
""")


@dataclass(frozen=True, slots=True)
class AccountBalance:
    """One account's balance, on the side it falls on."""

    book: str
    account: str
    name: str
    name_en: str
    type: str
    debit_fen: int
    credit_fen: int


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Charges, payments, moves and the like not in the books yet; fen summed without sign."""

    count: int
    amount_fen: int


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """试算平衡表 at the end of a day of the community, of one book or of all (`book` None)."""

    as_of: date
    book: str | None
    rows: list[AccountBalance]
    unsettled: Unsettled
    heads: list[Day]

    @property
    def total_debit_fen(self) -> int:
        """The sum of the debit balances."""
        return sum(row.debit_fen for row in self.rows)

    @property
    def total_credit_fen(self) -> int:
        """The sum of the credit balances."""
        return sum(row.credit_fen for row in self.rows)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: `source` a kind (`charge`) or one cause (`stay:5`).

    Dates are inclusive, and those of posting: an entry is found in the period it stands in.
    """

    since: date | None = None
    until: date | None = None
    account: str | None = None
    party: str | None = None
    source: str | None = None
    book: str | None = None


HEAD = JournalEntry.__table__.columns


@dataclass(frozen=True, slots=True)
class BookedEntry:
    """An entry with its postings and, once it is sealed, the leaf that was sealed."""

    entry: JournalEntry
    leaf: EntryLeaf | None
    postings: list[Posting] = field(default_factory=list)

    @property
    def hash(self) -> bytes:
        """Its leaf; of an entry that is not sealed yet, what it will be sealed as."""
        return self.leaf.leaf if self.leaf else seals.leaf_of(self._rows())

    def _rows(self) -> list[dict[str, Any]]:
        head = {column.key: getattr(self.entry, column.key) for column in HEAD}
        return [
            head
            | {name: getattr(posting, name) for name in ("account", "party", "amount_fen")}
            | {"line_rule_id": posting.split_rule_id}
            for posting in self.postings
        ]


def trial_balance(session: Session, as_of: date, book: str | None = None) -> TrialBalance:
    """Every account's balance at the end of `as_of`, and what is still to be settled by then.

    With the head of every book's chain, so that a printed report can be held against it.
    """
    values = {"as_of": as_of, "month_end": _month_end(as_of), "book": book}
    rows = [
        AccountBalance(
            row.book,
            row.account,
            row.name,
            row.name_en,
            row.type,
            debit_fen=max(row.net_fen, 0),
            credit_fen=max(-row.net_fen, 0),
        )
        for row in session.execute(BALANCES, values)
    ]
    waiting = session.execute(UNSETTLED, {"as_of": as_of, "zone": settings().zone.key}).one()
    heads = [day for day in seals.heads(session) if book in {None, day.book}]
    return TrialBalance(as_of, book, rows, Unsettled(*waiting), heads)


def entries(wanted: EntryFilter) -> Select[JournalEntry, EntryLeaf]:
    """The entries that fit, in the order they were recorded, each with its leaf."""
    query = (
        select(JournalEntry, EntryLeaf)
        .outerjoin(EntryLeaf, EntryLeaf.entry_id == JournalEntry.id)
        .order_by(JournalEntry.id)
    )
    if wanted.since:
        query = query.where(JournalEntry.posted_on >= wanted.since)
    if wanted.until:
        query = query.where(JournalEntry.posted_on <= wanted.until)
    if wanted.book:
        query = query.where(JournalEntry.book == wanted.book)
    if wanted.account or wanted.party:
        posted = select(Posting).where(Posting.entry_id == JournalEntry.id)
        if wanted.account:
            posted = posted.where(Posting.account == wanted.account)
        if wanted.party:
            posted = posted.where(Posting.party == wanted.party)
        query = query.where(posted.exists())
    if wanted.source:
        kind, _, number = wanted.source.partition(":")
        query = query.where(_caused_by(kind, int(number) if number else None))
    return query


def with_postings(
    session: Session, found: Iterable[tuple[JournalEntry, EntryLeaf | None]]
) -> list[BookedEntry]:
    """The entries of a page, each with its postings."""
    booked = {entry.id: BookedEntry(entry, leaf) for entry, leaf in found}
    query = select(Posting).where(Posting.entry_id.in_(booked))
    for posting in session.scalars(query.order_by(Posting.entry_id, Posting.line)):
        booked[posting.entry_id].postings.append(posting)
    return list(booked.values())


def _caused_by(kind: str, number: int | None) -> Any:
    """Entries of a source row, or of what the source row is about (a stay, a parcel)."""
    direct = JournalEntry.source == kind
    if number is not None:
        direct &= JournalEntry.source_id == number
    about = []
    causes = (Charge, "charge"), (Payment, "payment"), (FeeRefund, "fee_refund")
    for table, name in causes:
        of_cause = exists().where(table.id == JournalEntry.source_id, table.source == kind)
        if number is not None:
            of_cause = of_cause.where(table.source_id == number)
        about.append((JournalEntry.source == name) & of_cause)
    return or_(direct, *about)


def _month_end(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1) - timedelta(days=1)
