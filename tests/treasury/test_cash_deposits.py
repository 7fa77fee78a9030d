"""Cash of the gate reaches the bank, and no account is paid from beyond what is in it."""

from typing import Any

import pytest

from tests.ledger.till import ask, postings
from tests.treasury.office import Ask, Office
from tests.treasury.test_disbursements import FILE, LAMPS

DEPOSITS = "disbursements/deposits"


@pytest.fixture
def till(office: Office) -> Office:
    """The gate took 35 yuan in cash; nothing is at the bank."""
    office.paid(1, 3500)
    assert office.balances("1001", "1002") == {"1001": 3500, "1002": 0}
    return office


def bringing(office: Office, amount_fen: int, book: str = "owners") -> str:
    """Fan counts cash for the bank; the path."""
    said = office.did("fan", DEPOSITS, {"book": book, "amount_fen": amount_fen})
    return f"disbursements/{said['id']}"


def expense(office: Office, amount_fen: int, **changes: Any) -> str:
    """An approved expense; the path."""
    said = office.did("fan", "disbursements/expenses", LAMPS | {"amount_fen": amount_fen} | changes)
    path = f"disbursements/{said['id']}"
    office.did("fan", f"{path}/evidence", FILE)
    office.did("fay", f"{path}/approve")
    return path


def short(office: Office, name: str, path: str, body: dict[str, Any]) -> tuple[str, int, int]:
    """A refusal for want of money: which account or book, what is there, what is asked."""
    answer = office.post(name, path, body)
    said = answer.get_json()
    assert (answer.status_code, said["code"]) == (409, "insufficient-funds"), said
    assert f"{said['available_fen']} fen" in said["detail"]
    return said["where"], said["available_fen"], said["asked_fen"]


def test_counted_by_two_and_brought_to_the_bank(till: Office) -> None:
    path = bringing(till, 3000)
    assert till.refused("fan", f"{path}/approve") == (409, "second-person-needed")
    till.did("fay", f"{path}/approve")
    assert till.balances("1001", "1002") == {"1001": 3500, "1002": 0}, "it is still in the box"
    assert till.refused("fan", f"{path}/pay", {"method": "cash"}) == (422, "invalid")
    paid = till.did("fan", f"{path}/pay", {"bank_reference": "回单7"})
    assert (paid["kind"], paid["bank_reference"]) == ("cash_deposit", "回单7")
    assert till.balances("1001", "1002") == {"1001": 500, "1002": 3000}
    assert postings(till.session, "cash_deposit", paid["id"]) == [
        ("1002", None, 3000),
        ("1001", None, -3000),
    ]
    listed = till.get("ava", "disbursements", kind="cash_deposit").get_json()
    assert [row["id"] for row in listed] == [paid["id"]]


def test_the_funds_cash_goes_to_the_funds_bank(office: Office) -> None:
    gift = {"kind": "donation", "payer": "王女士", "memo": "捐款", "amount_fen": 900}
    office.did("olga", "fund-receipts", gift | {"method": "cash"})
    office.balances()
    paid = office.deposited(900, "fund")
    assert office.balances("1011", "1012") == {"1011": 0, "1012": 900}
    assert postings(office.session, "cash_deposit", paid["id"], "fund") == [
        ("1012", None, 900),
        ("1011", None, -900),
    ]


def test_never_more_than_the_cash_there_is(till: Office) -> None:
    assert short(till, "fan", DEPOSITS, {"book": "owners", "amount_fen": 3501}) == (
        "1001",
        3500,
        3501,
    )
    path = bringing(till, 3000)
    more = {"book": "owners", "amount_fen": 501}
    assert short(till, "fay", DEPOSITS, more) == ("1001", 500, 501), "3000 are drafted"
    lamps = expense(till, 600, book="owners", programme="520201")
    till.did("fay", f"{path}/approve")
    till.did("fan", f"{lamps}/pay", {"method": "cash"})
    reference = {"bank_reference": "回单"}
    assert short(till, "fan", f"{path}/pay", reference) == ("1001", 2900, 3000)
    till.did("fan", f"{path}/reject", {"reason": "重新清点"})
    till.deposited(2900)
    assert till.balances("1001", "1002") == {"1001": 0, "1002": 2900}


def test_cash_handed_back_is_gone_before_it_is_booked(till: Office) -> None:
    till.did(
        "olga", "refunds", {"charge_id": 1, "amount_fen": 500, "method": "cash", "reason": "退"}
    )
    wanted = {"book": "owners", "amount_fen": 3001}
    assert short(till, "fan", DEPOSITS, wanted) == ("1001", 3000, 3001)


@pytest.mark.parametrize(
    "wrong",
    [
        {"book": "provider"},
        {"book": "owners'; --"},
        {"amount_fen": 0},
        {"amount_fen": -1},
        {"amount_fen": "12"},
        {"amount_fen": 10**20},
        {"kind": "payout"},
    ],
)
def test_what_may_be_drafted(till: Office, wrong: dict[str, Any]) -> None:
    good = {"book": "owners", "amount_fen": 1}
    assert till.refused("fan", DEPOSITS, good | wrong) == (422, "invalid")
    assert till.refused("olga", DEPOSITS, good)[0] == 403


def test_what_goes_by_bank_waits_until_cash_is_there(till: Office) -> None:
    """The share is 17.50 yuan and the book has 35, yet all of it in the cash box."""
    share = till.did("fan", "disbursements/shares", {"kind": "fund_share"})
    path, asked = f"disbursements/{share['id']}", share["amount_fen"]
    assert short(till, "fay", f"{path}/approve", {}) == ("1002", 0, asked)
    till.deposited(asked)
    assert short(till, "fay", f"{path}/approve", {}) == ("1002", 0, asked), "not in the books yet"
    till.balances()
    till.did("fay", f"{path}/approve")
    till.did("fan", f"{path}/pay", {"bank_reference": "S1"})
    assert till.balances("1001", "1002") == {"1001": 3500 - asked, "1002": 0}


def test_an_expense_looks_at_its_account_when_it_is_paid(till: Office) -> None:
    till.deposited(1500)
    till.balances()
    path = expense(till, 1800, book="owners", programme="520201")
    assert short(till, "fan", f"{path}/pay", {"bank_reference": "B"}) == ("1002", 1500, 1800)
    till.did("fan", f"{path}/pay", {"method": "cash"})
    assert till.balances("1001", "1002") == {"1001": 200, "1002": 1500}


def test_eight_pay_from_one_account_at_once(till: Office) -> None:
    """Eight expenses of 4 yuan are approved, of 35; the bank has 15: three are paid by it."""
    till.deposited(1500)
    till.balances()
    paths = [expense(till, 400, book="owners", programme="520201") for _ in range(8)]
    by_bank: list[Ask] = [
        ("fan", f"{path}/pay", {"bank_reference": f"B{n}"}) for n, path in enumerate(paths)
    ]
    assert till.at_once(by_bank) == [200] * 3 + [409] * 5
    assert till.balances("1001", "1002") == {"1001": 2000, "1002": 300}


def test_eight_bring_the_same_cash(till: Office) -> None:
    asks: list[Ask] = [("fan", DEPOSITS, {"book": "owners", "amount_fen": 1000})] * 8
    assert till.at_once(asks) == [201] * 3 + [409] * 5
    drafted = "SELECT sum(amount_fen)::int FROM disbursement WHERE kind = 'cash_deposit'"
    assert ask(till.session, drafted) == [(3000,)]


def test_the_proof_sees_another_amount(till: Office) -> None:
    path = till.deposited(3000)["id"]
    till.balances()
    said = till.broken("disbursement", "UPDATE disbursement SET amount_fen = 2999")
    assert said == {"treasury": f"cash_deposit:{path} is booked otherwise; 1 broken in all"}
