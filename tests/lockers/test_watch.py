"""What happens to parcels by itself: holds run out, terms end, people are told, couriers asked."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import atomic
from lockers import privacy
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import ANA, BO, HOUR, MINUTE

ZONE = ZoneInfo("Asia/Shanghai")
DAY = 24 * HOUR


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


def told(session: Session) -> list[tuple[str, str]]:
    """Kind of every parcel notice, and when it may go out by the wall clock."""
    sql = """SELECT n.kind, min(d.due_at) AS due FROM notice n JOIN delivery d ON d.notice_id = n.id
             GROUP BY n.id ORDER BY n.id"""
    return [
        (row["kind"].removeprefix("parcel-"), f"{row['due'].astimezone(ZONE):%d %H:%M}")
        for row in hall.ask(session, sql)
    ]


def at(said: str) -> datetime:
    """An instant of November 2026 by the wall clock: "24 07:00"."""
    return datetime.strptime(f"2026-11-{said}", "%Y-%m-%d %H:%M").replace(tzinfo=ZONE)


def run(until: datetime, since: datetime = NOON, step: timedelta = 15 * MINUTE) -> None:
    """Sweep every quarter of an hour."""
    now = since
    while now <= until:
        hall.sweep(now)
        now += step


def test_a_hold_that_runs_out_frees_the_door(community: Community, session: Session) -> None:
    hall.say(community, "device.heartbeat", NOON)
    hall.request(community, "YT1", NOON)
    hall.say(community, "device.heartbeat", NOON + 9 * MINUTE)
    hall.sweep(NOON + 9 * MINUTE)
    assert list(hall.doors(session).values()) == ["held"]
    hall.sweep(NOON + 10 * MINUTE)
    assert hall.doors(session) == {}
    assert hall.phase(session, "YT1") == "expected"


def test_a_hold_at_a_cabinet_that_fell_silent_is_checked_by_a_person(
    community: Community, session: Session
) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    hall.sweep(NOON + 11 * MINUTE)
    assert hall.doors(session) == {number: "needs_check"}
    put: dict[str, Any] = {"tracking_number": "YT1", "compartment": number, "replayed": True}
    hall.say(community, "parcel_deposited", NOON + MINUTE, now=NOON + HOUR, **put)
    assert hall.phase(session, "YT1") == "ready"
    assert hall.doors(session) == {number: "needs_check"}


def test_a_parcel_becomes_overdue_when_its_free_time_is_over(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.sweep(NOON + 18 * HOUR + MINUTE)
    assert hall.phase(session, "YT1") == "ready"  # the last free instant
    hall.sweep(NOON + 18 * HOUR + 2 * MINUTE)
    assert hall.phase(session, "YT1") == "overdue"


def test_a6_2_the_resident_is_told_before_it_costs_and_never_at_night(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)  # free until 06:01, four hours before is 02:01
    run(NOON + 3 * DAY)
    assert told(session) == [
        ("deposited", "23 12:01"),
        ("free-ending", "23 21:45"),
        ("overdue", "24 07:00"),
        ("daily", "25 07:00"),
        ("daily", "26 07:00"),
    ]


def test_a_warning_that_was_not_sent_in_time_is_not_sent_too_late(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    run(at("24 08:00"), since=at("24 02:00"))  # nobody swept in the evening
    assert told(session) == [("deposited", "23 12:01"), ("overdue", "24 07:00")]


def test_after_an_outage_of_the_workers_nobody_is_told_the_same_three_times(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.sweep(NOON + 4 * DAY)
    assert [kind for kind, _ in told(session)] == ["deposited", "daily"]


def test_who_works_at_night_is_told_at_night(community: Community, session: Session) -> None:
    hall.prefer(session, "ana", "ok", any_time=True)
    hall.deposit(community, "YT1", NOON)
    run(NOON + DAY)
    assert told(session)[1:] == [("free-ending", "24 02:15"), ("overdue", "24 06:15")]


def test_a_parcel_that_comes_at_night_is_told_of_in_the_morning_but_can_be_fetched(
    community: Community, session: Session
) -> None:
    late = at("23 23:30")
    hall.deposit(community, "YT1", late)
    assert told(session) == [("deposited", "24 07:00")]
    assert (
        hall.pick_up(community, hall.code(session, "YT1"), late + 10 * MINUTE)["action"] == "open"
    )
    hall.collect(community, "YT1", late + 11 * MINUTE)
    sent = "SELECT count(*) AS n FROM delivery WHERE cancelled_at IS NULL"
    assert hall.ask(session, sent) == [{"n": 0}]


def test_every_notice_says_where_until_when_what_it_costs_and_how_to_complain(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    run(NOON + 2 * DAY)
    texts = [row["text"] for row in hall.ask(session, "SELECT text FROM notice")]
    assert len(texts) == 4
    for said in texts:
        assert f"K1号柜{number}号格口" in said
        assert "11月24日06:01" in said
        assert "逾期每12小时0.50元，每件最高3.00元" in said
        assert "异议" in said
        assert ANA not in said


def test_nobody_is_told_of_a_parcel_that_is_gone(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + HOUR)
    run(NOON + 3 * DAY)
    assert [kind for kind, _ in told(session)] == ["deposited"]


def test_the_courier_is_asked_to_take_it_back_after_72_hours(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    asked = "SELECT reclaim_asked_at, removal_asked_at FROM parcel"
    hall.sweep(NOON + 72 * HOUR)
    assert hall.ask(session, asked)[0]["reclaim_asked_at"] is None
    hall.sweep(NOON + 72 * HOUR + MINUTE)
    assert hall.ask(session, asked)[0]["reclaim_asked_at"] == NOON + 72 * HOUR + MINUTE
    hall.sweep(NOON + 168 * HOUR + MINUTE)
    assert hall.ask(session, asked)[0]["removal_asked_at"] is not None
    assert "removal-due" in hall.cases(session)


def test_a_courier_opens_and_takes_back_only_what_the_company_left(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    ask: dict[str, Any] = {"tracking_number": "YT1"}
    later = NOON + 80 * HOUR
    theirs = hall.say(community, "reclaim_requested", later, courier="S1", **ask)["decision"]
    assert (theirs["action"], theirs["reason"]) == ("refuse", "not-yours")
    ours = hall.say(community, "reclaim_requested", later, courier="Y1", **ask)["decision"]
    assert (ours["action"], ours["compartment"]) == ("open", number)
    hall.say(community, "parcel_collected", later + MINUTE, **ask)
    assert hall.phase(session, "YT1") == "reclaimed"
    assert hall.doors(session) == {}
    assert hall.ask(session, "SELECT * FROM charge WHERE source = 'parcel'") == []


def reclaims_refused() -> float:
    """How often the metrics counted a courier who asked for another company's parcel."""
    labels = {"type": "locker.reclaim_requested", "action": "refuse", "reason": "not-yours"}
    return REGISTRY.get_sample_value("huilin_decisions_total", labels) or 0


def test_reclaims_are_counted_as_deposits_and_pickups_are(community: Community) -> None:
    hall.deposit(community, "YT1", NOON)
    before = reclaims_refused()
    for courier in ("S1", "S1", "Y1"):
        hall.say(community, "reclaim_requested", NOON, courier=courier, tracking_number="YT1")
    assert reclaims_refused() == before + 2


def test_a_vacation_stops_the_clock_and_the_reminders_follow(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    sql = """INSERT INTO locker_vacation (person_id, starts_on, ends_on, recorded_at)
             SELECT id, '2026-11-24', '2026-11-26', :at FROM person WHERE username = 'ana'"""
    session.execute(text(sql), {"at": NOON})
    session.execute(text("UPDATE parcel SET due_at = :at"), {"at": NOON + HOUR})
    session.commit()
    hall.sweep(NOON + HOUR)
    [row] = hall.ask(session, "SELECT free_until FROM parcel")
    assert row["free_until"] == NOON + 18 * HOUR + MINUTE + 3 * DAY


def test_an_overdue_parcel_that_is_given_more_time_waits_again(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    late = NOON + 20 * HOUR
    hall.sweep(late)
    assert hall.phase(session, "YT1") == "overdue"
    sql = "UPDATE parcel SET extra_free_hours = 24, due_at = :at"
    session.execute(text(sql), {"at": late + MINUTE})
    session.commit()
    hall.sweep(late + MINUTE)
    assert hall.phase(session, "YT1") == "ready"
    hall.sweep(NOON + 43 * HOUR)
    assert hall.phase(session, "YT1") == "overdue"


def test_a_swept_parcel_is_not_swept_again_before_something_is_due(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    later = NOON + 20 * HOUR
    assert hall.sweep(later) > 0
    before = told(session)
    session.execute(text("UPDATE parcel SET due_at = :at"), {"at": later})
    session.commit()
    assert hall.sweep(later) == 1
    assert told(session) == before


def test_a_silent_cabinet_is_shown_until_it_is_heard_again(
    community: Community, session: Session
) -> None:
    hall.say(community, "device.heartbeat", NOON)
    hall.sweep(NOON + 5 * MINUTE)
    assert hall.cases(session) == []
    hall.sweep(NOON + 6 * MINUTE)
    assert hall.cases(session) == ["cabinet-offline"]
    hall.say(community, "device.heartbeat", NOON + 7 * MINUTE)
    hall.sweep(NOON + 7 * MINUTE)
    assert hall.cases(session) == []


def test_a_sensor_that_contradicts_the_record_is_shown_and_its_door_not_given_out(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    seen = {str(number): "empty", "14": "occupied", "15": "empty", "x": "?", "99": "empty"}
    hall.say(community, "device.heartbeat", NOON + HOUR, doors=seen)
    assert hall.cases(session) == ["sensor-mismatch"] * 2
    assert hall.doors(session) == {number: "occupied", 14: "needs_check"}
    hall.say(community, "device.heartbeat", NOON + 2 * HOUR, doors=seen)
    noted = "SELECT count(*) AS n FROM compartment_event WHERE type = 'audit.mismatch'"
    assert hall.ask(session, noted) == [{"n": 2}]


def test_a_broken_door_is_out_of_use_and_its_parcel_can_still_be_asked_for(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    hall.say(community, "door_fault", NOON + HOUR, compartment=number)
    assert hall.doors(session) == {number: "blocked"}
    assert hall.cases(session) == ["door-fault"]
    decision = hall.pick_up(community, hall.code(session, "YT1"), NOON + 2 * HOUR)
    assert (decision["action"], decision["compartment"]) == ("open", number)
    hall.collect(community, "YT1", NOON + 2 * HOUR + MINUTE)
    assert hall.doors(session) == {number: "blocked"}


def test_the_phone_of_an_old_parcel_expires(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.deposit(community, "YT2", NOON, phone=BO, consent="asked")
    hall.collect(community, "YT1", NOON + HOUR)
    later = NOON + timedelta(days=366)
    assert atomic(privacy.expire_batch, now=later, phone_days=365, limit=100) == 2
    phones = "SELECT recipient_phone FROM parcel ORDER BY id"
    assert [row["recipient_phone"] for row in hall.ask(session, phones)] == [None, BO]
