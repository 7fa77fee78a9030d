"""Owners offer, change and withdraw windows; what is booked makes way or stops them."""

from datetime import timedelta
from typing import Any

import pytest

from core.app import settings
from core.db import atomic
from sharing import offering as sharing
from sharing import offers
from tests.cast import NOON, Community
from tests.sharing.offering import asked, at, book, check_in, offered, own, share, space_of

DAY = timedelta(days=1)
WINDOWS = "spaces/P-1/sharing-windows"


@pytest.fixture
def shared(community: Community) -> Community:
    """Ana's space P-1 beside the community's five."""
    own(community, "P-1")
    return community


def fill(community: Community, starts: str, ends: str) -> None:
    """Every community space is booked by strangers."""
    for number in range(1, 6):
        book(community, f"B2-00{number}", starts, ends, plate=f"川Z0000{number}")


def test_an_owner_offers_a_space_by_the_week(shared: Community) -> None:
    assert offered("P-1", "11-23", "11-30") == []
    status, window = share(shared, weekdays=[1, 3], blocked_days=["2026-11-30"])
    assert status == 201
    number = window.pop("id")
    assert window == {
        "weekdays": [1, 3],
        "from": "08:30",
        "to": "18:00",
        "valid_from": "2026-11-01",
        "valid_until": None,
        "blocked_days": ["2026-11-30"],
        "on_holidays": True,
    }
    assert offered("P-1", "11-23", "12-03") == [
        ("23 08:30", "23 18:00"),
        ("25 08:30", "25 18:00"),
        ("02 08:30", "02 18:00"),
    ]
    status, listed = asked(shared, "ana", "GET", WINDOWS)
    assert (status, [one["id"] for one in listed]) == (200, [number])


def test_windows_of_one_space_add_up_and_wrap_midnight(shared: Community) -> None:
    share(shared, weekdays=[2], **{"from": "20:00", "to": "08:00"})
    share(shared, weekdays=[3], **{"from": "08:00", "to": "10:00"})
    assert offered("P-1", "11-23", "11-30") == [("24 20:00", "25 10:00")]


def test_a_window_begins_today_unless_told_otherwise(shared: Community) -> None:
    body = {"weekdays": [1], "from": "08:30", "to": "18:00"}
    _, window = asked(shared, "ana", "POST", WINDOWS, body)
    assert (window["valid_from"], window["valid_until"]) == ("2026-11-23", None)


def test_holidays_are_offered_unless_the_owner_rests(shared: Community) -> None:
    september = at("09-29 12:00")
    window = {"weekdays": [1, 2, 3, 4, 5], "from": "08:30", "to": "18:00", "on_holidays": False}
    assert asked(shared, "ana", "POST", WINDOWS, window, now=september)[0] == 201
    assert offered("P-1", "09-29", "10-09") == [
        ("29 08:30", "29 18:00"),
        ("30 08:30", "30 18:00"),
        ("08 08:30", "08 18:00"),
    ]
    decreed = {"kind": "holiday", "name": "社区日"}
    assert asked(shared, "olga", "PUT", "calendar/2026-09-30", decreed, now=september)[0] == 200
    assert offered("P-1", "09-29", "10-09") == [("29 08:30", "29 18:00"), ("08 08:30", "08 18:00")]
    assert asked(shared, "olga", "DELETE", "calendar/2026-09-30", now=september)[0] == 204
    assert offered("P-1", "09-30", "10-01") == [("30 08:30", "30 18:00")]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"weekdays": []}, "weekdays"),
        ({"weekdays": [0]}, "weekdays"),
        ({"weekdays": [1, 1]}, "weekdays"),
        ({"from": "24:00"}, "from"),
        ({"to": "noon"}, "to"),
        ({"valid_from": "2026-11-31"}, "valid_from"),
        ({"valid_until": "2026-10-31"}, "valid_until"),
        ({"valid_until": "9999-12-31"}, "valid_until"),
        ({"blocked_days": ["never"]}, "blocked_days"),
    ],
)
def test_a_window_that_cannot_be_is_refused(
    shared: Community, wrong: dict[str, Any], field: str
) -> None:
    status, said = share(shared, **wrong)
    assert (status, list(said["errors"])) == (422, [field])
    assert offered("P-1", "11-23", "11-30") == []


def test_a_space_has_so_many_windows(shared: Community) -> None:
    answers = [share(shared, valid_until="2026-11-30") for _ in range(sharing.MOST_WINDOWS + 1)]
    assert [status for status, _ in answers] == [201] * sharing.MOST_WINDOWS + [409]
    assert answers[-1][1]["code"] == "too-many-windows"


def test_a_strangers_space_is_not_there(shared: Community) -> None:
    _, window = share(shared)
    path = f"{WINDOWS}/{window['id']}"
    assert share(shared, name="bo")[0] == 404
    assert share(shared, "B2-001")[0] == 404
    for method, address, body in (
        ("GET", WINDOWS, None),
        ("PATCH", path, {"to": "17:00"}),
        ("DELETE", path, None),
    ):
        assert asked(shared, "bo", method, address, body)[0] == 404
    assert asked(shared, "ana", "GET", WINDOWS)[1] == [window]


def test_the_desk_offers_for_an_owner_but_no_community_space(shared: Community) -> None:
    status, window = share(shared, name="olga")
    assert status == 201
    assert asked(shared, "ana", "GET", WINDOWS)[1] == [window]
    status, said = share(shared, "B2-001", name="olga")
    assert (status, said["code"]) == (409, "community-space")


def test_a_window_of_another_space_is_not_found_here(shared: Community) -> None:
    own(shared, "P-2")
    _, window = share(shared, "P-2")
    assert asked(shared, "ana", "DELETE", f"{WINDOWS}/{window['id']}")[0] == 404


def test_a_changed_window_keeps_what_is_absent(shared: Community) -> None:
    _, window = share(shared, blocked_days=["2026-11-24"])
    path = f"{WINDOWS}/{window['id']}"
    status, changed = asked(shared, "ana", "PATCH", path, {"to": "12:00"})
    assert (status, changed) == (200, window | {"to": "12:00"})
    assert offered("P-1", "11-23", "11-26") == [
        ("23 08:30", "23 12:00"),
        ("25 08:30", "25 12:00"),
    ]
    assert asked(shared, "ana", "PATCH", path, {"valid_until": "2026-10-01"})[0] == 422
    assert asked(shared, "ana", "GET", WINDOWS)[1] == [changed]


def test_a_withdrawn_window_is_gone_at_once(shared: Community) -> None:
    _, window = share(shared)
    path = f"{WINDOWS}/{window['id']}"
    assert asked(shared, "ana", "DELETE", path)[0] == 204
    assert offered("P-1", "11-23", "11-30") == []
    assert asked(shared, "ana", "GET", WINDOWS)[1] == []
    assert asked(shared, "ana", "DELETE", path)[0] == 404


def test_a_booking_in_the_way_moves_and_the_guest_is_told(shared: Community) -> None:
    _, window = share(shared)
    booking = book(shared, "P-1", "11-24 09:00", "11-24 17:00")
    later = book(shared, "P-1", "11-25 09:00", "11-25 11:00")
    status, _ = asked(shared, "ana", "PATCH", f"{WINDOWS}/{window['id']}", {"to": "12:00"})
    assert status == 200
    assert (space_of(booking), space_of(later)) == ("B2-001", "P-1")
    _, [notice] = asked(shared, "bo", "GET", "notices")
    assert (notice["kind"], notice["about"], notice["about_id"]) == (
        "booking-moved",
        "booking",
        booking,
    )
    assert "P-1 → B2-001（11月24日 09:00 至 11月24日 17:00）" in notice["text"]


def test_a_booking_that_cannot_move_stops_the_edit(shared: Community) -> None:
    _, window = share(shared)
    fill(shared, "11-24 08:00", "11-24 20:00")
    stuck = book(shared, "P-1", "11-24 09:00", "11-24 17:00")
    free = book(shared, "P-1", "11-25 09:00", "11-25 17:00")
    status, said = asked(shared, "ana", "DELETE", f"{WINDOWS}/{window['id']}")
    assert (status, said["code"]) == (409, "active-bookings")
    assert said["bookings"] == [
        {
            "id": stuck,
            "starts_at": at("11-24 09:00").isoformat(),
            "ends_at": at("11-24 17:00").isoformat(),
        }
    ]
    assert asked(shared, "ana", "GET", WINDOWS)[1] == [window]
    assert (space_of(stuck), space_of(free)) == ("P-1", "P-1")
    assert offered("P-1", "11-24", "11-25") == [("24 08:30", "24 18:00")]
    assert asked(shared, "bo", "GET", "notices")[1] == []


def test_a_guest_who_is_inside_stays(shared: Community) -> None:
    _, window = share(shared)
    booking = book(shared, "P-1", "11-23 09:00", "11-23 17:00")
    check_in(booking)
    path = f"{WINDOWS}/{window['id']}"
    status, said = asked(shared, "ana", "PATCH", path, {"to": "16:00"})
    assert (status, [one["id"] for one in said["bookings"]]) == (409, [booking])
    assert asked(shared, "ana", "PATCH", path, {"to": "17:00"})[0] == 200


def test_a_booking_that_is_over_is_not_in_the_way(shared: Community) -> None:
    _, window = share(shared)
    booking = book(shared, "P-1", "11-23 09:00", "11-23 11:00")
    check_in(booking)
    assert asked(shared, "ana", "DELETE", f"{WINDOWS}/{window['id']}")[0] == 204
    assert space_of(booking) == "P-1"


def test_nothing_moves_into_what_is_given_up_as_well(shared: Community) -> None:
    own(shared, "P-2")
    for space in ("P-1", "P-2"):
        share(shared, space, on_holidays=False)
    fill(shared, "11-24 08:00", "11-24 20:00")
    one = book(shared, "P-1", "11-24 09:00", "11-24 12:00", plate="川Z11111")
    other = book(shared, "P-2", "11-24 13:00", "11-24 17:00", plate="川Z22222")
    body = {"kind": "holiday", "name": "社区日"}
    status, said = asked(shared, "olga", "PUT", "calendar/2026-11-24", body)
    assert (status, [booking["id"] for booking in said["bookings"]]) == (409, [one, other])
    assert (
        asked(shared, "ana", "GET", "calendar", year=2026)[1]["days"]
        == (asked(shared, "ana", "GET", "calendar")[1]["days"])
    )
    assert offered("P-1", "11-24", "11-25") == [("24 08:30", "24 18:00")]


def test_the_sweep_moves_offers_on_and_keeps_what_is_booked(shared: Community) -> None:
    share(shared, weekdays=[1])
    booking = book(shared, "P-1", "11-30 09:00", "11-30 12:00")
    later = at("11-23 12:00") + 60 * DAY
    assert offered("P-1", "12-28", "12-31") == [("28 08:30", "28 18:00")]
    zone = settings().zone
    assert atomic(offers.refresh_all, NOON + 6 * DAY, zone) == 1
    assert atomic(offers.refresh_all, NOON + 6 * DAY, zone) == 0
    assert offered("P-1", "11-30", "12-01") == [("30 08:30", "30 18:00")]
    assert atomic(offers.refresh_all, later, zone) == 1
    assert offered("P-1", "11-30", "12-01") == [("30 08:30", "30 18:00")]
    assert space_of(booking) == "P-1"
