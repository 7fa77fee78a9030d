"""What a hostile reader once got past the gate; each story ended otherwise then."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from ledger.proof import verify
from parking import rights
from parking.plates import Plate
from sharing import granting
from tests.cast import NOON, Community

VISITOR = "川C33333"
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


def reasons(community: Community) -> list[str]:
    answer = community.client.get("/api/v1/exceptions", headers=community.as_person("olga"))
    return [case["reason"] for case in answer.get_json()]


@pytest.mark.parametrize("entered", [True, False])
def test_a_replayed_exit_lets_nobody_out(community: Community, *, entered: bool) -> None:
    if entered:
        community.knock("entry", VISITOR, NOON - 3 * HOUR, now=NOON, replayed=True)
    community.knock("exit", VISITOR, NOON - 5 * SECOND, now=NOON, replayed=True)
    told = community.knock("exit", VISITOR, NOON)["decision"]
    assert (told["action"], told["reason"]) == ("hold", "unknown-stay")


def test_a_replayed_entry_lets_nobody_in(community: Community) -> None:
    community.knock("entry", VISITOR, NOON - 5 * SECOND, now=NOON, replayed=True)
    told = community.knock("entry", VISITOR, NOON)["decision"]
    assert (told["action"], told["reason"]) == ("hold", "already-inside")


def test_a_repeat_that_says_it_is_a_replay_is_not_obeyed(community: Community) -> None:
    community.knock("entry", VISITOR, NOON, event_id="one")
    again = community.knock("entry", VISITOR, NOON, event_id="one", replayed=True)
    assert (again["duplicate"], again["decision"]["action"]) == (True, "hold")


def test_a_car_read_again_while_leaving_hears_the_same(community: Community) -> None:
    community.knock("entry", VISITOR, NOON)
    first = community.knock("exit", VISITOR, NOON + 5 * MINUTE)["decision"]
    for again in (NOON + 5 * MINUTE + SECOND, NOON + 5 * MINUTE - SECOND):
        told = community.knock("exit", VISITOR, again, now=NOON + 5 * MINUTE + SECOND)["decision"]
        assert told == first


def test_a_superseded_stay_keeps_its_debt_and_reaches_an_operator(community: Community) -> None:
    community.knock("entry", VISITOR, NOON)
    asked = community.knock("exit", VISITOR, NOON + HOUR)["decision"]
    community.knock("entry", VISITOR, NOON + HOUR, now=NOON + 2 * HOUR, replayed=True)
    lost, _ = community.stays(VISITOR)
    assert (lost["status"], lost["fee"]["due_fen"]) == ("exit-missing", asked["fee"]["due_fen"])
    assert "exit-missing" in reasons(community)


def test_a_permit_renewed_while_parked_goes_on(community: Community) -> None:
    plate = Plate("川D44444", "blue")
    for start, end in ((-HOUR, HOUR), (HOUR / 2, 30 * 24 * HOUR)):
        atomic(
            granting.grant_permit,
            lot="B2",
            kind="monthly",
            plates=[plate],
            starts_at=NOON + start,
            ends_at=NOON + end,
        )
    community.knock("entry", plate.text, NOON)
    gone = community.knock("exit", plate.text, NOON + 5 * HOUR)["decision"]
    assert (gone["action"], gone["reason"], gone["fee"]["total_fen"]) == ("open", "permit", 0)


def test_a_fee_charged_too_long_is_explained_to_the_fen(community: Community) -> None:
    community.knock("entry", VISITOR, NOON)
    community.knock("exit", VISITOR, NOON + 3 * HOUR)
    left = NOON + 2 * HOUR
    community.knock("exit", VISITOR, left, now=NOON + 3 * HOUR + MINUTE, replayed=True)
    [stay] = community.stays(VISITOR)
    assert stay["status"] == "closed"
    assert sum(line["amount_fen"] for line in stay["fee"]["lines"]) == stay["fee"]["total_fen"]


def test_a_slow_entry_whose_exit_is_booked_completes_that_stay(community: Community) -> None:
    community.knock("exit", VISITOR, NOON - 10 * SECOND, now=NOON, replayed=True)
    told = community.knock("entry", VISITOR, NOON - MINUTE, now=NOON)["decision"]
    assert told["action"] == "hold"
    [stay] = community.stays(VISITOR)
    assert stay["status"] == "closed"


def test_a_wrong_clock_is_said_once_and_forgiven(community: Community) -> None:
    for number in range(3):
        at = NOON + number * SECOND
        community.knock("entry", f"川C0000{number}", at - 5 * MINUTE, now=at)
    assert reasons(community).count("device-clock") == 1

    def off() -> int | None:
        devices = community.client.get("/api/v1/devices", headers=community.as_person("olga"))
        [seen] = [d["clock_off_seconds"] for d in devices.get_json() if d["id"] == "entry"]
        return int(seen) if seen is not None else None

    assert off() == 300
    community.knock("entry", VISITOR, NOON + MINUTE)
    assert off() is None


def test_an_operator_ends_a_stay_whose_exit_nobody_saw(
    community: Community, session: Session
) -> None:
    stay_id = community.knock("entry", VISITOR, NOON)["decision"]["stay_id"]
    with clock.at(NOON + 5 * HOUR):
        where, headers = f"/api/v1/stays/{stay_id}/close", community.as_person("olga")
        body = {"exited_at": (NOON + HOUR).isoformat(), "reason": "出口相机断电"}
        late = {"exited_at": (NOON + 6 * HOUR).isoformat(), "reason": "x"}
        assert community.client.post(where, json=late, headers=headers).status_code == 422
        closed = community.client.post(where, json=body, headers=headers).get_json()
        assert (closed["status"], closed["fee"]["due_fen"]) == ("closed", 300)
        assert community.client.post(where, json=body, headers=headers).status_code == 409
    assert community.knock("entry", VISITOR, NOON + 6 * HOUR)["decision"]["action"] == "open"
    row = session.execute(text("SELECT closed_by, close_reason FROM stay WHERE status = 'closed'"))
    assert row.one().close_reason == "出口相机断电"


def test_a_resident_sees_the_stay_the_balance_paid(community: Community) -> None:
    community.knock("entry", VISITOR, NOON)
    atomic(rights.register_vehicle, community.households["ana"], Plate(VISITOR, "blue"))
    community.client.post(
        "/api/v1/balance/top-ups",
        json={"username": "ana", "amount_fen": 1000},
        headers=community.as_person("olga") | {"Idempotency-Key": "k"},
    )
    gone = community.knock("exit", VISITOR, NOON + HOUR)["decision"]
    assert gone["reason"] == "balance-charged"
    assert [stay["plate"] for stay in community.stays(as_name="ana")] == [VISITOR]


def test_the_proof_misses_no_stay(community: Community, session: Session) -> None:
    community.knock("entry", VISITOR, NOON)
    community.knock("exit", VISITOR, NOON + HOUR)
    community.knock("exit", VISITOR, NOON + 50 * MINUTE, now=NOON + 2 * HOUR, replayed=True)
    assert atomic(verify).checks["stays"].ok
    # A stay closed behind the gate's back, with a fee that was never charged.
    session.execute(
        text(
            'INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at,'
            " exited_at, fee_fen) SELECT lot_id, 'x', 'blue', status, \"right\", entered_at,"
            " exited_at, 700 FROM stay WHERE status = 'closed'"
        )
    )
    session.commit()
    check = atomic(verify).checks["stays"]
    assert (check.ok, check.detail.split(",")[0]) == (False, "1 stays differ")
