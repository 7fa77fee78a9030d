"""Waiting for a full lot: who is served, in which order, and how a draw can be repeated."""

from datetime import datetime
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import driver
from core.errors import Problem
from parking import lots
from sharing import booking_changes, booking_terms, fairness, waiting, waitlist
from sharing.booking_facts import NewBooking
from tests.cast import NOON, Community
from tests.sharing.filling import HOUR, TEN, TWELVE, book, fill, hold, lot_id, neighbours

ZONE = ZoneInfo("Asia/Shanghai")

Neighbour = tuple[int, int, str]


def waits(
    session: Session,
    neighbour: Neighbour,
    since: datetime = TEN,
    until: datetime = TWELVE,
    **preferences: Any,
) -> dict[str, Any]:
    """A neighbour joins the waitlist."""
    household, person, plate = neighbour
    new = NewBooking("B2", since, until, plate, person, household, preferences=preferences)
    return waiting.join(session, new, NOON, ZONE)


def cancel(session: Session, space: str) -> None:
    """The visitor of a space will not come."""
    booking = session.execute(
        text("""
        SELECT b.id FROM booking b JOIN space s ON s.id = b.space_id
        WHERE s.code = :space AND b.status = 'confirmed'
        """),
        {"space": space},
    ).scalar_one()
    booking_changes.cancel(session, booking, household_id=None, now=NOON, zone=ZONE)


def standing(session: Session) -> list[tuple[str, str | None]]:
    """Status and space of every entry, in the order of joining."""
    found = session.execute(
        text("""
        SELECT w.status, s.code FROM waitlist_entry w
        LEFT JOIN booking b ON b.id = w.booking_id LEFT JOIN space s ON s.id = b.space_id
        ORDER BY w.id
        """)
    )
    return [(status, code) for status, code in found]


def told(session: Session) -> list[tuple[int, str]]:
    """Household and kind of every notice, in order."""
    found = session.execute(text("SELECT household_id, kind FROM notice ORDER BY id"))
    return [(household, kind) for household, kind in found]


def least_used_first(session: Session, **rules: Any) -> None:
    lot = lots.lot_by_code(session, "B2")
    booking_terms.add_terms(session, lot, {"order": "least-used"} | rules, NOON - HOUR)


def test_whoever_waits_longest_is_booked_first_and_told(
    session: Session, community: Community
) -> None:
    first, second = neighbours(session, 2)
    fill(session, range(1, 6), TEN, TWELVE)
    assert [waits(session, one)["place"] for one in (first, second)] == [1, 2]
    cancel(session, "B2-004")
    assert standing(session) == [("booked", "B2-004"), ("waiting", None)]
    assert told(session) == [(first[0], "waitlist-booked")]
    cancel(session, "B2-002")
    assert standing(session) == [("booked", "B2-004"), ("booked", "B2-002")]
    [(said,)] = session.execute(
        text("SELECT text FROM notice WHERE household_id = :h"), {"h": second[0]}
    )
    assert said == "候补成功：川N00002 在 B2 11月23日 18:00 至 11月23日 20:00 已预约车位 B2-002。"


def test_an_entry_that_does_not_fit_blocks_nobody_behind_it(
    session: Session, community: Community
) -> None:
    longer, needs_charger, fits = neighbours(session, 3)
    fill(session, range(1, 6), TEN, TWELVE)
    fill(session, range(1, 6), TWELVE, TWELVE + HOUR)
    waits(session, longer, TEN, TWELVE + HOUR)
    waits(session, needs_charger, charging=True)
    waits(session, fits)
    cancel_at = session.execute(
        text("SELECT id FROM booking WHERE starts_at = :ten ORDER BY id LIMIT 1"), {"ten": TEN}
    ).scalar_one()
    booking_changes.cancel(session, cancel_at, household_id=None, now=NOON, zone=ZONE)
    assert standing(session) == [("waiting", None), ("waiting", None), ("booked", "B2-001")]


def test_whoever_may_not_book_is_passed_over_and_served_when_they_may(
    session: Session, community: Community
) -> None:
    lot = lots.lot_by_code(session, "B2")
    booking_terms.add_terms(session, lot, {"household_open": 1}, NOON - HOUR)
    busy, next_one = neighbours(session, 2)
    fill(session, range(1, 6), TEN, TWELVE)
    waits(session, busy)
    waits(session, next_one)
    book(session, "B2-005", TWELVE, TWELVE + HOUR, "川Z00001", household=busy[0])
    cancel(session, "B2-001")
    assert standing(session) == [("waiting", None), ("booked", "B2-001")]
    session.execute(
        text("UPDATE booking SET status = 'fulfilled', ended_at = :now WHERE plate = '川Z00001'"),
        {"now": NOON},
    )
    cancel(session, "B2-002")
    assert standing(session) == [("booked", "B2-002"), ("booked", "B2-001")]


def test_a_shortened_booking_serves_who_fits_into_the_rest(
    session: Session, community: Community
) -> None:
    [late] = neighbours(session, 1)
    fill(session, range(1, 6), TEN, TWELVE)
    waits(session, late, TEN + HOUR, TWELVE)
    booking = session.execute(text("SELECT id FROM booking ORDER BY id LIMIT 1")).scalar_one()
    booking_changes.change_end(session, booking, TEN + HOUR, household_id=None, now=NOON, zone=ZONE)
    assert standing(session) == [("booked", "B2-001")]


def test_whoever_need_not_wait_is_booked_at_once(session: Session, community: Community) -> None:
    [only] = neighbours(session, 1)
    said = waits(session, only)
    assert (said["status"], said["place"]) == ("booked", None)
    assert said["booking_id"] is not None


def test_a_wait_ends_when_its_time_has_come(session: Session, community: Community) -> None:
    soon, later = neighbours(session, 2)
    fill(session, range(1, 6), TEN, TWELVE)
    waits(session, soon)
    waits(session, later, TEN + HOUR, TWELVE)
    assert waitlist.sweep(session, TEN, ZONE) == 1
    assert standing(session) == [("expired", None), ("waiting", None)]
    assert told(session) == [(soon[0], "waitlist-expired")]


def test_the_sweep_serves_what_came_free_without_anybody_saying_so(
    session: Session, community: Community
) -> None:
    [only] = neighbours(session, 1)
    fill(session, range(1, 6), TEN, TWELVE)
    waits(session, only)
    session.execute(
        text("UPDATE space_claim SET live = false WHERE space_id = (SELECT min(id) FROM space)")
    )
    assert waitlist.sweep(session, NOON, ZONE) == 1
    assert standing(session) == [("booked", "B2-001")]
    assert waitlist.sweep(session, NOON, ZONE) == 0


def test_one_plate_waits_once_and_a_household_for_so_many_bookings(
    session: Session, community: Community
) -> None:
    lot = lots.lot_by_code(session, "B2")
    booking_terms.add_terms(session, lot, {"household_open": 2}, NOON - HOUR)
    one, other = neighbours(session, 2)
    fill(session, range(1, 6), TEN, TWELVE)
    fill(session, range(1, 6), TWELVE, TWELVE + 2 * HOUR)
    waits(session, one)
    assert refused(session, one, TEN + HOUR, TWELVE + HOUR) == "already-waiting"
    waits(session, one, TWELVE, TWELVE + HOUR)
    assert refused(session, one, TWELVE + HOUR, TWELVE + 2 * HOUR) == "household-open-quota"
    stolen = (other[0], other[1], one[2])
    assert refused(session, stolen, TEN, TWELVE) == "plate-of-others"


def refused(session: Session, neighbour: Neighbour, since: datetime, until: datetime) -> str:
    """With which code joining is refused."""
    with pytest.raises(Problem) as problem:
        waits(session, neighbour, since, until)
    return problem.value.code


def test_only_ones_own_entries_can_be_seen_and_withdrawn(
    session: Session, community: Community
) -> None:
    fill(session, range(1, 6), TEN, TWELVE)
    session.commit()
    client, ana, bo = community.client, "ana", "bo"
    body = {"lot": "B2", "starts_at": TEN.isoformat(), "ends_at": TWELVE.isoformat()}

    def join(name: str, plate: str, key: str) -> Any:
        headers = community.as_person(name) | {"Idempotency-Key": key}
        return client.post("/api/v1/waitlist", json=body | {"plate": plate}, headers=headers)

    with clock.at(NOON):
        joined = join(ana, "川A12345", "once")
        again = join(ana, "川A12345", "once")
        assert (joined.status_code, again.get_json()) == (201, joined.get_json())
        assert join(bo, "川A12345", "mine").get_json()["code"] == "plate-of-others"
        entry = joined.get_json()
        assert (entry["status"], entry["place"], entry["plate"]) == ("waiting", 1, "川A12345")
        address = f"/api/v1/waitlist/{entry['id']}"
        seen = {
            name: client.get("/api/v1/waitlist", headers=community.as_person(name)).get_json()
            for name in (ana, bo, "olga")
        }
        assert seen == {ana: [entry], bo: [], "olga": [entry]}
        assert client.delete(address, headers=community.as_person(bo)).status_code == 404
        gone = client.delete(address, headers=community.as_person(ana))
        assert (gone.status_code, gone.get_json()["status"]) == (200, "withdrawn")
        assert client.delete(address, headers=community.as_person(ana)).status_code == 409
    cancel(session, "B2-001")
    assert standing(session) == [("withdrawn", None)]


def test_the_household_that_used_least_comes_first(session: Session, community: Community) -> None:
    least_used_first(session)
    much, little, none = neighbours(session, 3)
    stayed(session, much, hours=8)
    stayed(session, little, hours=3)
    fill(session, range(1, 6), TEN, TWELVE)
    assert [waits(session, one)["place"] for one in (much, little, none)] == [1, 1, 1]
    entries = waiting.entries(session, {"household": None, "limit": 9, "offset": 0}, NOON, ZONE)
    assert [one["place"] for one in entries[1]] == [1, 2, 3]
    cancel(session, "B2-003")
    cancel(session, "B2-001")
    assert standing(session) == [("waiting", None), ("booked", "B2-001"), ("booked", "B2-003")]
    assert fairness.draws(session, lot_id(session), None, 10, 0) == (0, [])


def stayed(session: Session, neighbour: Neighbour, hours: int) -> None:
    """A household's car was inside, as a walk-in, the day before."""
    session.execute(
        text("""
        INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at, exited_at,
                          household_id, fee_fen)
        SELECT id, :plate, 'blue', 'closed', 'walk-in', :since, :until, :household, 0
        FROM lot WHERE code = 'B2'
        """),
        {
            "plate": neighbour[2],
            "household": neighbour[0],
            "since": NOON - 24 * HOUR,
            "until": NOON - (24 - hours) * HOUR,
        },
    )


def test_equals_are_drawn_and_anybody_can_repeat_the_draw(
    session: Session, community: Community
) -> None:
    least_used_first(session)
    homes = neighbours(session, 6)
    stayed(session, homes[0], hours=1)
    fill(session, range(1, 6), TEN, TWELVE)
    for home in homes:
        waits(session, home)
    cancel(session, "B2-001")
    cancel(session, "B2-002")
    count, [latest, first] = fairness.draws(session, lot_id(session), homes[3][0], 10, 0)
    assert count == 2
    for draw in (first, latest):
        assert draw["drawn_at"] == NOON
        assert [row["entry"] for row in draw["order"]] == by_the_recipe(draw)
    assert [row["booked"] for row in first["order"]] == [True] + [False] * 5
    assert [row["own"] for row in first["order"]].count(True) == 1
    assert first["order"][-1]["minutes"] == 60
    served = {row["entry"] for draw in (first, latest) for row in draw["order"] if row["booked"]}
    booked = session.execute(text("SELECT id FROM waitlist_entry WHERE status = 'booked'"))
    assert served == set(booked.scalars())
    assert first["seed"] != latest["seed"]
    assert first["seed"].startswith("2026-11-23/B2/")


def by_the_recipe(draw: dict[str, Any]) -> list[int]:
    """The order of a draw of households with one entry each, as docs/fairness.md has it."""

    def key(row: dict[str, Any]) -> tuple[int, str]:
        return row["minutes"], sha256(f"{draw['seed']}/{row['household']}".encode()).hexdigest()

    return [row["entry"] for row in sorted(draw["order"], key=key)]


def test_minutes_count_what_was_held_in_the_month_and_nothing_twice(
    session: Session, community: Community
) -> None:
    home, inside = neighbours(session, 2)
    november = fairness.month_named("2026-11", ZONE)
    opens, lot = november[0], lot_id(session)

    def used(now: datetime = NOON) -> dict[int, int]:
        return fairness.used_minutes(driver(session), lot, november, now)

    stayed(session, home, hours=2)
    assert used() == {home[0]: 120}
    for since, until, status in (
        (opens - HOUR, opens + 3 * HOUR, "fulfilled"),
        (NOON, NOON + HOUR, "cancelled"),
        (NOON + 2 * HOUR, NOON + 3 * HOUR, "no_show"),
    ):
        book(session, "B2-001", since, until, home[2], household=home[0], status=status)
    assert used() == {home[0]: 120 + 180 + 60}
    kept = book(session, "B2-002", NOON, NOON + HOUR, home[2], household=home[0])
    assert used() == {home[0]: 420}
    stay = hold(session, "B2-003", NOON, None)
    session.execute(
        text("UPDATE stay SET booking_id = :b, household_id = :h WHERE id = :s"),
        {"b": kept, "h": home[0], "s": stay},
    )
    walk_in = hold(session, "B2-004", NOON, None)
    session.execute(
        text("UPDATE stay SET household_id = :h WHERE id = :s"), {"h": inside[0], "s": walk_in}
    )
    assert used(NOON + HOUR) == {home[0]: 420, inside[0]: 60}
    assert used(NOON + 3 * HOUR) == {home[0]: 540, inside[0]: 180}


def test_shares_are_shown_without_names(session: Session, community: Community) -> None:
    much, little = neighbours(session, 2)
    stayed(session, much, hours=3)
    stayed(session, little, hours=1)
    session.commit()
    client, address = community.client, "/api/v1/lots/B2/fairness"
    with clock.at(NOON):
        headers = community.as_person("neighbour2")
        said = client.get(address, headers=headers).get_json()
        before = client.get(address + "?month=2026-10", headers=headers).get_json()
        wrong = client.get(address + "?month=2026-13", headers=headers)
    assert said == {
        "lot": "B2",
        "month": "2026-11",
        "households": [
            {"household": "H1", "minutes": 180, "own": False},
            {"household": "H2", "minutes": 60, "own": True},
        ],
    }
    assert before["households"] == []
    assert wrong.status_code == 422
