"""What couriers are to take back, as they and the desk see it."""

import pytest

from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import HOUR
from tests.parcels import neighbours
from tests.parcels.neighbours import get


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    neighbours.move_in(community)


def test_a6_10_what_stays_too_long_becomes_a_task_of_its_couriers_company(
    community: Community,
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.deposit(community, "SF1", NOON, courier="S1")
    hall.deposit(community, "YT2", NOON + 60 * HOUR)
    assert get(community, "yun", "/reclaim-tasks", NOON + 71 * HOUR) == []
    hall.sweep(NOON + 73 * HOUR)
    at = NOON + 74 * HOUR
    [task] = get(community, "yan", "/reclaim-tasks", at)
    assert (task["tracking_number"], task["reason"]) == ("YT1", "overstayed")
    assert task["since"] == (NOON + 73 * HOUR).isoformat()
    assert (task["phone"], task["courier"]["code"]) == ("138****1111", "Y1")
    assert task["place"]["compartment"] is not None
    listed = {
        who: [t["tracking_number"] for t in get(community, who, "/reclaim-tasks", at)]
        for who in ("yun", "sun", "olga", "ada")
    }
    assert listed == {
        "yun": ["YT1"],
        "sun": ["SF1"],
        "olga": ["YT1", "SF1"],
        "ada": ["YT1", "SF1"],
    }
    hall.say(community, "parcel_reclaimed", at, tracking_number="YT1")
    assert get(community, "yun", "/reclaim-tasks", at + HOUR) == []


def test_what_was_refused_is_taken_back_at_once(community: Community) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.say(community, "parcel_refused", NOON + HOUR, tracking_number="YT1")
    [task] = get(community, "yun", "/reclaim-tasks", NOON + 2 * HOUR)
    assert (task["tracking_number"], task["reason"]) == ("YT1", "refused")
    assert task["since"] == (NOON + HOUR).isoformat()
    assert get(community, "sun", "/reclaim-tasks", NOON + 2 * HOUR) == []
