"""The one writer of the journal: entries and postings, a few statements per batch."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import islice
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import driver
from core.months import next_month
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

NUMBERS = "SELECT nextval('journal_entry_id_seq') FROM generate_series(1, %(count)s)"

# One form of both tables, text: the database reads rows while more of them are written down.
ENTRIES = """
COPY journal_entry (id, book, source, source_id, purpose, fingerprint, occurred_on, posted_on,
    recorded_at, memo, split_rule_id, reverses_id) FROM STDIN
"""
POSTINGS = """
COPY posting (entry_id, line, account, party, amount_fen, posted_on, split_rule_id) FROM STDIN
"""

NULL = "\\N"
ESCAPED = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
TO_ESCAPE = re.compile(r"[\\\t\n\r]")
LINES_AT_ONCE = 200
"""Written and sent together: while the database takes them, the next are written."""

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
        posted |= {day: next_month(posted[day]) for day in late}
    return posted


def post(session: Session, entries: Sequence[Entry], recorded_at: datetime) -> list[int]:
    """Record new entries, in this order; returns their numbers.

    A fact of a closed month is posted into the first open one, its true date kept. The database
    refuses, for the whole batch, what does not balance, an account of another book, a cause
    posted before, an unknown or inactive account.
    """
    _open_parties(session, entries)
    on = periods(session, {entry.occurred_on for entry in entries})
    days = {day: posted.isoformat() for day, posted in on.items()}
    numbers = _numbers(session, len(entries))
    _copy(session, ENTRIES, _entry_lines(entries, days, numbers, recorded_at))
    _copy(session, POSTINGS, _posting_lines(entries, days, numbers))
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


def _open_parties(session: Session, entries: Sequence[Entry]) -> None:
    """Households have a party from their first posting on."""
    parties = {line.party for entry in entries for line in entry.lines if line.party}
    households = sorted(code for code in parties if code.startswith("household:"))
    if households:
        execute(session, PARTIES, {"codes": households})


def _numbers(session: Session, count: int) -> list[int]:
    with driver(session).cursor() as cursor:
        cursor.execute(NUMBERS, {"count": count}, prepare=False)
        return [number for (number,) in cursor]


def _copy(session: Session, sql: str, lines: Iterator[str]) -> None:
    with driver(session).cursor() as cursor, cursor.copy(sql) as copy:
        while some := "".join(islice(lines, LINES_AT_ONCE)):
            copy.write(some)


def _entry_lines(
    entries: Sequence[Entry],
    days: Mapping[date, str],
    numbers: Sequence[int],
    recorded_at: datetime,
) -> Iterator[str]:
    at = recorded_at.isoformat()
    for number, entry in zip(numbers, entries, strict=True):
        yield (
            f"{number}\t{entry.book}\t{entry.source}\t{entry.source_id}\t{entry.purpose}\t"
            f"\\\\x{journal.fingerprint(entry).hex()}\t{entry.occurred_on.isoformat()}\t"
            f"{days[entry.occurred_on]}\t{at}\t{_written(entry.memo)}\t"
            f"{_or_null(entry.split_rule_id)}\t{_or_null(entry.reverses_id)}\n"
        )


def _posting_lines(
    entries: Sequence[Entry], days: Mapping[date, str], numbers: Sequence[int]
) -> Iterator[str]:
    for number, entry in zip(numbers, entries, strict=True):
        day = days[entry.occurred_on]
        for place, line in enumerate(entry.lines, start=1):
            party = NULL if line.party is None else _written(line.party)
            yield (
                f"{number}\t{place}\t{line.account}\t{party}\t{line.amount_fen}\t{day}\t"
                f"{_or_null(line.split_rule_id)}\n"
            )


def _written(text: str) -> str:
    """Free text as COPY reads it."""
    return text.translate(ESCAPED) if TO_ESCAPE.search(text) else text


def _or_null(number: int | None) -> str:
    return NULL if number is None else str(number)
