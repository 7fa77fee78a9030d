"""Expenses: one drafts, another approves with evidence at hand, the books follow pay day."""

import base64
from typing import Any

import pytest

from tests.ledger.till import ask, postings
from tests.treasury.office import Ask, Office

PDF = base64.b64encode(b"%PDF-1.7 an invoice").decode()
LAMPS = {
    "book": "fund",
    "programme": "510104",
    "amount_fen": 3000,
    "payee": "光明电料行",
    "memo": "更换楼道灯",
}
FILE = {"filename": "发票 1.pdf", "media_type": "application/pdf", "content": PDF}


@pytest.fixture
def funded(office: Office) -> Office:
    """The fund has 100 yuan at the bank, 40 of them given for the elderly."""
    given = {"kind": "donation", "payer": "爱心人士", "memo": "捐款", "method": "bank"}
    office.did("fan", "fund-receipts", given | {"amount_fen": 6000, "bank_reference": "B1"})
    purpose = {"restricted": True, "programme": "510102", "bank_reference": "B2"}
    office.did("fan", "fund-receipts", given | {"amount_fen": 4000} | purpose)
    assert office.balances() == {"1012": 10000, "410101": -6000, "410102": -4000}
    return office


def drafted(office: Office, **changes: Any) -> str:
    """Fan drafts an expense with its invoice; its path."""
    said = office.did("fan", "disbursements/expenses", LAMPS | changes)
    path = f"disbursements/{said['id']}"
    office.did("fan", f"{path}/evidence", FILE)
    return path


def test_from_the_draft_to_the_books(funded: Office) -> None:
    path = drafted(funded)
    assert funded.balances("510104") == {"510104": 0}
    funded.did("fay", f"{path}/approve")
    assert funded.balances("510104") == {"510104": 0}, "nothing left the bank yet"
    paid = funded.did("fan", f"{path}/pay", {"bank_reference": "B3"})
    assert (paid["status"], paid["bank_reference"]) == ("paid", "B3")
    waiting = funded.get("ava", "ledger/trial-balance").get_json()["unsettled"]
    assert waiting == {"count": 1, "amount_fen": 3000}
    assert funded.balances("510104", "1012") == {"510104": 3000, "1012": 7000}
    assert postings(funded.session, "expense", 1, "fund") == [
        ("510104", None, 3000),
        ("1012", None, -3000),
    ]
    (listed,) = funded.get("ava", "disbursements", status="paid").get_json()
    assert listed == funded.get("ava", path).get_json()


def test_the_evidence_comes_back_as_it_was(funded: Office) -> None:
    path = drafted(funded)
    again = funded.did("fay", f"{path}/evidence", FILE | {"filename": "other.pdf"})
    (only,) = funded.get("ava", f"{path}/evidence").get_json()
    assert again == only
    file = funded.get("ava", f"{path}/evidence/{only['id']}")
    assert file.data == b"%PDF-1.7 an invoice"
    assert file.headers["Content-Type"] == "application/pdf"
    assert file.headers["X-Content-Type-Options"] == "nosniff"
    disposition = "attachment; filename*=UTF-8''%E5%8F%91%E7%A5%A8%201.pdf"
    assert file.headers["Content-Disposition"] == disposition
    assert funded.get("ava", f"disbursements/99/evidence/{only['id']}").status_code == 404
    assert funded.get("ana", f"{path}/evidence/{only['id']}").status_code == 403


def test_bad_files_are_named(funded: Office) -> None:
    path = f"{drafted(funded)}/evidence"
    large = base64.b64encode(b"%PDF-" + bytes(5 * 1024 * 1024)).decode()
    for bad in (
        {"content": "no base64!"},
        {"content": "===="},
        {"content": large},
        {"content": base64.b64encode(b"<html><script>").decode()},
        {"media_type": "text/html"},
        {"filename": ""},
        {"filename": "x" * 129},
    ):
        assert funded.refused("fan", path, FILE | bad) == (422, "invalid"), bad
    whole = base64.b64encode(b"%PDF-" + bytes(5 * 1024 * 1024 - 5)).decode()
    assert funded.post("fan", path, FILE | {"content": whole}).status_code == 201
    assert "evidence_sha256" in funded.denied("""
        INSERT INTO evidence (disbursement_id, filename, media_type, sha256, content,
            attached_by, recorded_at)
        VALUES (1, 'x', 'image/png', sha256('a'), 'b', 1, now())
    """)


def test_two_people_and_every_step_once(funded: Office) -> None:
    path = drafted(funded)
    assert funded.refused("fan", f"{path}/approve") == (409, "second-person-needed")
    assert funded.refused("fay", f"{path}/pay", {"bank_reference": "B"}) == (409, "wrong-step")
    assert funded.refused("ava", f"{path}/approve")[0] == 403
    assert funded.refused("olga", f"{path}/approve")[0] == 403
    funded.did("ada", f"{path}/approve")
    assert funded.refused("fay", f"{path}/approve") == (409, "wrong-step")
    assert funded.refused("fay", f"{path}/pay", {"method": "cash", "bank_reference": "B"})[0] == 422
    assert funded.refused("fay", f"{path}/pay") == (422, "invalid")
    early = {"bank_reference": "B", "paid_at": "2026-11-22T00:00:00+08:00"}
    assert funded.refused("fay", f"{path}/pay", early) == (422, "invalid")
    funded.did("fay", f"{path}/pay", {"bank_reference": "B"})
    for step, body in (("pay", {"bank_reference": "C"}), ("reject", {"reason": "迟了"})):
        assert funded.refused("fay", f"{path}/{step}", body) == (409, "wrong-step")
    assert funded.refused("fay", "disbursements/99/approve") == (404, "not-found")


def test_sixteen_approve_and_pay_at_once(funded: Office) -> None:
    path = drafted(funded)
    approvals: list[Ask] = [("fay", f"{path}/approve", {}), ("ada", f"{path}/approve", {})] * 8
    assert funded.at_once(approvals) == [200] + [409] * 15
    payments = [("fan", f"{path}/pay", {"bank_reference": f"B{n}"}) for n in range(16)]
    assert funded.at_once(payments) == [200] + [409] * 15
    assert funded.balances("510104") == {"510104": 3000}


def test_no_evidence_no_approval(funded: Office) -> None:
    said = funded.did("fan", "disbursements/expenses", LAMPS)
    path = f"disbursements/{said['id']}/approve"
    assert funded.refused("fay", path) == (409, "evidence-needed")
    approve = f"""
        UPDATE disbursement SET status = 'approved', approved_at = now(), approved_by = 1
        WHERE id = {said["id"]}
    """
    assert "has no evidence" in funded.denied(approve)


def test_rejected_with_a_reason(funded: Office) -> None:
    path = drafted(funded)
    assert funded.refused("fay", f"{path}/reject") == (422, "invalid")
    said = funded.did("fay", f"{path}/reject", {"reason": "先比价"})
    assert (said["status"], said["rejection"]) == ("rejected", "先比价")
    assert funded.refused("fay", f"{path}/approve") == (409, "wrong-step")
    assert funded.refused("fan", f"{path}/evidence", FILE | {"filename": "b"}) == (
        409,
        "wrong-step",
    )
    later = drafted(funded)
    funded.did("fay", f"{later}/approve")
    funded.did("fan", f"{later}/reject", {"reason": "商家停业"})
    assert funded.balances("510104") == {"510104": 0}


def test_restricted_money_pays_for_its_purpose_only(funded: Office) -> None:
    """40 yuan are for the elderly: 60 are free for lamps, and lamps cannot have the rest."""
    lamps = drafted(funded, amount_fen=6001)
    answer = funded.post("fay", f"{lamps}/approve")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "insufficient-funds")
    assert answer.get_json()["available_fen"] == 6000
    other = drafted(funded, restricted=True)
    assert funded.post("fay", f"{other}/approve").get_json()["available_fen"] == 0
    meals = drafted(funded, programme="510102", restricted=True, amount_fen=2500, memo="助餐")
    more = drafted(funded, programme="510102", restricted=True, amount_fen=1501, memo="助餐二")
    funded.did("fay", f"{meals}/approve")
    assert funded.post("fay", f"{more}/approve").get_json()["available_fen"] == 1500
    funded.did("fay", f"{meals}/reject", {"reason": "改期"})
    funded.did("fay", f"{more}/approve")
    funded.did("fan", f"{more}/pay", {"bank_reference": "B4"})
    assert funded.balances("510102", "1012") == {"510102": 1501, "1012": 8499}
    assert ask(funded.session, "SELECT given_fen, spent_fen FROM restricted_money") == [
        (4000, 1501)
    ]
    funded.did("fay", f"{drafted(funded, amount_fen=6000)}/approve")


def test_approvals_at_once_do_not_spend_the_same_money(funded: Office) -> None:
    paths = [drafted(funded, amount_fen=2500) for _ in range(8)]
    assert (
        funded.at_once([("fay", f"{path}/approve", {}) for path in paths]) == [200] * 2 + [409] * 6
    )


def test_what_may_be_drafted(funded: Office) -> None:
    for bad in (
        {"programme": "1012"},
        {"programme": "5101"},
        {"programme": "520201"},
        {"programme": "510104'; DROP TABLE account"},
        {"book": "provider"},
        {"book": "owners", "programme": "520201", "restricted": True},
        {"amount_fen": 0},
        {"amount_fen": 2.5},
        {"payee": ""},
        {"memo": "\u0000"},
        {"status": "paid"},
    ):
        assert funded.refused("fan", "disbursements/expenses", LAMPS | bad) == (422, "invalid"), bad
    assert funded.refused("olga", "disbursements/expenses", LAMPS)[0] == 403


def test_the_owners_pay_in_cash_too(funded: Office) -> None:
    funded.paid(1, 1000)
    funded.balances()
    path = drafted(funded, book="owners", programme="520201", amount_fen=400)
    funded.did("fay", f"{path}/approve")
    funded.did("fan", f"{path}/pay", {"method": "cash"})
    assert funded.balances("1001", "520201") == {"1001": 600, "520201": 400}


def test_the_owner_of_the_database_takes_no_short_cut(funded: Office) -> None:
    path = drafted(funded)
    (fan,) = ask(funded.session, "SELECT id FROM person WHERE username = 'fan'")[0]
    (fay,) = ask(funded.session, "SELECT id FROM person WHERE username = 'fay'")[0]
    approve = "UPDATE disbursement SET status = 'approved', approved_at = now(), approved_by = {}"
    assert "second_person" in funded.denied(approve.format(fan))
    paid = """
        status = 'paid', paid_at = now(), recorded_at = now(), paid_by = 1, method = 'bank',
        bank_reference = 'x'
    """
    for attack in (
        f"UPDATE disbursement SET {paid}",
        "UPDATE disbursement SET amount_fen = 1",
        approve.format(fay) + ", amount_fen = 1",
        approve.format(fay) + f", drafted_by = {fay}",
        "UPDATE disbursement SET settled_at = now()",
        "UPDATE disbursement SET status = 'approved'",
    ):
        assert "does not change like this" in funded.denied(attack) or "ck_" in funded.denied(
            attack
        ), attack
    born = f"""
        INSERT INTO disbursement (kind, book, programme, amount_fen, payee, memo, status,
            drafted_by, drafted_at, approved_by, approved_at)
        VALUES ('expense', 'fund', '510104', 1, 'x', 'x', 'approved', {fan}, now(), {fay}, now())
    """
    assert "begins as a draft" in funded.denied(born)
    funded.did("fay", f"{path}/approve")
    spend = "UPDATE restricted_money SET given_fen = 100000"
    assert "only adds" in funded.denied(spend)
    assert "only adds" in funded.denied("DELETE FROM disbursement")
    assert "only adds" in funded.denied("UPDATE evidence SET content = 'x'")
    restricted = f"""
        INSERT INTO disbursement (kind, book, programme, amount_fen, payee, memo, restricted,
            drafted_by, drafted_at) VALUES ('expense', 'fund', '510102', 4001, 'x', 'x', true,
            {fan}, now());
        INSERT INTO evidence (disbursement_id, filename, media_type, sha256, content,
            attached_by, recorded_at)
        SELECT max(id), 'x', 'image/png', sha256('a'), 'a', 1, now() FROM disbursement;
        UPDATE disbursement SET status = 'approved', approved_at = now(), approved_by = {fay}
        WHERE restricted
    """
    assert "restricted_money_spent" in funded.denied(restricted)


def test_the_proof_sees_what_was_paid_otherwise(funded: Office) -> None:
    path = drafted(funded)
    funded.did("fay", f"{path}/approve")
    funded.did("fan", f"{path}/pay", {"bank_reference": "B3"})
    funded.balances()
    said = funded.broken("disbursement", "UPDATE disbursement SET programme = '510102'")
    assert said == {"treasury": "expense:1 is booked otherwise; 1 broken in all"}
    other = "UPDATE posting SET account = '510102' WHERE account = '510104'"
    assert "treasury" in funded.broken("posting", other)
    never = (
        "UPDATE disbursement SET status = 'approved', settled_at = NULL, paid_at = NULL, "
        "paid_by = NULL, recorded_at = NULL, method = NULL, bank_reference = NULL"
    )
    assert funded.broken("disbursement", never) == {
        "treasury": "expense:1 has an entry but no source row; 1 broken in all"
    }
