"""Paying through WeChat: asked once, collected once, whatever the network does."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from flask import Flask

from channels import orders
from channels.providers import provider
from channels.sweeps import place_orders, watch_orders
from core import clock
from core.app import settings
from core.db import atomic
from simulation.tenpay import (
    APPID,
    KEY_ID,
    MCHID,
    PLATFORM,
    STRANGER,
    notification,
    private_pem,
    signed,
)
from tests.cast import NOON
from tests.channels.counter import Counter
from tests.ledger.till import ask

KEY_HEX = "5157F09EFDC096DE15EBE81A47057A7232F1B8E1"
MINUTE = timedelta(minutes=1)
LEASE = timedelta(seconds=orders.LEASE_SECONDS)


def test_ana_scans_a_code_at_the_exit_and_leaves(counter: Counter) -> None:
    ground = counter.community
    ground.knock("entry", "川A12345", NOON - timedelta(hours=3))
    held = ground.knock("exit", "川A12345", NOON)["decision"]
    assert held["reason"] == "payment-due"
    number = counter.orders(stay_id=held["stay_id"])
    assert counter.order(number)["code_url"] is None
    assert counter.tenpay.orders == {}
    with clock.at(NOON):
        assert place_orders() == 1
    order = counter.order(number)
    assert (order["status"], order["amount_fen"]) == ("pending", held["fee"]["due_fen"])
    assert order["code_url"].startswith("weixin://wxpay/bizpayurl")
    asked = counter.tenpay.orders[number]["asked"]
    assert asked["amount"] == {"total": order["amount_fen"], "currency": "CNY"}
    assert asked["notify_url"].endswith("/api/v1/channels/wechat/notify")
    assert asked["time_expire"] == "2026-11-23T12:30:00+08:00"
    assert counter.told(counter.tenpay.pays(number)).get_json()["code"] == "SUCCESS"
    assert counter.order(number)["status"] == "paid"
    left = ground.knock("exit", "川A12345", NOON + MINUTE)["decision"]
    assert (left["action"], left["reason"]) == ("open", "paid")
    books = counter.balances()
    assert (books["101201"], books.get("1121")) == (order["amount_fen"], None)


def test_a_notification_counts_once(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        place_orders()
    paid = counter.tenpay.pays(number)
    assert [counter.told(paid).status_code for _ in range(3)] == [200] * 3
    with clock.at(NOON + 2 * MINUTE):
        assert (place_orders(), watch_orders()) == (0, 0)
    assert counter.payments() == [("wechat", 800)]
    (raw,) = ask(counter.session, "SELECT raw::text FROM payment_order")[0]
    assert "openid" not in raw


def test_many_who_tell_at_once_are_one(counter: Counter, app: Flask) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        place_orders()
    paid = counter.tenpay.pays(number)
    together = Barrier(4)
    body = notification("TRANSACTION.SUCCESS", {"mchid": MCHID, "appid": APPID} | paid)

    def tell() -> int:
        together.wait()
        answer = app.test_client().post(
            "/api/v1/channels/wechat/notify",
            data=body.encode(),
            headers={"Content-Type": "application/json", **signed(body, NOON)},
        )
        return answer.status_code

    with clock.at(NOON), ThreadPoolExecutor(4) as pool:
        assert [f.result() for f in [pool.submit(tell) for _ in range(4)]] == [200] * 4
    assert counter.payments() == [("wechat", 800)]


def test_what_is_not_genuine_changes_nothing(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        place_orders()
    paid = {"mchid": MCHID, "appid": APPID} | counter.tenpay.pays(number)
    body = notification("TRANSACTION.SUCCESS", paid)
    asked = len(counter.tenpay.asked)

    def answers(body: str, headers: dict[str, str]) -> str:
        answer = counter.told_raw(body, headers)
        assert answer.status_code in {400, 404, 409}
        return str(answer.get_json()["code"])

    late, early = NOON - 6 * MINUTE, NOON + 6 * MINUTE
    assert answers(body, signed(body, late)) == "stale"
    assert answers(body, signed(body, early)) == "stale"
    assert answers(body, signed(body, NOON) | {"Wechatpay-Timestamp": "soon"}) == "bad-timestamp"
    assert answers(body, signed(body, NOON, STRANGER)) == "bad-signature"
    assert answers(body, signed(body + " ", NOON)) == "bad-signature"
    assert answers(body, signed(body, NOON) | {"Wechatpay-Serial": "5157F09E"}) == "unknown-key"
    assert answers("{}", {}) == "unknown-key"
    other_key = notification("TRANSACTION.SUCCESS", paid, apiv3_key="f" * 32)
    assert answers(other_key, signed(other_key, NOON)) == "bad-signature"
    for change, code in (
        ({"mchid": "1900000110"}, "other-merchant"),
        ({"appid": "wx0"}, "unreadable"),
        ({"amount": {"total": 1, "currency": "CNY"}}, "amount-differs"),
        ({"amount": {"total": 800, "currency": "USD"}}, "unreadable"),
        ({"amount": {"total": 800.0}}, "unreadable"),
        ({"out_trade_no": "hl0"}, "unknown-order"),
        ({"success_time": "yesterday"}, "unreadable"),
        ({"trade_state": "NOTPAY"}, "not-paid"),
    ):
        said = notification("TRANSACTION.SUCCESS", paid | change)
        assert answers(said, signed(said, NOON)) in {code, "amount-differs"}, change
    unknown = notification("COUPON.USE", paid)
    assert answers(unknown, signed(unknown, NOON)) == "unknown-event"
    assert counter.payments() == []
    assert len(counter.tenpay.asked) == asked, "a stranger must not make us call out"
    assert counter.told(paid).status_code == 200
    second = counter.told(paid | {"transaction_id": "4200999"})
    assert second.get_json()["code"] == "other-transaction"
    assert counter.payments() == [("wechat", 800)]


@pytest.mark.parametrize("failure", ["no-answer", "503", "forged"])
def test_an_answer_that_does_not_come_is_asked_for_again(counter: Counter, failure: str) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    counter.tenpay.fail_next.append(failure)
    with clock.at(NOON):
        assert place_orders() == 0
        assert place_orders() == 0, "its lease still runs"
    with clock.at(NOON + LEASE):
        assert place_orders() == 1
    assert list(counter.tenpay.orders) == [number]
    assert counter.order(number)["status"] == "pending"


def test_killed_between_the_call_and_the_commit(counter: Counter) -> None:
    """The provider has the order, we never wrote so; the next worker gets the same order."""
    number = counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        claimed = atomic(orders.claim_to_place, NOON)
        assert claimed is not None
        first = provider(settings(), "wechat").place(claimed[1])
    with clock.at(NOON + LEASE):
        assert place_orders() == 1
    assert list(counter.tenpay.orders) == [number]
    assert counter.order(number)["code_url"] == first.code_url


def test_told_before_the_order_was_answered(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    counter.tenpay.fail_next.append("no-answer")
    with clock.at(NOON):
        place_orders()
    assert counter.told(counter.tenpay.pays(number)).status_code == 200
    with clock.at(NOON + LEASE):
        assert place_orders() == 0
    assert (counter.order(number)["status"], counter.payments()) == ("paid", [("wechat", 800)])


def test_paid_unseen_is_found_by_asking(counter: Counter) -> None:
    """Neither the answer nor the notification reached us."""
    number = counter.orders(charge_id=counter.owes(1))
    counter.tenpay.fail_next.append("no-answer")
    with clock.at(NOON):
        place_orders()
    counter.tenpay.pays(number)
    with clock.at(NOON + LEASE):
        assert place_orders() == 0
        assert watch_orders() == 1
        assert watch_orders() == 0
    assert (counter.order(number)["status"], counter.payments()) == ("paid", [("wechat", 800)])


def test_a_notification_that_never_came(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        place_orders()
        assert watch_orders() == 0
    counter.tenpay.pays(number)
    counter.tenpay.fail_next.append("503")
    with clock.at(NOON + MINUTE):
        assert watch_orders() == 0
    with clock.at(NOON + 2 * MINUTE):
        assert watch_orders() == 1
    assert counter.payments() == [("wechat", 800)]


def test_what_nobody_paid_is_closed_on_both_sides(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        place_orders()
    with clock.at(NOON + 30 * MINUTE):
        assert watch_orders() == 0
    with clock.at(NOON + 32 * MINUTE):
        assert watch_orders() == 1
    assert counter.tenpay.orders[number]["trade_state"] == "CLOSED"
    assert counter.order(number, at=NOON + 32 * MINUTE)["status"] == "closed"


def test_an_order_the_provider_never_heard_of_has_failed(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    counter.tenpay.fail_next.append("503")
    with clock.at(NOON):
        place_orders()
    with clock.at(NOON + 32 * MINUTE):
        assert (place_orders(), watch_orders()) == (0, 1)
    assert counter.order(number, at=NOON + 32 * MINUTE)["status"] == "failed"


def test_asked_again_it_is_the_same_order_until_more_is_due(counter: Counter) -> None:
    charge = counter.owes(1)
    first = counter.orders(charge_id=charge)
    assert counter.orders(charge_id=charge) == first
    with clock.at(NOON):
        place_orders()
    late = NOON + 27 * MINUTE
    second = counter.orders(at=late, charge_id=charge)
    assert second != first
    with clock.at(late):
        place_orders()
        assert watch_orders() == 1
    states = [counter.tenpay.orders[number]["trade_state"] for number in (first, second)]
    assert states == ["CLOSED", "NOTPAY"]


def test_a_balance_is_filled_through_wechat(counter: Counter) -> None:
    asked = counter.post("payment-orders", {"amount_fen": 5000}, "ana", NOON)
    number = asked.get_json()["out_trade_no"]
    assert (asked.status_code, asked.get_json()["source"]) == (201, None)
    with clock.at(NOON):
        place_orders()
    counter.told(counter.tenpay.pays(number))
    counter.told(counter.tenpay.orders[number])
    assert counter.get("balance", "ana").get_json()["balance_fen"] == 5000
    assert counter.balances() == {"101201": 5000, "2203": -5000}


def test_inside_wechat_the_app_gets_its_call(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1), openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
    with clock.at(NOON):
        place_orders()
    call = counter.order(number)["invocation"]
    assert call["package"].startswith("prepay_id=wx")
    assert (call["appId"], call["signType"], bool(call["paySign"])) == (APPID, "RSA", True)


def test_others_see_no_order_of_ana(counter: Counter) -> None:
    number = counter.orders(charge_id=counter.owes(1))
    assert counter.get(f"payment-orders/{number}", "bo").status_code == 404
    assert counter.get("payment-orders", "bo").get_json() == []
    seen = [row["out_trade_no"] for row in counter.get("payment-orders", "olga").get_json()]
    assert seen == [number]


def test_without_a_merchant_there_is_no_such_way(counter: Counter, app: Flask) -> None:
    charge = counter.owes(1)
    app.config["SETTINGS"] = replace(settings(), wechat=None)
    answer = counter.post("payments", {"method": "wechat", "charge_id": charge}, "ana", NOON)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-set-up")
    assert counter.told({}).status_code == 422
    with clock.at(NOON):
        assert place_orders() == 0


def test_cash_and_wechat_at_once_take_it_once(counter: Counter, app: Flask) -> None:
    charge = counter.owes(1)
    number = counter.orders(charge_id=charge)
    with clock.at(NOON):
        place_orders()
        counter.community.as_person("olga")
    paid = counter.tenpay.pays(number)
    together = Barrier(2)

    def cash() -> int:
        together.wait()
        body = {"charge_id": charge, "method": "cash"}
        return counter.post("payments", body, "olga", NOON).status_code

    def wechat() -> int:
        together.wait()
        return counter.told(paid).status_code

    with clock.at(NOON), ThreadPoolExecutor(2) as pool:
        answers = [future.result() for future in [pool.submit(cash), pool.submit(wechat)]]
    first = answers[0] == 201
    assert answers == [201 if first else 409, 200]
    assert counter.payments() == [("cash" if first else "wechat", 800)]
    assert counter.order(number)["status"] == ("refunding" if first else "paid")
    assert counter.balances().get("224101", 0) == (-800 if first else 0)


def test_the_platform_may_sign_by_a_certificate(counter: Counter, app: Flask) -> None:
    issued = datetime(2026, 1, 1, tzinfo=UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tenpay.com Root CA")])
    certificate = (
        x509.CertificateBuilder(name, name, PLATFORM.public_key(), int(KEY_HEX, 16))
        .not_valid_before(issued)
        .not_valid_after(issued.replace(year=2031))
        .sign(PLATFORM, SHA256())
    )
    pem = certificate.public_bytes(Encoding.PEM).decode()
    merchant = replace(counter.tenpay.merchant, public_key=pem, public_key_id="")
    app.config["SETTINGS"] = replace(settings(), wechat=merchant)
    number = counter.orders(charge_id=counter.owes(1))
    counter.tenpay.key_id = KEY_HEX
    with clock.at(NOON):
        assert place_orders() == 1
    paid = counter.tenpay.pays(number)
    assert counter.told(paid).get_json()["code"] == "unknown-key"
    body = notification("TRANSACTION.SUCCESS", {"mchid": MCHID, "appid": APPID} | paid)
    by_certificate = signed(body, NOON) | {"Wechatpay-Serial": KEY_HEX}
    assert counter.told_raw(body, by_certificate).status_code == 200


def test_no_secret_is_in_what_we_might_log(counter: Counter) -> None:
    said = repr(settings().wechat)
    assert KEY_ID in said
    for secret in (settings().wechat.apiv3_key, private_pem(STRANGER)[:40], "BEGIN"):  # type: ignore[union-attr]
        assert secret not in said
