"""Whoever gets around the guards is found out, down to the row."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from ledger import proof, seals, settlement
from tests.ledger.till import (
    NOON,
    Till,
    ask,
    book,
    cash,
    fee,
    fill,
    open_till,
    seal_all,
    settle_all,
    vote,
)

ENTRY = """
INSERT INTO journal_entry (source, source_id, purpose, fingerprint, occurred_on, posted_on,
    recorded_at, book, memo)
VALUES ('{source}', {source_id}, 'settle', '', '2026-11-23', '2026-11-23', now(), 'owners', '');
INSERT INTO posting SELECT max(id), 1, '1001', NULL, 5, date '2026-11-23' FROM journal_entry
UNION ALL SELECT max(id), 2, '220902', NULL, -5, date '2026-11-23' FROM journal_entry;
"""


@pytest.fixture
def till(session: Session) -> Till:
    """Five settled rows: charges 1 and 2, payments 1 and 2, a top-up; charge 3 waits.

    Entries 1 to 3 are those of charge 1 in the owners', the fund's and the provider's book, 4
    to 6 those of charge 2, both sealed with their day; 7 and 8 are the payments, sealed with
    the day after, and 9 the top-up of a day that is still open.
    """
    till = open_till(session)
    fill(session, till, till.ana, 900)
    owed = {"household_id": till.ana}
    book(session, fee(1), cash(till, 1), fee(2, **owed), cash(till, 2, method="balance", **owed))
    for days, rows in ((0, 2), (1, 2), (2, 1)):
        with clock.at(NOON + timedelta(days=days)):
            assert atomic(settlement.settle_batch, rows) == rows
            seal_all()
            atomic(seals.close_days, clock.now())
    book(session, fee(3))
    return till


def tamper(session: Session, table: str, sql: str) -> dict[str, str]:
    """Do it with the table's guards switched off; returns the checks that failed."""
    session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    session.execute(text(sql))
    found = proof.verify(session)
    session.rollback()
    assert found.ok is all(check.ok for check in found.checks.values())
    return {name: check.detail for name, check in found.checks.items() if not check.ok}


def test_honest_books_prove_right(session: Session, till: Till) -> None:
    found = proof.verify(session)
    assert found.ok, found.checks
    assert found.checks["sources"].detail == "5 settled; 1 waiting"
    assert found.checks["chain"].detail.startswith("9 entries sealed, 0 waiting, head of fund ")
    assert ask(session, "SELECT book, day::text, count FROM day_seal ORDER BY 2, 1") == [
        ("fund", "2026-11-23", 2),
        ("owners", "2026-11-23", 2),
        ("provider", "2026-11-23", 2),
        ("owners", "2026-11-24", 2),
    ]


def test_empty_books_prove_right(session: Session) -> None:
    assert proof.verify(session).ok


def test_a_one_sided_change(session: Session, till: Till) -> None:
    failed = tamper(
        session, "posting", "UPDATE posting SET amount_fen = 801 WHERE (entry_id, line) = (1, 1)"
    )
    assert failed["balances"].startswith(
        "entry 1 (charge:1) of book owners sums to 1 fen over 3 postings"
    )
    assert failed["chain"] == "entry 1 (charge:1) of book owners or its leaf was altered; 1 in all"
    assert "charge" in failed["sources"]
    assert "rollups" in failed


def test_a_balanced_change_of_an_old_entry(session: Session, till: Till) -> None:
    """Every sum is still right; only the chain and the other books know."""
    move = """
        UPDATE posting SET amount_fen = amount_fen + CASE line WHEN 2 THEN 1 ELSE -1 END
        WHERE entry_id = 4 AND line > 1
    """
    failed = tamper(session, "posting", move)
    assert failed.keys() == {"chain", "rollups", "sources"}
    assert "entry 4 (charge:2)" in failed["chain"]
    assert failed["sources"] == "1 differs from book to book, first (charge,2)"


def test_any_changed_field_breaks_the_chain(session: Session, till: Till) -> None:
    for change in (
        "memo = 'x'",
        "recorded_at = recorded_at + interval '1 second'",
        "split_rule_id = NULL",
        "purpose = 'other'",
        "fingerprint = ''",
        "occurred_on = '2026-11-22'",
    ):
        sql = f"UPDATE journal_entry SET {change} WHERE id = 8"
        failed = tamper(session, "journal_entry", sql)
        if change.startswith("split"):
            assert failed == {}
            continue
        assert failed.keys() == {"chain"}, change
        assert "entry 8 (payment:2)" in failed["chain"]
    changed_rule = "UPDATE journal_entry SET split_rule_id = 2 WHERE id = 2"
    assert (
        "entry 2 (charge:1) of book fund" in tamper(session, "journal_entry", changed_rule)["chain"]
    )


def test_a_moved_date_or_book(session: Session, till: Till) -> None:
    move = "UPDATE journal_entry SET posted_on = '2026-11-24' WHERE id = 1"
    assert tamper(session, "journal_entry", move).keys() == {"balances", "chain"}
    move = "UPDATE journal_entry SET book = 'fund' WHERE id = 8"
    assert tamper(session, "journal_entry", move).keys() == {"balances", "chain"}


def test_an_entry_may_wait_for_its_seal_but_not_be_forgotten(session: Session, till: Till) -> None:
    settle_all()
    waits = proof.verify(session).checks["chain"]
    assert (waits.ok, waits.detail[:29]) == (True, "9 entries sealed, 3 waiting, ")
    session.rollback()
    failed = tamper(session, "unsealed", "DELETE FROM unsealed WHERE entry_id = 11")
    assert failed == {"chain": "1 entries without a leaf, first 11"}


def test_a_missing_leaf_and_a_forged_one(session: Session, till: Till) -> None:
    failed = tamper(session, "entry_leaf", "DELETE FROM entry_leaf WHERE entry_id = 4")
    assert failed == {"chain": "1 entries without a leaf, first 4"}
    forget = "INSERT INTO unsealed VALUES (4); DELETE FROM entry_leaf WHERE entry_id = 4"
    session.execute(text("ALTER TABLE unsealed DISABLE TRIGGER USER"))
    failed = tamper(session, "entry_leaf", forget)
    assert failed == {"chain": "book owners, day 2026-11-23: the seal is not that of its leaves"}
    forge = "UPDATE entry_leaf SET leaf = sha256(leaf) WHERE entry_id = 9"
    assert "entry 9 (top_up:1)" in tamper(session, "entry_leaf", forge)["chain"]
    swap = "UPDATE entry_leaf SET position = 10 - position WHERE day = '2026-11-24'"
    assert "leaves are missing" in tamper(session, "entry_leaf", swap)["chain"]


def test_a_forged_day_and_a_missing_one(session: Session, till: Till) -> None:
    first = "book = 'owners' AND day = '2026-11-23'"
    for change in ("root", "previous", "head"):
        failed = tamper(
            session, "day_seal", f"UPDATE day_seal SET {change} = sha256({change}) WHERE {first}"
        )
        assert failed.keys() == {"chain"}, change
        assert "book owners, day 2026-11-23: the seal is not" in failed["chain"]
    failed = tamper(session, "day_seal", f"DELETE FROM day_seal WHERE {first}")
    assert failed == {"chain": "book owners, day 2026-11-23: its seal is gone"}
    invent = "INSERT INTO day_seal VALUES ('fund', '2026-11-29', 1, '', '', '')"
    failed = tamper(session, "day_seal", invent)
    assert failed == {"chain": "book fund, day 2026-11-29: sealed, but its leaves are gone"}


def test_an_entry_out_of_nothing(session: Session, till: Till) -> None:
    failed = tamper(session, "journal_entry", ENTRY.format(source="gift", source_id=1))
    assert failed["sources"] == "1 has an entry but no source row, first (gift,1)"
    assert "entry 10 (gift:1)" in failed["chain"]
    assert "account 1001" in failed["subledgers"]
    failed = tamper(session, "journal_entry", ENTRY.format(source="charge", source_id=3))
    assert failed["sources"] == "1 has an entry but is not settled, first (charge,3)"


def test_a_second_entry_of_a_payment(session: Session, till: Till) -> None:
    more = ENTRY.format(source="payment", source_id=1).replace("'settle'", "'again'")
    failed = tamper(session, "journal_entry", more)
    assert failed["sources"] == "1 has too many entries, first (payment,1)"


def remove(*numbers: int) -> str:
    """SQL that wipes entries out, with their leaves."""
    these = ", ".join(map(str, numbers))
    return f"""
        ALTER TABLE entry_leaf DISABLE TRIGGER USER;
        ALTER TABLE journal_entry DISABLE TRIGGER USER;
        DELETE FROM posting WHERE entry_id IN ({these});
        DELETE FROM entry_leaf WHERE entry_id IN ({these});
        DELETE FROM journal_entry WHERE id IN ({these})
    """


def test_a_removed_entry(session: Session, till: Till) -> None:
    failed = tamper(session, "posting", remove(9))
    assert failed["sources"] == "1 is settled without an entry, first (top_up,1)"
    assert failed["rollups"] == "account 1001, month 2026-11-01 differs; 2 broken in all"
    assert failed["subledgers"] == "account 1001, party '' differs; 2 broken in all"
    assert "chain" not in failed
    failed = tamper(session, "posting", remove(5))
    assert failed["sources"] == "1 differs from book to book, first (charge,2)"
    assert failed["chain"] == "book fund, day 2026-11-23: the seal is not that of its leaves"
    failed = tamper(session, "posting", remove(1))
    assert failed["sources"] == "1 has an entry of another amount, first (charge,1)"


def test_a_removed_or_changed_source(session: Session, till: Till) -> None:
    failed = tamper(session, "payment", "DELETE FROM payment WHERE id = 1")
    assert failed["sources"] == "1 has an entry but no source row, first (payment,1)"
    assert failed["receivables"] == "receivable stay:1 differs; 1 broken in all"
    failed = tamper(session, "charge", "UPDATE charge SET amount_fen = 700 WHERE id = 2")
    assert failed["sources"] == "1 has an entry of another amount, first (charge,2)"
    failed = tamper(session, "charge", "UPDATE charge SET settled_at = now() WHERE id = 3")
    assert failed["sources"] == "1 is settled without an entry, first (charge,3)"


def test_a_charge_booked_as_other_incomes(session: Session, till: Till) -> None:
    """Whether the fen, the rule or the account of one of its incomes is another."""
    for income in ("overstay", "electricity"):
        vote(session, income=income)
    book(session, fee(4, 800, parts={"parking": 500, "overstay": 300}))
    settle_all()
    assert proof.verify(session).ok
    [(number, rule, other)] = ask(
        session,
        """
        SELECT e.id, min(p.split_rule_id), (SELECT max(id) FROM split_rule)
        FROM journal_entry e JOIN posting p ON p.entry_id = e.id
        WHERE memo LIKE '%超时占用费%' AND book = 'owners' GROUP BY e.id
        """,
    )
    for change in (
        "amount_fen = amount_fen + CASE line WHEN 2 THEN 1 ELSE -1 END WHERE line IN (2, 4)",
        f"split_rule_id = {other} WHERE split_rule_id = {rule}",
        "split_rule_id = NULL WHERE line = 5",
        "account = '1002' WHERE line = 4",
    ):
        sql = f"UPDATE posting SET {change} AND entry_id = {number}"
        failed = tamper(session, "posting", sql)
        assert failed["sources"] == "1 is booked as other incomes, first (charge,4)", change
        assert "chain" in failed
    fund = "UPDATE posting SET account = '430105' WHERE account = '430104'"
    failed = tamper(session, "posting", fund)
    assert failed["sources"] == "1 differs from book to book, first (charge,4)"
    parts = """UPDATE charge SET parts = '{"parking": 300, "overstay": 500}' WHERE id = 4"""
    failed = tamper(session, "charge", parts)
    assert failed == {"sources": "1 is booked as other incomes, first (charge,4)"}
    failed = tamper(session, "charge", "UPDATE charge SET income = 'overstay' WHERE id = 1")
    assert failed == {"sources": "1 is booked as other incomes, first (charge,1)"}


def test_sums_that_somebody_wrote(session: Session, till: Till) -> None:
    failed = tamper(session, "balance", "UPDATE balance SET amount_fen = 10000")
    assert failed == {"prepaid": f"balance of household {till.ana} differs; 1 broken in all"}
    failed = tamper(session, "receivable", "UPDATE receivable SET paid_fen = 5 WHERE source_id = 3")
    assert failed == {"receivables": "receivable stay:3 differs; 1 broken in all"}
    failed = tamper(
        session, "account_month", "UPDATE account_month SET debit_fen = 0, credit_fen = 0"
    )
    assert failed.keys() == {"rollups"}


def test_postings_of_no_entry(session: Session, till: Till) -> None:
    stray = """
        INSERT INTO posting VALUES (99, 1, '1002', NULL, 5, '2026-11-23'),
            (99, 2, '1002', NULL, -5, '2026-11-23')
    """
    failed = tamper(session, "posting", stray)
    assert failed["balances"] == "2 postings without an entry, first 99"
