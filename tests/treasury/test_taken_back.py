"""What was given for a programme is taken back, with what it may pay for; never what is spent."""

import pytest

from tests.ledger.till import ask
from tests.treasury.office import Ask, Office
from tests.treasury.test_disbursements import drafted

MEALS = {"programme": "510102", "restricted": True, "memo": "助餐"}


@pytest.fixture
def given(office: Office) -> Office:
    """100 yuan for anything; for the elderly 40 and, written down twice, 25."""
    gift = {"kind": "donation", "payer": "爱心人士", "memo": "捐款", "method": "bank"}
    office.did("fan", "fund-receipts", gift | {"amount_fen": 10_000, "bank_reference": "B1"})
    for number, fen in ((2, 4000), (3, 2500)):
        for_meals = {"restricted": True, "programme": "510102", "bank_reference": f"B{number}"}
        office.did("fan", "fund-receipts", gift | for_meals | {"amount_fen": fen})
    office.balances()
    return office


def reversal(office: Office, source: str, number: int) -> str:
    """The path that takes back what a row became."""
    sql = f"SELECT id FROM journal_entry WHERE source = '{source}' AND source_id = {number}"
    return f"ledger/entries/{ask(office.session, sql)[0][0]}/reverse"


def kept(office: Office) -> tuple[int, int]:
    """Given and spent, of the elderly's programme."""
    (found,) = ask(office.session, "SELECT given_fen::int, spent_fen::int FROM restricted_money")
    return found


def test_a_gift_taken_back_pays_for_nothing(given: Office) -> None:
    given.did("fan", reversal(given, "fund_receipt", 3), {"reason": "重复登记"})
    assert kept(given) == (4000, 0)
    given.balances()
    meals = drafted(given, amount_fen=4001, **MEALS)
    assert given.post("fay", f"{meals}/approve").get_json()["available_fen"] == 4000
    given.did("fan", reversal(given, "fund_receipt", 1), {"reason": "退回"})
    assert kept(given) == (4000, 0), "it was given for anything"


def test_what_is_approved_is_not_taken_back(given: Office) -> None:
    meals = drafted(given, amount_fen=4500, **MEALS)
    given.did("fay", f"{meals}/approve")
    path, reason = reversal(given, "fund_receipt", 3), {"reason": "重复登记"}
    answer = given.post("fan", path, reason).get_json()
    assert (answer["code"], answer["available_fen"], answer["asked_fen"]) == (
        "spent-already",
        2000,
        2500,
    )
    assert kept(given) == (6500, 4500)
    given.did("fay", f"{meals}/reject", {"reason": "改期"})
    given.did("fan", path, reason)
    assert given.refused("fan", path, reason) == (409, "already-reversed")
    assert kept(given) == (4000, 0)
    given.balances()


def test_an_expense_taken_back_may_be_spent_again(given: Office) -> None:
    meals = drafted(given, amount_fen=4500, **MEALS)
    given.did("fay", f"{meals}/approve")
    given.did("fan", f"{meals}/pay", {"bank_reference": "M1"})
    given.balances()
    given.did("fan", reversal(given, "expense", 1), {"reason": "付错"})
    assert kept(given) == (6500, 0)
    given.balances()


def test_taking_back_and_approving_at_once(given: Office) -> None:
    """65 yuan are there; either the gift of 25 goes, or four meals of 16 are had, never both."""
    path = reversal(given, "fund_receipt", 3)
    meals = [drafted(given, amount_fen=1600, **MEALS) for _ in range(4)]
    back: list[Ask] = [("fan", path, {"reason": "重复登记"})] * 4
    given.at_once([*back, *(("fay", f"{meal}/approve", {}) for meal in meals)])
    assert kept(given) in {(4000, 3200), (6500, 6400)}
    given.balances()


def test_the_proof_sees_what_is_kept_otherwise(given: Office) -> None:
    more = "UPDATE restricted_money SET given_fen = 6501"
    assert given.broken("restricted_money", more) == {
        "restricted": "programme 510102 differs; 1 broken in all"
    }
