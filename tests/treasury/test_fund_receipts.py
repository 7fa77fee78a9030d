"""What the fund is given and earns: its own account each, and never the wrong paper."""

from typing import Any

import pytest

from core.db import atomic
from ledger import settlement
from tests.ledger.till import ask, postings
from tests.treasury.office import Office

GIFT = {
    "kind": "donation",
    "payer": "王女士",
    "household": "1-101",
    "amount_fen": 10_000,
    "memo": "社区花园",
    "method": "cash",
    "voucher_kind": "donation-receipt",
}
LESSONS = {
    "kind": "service",
    "payer": "李先生",
    "amount_fen": 2000,
    "in_return": "书法课两次",
    "memo": "暑期班",
    "method": "bank",
    "bank_reference": "ICBC-7",
    "voucher_kind": "invoice",
}
SPONSOR = {
    "kind": "business",
    "payer": "街角咖啡",
    "amount_fen": 50_000,
    "memo": "邻里节",
    "method": "bank",
    "bank_reference": "ICBC-8",
}
SELLER = {"seller_tax_id": "91510100MA6XXXXX0X"}


def test_each_has_its_own_income(office: Office) -> None:
    office.did("olga", "fund-receipts", GIFT)
    restricted = {"restricted": True, "programme": "510102"}
    office.did("fan", "fund-receipts", GIFT | restricted)
    office.did("fan", "fund-receipts", LESSONS)
    office.did("fan", "fund-receipts", SPONSOR)
    waiting = office.get("ava", "ledger/trial-balance").get_json()["unsettled"]
    assert waiting == {"count": 4, "amount_fen": 72_000}
    assert office.balances() == {
        "1011": 20_000,
        "1012": 52_000,
        "410101": -10_000,
        "410102": -10_000,
        "410201": -50_000,
        "430201": -2000,
    }
    assert postings(office.session, "fund_receipt", 3, "fund") == [
        ("1012", None, 2000),
        ("430201", None, -2000),
    ]
    assert ask(office.session, "SELECT DISTINCT book FROM journal_entry") == [("fund",)]


@pytest.mark.parametrize(
    "wrong",
    [
        LESSONS | {"voucher_kind": "donation-receipt"},
        SPONSOR | {"in_return": "横幅广告", "voucher_kind": "donation-receipt"},
        GIFT | {"voucher_kind": "invoice"},
        SPONSOR | {"voucher_kind": "invoice"},
        GIFT | {"in_return": "车位优惠", "voucher_kind": "none"},
        {name: LESSONS[name] for name in LESSONS if name != "in_return"},
        GIFT | {"restricted": True},
        SPONSOR | {"restricted": True, "programme": "510102"},
        GIFT | {"programme": "520201"},
        GIFT | {"household": "9-999"},
        GIFT | {"bank_reference": "B"},
        GIFT | {"amount_fen": 0},
        GIFT | {"received_at": "2026-11-24T00:00:00+08:00"},
    ],
)
def test_what_does_not_fit_is_refused(office: Office, wrong: dict[str, Any]) -> None:
    assert office.refused("fan", "fund-receipts", wrong) == (422, "invalid")
    assert ask(office.session, "SELECT count(*) FROM fund_receipt") == [(0,)]


def test_the_database_keeps_papers_apart_too(office: Office) -> None:
    row = """
        INSERT INTO fund_receipt (kind, payer, amount_fen, memo, method, received_by, in_return,
            voucher_kind, recorded_by, occurred_at, recorded_at)
        VALUES ('{kind}', 'x', 1, 'x', 'cash', 1, {in_return}, '{voucher}', 1, now(), now())
    """
    price = row.format(kind="service", in_return="'x'", voucher="donation-receipt")
    assert "price_is_no_gift" in office.denied(price)
    gift = row.format(kind="donation", in_return="NULL", voucher="invoice")
    assert "price_is_no_gift" in office.denied(gift)
    office.paid(1)
    fee = """
        INSERT INTO voucher (kind, number, payment_id, amount_fen, issued_on, recorded_by,
            recorded_at)
        VALUES ('donation-receipt', '1', 1, 800, '2026-11-23', 1, now())
    """
    assert "fee_is_no_gift" in office.denied(fee)
    office.did("fan", "fund-receipts", LESSONS)
    other = fee.replace("payment_id", "fund_receipt_id").replace("800", "2000")
    assert "fk_voucher_fund_receipt_id" in office.denied(other)
    for attack in ("UPDATE fund_receipt SET voucher_kind = 'none'", "DELETE FROM fund_receipt"):
        assert "fund_receipt" in office.denied(attack)


def test_a_receipt_to_print_and_the_life_of_its_paper(office: Office) -> None:
    given = office.did("olga", "fund-receipts", GIFT)
    path = f"fund-receipts/{given['id']}/receipt"
    said = office.get("ana", path).get_json()
    assert said["number"] == "SJ2026-000001"
    assert (said["received_on"], said["received_from"]) == ("2026-11-23", "王女士")
    assert (said["amount_yuan"], said["amount_in_words"]) == ("100.00", "人民币壹佰元整")
    assert said["voucher"]["voucher_state"] == "due"
    assert office.get("bo", path).status_code == 404
    assert office.get("bo", "fund-receipts").get_json() == []
    paper = {
        "fund_receipt_id": given["id"],
        "kind": "donation-receipt",
        "number": "51-0001",
        "amount_fen": 10_000,
        "issued_on": "2026-11-23",
    }
    issued = office.did("fan", "vouchers", paper)
    assert office.refused("fan", "vouchers", paper | {"number": "51-0002"}) == (409, "conflict")
    assert office.get("ana", path).get_json()["voucher"]["voucher_number"] == "51-0001"
    red = {"number": "51-0003", "issued_on": "2026-11-24"}
    voided = office.did("fan", f"vouchers/{issued['id']}/red-letter", red)
    assert (voided["amount_fen"], voided["red_letter_of_id"]) == (-10_000, issued["id"])
    assert office.refused("fan", f"vouchers/{issued['id']}/red-letter", red)[1] == "voided-before"
    assert office.refused("fan", f"vouchers/{voided['id']}/red-letter", red)[1] == "voided-before"
    assert office.get("ana", path).get_json()["voucher"]["voucher_state"] == "red-lettered"
    office.did("fan", "vouchers", paper | {"number": "51-0004"})
    assert office.get("ava", path).get_json()["voucher"]["voucher_state"] == "issued"
    numbers = [row["number"] for row in office.get("ava", "vouchers").get_json()]
    assert numbers == ["51-0004", "51-0003", "51-0001"]


def test_an_invoice_for_a_fee_and_nothing_else(office: Office) -> None:
    office.paid(1)
    paper = {"payment_id": 1, "number": "F1", "amount_fen": 800, "issued_on": "2026-11-23"}
    gift = paper | {"kind": "donation-receipt"}
    assert office.refused("fan", "vouchers", gift) == (409, "voucher-not-wanted")
    invoice = paper | {"kind": "invoice"}
    assert office.refused("fan", "vouchers", invoice) == (422, "invalid")
    more = invoice | SELLER | {"amount_fen": 801}
    assert office.refused("fan", "vouchers", more) == (409, "conflict")
    assert office.refused("fan", "vouchers", invoice | SELLER | {"payment_id": 9})[0] == 404
    assert (
        office.did("fan", "vouchers", invoice | SELLER)["seller_tax_id"] == SELLER["seller_tax_id"]
    )
    lessons = office.did("fan", "fund-receipts", LESSONS)["id"]
    wrong = {"fund_receipt_id": lessons, "kind": "donation-receipt", "number": "F2"}
    wrong |= {"amount_fen": 2000, "issued_on": "2026-11-23"}
    assert office.refused("fan", "vouchers", wrong) == (409, "voucher-not-wanted")


def test_sixteen_papers_for_one_gift(office: Office) -> None:
    given = office.did("olga", "fund-receipts", GIFT)
    paper = {"fund_receipt_id": given["id"], "kind": "donation-receipt", "amount_fen": 10_000}
    paper["issued_on"] = "2026-11-23"
    asks = [("fan", "vouchers", paper | {"number": f"51-{n}"}) for n in range(16)]
    assert office.at_once(asks) == [201] + [409] * 15


def test_the_proof_sees_a_gift_of_another_amount(office: Office) -> None:
    office.did("olga", "fund-receipts", GIFT)
    office.balances()
    more = "UPDATE fund_receipt SET amount_fen = 10001"
    assert office.broken("fund_receipt", more) == {
        "treasury": "fund_receipt:1 is booked otherwise; 1 broken in all"
    }
    gone = "DELETE FROM fund_receipt"
    assert office.broken("fund_receipt", gone) == {
        "treasury": "fund_receipt:1 has an entry but no source row; 1 broken in all"
    }


def test_set_aside_and_tried_again(office: Office) -> None:
    """The account was out of use: nothing is lost, and releasing it books it."""
    off = "UPDATE account SET active = {} WHERE code = '410201' RETURNING code"
    ask(office.session, off.format("false"))
    office.did("fan", "fund-receipts", SPONSOR)
    assert office.balances() == {}
    (kept,) = ask(office.session, "SELECT set_aside_reason FROM fund_receipt")
    assert kept == ("account-inactive",)
    ask(office.session, off.format("true"))
    assert atomic(settlement.release, settlement.ACCOUNT_INACTIVE) == 1
    assert office.balances("410201") == {"410201": -50_000}
