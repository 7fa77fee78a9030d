"""A stay whose fee was made smaller is not charged for it again."""

from datetime import timedelta

from core import clock
from tests.cast import NOON
from tests.ledger.till import ask
from tests.treasury.office import Office

HOUR = timedelta(hours=1)


def test_a_credit_during_the_stay_stands_when_it_goes_on(office: Office) -> None:
    """Bo owes 3 yuan after an hour, is forgiven them all, and stays for another hour."""
    community = office.community
    community.knock("entry", "川Z99999", NOON)
    (stay,) = community.stays("川Z99999")
    with clock.at(NOON + HOUR):
        office.did("olga", "payments", {"stay_id": stay["id"], "method": "cash"})
        (charge,) = ask(office.session, "SELECT id FROM charge")[0]
        some = {"charge_id": charge, "method": "cash", "reason": "道闸故障"}
        office.did("olga", "refunds", some)
    seen = community.knock("exit", "川Z99999", NOON + 2 * HOUR)["decision"]
    assert seen["reason"] == "payment-due"
    assert seen["fee"]["due_fen"] == 200, "the second hour only"
    with clock.at(NOON + 2 * HOUR):
        office.did("olga", "payments", {"stay_id": stay["id"], "method": "cash"})
    assert community.knock("exit", "川Z99999", NOON + 2 * HOUR)["decision"]["action"] == "open"
    (gone,) = community.stays("川Z99999")
    assert (gone["fee"]["total_fen"], gone["paid_fen"], gone["credited_fen"]) == (500, 200, 300)
    with clock.at(NOON + 3 * HOUR):
        assert office.balances("1001", "1121") == {"1001": 200, "1121": 0}


def test_a_credit_after_it_is_explained_to_the_proof(office: Office) -> None:
    community = office.community
    community.knock("entry", "川Z99999", NOON)
    with clock.at(NOON + HOUR):
        (stay,) = community.stays("川Z99999")
        office.did("olga", "payments", {"stay_id": stay["id"], "method": "cash"})
    community.knock("exit", "川Z99999", NOON + HOUR)
    (charge,) = ask(office.session, "SELECT id FROM charge")[0]
    with clock.at(NOON + 2 * HOUR):
        wanted = {"charge_id": charge, "amount_fen": 100, "method": "cash", "reason": "多收"}
        office.did("olga", "refunds", wanted)
        assert office.balances("1001") == {"1001": 200}
