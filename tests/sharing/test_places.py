"""Spaces as residents and the desk see them, and what the desk changes."""

from typing import Any

from sqlalchemy import text

from core.db import db
from tests.cast import NOON, Community
from tests.sharing.offering import asked, at, book, offered, own, share, space_of


def listed(community: Community, name: str, **query: Any) -> list[dict[str, Any]]:
    status, found = asked(community, name, "GET", "spaces", **query)
    assert status == 200, found
    return list(found)


def change(community: Community, code: str, name: str = "olga", **changes: Any) -> tuple[int, Any]:
    return asked(community, name, "PATCH", f"spaces/{code}", changes)


def test_a_resident_sees_spaces_but_not_whose_they_are(community: Community) -> None:
    own(community, "P-1")
    assert [space["code"] for space in listed(community, "bo")] == [
        *(f"B2-00{n}" for n in range(1, 6)),
        "P-1",
    ]
    assert listed(community, "bo", mine=True) == []
    [mine] = listed(community, "ana", mine=True)
    assert mine == {
        "code": "P-1",
        "lot": "B2",
        "private": True,
        "mine": True,
        "charging": False,
        "accessible": False,
        "building": None,
        "in_service": True,
        "offered_now": False,
    }
    assert listed(community, "bo", lot="EB") == []


def test_the_desk_sees_owners_and_pages(community: Community) -> None:
    own(community, "P-1")
    [last] = listed(community, "olga", page=2, page_size=5)
    assert (last["code"], last["owner_household_id"]) == ("P-1", community.households["ana"])


def test_a_space_is_offered_now_inside_its_window(community: Community) -> None:
    own(community, "P-1")
    share(community)
    times = [
        asked(community, "ana", "GET", "spaces", now=when, mine=True)
        for when in (NOON, at("11-23 18:00"))
    ]
    assert [found[0]["offered_now"] for _, found in times] == [True, False]


def test_the_desk_says_what_a_space_is(community: Community) -> None:
    status, space = change(community, "B2-001", charging=True, building="3")
    assert (status, space["charging"], space["building"], space["accessible"]) == (
        200,
        True,
        "3",
        False,
    )
    assert change(community, "nowhere", charging=True)[0] == 404
    assert change(community, "B2-001", building="")[0] == 422


def test_a_space_goes_out_of_service_when_its_bookings_have_moved(community: Community) -> None:
    booking = book(community, "B2-001", "11-24 09:00", "11-24 17:00")
    status, space = change(community, "B2-001", in_service=False)
    assert (status, space["in_service"], space["offered_now"]) == (200, False, False)
    assert space_of(booking) == "B2-002"


def test_bookings_that_cannot_move_keep_a_space_in_service(community: Community) -> None:
    for number in range(1, 6):
        space = f"B2-00{number}"
        book(community, space, "11-24 09:00", "11-24 17:00", plate=f"川Z0000{number}")
    status, said = change(community, "B2-001", in_service=False)
    assert (status, said["code"], len(said["bookings"])) == (409, "active-bookings", 1)
    assert change(community, "B2-001")[1]["in_service"]


def test_a_space_with_a_vehicle_on_it_stays_in_service(community: Community) -> None:
    came = community.knock("entry", "川C33333", NOON)["decision"]
    status, said = change(community, came["space"], in_service=False)
    assert (status, said["code"]) == (409, "space-occupied")
    assert change(community, came["space"], charging=True)[0] == 200


def test_who_needs_a_charger_moves_when_it_is_taken_away(community: Community) -> None:
    for code in ("B2-002", "B2-005"):
        change(community, code, charging=True)
    needs = book(community, "B2-005", "11-24 09:00", "11-24 17:00", wish='{"charging": true}')
    other = book(community, "B2-005", "11-25 09:00", "11-25 17:00")
    assert change(community, "B2-005", charging=False)[0] == 200
    assert (space_of(needs), space_of(other)) == ("B2-002", "B2-005")


def test_only_an_admin_gives_a_space_to_somebody(community: Community) -> None:
    ana = community.households["ana"]
    assert change(community, "B2-001", owner_household_id=ana)[0] == 403
    booking = book(community, "B2-001", "11-24 09:00", "11-24 17:00")
    status, space = change(community, "B2-001", "ada", owner_household_id=ana)
    assert (status, space["private"], space["owner_household_id"]) == (200, True, ana)
    assert (space_of(booking), offered("B2-001", "11-24", "11-25")) == ("B2-002", [])
    assert change(community, "B2-001", "ada", owner_household_id=10**6)[0] == 422


def test_a_new_owner_begins_without_windows(community: Community) -> None:
    own(community, "P-1")
    share(community)
    bo = community.households["bo"]
    assert change(community, "P-1", "ada", owner_household_id=bo)[0] == 200
    assert offered("P-1", "11-24", "11-25") == []
    assert asked(community, "bo", "GET", "spaces/P-1/sharing-windows") == (200, [])
    assert asked(community, "ana", "GET", "spaces/P-1/sharing-windows")[0] == 404
    assert change(community, "P-1", "ada", owner_household_id=None)[0] == 200
    assert offered("P-1", "11-24", "11-25") is None
    with db.engine.connect() as connection:
        kept = connection.execute(text("SELECT withdrawn_at FROM sharing_window")).scalars().all()
    assert kept == [NOON]
