"""What other ledgers let happen, tried on ours by the owner of the database, triggers on.

The list is that of domain/ledger.md §1.6: each probe found at least one peer that allowed it.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, datetime, timedelta
from threading import Barrier

import psycopg
import pytest
import structlog
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from ledger import journal, posting, proof, seals, settlement
from ledger.journal import Entry, Line
from tests.ledger.till import (
    NOON,
    Till,
    ask,
    book,
    cash,
    fee,
    open_till,
    postings,
    settle_all,
    shut,
)

BROKEN = psycopg.errors.IntegrityConstraintViolation
WHOLE = "SELECT md5(string_agg(p::text, '' ORDER BY entry_id, line)) FROM posting AS p"
REFUSED = psycopg.errors.RestrictViolation


@pytest.fixture
def till(session: Session) -> Till:
    """Stay 1 cost 10.00 and was paid: entries 1 to 4."""
    till = open_till(session)
    book(session, fee(1, 1000), cash(till, 1, 1000))
    settle_all()
    return till


def write(session: Session, *lines: tuple[str, int], **changes: object) -> int:
    """An entry of these (account, fen) by the ledger's own writer; returns its number."""
    facts: dict[str, object] = {
        "source": "test",
        "source_id": 1,
        "occurred_on": date(2026, 11, 23),
        "memo": "",
        "lines": tuple(Line(account, None, fen) for account, fen in lines),
    }
    entry = Entry(**facts | changes)  # type: ignore[arg-type]  # as the probes say
    [number] = posting.post(session, [entry], NOON)
    session.commit()
    return number


def by_sql(session: Session, sql: str, error: type[psycopg.Error]) -> None:
    """Plain SQL fails with this error, at once or at the commit, and leaves all as it was."""
    before = ask(session, WHOLE)
    with pytest.raises(DBAPIError) as caught:  # noqa: PT012 - the commit is where it may fail
        session.execute(text(sql))
        session.commit()
    session.rollback()
    assert isinstance(caught.value.orig, error), caught.value
    assert ask(session, WHOLE) == before


def test_unbalanced_through_the_writer(session: Session, till: Till) -> None:
    for lines in ([("1001", 1000), ("1002", -999)], [("1001", 1000)]):
        with pytest.raises(BROKEN):
            write(session, *lines)
        session.rollback()
    with pytest.raises(IntegrityError, match="has no postings"):  # only the commit can know
        write(session)
    session.rollback()


def test_unbalanced_by_sql(session: Session, till: Till) -> None:
    header = """
        INSERT INTO journal_entry (id, book, source, source_id, purpose, fingerprint, occurred_on,
            posted_on, recorded_at, memo) OVERRIDING SYSTEM VALUE
        VALUES (900, 'owners', 'x', 1, 'x', '', '2026-11-23', '2026-11-23', now(), '');
    """
    line = "INSERT INTO posting VALUES (900, {}, '1001', NULL, {}, '2026-11-23');"
    by_sql(session, header, BROKEN)
    by_sql(session, header + line.format(1, 1000), BROKEN)
    by_sql(session, header + line.format(1, 1000) + line.format(2, -1000), BROKEN)


def test_a_balanced_rewrite_by_sql(session: Session, till: Till) -> None:
    halved = "UPDATE posting SET amount_fen = amount_fen / 2 WHERE entry_id = 1"
    by_sql(session, halved, REFUSED)
    upsert = """
        INSERT INTO posting VALUES (1, 1, '1121', NULL, 500, '2026-11-23')
        ON CONFLICT (entry_id, line) DO UPDATE SET amount_fen = 500
    """
    by_sql(session, upsert, REFUSED)


def test_a_moved_date(session: Session, till: Till) -> None:
    for table, column in (
        ("journal_entry", "occurred_on"),
        ("journal_entry", "posted_on"),
        ("journal_entry", "recorded_at"),
        ("posting", "posted_on"),
    ):
        by_sql(session, f"UPDATE {table} SET {column} = '2026-12-01'", REFUSED)


def test_deleting_and_emptying(session: Session, till: Till) -> None:
    for attack in (
        "DELETE FROM posting",
        "DELETE FROM journal_entry WHERE id = 1",
        "TRUNCATE posting",
        "TRUNCATE journal_entry CASCADE",
        "DELETE FROM entry_leaf",
        "TRUNCATE entry_leaf, day_seal, unsealed",
    ):
        by_sql(session, attack, REFUSED)


def test_legs_added_later(session: Session, till: Till) -> None:
    more = """
        INSERT INTO posting VALUES (1, 8, '1001', NULL, 5, '2026-11-23'),
            (1, 9, '1002', NULL, -5, '2026-11-23')
    """
    by_sql(session, more, BROKEN)


def unsettle(session: Session, change: str = "amount_fen = amount_fen") -> None:
    """As after a restore of the source rows, or a source that contradicts itself."""
    session.execute(text("ALTER TABLE charge DISABLE TRIGGER kept"))
    session.execute(text(f"UPDATE charge SET settled_at = NULL, {change}"))
    session.execute(text("ALTER TABLE charge ENABLE TRIGGER kept"))
    session.commit()


def conflicts() -> float:
    """How often the alarm rang."""
    return float(settlement.CONFLICTS.labels("charge")._value.get())


def test_the_same_event_twice_is_the_same(session: Session, till: Till) -> None:
    unsettle(session)
    rang = conflicts()
    assert settle_all() == 1
    assert ask(session, "SELECT count(*) FROM journal_entry") == [(4,)]
    assert ask(session, "SELECT settled_at IS NOT NULL FROM charge") == [(True,)]
    assert conflicts() == rang


def test_the_same_event_of_another_amount_alarms_and_the_batch_goes_on(
    session: Session, till: Till
) -> None:
    unsettle(session, "amount_fen = 900")
    book(session, fee(2))
    rang = conflicts()
    with structlog.testing.capture_logs() as log:
        assert settle_all() == 2
    assert conflicts() == rang + 1
    alarm = {"event": "conflict", "log_level": "error", "table": "charge", "id": 1}
    assert alarm in log
    assert ask(session, "SELECT set_aside_reason FROM charge ORDER BY id") == [
        ("conflict",),
        (None,),
    ]
    assert postings(session, "charge", 1)[0] == ("1121", None, 1000)
    assert postings(session, "charge", 2)[0] == ("1121", None, 800)


def test_a_closed_month_by_sql_and_through_settlement(session: Session, till: Till) -> None:
    shut(session, "2026-11-01")
    session.commit()
    into = """
        INSERT INTO journal_entry (book, source, source_id, purpose, fingerprint, occurred_on,
            posted_on, recorded_at, memo)
        VALUES ('owners', 'x', 1, 'x', '', '2026-11-23', '2026-11-23', now(), '')
    """
    by_sql(session, into, BROKEN)
    book(session, fee(2))
    settle_all()
    dates = "SELECT max(occurred_on)::text, max(posted_on)::text FROM journal_entry"
    assert ask(session, dates) == [("2026-11-23", "2026-12-01")]


def test_a_close_waits_for_settlement_in_flight_and_the_next_goes_to_the_next_month(
    app: Flask, session: Session, till: Till
) -> None:
    """Closers and settlers at once: whatever stands in the month was there when it closed."""
    book(session, *(fee(stay) for stay in range(2, 202)))
    together = Barrier(3)

    def settler() -> int:
        with app.app_context():
            together.wait()
            return settle_all(limit=10)

    def closer() -> int:
        with app.app_context(), Session(session.get_bind()) as own:
            together.wait()
            shut(own, "2026-11-01")
            own.commit()
            seen = "SELECT count(*) FROM journal_entry WHERE posted_on < '2026-12-01'"
            return own.scalar(text(seen)) or 0

    with ThreadPoolExecutor(3) as pool:
        settlers = [pool.submit(settler), pool.submit(settler)]
        closed_with = pool.submit(closer).result()
        assert sum(future.result() for future in settlers) == 200
    seen = "SELECT count(*) FILTER (WHERE posted_on < '2026-12-01'), count(*) FROM journal_entry"
    assert ask(session, seen) == [(closed_with, 4 + 200 * 3)]
    assert proof.verify(session).ok


def taken_back(lines: tuple[Line, ...] = (), purpose: str = "reverse:settle") -> Entry:
    """The reversal of entry 4, the payment; with other lines, if given."""
    paid = (Line("1001", None, 1000), Line("1121", None, -1000))
    entry = Entry("payment", 1, date(2026, 11, 23), "", paid)
    back = journal.reversal(4, entry, date(2026, 12, 2), "收错了")
    return replace(back, lines=lines or back.lines, purpose=purpose)


def test_one_reversal_an_entry_and_only_the_whole_of_it(session: Session, till: Till) -> None:
    for unlike in (
        (Line("1001", None, -900), Line("1121", None, 900)),
        (Line("1121", None, 1000), Line("1001", None, -1000)),
        (Line("1002", None, -1000), Line("1121", None, 1000)),
    ):
        with pytest.raises(BROKEN, match="does not mirror"):
            posting.post(session, [taken_back(unlike)], NOON)
        session.rollback()
    posting.post(session, [taken_back()], NOON + timedelta(days=9))
    session.commit()
    with pytest.raises(psycopg.errors.UniqueViolation, match="reverses_id"):
        posting.post(session, [taken_back(purpose="again")], NOON)
    session.rollback()
    found = proof.verify(session)
    assert found.ok, found.checks
    assert found.checks["sources"].detail == "1 reversed; 1 settled"


def test_an_account_out_of_use(session: Session, till: Till) -> None:
    session.execute(text("UPDATE account SET active = false WHERE code = '1002'"))
    session.commit()
    with pytest.raises(BROKEN, match="1002 is not in use"):
        write(session, ("1001", 5), ("1002", -5))
    session.rollback()
    with pytest.raises(BROKEN, match="4301 is not in use"):
        write(session, ("1131", 5), ("4301", -5), book="fund")


def test_money_of_two_owners_in_one_entry(session: Session, till: Till) -> None:
    for lines in ([("1121", 5), ("430101", -5)], [("1131", 5), ("600101", -5)]):
        with pytest.raises(BROKEN, match="of another book"):
            write(session, *lines)
        session.rollback()
    write(session, ("1131", 5), ("430101", -5), book="fund")


def test_an_entry_that_commits_late_is_sealed_all_the_same(session: Session, till: Till) -> None:
    """Even though its day was sealed while it was in flight: it then stands in the next."""
    late = Entry("test", 1, date(2026, 11, 23), "", (Line("1001", None, 5), Line("1002", None, -5)))
    with Session(session.get_bind()) as slow:
        [number] = posting.post(slow, [late], NOON)
        write(session, ("1001", 7), ("1002", -7), source_id=2)
        tomorrow = clock.now() + timedelta(days=2)
        assert atomic(sealed, tomorrow) == (5, {"owners", "fund", "provider"})
        slow.commit()
    assert atomic(sealed, tomorrow) == (1, {"owners"})
    [(day, first)] = ask(
        session,
        "SELECT day, (SELECT min(day) FROM day_seal) FROM entry_leaf WHERE entry_id = :number",
        number=number,
    )
    assert day > first
    assert proof.verify(session).checks["chain"].ok


def sealed(session: Session, now: datetime) -> tuple[int, set[str]]:
    """Seal what is queued and the days that are over; how many, and of which books."""
    done = seals.seal_batch(session, now)
    return done, {day.book for day in seals.close_days(session, now)}
