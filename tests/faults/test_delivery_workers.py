"""Notices brought by real Celery workers: killed in the middle, forgotten by Redis."""

from datetime import UTC, datetime

import redis

from core.sealing import seal
from identity.channels import CONSOLE, INBOX
from identity.notices import queued
from tests.cast import Community
from tests.faults.plant import Plant
from tests.identity.post import CODE, PHONE, READY, TEXT, write
from tests.processes import until

KEY_OF_WORKERS = "k" * 32
"""As tests.processes starts them."""

LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
"""Workers go by the clock of the machine."""

NOTICES = 30
UNSENT = "SELECT count(*) FROM delivery WHERE sent_at IS NULL"
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock'
"""

LIVING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state = 'active' AND pid <> pg_backend_pid()
"""

# Whoever marks a delivery as sent waits for the test's hand.
STOPPED = """
CREATE FUNCTION wait_for_the_hand() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(4711);
    RETURN NEW;
END $$;
CREATE TRIGGER wait_for_the_hand BEFORE UPDATE OF sent_at ON delivery
    FOR EACH ROW EXECUTE FUNCTION wait_for_the_hand();
"""
HOLD, LET_GO = "SELECT pg_advisory_lock(4711)", "SELECT pg_advisory_unlock(4711)"
LEASES_RUN_OUT = "UPDATE delivery SET next_try_at = now() WHERE sent_at IS NULL"


def tell(community: Community, *channels: str, first: int = 0, notices: int = NOTICES) -> None:
    """Queue notices about as many parcels."""
    for number in range(first, first + notices):
        write(
            queued(
                community.households["ana"],
                READY,
                TEXT,
                phone=PHONE,
                secret=seal(KEY_OF_WORKERS, CODE),
                about="parcel",
                about_id=number,
                at=LONG_AGO,
                due_at=LONG_AGO,
                channels=channels,
            )
        )


def all_sent(plant: Plant) -> bool:
    return plant.count(UNSENT) == 0


def said(plant: Plant) -> list[str]:
    """The lines of the console channel in the logs of all workers."""
    logs = [log.read_text("utf-8") for log in plant.folder.glob("w*.log")]
    return [line for log in logs for line in log.splitlines() if '"event": "notice"' in line]


def test_beat_and_workers_bring_each_notice_once_and_log_no_code(
    community: Community, plant: Plant
) -> None:
    tell(community, INBOX, CONSOLE)
    with plant.worker("w1"), plant.worker("w2"), plant.beat("b1"), plant.beat("b2"):
        until(lambda: all_sent(plant), "everything sent")
    lines = said(plant)
    assert len(lines) == NOTICES
    assert plant.count("SELECT max(attempts) FROM delivery") == 1
    assert [line for line in lines if "******" not in line or "138****6620" not in line] == []
    logs = "".join(log.read_text("utf-8") for log in plant.folder.glob("*.log"))
    assert CODE not in logs
    assert PHONE not in logs


def test_redis_forgets_everything_and_notices_arrive(community: Community, plant: Plant) -> None:
    tell(community, CONSOLE)
    with plant.worker("w1"), plant.beat("b1"), redis.Redis.from_url(plant.redis_url) as memory:
        until(lambda: plant.count(UNSENT) < NOTICES, "the first is sent")
        memory.flushall()
        tell(community, CONSOLE, INBOX, first=NOTICES)
        until(lambda: all_sent(plant), "everything sent")
    assert len(said(plant)) == 2 * NOTICES


def test_a_worker_killed_after_it_sent_sends_again_and_loses_nothing(
    community: Community, plant: Plant
) -> None:
    """The channel has the message, the row does not say so: once more is better than never."""
    tell(community, CONSOLE, notices=2)
    with plant.beat("b1"), plant.connect() as hand:
        hand.execute(STOPPED)
        hand.execute(HOLD)
        with plant.worker("w1") as doomed:
            until(lambda: plant.count(WAITING) > 0, "a message is out and not yet marked")
            doomed.kill()
        hand.execute(LET_GO)
        until(lambda: plant.count(LIVING) == 0, "the dead worker's transactions are gone")
        assert (plant.count(UNSENT), 1 <= len(said(plant)) <= 2) == (2, True)
        hand.execute(LEASES_RUN_OUT)
        with plant.worker("w2"):
            until(lambda: all_sent(plant), "everything sent")
    told = [line.split('"delivery": ')[1].split(",")[0] for line in said(plant)]
    assert set(told) == {"1", "2"}
    assert 2 < len(told) <= plant.count("SELECT sum(attempts) FROM delivery")


def test_a_worker_killed_while_it_shows_notices_leaves_them_to_be_shown_once(
    community: Community, plant: Plant
) -> None:
    tell(community, INBOX)
    with plant.beat("b1"), plant.connect() as hand:
        hand.execute(STOPPED)
        hand.execute(HOLD)
        with plant.worker("w1") as doomed:
            until(lambda: plant.count(WAITING) > 0, "notices are being shown")
            doomed.kill()
        hand.execute(LET_GO)
        until(lambda: plant.count(LIVING) == 0, "the dead worker's transactions are gone")
        assert plant.count("SELECT count(*) FROM notice WHERE shown_at IS NOT NULL") == 0
        with plant.worker("w2"):
            until(lambda: all_sent(plant), "everything shown")
    assert plant.count("SELECT count(*) FROM notice WHERE shown_at IS NOT NULL") == NOTICES
    assert plant.count("SELECT max(attempts) FROM delivery") == 1
