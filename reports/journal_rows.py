"""The entries of a period, streamed, however many: memory stays that of a few thousand rows."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import psycopg
from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import driver
from ledger import seals
from ledger.posting import rows
from reports.balances import ALL, KNOWN, Known, balances, chart
from reports.plain_text import ChartLine, Journal, JournalLine, JournalRow

AT_ONCE = 2_000

IN_PERIOD = f"""
e.posted_on <= %(until)s AND (%(since)s::date IS NULL OR e.posted_on >= %(since)s)
    AND e.book = coalesce(%(book)s, e.book) AND {KNOWN}
"""

ENTRIES = f"""
SELECT e.*, leaf.leaf, line.* FROM journal_entry AS e
LEFT JOIN entry_leaf AS leaf ON leaf.entry_id = e.id
CROSS JOIN LATERAL (
    SELECT array_agg(account ORDER BY line) AS accounts, array_agg(party ORDER BY line) AS parties,
        array_agg(amount_fen ORDER BY line) AS amounts,
        array_agg(posting.split_rule_id ORDER BY line) AS rules
    FROM posting WHERE entry_id = e.id
) AS line
WHERE {IN_PERIOD}
ORDER BY e.posted_on, e.id
"""  # noqa: S608 - of our own words

COUNT = f"SELECT count(*) AS entries FROM journal_entry AS e WHERE {IN_PERIOD}"  # noqa: S608


def journal_of(
    session: Session,
    since: date | None,
    until: date,
    book: str | None = None,
    *,
    known: Known = ALL,
    notes: Sequence[str] = (),
) -> Journal:
    """The journal of a period, of one book or of all, for `beancount` or `hledger` to write.

    The session's transaction must stay until the entries were read; for balances and entries to
    agree while others post, let it be a snapshot (REPEATABLE READ).
    """
    opening = balances(session, since - timedelta(days=1), book, known) if since else {}
    return Journal(
        since=since,
        until=until,
        chart=chart_lines(session, book),
        opening=opening,
        closing=balances(session, until, book, known),
        entries=entries(session, since, until, book, known),
        notes=notes,
    )


def chart_lines(session: Session, book: str | None = None) -> list[ChartLine]:
    """The chart of accounts of one book or of all, by code."""
    names = ChartLine.__slots__
    return [ChartLine(**{name: row[name] for name in names}) for row in chart(session, book)]


def count(
    session: Session, since: date | None, until: date, book: str | None = None, known: Known = ALL
) -> int:
    """How many entries `entries` will give."""
    found = rows(session, COUNT, since=since, until=until, book=book, **known.values)
    return int(found[0]["entries"])


def entries(
    session: Session, since: date | None, until: date, book: str | None = None, known: Known = ALL
) -> Iterator[JournalRow]:
    """The entries posted from `since` to `until`, both included, by posting date and number."""
    values = {"since": since, "until": until, "book": book, **known.values}
    with _streaming(driver(session)) as cursor:
        for row in cursor.execute(ENTRIES, values):
            yield _entry(row)


def _streaming(connection: psycopg.Connection[Any]) -> psycopg.ServerCursor[DictRow]:
    cursor = connection.cursor("journal_rows", row_factory=dict_row)
    cursor.itersize = AT_ONCE
    return cursor


def _entry(row: DictRow) -> JournalRow:
    lines = zip(row["accounts"], row["parties"], row["amounts"], strict=True)
    return JournalRow(
        id=row["id"],
        book=row["book"],
        posted_on=row["posted_on"],
        occurred_on=row["occurred_on"],
        source=f"{row['source']}:{row['source_id']}",
        purpose=row["purpose"],
        memo=row["memo"],
        reverses_id=row["reverses_id"],
        leaf=row["leaf"] or _leaf(row),
        lines=tuple(JournalLine(*line) for line in lines),
    )


def _leaf(row: DictRow) -> bytes:
    """What an entry will be sealed as."""
    names = ("account", "party", "amount_fen", "line_rule_id")
    lines = zip(row["accounts"], row["parties"], row["amounts"], row["rules"], strict=True)
    return seals.leaf_of([row | dict(zip(names, line, strict=True)) for line in lines])
