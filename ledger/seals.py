"""Sealing entries off the hot path: leaves in order of number, a tree a book and day, days chained.

Triggers queue every entry; the sealer takes them a little later, so that what was recorded at
the same time mostly stands in order of its number. An entry that commits late is still queued
when it does: it goes to its own day, or to the next that is open.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import groupby
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from ledger import journal, merkle
from ledger.merkle import GENESIS, Step
from ledger.posting import execute, rows

DELAY = timedelta(seconds=5)
"""How long an entry waits for others that were numbered before it and commit after it."""

ONE_SEALER = "SELECT pg_try_advisory_xact_lock('entry_leaf'::regclass::oid::bigint) AS got"

QUEUED = """
SELECT e.*, p.line, p.account, p.party, p.amount_fen, p.split_rule_id AS line_rule_id
FROM (
    SELECT entry_id FROM unsealed JOIN journal_entry AS e ON e.id = entry_id
    WHERE e.recorded_at <= %(until)s ORDER BY entry_id LIMIT %(limit)s
) AS next
JOIN journal_entry AS e ON e.id = next.entry_id
JOIN posting AS p ON p.entry_id = e.id
ORDER BY e.id, p.line
"""

# A day that was sealed takes no more leaves.
LEAVES = """
WITH placed AS (
    SELECT new.*, greatest(new.recorded_on, sealed.day + 1, begun.day) AS day
    FROM unnest(%(ids)s::bigint[], %(books)s::text[], %(days)s::date[], %(leaves)s::bytea[])
        AS new (entry_id, book, recorded_on, leaf)
    CROSS JOIN LATERAL (SELECT max(day) AS day FROM day_seal WHERE book = new.book) AS sealed
    CROSS JOIN LATERAL (SELECT max(day) AS day FROM entry_leaf WHERE book = new.book) AS begun
)
INSERT INTO entry_leaf (entry_id, book, day, position, leaf)
SELECT entry_id, book, day,
    leaf.last + row_number() OVER (PARTITION BY book, day ORDER BY entry_id), placed.leaf
FROM placed CROSS JOIN LATERAL (
    SELECT coalesce(max(position), 0) AS last FROM entry_leaf
    WHERE entry_leaf.book = placed.book AND entry_leaf.day = placed.day
) AS leaf
"""

OLDEST_QUEUED = """
SELECT min(recorded_at) AS at FROM unsealed JOIN journal_entry ON id = entry_id
"""

OPEN_DAYS = """
SELECT book.code AS book, day, count(*) AS count,
    string_agg(leaf, ''::bytea ORDER BY position) AS leaves
FROM book
CROSS JOIN LATERAL (
    SELECT coalesce(max(day), '-infinity') AS sealed FROM day_seal WHERE book = book.code
) AS last
JOIN entry_leaf ON entry_leaf.book = book.code AND day > last.sealed
GROUP BY book.code, day ORDER BY book.code, day
"""

LAST_SEALS = """
SELECT seal.* FROM book CROSS JOIN LATERAL (
    SELECT * FROM day_seal WHERE day_seal.book = book.code ORDER BY day DESC LIMIT 1
) AS seal
"""

SEALS = """
INSERT INTO day_seal (book, day, count, root, previous, head)
VALUES (%(book)s, %(day)s, %(count)s, %(root)s, %(previous)s, %(head)s)
"""

LEAF = "SELECT book, day, position, leaf FROM entry_leaf WHERE entry_id = %(entry_id)s"
DAY_LEAVES = """
SELECT leaf FROM entry_leaf WHERE book = %(book)s AND day = %(day)s ORDER BY position
"""
SEAL_BEFORE = """
SELECT head FROM day_seal WHERE book = %(book)s AND day < %(day)s ORDER BY day DESC LIMIT 1
"""
SEALS_BETWEEN = """
SELECT * FROM day_seal WHERE book = %(book)s AND day BETWEEN %(first)s AND %(last)s
"""
DAY_SEAL = "SELECT * FROM day_seal WHERE book = %(book)s AND day = %(day)s"


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a book in the chain; while it is `open`, what it would be sealed as now."""

    book: str
    day: date
    count: int
    root: bytes
    previous: bytes
    head: bytes
    open: bool = False


@dataclass(frozen=True, slots=True)
class Inclusion:
    """Proof that an entry is in the books: the steps from its leaf to the root of its day."""

    entry_id: int
    position: int
    leaf: bytes
    path: list[Step]
    day: Day


@dataclass(frozen=True, slots=True)
class Chained:
    """The steps from a leaf to the root of its day, and that day with those chained to it."""

    leaf: bytes
    path: list[Step]
    days: list[Day]


def seal_batch(
    session: Session, now: datetime, *, limit: int = 2_000, delay: timedelta = DELAY
) -> int:
    """Give up to `limit` entries their leaves, the lowest numbers first; returns how many.

    Entries recorded less than `delay` ago are left for later. Two sealers do not meet: the
    second finds nothing to do.
    """
    if not rows(session, ONE_SEALER)[0]["got"]:
        return 0
    found = rows(session, QUEUED, until=now - delay, limit=limit)
    leaves = [(entry, leaf_of(group)) for entry, group in _entries(found)]
    if not leaves:
        return 0
    values = {
        "ids": [entry["id"] for entry, _ in leaves],
        "books": [entry["book"] for entry, _ in leaves],
        "days": [entry["recorded_at"].astimezone(UTC).date() for entry, _ in leaves],
        "leaves": [leaf for _, leaf in leaves],
    }
    execute(session, LEAVES, values)
    return len(leaves)


def close_days(session: Session, now: datetime, *, delay: timedelta = DELAY) -> list[Day]:
    """Seal the days that are over in UTC and of which nothing is queued; returns them."""
    if not rows(session, ONE_SEALER)[0]["got"]:
        return []
    oldest = rows(session, OLDEST_QUEUED)[0]["at"]
    until = min(now - delay, oldest) if oldest else now - delay
    today = until.astimezone(UTC).date()
    over = [day for day in _open_days(session) if day.day < today]
    for day in over:
        names = ("book", "day", "count", "root", "previous", "head")
        execute(session, SEALS, {name: getattr(day, name) for name in names})
    return over


def heads(session: Session) -> list[Day]:
    """The newest day of every book that has one; its head stands for all that is sealed."""
    newest = {row["book"]: Day(**row) for row in rows(session, LAST_SEALS)}
    newest |= {day.book: day for day in _open_days(session, list(newest.values()))}
    return [newest[book] for book in sorted(newest)]


def standing(session: Session) -> list[Day]:
    """What a publication fixes: every day of a book that is open, or else its last, in order.

    An open day may grow later; its first `count` leaves still give the head that was published.
    """
    found = list(_open_days(session))
    growing = {day.book for day in found}
    found += [Day(**row) for row in rows(session, LAST_SEALS) if row["book"] not in growing]
    return sorted(found, key=lambda day: (day.book, day.day))


def stands(session: Session, fixed: Sequence[Day]) -> bool:
    """Whether the leaves that are there give the heads of the days of a book that were fixed."""
    previous = fixed[0].previous
    before = rows(session, SEAL_BEFORE, book=fixed[0].book, day=fixed[0].day)
    linked = previous == (before[0]["head"] if before else GENESIS)
    for day in fixed:
        root = merkle.root_of(_leaves(session, day.book, day.day)[: day.count])
        if merkle.head_of(previous, day.book, day.day, day.count, root) != day.head:
            return False
        previous = day.head
    return linked


def chain_to(session: Session, fixed: Sequence[Day], since: date) -> list[Day]:
    """The days of a book from `since` to the last that was fixed, as they were then."""
    between = {"book": fixed[0].book, "first": since, "last": fixed[0].day}
    days = {row["day"]: Day(**row) for row in rows(session, SEALS_BETWEEN, **between)}
    days |= {day.day: day for day in fixed}
    return [days[day] for day in sorted(days)]


def inclusion_under(session: Session, entry_id: int, fixed: Sequence[Day]) -> Chained | None:
    """The way from an entry to the head of the last of the days of its book that were fixed.

    None when it has no leaf among them.
    """
    found = rows(session, LEAF, entry_id=entry_id)
    if not found or found[0]["day"] > fixed[-1].day:
        return None
    book, first, place = found[0]["book"], found[0]["day"], found[0]["position"]
    days = [day for day in chain_to(session, fixed, first) if day.day >= first]
    if days[0].day != first or place > days[0].count:
        return None
    leaves = _leaves(session, book, first)[: days[0].count]
    return Chained(found[0]["leaf"], merkle.path_of(leaves, place - 1), days)


def inclusion(session: Session, entry_id: int) -> Inclusion | None:
    """The proof of an entry; None while it has no leaf yet."""
    found = rows(session, LEAF, entry_id=entry_id)
    if not found:
        return None
    place = found[0]
    path = merkle.path_of(_leaves(session, place["book"], place["day"]), place["position"] - 1)
    return Inclusion(entry_id, place["position"], place["leaf"], path, _day_of(session, place))


def leaf_of(group: Sequence[Mapping[str, Any]]) -> bytes:
    """The leaf of a recorded entry, whose fields stand on a row for each of its postings."""
    return merkle.leaf_of(canonical_of(group))


def canonical_of(group: Sequence[Mapping[str, Any]]) -> bytes:
    """The canonical form of a recorded entry, from the same rows."""
    head = group[0]
    return journal.canonical(head["id"], head["recorded_at"], head["posted_on"], entry_of(group))


def entry_of(group: Sequence[Mapping[str, Any]]) -> journal.Entry:
    """What a recorded entry says, from the same rows."""
    head = group[0]
    return journal.Entry(
        source=head["source"],
        source_id=head["source_id"],
        occurred_on=head["occurred_on"],
        memo=head["memo"],
        lines=tuple(
            journal.Line(row["account"], row["party"], row["amount_fen"], row["line_rule_id"])
            for row in group
        ),
        purpose=head["purpose"],
        split_rule_id=head["split_rule_id"],
        reverses_id=head["reverses_id"],
        book=head["book"],
    )


def _entries(found: list[DictRow]) -> Iterator[tuple[DictRow, list[DictRow]]]:
    for _, group in groupby(found, key=lambda row: row["id"]):
        entry = list(group)
        yield entry[0], entry


def _open_days(session: Session, sealed: Sequence[Day] | None = None) -> Iterator[Day]:
    """Every day that is not sealed yet, book by book, as it would be sealed now.

    `sealed`: the last sealed day of each book, if these are known.
    """
    if sealed is None:
        sealed = [Day(**row) for row in rows(session, LAST_SEALS)]
    head = {day.book: day.head for day in sealed}
    for row in rows(session, OPEN_DAYS):
        book, day, count = row["book"], row["day"], row["count"]
        root, previous = _root_of(row["leaves"]), head.get(book, GENESIS)
        head[book] = merkle.head_of(previous, book, day, count, root)
        yield Day(book, day, count, root, previous, head[book], open=True)


@lru_cache(maxsize=8)
def _root_of(leaves: bytes) -> bytes:
    """The root over leaves, remembered: every report asks for those of the open days."""
    return merkle.root_of(split(leaves))


def split(leaves: bytes) -> list[bytes]:
    """Leaves that were read as one string of bytes."""
    return [leaves[start : start + 32] for start in range(0, len(leaves), 32)]


def _leaves(session: Session, book: str, day: date) -> list[bytes]:
    return [row["leaf"] for row in rows(session, DAY_LEAVES, book=book, day=day)]


def _day_of(session: Session, place: DictRow) -> Day:
    for row in rows(session, DAY_SEAL, book=place["book"], day=place["day"]):
        return Day(**row)
    where = place["book"], place["day"]
    return next(day for day in _open_days(session) if (day.book, day.day) == where)
