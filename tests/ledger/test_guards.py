"""Everything the database itself refuses, asked by its own owner in plain SQL."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from tests.ledger.till import ask, book, cash, fee, fill, open_till, settle_all, shut

ENTRY = """
INSERT INTO journal_entry (id, source, source_id, purpose, fingerprint, occurred_on,
    posted_on, recorded_at, book, memo)
OVERRIDING SYSTEM VALUE VALUES ({id}, 'test', {id}, 'settle', '', '{day}', '{day}', now(),
    'owners', '');
"""
CHARGE = """
INSERT INTO charge (kind, source, source_id, income, amount_fen, corrects_id, occurred_at,
    recorded_at, lines, household_id, settled_at, parts)
VALUES ('{kind}', 'stay', {stay}, '{income}', {fen}, {corrects}, now(), now(), '[]',
    {household}, {settled}, {parts})
"""
PAYMENT = """
INSERT INTO payment (source, source_id, method, amount_fen, household_id, received_by,
    occurred_at, recorded_at)
VALUES ('stay', {stay}, '{method}', {fen}, {household}, {taker}, now(), now())
"""

NULLABLE = ("corrects", "household", "settled", "parts")
APPEND_ONLY = (
    "journal_entry",
    "posting",
    "entry_leaf",
    "day_seal",
    "split_rule",
    "book",
    "proof_report",
)
SOURCES = ("charge", "payment", "top_up")
KEPT_BY_TRIGGERS = ("receivable", "balance", "account_month", "unsealed")


def entry(*postings: tuple[str, int], day: str = "2026-11-23", dated: str | None = None) -> str:
    """SQL of entry 900 with these (account, fen)."""
    rows = ", ".join(
        f"(900, {line}, '{account}', NULL, {fen}, '{dated or day}')"
        for line, (account, fen) in enumerate(postings, start=1)
    )
    return ENTRY.format(id=900, day=day) + (f"INSERT INTO posting VALUES {rows};" if rows else "")


def charge(kind: str = "fee", stay: int = 9, fen: int = 800, **more: object) -> str:
    """SQL of a charge."""
    rest = {"income": "parking"} | dict.fromkeys(NULLABLE, "NULL")
    return CHARGE.format(kind=kind, stay=stay, fen=fen, **rest | more)


def payment(stay: int, fen: int, **more: object) -> str:
    """SQL of a payment in cash, taken by person 1."""
    rest = {"method": "cash", "household": "NULL", "taker": 1}
    return PAYMENT.format(stay=stay, fen=fen, **rest | more)


@contextmanager
def refused(session: Session, error: type[psycopg.Error], why: str = "") -> Iterator[None]:
    """The block, or the commit after it, fails with this error and these words."""
    with pytest.raises(DBAPIError) as caught:  # noqa: PT012 - the commit is where it may fail
        yield
        session.commit()
    session.rollback()
    assert isinstance(caught.value.orig, error), caught.value.orig
    assert why in str(caught.value.orig)


@pytest.fixture
def busy(session: Session) -> Session:
    """Books with history: stay 1 charged and paid, stay 2 owed, a balance of 500, settled."""
    till = open_till(session)
    book(session, fee(1), cash(till, 1), fee(2, household_id=till.ana))
    fill(session, till, till.ana, 500)
    assert settle_all() == 4
    return session


def test_entries_are_whole_or_not_at_all(busy: Session) -> None:
    broken = psycopg.errors.IntegrityConstraintViolation
    for attack, why in (
        (entry(("1001", 800), ("220902", -799)), "is not balanced"),
        (entry(), "has no postings"),
        (entry(("1001", 800), ("220902", -800), dated="2026-11-24"), "another date"),
        (entry(("1001", 800), ("999999", -800)), "account 999999 is not in use"),
        (entry(("1001", 800)), "is not balanced"),
        (entry(("1001", 800), ("430101", -800)), "account 430101 is of another book"),
        (entry(("1131", 800), ("430101", -800)), "of another book than its entry"),
        ("INSERT INTO posting VALUES (12345, 1, '1001', NULL, 1, '2026-11-23')", "does not exist"),
        (
            entry(("1001", 800), ("220902", -800)).replace("'1001', NULL", "'1001', 'nobody'"),
            "party nobody does not exist",
        ),
    ):
        with refused(busy, broken, why):
            busy.execute(text(attack))
    with refused(busy, psycopg.errors.CheckViolation):
        busy.execute(text(entry(("1001", 800), ("1001", 0), ("220902", -800))))
    busy.execute(text(entry(("1001", 800), ("220902", -800))))
    busy.commit()


def test_a_complete_entry_takes_no_further_postings(busy: Session) -> None:
    [(number,)] = ask(busy, "SELECT min(id) FROM journal_entry")
    pair = f"""
        INSERT INTO posting VALUES ({number}, 50, '1001', NULL, 1, '2026-11-23'),
            ({number}, 51, '220902', NULL, -1, '2026-11-23')
    """
    with refused(busy, psycopg.errors.IntegrityConstraintViolation, "takes no more postings"):
        busy.execute(text(pair))


def test_one_cause_has_one_entry_and_one_reversal(busy: Session) -> None:
    again = entry(("1001", 800), ("220902", -800)).replace("'test', 900", "'charge', 1")
    with refused(busy, psycopg.errors.UniqueViolation):
        busy.execute(text(again))
    header = ENTRY.replace("memo)", "memo, reverses_id)").replace("'');", "'', 1);")
    reversal = """
        INSERT INTO posting SELECT 900, line, account, party, -amount_fen, posted_on
        FROM posting WHERE entry_id = 1
    """
    busy.execute(text(header.format(id=900, day="2026-11-23") + reversal))
    busy.commit()
    with refused(busy, psycopg.errors.UniqueViolation, "reverses_id"):
        busy.execute(text(header.format(id=901, day="2026-11-23")))


def test_history_refuses_update_delete_and_truncate(busy: Session) -> None:
    changes = {
        "journal_entry": "posted_on = '2026-12-01'",
        "posting": "amount_fen = amount_fen * 2",
        "entry_leaf": "leaf = ''",
        "day_seal": "head = ''",
        "book": "regime = 'nonprofit'",
        "unsealed": "entry_id = 0",
        "split_rule": "micro_fund = 1",
        "receivable": "paid_fen = 0",
        "balance": "amount_fen = 1000000",
        "account_month": "debit_fen = 0",
        "account": "type = 'income'",
        "party": "name = 'x'",
        "period": "month = '2026-01-01'",
    }
    attacks = [f"UPDATE {table} SET {change}" for table, change in changes.items()]
    for table in (*APPEND_ONLY, *KEPT_BY_TRIGGERS, *SOURCES, "account", "party", "period"):
        attacks += [f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"]
    attacks += [
        "INSERT INTO receivable VALUES ('stay', 77, NULL, 1, 0)",
        "INSERT INTO balance VALUES (4711, 5)",
        "INSERT INTO account_month VALUES ('1001', '2026-01-01', 0, 5, 0)",
        "INSERT INTO unsealed VALUES (4711)",
        "UPDATE journal_entry SET occurred_on = '2026-10-01'",
        "UPDATE posting SET posted_on = '2026-10-01'",
        "UPDATE account SET book = 'fund'",
    ]
    for attack in attacks:
        with refused(busy, psycopg.errors.RestrictViolation, "the ledger only adds"):
            busy.execute(text(attack))


def test_a_source_row_changes_only_by_settlement_and_once(busy: Session) -> None:
    for change in (
        "amount_fen = 1",
        "occurred_at = now()",
        "source_id = 5",
        "settled_at = NULL",
        "settled_at = now() + interval '1 day'",
    ):
        for table in SOURCES:
            if table == "top_up" and change.startswith("source_id"):
                continue
            with refused(busy, psycopg.errors.RestrictViolation, "is never edited"):
                busy.execute(text(f"UPDATE {table} SET {change}"))
    with refused(busy, psycopg.errors.RestrictViolation, "is never edited"):
        busy.execute(text("""UPDATE charge SET lines = '[{"label": "改"}]'"""))
    with refused(busy, psycopg.errors.RestrictViolation, "only settlement settles"):
        busy.execute(text(charge(settled="now()")))


def test_a_source_is_charged_one_fee_and_corrected_by_name(busy: Session) -> None:
    with refused(busy, psycopg.errors.UniqueViolation, "uq_charge_fee"):
        busy.execute(text(charge(stay=1)))
    [(one,), (two,)] = ask(busy, "SELECT id FROM charge ORDER BY id")
    for attack in (
        charge(fen=0),
        charge(fen=-5),
        charge(kind="credit", stay=1, fen=5, corrects=one),
        charge(kind="supplement", stay=1),
        charge(corrects=one),
        charge(kind="gift"),
    ):
        with refused(busy, psycopg.errors.CheckViolation):
            busy.execute(text(attack))
    for attack in (
        charge(kind="supplement", stay=1, corrects=two),
        charge(kind="supplement", stay=1, corrects=one, income="locker"),
        charge(kind="supplement", stay=2, corrects=two),
        charge(kind="supplement", stay=1, corrects=4711),
    ):
        with refused(busy, psycopg.errors.ForeignKeyViolation):
            busy.execute(text(attack))
    busy.execute(text(charge(kind="supplement", stay=1, corrects=one)))
    busy.commit()


def test_parts_are_whole_fen_that_sum_to_the_amount(busy: Session) -> None:
    for parts, why in (
        ("{}", "are empty"),
        ("[800]", "are no object"),
        ("800", "are no object"),
        ("null", "are no object"),
        ('{"parking": 500, "overstay": 299}', "do not sum to 800 fen"),
        ('{"parking": 500, "overstay": 300.0}', "are not whole fen"),
        ('{"parking": 500.5, "overstay": 299.5}', "are not whole fen"),
        ('{"parking": 800, "overstay": null}', "are not whole fen"),
        ('{"parking": 800, "overstay": "0"}', "are not whole fen"),
        ('{"parking": 800, "overstay": {"parking": 0}}', "are not whole fen"),
        ('{"parking": 1e40, "overstay": -1e40}', "are not whole fen"),
        ('{"parking": -800}', "do not sum to 800 fen"),
    ):
        with refused(busy, psycopg.errors.CheckViolation, f"the parts of a charge {why}"):
            busy.execute(text(charge(parts=f"'{parts}'")))
    with refused(busy, psycopg.errors.CheckViolation, "do not sum to -5 fen"):
        credit = charge(kind="credit", stay=2, fen=-5, corrects=2, parts="""'{"parking": 5}'""")
        busy.execute(text(credit))
    capped = """'{"parking": 900, "overstay": -100, "ebike": 0}'"""
    busy.execute(text(charge(parts=capped)))
    busy.commit()
    for change in ("NULL", """'{"parking": 800}'"""):
        with refused(busy, psycopg.errors.RestrictViolation, "is never edited"):
            edit = f"UPDATE charge SET parts = {change} WHERE source_id = 9"
            busy.execute(text(edit))
    with refused(busy, psycopg.errors.RestrictViolation, "is never edited"):
        busy.execute(text("""UPDATE charge SET parts = '{"parking": 800}' WHERE source_id = 1"""))


def test_a_posting_names_a_rule_that_exists(busy: Session) -> None:
    header = ENTRY.format(id=900, day="2026-11-23")
    pair = """
        INSERT INTO posting VALUES (900, 1, '1001', NULL, 800, '2026-11-23', NULL),
            (900, 2, '220902', NULL, -800, '2026-11-23', {})
    """
    with refused(busy, psycopg.errors.ForeignKeyViolation, "split_rule"):
        busy.execute(text(header + pair.format(4711)))
    busy.execute(text(header + pair.format(1)))
    busy.commit()


def test_nobody_pays_twice_or_more_than_there_is(busy: Session) -> None:
    [(ana,)] = ask(busy, "SELECT household_id FROM balance")
    [(olga,)] = ask(busy, "SELECT id FROM person WHERE username = 'olga'")
    [(credited,)] = ask(busy, "SELECT id FROM charge WHERE source_id = 1")
    for attack in (
        payment(1, 1, taker=olga),
        payment(2, 801, taker=olga),
        payment(2, 0, taker=olga),
        payment(2, -5, taker=olga),
        payment(2, 501, method="balance", household=ana),
        payment(2, 5, method="balance"),
        payment(2, 5, taker="NULL"),
        payment(2, 5, method="shells", taker=olga),
        charge(kind="credit", stay=1, fen=-1, corrects=credited),
    ):
        with refused(busy, psycopg.errors.CheckViolation):
            busy.execute(text(attack))
    with refused(busy, psycopg.errors.CheckViolation, "has no balance"):
        other = ask(busy, "SELECT id FROM household WHERE code = '2-202'")[0][0]
        busy.execute(text(payment(2, 5, method="balance", household=other)))
    with refused(busy, psycopg.errors.ForeignKeyViolation, "nothing was charged"):
        busy.execute(text(payment(3, 5, taker=olga)))
    assert ask(busy, "SELECT charged_fen, paid_fen FROM receivable ORDER BY source_id") == [
        (800, 800),
        (800, 0),
    ]


def test_a_closed_month_takes_no_entry(busy: Session) -> None:
    shut(busy, "2026-10-01")
    busy.commit()
    with refused(busy, psycopg.errors.IntegrityConstraintViolation, "2026-10-01 is closed"):
        busy.execute(text(entry(("1001", 5), ("220902", -5), day="2026-10-31")))
    busy.execute(text(entry(("1001", 5), ("220902", -5), day="2026-11-01")))
    busy.commit()


def test_closing_a_month_waits_for_entries_in_flight(busy: Session) -> None:
    """FOR KEY SHARE would let the close pass; a month nobody heard of yet is held as well."""
    with Session(busy.get_bind()) as closer:
        for day, month in (("2026-09-30", "2026-09-01"), ("2026-11-30", "2026-11-01")):
            busy.execute(text(entry(("1001", 5), ("220902", -5), day=day)))
            with refused(closer, psycopg.errors.LockNotAvailable):
                closer.execute(text("SET LOCAL lock_timeout = '100ms'"))
                shut(closer, month)
            busy.rollback()
            shut(closer, month)
            closer.commit()
            with refused(busy, psycopg.errors.IntegrityConstraintViolation, "is closed"):
                busy.execute(text(entry(("1001", 5), ("220902", -5), day=day)))


def test_an_account_out_of_use_takes_no_posting(busy: Session) -> None:
    busy.execute(text("UPDATE account SET active = false WHERE code = '1002'"))
    busy.commit()
    with refused(busy, psycopg.errors.IntegrityConstraintViolation, "account 1002 is not in use"):
        busy.execute(text(entry(("1002", 5), ("220902", -5))))


def test_fen_stay_whole() -> None:
    with pytest.raises(TypeError, match="whole"):
        fee(1, 7.5)  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(TypeError, match="whole"):
        fee(1, True)
    with pytest.raises(TypeError, match="whole"):
        fee(1, 800, parts={"parking": 500.0, "overstay": 300})
