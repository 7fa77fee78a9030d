"""Speed that does not fade, and guards that are none the weaker for it."""

import re
from datetime import date, timedelta

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from ledger import journal, posting, proof, settlement
from ledger.journal import Entry, Line
from tests.ledger.till import NOON, Till, ask, book, fee, open_till

BATCH, BATCHES = 400, 12
FEES = """
INSERT INTO charge (kind, source, source_id, income, household_id, amount_fen, occurred_at,
    recorded_at, lines)
SELECT 'fee', 'stay', n, 'parking', :ana, 100 + n % 50, :noon, :noon, '[]'
FROM generate_series(1, :count) AS n
"""
READ = """
SELECT relname, seq_tup_read + idx_tup_fetch AS read FROM pg_stat_xact_user_tables
WHERE relname IN ('journal_entry', 'posting', 'period', 'account_month', 'unposted', 'party',
    'split_rule', 'account')
"""
COLUMNS = """
SELECT column_name FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = :table
    AND column_name NOT IN ('id', 'settled_at', 'set_aside_reason')
"""


@pytest.fixture
def till(session: Session) -> Till:
    """The cast, with the usual rules."""
    return open_till(session)


def test_plans_made_in_empty_books_stay_good(session: Session, till: Till) -> None:
    """One connection, books that were empty, no ANALYZE: the last batch reads like the second."""
    session.execute(text(FEES), {"ana": till.ana, "noon": NOON, "count": BATCH * BATCHES})
    session.commit()
    read: list[dict[str, int]] = []
    for _batch in range(BATCHES):
        ask(session, "SELECT pg_stat_force_next_flush()")
        assert settlement.settle_batch(session, BATCH) == BATCH
        session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        read.append({row.relname: row.read for row in session.execute(text(READ))})
        session.commit()
    assert ask(session, "SELECT count(*) FROM posting") == [(7 * BATCH * BATCHES,)]
    for table, rows in read[-1].items():
        assert rows <= read[1][table] * 1.1 + 100, (table, read)


def test_nothing_is_settled_while_it_is_edited(session: Session, till: Till) -> None:
    """The trigger of every source table looks at every column but the two of settlement."""
    for table in ("charge", "payment", "top_up", "channel_move"):
        [(trigger,)] = ask(
            session,
            "SELECT pg_get_triggerdef(oid) FROM pg_trigger"
            " WHERE tgname = 'kept' AND tgrelid = CAST(:table AS regclass)",
            table=table,
        )
        for (column,) in ask(session, COLUMNS, table=table):
            assert re.search(rf"old\.{column}\b", trigger), (table, column)


def test_a_charge_is_not_edited_in_the_moment_it_is_settled(session: Session, till: Till) -> None:
    book(session, fee(1))
    for change in ("amount_fen = 1", "lot = 'B1'", "household_id = 2", "lines = '[1]'"):
        with pytest.raises(DBAPIError, match="is never edited"):
            session.execute(text(f"UPDATE charge SET settled_at = now(), {change}"))
        session.rollback()


def test_a_reversal_of_nothing_is_refused(session: Session, till: Till) -> None:
    paid = Entry(
        "payment", 1, date(2026, 11, 23), "", (Line("1001", None, 5), Line("1121", None, -5))
    )
    with pytest.raises(psycopg.IntegrityError, match="does not mirror"):
        posting.post(session, [journal.reversal(4711, paid, date(2026, 11, 24), "收错了")], NOON)
    session.rollback()


def test_a_memo_is_kept_as_it_was_written(session: Session, till: Till) -> None:
    """Whatever stands in it: the books are written as text that the database reads."""
    memo = 'a\tb\nc\\d\r\\.\\N "é" 停车'
    entry = Entry("test", 1, NOON.date(), memo, (Line("1001", None, 5), Line("1121", None, -5)))
    posting.post(session, [entry], NOON + timedelta(days=1))
    session.commit()
    assert ask(session, "SELECT memo FROM journal_entry") == [(memo,)]
    assert proof.verify(session).checks["chain"].ok
