"""A month with money through a channel does not close before its bill came and was explained."""

from channels.sweeps import place_orders
from core import clock
from ledger.periods import blockers, month_of
from simulation.papers import Deal, wechat
from tests.cast import NOON
from tests.channels.counter import Counter
from tests.channels.test_reconciliation import bring, paid, tasks
from tests.ledger.till import seal_all, settle_all

__all__ = ["paid"]
DECEMBER = NOON.replace(month=12)


def in_the_way(counter: Counter) -> dict[str, int]:
    """What keeps November from closing."""
    with clock.at(DECEMBER):
        settle_all()
        seal_all()
        found = blockers(counter.session, month_of("2026-11"))
    counter.session.rollback()
    return {blocker.reason: blocker.count for blocker in found}


def test_a_day_without_its_bill_and_open_differences_are_in_the_way(
    counter: Counter, paid: list[str]
) -> None:
    first, second, third = paid
    assert in_the_way(counter) == {"bill-missing": 1}
    bring(counter, wechat(Deal(first, 800), Deal(second, 901), Deal(third, 1000)))
    assert in_the_way(counter) == {"unmatched": 1}
    task = counter.get("reconciliation/tasks?status=open", "fan").get_json()[0]
    path = f"reconciliation/tasks/{task['id']}/resolve"
    assert counter.post(path, {"reason": "多收一分，已退"}, "fan", NOON).status_code == 200
    assert tasks(counter) == []
    assert in_the_way(counter) == {}


def test_an_order_that_nobody_paid_needs_no_bill(counter: Counter) -> None:
    counter.orders(charge_id=counter.owes(1))
    with clock.at(NOON):
        place_orders()
    assert in_the_way(counter) == {}
