"""From a figure's entry down to what happened, and from what happened up to entries and reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import or_, select, tuple_
from sqlalchemy.orm import Session

from channels.models import BillLine, ChannelMove, PaymentOrder, PaymentRefund
from core.errors import not_found
from core.months import month_end
from ledger.models import EntryLeaf, JournalEntry
from ledger.source_models import Charge, FeeRefund, Payment, TopUp
from reports import links
from reports.entries import BookedEntry, with_postings

CAUSED: Mapping[str, Any] = {"charge": Charge, "payment": Payment, "fee_refund": FeeRefund}
"""Source tables whose rows say what they are about."""


PAGES = {"stay": "/api/v1/stays/", "booking": "/api/v1/bookings/", "parcel": "/api/v1/parcels/"}
"""Where causes can be read; others have no page of their own."""


@dataclass(frozen=True, slots=True)
class Cause:
    """What something was charged for."""

    source: str
    source_id: int

    @property
    def url(self) -> str | None:
        """Where it can be read."""
        page = PAGES.get(self.source)
        return f"{page}{self.source_id}" if page else None


@dataclass(frozen=True, slots=True)
class InReports:
    """A month of a book in whose reports an entry is, and where these are."""

    book: str
    month: date

    @property
    def statement(self) -> str:
        """The month's 业务活动表."""
        return links.statement(self.book, self.month, month_end(self.month))

    @property
    def trial_balance(self) -> str:
        """The balances as the month ended."""
        return links.trial_balance(self.book, month_end(self.month))

    @property
    def export(self) -> str:
        """The month's postings."""
        return links.export(self.book, self.month, month_end(self.month))


@dataclass(slots=True)
class Trace:
    """All that belongs together: the cause, the source rows, the provider's words, the entries."""

    cause: Cause | None = None
    charges: Sequence[Charge] = ()
    payments: Sequence[Payment] = ()
    top_ups: Sequence[TopUp] = ()
    orders: Sequence[PaymentOrder] = ()
    moves: Sequence[ChannelMove] = ()
    bill_lines: Sequence[BillLine] = ()
    entries: Sequence[BookedEntry] = ()
    others: list[tuple[str, int]] = field(default_factory=list)

    @property
    def reports(self) -> list[InReports]:
        """The months of books whose reports have the entries."""
        found = {(row.entry.book, row.entry.posted_on.replace(day=1)) for row in self.entries}
        return [InReports(*where) for where in sorted(found)]

    @property
    def sources(self) -> list[tuple[str, int]]:
        """The source rows as entries name them."""
        named: list[tuple[str, Iterable[Any]]] = [
            ("charge", self.charges),
            ("payment", self.payments),
            ("top_up", self.top_ups),
        ]
        rows = [(name, row.id) for name, found in named for row in found]
        return [*rows, *((move.kind, move.id) for move in self.moves), *self.others]


def trace(session: Session, what: str, which: int) -> Trace:
    """All that belongs to an `entry`, `charge` or `payment`, or to a cause (`stay`, `parcel`, …).

    Problem 404 when there is none, or nothing was charged for the cause.
    """
    found = Trace()
    source, number = (what, which) if what != "entry" else _source_of(session, which)
    move = session.get(ChannelMove, number)
    if source in CAUSED:
        found.cause = _cause_of(session, source, number)
    elif source == "top_up":
        found.top_ups = _all(session, TopUp, TopUp.id == number)
    elif move is not None and move.kind == source:
        found.moves = [move]
    elif what == "entry" or _posted(session, source, number):
        found.others = [(source, number)]
    else:
        found.cause = Cause(source, number)
    if found.cause:
        found.charges = _about(session, Charge, found.cause)
        found.payments = _about(session, Payment, found.cause)
        refunds = _about(session, FeeRefund, found.cause)
        found.others = [("fee_refund", refund.id) for refund in refunds]
    _ask_channels(session, found)
    found.entries = _entries(session, found.sources)
    if not found.sources:
        raise not_found(what)
    return found


def _posted(session: Session, source: str, number: int) -> bool:
    """Whether it is a source row of its own, like an expense, and not what others are about."""
    entry = select(JournalEntry.id).where(
        JournalEntry.source == source, JournalEntry.source_id == number
    )
    return session.scalar(entry.limit(1)) is not None


def _source_of(session: Session, entry_id: int) -> tuple[str, int]:
    entry = session.get(JournalEntry, entry_id)
    if entry is None:
        raise not_found("entry")
    return entry.source, entry.source_id


def _cause_of(session: Session, table: str, number: int) -> Cause:
    row: Any = session.get(CAUSED[table], number)
    if row is None:
        raise not_found(table)
    return Cause(row.source, row.source_id)


def _about(session: Session, table: Any, cause: Cause) -> list[Any]:
    return _all(
        session, table, (table.source == cause.source) & (table.source_id == cause.source_id)
    )


def _ask_channels(session: Session, found: Trace) -> None:
    """The orders through which the money came, what else moved for them, and the bills' lines."""
    paid, filled = ([row.id for row in rows] for rows in (found.payments, found.top_ups))
    theirs = [move.reference for move in found.moves if move.kind in {"surplus", "refund"}]
    refunded = select(PaymentRefund.order_id).where(PaymentRefund.out_refund_no.in_(theirs))
    found.orders = _all(
        session,
        PaymentOrder,
        PaymentOrder.payment_id.in_(paid)
        | PaymentOrder.top_up_id.in_(filled)
        | PaymentOrder.out_trade_no.in_(theirs)
        | PaymentOrder.id.in_(refunded),
    )
    ours = [order.out_trade_no for order in found.orders]
    orders = [order.id for order in found.orders]
    back = _all(session, PaymentRefund, PaymentRefund.order_id.in_(orders))
    references = [*ours, *(refund.out_refund_no for refund in back)]
    of_orders = ChannelMove.reference.in_(references) & ChannelMove.kind.in_(["surplus", "refund"])
    more = _all(session, ChannelMove, of_orders)
    found.moves = sorted({move.id: move for move in [*found.moves, *more]}.values(), key=_id)
    found.bill_lines = _bill_lines(session, references, found.moves)


def _bill_lines(
    session: Session, references: Sequence[str], moves: Iterable[ChannelMove]
) -> list[BillLine]:
    """The lines that say our numbers, and those that moves name as their cause."""
    named = [
        (move.channel, *move.reference.split(":", 1))
        for move in moves
        if move.kind == "provider_fee" and ":" in move.reference
    ]
    named += [
        ("bank", "transfer", move.reference.partition(":")[2])
        for move in moves
        if move.kind == "settlement_transfer"
    ]
    by_name = tuple_(BillLine.channel, BillLine.type, BillLine.external_id).in_(named)
    return _all(session, BillLine, or_(BillLine.reference.in_(references), by_name))


def _entries(session: Session, sources: Sequence[tuple[str, int]]) -> list[BookedEntry]:
    query = (
        select(JournalEntry, EntryLeaf)
        .outerjoin(EntryLeaf, EntryLeaf.entry_id == JournalEntry.id)
        .where(tuple_(JournalEntry.source, JournalEntry.source_id).in_(sources))
        .order_by(JournalEntry.id)
    )
    return with_postings(session, session.execute(query))


def _all(session: Session, table: Any, condition: Any) -> list[Any]:
    return list(session.scalars(select(table).where(condition).order_by(table.id)))


def _id(row: ChannelMove) -> int:
    return row.id
