"""The one writer of the journal: entries and postings, a few statements per batch."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
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
INSERT INTO journal_entry (book, source, source_id, purpose, fingerprint, occurred_on, posted_on,
    recorded_at, memo, split_rule_id, reverses_id)
SELECT book, source, source_id, purpose, fingerprint, occurred_on, posted_on, %(recorded_at)s,
    memo, split_rule_id, reverses_id
FROM unnest(%(books)s::text[], %(sources)s::text[], %(ids)s::bigint[], %(purposes)s::text[],
    %(fingerprints)s::bytea[], %(days)s::date[], %(posted)s::date[], %(memos)s::text[],
    %(rules)s::bigint[], %(reverses)s::bigint[])
    AS new (book, source, source_id, purpose, fingerprint, occurred_on, posted_on, memo,
        split_rule_id, reverses_id)
RETURNING id, source, source_id, purpose
"""

POSTINGS = """
INSERT INTO posting (entry_id, line, account, party, amount_fen, posted_on, split_rule_id)
SELECT * FROM unnest(%(entries)s::bigint[], %(lines)s::smallint[], %(accounts)s::text[],
    %(parties)s::text[], %(amounts)s::bigint[], %(days)s::date[], %(rules)s::bigint[])
"""

MONTHS = "SELECT month, status FROM lock_months(%(days)s::date[])"


def recorded(session: Session, entries: Sequence[Entry]) -> dict[tuple[str, int, str], bytes]:
    """The fingerprints of those entries whose cause is in the books already."""
    found = rows(session, RECORDED, **_keys(entries))
    return {(row["source"], row["source_id"], row["purpose"]): row["fingerprint"] for row in found}


def periods(session: Session, days: Iterable[date]) -> dict[date, date]:
    """On which day a fact of each of these days is posted: its own while its month is open.

    Else the first of the next month that is open. The months stay open until the transaction
    ends.
    """
    posted = {day: day for day in days}
    while posted:
        months = rows(session, MONTHS, days=sorted(set(posted.values())))
        closed = {row["month"] for row in months if row["status"] == "closed"}
        late = {day for day, on in posted.items() if on.replace(day=1) in closed}
        if not late:
            break
        posted |= {day: _next_month(posted[day]) for day in late}
    return posted


def post(session: Session, entries: Sequence[Entry], recorded_at: datetime) -> list[int]:
    """Record new entries, in this order; returns their numbers.

    A fact of a closed month is posted into the first open one, its true date kept. The database
    refuses, for the whole batch, what does not balance, an account of another book, a cause
    posted before, an unknown or inactive account.
    """
    parties = {line.party for e in entries for line in e.lines if line.party}
    households = sorted(code for code in parties if code.startswith("household:"))
    execute(session, PARTIES, {"codes": households})
    on = periods(session, {entry.occurred_on for entry in entries})
    posted = [on[entry.occurred_on] for entry in entries]
    numbers = _insert_entries(session, entries, posted, recorded_at)
    _insert_postings(session, entries, posted, numbers)
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


def _insert_entries(
    session: Session, entries: Sequence[Entry], posted: Sequence[date], recorded_at: datetime
) -> list[int]:
    numbered = rows(
        session,
        ENTRIES,
        **_keys(entries),
        recorded_at=recorded_at,
        books=[entry.book for entry in entries],
        fingerprints=[journal.fingerprint(entry) for entry in entries],
        days=[entry.occurred_on for entry in entries],
        posted=posted,
        memos=[entry.memo for entry in entries],
        rules=[entry.split_rule_id for entry in entries],
        reverses=[entry.reverses_id for entry in entries],
    )
    by_key = {(row["source"], row["source_id"], row["purpose"]): row["id"] for row in numbered}
    return [by_key[entry.key] for entry in entries]


def _insert_postings(
    session: Session, entries: Sequence[Entry], posted: Sequence[date], numbers: Sequence[int]
) -> None:
    flat = [
        (number, place, line, day)
        for number, entry, day in zip(numbers, entries, posted, strict=True)
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


def _next_month(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)
