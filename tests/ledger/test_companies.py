"""Companies beside households: they owe, prepay and pay, and never for one another."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.db import driver, send
from ledger import charges, payments, proof
from ledger.payments import company_balance_fen
from ledger.source_models import Party
from tests.ledger.till import Till, ask, book, cash, fee, fill, open_till, postings, settle_all

YTO, STO = "company:yto", "company:sto"
CHARGE = """
INSERT INTO charge (kind, source, source_id, income, amount_fen, corrects_id, occurred_at,
    recorded_at, lines, household_id, company)
VALUES ('{kind}', 'stay', {stay}, 'parking', {fen}, {corrects}, now(), now(), '[]',
    {household}, {company})
"""
TOP_UP = """
INSERT INTO top_up (household_id, company, method, amount_fen, received_by, occurred_at,
    recorded_at)
VALUES ({household}, {company}, 'cash', 5, {olga}, now(), now())
"""


@pytest.fixture
def till(session: Session) -> Till:
    """The till, and two companies."""
    till = open_till(session)
    for code in (YTO, STO):
        session.add(Party(code=code, kind="company", name=code))
    session.commit()
    return till


def prepay(session: Session, till: Till, company: str, amount_fen: int) -> None:
    """Olga takes a company's cash."""
    payments.top_up(session, company=company, amount_fen=amount_fen, received_by=till.olga)
    session.commit()


@contextmanager
def refused(session: Session, error: type[psycopg.Error], why: str) -> Iterator[None]:
    """The block fails with this error and these words."""
    with pytest.raises((DBAPIError, psycopg.Error)) as caught:
        yield
    session.rollback()
    cause = getattr(caught.value, "orig", caught.value)
    assert isinstance(cause, error), cause
    assert why in str(cause)


def owed(session: Session) -> list[tuple[object, ...]]:
    """What companies owe by kind of source, from the rollup."""
    sql = "SELECT company, source, sum(owed_fen)::int FROM company_owed GROUP BY 1, 2 ORDER BY 1, 2"
    return list(ask(session, sql))


def test_a_company_owes_prepays_and_pays(session: Session, till: Till) -> None:
    prepay(session, till, YTO, 1000)
    fill(session, till, till.ana, 500)
    book(session, fee(1, company=YTO), fee(2, household_id=till.ana), fee(3))
    assert owed(session) == [(YTO, "stay", 800)]
    book(session, cash(till, 1, method="balance", company=YTO, received_by=None))
    assert owed(session) == [(YTO, "stay", 0)]
    book(session, cash(till, 2, 500, method="balance", household_id=till.ana))
    assert company_balance_fen(session, YTO) == 200
    assert payments.balance_fen(session, till.ana) == 0
    settle_all()
    assert postings(session, "charge", 1) == [
        ("1121", YTO, 800),
        ("220903", None, -560),
        ("220902", "company:property", -240),
    ]
    assert postings(session, "payment", 1) == [("220302", YTO, 800), ("1121", YTO, -800)]
    assert postings(session, "top_up", 1) == [("1001", None, 1000), ("220302", YTO, -1000)]
    found = proof.verify(session)
    assert found.ok, found.checks


def test_a_correction_inherits_the_company(session: Session, till: Till) -> None:
    book(session, fee(1, company=YTO), fee(1, -300, kind="credit"), fee(1, 50, kind="supplement"))
    assert ask(session, "SELECT DISTINCT company FROM charge") == [(YTO,)]
    assert ask(session, "SELECT company, owed_by, charged_fen FROM receivable") == [(YTO, YTO, 550)]
    assert owed(session) == [(YTO, "stay", 550)]
    book(session, cash(till, 1, 550, company=YTO))
    assert ask(session, "SELECT owed_by, paid_fen FROM receivable") == [(None, 550)]
    settle_all()
    assert postings(session, "charge", 2)[0] == ("1121", YTO, -300)
    assert postings(session, "payment", 1) == [("1001", None, 550), ("1121", YTO, -550)]
    assert proof.verify(session).ok


def test_the_database_refuses_two_debtors_and_others_money(session: Session, till: Till) -> None:
    prepay(session, till, YTO, 100)
    book(session, fee(1, company=YTO))
    checks = psycopg.errors.CheckViolation
    with refused(session, checks, "one_debtor"):
        book(session, fee(2, company=YTO, household_id=till.ana))
    with refused(session, checks, "one_payer"):
        book(session, cash(till, 1, company=YTO, household_id=till.ana))
    with refused(session, checks, "balance_payer"):
        book(session, cash(till, 1, 100, method="balance"))
    with refused(session, checks, "amount"):
        book(session, cash(till, 1, 101, method="balance", company=YTO))
    with refused(session, checks, "company:sto has no balance"):
        book(session, cash(till, 1, 50, method="balance", company=STO))
    with refused(session, psycopg.errors.ForeignKeyViolation, "company_party"):
        book(session, fee(2, company="company:nobody"))
    [(number,)] = ask(session, "SELECT id FROM charge")
    for company in ("NULL", f"'{STO}'"):
        other = CHARGE.format(
            kind="credit", stay=1, fen=-5, corrects=number, household="NULL", company=company
        )
        with refused(session, psycopg.errors.ForeignKeyViolation, "source, debtor and owner"):
            session.execute(text(other))
    for household, company in (("NULL", "NULL"), (str(till.ana), f"'{YTO}'")):
        with refused(session, checks, "one_balance"):
            sql = TOP_UP.format(household=household, company=company, olga=till.olga)
            session.execute(text(sql))


def test_companies_balances_are_kept_by_triggers_only(session: Session, till: Till) -> None:
    prepay(session, till, YTO, 100)
    for attack in (
        "INSERT INTO company_balance VALUES ('company:sto', 5)",
        "UPDATE company_balance SET amount_fen = 10000",
        "DELETE FROM company_balance",
        "TRUNCATE company_balance",
        "INSERT INTO company_owed VALUES ('company:sto', 'deposit', 0, -5)",
        "UPDATE company_owed SET owed_fen = 0",
        "DELETE FROM company_owed",
        "TRUNCATE company_owed",
    ):
        with refused(session, psycopg.errors.RestrictViolation, "the ledger only adds"):
            session.execute(text(attack))
    with refused(session, psycopg.errors.RestrictViolation, "is never edited"):
        session.execute(text("UPDATE top_up SET company = 'company:sto'"))


def test_whoever_gets_around_them_is_found_out(session: Session, till: Till) -> None:
    prepay(session, till, YTO, 1000)
    book(session, fee(1, company=YTO))
    settle_all()
    for table, sql, check, detail in (
        ("company_balance", "UPDATE company_balance SET amount_fen = 5", "prepaid", YTO),
        ("company_balance", "DELETE FROM company_balance", "prepaid", YTO),
        ("company_owed", "UPDATE company_owed SET owed_fen = 5", "companies", YTO),
        ("charge", f"UPDATE charge SET company = '{STO}'", "subledgers", f"party '{STO}'"),
    ):
        session.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        session.execute(text(sql))
        failed = {n: c.detail for n, c in proof.verify(session).checks.items() if not c.ok}
        session.rollback()
        assert set(failed) == {check}
        assert detail in failed[check]


def test_what_others_pay_stays_a_heap_only_update(session: Session, till: Till) -> None:
    """The index of what companies owe costs payments at a gate nothing."""
    rows = fee(1), fee(2, household_id=till.ana), fee(3, company=YTO)
    send(driver(session), [charges.raised(row) for row in rows])
    send(driver(session), [payments.received(cash(till, stay)) for stay in (1, 2, 3)])
    counted = """
        SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables
        WHERE relname = 'receivable'
    """
    assert ask(session, counted) == [(3, 2)]
