"""The dispute file: everything about a parcel, and proof that nobody changed it since."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.db import atomic
from core.embedded import Postgres
from identity import people
from identity.models import COURIER
from inspection import chain
from inspection.chain import GENESIS, Link
from lockers import privacy
from tests.cast import NOON, PASSWORD, Community
from tests.inspection import counter
from tests.lockers import hall
from tests.lockers.hall import ANA, HOUR, MINUTE

DOC = Path(__file__).parents[2] / "docs" / "dispute-file.md"
DAY = timedelta(days=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


@pytest.fixture
def superuser(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """Who may do anything to the database, and tells triggers to look away."""
    url = postgres.url_for("huilin_test", role="postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


def file(community: Community, waybill: str, session: Session, who: str = "ava") -> dict[str, Any]:
    what = f"GET parcels/{counter.parcel_id(session, waybill)}/dispute"
    found = counter.ask(community, what, NOON + 3 * DAY, who=who)
    assert isinstance(found, dict)
    return found


def a_story(community: Community, session: Session) -> None:
    """Deposited, two wrong codes, warned, overdue, taken out on the second day."""
    number = hall.deposit(community, "YT1", NOON)
    for _ in range(2):
        hall.pick_up(community, "000000", NOON + HOUR)
    hall.sweep(NOON + 10 * HOUR)
    hall.sweep(NOON + 19 * HOUR)
    hall.pick_up(community, hall.code(session, "YT1"), NOON + 20 * HOUR)
    hall.collect(community, "YT1", NOON + 20 * HOUR + MINUTE)
    hall.say(community, "door_closed", NOON + 20 * HOUR + 2 * MINUTE, compartment=number)


def add_courier(session: Session, username: str, code: str) -> None:
    person = people.create_person(session, username, PASSWORD, COURIER)
    who = {"person": person.id, "code": code}
    session.execute(text("UPDATE courier SET person_id = :person WHERE code = :code"), who)
    session.commit()


def verdict_of_the_script(document: dict[str, Any], tmp_path: Path) -> str:
    """What the script of the document says, run alone."""
    found = re.search(r"```python\n(.*?)```", DOC.read_text("utf-8"), re.DOTALL)
    assert found
    assert len(found[1].strip().splitlines()) <= 20
    (tmp_path / "verify.py").write_text(found[1], "utf-8")
    (tmp_path / "dispute.json").write_text(json.dumps(document), "utf-8")
    command = [sys.executable, "-I", "verify.py", "dispute.json"]
    ran = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True)
    return ran.stdout.strip()


# --- What is in it.


def test_a6_4_a_parcel_that_is_gone_has_a_file_of_everything_that_happened(
    community: Community, session: Session
) -> None:
    a_story(community, session)
    told = file(community, "YT1", session)
    assert (told["parcel"]["phase"], told["parcel"]["phone"]) == ("collected", "138****1111")
    assert (told["parcel"]["courier"], told["parcel"]["company"]) == ("Y1", "圆通")
    assert told["place"]["cabinet"] == "K1"
    assert told["consent"]["basis"] == "preference"
    assert told["consent"]["preference"]["locker"] == "ok"
    assert [attempt["type"] for attempt in told["code_attempts"]] == ["code.failed"] * 2
    types = [event["type"] for event in told["events"]]
    assert types[:3] == ["consent.given", "door.held", "parcel.deposited"]
    assert "parcel.overdue" in types
    assert told["chain"] == {
        "ok": True,
        "broken_at": None,
        "length": len(types),
        "head": told["events"][-1]["hash"],
    }
    fees = {charge["source"]: charge["amount_fen"] for charge in told["charges"]}
    assert fees == {"deposit": 30, "parcel": 50}
    doors = [event["type"] for event in told["door_events"]]
    assert doors == ["door.opened", "door.closed"]
    said = {message["type"] for message in told["device_events"]}
    assert {"locker.delivery_requested", "locker.pickup_requested"} <= said
    assert all(message["recorded_at"] for message in told["device_events"])


def test_notices_are_shown_with_their_deliveries_and_without_codes(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    for who in ("ana", "olga"):
        told = file(community, "YT1", session, who)
        [notice] = told["notices"]
        assert "******" in notice["text"]
        assert {sent["channel"] for sent in notice["deliveries"]} == {"inbox", "console"}
        assert code not in json.dumps(told)


def test_credits_and_payments_are_in_the_file(community: Community, session: Session) -> None:
    a_story(community, session)
    waive = f"POST parcels/{counter.parcel_id(session, 'YT1')}/waive"
    counter.ask(community, waive, NOON + DAY, reason="柜门故障")
    told = file(community, "YT1", session)
    assert [(credit["amount_fen"], credit["lines"][0]["label"]) for credit in told["credits"]] == [
        (-50, "柜门故障")
    ]
    assert told["payments"] == []


def test_what_was_chosen_later_is_not_what_the_deposit_rests_on(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON - DAY)
    hall.prefer(session, "ana", "never")
    assert file(community, "YT1", session)["consent"]["preference"]["locker"] == "ok"


def test_the_next_parcels_of_a_door_are_not_in_the_file(
    community: Community, session: Session
) -> None:
    a_story(community, session)
    number = hall.deposit(community, "YT2", NOON + 20 * HOUR + 4 * MINUTE)
    code = hall.code(session, "YT2")
    hall.pick_up(community, code, NOON + 20 * HOUR + 6 * MINUTE)
    first, second = (file(community, w, session)["door_events"] for w in ("YT1", "YT2"))
    assert {event["compartment"] for event in (*first, *second)} == {number}
    assert [event["type"] for event in first] == ["door.opened", "door.closed"]
    assert [event["type"] for event in second] == ["door.opened"]


# --- Who may read it.


def test_the_recipient_sees_the_whole_phone_and_others_its_ends(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    add_courier(session, "yun", "Y1")
    seen = {
        who: file(community, "YT1", session, who)["parcel"]["phone"]
        for who in ("ana", "olga", "ada", "ava", "yun")
    }
    assert seen.pop("ana") == ANA
    assert set(seen.values()) == {"138****1111"}


def test_neighbours_and_other_couriers_learn_nothing(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    add_courier(session, "sun", "S1")
    parcel = counter.parcel_id(session, "YT1")
    for who in ("bo", "sun"):
        for page in ("dispute", "dispute.html"):
            ask = f"GET parcels/{parcel}/{page}"
            assert counter.send(community, ask, NOON + HOUR, who=who).status_code == 404
    counter.ask(community, f"GET parcels/{parcel}/dispute", NOON, who="fan", status=403)
    counter.ask(community, "GET parcels/999/dispute", NOON, who="ava", status=404)


# --- The page.


def test_the_page_prints_without_scripts_and_escapes_what_people_wrote(
    community: Community, session: Session
) -> None:
    a_story(community, session)
    parcel = counter.parcel_id(session, "YT1")
    evil = "<script>alert(1)</script>"
    counter.ask(community, f"POST parcels/{parcel}/waive", NOON + DAY, reason=evil)
    answer = counter.send(community, f"GET parcels/{parcel}/dispute.html", NOON + DAY)
    page = answer.get_data(as_text=True)
    assert answer.mimetype == "text/html"
    assert "script" not in answer.headers["Content-Security-Policy"]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page
    for shown in ("包裹争议档案", "Dispute file of a parcel", "哈希链核对无误", "138****1111"):
        assert shown in page
    assert "2026-11-23 12:01:00" in page
    for event in file(community, "YT1", session)["events"]:
        assert event["hash"] in page


def test_the_page_of_a_parcel_that_was_only_announced(
    community: Community, session: Session
) -> None:
    said = {"tracking_number": "YT7", "locker": True}
    counter.ask(community, "POST expected-parcels", NOON, who="ana", status=201, **said)
    parcel = counter.parcel_id(session, "YT7")
    page = counter.send(community, f"GET parcels/{parcel}/dispute.html", NOON, who="ana")
    assert page.status_code == 200
    assert "待投递" in page.get_data(as_text=True)


# --- What has expired.


def test_erased_phones_and_messages_leave_a_whole_chain(
    community: Community, session: Session, superuser: psycopg.Connection[Any], tmp_path: Path
) -> None:
    a_story(community, session)
    waive = f"POST parcels/{counter.parcel_id(session, 'YT1')}/waive"
    counter.ask(community, waive, NOON + DAY, reason="柜门故障")
    session.rollback()
    atomic(privacy.expire_batch, now=NOON + 400 * DAY, phone_days=30, limit=100)
    superuser.execute("UPDATE parcel SET recipient_id = NULL, courier_id = NULL")
    superuser.execute("DELETE FROM device_event WHERE type = 'locker.pickup_requested'")
    told = file(community, "YT1", session)
    assert told["parcel"]["phone"] is None
    assert told["consent"]["preference"] is None
    erased = [message for message in told["device_events"] if message["type"] is None]
    assert len(erased) == 3
    assert told["chain"]["ok"]
    assert verdict_of_the_script(told, tmp_path).startswith("whole")
    parcel = counter.parcel_id(session, "YT1")
    page = counter.send(community, f"GET parcels/{parcel}/dispute.html", NOON + DAY, who="ada")
    assert "已过期删除" in page.get_data(as_text=True)


# --- The chain.


def test_the_documented_script_verifies_a_file_with_none_of_our_code(
    community: Community, session: Session, tmp_path: Path
) -> None:
    a_story(community, session)
    told = file(community, "YT1", session)
    said = verdict_of_the_script(told, tmp_path)
    assert said == f"whole: {told['chain']['length']} events, head {told['chain']['head']}"


@pytest.mark.parametrize(
    "lie",
    [
        "UPDATE parcel_event SET type = 'parcel.refused' WHERE parcel_id = 1 AND seq = 3",
        "UPDATE parcel_event SET actor = 'person:1' WHERE parcel_id = 1 AND seq = 3",
        "UPDATE parcel_event SET data = '{}' WHERE parcel_id = 1 AND seq = 3",
        "UPDATE parcel_event SET occurred_at = occurred_at - interval '1 microsecond'"
        " WHERE parcel_id = 1 AND seq = 3",
    ],
)
def test_an_event_changed_by_the_databases_owner_is_shown_as_broken(
    community: Community,
    session: Session,
    superuser: psycopg.Connection[Any],
    tmp_path: Path,
    lie: str,
) -> None:
    a_story(community, session)
    assert file(community, "YT1", session)["chain"]["ok"]
    superuser.execute(lie)
    told = file(community, "YT1", session)
    assert (told["chain"]["ok"], told["chain"]["broken_at"]) == (False, 3)
    assert [event["seq"] for event in told["events"] if not event["holds"]] == [3]
    assert verdict_of_the_script(told, tmp_path) == "broken at event 3"
    parcel = counter.parcel_id(session, "YT1")
    page = counter.send(community, f"GET parcels/{parcel}/dispute.html", NOON + DAY)
    assert "哈希链在第 3 条事件处断开" in page.get_data(as_text=True)


def test_an_event_taken_out_or_hashed_anew_breaks_what_follows(
    community: Community, session: Session, superuser: psycopg.Connection[Any], tmp_path: Path
) -> None:
    a_story(community, session)
    superuser.execute("UPDATE parcel_event SET actor = 'person:1' WHERE parcel_id = 1 AND seq = 3")
    superuser.execute("""
        UPDATE parcel_event e
        SET hash = sha256(previous_hash || convert_to(parcel_event_content(e), 'UTF8'))
        WHERE parcel_id = 1 AND seq = 3""")
    told = file(community, "YT1", session)
    assert told["chain"]["broken_at"] == 4
    assert verdict_of_the_script(told, tmp_path) == "broken at event 4"
    superuser.execute("DELETE FROM parcel_event WHERE parcel_id = 1 AND seq = 3")
    told = file(community, "YT1", session)
    assert told["chain"]["broken_at"] == 4


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE parcel_event SET actor = 'person:1'",
        "DELETE FROM parcel_event",
        "TRUNCATE parcel_event",
        "UPDATE compartment_event SET actor = 'person:1'",
        "DELETE FROM compartment_event",
        "TRUNCATE compartment_event",
    ],
)
def test_what_happened_cannot_be_changed(
    community: Community, session: Session, change: str
) -> None:
    a_story(community, session)
    session.rollback()
    with pytest.raises(DBAPIError, match="what happened stays"):
        session.execute(text(change))
    session.rollback()


@given(texts=st.lists(st.text(), min_size=1, max_size=8), data=st.data())
def test_any_change_of_a_link_breaks_the_chain_there(texts: list[str], data: st.DataObject) -> None:
    links: list[Link] = []
    for seq, content in enumerate(texts, start=1):
        previous = links[-1].hash if links else GENESIS
        links.append(chain.linked(seq, content, previous))
    assert chain.verify(links).ok
    at = data.draw(st.integers(0, len(links) - 1))
    links[at] = Link(
        links[at].seq, links[at].content + "!", links[at].previous_hash, links[at].hash
    )
    assert chain.verify(links).broken_at == at + 1
