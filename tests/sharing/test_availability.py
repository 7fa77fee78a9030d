"""What could be booked, and what is free instead: always what booking itself would find."""

from dataclasses import asdict
from datetime import datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import driver
from parking import lots
from sharing import claims
from sharing.allocation import Wish, ranked
from sharing.availability import MOST, alternatives, availability
from tests.cast import NOON, RULES, Community
from tests.sharing.filling import HOUR, MINUTE, TEN, TWELVE, book, fill, hold, lot_id

ZONE = ZoneInfo("Asia/Shanghai")


def floating_permit(session: Session, places: int, hours: str | None = None) -> int:
    return int(
        session.execute(
            text("""
            INSERT INTO permit (lot_id, kind, starts_at, ends_at, places, hours)
            SELECT id, 'monthly', :since, :until, :places, CAST(:hours AS jsonb) FROM lot
            WHERE code = 'B2' RETURNING id
            """),
            {
                "since": NOON - 30 * 24 * HOUR,
                "until": NOON + 30 * 24 * HOUR,
                "places": places,
                "hours": hours,
            },
        ).scalar_one()
    )


def bookable(session: Session, since: datetime, until: datetime) -> int:
    said = availability(session, "B2", since, until, now=NOON, zone=ZONE)
    return int(said["bookable"])


@pytest.mark.parametrize("seed", range(8))
def test_bookable_is_what_booking_would_find(
    session: Session, community: Community, seed: int
) -> None:
    chance = Random(seed)  # noqa: S311 - a test's own chance, repeatable
    lot = lots.lot_by_code(session, "B2")
    lots.add_spaces(session, lot, [f"B2-{n:03d}" for n in range(6, 21)])
    for n in range(1, 21):
        begins = NOON + chance.randrange(-6, 6) * HOUR
        ends = begins + chance.randrange(1, 9) * HOUR
        if chance.random() < 0.3:
            session.execute(
                text(
                    "UPDATE space SET offered = tstzmultirange(tstzrange(:a, :b)) WHERE code = :c"
                ),
                {"a": begins, "b": ends, "c": f"B2-{n:03d}"},
            )
        elif chance.random() < 0.5:
            hold(session, f"B2-{n:03d}", begins, chance.choice([ends, None]))
        if chance.random() < 0.1:
            session.execute(
                text("UPDATE space SET in_service = false WHERE code = :c"), {"c": f"B2-{n:03d}"}
            )
    for _ in range(10):
        since = NOON + chance.randrange(0, 12) * 30 * MINUTE
        until = since + chance.randrange(1, 8) * 30 * MINUTE
        found = claims.free(driver(session), lot.id, since, until, now=NOON, zone=ZONE)
        assert bookable(session, since, until) == len(found)


def test_floating_permits_keep_their_places_but_not_twice(
    session: Session, community: Community
) -> None:
    permit = floating_permit(session, 2)
    assert bookable(session, TEN, TWELVE) == 3
    stay = hold(session, "B2-001", NOON - HOUR, None)
    assert bookable(session, TEN, TWELVE) == 2
    session.execute(text(f"UPDATE stay SET permit_id = {permit} WHERE id = {stay}"))
    assert bookable(session, TEN, TWELVE) == 3
    floating_permit(session, 900)
    assert bookable(session, TEN, TWELVE) == 0


def test_a_permit_for_nights_keeps_no_place_by_day(session: Session, community: Community) -> None:
    nights = '[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "18:00", "to": "09:00"}]'
    floating_permit(session, 4, nights)
    noon_to_two, eight_to_ten = (NOON, NOON + 2 * HOUR), (NOON + 8 * HOUR, NOON + 10 * HOUR)
    assert bookable(session, *noon_to_two) == 5
    assert bookable(session, *eight_to_ten) == 1


def test_free_now_counts_spaces_on_which_nobody_stands(
    session: Session, community: Community
) -> None:
    def free_now() -> int:
        return int(lots.lots(session, NOON, ZONE)[0]["free_now"])

    hold(session, "B2-001", NOON - 2 * HOUR, NOON - HOUR)
    book(session, "B2-002", NOON - HOUR, NOON + HOUR, "川F00001")
    book(session, "B2-003", NOON + HOUR, NOON + 2 * HOUR, "川F00002")
    session.execute(text("UPDATE space SET offered = '{}' WHERE code = 'B2-004'"))
    assert free_now() == 2
    floating_permit(session, 1)
    assert free_now() == 1
    floating_permit(session, 9)
    assert free_now() == 0


def test_a_group_of_e_bike_spots_has_no_more_than_its_places(session: Session, app: Flask) -> None:
    rack = lots.add_lot(session, code="EB", name="车棚", kind="ebike", takes_walk_ins=True)
    lots.add_spaces(session, rack, [f"EB-{n}" for n in range(6)])
    session.execute(
        text("""
        WITH g AS (INSERT INTO space_group (lot_id, code, capacity)
                   SELECT id, 'A', 2 FROM lot WHERE code = 'EB' RETURNING id)
        UPDATE space SET group_id = g.id FROM g WHERE space.code IN ('EB-0', 'EB-1', 'EB-2')
        """)
    )
    assert availability(session, "EB", TEN, TWELVE, now=NOON, zone=ZONE)["bookable"] == 5


def test_other_times_are_near_allowed_and_really_free(
    session: Session, community: Community
) -> None:
    fill(session, range(1, 6), TEN, TWELVE)
    fill(session, range(1, 5), TWELVE, TWELVE + 2 * HOUR)
    book(session, "B2-005", TWELVE + 90 * MINUTE, TWELVE + 2 * HOUR, "川F99999")
    wish = Wish()
    lot = lot_id(session)
    others = alternatives(driver(session), lot, TEN, TEN + HOUR, wish=wish, now=NOON, zone=ZONE)
    starts = [(one["starts_at"] - TEN) / HOUR for one in others]
    assert starts == [-1, -1.5, 2]
    assert [one["bookable"] for one in others] == [5, 5, 1]
    for one in others:
        span = one["starts_at"], one["ends_at"]
        found = claims.free(driver(session), lot, *span, now=NOON, zone=ZONE)
        assert len(ranked(found, wish)) == one["bookable"]
        assert one["total_fen"] == 300


def test_no_time_in_the_past_nor_further_than_the_terms_allow(
    session: Session, community: Community
) -> None:
    lot = lot_id(session)
    fill(session, range(1, 6), NOON, NOON + 3 * HOUR)
    others = alternatives(driver(session), lot, NOON, NOON + HOUR, wish=Wish(), now=NOON, zone=ZONE)
    assert [(one["starts_at"] - NOON) / HOUR for one in others] == [3, 3.5, 4]
    last_day = NOON + timedelta(days=30)
    fill(session, range(1, 6), last_day - HOUR, last_day + HOUR)
    others = alternatives(
        driver(session), lot, last_day, last_day + HOUR, wish=Wish(), now=NOON, zone=ZONE
    )
    assert [(one["starts_at"] - last_day) / HOUR for one in others] == [-2, -2.5, -3]


def test_no_time_at_which_floating_permits_need_what_is_left(
    session: Session, community: Community
) -> None:
    nights = '[{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "20:00", "to": "09:00"}]'
    floating_permit(session, 5, nights)
    fill(session, range(1, 6), TEN, TWELVE)
    others = alternatives(
        driver(session), lot_id(session), TEN, TEN + HOUR, wish=Wish(), now=NOON, zone=ZONE
    )
    assert [(one["starts_at"] - TEN) / HOUR for one in others] == [-1, -1.5, -2]


def test_other_lots_of_the_kind_are_named_and_times_of_the_same_plate_left_out(
    session: Session, community: Community
) -> None:
    for code, kind in (("C1", "car"), ("C2", "car"), ("EB", "ebike")):
        other = lots.add_lot(session, code=code, name=code, kind=kind, takes_walk_ins=True)
        lots.add_spaces(session, other, [f"{code}-1", f"{code}-2"])
        if code != "C2":
            lots.add_tariff(session, other, asdict(RULES), NOON - HOUR)
    fill(session, range(1, 6), TEN, TWELVE)
    book(session, "B2-001", TEN - HOUR, TEN, "川A12345")
    others = alternatives(
        driver(session),
        lot_id(session),
        TEN,
        TEN + HOUR,
        wish=Wish(),
        now=NOON,
        zone=ZONE,
        plate="川A12345",
    )
    here = [one for one in others if one["lot"] == "B2"]
    assert [(one["starts_at"] - TEN) / HOUR for one in here] == [2, -2, 2.5]
    assert others[MOST:] == [
        {
            "lot": "C1",
            "starts_at": TEN,
            "ends_at": TEN + HOUR,
            "bookable": 2,
            "total_fen": 300,
        }
    ]


def test_a_need_narrows_what_is_free(session: Session, community: Community) -> None:
    session.execute(text("UPDATE space SET charging = true WHERE code = 'B2-003'"))
    fill(session, [3], TEN, TWELVE)
    others = alternatives(
        driver(session), lot_id(session), TEN, TWELVE, wish=Wish(charging=True), now=NOON, zone=ZONE
    )
    assert {one["bookable"] for one in others} == {1}
    assert [(one["starts_at"] - TEN) / HOUR for one in others] == [2, -2, 2.5]


def test_the_route_answers_what_was_asked(community: Community, session: Session) -> None:
    hold(session, "B2-001", NOON, None)
    session.commit()
    asked = {"starts_at": "2026-11-23T18:00:00+08:00", "ends_at": "2026-11-23T20:00:00+08:00"}
    address = "/api/v1/lots/B2/availability"
    with clock.at(NOON):
        headers = community.as_person("ana")
        said = community.client.get(address, query_string=asked, headers=headers)
        turned = {"starts_at": asked["ends_at"], "ends_at": asked["starts_at"]}
        ages = asked | {"ends_at": "2028-11-23T20:00:00+08:00"}
        naive = {name: value.removesuffix("+08:00") for name, value in asked.items()}
        refused = [
            community.client.get(address, query_string=query, headers=headers).get_json()
            for query in (turned, ages, naive, {})
        ]
        nowhere = community.client.get(
            "/api/v1/lots/X/availability", query_string=asked, headers=headers
        )
    assert said.get_json() == asked | {"lot": "B2", "total": 5, "bookable": 4}
    assert [sorted(problem["errors"]) for problem in refused] == [
        ["ends_at"],
        ["ends_at"],
        ["ends_at", "starts_at"],
        ["ends_at", "starts_at"],
    ]
    assert nowhere.status_code == 404
