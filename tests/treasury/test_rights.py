"""The app does its work without owning anything; reporters read; history stays."""

from collections.abc import Iterator

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.orm import Session

from ledger import proof, settlement
from tests.cast import NOON
from tests.ledger.test_roles import acting_as
from tests.ledger.till import ask
from tests.treasury.office import Office
from tests.treasury.test_disbursements import FILE
from treasury import disbursements, evidence, fee_credits, fund_receipts, refunds, write_offs
from treasury.fee_credits import Cause


@pytest.fixture
def app_role(office: Office) -> Iterator[Session]:
    """The rights of the app; two fees are paid, two are old and unpaid."""
    for number in (1, 2):
        office.paid(number)
    for number in (3, 4):
        office.charged(number, occurred_at=NOON.replace(month=3))
    with acting_as("huilin_app") as session:
        yield session


def test_the_app_does_all_of_it(office: Office, app_role: Session) -> None:
    (fan,) = ask(office.session, "SELECT id FROM person WHERE username = 'fan'")[0]
    (fay,) = ask(office.session, "SELECT id FROM person WHERE username = 'fay'")[0]
    for charge, method in ((1, "cash"), (2, "balance")):
        refunds.refund(
            app_role, charge_id=charge, amount_fen=1, method=method, reason="退", asked_by=fan
        )
    fee_credits.credit_unpaid(app_role, charge_id=3, amount_fen=1, cause=Cause("减免", fan))
    rule = {"valid_from": NOON.date(), "older_than_days": 90, "at_most_fen": 799}
    write_offs.add_rule(app_role, recorded_by=fan, decided_by="业主大会", **rule)
    assert write_offs.sweep(app_role, NOON, NOON.date(), 10) == 1
    drafted = write_offs.draft(app_role, charge_id=4, reason="联系不上", drafted_by=fan)
    write_offs.decide(app_role, drafted.id, approved=True, decided_by=fay)
    given = {"kind": "donation", "payer": "王女士", "memo": "捐款", "amount_fen": 500}
    fund_receipts.receive(
        app_role,
        recorded_by=fan,
        household=None,
        method="cash",
        restricted=True,
        programme="510102",
        voucher_kind="none",
        **given,
    )
    app_role.commit()
    while settlement.settle_batch(app_role):
        app_role.commit()
    spent = {"book": "fund", "programme": "510102", "restricted": True, "amount_fen": 300}
    lunch = disbursements.draft_expense(
        app_role, drafted_by=fan, payee="食堂", memo="助餐", **spent
    )
    evidence.attach(app_role, lunch.id, by=fan, **FILE)
    disbursements.approve(app_role, lunch.id, fay)
    disbursements.pay(app_role, lunch.id, fan, method="cash", bank_reference=None, paid_at=None)
    app_role.commit()
    assert settlement.settle_batch(app_role) == 1
    app_role.commit()
    found = proof.verify(app_role)
    assert found.ok, found.checks
    assert office.balances("1011", "510102") == {"1011": 200, "510102": 300}


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE fee_refund SET amount_fen = 1",
        "UPDATE disbursement SET amount_fen = 1",
        "UPDATE disbursement SET drafted_by = 1",
        "UPDATE fund_receipt SET voucher_kind = 'none'",
        "UPDATE write_off SET amount_fen = 1",
        "UPDATE credit SET reason = 'x'",
        "UPDATE restricted_money SET given_fen = 1",
        "INSERT INTO restricted_money VALUES ('510102', 100, 0)",
        "UPDATE voucher SET number = 'x'",
        "UPDATE evidence SET filename = 'x'",
        *(
            f"DELETE FROM {table}"
            for table in ("fee_refund", "disbursement", "evidence", "fund_receipt", "credit")
        ),
        "TRUNCATE write_off CASCADE",
        "SELECT treasury_refunded()",
    ],
)
def test_the_app_rewrites_nothing(app_role: Session, attack: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"):
        app_role.execute(text(attack))


def test_a_reporter_only_reads(office: Office) -> None:
    office.paid(1)
    office.did("olga", "refunds", {"charge_id": 1, "method": "cash", "reason": "退"})
    office.balances()
    with acting_as("huilin_reporter") as reporter:
        assert ask(reporter, "SELECT amount_fen::int FROM fee_refund") == [(800,)]
        with pytest.raises(ProgrammingError, match="permission denied"):
            reporter.execute(text("INSERT INTO write_off_rule DEFAULT VALUES"))
