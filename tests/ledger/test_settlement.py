"""Charges, payments and top-ups become entries: once, by the rule in force, whoever sweeps."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import driver, send
from ledger import charges, payments, proof, settlement, split_rules
from ledger.journal import Entry
from reports.report import Unsettled
from reports.trial_balance import trial_balance
from tests.ledger.till import (
    NOON,
    Till,
    ask,
    book,
    cash,
    fee,
    fill,
    open_till,
    postings,
    seal_all,
    settle_all,
    shut,
    vote,
)


@pytest.fixture
def till(session: Session) -> Till:
    """The cast, with the usual rules."""
    return open_till(session)


def proved(session: Session) -> bool:
    """Every check of the books passes."""
    found = proof.verify(session)
    session.rollback()
    assert found.ok, found.checks
    return found.ok


def aside(session: Session) -> list[tuple[object, ...]]:
    """Why rows were set aside."""
    sql = "SELECT source_id, set_aside_reason FROM charge WHERE set_aside_reason IS NOT NULL"
    return list(ask(session, sql + " ORDER BY id"))


def test_a_fee_paid_in_cash_stands_in_the_fund(session: Session, till: Till) -> None:
    book(session, fee(1, 801), cash(till, 1, 801))
    assert settle_all() == 2
    assert postings(session, "charge", 1) == [
        ("1121", None, 801),
        ("220903", None, -561),
        ("220902", "company:property", -240),
    ]
    assert postings(session, "charge", 1, "fund") == [("1131", None, 561), ("430101", None, -561)]
    assert postings(session, "charge", 1, "provider") == [
        ("1141", None, 240),
        ("600101", None, -240),
    ]
    assert postings(session, "payment", 1) == [("1001", None, 801), ("1121", None, -801)]
    assert proved(session)


def test_the_owner_of_a_private_space_shares(session: Session, till: Till) -> None:
    book(session, fee(1, 999, household_id=till.ana, owner_household_id=till.bo))
    settle_all()
    assert postings(session, "charge", 1) == [
        ("1121", f"household:{till.ana}", 999),
        ("220903", None, -200),
        ("220902", "company:property", -100),
        ("220901", f"household:{till.bo}", -699),
    ]
    assert proved(session)


def test_a_balance_is_a_liability_until_it_pays(session: Session, till: Till) -> None:
    fill(session, till, till.ana, 1000)
    book(session, fee(1, household_id=till.ana))
    book(session, cash(till, 1, method="balance", household_id=till.ana, received_by=None))
    settle_all()
    ana = f"household:{till.ana}"
    assert postings(session, "top_up", 1) == [("1001", None, 1000), ("2203", ana, -1000)]
    assert postings(session, "payment", 1) == [("2203", ana, 800), ("1121", ana, -800)]
    assert proved(session)


def test_a_credit_undoes_by_the_rule_of_its_fee(session: Session, till: Till) -> None:
    """Though the rule changed between the fee and its correction."""
    book(session, fee(1, 801, household_id=till.ana))
    split_rules.add(
        session,
        income="parking",
        ownership="community",
        shares={"micro_fund": 1, "property": 1},
        valid_from=date(2026, 12, 1),
        decided_by="第二次业主大会",
    )
    session.commit()
    december = NOON + timedelta(days=10)
    book(session, fee(1, -801, kind="credit", occurred_at=december), fee(2, occurred_at=december))
    settle_all()
    assert [fen for _, _, fen in postings(session, "charge", 1)] == [801, -561, -240]
    assert [fen for _, _, fen in postings(session, "charge", 2)] == [-801, 561, 240]
    assert [fen for _, _, fen in postings(session, "charge", 3)] == [800, -400, -400]
    assert ask(session, "SELECT household_id, corrects_id FROM charge WHERE id = 2") == [
        (till.ana, 1)
    ]
    assert proved(session)


def test_an_entry_is_dated_in_the_community(session: Session, till: Till) -> None:
    """Half past midnight of December 1st in Chengdu is still November in UTC."""
    book(session, fee(1, occurred_at=datetime(2026, 11, 30, 16, 30, tzinfo=UTC)))
    settle_all()
    assert ask(session, "SELECT DISTINCT occurred_on FROM journal_entry") == [(date(2026, 12, 1),)]
    november = trial_balance(session, date(2026, 11, 30), "owners")
    december = trial_balance(session, date(2026, 12, 1), "owners")
    assert (november.total_debit_fen, december.total_debit_fen) == (0, 800)


def test_what_cannot_be_posted_is_set_aside_alone(session: Session) -> None:
    till = open_till(session, rules=False)
    book(session, fee(1), fee(2, income="helipad"), cash(till, 1))
    assert settle_all() == 3
    assert aside(session) == [(1, "no-split-rule"), (2, "no-income-account")]
    assert postings(session, "payment", 1)
    assert trial_balance(session, NOON.date()).unsettled == Unsettled(2, 1600)
    assert settle_all() == 0
    vote(session)
    session.commit()
    assert settle_all() == 1
    assert aside(session) == [(2, "no-income-account")]
    assert "1 set aside: no-income-account" in proof.verify(session).checks["sources"].detail
    assert proved(session)


def test_what_no_draft_can_be_made_of_is_set_aside_alone(
    session: Session, till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that no code foresaw: the others are settled, and it waits for somebody to look."""

    def broken(row: Mapping[str, Any], on: date) -> tuple[Entry, ...]:
        raise ValueError(f"nothing is known of {row['id']} on {on}")

    sql = "SELECT id, occurred_at FROM top_up WHERE settled_at IS NULL AND set_aside_reason IS NULL"
    monkeypatch.setitem(settlement.FURTHER, "top_up", (f"{sql} LIMIT %(limit)s", broken))
    none = settlement.TOP_UPS.replace("WHERE ", "WHERE false AND ")
    monkeypatch.setattr(settlement, "TOP_UPS", none)
    fill(session, till, till.ana, 500)
    book(session, fee(1), cash(till, 1))
    assert settle_all() == 3
    assert postings(session, "payment", 1)
    assert ask(session, "SELECT set_aside_reason FROM top_up") == [("refused",)]


def test_a_late_fact_is_posted_into_the_first_open_month(session: Session, till: Till) -> None:
    """And keeps the date on which it occurred."""
    shut(session, "2026-11-01", "2026-12-01")
    session.commit()
    book(session, fee(1), cash(till, 1), fee(2, occurred_at=NOON + timedelta(days=50)))
    assert settle_all() == 3
    assert aside(session) == []
    dates = """
        SELECT DISTINCT source, source_id, e.occurred_on::text, e.posted_on::text, p.posted_on::text
        FROM journal_entry e JOIN posting p ON p.entry_id = e.id ORDER BY 1, 2
    """
    late = ("2026-11-23", "2027-01-01", "2027-01-01")
    assert ask(session, dates) == [
        ("charge", 1, *late),
        ("charge", 2, "2027-01-12", "2027-01-12", "2027-01-12"),
        ("payment", 1, *late),
    ]
    assert proved(session)


def test_an_account_out_of_use_sets_aside(session: Session, till: Till) -> None:
    session.execute(text("UPDATE account SET active = false WHERE code = '220901'"))
    session.commit()
    book(session, fee(1), fee(2, owner_household_id=till.bo))
    assert settle_all() == 2
    assert aside(session) == [(2, "account-inactive")]


def test_a_repeat_is_recognised_and_a_contradiction_set_aside(session: Session, till: Till) -> None:
    """As after a restore of the source rows from before their settlement."""
    book(session, fee(1), fee(2))
    settle_all()
    as_if_restored = "settled_at = NULL, amount_fen = amount_fen + (source_id - 1)"
    session.execute(text("ALTER TABLE charge DISABLE TRIGGER kept"))
    session.execute(text(f"UPDATE charge SET {as_if_restored}"))
    session.execute(text("ALTER TABLE charge ENABLE TRIGGER kept"))
    session.commit()
    assert settle_all() == 2
    assert aside(session) == [(2, "conflict")]
    assert ask(session, "SELECT count(*) FROM journal_entry") == [(2 * 3,)]


def test_what_the_database_refuses_does_not_take_its_batch_along(
    session: Session, till: Till
) -> None:
    """A guard that settlement does not foresee, here one we add."""
    session.execute(
        text("""
        CREATE FUNCTION whim() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'not this one' USING ERRCODE = 'integrity_constraint_violation';
        END $$;
        CREATE TRIGGER whim BEFORE INSERT ON posting FOR EACH ROW WHEN (NEW.amount_fen = 805)
            EXECUTE FUNCTION whim()
        """)
    )
    session.commit()
    book(session, *(fee(stay, 800 + stay) for stay in range(1, 12)))
    assert settle_all() == 11
    assert aside(session) == [(5, "refused")]
    assert ask(session, "SELECT count(*) FROM journal_entry") == [(10 * 3,)]
    assert proved(session)


def test_a_batch_holds_back_no_other(session: Session, till: Till) -> None:
    """While one settler holds its rows, the second takes the rest, and neither waits."""
    book(session, *(fee(stay) for stay in range(1, 5)))
    with Session(session.get_bind()) as other:
        other.execute(text("SELECT id FROM charge WHERE id <= 2 FOR NO KEY UPDATE"))
        assert settle_all() == 2
        other.rollback()
    assert settle_all() == 2
    assert proved(session)


def test_two_settlers_at_once_post_everything_once(
    app: Flask, session: Session, till: Till
) -> None:
    book(session, *(fee(stay, 800 + stay) for stay in range(1, 301)))
    book(session, *(cash(till, stay, 800 + stay) for stay in range(1, 301)))

    def settler() -> int:
        with app.app_context():
            return settle_all(limit=20)

    with ThreadPoolExecutor(4) as pool:
        handled = [future.result() for future in [pool.submit(settler) for _ in range(4)]]
    assert sum(handled) == 600
    assert ask(session, "SELECT count(*) FROM journal_entry") == [(300 * 3 + 300,)]
    assert seal_all() == 1200
    assert proved(session)


def test_a_settler_that_dies_leaves_everything_as_it_was(session: Session, till: Till) -> None:
    book(session, fee(1), cash(till, 1))
    with Session(session.get_bind()) as dying:
        assert settlement.settle_batch(dying) == 2
        dying.rollback()
    assert ask(session, "SELECT count(*) FROM journal_entry") == [(0,)]
    assert ask(session, "SELECT count(*) FROM charge WHERE settled_at IS NULL") == [(1,)]
    assert settle_all() == 2
    assert proved(session)


def test_no_plan_made_on_tiny_tables_reads_a_whole_one(session: Session, till: Till) -> None:
    """A connection keeps its triggers' plans, perhaps from when a table was one page long."""
    book(session, fee(1), cash(till, 1))
    settle_all()
    session.execute(text("ANALYZE"))
    session.commit()
    for stay in range(2, 12):
        book(session, fee(stay), cash(till, stay))
        settle_all()
    ask(session, "SELECT pg_stat_force_next_flush()")
    read_whole = "SELECT relname FROM pg_stat_xact_user_tables WHERE seq_scan > 0"
    send(driver(session), [charges.raised(fee(12)), payments.received(cash(till, 12))])
    assert "receivable" not in set(session.scalars(text(read_whole)))
    assert settlement.settle_batch(session) == 2
    by_triggers = {"posting", "account_month", "period"}
    assert by_triggers.isdisjoint(session.scalars(text(read_whole)))
