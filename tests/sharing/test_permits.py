"""Permits as the desk gives them: plates, hours, places, and a space that is theirs alone."""

from datetime import timedelta
from typing import Any

import pytest

from core import clock
from core.app import settings
from core.db import atomic
from sharing import offers
from tests.cast import NOON, Community
from tests.sharing.offering import asked, at, book, check_in, offered, own, share, space_of

DAY = timedelta(days=1)
CARD = {
    "lot": "B2",
    "kind": "monthly",
    "plate": "川D44444",
    "starts_at": "2026-11-23T12:00:00+08:00",
    "ends_at": "2026-11-30T00:00:00+08:00",
}
NIGHTS = [{"weekdays": [1, 2, 3, 4, 5, 6, 7], "from": "18:00", "to": "09:00"}]


def grant(community: Community, name: str = "olga", **card: Any) -> tuple[int, Any]:
    """The desk gives a permit; `None` leaves a field out."""
    body = {key: value for key, value in (CARD | card).items() if value is not None}
    return asked(community, name, "POST", "permits", body)


def test_a_card_of_one_plate_as_before(community: Community) -> None:
    status, card = grant(community, plate_color="blue")
    assert status == 201
    del card["id"]
    assert card == {
        "lot": "B2",
        "kind": "monthly",
        "space": None,
        "starts_at": "2026-11-23T04:00:00+00:00",
        "ends_at": "2026-11-29T16:00:00+00:00",
        "hours": None,
        "places": 1,
        "swap_minutes": 0,
        "plate": "川D44444",
        "plate_color": "blue",
        "plates": [{"plate": "川D44444", "plate_color": "blue"}],
    }


def test_a_card_of_several_plates_with_hours(community: Community) -> None:
    plates = [{"plate": "川D44444", "plate_color": "blue"}, {"plate": "川D55555"}]
    hours = [{"weekdays": [1], "from": "18:00", "to": "09:00", "on_holidays": False}]
    status, card = grant(
        community, plate=None, plates=plates, hours=hours, places=2, swap_minutes=30
    )
    assert (status, card["plates"]) == (
        201,
        [plates[0], {"plate": "川D55555", "plate_color": "unknown"}],
    )
    _, listed = asked(community, "olga", "GET", "permits")
    assert listed == [card]
    assert (card["hours"], card["places"], card["swap_minutes"]) == (hours, 2, 30)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"plate": None}, "plate"),
        ({"plates": [{"plate": "川D55555"}]}, "plate"),
        ({"plate": "no plate"}, "plate"),
        ({"plate": None, "plates": []}, "plates"),
        ({"plate": None, "plates": [{"plate": "川D55555"}] * 2}, "plates"),
        ({"space": "nowhere"}, "space"),
        ({"space": "B2-001", "places": 2}, "places"),
        ({"places": 0}, "places"),
        ({"swap_minutes": -1}, "swap_minutes"),
        ({"hours": [{"weekdays": [1], "from": "18:00", "to": "25:00"}]}, "hours"),
        ({"hours": []}, "hours"),
        ({"ends_at": "2026-11-23T12:00:00+08:00"}, "ends_at"),
        (
            {"starts_at": "2026-10-01T00:00:00+08:00", "ends_at": "2026-11-01T00:00:00+08:00"},
            "ends_at",
        ),
    ],
)
def test_a_card_that_cannot_be_is_refused(
    community: Community, wrong: dict[str, Any], field: str
) -> None:
    status, said = grant(community, **wrong)
    assert status == 422
    assert field in said["errors"]
    assert asked(community, "olga", "GET", "permits")[1] == []


def test_a_fixed_space_is_not_offered_while_its_permit_lasts(community: Community) -> None:
    assert offered("B2-001", "11-22", "12-02") is None
    grant(community, space="B2-001")
    assert offered("B2-001", "11-22", "12-02") == [
        ("22 00:00", "23 12:00"),
        ("30 00:00", "02 00:00"),
    ]
    assert offered("B2-002", "11-22", "12-02") is None


def test_a_card_for_nights_leaves_the_days(community: Community) -> None:
    grant(community, space="B2-001", hours=NIGHTS, ends_at="2027-11-30T00:00:00+08:00")
    assert offered("B2-001", "11-24", "11-26") == [
        ("24 09:00", "24 18:00"),
        ("25 09:00", "25 18:00"),
    ]
    assert offered("B2-001", "12-30T00:00", "12-30T23:00") == [("30 09:00", "30 18:00")]


def test_an_ended_permit_gives_its_space_back(community: Community) -> None:
    _, card = grant(community, space="B2-001")
    assert asked(community, "olga", "DELETE", f"permits/{card['id']}", now=NOON + DAY)[0] == 204
    assert offered("B2-001", "11-23", "11-26") == [
        ("23 00:00", "23 12:00"),
        ("24 12:00", "26 00:00"),
    ]
    later = NOON + 10 * DAY
    atomic(offers.refresh_all, later, settings().zone)
    assert offered("B2-001", "11-23", "11-26") is None


def test_a_permit_that_has_not_begun_is_as_if_it_never_was(community: Community) -> None:
    _, card = grant(community, space="B2-001")
    path = f"permits/{card['id']}"
    assert asked(community, "olga", "DELETE", path, now=NOON - DAY)[0] == 204
    assert offered("B2-001", "11-23", "11-26") is None
    assert asked(community, "olga", "GET", "permits")[1] == []
    assert asked(community, "olga", "DELETE", path)[0] == 404


def test_bookings_make_way_for_a_permit(community: Community) -> None:
    moves = book(community, "B2-001", "11-24 09:00", "11-24 17:00")
    stays = book(community, "B2-001", "12-01 09:00", "12-01 17:00")
    assert grant(community, space="B2-001")[0] == 201
    assert (space_of(moves), space_of(stays)) == ("B2-002", "B2-001")
    assert len(asked(community, "bo", "GET", "notices")[1]) == 1


def test_a_guest_inside_stops_a_permit_for_the_space(community: Community) -> None:
    guest = book(community, "B2-001", "11-23 09:00", "11-23 17:00")
    check_in(guest)
    status, said = grant(community, space="B2-001")
    assert (status, [one["id"] for one in said["bookings"]]) == (409, [guest])
    assert asked(community, "olga", "GET", "permits")[1] == []
    assert offered("B2-001", "11-22", "12-02") is None


def test_one_space_is_not_reserved_for_two(community: Community) -> None:
    assert grant(community, space="B2-001", hours=NIGHTS)[0] == 201
    status, said = grant(community, space="B2-001", plate="川D55555")
    assert (status, said["code"]) == (409, "space-reserved")
    days = [{"weekdays": [1, 2, 3, 4, 5], "from": "09:00", "to": "18:00"}]
    assert grant(community, space="B2-001", plate="川D55555", hours=days)[0] == 201
    renewal = {"starts_at": "2026-11-28T00:00:00+08:00", "ends_at": "2026-12-30T00:00:00+08:00"}
    assert grant(community, space="B2-001", hours=NIGHTS, **renewal)[0] == 201


def test_the_owners_permit_does_not_close_the_owners_windows(community: Community) -> None:
    own(community, "P-1")
    share(community)
    assert grant(community, space="P-1", plate="川A12345")[0] == 201
    assert offered("P-1", "11-24", "11-25") == [("24 08:30", "24 18:00")]


def test_time_passes_over_a_permit_for_nights(community: Community) -> None:
    grant(community, space="B2-001", hours=NIGHTS, ends_at="2027-11-30T00:00:00+08:00")
    guest = book(community, "B2-001", "11-24 09:00", "11-24 17:00")
    later = at("12-20 00:00")
    with clock.at(later):
        atomic(offers.refresh_all, later, settings().zone)
    assert offered("B2-001", "12-24", "12-25") == [("24 09:00", "24 18:00")]
    assert space_of(guest) == "B2-001"
