"""Notices that wait for their time: who finds them, when, and who never does."""

from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from core.db import atomic
from identity import people
from identity.channels import INBOX
from identity.models import Delivery, Household, Notice, Person
from identity.notices import told
from tests.cast import NOON, PASSWORD, Community
from tests.identity.post import (
    CODE,
    DOUBLE,
    HOUR,
    MINUTE,
    PHONE,
    Recorder,
    queue,
    registered,
    rows,
    sweep,
    texts,
    write,
)

FULL = f"您的包裹已放入 1 号柜，取件码 {CODE}。"


def person_id(session: Session, name: str) -> int:
    return int(rows(session, f"SELECT id FROM person WHERE username = '{name}'")[0][0])


def a_second_resident(session: Session) -> int:
    """Cai shares Ana's home."""
    home = session.query(Household).filter_by(code="1-101").one()
    cai = people.create_person(
        session, "cai", PASSWORD, "resident", household=home, phone="13900001111"
    )
    session.flush()
    return cai.id


def test_a_notice_appears_when_its_time_has_come(community: Community) -> None:
    queue(community.households["ana"], channels=[INBOX], due_at=NOON + HOUR)
    assert sweep(NOON + HOUR - MINUTE) == 0
    assert texts(community, "ana") == []
    assert sweep(NOON + HOUR) == 1
    assert texts(community, "ana") == [FULL]
    assert texts(community, "bo") == []


def test_it_appears_once_however_often_the_sweep_comes(
    community: Community, session: Session
) -> None:
    queue(community.households["ana"], channels=[INBOX])
    assert [sweep(NOON + minute * MINUTE) for minute in range(3)] == [1, 0, 0]
    assert rows(session, "SELECT shown_at, attempts FROM notice n, delivery") == [(NOON, 1)]


def test_what_appeared_last_is_on_top(community: Community) -> None:
    household = community.households["ana"]
    queue(household, said="提醒", channels=[INBOX], due_at=NOON + HOUR)
    write(told(household, "test", "先", at=NOON))
    sweep(NOON + HOUR)
    assert texts(community, "ana") == ["提醒", "先"]


def test_nobody_reads_what_has_not_appeared(community: Community, session: Session) -> None:
    queue(community.households["ana"], channels=[INBOX], due_at=NOON + HOUR)
    [(notice_id,)] = rows(session, "SELECT id FROM notice")
    path = f"/api/v1/notices/{notice_id}/read"
    assert community.client.post(path, headers=community.as_person("ana")).status_code == 404


def test_what_is_for_one_person_is_not_for_the_others_at_home(
    community: Community, session: Session
) -> None:
    atomic(a_second_resident)
    queue(community.households["ana"], person_id=person_id(session, "ana"), channels=[INBOX])
    sweep()
    assert (texts(community, "ana"), texts(community, "cai")) == ([FULL], [])
    [(notice_id,)] = rows(session, "SELECT id FROM notice")
    path = f"/api/v1/notices/{notice_id}/read"
    assert community.client.post(path, headers=community.as_person("cai")).status_code == 404
    answer = community.client.post(path, headers=community.as_person("ana"))
    assert (answer.status_code, answer.get_json()["text"]) == (200, FULL)


def test_everybody_at_home_finds_what_is_for_the_household(community: Community) -> None:
    atomic(a_second_resident)
    queue(community.households["ana"], channels=[INBOX])
    sweep()
    assert texts(community, "ana") == texts(community, "cai") == [FULL]


def test_whoever_moved_out_leaves_the_notices_behind(
    community: Community, session: Session
) -> None:
    cai = atomic(a_second_resident)
    queue(community.households["ana"], person_id=cai, channels=[INBOX])
    sweep()
    assert texts(community, "cai") == [FULL]
    session.get_one(Person, cai).household_id = community.households["bo"]
    session.commit()
    assert texts(community, "cai") == []


def test_a_recipient_without_an_account_is_reached_by_phone(community: Community) -> None:
    with registered(post := Recorder()):
        queue(None, phone=PHONE)
        assert sweep() == 1
    [message] = post.heard
    assert (message.phone, message.text) == (PHONE, FULL)


def test_a_person_is_reached_by_their_own_phone(community: Community, session: Session) -> None:
    cai = atomic(a_second_resident)
    with registered(post := Recorder()):
        queue(community.households["ana"], person_id=cai)
        sweep()
    assert [message.phone for message in post.heard] == ["13900001111"]


def test_one_notice_goes_through_each_of_its_channels_once(community: Community) -> None:
    with registered(post := Recorder()):
        queue(community.households["ana"], channels=[INBOX, DOUBLE])
        assert [sweep(), sweep(NOON + HOUR)] == [2, 0]
    assert post.texts == texts(community, "ana") == [FULL]


def test_a_channel_that_nobody_registered_waits(community: Community, session: Session) -> None:
    queue(community.households["ana"], channels=["sms"])
    assert sweep() == 0
    with registered(sms := Recorder(), "sms"):
        assert sweep() == 1
    assert sms.texts == [FULL]


@pytest.mark.parametrize(
    ("recipient", "constraint"),
    [
        ({}, "ck_notice_recipient"),
        ({"phone": PHONE, "person_id": 1}, "ck_notice_person_of_a_household"),
    ],
)
def test_the_database_refuses_a_notice_to_nobody(
    community: Community, session: Session, recipient: dict[str, Any], constraint: str
) -> None:
    session.add(Notice(kind="test", text="一", recorded_at=NOON, **recipient))
    with pytest.raises(IntegrityError, match=constraint):
        session.flush()


def test_the_database_refuses_a_second_delivery_through_one_channel(
    community: Community, session: Session
) -> None:
    queue(community.households["ana"])
    [(notice_id,)] = rows(session, "SELECT id FROM notice")
    session.add(Delivery(notice_id=notice_id, channel=DOUBLE, due_at=NOON))
    with pytest.raises(IntegrityError, match="uq_delivery_notice_id_channel"):
        session.flush()
