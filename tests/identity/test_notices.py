"""A household's inbox: its own notices, newest first, read once."""

from datetime import timedelta
from typing import Any

from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, driver, send
from identity.notices import told
from tests.cast import NOON, Community

MINUTE = timedelta(minutes=1)


def tell(community: Community, name: str, *texts: str) -> None:
    """Tell a person's household these, a minute apart."""

    def write(session: Session) -> None:
        send(
            driver(session),
            [
                told(
                    community.households[name],
                    "test",
                    text,
                    about="booking",
                    about_id=7,
                    at=NOON + minute * MINUTE,
                )
                for minute, text in enumerate(texts)
            ],
        )

    atomic(write)


def inbox(community: Community, name: str, **query: Any) -> list[dict[str, Any]]:
    answer = community.client.get(
        "/api/v1/notices", query_string=query, headers=community.as_person(name)
    )
    assert answer.status_code == 200, answer.get_json()
    found: list[dict[str, Any]] = answer.get_json()
    return found


def read(community: Community, name: str, notice_id: int) -> tuple[int, dict[str, Any]]:
    answer = community.client.post(
        f"/api/v1/notices/{notice_id}/read", headers=community.as_person(name)
    )
    return answer.status_code, answer.get_json()


def test_a_household_sees_its_own_notices_newest_first(community: Community) -> None:
    tell(community, "ana", "一", "二")
    tell(community, "bo", "三")
    assert [notice["text"] for notice in inbox(community, "ana")] == ["二", "一"]
    [told_bo] = inbox(community, "bo")
    del told_bo["id"]
    assert told_bo == {
        "kind": "test",
        "text": "三",
        "about": "booking",
        "about_id": 7,
        "recorded_at": NOON.isoformat(),
        "read_at": None,
    }


def test_an_inbox_has_pages(community: Community) -> None:
    tell(community, "ana", "一", "二", "三")
    found = inbox(community, "ana", page=2, page_size=2)
    assert [notice["text"] for notice in found] == ["一"]


def test_the_first_reading_counts(community: Community) -> None:
    tell(community, "ana", "一", "二")
    newest, _ = inbox(community, "ana")
    with clock.at(NOON):
        assert read(community, "ana", newest["id"])[0] == 200
    with clock.at(NOON + MINUTE):
        status, notice = read(community, "ana", newest["id"])
    assert (status, notice["read_at"]) == (200, NOON.isoformat())
    assert [notice["text"] for notice in inbox(community, "ana", unread=True)] == ["一"]
    assert [notice["text"] for notice in inbox(community, "ana", unread=False)] == ["二"]


def test_a_neighbours_notice_is_not_there(community: Community) -> None:
    tell(community, "ana", "一")
    [notice] = inbox(community, "ana")
    assert read(community, "bo", notice["id"])[0] == 404
    assert inbox(community, "ana", unread=True) == [notice]
