"""Settlement in a storm: workers killed, Redis emptied, PostgreSQL crashed, two beats all along.

The tests' PostgreSQL does not sync. That is safe here: its processes die, the machine does not, so
what they wrote is still in the kernel's cache when crash recovery reads it. A power cut is another
matter, and what `make run`'s durable settings are for.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

import psycopg
import pytest
import redis

from core.db import Session, atomic, db, driver, send
from core.embedded import Postgres
from ledger import proof
from ledger.charges import NewCharge, raised
from tests.cast import NOON, Community
from tests.faults.plant import Plant
from tests.processes import Running, until

CHARGES, WAVE = 4_000, 500
KILLED, EMPTIED, CRASHED = "workers killed", "Redis emptied", "PostgreSQL crashed"
STORM = (KILLED, EMPTIED, KILLED, CRASHED, KILLED, EMPTIED, KILLED)
BLOCKED = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
)
WAITING = "SELECT count(*) FROM charge WHERE settled_at IS NULL"


def raise_wave(session: Session, number: int) -> None:
    """WAVE more fees, each of another stay."""
    fees = [
        NewCharge(
            kind="fee",
            source="visit",
            source_id=visit,
            income="parking",
            household_id=None,
            owner_household_id=None,
            amount_fen=100 + visit % 900,
            occurred_at=NOON + timedelta(seconds=visit),
            lines=[],
        )
        for visit in range(number * WAVE, (number + 1) * WAVE)
    ]
    send(driver(session), [raised(fee) for fee in fees])


@contextmanager
def in_the_middle(plant: Plant) -> Iterator[None]:
    """While a worker has claimed rows and cannot write their postings."""
    with suppress(psycopg.OperationalError), plant.connect() as hand, hand.transaction():
        hand.execute("LOCK TABLE posting IN SHARE MODE")
        until(lambda: plant.count(BLOCKED) > 0, "a worker is writing postings")
        yield


def kill(workers: list[Running], plant: Plant) -> None:
    """Power off for every worker, in the middle of a batch."""
    with in_the_middle(plant):
        for worker in workers:
            worker.kill()
    until(lambda: plant.count(BLOCKED) == 0, "the dead workers' transactions are gone")


def crash(server: Postgres, plant: Plant) -> None:
    """kill -9 for the postmaster in the middle of a batch; then it recovers."""
    assert server.process is not None
    with in_the_middle(plant):
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    server.launch()
    until(lambda: answers(plant), "PostgreSQL has recovered")
    db.session.remove()
    db.engine.dispose()


def answers(plant: Plant) -> bool:
    with suppress(psycopg.OperationalError):
        return plant.count("SELECT 1") == 1
    return False


@pytest.mark.parametrize("time", ["once", "twice", "three times in a row"])
def test_nothing_is_lost_and_nothing_settled_twice(
    community: Community, plant: Plant, postgres: Postgres, time: str
) -> None:
    with ExitStack() as stack, redis.Redis.from_url(plant.redis_url) as memory:
        for name in ("b1", "b2"):
            stack.enter_context(plant.beat(name))

        def pair(number: int) -> list[Running]:
            return [stack.enter_context(plant.worker(f"w{number}{side}")) for side in "ab"]

        workers = pair(0)
        for number, fault in enumerate(STORM):
            atomic(raise_wave, number)
            if fault == KILLED:
                kill(workers, plant)
                workers = pair(number + 1)
            elif fault == EMPTIED:
                until(lambda: plant.count(WAITING) < WAVE, "settlement is at it")
                memory.flushall()
            else:
                crash(postgres, plant)
        atomic(raise_wave, len(STORM))
        until(lambda: plant.count(WAITING) == 0, "everything is settled")
    assert_settled_exactly_once(plant)


def assert_settled_exactly_once(plant: Plant) -> None:
    assert plant.count("SELECT count(*) FROM charge WHERE settled_at IS NOT NULL") == CHARGES
    for book in ("owners", "fund", "provider"):
        entries = f"FROM journal_entry WHERE book = '{book}'"
        assert plant.count(f"SELECT count(*) {entries}") == CHARGES
        assert plant.count(f"SELECT count(DISTINCT source_id) {entries}") == CHARGES
    assert plant.count("SELECT sum(amount_fen)::int FROM posting") == 0
    owed = "SELECT sum(amount_fen)::int FROM posting WHERE account = '1121'"
    assert plant.count(owed) == plant.count("SELECT sum(amount_fen)::int FROM charge")
    verdict = atomic(proof.verify)
    assert verdict.ok, verdict
