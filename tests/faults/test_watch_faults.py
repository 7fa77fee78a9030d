"""The watch by real Celery workers, killed and doubled: each thing is done, and done once."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import redis
from celery import Celery
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import atomic
from parking import lots
from parking.plates import Plate
from sharing import granting
from tests.cast import Community, found_community
from tests.faults.plant import Plant
from tests.processes import until
from tests.sharing.filling import book

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NO_SHOWS = 8

BLOCKED = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
NOTICES = "SELECT count(*) FROM notice WHERE kind = '{}'"
WAITING = "SELECT count(*) FROM booking WHERE status = 'confirmed' AND kind = 'guest'"

COMES_IN = """
WITH guest AS (
    UPDATE booking SET status = 'checked_in' WHERE id = :booking RETURNING *
), inside AS (
    INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at, space_id,
                      booking_id, tariff_id, household_id)
    SELECT lot_id, plate, plate_color, 'open', 'booking', starts_at, space_id, id, tariff_id,
        household_id
    FROM guest RETURNING id
)
UPDATE space_claim SET stay_id = inside.id FROM inside WHERE space_claim.booking_id = :booking
"""


@pytest.fixture
def community(app: Flask) -> Community:
    """The cast and two spaces more than nobody comes to; by the clock that workers go by."""
    community = found_community(app, spaces=NO_SHOWS + 2)
    atomic(_an_evening, community)
    return community


def _an_evening(session: Session, community: Community) -> None:
    """Ana's visitors do not come, and she does not leave the space that Bo comes home to."""
    now = datetime.now(UTC)
    ana, bo = community.households["ana"], community.households["bo"]
    for n in range(1, NO_SHOWS + 1):
        since, to = now - 2 * HOUR, now + 2 * HOUR
        book(session, f"B2-{n:03d}", since, to, f"川V{n:05d}", household=ana)
    session.execute(text("UPDATE booking SET total_fen = 600"))
    lots.add_spaces(session, lots.lot_by_code(session, "B2"), ["P-001"], {"P-001": bo})
    offered = "UPDATE space SET offered = tstzmultirange(tstzrange(:a, :b)) WHERE code = 'P-001'"
    since, to = now - 2 * HOUR, now - MINUTE
    session.execute(text(offered), {"a": since, "b": to})
    guest = book(session, "P-001", since, to, "川A12345", household=ana)
    session.execute(text(COMES_IN), {"booking": guest})
    granting.grant_permit(
        session,
        lot="B2",
        kind="resident",
        plates=[Plate("川B22222", "blue")],
        starts_at=now - 99 * HOUR,
        ends_at=now + 99 * HOUR,
        space="P-001",
    )


def tick(plant: Plant, times: int = 1) -> None:
    """What beat says."""
    with Celery(broker=plant.redis_url) as beat:
        for _ in range(times):
            beat.send_task("sharing.watch", queue="sweeps")


def assert_done_once(plant: Plant) -> None:
    assert plant.count("SELECT count(*) FROM booking WHERE status = 'no_show'") == NO_SHOWS
    assert plant.count("SELECT count(*) FROM charge WHERE source = 'booking'") == NO_SHOWS
    assert plant.count("SELECT sum(amount_fen) FROM charge") == NO_SHOWS * 300
    assert plant.count(NOTICES.format("booking-no-show")) == NO_SHOWS
    assert plant.count("SELECT count(*) FROM booking WHERE kind = 'replacement'") == 1
    assert plant.count(NOTICES.format("space-replaced")) == 1
    assert plant.count(NOTICES.format("overstay")) == 1
    assert plant.count("SELECT count(*) FROM exception_case") == 0
    live = "SELECT count(*) FROM space_claim WHERE live"
    assert plant.count(live) == 2
    assert plant.count(f"{live} AND stay_id IS NOT NULL AND upper(during) > now()") == 1


def test_workers_killed_in_the_middle_of_a_sweep_lose_and_double_nothing(
    community: Community, plant: Plant
) -> None:
    """Each is stopped with its booking released and the rest unwritten, and killed.

    The first has told nobody yet, the second has; then two sweep at once, again and again.
    """
    with plant.connect() as hand:
        for table in ("notice", "charge"):
            with plant.worker(table) as doomed, hand.transaction():
                hand.execute(f"LOCK TABLE {table} IN SHARE MODE")
                tick(plant)
                until(lambda: plant.count(BLOCKED) > 0, f"the worker writes a {table}")
                doomed.kill()
            until(lambda: plant.count(BLOCKED) == 0, "the dead worker's transaction is gone")
    assert plant.count(WAITING) == NO_SHOWS
    assert plant.count(NOTICES.format("overstay")) == 1
    with redis.Redis.from_url(plant.redis_url) as memory, ExitStack() as stack:
        memory.flushall()
        for name in ("w1", "w2"):
            stack.enter_context(plant.worker(name))
        tick(plant, 8)
        until(lambda: plant.count(WAITING) == 0, "nobody is waited for any more")
        until(
            lambda: not memory.llen("sweeps") and not memory.hlen("unacked"), "every tick is swept"
        )
    assert_done_once(plant)
