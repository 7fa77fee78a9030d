"""凭证: the entries that fit a filter, each with its postings and its leaf."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, exists, or_, select
from sqlalchemy.orm import Session

from ledger import seals
from ledger.models import EntryLeaf, JournalEntry, Posting
from ledger.source_models import Charge, FeeRefund, Payment


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries: `source` a kind (`charge`) or one cause (`stay:5`).

    Dates are inclusive, and those of posting: an entry is found in the period it stands in.
    `known_at` leaves out what was recorded later; `against` is how the code of an account begins
    that is posted in the same entry.
    """

    since: date | None = None
    until: date | None = None
    account: str | None = None
    party: str | None = None
    source: str | None = None
    book: str | None = None
    known_at: datetime | None = None
    against: str | None = None


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
    if wanted.known_at:
        query = query.where(JournalEntry.recorded_at <= wanted.known_at)
    if wanted.book:
        query = query.where(JournalEntry.book == wanted.book)
    if wanted.against:
        beside = select(Posting).where(Posting.entry_id == JournalEntry.id)
        query = query.where(beside.where(Posting.account.startswith(wanted.against)).exists())
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
