"""Every entry hashed anew inside the database, and every tree and head grown anew here.

The canonical form is built a second time, in SQL: it has to say what `journal.canonical` says.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any, NamedTuple

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from ledger import merkle, seals
from ledger.checks import Check
from ledger.posting import rows

# Accounts, parties, kinds and purposes are words of ours, which JSON writes as they are. OFFSET 0
# keeps a verdict from being hashed anew wherever it is counted.
ENTRIES = """
WITH line AS (
    SELECT entry_id, sum(amount_fen) AS fen, count(*) AS lines,
        min(posted_on) AS first_day, max(posted_on) AS last_day,
        min(account.book) AS book, max(account.book) AS other_book,
        string_agg('["' || account || coalesce('","' || party || '",', '",null,') || amount_fen
            || coalesce(',' || split_rule_id || ']', ',null]'), ',' ORDER BY line) AS said
    FROM posting LEFT JOIN account ON account.code = posting.account
    GROUP BY entry_id
), told AS (
    SELECT e.id, e.fingerprint, leaf.leaf, leaf.entry_id IS NOT NULL AS has_leaf,
        '["huilin-entry-2",' || e.id || ',"'
            || to_char(e.recorded_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')
            || '","' || e.posted_on || '","' || encode(e.fingerprint, 'hex') || '",' AS head,
        '"' || e.book || '","' || e.source || '",' || e.source_id || ',"' || e.purpose || '","'
            || e.occurred_on || '",' || to_json(e.memo) || ','
            || coalesce(e.split_rule_id::text, 'null') || ','
            || coalesce(e.reverses_id::text, 'null') || ',[' || coalesce(line.said, '') || ']]'
            AS tail,
        line.fen IS DISTINCT FROM 0 OR line.lines < 2
            OR (e.posted_on, e.posted_on) <> (line.first_day, line.last_day)
            OR (e.book, e.book) IS DISTINCT FROM (line.book, line.other_book)
            OR leaf.book <> e.book OR leaf.day < (e.recorded_at AT TIME ZONE 'UTC')::date AS broken
    FROM journal_entry AS e
    LEFT JOIN line ON line.entry_id = e.id
    LEFT JOIN entry_leaf AS leaf ON leaf.entry_id = e.id
), judged AS (
    SELECT id, has_leaf, broken,
        fingerprint <> sha256(convert_to('[' || tail, 'UTF8')) OR has_leaf
            AND leaf <> sha256('\\x00'::bytea || convert_to(head || tail, 'UTF8')) AS altered
    FROM told OFFSET 0
)
SELECT count(*) AS entries, count(*) FILTER (WHERE has_leaf) AS leaves,
    count(*) FILTER (WHERE altered) AS altered, min(id) FILTER (WHERE altered) AS first_altered,
    count(*) FILTER (WHERE broken) AS broken, min(id) FILTER (WHERE broken) AS first_broken
FROM judged
"""

ENTRY = """
SELECT e.id, e.source, e.source_id, e.book, leaf.position, leaf.day,
    (SELECT coalesce(sum(amount_fen), 0) FROM posting WHERE entry_id = e.id) AS fen,
    (SELECT count(*) FROM posting WHERE entry_id = e.id) AS lines
FROM journal_entry AS e LEFT JOIN entry_leaf AS leaf ON leaf.entry_id = e.id
WHERE e.id = %(entry_id)s
"""

ROOM = """
SELECT set_config('work_mem', '64MB', true),
    set_config('max_parallel_workers_per_gather', '0', true)
"""
"""Enough for what is laid beside each other to stay in memory; and no helpers, for the walk and
the other checks keep two processors busy already, and each helper would add up every entry."""

IN_ORDER = "SELECT set_config('enable_hashjoin', %(hashing)s, true)"
"""Entries, postings and leaves are read side by side in the order of their keys: none is kept."""

FORGOTTEN = """
SELECT min(id) AS id, count(*) AS broken FROM journal_entry
WHERE NOT EXISTS (SELECT FROM entry_leaf WHERE entry_id = journal_entry.id)
    AND NOT EXISTS (SELECT FROM unsealed WHERE entry_id = journal_entry.id)
"""

LEAVES = """
SELECT book, day, count(*) AS count, min(position) AS first, max(position) AS last,
    string_agg(leaf, ''::bytea ORDER BY position) AS leaves
FROM entry_leaf GROUP BY book, day
"""
SEALS = "SELECT * FROM day_seal"

STRAY = """
SELECT entry_id, count(*) OVER () AS broken FROM posting
WHERE NOT EXISTS (SELECT FROM journal_entry WHERE journal_entry.id = posting.entry_id)
ORDER BY entry_id LIMIT 1
"""


class Found(NamedTuple):
    """What the walk over all entries found."""

    entries: int
    leaves: int
    altered: int
    first_altered: int | None
    broken: int
    first_broken: int | None


def look(session: Session) -> Found:
    """Every entry with its postings, once: whether it is whole, and what was sealed."""
    rows(session, ROOM)
    rows(session, IN_ORDER, hashing="off")
    found = Found(**rows(session, ENTRIES)[0])
    rows(session, IN_ORDER, hashing="on")
    return found


def balances(session: Session, found: Found) -> Check:
    """Every entry sums to zero over two postings or more, of its own book and date."""
    for row in rows(session, STRAY):
        return Check(False, f"{row['broken']} postings without an entry, first {row['entry_id']}")
    if found.broken:
        row = rows(session, ENTRY, entry_id=found.first_broken)[0]
        said = f"{_named(row)} sums to {row['fen']} fen over {row['lines']} postings"
        return Check(False, f"{said}, or is of mixed books or dates; {found.broken} broken in all")
    return Check(True, "every entry balances")


def trees(session: Session) -> Check:
    """None is without a leaf, and every day's root and head are those of its leaves."""
    for row in rows(session, FORGOTTEN):
        if row["broken"]:
            return Check(False, f"{row['broken']} entries without a leaf, first {row['id']}")
    try:
        heads = dict(_days(session))
    except BrokenError as error:
        return Check(False, str(error))
    return Check(True, ", ".join(f"head of {book} {head.hex()}" for book, head in heads.items()))


def chain(session: Session, found: Found, grown: Check) -> Check:
    """No entry was altered, and the trees that were `grown` are right."""
    if found.altered:
        row = rows(session, ENTRY, entry_id=found.first_altered)[0]
        said = f"{_named(row)} or its leaf was altered; {found.altered} in all"
        return Check(False, said)
    if not grown.ok:
        return grown
    counted = f"{found.leaves} entries sealed, {found.entries - found.leaves} waiting"
    return Check(True, ", ".join(filter(None, (counted, grown.detail))))


class BrokenError(Exception):
    """The first day that is wrong, in words."""


def _days(session: Session) -> Iterator[tuple[str, bytes]]:
    """Each book's head after each day, in order; BrokenError at the first that is wrong."""
    grown = {(row["book"], row["day"]): row for row in rows(session, LEAVES)}
    sealed = {(row["book"], row["day"]): row for row in rows(session, SEALS)}
    head: dict[str, bytes] = {}
    newest = _newest(sealed)
    for book, day in sorted(grown.keys() | sealed.keys()):
        row, seal = grown.get((book, day)), sealed.get((book, day))
        at = f"book {book}, day {day}"
        if row is None:
            raise BrokenError(f"{at}: sealed, but its leaves are gone")
        if (row["first"], row["last"]) != (1, row["count"]):
            raise BrokenError(f"{at}: leaves are missing")
        previous = head.get(book, merkle.GENESIS)
        root = merkle.root_of(seals.split(row["leaves"]))
        head[book] = merkle.head_of(previous, book, day, row["count"], root)
        if seal is None and day < newest.get(book, date.min):
            raise BrokenError(f"{at}: its seal is gone")
        grew = row["count"], root, previous, head[book]
        if seal is not None and grew != _said(seal):
            raise BrokenError(f"{at}: the seal is not that of its leaves")
        yield book, head[book]


def _newest(sealed: dict[tuple[str, date], DictRow]) -> dict[str, date]:
    newest: dict[str, date] = {}
    for book, day in sealed:
        newest[book] = max(day, newest.get(book, day))
    return newest


def _said(seal: DictRow) -> tuple[Any, ...]:
    return seal["count"], seal["root"], seal["previous"], seal["head"]


def _named(row: DictRow) -> str:
    return f"entry {row['id']} ({row['source']}:{row['source_id']}) of book {row['book']}"
