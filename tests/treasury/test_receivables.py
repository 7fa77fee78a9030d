"""How old what is unpaid is, and giving up what nobody will pay."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from core import clock
from core.db import atomic
from tests.cast import NOON
from tests.ledger.till import ask, settle_all
from tests.treasury.office import Office
from treasury import write_offs
from workers.tasks import write_off_by_rule

RULE = {
    "valid_from": "2026-01-01",
    "older_than_days": 90,
    "at_most_fen": 1000,
    "decided_by": "2026年第一次业主大会",
}


def ago(days: int) -> datetime:
    """That many days before."""
    return NOON - timedelta(days=days)


@pytest.fixture
def old(office: Office) -> Office:
    """Ana owes fees on both sides of every border; nobody known and Bo owe one each."""
    days = (0, 30, 31, 60, 61, 90, 91, 180, 181)
    for number, age in enumerate(days, start=1):
        office.charged(number, 10**3 + age, occurred_at=ago(age))
    bo = office.community.households["bo"]
    office.charged(20, 700, occurred_at=ago(100), household_id=bo)
    office.charged(21, 50, occurred_at=ago(200), household_id=None)
    return office


def test_by_age_and_party_and_as_the_books_say(old: Office) -> None:
    ana, bo = (f"household:{old.community.households[name]}" for name in ("ana", "bo"))
    old.did("olga", "payments", {"charge_id": 3, "method": "cash"})
    old.did("olga", "credits", {"charge_id": 4, "amount_fen": 60, "reason": "减免"})
    old.did("olga", "payments", {"charge_id": 5, "method": "cash"})
    old.did("olga", "refunds", {"charge_id": 5, "amount_fen": 61, "method": "cash", "reason": "退"})
    settle_all()
    said = old.get("ava", "ledger/receivables", by="party").get_json()
    assert said["total"] == {
        "receivables": 9,
        "upto_30_fen": 2030,
        "upto_60_fen": 1000,
        "upto_90_fen": 1090,
        "upto_180_fen": 1091 + 1180 + 700,
        "older_fen": 1181 + 50,
        "total_fen": 8322,
    }
    assert (said["books_fen"], said["difference_fen"]) == (8322, 0)
    assert said["books_fen"] == old.balances("1121")["1121"]
    assert [(row["party"], row["total_fen"]) for row in said["parties"]] == [
        (ana, 7572),
        (bo, 700),
        (None, 50),
    ]
    columns = [name for name in said["total"] if name != "party"]
    for column in columns:
        assert sum(row[column] for row in said["parties"]) == said["total"][column], column


def test_as_of_an_earlier_day(old: Office) -> None:
    """Before the payments of today, and without the fees that came later."""
    old.did("olga", "payments", {"charge_id": 8, "method": "cash"})
    settle_all()
    as_of = ago(90).date().isoformat()
    said = old.get("fan", "ledger/receivables", as_of=as_of).get_json()
    assert said["total"]["total_fen"] == 1090 + 1091 + 1180 + 1181 + 700 + 50
    assert said["total"]["upto_30_fen"] == 1090 + 1091 + 700
    assert (said["parties"], said["difference_fen"]) == ([], 0)


def test_what_is_not_settled_is_the_difference(old: Office) -> None:
    said = old.get("fan", "ledger/receivables").get_json()
    assert (said["books_fen"], said["difference_fen"]) == (0, said["total"]["total_fen"])
    assert old.get("fan", "ledger/receivables", by="age").status_code == 422
    assert old.get("ana", "ledger/receivables").status_code == 403


def sweep(limit: int = 100) -> int:
    """What the task does at NOON."""
    return atomic(write_offs.sweep, NOON, NOON.date(), limit)


def test_a_rule_writes_off_what_is_old_and_small(old: Office) -> None:
    assert sweep() == 0, "without a rule nothing is given up"
    old.did("fan", "write-off-rules", RULE)
    before = old.balances("1121")["1121"]
    assert sweep() == 2
    assert sweep() == 0
    assert old.balances("1121")["1121"] == before - 750
    listed = old.get("ava", "write-offs").get_json()
    assert sorted((row["source_id"], row["amount_fen"], row["status"]) for row in listed) == [
        (20, 700, "approved"),
        (21, 50, "approved"),
    ]
    assert {row["rule_id"] for row in listed} == {1}
    raised = old.get("ava", "credits").get_json()
    assert {row["write_off_id"] for row in raised} == {row["id"] for row in listed}
    assert all(row["raised_by"] is None and "超过90天" in row["reason"] for row in raised)


def test_the_later_rule_counts_from_its_day_on(old: Office) -> None:
    old.did("fan", "write-off-rules", RULE | {"valid_from": "2026-11-24"})
    assert sweep() == 0
    old.did("fan", "write-off-rules", RULE | {"at_most_fen": 0, "valid_from": "2026-11-25"})
    tomorrow = NOON + timedelta(days=1)
    assert atomic(write_offs.sweep, tomorrow, tomorrow.date(), 1) == 1
    later = NOON + timedelta(days=2)
    assert atomic(write_offs.sweep, later, later.date(), 1) == 0
    assert old.refused("fan", "write-off-rules", RULE | {"older_than_days": 29})[0] == 422
    assert "only adds" in old.denied("UPDATE write_off_rule SET at_most_fen = 100000")


def test_every_books_share_is_undone_by_the_fees_own_rule(office: Office) -> None:
    bo = office.community.households["bo"]
    office.charged(1, 801, occurred_at=ago(100), owner_household_id=bo)
    office.did("fan", "write-off-rules", RULE)
    assert office.balances("220901")["220901"] != 0
    assert sweep() == 1
    assert office.balances() == {}


def test_sweeps_at_once_share_what_is_due(office: Office) -> None:
    for number in range(1, 21):
        office.charged(number, 100 + number, occurred_at=ago(100))
    office.did("fan", "write-off-rules", RULE)
    app = office.community.client.application

    def sweeper(_: int) -> int:
        with app.app_context():
            return sum(iter(lambda: sweep(3), 0))

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(sweeper, range(4))) == 20
    assert office.balances() == {}


def test_by_hand_it_takes_two(office: Office) -> None:
    charge = office.charged(1)
    wanted = {"charge_id": charge, "reason": "车主已故"}
    draft = office.did("fan", "write-offs", wanted)
    assert office.refused("fay", "write-offs", wanted) == (409, "drafted-before")
    path = f"write-offs/{draft['id']}"
    assert office.refused("fan", f"{path}/approve") == (409, "second-person-needed")
    assert office.balances("1121") == {"1121": 800}
    office.did("fay", f"{path}/approve")
    assert office.refused("fay", f"{path}/approve") == (409, "decided-before")
    assert office.balances() == {}
    assert office.refused("fan", "write-offs", wanted) == (409, "nothing-due")
    assert office.refused("fay", "write-offs/99/approve") == (404, "not-found")


def test_rejected_or_paid_meanwhile(office: Office) -> None:
    charge = office.charged(1)
    wanted = {"charge_id": charge, "reason": "联系不上"}
    first = office.did("fan", "write-offs", wanted)
    assert office.did("fan", f"write-offs/{first['id']}/reject")["status"] == "rejected"
    second = office.did("fan", "write-offs", wanted)
    office.did("olga", "credits", {"charge_id": charge, "amount_fen": 1, "reason": "减免"})
    path = f"write-offs/{second['id']}/approve"
    assert office.refused("fay", path) == (409, "amount-differs")
    assert office.balances("1121") == {"1121": 799}


def test_who_is_decided_on_is_left_alone_by_the_rule(office: Office) -> None:
    office.charged(1, occurred_at=ago(100))
    office.did("fan", "write-off-rules", RULE)
    office.did("fan", "write-offs", {"charge_id": 1, "reason": "等待法院"})
    assert sweep() == 0


def test_sixteen_approve_one_write_off(office: Office) -> None:
    office.charged(1)
    draft = office.did("fan", "write-offs", {"charge_id": 1, "reason": "联系不上"})
    path = f"write-offs/{draft['id']}/approve"
    assert office.at_once([("fay", path, {}), ("ada", path, {})] * 8) == [200] + [409] * 15
    assert office.balances() == {}


def test_the_database_wants_a_second_person_and_the_credit(office: Office) -> None:
    office.charged(1)
    office.did("fan", "write-offs", {"charge_id": 1, "reason": "联系不上"})
    approve = "UPDATE write_off SET status = 'approved', decided_at = now(), decided_by = {}"
    assert "second_person" in office.denied(approve.format("drafted_by"))
    assert "comes with a credit of 800 fen" in office.denied(approve.format("drafted_by + 1"))
    assert "does not change like this" in office.denied("UPDATE write_off SET amount_fen = 1")
    born = """
        INSERT INTO write_off (source, source_id, amount_fen, reason, status, drafted_by,
            drafted_at, decided_by, decided_at)
        VALUES ('booking', 1, 800, 'x', 'approved', 1, now(), 2, now())
    """
    assert "begins as a draft" in office.denied(born)


def test_the_task_does_it_in_the_communitys_day(office: Office) -> None:
    office.charged(1, occurred_at=ago(100))
    office.did("fan", "write-off-rules", RULE | {"valid_from": "2026-11-24"})
    with clock.at(datetime(2026, 11, 23, 15, 59, tzinfo=UTC)):
        assert write_off_by_rule() == 0
    with clock.at(datetime(2026, 11, 23, 16, 0, tzinfo=UTC)):
        assert write_off_by_rule() == 1
    assert ask(office.session, "SELECT count(*) FROM write_off") == [(1,)]
