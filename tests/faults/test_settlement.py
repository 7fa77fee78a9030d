"""Settlement by real Celery workers and beats, killed and doubled: nothing lost, nothing twice."""

from contextlib import ExitStack
from datetime import timedelta

import pytest
import redis

from core.db import Session, atomic, driver, send
from ledger import proof
from ledger.charges import NewCharge, raised
from ledger.payments import NewPayment, received
from tests.cast import NOON, Community
from tests.faults.plant import Plant
from tests.processes import until

CHARGES = 1200


def charge_and_pay(session: Session, olga: int) -> None:
    """CHARGES stays that each owe three digits of fen; every second one was paid in cash."""
    for number in range(1, CHARGES + 1):
        charge_one_more(session, number)
        if number % 2:
            paid = NewPayment(
                source="visit",
                source_id=number,
                method="cash",
                amount_fen=100 + number % 900,
                household_id=None,
                received_by=olga,
                occurred_at=NOON + timedelta(seconds=number),
            )
            send(driver(session), [received(paid)])


def charge_one_more(session: Session, number: int) -> None:
    """A fee like the others."""
    fee = NewCharge(
        kind="fee",
        source="visit",
        source_id=number,
        income="parking",
        household_id=None,
        owner_household_id=None,
        amount_fen=100 + number % 900,
        occurred_at=NOON + timedelta(seconds=number),
        lines=[],
    )
    send(driver(session), [raised(fee)])


def assert_settled_exactly_once(plant: Plant) -> None:
    rows = CHARGES + CHARGES // 2
    owners = "FROM journal_entry WHERE book = 'owners'"
    assert plant.count(f"SELECT count(*) {owners}") == rows
    assert plant.count("SELECT count(*) FROM journal_entry") == rows + 2 * CHARGES
    assert plant.count("SELECT count(DISTINCT (source, source_id)) FROM journal_entry") == rows
    charged = plant.count("SELECT sum(amount_fen) FROM charge")
    booked = plant.count(
        "SELECT sum(p.amount_fen) FROM posting p JOIN journal_entry e ON e.id = p.entry_id"
        " WHERE e.source = 'charge' AND e.book = 'owners' AND p.amount_fen > 0"
    )
    assert booked == charged
    verdict = atomic(proof.verify)
    assert verdict.ok, verdict


@pytest.fixture
def owed(community: Community, plant: Plant) -> Plant:
    atomic(charge_and_pay, plant.count("SELECT id FROM person WHERE username = 'olga'"))
    return plant


def test_beat_and_worker_settle_what_is_due(owed: Plant) -> None:
    with owed.worker("w1"), owed.beat("b1"):
        until(owed.all_settled, "everything settled")
    assert_settled_exactly_once(owed)


def test_two_workers_and_two_beats_share_the_work(owed: Plant) -> None:
    with ExitStack() as stack:
        for name in ("1", "2"):
            stack.enter_context(owed.worker(f"w{name}"))
            stack.enter_context(owed.beat(f"b{name}"))
        until(owed.all_settled, "everything settled")
    assert_settled_exactly_once(owed)


def test_redis_forgets_everything_and_settlement_goes_on(owed: Plant) -> None:
    with owed.worker("w1"), owed.beat("b1"), redis.Redis.from_url(owed.redis_url) as memory:
        until(lambda: owed.count("SELECT count(*) FROM journal_entry") > 0, "the first batch")
        memory.flushall()
        atomic(charge_one_more, CHARGES + 1)
        until(owed.all_settled, "everything settled")
    assert owed.count("SELECT count(*) FROM receivable") == CHARGES + 1


def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(owed: Plant) -> None:
    """The worker is stopped with its rows claimed and its entries unwritten, then killed."""
    blocked = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with owed.beat("b1"), owed.connect() as hand:
        for name in ("w1", "w2"):
            with owed.worker(name) as doomed, hand.transaction():
                hand.execute("LOCK TABLE posting IN SHARE MODE")
                until(lambda: owed.count(blocked) > 0, "the worker is writing postings")
                doomed.kill()
            until(lambda: owed.count(blocked) == 0, "the dead worker's transaction is gone")
        assert owed.count("SELECT count(*) FROM charge WHERE settled_at IS NULL") > 0
        with owed.worker("w3"):
            until(owed.all_settled, "everything settled")
    assert_settled_exactly_once(owed)
