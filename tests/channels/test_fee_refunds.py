"""Fees paid through WeChat that go back the way they came: owed until the provider did it."""

import pytest

from channels.sweeps import place_orders, send_refunds
from core import clock
from tests.cast import NOON
from tests.channels.counter import Counter
from tests.ledger.till import ask


@pytest.fixture
def charge(counter: Counter) -> int:
    """Ana paid 8 yuan through WeChat; the charge's number."""
    charge = counter.owes(1)
    number = counter.orders(charge_id=charge)
    with clock.at(NOON):
        place_orders()
    counter.told(counter.tenpay.pays(number))
    counter.tenpay.refund_status = "SUCCESS"
    return charge


def wanted(charge: int, amount_fen: int) -> dict[str, object]:
    """So much of it."""
    return {"charge_id": charge, "amount_fen": amount_fen, "method": "wechat", "reason": "误收"}


def test_in_two_parts(counter: Counter, charge: int) -> None:
    first = counter.post("refunds", wanted(charge, 300), "fan", NOON)
    assert first.status_code == 201, first.get_json()
    assert counter.balances()["224101"] == -300, "owed until WeChat gave it back"
    second = counter.post("refunds", wanted(charge, 500), "fan", NOON)
    assert second.status_code == 201
    assert ask(counter.session, "SELECT status FROM payment_order") == [("refunding",)]
    with clock.at(NOON):
        assert send_refunds() == 2
    assert [asked["amount"]["refund"] for asked in counter.tenpay.refunds.values()] == [300, 500]
    assert ask(counter.session, "SELECT status FROM payment_order") == [("refunded",)]
    assert counter.balances() == {}


def test_no_more_than_that_payment_has_left(counter: Counter, charge: int) -> None:
    assert counter.post("refunds", wanted(charge, 799), "fan", NOON).status_code == 201
    refused = counter.post("refunds", wanted(charge, 2), "fan", NOON)
    assert (refused.status_code, refused.get_json()["code"]) == (409, "more-than-paid")
    cash = {"charge_id": charge, "method": "cash", "reason": "余下一分"}
    assert counter.post("refunds", cash, "olga", NOON).get_json()["amount_fen"] == 1
    with clock.at(NOON):
        assert send_refunds() == 1
    assert counter.balances() == {"101201": 1, "1001": -1}


def test_the_payments_share_is_kept_by_the_database(counter: Counter, charge: int) -> None:
    """A second payment in cash does not make the one through WeChat give back more."""
    counter.post("refunds", wanted(charge, 800), "fan", NOON)
    assert counter.post("refunds", wanted(charge, 1), "fan", NOON).status_code == 409
    assert ask(counter.session, "SELECT count(*) FROM fee_refund") == [(1,)]
    assert ask(counter.session, "SELECT count(*) FROM payment_refund") == [(1,)]
