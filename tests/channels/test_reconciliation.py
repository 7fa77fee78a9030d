"""Bills beside our rows: what matches, what differs, who explains it, and a clearing of zero."""

import base64
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from channels.sweeps import place_orders, reconcile, send_refunds, watch_orders
from core import clock
from simulation.papers import Deal, alipay, bank, wechat
from tests.cast import NOON
from tests.channels.counter import Counter
from tests.ledger.till import ask

DAY = timedelta(days=1)
THE_DAY = "2026-11-23"
TENPAY = "财付通支付科技有限公司"


@pytest.fixture
def paid(counter: Counter) -> list[str]:
    """Three orders of 8, 9 and 10 yuan, all paid; their numbers."""
    numbers = []
    for booking, amount_fen in ((1, 800), (2, 900), (3, 1000)):
        numbers.append(counter.orders(charge_id=counter.owes(booking, amount_fen)))
    with clock.at(NOON):
        place_orders()
    for number in numbers:
        assert counter.told(counter.tenpay.pays(number)).status_code == 200
    return numbers


def bring(counter: Counter, text: str, kind: str = "wechat", **more: Any) -> dict[str, Any]:
    """Fan imports a bill."""
    answer = send(counter, text, kind, **more)
    assert answer.status_code == 201, answer.get_json()
    said: dict[str, Any] = answer.get_json()
    return said


def send(counter: Counter, text: str, kind: str = "wechat", **more: Any) -> TestResponse:
    """Fan tries to."""
    body = {"kind": kind, "content": text, "filename": f"{THE_DAY}.csv"} | more
    return counter.post("reconciliation/imports", body, "fan", NOON + DAY)


def tasks(counter: Counter, query: str = "?status=open") -> list[tuple[Any, ...]]:
    """(kind, reference, ours, theirs) of the tasks."""
    found = counter.get(f"reconciliation/tasks{query}", "fan").get_json()
    return [(t["kind"], t["reference"], t["ours_fen"], t["theirs_fen"]) for t in found]


def test_all_matches_and_clearing_comes_to_zero(counter: Counter, paid: list[str]) -> None:
    """Three payments, a refund of a fourth that cash had overtaken, fees, a transfer."""
    charge = counter.owes(4, 500)
    twice = counter.orders(charge_id=charge)
    with clock.at(NOON):
        place_orders()
    counter.post("payments", {"charge_id": charge, "method": "cash"}, "olga", NOON)
    counter.told(counter.tenpay.pays(twice))
    counter.tenpay.refund_status = "SUCCESS"
    with clock.at(NOON):
        send_refunds()
    first, second, third = paid
    bill = wechat(
        Deal(first, 800, 5),
        Deal(second, 900, 5),
        Deal(third, 1000, 6),
        Deal(twice, 500, 3),
        Deal(twice, 500, -3, refund=f"r{twice}"),
    )
    said = bring(counter, base64.b64encode(bill.encode("gbk")).decode())
    assert (said["lines"], said["new_lines"], said["open_differences"]) == (5, 5, 0)
    statement = bank(("2026-11-24", "26.84", "", "B1", TENPAY))
    assert bring(counter, statement, "bank")["open_differences"] == 0
    books = counter.balances()
    assert "101201" not in books
    assert (books["1002"], books["520101"], books["1001"]) == (2684, 16, 500)
    (day, bank_day) = counter.get(f"reconciliation?from={THE_DAY}&to=2026-11-24", "ava").get_json()
    assert (day["our_payments"], day["our_payments_fen"]) == (4, 3200)
    assert (day["their_payments"], day["their_payments_fen"]) == (4, 3200)
    assert (day["our_refunds_fen"], day["their_refunds_fen"]) == (500, 500)
    assert (day["fees_fen"], day["matched"], day["differences"]) == (16, 5, 0)
    assert (bank_day["channel"], bank_day["their_payments_fen"]) == ("bank", 2684)


def test_planted_differences_are_found_each_by_its_name(counter: Counter, paid: list[str]) -> None:
    first, second, third = paid
    said = bring(
        counter, wechat(Deal(first, 800, 5), Deal(second, 901, 5), Deal("hl0stranger", 700, 4))
    )
    assert said["open_differences"] == 3
    assert sorted(tasks(counter)) == [
        ("amount_differs", second, 900, 901),
        ("missing_here", "hl0stranger", None, 700),
        ("missing_there", third, 1000, None),
    ]
    task = counter.get("reconciliation/tasks?status=open", "fan").get_json()[0]
    path = f"reconciliation/tasks/{task['id']}/resolve"
    done = counter.post(path, {"reason": "商户平台人工收款"}, "fan", NOON + DAY)
    assert (done.status_code, done.get_json()["status"]) == (200, "resolved")
    again = counter.post(path, {"reason": "再说一次"}, "fan", NOON + DAY)
    assert (again.status_code, again.get_json()["code"]) == (409, "already-resolved")
    with clock.at(NOON + DAY):
        assert reconcile() == 2
        assert reconcile() == 2
    assert len(tasks(counter, "")) == 3
    (day,) = counter.get(f"reconciliation?from={THE_DAY}&to={THE_DAY}", "fan").get_json()
    assert (day["matched"], day["differences"], day["open_differences"]) == (1, 3, 2)


def test_the_same_file_again_is_nothing_new(counter: Counter, paid: list[str]) -> None:
    bill = wechat(
        *(Deal(number, fen, 5) for number, fen in zip(paid, (800, 900, 1000), strict=True))
    )
    assert bring(counter, bill)["new_lines"] == 3
    before = counter.balances()
    assert bring(counter, bill)["new_lines"] == 0
    assert bring(counter, "\ufeff" + bill)["new_lines"] == 0
    assert counter.balances() == before
    changed = send(counter, wechat(Deal(paid[0], 801, 5)))
    assert (changed.status_code, changed.get_json()["code"]) == (409, "line-changed")
    assert ask(counter.session, "SELECT count(*) FROM bill_import") == [(3,)]


def test_a_line_in_the_next_days_file_explains_itself(counter: Counter, paid: list[str]) -> None:
    first, second, third = paid
    bring(counter, wechat(Deal(first, 800), Deal(second, 900)))
    assert tasks(counter) == [("missing_there", third, 1000, None)]
    said = bring(counter, wechat(Deal(third, 1000, at="2026-11-24 00:00:01")))
    assert said["open_differences"] == 0
    (task,) = counter.get("reconciliation/tasks", "fan").get_json()
    assert (task["status"], task["resolved_by"], task["reason"]) == ("resolved", None, "后来对上")


def test_a_bill_finds_a_payment_that_nobody_told_us_of(counter: Counter) -> None:
    """Notification lost, and the order closed here though it was paid there."""
    number = counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        place_orders()
    counter.tenpay.pays(number)
    ask_close = "UPDATE payment_order SET status = 'closed' RETURNING id"
    assert len(ask(counter.session, ask_close)) == 1
    bring(counter, wechat(Deal(number, 800, 5)))
    assert tasks(counter) == [("missing_here", number, None, 800)]
    with clock.at(NOON + DAY):
        assert watch_orders() == 1
        assert reconcile() == 0
    assert counter.payments() == [("wechat", 800)]


def test_money_that_never_reached_the_bank_is_asked_for(counter: Counter, paid: list[str]) -> None:
    fens = zip(paid, (800, 900, 1000), strict=True)
    bring(counter, wechat(*(Deal(number, fen, 5) for number, fen in fens)))
    quiet = bank(("2026-11-24", "1.00", "", "B0", "物业公司"))
    assert bring(counter, quiet, "bank")["open_differences"] == 1
    assert tasks(counter) == [("missing_here", "B0", None, 100)]
    later = {"from": "2026-11-25", "to": "2026-11-30"}
    bring(counter, bank(), "bank", **later)
    assert tasks(counter)[0] == ("missing_there", f"wechat:{THE_DAY}", 2685, None)
    late = bank(("2026-12-01", "26.85", "", "B1", TENPAY))
    assert bring(counter, late, "bank")["open_differences"] == 1
    assert "101201" not in counter.balances()


def test_alipay_is_imported_though_nobody_pays_by_it_here(counter: Counter) -> None:
    said = bring(counter, alipay(Deal("a1", 1000, 6)), "alipay")
    assert (said["covers_from"], said["new_lines"], said["open_differences"]) == (THE_DAY, 1, 1)
    assert counter.balances() == {"520101": 6, "101202": -6}


def test_what_is_no_bill_is_refused_by_its_field(counter: Counter) -> None:
    for text, kind in (("a,b\n1,2\n", "wechat"), ("a,b\n1,2\n", "alipay"), ("a,b", "bank")):
        answer = send(counter, text, kind)
        assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["content"])
    empty = send(counter, wechat())
    assert list(empty.get_json()["errors"]) == ["from"]
    half = send(counter, wechat(), **{"from": THE_DAY})
    assert half.status_code == 422
    assert bring(counter, wechat(), **{"from": THE_DAY, "to": THE_DAY})["new_lines"] == 0
    assert ask(counter.session, "SELECT count(*) FROM bill_line") == [(0,)]
    silly = counter.get("reconciliation?from=2026-11-24&to=2026-11-23", "fan")
    assert silly.status_code == 422
