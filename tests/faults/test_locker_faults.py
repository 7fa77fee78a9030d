"""The watch over lockers by real Celery workers, killed and doubled: all is done, and done once."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import redis
from celery import Celery
from sqlalchemy import text
from sqlalchemy.orm import Session

from tests.cast import Community
from tests.faults.plant import Plant
from tests.lockers import hall
from tests.processes import until

PARCELS = 6

BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
OVERDUE = "SELECT count(*) FROM parcel WHERE phase = 'overdue'"


@pytest.fixture
def waiting(community: Community, session: Session) -> None:
    """Parcels that came three days ago and a day, of whom nobody was told; by the real clock."""
    hall.add_cabinet(community)
    hall.prefer(session, "ana", "ok", any_time=True)
    now = datetime.now(UTC)
    for n in range(PARCELS):
        hall.deposit(community, f"W{n}", now - timedelta(minutes=1))
    since = now - timedelta(hours=96)
    session.execute(text("ALTER TABLE parcel_event DISABLE TRIGGER append_only"))
    session.execute(
        text("UPDATE parcel_event SET occurred_at = :at WHERE type = 'parcel.deposited'"),
        {"at": since + timedelta(minutes=1)},
    )
    session.execute(
        text("UPDATE parcel_event SET occurred_at = :at WHERE type = 'door.held'"), {"at": since}
    )
    session.execute(text("ALTER TABLE parcel_event ENABLE TRIGGER append_only"))
    session.execute(
        text("""UPDATE parcel SET reserved_at = :at, recorded_at = :at, due_at = :at,
                deposited_at = CAST(:at AS timestamptz) + interval '1 minute'"""),
        {"at": since},
    )
    session.commit()


def tick(plant: Plant, times: int = 1) -> None:
    """What beat says."""
    with Celery(broker=plant.redis_url) as beat:
        for _ in range(times):
            beat.send_task("lockers.watch", queue="sweeps")


def happened(plant: Plant, type_: str) -> int:
    """How many parcels' chains have that event, and in each it stands once."""
    once = f"SELECT count(*) FROM parcel_event WHERE type = '{type_}'"
    parcels = once.replace("count(*)", "count(DISTINCT parcel_id)")
    assert plant.count(once) == plant.count(parcels)
    return int(plant.count(parcels))


@pytest.mark.usefixtures("waiting")
def test_workers_killed_in_the_middle_of_a_sweep_lose_and_double_nothing(plant: Plant) -> None:
    """One is stopped before it has told anybody and killed; then two sweep at once, often."""
    with plant.connect() as hand, plant.worker("doomed") as doomed:
        with hand.transaction():
            hand.execute("LOCK TABLE notice IN SHARE MODE")
            tick(plant)
            until(lambda: plant.count(BLOCKED) > 0, "the worker tells somebody")
            doomed.kill()
        until(lambda: plant.count(BLOCKED) == 0, "the dead worker's transaction is gone")
    assert plant.count(OVERDUE) == 0
    with redis.Redis.from_url(plant.redis_url) as memory, ExitStack() as stack:
        memory.flushall()
        for name in ("w1", "w2"):
            stack.enter_context(plant.worker(name))
        tick(plant, 8)
        until(lambda: plant.count(OVERDUE) == PARCELS, "every parcel is overdue")
        until(
            lambda: not memory.llen("sweeps") and not memory.hlen("unacked"), "every tick is swept"
        )
    assert happened(plant, "parcel.overdue") == PARCELS
    assert happened(plant, "reclaim.asked") == PARCELS
    told = "SELECT count(*) FROM notice WHERE kind = 'parcel-daily'"
    assert plant.count(told) == PARCELS  # the newest of what was missed, and that once
