"""The weekly worksheet: what whoever walks to the cabinet is told to look for."""

import csv
import io
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from inspection import worksheet
from inspection.worksheet import Door
from storage.rules import LockerRules
from tests.cast import NOON, Community
from tests.inspection import counter
from tests.lockers import hall
from tests.lockers.hall import BO, HOUR, MINUTE

DAY = timedelta(days=1)
RULES = LockerRules()


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


def sheet(community: Community, at: Any = NOON) -> dict[int, dict[str, Any]]:
    return {row["number"]: row for row in counter.ask(community, "GET cabinets/K1/audit", at)}


def table(community: Community, at: Any = NOON) -> list[dict[str, str]]:
    answer = counter.send(community, "GET cabinets/K1/audit.csv", at)
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert answer.get_data().startswith(b"\xef\xbb\xbf")
    said = answer.get_data().decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(said)))


def test_a6_10_stale_parcels_and_doors_that_contradict_their_sensors_are_found(
    community: Community, session: Session
) -> None:
    old = hall.deposit(community, "YT1", NOON)
    new = hall.deposit(community, "YT2", NOON + 3 * DAY, phone=BO, consent="asked")
    hall.say(community, "door_fault", NOON + 3 * DAY, compartment=1)
    doors = {str(old): "occupied", str(new): "empty", "7": "occupied", "8": "empty"}
    hall.say(community, "device.heartbeat", NOON + 4 * DAY, doors=doors)
    rows = sheet(community, NOON + 4 * DAY)
    assert len(rows) == 15
    assert [n for n, row in rows.items() if row["stale"]] == [old]
    assert [n for n, row in rows.items() if row["mismatch"]] == sorted([new, 7])
    assert (rows[old]["days"], rows[new]["days"], rows[8]["days"]) == (3, 0, None)
    assert rows[old]["phone"] == "138****1111"
    assert rows[old]["look_for"] == "滞留3天，联系快递员或收件人"
    assert rows[new]["look_for"] == "记录有件而传感器无物，核对包裹是否还在"
    assert rows[7]["look_for"].startswith("记录无件而传感器有物")
    assert rows[8]["look_for"] == "应为空"
    assert rows[1]["look_for"].startswith("停用（door-fault）")


def test_the_sheet_prints_with_room_for_what_was_found(community: Community) -> None:
    number = hall.deposit(community, "YT1", NOON)
    rows = table(community, NOON + DAY + 2 * MINUTE)
    assert list(rows[0]) == list(worksheet.HEADERS)
    row = rows[number - 1]
    assert row["运单号"] == "YT1"
    assert (row["记录状态"], row["收件人手机"]) == ("有件", "138****1111")
    assert (row["存放自"], row["天数"]) == ("2026-11-23 12:01", "1")
    assert {row[name] for name in ("现场情况", "处理", "核查人")} == {""}


def test_nobodys_words_become_formulas(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    lie = "UPDATE parcel SET tracking_number = '=HYPERLINK(\"x\")'"
    session.execute(text(lie))
    session.commit()
    assert '\'=HYPERLINK("x")' in [row["运单号"] for row in table(community)]


def test_erased_phones_and_couriers_break_nothing(community: Community, session: Session) -> None:
    number = hall.deposit(community, "YT1", NOON)
    session.execute(text("UPDATE parcel SET recipient_phone = NULL, recipient_id = NULL"))
    session.commit()
    assert sheet(community)[number]["phone"] is None
    assert table(community)[number - 1]["收件人手机"] == ""


def test_a_held_door_contradicts_nothing(community: Community) -> None:
    number = hall.request(community, "YT1", NOON)["compartment"]
    hall.say(community, "device.heartbeat", NOON + MINUTE, doors={str(number): "occupied"})
    row = sheet(community, NOON + MINUTE)[number]
    assert (row["state"], row["mismatch"], row["since"]) == ("held", False, None)


@given(
    state=st.sampled_from(sorted(worksheet.STATES)),
    sensor=st.sampled_from(["empty", "occupied", None]),
    inside=st.booleans(),
    hours=st.integers(0, 2000),
    longer=st.integers(0, 2000),
)
def test_every_door_says_what_to_look_for(
    state: str, sensor: str | None, inside: bool, hours: int, longer: int
) -> None:
    since = NOON if inside else None
    free_until = NOON + longer * HOUR if inside else None
    door = Door(state, None, sensor, inside, None, since, free_until)
    now = NOON + hours * HOUR
    assert worksheet.look_for(door, RULES, now)
    assert worksheet.stale(door, RULES, now) == (inside and hours >= max(72, longer))
    row = {
        "number": 1,
        "size": "S",
        "row": 1,
        "state": state,
        "sensor": sensor,
        "tracking_number": None,
        "phone": None,
        "since": since,
        "days": worksheet.days(door, now),
        "stale": worksheet.stale(door, RULES, now),
        "mismatch": worksheet.mismatch(door),
        "look_for": worksheet.look_for(door, RULES, now),
    }
    [_, line] = csv.reader(io.StringIO(worksheet.as_csv([row], ZoneInfo("Asia/Shanghai"))))
    assert len(line) == len(worksheet.HEADERS)


def test_whoever_walked_along_the_doors_says_so_and_the_audit_is_not_due_any_more(
    community: Community, session: Session
) -> None:
    hall.say(community, "device.heartbeat", NOON)
    session.execute(text("UPDATE cabinet SET audited_at = :at"), {"at": NOON - DAY})
    session.commit()
    [before] = counter.ask(community, "GET cabinets", NOON, who="ana")
    assert before["audited_at"] == (NOON - DAY).isoformat()
    audits = "POST cabinets/K1/audits"
    after = counter.ask(community, audits, NOON, note="无异常")
    assert after["audited_at"] == NOON.isoformat()
    late = NOON + 8 * DAY
    hall.sweep(late)
    assert "audit-due" in hall.cases(session)
    hall.say(community, "device.heartbeat", late)
    counter.ask(community, audits, late + HOUR, note="7号门锁偏紧")
    assert "audit-due" not in hall.cases(session)
    how = "SELECT resolution, resolved_by FROM exception_case WHERE reason = 'audit-due'"
    [olga] = hall.ask(session, "SELECT id FROM person WHERE username = 'olga'")
    assert hall.ask(session, how) == [{"resolution": "7号门锁偏紧", "resolved_by": olga["id"]}]
    [shown] = counter.ask(community, "GET cabinets", late + HOUR)
    assert shown["audited_at"] == (late + HOUR).isoformat()
    hall.sweep(late + HOUR)
    assert "audit-due" not in hall.cases(session)


def test_an_audit_needs_no_note_and_a_cabinet_there_is(community: Community) -> None:
    assert counter.ask(community, "POST cabinets/K1/audits", NOON)["audited_at"]
    counter.ask(community, "POST cabinets/K1/audits", NOON, status=422, note=" ")
    counter.ask(community, "POST cabinets/K9/audits", NOON, status=404)
