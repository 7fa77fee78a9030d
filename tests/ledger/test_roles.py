"""Whoever is not the owner has the least rights that are needed."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from ledger import payments, proof, seals, settlement
from tests.ledger.till import Till, ask, book, cash, fee, open_till, seal_all, settle_all

HISTORY = ("journal_entry", "posting", "entry_leaf", "day_seal", "book")
KEPT = ("account_month", "unsealed", "receivable", "balance", "company_balance", "company_owed")


@contextmanager
def acting_as(role: str) -> Iterator[Session]:
    """A session that has the rights of this role alone."""
    engine = create_engine(settings().database_url, connect_args={"options": f"-c role={role}"})
    try:
        with Session(engine) as session:
            yield session
    finally:
        engine.dispose()


@pytest.fixture
def till(app: Flask, session: Session) -> Till:
    """One fee is in the books and sealed, one is owed."""
    till = open_till(session)
    book(session, fee(1))
    settle_all()
    seal_all()
    book(session, fee(2, household_id=till.ana))
    return till


def denied(session: Session, attack: str) -> None:
    """The role may not."""
    with pytest.raises(DBAPIError) as caught:
        session.execute(text(attack))
    session.rollback()
    assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege), attack


def test_the_app_does_its_work_without_owning_anything(session: Session, till: Till) -> None:
    with acting_as("huilin_app") as app:
        book(app, fee(3), cash(till, 2))
        payments.top_up(app, household_id=till.ana, amount_fen=500, received_by=till.olga)
        app.commit()
        assert settlement.settle_batch(app) == 4
        app.commit()
        assert seals.seal_batch(app, clock.now(), delay=-seals.DELAY) == 8
        app.commit()
        found = proof.verify(app)
        assert found.ok, found.checks
    assert ask(session, "SELECT count(*) FROM unsealed") == [(0,)]


def test_the_app_makes_no_tables_whose_triggers_could_do_more(session: Session, till: Till) -> None:
    """Databases are cloned without such rights, so the one that was migrated is asked."""
    may = "SELECT has_database_privilege('huilin_app', 'huilin_template', 'TEMPORARY')"
    assert ask(session, may) == [(False,)]
    with acting_as("huilin_app") as app:
        denied(app, "CREATE TABLE mine (x int)")


def test_the_app_rewrites_no_history(session: Session, till: Till) -> None:
    with acting_as("huilin_app") as app:
        for table in HISTORY:
            column = "line" if table == "posting" else "code" if table == "book" else "book"
            for attack in (
                f"UPDATE {table} SET {column} = NULL",
                f"DELETE FROM {table}",
                f"TRUNCATE {table} CASCADE",
                f"ALTER TABLE {table} DISABLE TRIGGER USER",
                f"DROP TABLE {table} CASCADE",
            ):
                denied(app, attack)
        for table in KEPT:
            for attack in (
                f"INSERT INTO {table} DEFAULT VALUES",
                f"DELETE FROM {table}",
                f"TRUNCATE {table}",
                f"ALTER TABLE {table} DISABLE TRIGGER USER",
            ):
                denied(app, attack)
        for attack in (
            "UPDATE charge SET amount_fen = 1",
            "DELETE FROM charge",
            "DELETE FROM payment",
            "UPDATE split_rule SET property = 0",
            "UPDATE account SET type = 'income'",
            "INSERT INTO account SELECT * FROM account",
            "INSERT INTO book SELECT * FROM book",
            "DELETE FROM period",
            "SET session_replication_role = replica",
            "SELECT ledger_company_owes('company:property', 'stay', -5)",
            "CREATE OR REPLACE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE sql AS 'SELECT 1'",
        ):
            denied(app, attack)


def test_a_reporter_reads_the_books_and_nothing_else(session: Session, till: Till) -> None:
    with acting_as("huilin_reporter") as reporter:
        assert ask(reporter, "SELECT sum(amount_fen)::int FROM posting") == [(0,)]
        assert proof.verify(reporter).ok
        reporter.rollback()
        for attack in (
            *(f"UPDATE {table} SET book = ''" for table in ("journal_entry", "entry_leaf")),
            *(f"DELETE FROM {table}" for table in (*HISTORY, *KEPT)),
            "INSERT INTO party VALUES ('company:x', 'company', NULL, 'x')",
            "SELECT * FROM person",
            "SELECT * FROM household",
            "SELECT lock_months(ARRAY['2026-11-01'::date])",
        ):
            denied(reporter, attack)
