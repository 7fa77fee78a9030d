"""Whoever gets around the guards is found out, down to the row."""

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from ledger import proof
from tests.ledger.till import Till, ask, book, cash, fee, fill, open_till, settle_all, vote

ENTRY = """
INSERT INTO journal_entry (source, source_id, purpose, fingerprint, occurred_on, recorded_at, memo)
VALUES ('{source}', {source_id}, 'settle', '', '2026-11-23', now(), '');
INSERT INTO posting SELECT max(id), 1, '1001', NULL, 5, date '2026-11-23' FROM journal_entry
UNION ALL SELECT max(id), 2, '430101', NULL, -5, date '2026-11-23' FROM journal_entry;
"""


@pytest.fixture
def till(session: Session) -> Till:
    """Five settled rows: charges 1 and 2, payments 1 and 2, a top-up; charge 3 waits."""
    till = open_till(session)
    fill(session, till, till.ana, 900)
    owed = {"household_id": till.ana}
    book(session, fee(1), cash(till, 1), fee(2, **owed), cash(till, 2, method="balance", **owed))
    settle_all()
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
    assert found.checks["chain"].detail.startswith("5 entries, head ")


def test_empty_books_prove_right(session: Session) -> None:
    assert proof.verify(session).ok


def test_a_one_sided_change(session: Session, till: Till) -> None:
    failed = tamper(
        session, "posting", "UPDATE posting SET amount_fen = 801 WHERE (entry_id, line) = (1, 1)"
    )
    assert failed["balances"].startswith("entry 1 (charge:1) sums to 1 fen over 3 postings")
    assert "seal 1, entry 1 (charge:1): the entry was altered" in failed["chain"]
    assert "charge" in failed["sources"]
    assert "rollups" in failed


def test_a_balanced_change_of_an_old_entry(session: Session, till: Till) -> None:
    """Every sum is still right; only the chain knows."""
    move = """
        UPDATE posting SET amount_fen = amount_fen + CASE line WHEN 2 THEN 1 ELSE -1 END
        WHERE entry_id = 2 AND line > 1
    """
    failed = tamper(session, "posting", move)
    assert failed.keys() == {"chain", "rollups"}
    assert "entry 2 (charge:2): the entry was altered" in failed["chain"]


def test_any_changed_field_breaks_the_chain(session: Session, till: Till) -> None:
    for change in (
        "memo = 'x'",
        "recorded_at = recorded_at + interval '1 second'",
        "split_rule_id = 2",
        "purpose = 'other'",
        "fingerprint = ''",
    ):
        sql = f"UPDATE journal_entry SET {change} WHERE id = 2"
        failed = tamper(session, "journal_entry", sql)
        assert failed.keys() == {"chain"}, change
        assert "seal 2, entry 2 (charge:2)" in failed["chain"]


def test_a_moved_date(session: Session, till: Till) -> None:
    move = "UPDATE journal_entry SET occurred_on = '2026-11-22' WHERE id = 1"
    assert tamper(session, "journal_entry", move).keys() == {"balances", "chain"}


def test_a_forged_link_and_a_missing_one(session: Session, till: Till) -> None:
    failed = tamper(session, "journal_seal", "DELETE FROM journal_seal WHERE position = 2")
    assert "seal 3, entry 3 (payment:1): the chain is broken before it" in failed["chain"]
    failed = tamper(session, "journal_seal", "DELETE FROM journal_seal WHERE position = 5")
    assert failed == {"chain": "1 entries without a seal, first 5"}
    forge = "UPDATE journal_seal SET hash = sha256(hash) WHERE position = 5"
    assert "entry 5 (top_up:1)" in tamper(session, "journal_seal", forge)["chain"]


def test_an_entry_out_of_nothing(session: Session, till: Till) -> None:
    failed = tamper(session, "journal_entry", ENTRY.format(source="gift", source_id=1))
    assert failed["sources"] == "1 has an entry but no source row, first (gift,1)"
    assert failed["chain"] == "1 entries without a seal, first 6"
    assert "account 1001" in failed["subledgers"]
    failed = tamper(session, "journal_entry", ENTRY.format(source="charge", source_id=3))
    assert failed["sources"] == "1 has an entry but is not settled, first (charge,3)"


def test_a_removed_entry(session: Session, till: Till) -> None:
    remove = """
        ALTER TABLE journal_seal DISABLE TRIGGER USER;
        ALTER TABLE journal_entry DISABLE TRIGGER USER;
        DELETE FROM posting WHERE entry_id = 5; DELETE FROM journal_seal WHERE entry_id = 5;
        DELETE FROM journal_entry WHERE id = 5
    """
    failed = tamper(session, "posting", remove)
    assert failed["sources"] == "1 is settled without an entry, first (top_up,1)"
    assert failed["rollups"] == "account 1001, month 2026-11-01 differs; 2 broken in all"
    assert failed["subledgers"] == "account 1001, party '' differs; 2 broken in all"


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
        WHERE memo LIKE '%超时占用费%' GROUP BY e.id
        """,
    )
    for change in (
        "amount_fen = amount_fen + CASE line WHEN 2 THEN 1 ELSE -1 END WHERE line IN (2, 4)",
        f"split_rule_id = {other} WHERE split_rule_id = {rule}",
        "split_rule_id = NULL WHERE line = 5",
        "account = '430105' WHERE line = 4",
    ):
        sql = f"UPDATE posting SET {change} AND entry_id = {number}"
        failed = tamper(session, "posting", sql)
        assert failed["sources"] == "1 is booked as other incomes, first (charge,4)", change
        assert "chain" in failed
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
