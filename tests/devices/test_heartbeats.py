"""Heartbeats: a device lives, its clock is right or it is not."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session
from structlog.contextvars import get_contextvars
from werkzeug.test import TestResponse

from core import clock
from tests.cast import NOON, Community

SECOND = timedelta(seconds=1)
PLATE = "川C33333"


def beat(community: Community, key: str, at: datetime, now: datetime, **data: Any) -> TestResponse:
    body = {
        "event_id": key,
        "type": "device.heartbeat",
        "occurred_at": at.isoformat(),
        "data": data,
    }
    with clock.at(now):
        return community.client.post(
            "/api/v1/device-events", json=body, headers=community.as_device("entry")
        )


def state(session: Session) -> tuple[datetime | None, int | None]:
    row = session.execute(
        text("SELECT last_seen_at, clock_off_seconds FROM device WHERE code = 'entry'")
    ).one()
    session.rollback()
    return row.last_seen_at, row.clock_off_seconds


def test_a_beat_shows_that_a_device_lives(community: Community, session: Session) -> None:
    assert state(session) == (None, None)
    answer = beat(community, "b1", NOON, NOON + SECOND, uptime=9, note="车")
    assert (answer.status_code, answer.get_json()) == (
        200,
        {
            "event_id": "b1",
            "duplicate": False,
            "recorded_at": (NOON + SECOND).isoformat(),
            "decision": None,
        },
    )
    assert state(session) == (NOON + SECOND, None)


def test_the_same_beat_twice_is_one(community: Community, session: Session) -> None:
    first = beat(community, "b1", NOON, NOON, uptime=9).get_json()
    again = beat(community, "b1", NOON, NOON + 60 * SECOND, uptime=9)
    assert again.get_json() == first | {"duplicate": True}
    assert beat(community, "b1", NOON, NOON, uptime=10).status_code == 409
    assert state(session) == (NOON, None)
    assert session.scalar(text("SELECT count(*) FROM device_event")) == 1


def test_a_clock_beyond_tolerance_is_noted_until_it_is_right(
    community: Community, session: Session
) -> None:
    for key, off, noted in (("b1", 30, None), ("b2", 31, 31), ("b3", -45, -45), ("b4", 2, None)):
        beat(community, key, NOON - off * SECOND, NOON)
        assert state(session)[1] == noted


def test_a_late_beat_does_not_turn_the_time_back(community: Community, session: Session) -> None:
    beat(community, "b2", NOON, NOON + 60 * SECOND)
    beat(community, "b1", NOON, NOON)
    assert state(session)[0] == NOON + 60 * SECOND


def test_what_a_device_with_a_wrong_clock_sees_is_timed_by_ours(community: Community) -> None:
    beat(community, "b1", NOON - 90 * SECOND, NOON)
    community.knock("entry", PLATE, NOON - 80 * SECOND, now=NOON + 10 * SECOND)
    [stay] = community.stays(PLATE)
    assert stay["entered_at"] == (NOON + 10 * SECOND).isoformat()


def test_an_event_from_the_near_future_is_timed_by_ours(community: Community) -> None:
    told = community.knock("entry", PLATE, NOON + 60 * SECOND, now=NOON)
    assert told["decision"]["action"] == "open"
    [stay] = community.stays(PLATE)
    assert stay["entered_at"] == NOON.isoformat()


def test_what_is_older_than_two_minutes_is_history(community: Community) -> None:
    late = community.knock("entry", PLATE, NOON, now=NOON + 121 * SECOND)["decision"]
    assert (late["action"], late["reason"]) == ("hold", "replayed")
    early = community.knock("entry", "川C44444", NOON + 121 * SECOND, now=NOON)["decision"]
    assert (early["action"], early["reason"]) == ("hold", "replayed")
    just = community.knock("entry", "川C55555", NOON, now=NOON + 120 * SECOND)["decision"]
    assert (just["action"], just["reason"]) == ("open", "walk-in")


def test_a_log_line_never_has_the_plate_of_a_car_of_the_forces(community: Community) -> None:
    community.knock("entry", "VA12345", NOON, color="white")
    said = get_contextvars()
    assert (said["plate"], said["reason"], said["device"]) == ("VA***5", "walk-in", "entry")
