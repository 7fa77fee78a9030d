"""The one writer of the journal: entries, postings and seals, a few statements per batch."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import driver
from ledger import journal
from ledger.journal import Entry

PARTIES = """
INSERT INTO party (code, kind, household_id)
SELECT code, 'household', split_part(code, ':', 2)::bigint
FROM unnest(%(codes)s::text[]) AS code ON CONFLICT (code) DO NOTHING
"""

RECORDED = """
SELECT source, source_id, purpose, fingerprint FROM journal_entry
JOIN unnest(%(sources)s::text[], %(ids)s::bigint[], %(purposes)s::text[])
    AS wanted (source, source_id, purpose) USING (source, source_id, purpose)
"""

ENTRIES = """
INSERT INTO journal_entry (source, source_id, purpose, fingerprint, occurred_on, recorded_at,
    memo, split_rule_id, reverses_id)
SELECT source, source_id, purpose, fingerprint, occurred_on, %(recorded_at)s, memo,
    split_rule_id, reverses_id
FROM unnest(%(sources)s::text[], %(ids)s::bigint[], %(purposes)s::text[],
    %(fingerprints)s::bytea[], %(days)s::date[], %(memos)s::text[], %(rules)s::bigint[],
    %(reverses)s::bigint[])
    AS new (source, source_id, purpose, fingerprint, occurred_on, memo, split_rule_id, reverses_id)
RETURNING id, source, source_id, purpose
"""

POSTINGS = """
INSERT INTO posting (entry_id, line, account, party, amount_fen, occurred_on, split_rule_id)
SELECT * FROM unnest(%(entries)s::bigint[], %(lines)s::smallint[], %(accounts)s::text[],
    %(parties)s::text[], %(amounts)s::bigint[], %(days)s::date[], %(rules)s::bigint[])
"""

SEAL_LOCK = "SELECT pg_advisory_xact_lock('journal_seal'::regclass::oid::bigint)"
LAST_SEAL = "SELECT position, hash FROM journal_seal ORDER BY position DESC LIMIT 1"
SEALS = """
INSERT INTO journal_seal (position, entry_id, previous_hash, hash)
SELECT * FROM unnest(%(positions)s::bigint[], %(entries)s::bigint[], %(before)s::bytea[],
    %(hashes)s::bytea[])
"""


def recorded(session: Session, entries: Sequence[Entry]) -> dict[tuple[str, int, str], bytes]:
    """The fingerprints of those entries whose cause is in the books already."""
    found = rows(session, RECORDED, **_keys(entries))
    return {(row["source"], row["source_id"], row["purpose"]): row["fingerprint"] for row in found}


def post(session: Session, entries: Sequence[Entry], recorded_at: datetime) -> list[int]:
    """Record new entries and seal them in this order; returns their numbers.

    The database refuses, for the whole batch, what does not balance, a cause posted before, a
    closed month, an unknown or inactive account.
    """
    parties = {line.party for e in entries for line in e.lines if line.party}
    households = sorted(code for code in parties if code.startswith("household:"))
    execute(session, PARTIES, {"codes": households})
    numbers = _insert_entries(session, entries, recorded_at)
    _insert_postings(session, entries, numbers)
    _seal(session, entries, numbers, recorded_at)
    return numbers


def rows(session: Session, sql: str, **values: Any) -> list[DictRow]:
    """What a statement answers, as dictionaries, planned afresh each time (see `execute`)."""
    with driver(session).cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, values, prepare=False).fetchall()


def execute(session: Session, sql: str, values: Mapping[str, Any]) -> psycopg.Cursor[Any]:
    """Run a statement without preparing it: a plan kept from when tables were small is slow."""
    return driver(session).execute(sql, values, prepare=False)


def _keys(entries: Sequence[Entry]) -> dict[str, list[Any]]:
    return {
        "sources": [entry.source for entry in entries],
        "ids": [entry.source_id for entry in entries],
        "purposes": [entry.purpose for entry in entries],
    }


def _insert_entries(session: Session, entries: Sequence[Entry], recorded_at: datetime) -> list[int]:
    numbered = rows(
        session,
        ENTRIES,
        **_keys(entries),
        recorded_at=recorded_at,
        fingerprints=[journal.fingerprint(entry) for entry in entries],
        days=[entry.occurred_on for entry in entries],
        memos=[entry.memo for entry in entries],
        rules=[entry.split_rule_id for entry in entries],
        reverses=[entry.reverses_id for entry in entries],
    )
    by_key = {(row["source"], row["source_id"], row["purpose"]): row["id"] for row in numbered}
    return [by_key[entry.key] for entry in entries]


def _insert_postings(session: Session, entries: Sequence[Entry], numbers: Sequence[int]) -> None:
    flat = [
        (number, place, line, entry.occurred_on)
        for number, entry in zip(numbers, entries, strict=True)
        for place, line in enumerate(entry.lines, start=1)
    ]
    values = {
        "entries": [number for number, _, _, _ in flat],
        "lines": [place for _, place, _, _ in flat],
        "accounts": [line.account for _, _, line, _ in flat],
        "parties": [line.party for _, _, line, _ in flat],
        "amounts": [line.amount_fen for _, _, line, _ in flat],
        "days": [day for _, _, _, day in flat],
        "rules": [line.split_rule_id for _, _, line, _ in flat],
    }
    execute(session, POSTINGS, values)


def _seal(
    session: Session, entries: Sequence[Entry], numbers: Sequence[int], recorded_at: datetime
) -> None:
    """Lengthen the hash chain; one transaction at a time holds its end."""
    execute(session, SEAL_LOCK, {})
    last = rows(session, LAST_SEAL)
    position, before = (last[0]["position"], last[0]["hash"]) if last else (0, journal.GENESIS)
    hashes = [before]
    for number, entry in zip(numbers, entries, strict=True):
        hashes.append(journal.seal(hashes[-1], journal.canonical(number, recorded_at, entry)))
    values = {
        "positions": list(range(position + 1, position + len(entries) + 1)),
        "entries": list(numbers),
        "before": hashes[:-1],
        "hashes": hashes[1:],
    }
    execute(session, SEALS, values)
