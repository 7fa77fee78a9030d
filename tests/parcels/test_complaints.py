"""Recipients complain, the desk answers, and both stay on record."""

import json
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import HOUR, MINUTE
from tests.parcels import neighbours
from tests.parcels.neighbours import get, id_of, own, post

DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    neighbours.move_in(community)


def complain(
    community: Community, session: Session, text: str, at: Any, who: str = "ana", status: int = 201
) -> Any:
    """Somebody complains about YT1."""
    path = f"/parcels/{id_of(session, 'YT1')}/complaints"
    return post(community, who, path, at, status=status, text=text)


def answer(community: Community, reason: str, at: Any) -> None:
    """Olga resolves the complaint that is on her list."""
    [case] = get(community, "olga", "/exceptions", at, resolved="false")
    assert case["reason"] == "complaint"
    post(community, "olga", f"/exceptions/{case['id']}/resolve", at, reason=reason)


def test_a6_3_a_complaint_reaches_the_desk_and_its_answer_comes_back(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + HOUR)
    text = "盒子被拆过，快递员电话13700003333不接"
    filed = complain(community, session, text, NOON + 2 * HOUR)
    shown = {
        "filed_at": (NOON + 2 * HOUR).isoformat(),
        "text": "盒子被拆过，快递员电话137****3333不接",
        "resolved_at": None,
        "resolution": None,
    }
    assert filed["complaints"] == [shown]

    [case] = get(community, "olga", "/exceptions", NOON + 3 * HOUR, resolved="false")
    about = ("parcel", id_of(session, "YT1"), "complaint")
    assert (case["subject"], case["subject_id"], case["reason"]) == about
    assert own(community, "olga", "YT1", NOON + 3 * HOUR)["complaints"] == [shown]
    answer(community, "已调取监控，系快递员失手，公司赔付", NOON + 3 * HOUR)

    [complaint] = own(community, "ana", "YT1", NOON + DAY)["complaints"]
    assert complaint == shown | {
        "resolved_at": (NOON + 3 * HOUR).isoformat(),
        "resolution": "已调取监控，系快递员失手，公司赔付",
    }
    file = get(community, "ava", f"/parcels/{id_of(session, 'YT1')}/dispute", NOON + DAY)
    assert file["chain"]["ok"]
    [event] = [e for e in file["events"] if e["type"] == "complaint.filed"]
    assert event["actor"].startswith("person:")
    assert "13700003333" not in json.dumps(file, ensure_ascii=False)


def test_whoever_is_not_content_asks_again_and_no_answer_is_lost(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    complain(community, session, "打不开", NOON + HOUR)
    complain(community, session, "还是打不开", NOON + 2 * HOUR)
    answer(community, "已远程开门", NOON + 3 * HOUR)
    complain(community, session, "并没有开", NOON + 4 * HOUR)
    assert hall.cases(session) == ["complaint"]
    answer(community, "已派人，电话13900002222", NOON + 5 * HOUR)
    told = own(community, "ana", "YT1", NOON + 6 * HOUR)["complaints"]
    first, last = (NOON + 3 * HOUR).isoformat(), (NOON + 5 * HOUR).isoformat()
    assert [(c["text"], c["resolved_at"], c["resolution"]) for c in told] == [
        ("打不开", first, "已远程开门"),
        ("还是打不开", first, "已远程开门"),
        ("并没有开", last, "已派人，电话139****2222"),
    ]


def test_what_becomes_of_the_parcel_does_not_silence_a_complaint(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    complain(community, session, "太慢", NOON + HOUR)
    path = f"/parcels/{id_of(session, 'YT1')}"
    post(community, "olga", f"{path}/except", NOON + 2 * HOUR, reason="damaged")
    post(community, "olga", f"{path}/restore", NOON + 3 * HOUR, reason="误操作")
    hall.sweep(NOON + 30 * HOUR)
    hall.collect(community, "YT1", NOON + 31 * HOUR)
    assert "complaint" in hall.cases(session)


def test_only_the_recipient_complains(community: Community, session: Session) -> None:
    neighbours.choose(community, "ana", NOON, share_with_household=True)
    hall.deposit(community, "YT1", NOON)
    complain(community, session, "不是我的", NOON + HOUR, who="amy", status=403)
    complain(community, session, "不是我的", NOON + HOUR, who="bo", status=404)
    complain(community, session, "不是我的", NOON + HOUR, who="yun", status=403)
    complain(community, session, "代客投诉", NOON + HOUR, who="olga", status=403)
    post(community, "ana", "/parcels/999/complaints", NOON, status=404, text="在哪")
    assert hall.cases(session) == []


def test_couriers_do_not_read_what_was_complained_of(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    complain(community, session, "快递员态度差", NOON + HOUR)
    seen = own(community, "yun", "YT1", NOON + 2 * HOUR)
    assert seen["complaints"] == []
    assert "快递员态度差" not in json.dumps(seen, ensure_ascii=False)


@pytest.mark.parametrize("text", ["", " \n", "长" * 501, None, 7])
def test_a_complaint_says_something(community: Community, session: Session, text: Any) -> None:
    hall.deposit(community, "YT1", NOON)
    refused = complain(community, session, text, NOON + HOUR, status=422)
    assert set(refused["errors"]) == {"text"}


def test_ten_complaints_about_a_parcel_are_enough(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    for n in range(10):
        complain(community, session, f"第{n}次", NOON + HOUR + n * MINUTE)
    refused = complain(community, session, "第11次", NOON + 2 * HOUR, status=409)
    assert refused["code"] == "complained-enough"
    assert len(own(community, "ana", "YT1", NOON + 2 * HOUR)["complaints"]) == 10
