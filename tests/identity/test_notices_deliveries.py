"""What operators see of notices on their way: everything but the code and the phone."""

from typing import Any

import pytest

from identity.channels import INBOX, ChannelError
from identity.notices import HIDDEN
from tests.cast import NOON, Community
from tests.identity.post import (
    CODE,
    DOUBLE,
    HOUR,
    MINUTE,
    PHONE,
    READY,
    TEXT,
    Recorder,
    cancel,
    queue,
    registered,
    sweep,
)


def seen(community: Community, **query: Any) -> list[dict[str, Any]]:
    answer = community.client.get(
        "/api/v1/deliveries", query_string=query, headers=community.as_person("olga")
    )
    assert answer.status_code == 200, answer.get_json()
    assert CODE not in answer.text
    assert PHONE not in answer.text
    found: list[dict[str, Any]] = answer.get_json()
    return found


def one_of_each(community: Community) -> None:
    """Parcel 1 was sent, 2 failed, 3 waits, 4 was cancelled."""
    with registered(Recorder(refuses={"13911112222": ChannelError("no such number")})):
        queue(None, about_id=1, phone=PHONE)
        queue(None, about_id=2, phone="13911112222")
        queue(None, about_id=3, phone=PHONE, due_at=NOON + HOUR)
        queue(None, about_id=4, phone=PHONE, due_at=NOON + HOUR)
        cancel(about_id=4)
        sweep()


@pytest.mark.parametrize(
    ("status", "parcel"), [("sent", 1), ("failed", 2), ("waiting", 3), ("cancelled", 4)]
)
def test_operators_look_for_a_status(community: Community, status: str, parcel: int) -> None:
    one_of_each(community)
    assert [(d["about_id"], d["status"]) for d in seen(community, status=status)] == [
        (parcel, status)
    ]


def test_operators_see_all_newest_first_in_pages(community: Community) -> None:
    one_of_each(community)
    assert [delivery["about_id"] for delivery in seen(community)] == [4, 3, 2, 1]
    assert [delivery["about_id"] for delivery in seen(community, page=2, page_size=3)] == [1]


def test_a_failed_delivery_tells_why_and_when_it_is_tried_again(community: Community) -> None:
    one_of_each(community)
    [failed] = seen(community, status="failed")
    del failed["id"], failed["notice_id"]
    assert failed == {
        "channel": DOUBLE,
        "status": "failed",
        "kind": READY,
        "phone": "139****2222",
        "text": TEXT.replace("{code}", HIDDEN),
        "about": "parcel",
        "about_id": 2,
        "due_at": NOON.isoformat(),
        "sent_at": None,
        "cancelled_at": None,
        "attempts": 1,
        "next_try_at": (NOON + MINUTE).isoformat(),
        "error": "no such number",
    }


def test_a_phone_in_the_text_and_of_a_person_is_masked_too(community: Community) -> None:
    answer = community.client.post(
        "/api/v1/people",
        json={
            "username": "cai",
            "password": "correct horse battery",
            "role": "resident",
            "household": "1-101",
            "phone": PHONE,
        },
        headers=community.as_person("ada"),
    )
    assert answer.status_code == 201, answer.get_json()
    queue(
        community.households["ana"],
        person_id=answer.get_json()["id"],
        said=f"投诉请拨 {PHONE}",
        channels=[INBOX],
    )
    [waiting] = seen(community, status="waiting")
    assert (waiting["phone"], waiting["text"]) == ("138****6620", "投诉请拨 138****6620")


def test_a_notice_for_a_whole_household_has_no_phone(community: Community) -> None:
    queue(community.households["ana"], channels=[INBOX])
    assert [delivery["phone"] for delivery in seen(community)] == [None]


def test_an_unknown_status_is_refused_by_its_name(community: Community) -> None:
    answer = community.client.get(
        "/api/v1/deliveries?status=lost", headers=community.as_person("olga")
    )
    assert (answer.status_code, list(answer.get_json()["errors"])) == (422, ["status"])
