"""Paid twice: what nobody owed goes back the way it came, once, and the books say so."""

from datetime import timedelta

import pytest

from channels import refunds
from channels.providers import provider
from channels.sweeps import place_orders, send_refunds, watch_orders
from core import clock
from core.app import settings
from core.db import atomic
from tests.cast import NOON
from tests.channels.counter import Counter
from tests.ledger.till import ask, book, fee

LATER = NOON + timedelta(minutes=2)


@pytest.fixture
def number(counter: Counter) -> str:
    """Ana scanned the code while Olga took her cash."""
    charge = counter.owes(1)
    number = counter.orders(charge_id=charge)
    with clock.at(NOON):
        place_orders()
    cash = counter.post("payments", {"charge_id": charge, "method": "cash"}, "olga", NOON)
    assert cash.status_code == 201
    counter.told(counter.tenpay.pays(number))
    return number


def test_cash_was_quicker(counter: Counter, number: str) -> None:
    assert counter.order(number)["status"] == "refunding"
    assert counter.payments() == [("cash", 800)]
    assert counter.balances()["224101"] == -800
    with clock.at(NOON):
        assert send_refunds() == 1
        assert send_refunds() == 0
    counter.tenpay.gives_back(f"r{number}")
    with clock.at(LATER):
        assert send_refunds() == 1
        assert send_refunds() == 0
    assert counter.order(number, at=LATER)["status"] == "refunded"
    books = counter.balances()
    assert {"101201", "224101"} & set(books) == set()
    assert books["1001"] == 800


def test_the_notification_overtakes_the_answer(counter: Counter, number: str) -> None:
    counter.tenpay.fail_next.append("no-answer")
    with clock.at(NOON):
        assert send_refunds() == 0
    done = counter.tenpay.gives_back(f"r{number}")
    told = [counter.told(done, "REFUND.SUCCESS").status_code for _ in range(2)]
    assert told == [200, 200]
    processing = done | {"refund_status": "PROCESSING"}
    assert counter.told(processing, "REFUND.PROCESSING").status_code == 200
    with clock.at(LATER):
        assert send_refunds() == 0
    assert counter.order(number, at=LATER)["status"] == "refunded"
    assert "101201" not in counter.balances()


def test_killed_after_the_provider_gave_back(counter: Counter, number: str) -> None:
    counter.tenpay.refund_status = "SUCCESS"
    with clock.at(NOON):
        claimed = atomic(refunds.claim, NOON)
        assert claimed is not None
        provider(settings(), "wechat").refund(claimed.wanted)
    with clock.at(LATER):
        assert send_refunds() == 1
    assert list(counter.tenpay.refunds) == [f"r{number}"]
    assert "101201" not in counter.balances()


def test_what_we_did_not_ask_for_is_refused(counter: Counter, number: str) -> None:
    with clock.at(NOON):
        send_refunds()
    done = counter.tenpay.gives_back(f"r{number}")
    other = counter.told(done | {"out_refund_no": "r0"}, "REFUND.SUCCESS")
    assert (other.status_code, other.get_json()["code"]) == (404, "unknown-refund")
    less = counter.told(done | {"amount": {"refund": 1, "total": 800}}, "REFUND.SUCCESS")
    assert less.get_json()["code"] == "amount-differs"
    assert counter.order(number)["status"] == "refunding"


def test_an_abnormal_refund_waits_for_a_person(counter: Counter, number: str) -> None:
    with clock.at(NOON):
        send_refunds()
    done = counter.tenpay.gives_back(f"r{number}")
    counter.told(done | {"refund_status": "ABNORMAL"}, "REFUND.ABNORMAL")
    assert ask(counter.session, "SELECT status FROM payment_refund") == [("failed",)]
    assert counter.balances()["224101"] == -800, "we still owe it"
    counter.told(done, "REFUND.SUCCESS")
    assert "224101" not in counter.balances()


def test_only_what_is_too_much_goes_back(counter: Counter) -> None:
    """A credit came between the order and the payment."""
    charge = counter.owes(2, 800)
    number = counter.orders(charge_id=charge)
    with clock.at(NOON):
        place_orders()
    ana = counter.community.households["ana"]
    credit = fee(2, -300, source="booking", kind="credit", household_id=ana)
    book(counter.session, credit)
    counter.told(counter.tenpay.pays(number))
    assert counter.payments() == [("wechat", 500)]
    counter.tenpay.refund_status = "SUCCESS"
    with clock.at(NOON):
        assert send_refunds() == 1
    assert counter.tenpay.refunds[f"r{number}"]["amount"]["refund"] == 300
    assert counter.balances()["101201"] == 500


def test_an_order_nobody_needs_is_closed_before_its_time(counter: Counter) -> None:
    charge = counter.owes(3)
    number = counter.orders(charge_id=charge)
    with clock.at(NOON):
        place_orders()
    counter.post("payments", {"charge_id": charge, "method": "cash"}, "olga", NOON)
    with clock.at(LATER):
        assert watch_orders() == 1
    assert counter.tenpay.orders[number]["trade_state"] == "CLOSED"
