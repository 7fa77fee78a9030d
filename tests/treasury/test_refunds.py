"""Paid fees that go back: in cash, into a balance; the fee and every share of it undone."""

from typing import Any

from sqlalchemy import text

from core.db import atomic
from ledger import settlement
from ledger.accounts import CASH, COMPANIES_PREPAID, PREPAID
from tests.ledger.till import ask, postings
from tests.treasury.office import Office


def test_part_in_cash_and_the_rest_into_the_balance(office: Office) -> None:
    charge = office.paid(1, 801)
    office.balances()
    some = {"charge_id": charge, "amount_fen": 300, "method": "cash", "reason": "重复收费"}
    said = office.did("olga", "refunds", some)
    assert (said["amount_fen"], said["paid_out_by"], said["asked_by"]) == (
        300,
        *[said["asked_by"]] * 2,
    )
    ana = office.community.households["ana"]
    assert office.balances("1121", CASH) == {"1121": 0, CASH: 501}
    assert postings(office.session, "fee_refund", said["id"]) == [
        ("1121", f"household:{ana}", 300),
        (CASH, None, -300),
    ]
    rest = office.did("fan", "refunds", {"charge_id": charge, "method": "balance", "reason": "退"})
    assert (rest["amount_fen"], rest["household_id"]) == (501, ana)
    assert office.balances() == {CASH: 501, PREPAID: -501}
    assert office.get("ana", "balance").get_json()["balance_fen"] == 501
    entries = office.get("ava", "ledger/entries", source="booking:1", book="owners").get_json()
    assert [entry["source"].partition(":")[0] for entry in entries] == [
        *("charge", "payment", "charge", "fee_refund", "charge", "fee_refund")
    ]
    assert [row["id"] for row in office.get("ana", "refunds").get_json()] == [
        rest["id"],
        said["id"],
    ]
    assert office.get("bo", "refunds").get_json() == []


def test_everybodys_share_goes_back_with_it(office: Office) -> None:
    bo = office.community.households["bo"]
    charge = office.paid(1, 800, owner_household_id=bo)
    assert office.balances("220901", "220902", "220903") == {
        "220901": -560,
        "220902": -80,
        "220903": -160,
    }
    office.did("olga", "refunds", {"charge_id": charge, "method": "cash", "reason": "车位不可用"})
    assert office.balances() == {}


def test_not_more_than_was_paid_and_not_given_back(office: Office) -> None:
    charge = office.charged(1)
    wanted = {"charge_id": charge, "method": "cash", "reason": "退"}
    assert office.refused("olga", "refunds", wanted) == (409, "nothing-paid")
    office.did("olga", "payments", {"charge_id": charge, "method": "cash"})
    more = wanted | {"amount_fen": 801}
    assert office.refused("olga", "refunds", more) == (409, "more-than-paid")
    office.did("olga", "refunds", wanted | {"amount_fen": 799})
    assert office.refused("olga", "refunds", wanted | {"amount_fen": 2}) == (409, "more-than-paid")
    office.did("olga", "refunds", wanted)
    assert office.refused("olga", "refunds", wanted) == (409, "nothing-paid")
    assert office.refused("olga", "refunds", wanted | {"method": "wechat"})[0] == 409
    assert office.refused("olga", "refunds", wanted | {"method": "bank"}) == (422, "invalid")
    assert ask(office.session, "SELECT charged_fen, paid_fen, credited_fen FROM receivable") == [
        (0, 0, 800)
    ]


def test_nobody_known_has_no_balance(office: Office) -> None:
    charge = office.paid(1, household_id=None)
    wanted = {"charge_id": charge, "method": "balance", "reason": "退"}
    assert office.refused("olga", "refunds", wanted) == (422, "invalid")
    assert office.refused("olga", "refunds", wanted | {"method": "wechat"}) == (
        409,
        "more-than-paid",
    )
    office.did("olga", "refunds", wanted | {"method": "cash"})
    assert office.balances() == {}


def test_a_companys_balance(office: Office) -> None:
    company = "INSERT INTO party (code, kind, name) VALUES ('company:sf', 'company', '顺丰')"
    office.session.execute(text(company))
    office.session.commit()
    charge = office.paid(1, household_id=None, company="company:sf")
    office.did("fan", "refunds", {"charge_id": charge, "method": "balance", "reason": "多计"})
    assert office.balances() == {CASH: 800, COMPANIES_PREPAID: -800}


def test_sixteen_at_once_get_what_there_is_to_the_fen(office: Office) -> None:
    """Of 801 fen a hundred at a time: eight get it, eight do not, one fen is left."""
    charge = office.paid(1, 801)
    body = {"charge_id": charge, "amount_fen": 100, "method": "cash", "reason": "退"}
    assert office.at_once([("olga", "refunds", body)] * 16) == [201] * 8 + [409] * 8
    assert ask(office.session, "SELECT charged_fen, paid_fen FROM receivable") == [(1, 1)]
    last = body | {"amount_fen": 1}
    assert office.refused("olga", "refunds", body) == (409, "more-than-paid")
    office.did("olga", "refunds", last)
    assert office.balances() == {}


def test_refunds_credits_and_payments_at_once_leave_nothing_overpaid(office: Office) -> None:
    charge = office.charged(1, 400)
    office.did("olga", "payments", {"charge_id": charge, "method": "cash"})
    refund: dict[str, Any] = {"charge_id": charge, "method": "cash", "reason": "退"}
    asks = [("olga", "refunds", refund | {"amount_fen": 100})] * 6
    asks += [("fan", "credits", {"charge_id": charge, "amount_fen": 50, "reason": "免"})] * 6
    assert office.at_once(asks) == [201] * 4 + [409] * 8
    assert office.balances() == {}


def test_the_database_asks_for_the_credit_and_for_who_paid_out(office: Office) -> None:
    office.paid(1)
    facts = """
        INSERT INTO fee_refund (source, source_id, method, amount_fen, paid_out_by, reason,
            asked_by, occurred_at, recorded_at)
        VALUES ('booking', 1, 'cash', {fen}, {who}, 'x', 1, now(), now())
    """
    assert "comes with a credit of 100 fen" in office.denied(facts.format(fen=100, who=1))
    assert "fee_refund_cash_payer" in office.denied(facts.format(fen=100, who="NULL"))
    assert "receivable_paid" in office.denied(facts.format(fen=801, who=1))


def test_a_settled_refund_is_history(office: Office) -> None:
    charge = office.paid(1)
    office.did("olga", "refunds", {"charge_id": charge, "method": "cash", "reason": "退"})
    office.balances()
    for attack in (
        "UPDATE fee_refund SET amount_fen = 1",
        "UPDATE fee_refund SET settled_at = NULL",
    ):
        assert "is never edited" in office.denied(attack)
    assert "only adds" in office.denied("DELETE FROM fee_refund")
    assert atomic(settlement.settle_batch) == 0


def test_the_proof_misses_an_entry_and_sees_an_altered_one(office: Office) -> None:
    charge = office.paid(1)
    office.did("olga", "refunds", {"charge_id": charge, "method": "cash", "reason": "退"})
    office.balances()
    gone = """
        WITH gone AS (DELETE FROM posting WHERE entry_id IN (
            SELECT id FROM journal_entry WHERE source = 'fee_refund') RETURNING entry_id)
        SELECT count(*) FROM gone
    """
    assert office.broken("posting", gone)["treasury"] == (
        "fee_refund:1 is settled without an entry; 1 broken in all"
    )
    other = """
        UPDATE posting SET amount_fen = sign(amount_fen) * 799 WHERE entry_id IN (
            SELECT id FROM journal_entry WHERE source = 'fee_refund')
    """
    assert office.broken("posting", other)["treasury"] == (
        "fee_refund:1 is booked otherwise; 1 broken in all"
    )
    more = "UPDATE fee_refund SET amount_fen = 801"
    assert office.broken("fee_refund", more).keys() == {"receivables", "treasury"}
    never = "UPDATE fee_refund SET settled_at = NULL"
    assert office.broken("fee_refund", never) == {
        "treasury": "fee_refund:1 has an entry but is not settled; 1 broken in all"
    }
