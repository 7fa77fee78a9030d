"""Somebody stands at the cabinet with a code: the right one opens, guessing does not pay."""

import json
import logging
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import clock
from ledger import proof
from tests.cast import NOON, Community
from tests.ledger import till
from tests.lockers import hall
from tests.lockers.hall import ANA, BO, HOUR, MINUTE

SECOND = timedelta(seconds=1)


@pytest.fixture(autouse=True)
def cabinet(community: Community) -> None:
    hall.add_cabinet(community)


def wrong(code: str) -> str:
    """Another code."""
    return f"{(int(code) + 1) % 1_000_000:06d}"


def charges(session: Session) -> list[tuple[str, int]]:
    rows = hall.ask(session, "SELECT source, amount_fen FROM charge WHERE source = 'parcel'")
    return [(row["source"], row["amount_fen"]) for row in rows]


def test_the_right_code_opens_the_right_door(community: Community, session: Session) -> None:
    number = hall.deposit(community, "YT1", NOON)
    decision = hall.pick_up(community, hall.code(session, "YT1"), NOON + HOUR)
    assert (decision["action"], decision["compartment"]) == ("open", number)
    assert decision["fee"]["total_fen"] == 0
    assert hall.doors(session) == {number: "open"}
    hall.collect(community, "YT1", NOON + HOUR + MINUTE)
    assert hall.doors(session) == {}
    assert hall.phase(session, "YT1") == "collected"


def test_a_code_dies_with_the_collection(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    hall.pick_up(community, code, NOON + HOUR)
    hall.collect(community, "YT1", NOON + HOUR + MINUTE)
    assert hall.pick_up(community, code, NOON + 2 * HOUR)["reason"] == "wrong-code"
    kept = "SELECT sealed FROM pickup_code UNION ALL SELECT secret FROM notice"
    assert {row["sealed"] for row in hall.ask(session, kept)} == {None}


def test_a6_5_a_door_that_jams_opens_again(community: Community, session: Session) -> None:
    number = hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    for minute in range(3):
        again = hall.pick_up(community, code, NOON + HOUR + minute * MINUTE)
        assert (again["action"], again["compartment"]) == ("open", number)


def test_a6_6_no_payment_stands_between_a_code_and_its_door(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    decision = hall.pick_up(community, hall.code(session, "YT1"), NOON + 60 * HOUR)
    assert (decision["action"], decision["compartment"]) == ("open", number)
    assert decision["fee"]["total_fen"] == 200
    assert sum(line["amount_fen"] for line in decision["fee"]["lines"]) == 200


def test_what_is_shown_at_the_door_is_what_is_charged(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    at = NOON + 30 * HOUR
    shown = hall.pick_up(community, hall.code(session, "YT1"), at)["fee"]["total_fen"]
    hall.collect(community, "YT1", at + 5 * MINUTE)  # a moment later the next step has begun
    assert charges(session) == [("parcel", shown)]
    assert hall.ask(session, "SELECT fee_fen FROM parcel") == [{"fee_fen": shown}]


def test_opening_early_and_collecting_late_costs_the_later_hour(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.pick_up(community, hall.code(session, "YT1"), NOON + HOUR)
    hall.collect(community, "YT1", NOON + 20 * HOUR)
    assert charges(session) == [("parcel", 50)]


def test_an_unpaid_fee_is_an_arrear_of_the_household_and_its_next_parcel_opens(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.pick_up(community, hall.code(session, "YT1"), NOON + 90 * HOUR)
    hall.collect(community, "YT1", NOON + 90 * HOUR + MINUTE)
    owed = (
        "SELECT household_id, charged_fen - paid_fen AS fen FROM receivable WHERE source='parcel'"
    )
    assert hall.ask(session, owed) == [{"household_id": community.households["ana"], "fen": 300}]
    hall.deposit(community, "YT2", NOON + 100 * HOUR)
    decision = hall.pick_up(community, hall.code(session, "YT2"), NOON + 101 * HOUR)
    assert decision["action"] == "open"


def test_a_parcel_that_is_put_back_costs_nothing_even_when_it_was_charged(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + 20 * HOUR)
    hall.say(community, "parcel_refused", NOON + 20 * HOUR + MINUTE, tracking_number="YT1")
    owed = "SELECT charged_fen - paid_fen AS fen FROM receivable WHERE source = 'parcel'"
    assert hall.ask(session, owed) == [{"fen": 0}]
    assert hall.phase(session, "YT1") == "exception"
    assert proof.verify(session).ok


def test_an_earlier_collection_that_is_heard_later_costs_what_it_should(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + 40 * HOUR)
    late: dict[str, Any] = {"now": NOON + 41 * HOUR, "replayed": True}
    hall.collect(community, "YT1", NOON + 20 * HOUR, **late)
    owed = "SELECT charged_fen - paid_fen AS fen FROM receivable WHERE source = 'parcel'"
    assert hall.ask(session, owed) == [{"fen": 50}]


def test_a_collection_dated_before_the_parcel_came_leaves_it_where_it_is(
    community: Community, session: Session
) -> None:
    number = hall.deposit(community, "YT1", NOON)
    late: dict[str, Any] = {"now": NOON + HOUR, "replayed": True}
    hall.say(community, "parcel_collected", NOON - 2 * HOUR, compartment=number, **late)
    hall.say(community, "parcel_collected", NOON - 2 * HOUR, tracking_number="YT1", **late)
    [row] = hall.ask(session, "SELECT phase FROM parcel WHERE courier_id IS NOT NULL")
    assert row["phase"] == "ready"
    assert hall.doors(session) == {number: "occupied"}
    assert hall.pick_up(community, hall.code(session, "YT1"), NOON + 2 * HOUR)["action"] == "open"


def test_while_a_code_is_locked_no_guess_learns_whether_it_is_right(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    at = NOON + HOUR
    for n in range(5):
        hall.pick_up(community, wrong(code), at + n * SECOND)
    told = [hall.pick_up(community, tried, at + MINUTE) for tried in (wrong(code), code)]
    assert told[0] == told[1]
    assert told[0]["reason"] == "code-locked"


def test_the_fee_reaches_the_books_as_locker_income(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + 20 * HOUR)
    till.settle_all()
    sql = """SELECT c.source, e.book, account, posting.amount_fen
             FROM posting JOIN journal_entry e ON e.id = entry_id
             JOIN charge c ON c.id = e.source_id AND e.source = 'charge'
             WHERE posting.amount_fen < 0 ORDER BY c.source, e.book, line"""
    assert [tuple(row.values()) for row in hall.ask(session, sql)] == [
        ("deposit", "fund", "430108", -21),
        ("deposit", "owners", "220903", -21),
        ("deposit", "owners", "220902", -9),
        ("deposit", "provider", "600108", -9),
        ("parcel", "fund", "430103", -35),
        ("parcel", "owners", "220903", -35),
        ("parcel", "owners", "220902", -15),
        ("parcel", "provider", "600103", -15),
    ]


def test_a6_4_five_wrong_codes_lock_the_code_for_a_quarter_of_an_hour(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    at = NOON + HOUR
    for n in range(5):
        guess = hall.pick_up(community, wrong(code), at + n * SECOND)
        assert guess["reason"] == "wrong-code"
    locked = hall.pick_up(community, code, at + MINUTE)
    assert locked["reason"] == "code-locked"
    assert locked["retry_at"] == (at + 4 * SECOND + 15 * MINUTE).isoformat()
    assert hall.pick_up(community, code, at + 16 * MINUTE)["action"] == "open"
    events = "SELECT type FROM parcel_event WHERE type LIKE 'code.%' ORDER BY seq"
    assert [row["type"] for row in hall.ask(session, events)] == [
        "code.issued",
        *["code.failed"] * 4,
        "code.locked",
    ]


def test_four_wrong_codes_and_the_right_one_start_again(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    for round_ in range(3):
        at = NOON + (round_ + 1) * HOUR
        for n in range(4):
            hall.pick_up(community, wrong(code), at + n * SECOND)
        assert hall.pick_up(community, code, at + MINUTE)["action"] == "open"


def test_one_persons_failures_do_not_lock_another(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    hall.deposit(community, "YT2", NOON, phone=BO, consent="asked")
    for n in range(5):
        hall.pick_up(community, wrong(hall.code(session, "YT1")), NOON + HOUR + n * SECOND)
    bos = hall.pick_up(community, hall.code(session, "YT2"), NOON + HOUR + MINUTE, phone=BO)
    assert bos["action"] == "open"


def test_a6_4_who_tries_many_tails_is_slowed_at_the_cabinet(
    community: Community, session: Session
) -> None:
    hall.deposit(community, "YT1", NOON)
    at = NOON + HOUR
    for n in range(10):
        hall.pick_up(community, f"{n:06d}", at + n * SECOND, phone=f"1380000{n:04d}")
    slowed = hall.pick_up(community, hall.code(session, "YT1"), at + 11 * SECOND)
    assert slowed["reason"] == "slow-down"
    assert hall.pick_up(community, hall.code(session, "YT1"), at + 40 * SECOND)["action"] == "open"


def test_a_code_opens_at_its_own_cabinet_only(community: Community, session: Session) -> None:
    hall.add_cabinet(community, code="K2")
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    assert hall.pick_up(community, code, NOON + HOUR, cabinet="K2")["reason"] == "wrong-code"


def test_a_stale_code_opens_nothing(community: Community, session: Session) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    late = hall.pick_up(community, code, NOON + HOUR, now=NOON + HOUR + 3 * MINUTE)
    assert (late["action"], late["reason"]) == ("refuse", "replayed")


def test_the_code_is_nowhere_in_the_log_of_events(
    community: Community,
    session: Session,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    with caplog.at_level(logging.DEBUG):
        hall.pick_up(community, code, NOON + HOUR)
    sql = "SELECT raw, data::text, answer::text FROM device_event"
    kept = "".join(
        str(bytes(v) if isinstance(v, memoryview) else v)
        for row in hall.ask(session, sql)
        for v in row.values()
    )
    assert "phone_tail" in kept
    said = capfd.readouterr()
    for place in (kept, caplog.text, said.out, said.err):
        assert code not in place
    for place in (caplog.text, said.out, said.err):
        assert ANA not in place


@pytest.mark.parametrize("spelt", ['"c\\u006fde"', '"code" '])
def test_however_a_body_spells_it_the_code_is_not_kept(
    community: Community, session: Session, spelt: str
) -> None:
    hall.deposit(community, "YT1", NOON)
    code = hall.code(session, "YT1")
    body = json.dumps(
        {
            "event_id": "spelt",
            "type": "locker.pickup_requested",
            "occurred_at": (NOON + HOUR).isoformat(),
            "data": {"phone_tail": ANA[-4:], "code": code},
        }
    ).replace('"code"', spelt)
    with clock.at(NOON + HOUR):
        answer = community.client.post(
            "/api/v1/device-events",
            data=body.encode("utf-16") if spelt.endswith(" ") else body,
            headers=community.as_device("K1") | {"Content-Type": "application/json"},
        )
    assert answer.get_json()["decision"]["action"] == "open"
    [row] = hall.ask(session, "SELECT raw FROM device_event WHERE event_key = 'spelt'")
    for encoding in ("utf-8", "utf-16"):
        assert code not in bytes(row["raw"]).decode(encoding, "replace")


@pytest.mark.parametrize(
    ("field", "value"), [("phone_tail", "12a4"), ("code", ""), ("code", "1" * 17), ("code", 123456)]
)
def test_a_bad_attempt_is_named(community: Community, field: str, value: Any) -> None:
    said = {"phone_tail": "1111", "code": "123456"} | {field: value}
    answer = hall.say(community, "pickup_requested", NOON, status=422, **said)
    assert list(answer["errors"]) == [f"data.{field}"]
