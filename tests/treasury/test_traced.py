"""From money out and back to its entries and to what it is about, by the names ledgers print."""

from typing import Any

from tests.treasury.office import Office


def traced(office: Office, source: str) -> dict[str, Any]:
    answer = office.get("ava", "ledger/trace", source=source)
    assert answer.status_code == 200, answer.get_json()
    found: dict[str, Any] = answer.get_json()
    return found


def entries(found: dict[str, Any]) -> set[str]:
    return {entry["source"] for entry in found["entries"]}


def test_a_refund_leads_to_its_fee_and_payment_and_the_fee_to_its_refund(office: Office) -> None:
    charge = office.paid(1, 801)
    said = office.did("olga", "refunds", {"charge_id": charge, "method": "cash", "reason": "退"})
    office.balances()
    refund = f"fee_refund:{said['id']}"
    found = traced(office, refund)
    assert found["cause"]["source"] == "booking"
    assert {refund, f"charge:{charge}"} < entries(found)
    assert entries(traced(office, "booking:1")) == entries(found)


def test_what_the_fund_received_leads_to_its_entry(office: Office) -> None:
    gift = {"kind": "donation", "payer": "爱心人士", "amount_fen": 500, "memo": "捐赠"}
    given = office.did("fan", "fund-receipts", gift | {"method": "cash"})
    office.balances()
    source = f"fund_receipt:{given['id']}"
    assert entries(traced(office, source)) == {source}
    assert office.get("ava", "ledger/trace", source="fund_receipt:999").status_code == 404
