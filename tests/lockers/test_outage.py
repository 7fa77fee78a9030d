"""A cabinet without a network opens by its list, and tells afterwards, in whatever order."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy.orm import Session

from core import clock
from ledger import proof
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.firmware import Firmware
from tests.lockers.hall import ANA, HOUR, MINUTE

TAIL = ANA[-4:]
FREE_ENDS = NOON + MINUTE + 18 * HOUR
LATE = NOON + 20 * HOUR
TAKEN = NOON + 31 * HOUR
"""13 hours beyond the free ones: two steps of half a yuan."""

BACK = NOON + 60 * HOUR
"""When the network is back."""

STORY = """
SELECT phase, reason, deposited_at, free_until, ended_at, fee_fen, due_at,
    (SELECT count(*) FROM pickup_code c WHERE c.parcel_id = p.id AND c.ended_at IS NULL) AS codes,
    (SELECT count(*) FROM pickup_code c WHERE c.parcel_id = p.id AND c.sealed IS NOT NULL) AS seals,
    (SELECT count(*) FROM compartment k WHERE k.parcel_id = p.id) AS doors,
    (SELECT state FROM compartment k WHERE k.id = p.compartment_id) AS door,
    (SELECT jsonb_agg(jsonb_build_array(kind, amount_fen, occurred_at) ORDER BY source, kind)
     FROM charge WHERE source_id = p.id AND source IN ('parcel', 'deposit')) AS charges,
    (SELECT jsonb_agg(reason ORDER BY reason) FROM exception_case x
     WHERE x.subject = 'parcel' AND x.subject_id = p.id AND x.resolved_at IS NULL) AS cases
FROM parcel p WHERE tracking_number = :waybill
"""

EVENTS = """
SELECT e.type, e.occurred_at, e.data ->> 'by' AS by FROM parcel_event e
JOIN parcel p ON p.id = e.parcel_id WHERE p.tracking_number = :waybill
"""


@pytest.fixture
def hall_k1(community: Community) -> Community:
    """Cabinet K1 stands in the hall."""
    hall.add_cabinet(community)
    return community


def cut_off(community: Community, code: str = "K1", at: datetime = NOON + 2 * MINUTE) -> Firmware:
    """The cabinet fetches its list, and then the network is down."""
    cabinet = Firmware(community.client, code, community.tokens[code])
    with clock.at(at):
        cabinet.install()
        assert cabinet.fetch() == 200
    return cabinet


def report(cabinet: Firmware, messages: list[dict[str, Any]], at: datetime = BACK) -> list[Any]:
    """The network is back, and the cabinet tells; what it is answered."""
    with clock.at(at):
        return [cabinet.report(message)["decision"] for message in messages]


def story(session: Session, waybill: str) -> dict[str, Any]:
    """All that is known of a parcel in the end; its events in no order.

    Its door's own are left out: they are told to whoever is known to lie there when we hear them.
    """
    [parcel] = hall.ask(session, STORY, waybill=waybill)
    events = Counter(
        tuple(row.values())
        for row in hall.ask(session, EVENTS, waybill=waybill)
        if row["type"] != "door.closed"
    )
    return {**parcel, "events": events}


def by_whom(session: Session, waybill: str, type_: str) -> list[str | None]:
    """Who did something to a parcel, as its events say."""
    events = hall.ask(session, EVENTS, waybill=waybill)
    return [row["by"] for row in events if row["type"] == type_]


def test_a_parcel_is_fetched_while_the_network_is_down(
    hall_k1: Community, session: Session
) -> None:
    number = hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1, at=LATE)
    code = hall.code(session, "YT1")
    assert cabinet.enter(TAIL, code, TAKEN) == number
    assert hall.phase(session, "YT1") == "ready"  # nobody has heard of it yet
    report(cabinet, cabinet.outbox)
    known = story(session, "YT1")
    assert (known["phase"], known["ended_at"]) == ("collected", TAKEN + timedelta(seconds=40))
    assert (known["codes"], known["seals"]) == (0, 0)
    assert (known["doors"], known["door"]) == (0, "free")
    assert known["fee_fen"] == 100  # as of when it was fetched; by now it would be 200
    assert known["cases"] is None
    assert by_whom(session, "YT1", "parcel.collected") == ["offline"]
    assert by_whom(session, "YT1", "door.opened") == []
    with clock.at(BACK):
        assert proof.verify(session).ok


def test_who_fetched_it_in_time_owes_nothing_though_the_message_came_late(
    hall_k1: Community, session: Session
) -> None:
    hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1)
    code = hall.code(session, "YT1")
    cabinet.enter(TAIL, code, FREE_ENDS - MINUTE)
    hall.sweep(FREE_ENDS + 12 * HOUR)  # meanwhile it was called overdue
    assert hall.phase(session, "YT1") == "overdue"
    report(cabinet, cabinet.outbox)
    known = story(session, "YT1")
    assert (known["phase"], known["fee_fen"], known["due_at"]) == ("collected", 0, None)


def test_the_old_code_and_the_one_given_meanwhile_are_both_dead(
    hall_k1: Community, session: Session
) -> None:
    hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1)
    old = hall.code(session, "YT1")
    [parcel] = hall.parcels(hall_k1, "ana", NOON + HOUR)
    with clock.at(NOON + HOUR):
        address = f"/api/v1/parcels/{parcel['id']}/code"
        answer = hall_k1.client.post(address, headers=hall_k1.as_person("ana"))
    assert answer.status_code == 200, answer.get_json()
    new = hall.code(session, "YT1")
    assert cabinet.enter(TAIL, new, NOON + 2 * HOUR) is None  # it has not heard of it
    assert cabinet.enter(TAIL, old, NOON + 2 * HOUR) == 4
    report(cabinet, cabinet.outbox)
    assert story(session, "YT1")["codes"] == 0
    for code in (old, new):
        decision = hall.pick_up(hall_k1, code, BACK)
        assert (decision["action"], decision["reason"]) == ("refuse", "wrong-code")


def test_attempts_told_later_open_nothing_and_are_no_guesses(
    hall_k1: Community, session: Session
) -> None:
    hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1)
    code = hall.code(session, "YT1")
    for _ in range(7):
        cabinet.enter(TAIL, "000000", NOON + HOUR)
    cabinet.enter(TAIL, code, NOON + HOUR)  # locked by now: nothing opens
    attempts = list(cabinet.outbox)
    assert {message["type"] for message in attempts} == {"locker.pickup_requested"}
    for at in (NOON + HOUR + MINUTE, BACK):  # at once, and long after
        decisions = report(cabinet, attempts, at)
        assert {(d["action"], d["reason"]) for d in decisions} == {("refuse", "replayed")}
    assert hall.doors(session) == {4: "occupied"}
    assert hall.pick_up(hall_k1, code, BACK)["action"] == "open"


def test_after_the_outage_the_code_works_no_more_and_the_door_is_used_again(
    hall_k1: Community, session: Session
) -> None:
    number = hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1)
    code = hall.code(session, "YT1")
    assert cabinet.enter(TAIL, code, NOON + HOUR) == number
    with clock.at(BACK):
        assert cabinet.fetch() == 200  # it reports first
    assert (cabinet.held or {})["codes"] == []
    assert cabinet.enter(TAIL, code, BACK + MINUTE) is None
    assert hall.deposit(hall_k1, "YT2", BACK + 2 * MINUTE) == number


def test_every_order_of_what_is_told_ends_the_same(hall_k1: Community, session: Session) -> None:
    endings = []
    for n, order in enumerate(permutations(range(4)), start=2):
        hall.add_cabinet(hall_k1, code=f"K{n}")
        waybill = f"YT{n}"
        number = hall.deposit(hall_k1, waybill, NOON, cabinet=f"K{n}")
        cabinet = cut_off(hall_k1, f"K{n}", LATE)
        code = hall.code(session, waybill)
        assert cabinet.enter(TAIL, "000000", TAKEN - MINUTE) is None
        assert cabinet.enter(TAIL, code, TAKEN) == number
        cabinet.remember("locker.door_closed", TAKEN + MINUTE, compartment=number)
        messages = [cabinet.outbox[place] for place in order]
        report(cabinet, messages)
        report(cabinet, messages[::-1], BACK + MINUTE)  # nobody had confirmed them
        endings.append(story(session, waybill))
    assert len(endings) == 24
    assert endings == [endings[0]] * 24
    assert (endings[0]["phase"], endings[0]["fee_fen"]) == ("collected", 100)


@pytest.mark.parametrize("collected_first", [False, True])
def test_a_parcel_reclaimed_before_is_a_case(
    hall_k1: Community, session: Session, *, collected_first: bool
) -> None:
    """The courier took it back, and yet somebody's code opened the door later on."""
    hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1, at=LATE)
    cabinet.remember("locker.parcel_reclaimed", TAKEN - HOUR, tracking_number="YT1")
    code = hall.code(session, "YT1")
    assert cabinet.enter(TAIL, code, TAKEN) == 4
    report(cabinet, cabinet.outbox[::-1] if collected_first else cabinet.outbox)
    known = story(session, "YT1")
    assert (known["phase"], known["ended_at"]) == ("reclaimed", TAKEN - HOUR)
    assert known["cases"] == ["collected-after-reclaimed"]
    assert (known["codes"], known["doors"]) == (0, 0)
    owed = "SELECT sum(charged_fen - paid_fen) AS fen FROM receivable WHERE source = 'parcel'"
    assert hall.ask(session, owed)[0]["fen"] in {None, 0}


def test_a_cabinet_that_holds_an_old_list_ends_in_the_same_case(
    hall_k1: Community, session: Session
) -> None:
    """It broke the rules: what it opened itself since it fetched its list is over."""
    hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1, at=LATE)
    code = hall.code(session, "YT1")
    hall.say(hall_k1, "reclaim_requested", LATE, tracking_number="YT1", courier="Y1")
    hall.say(hall_k1, "parcel_reclaimed", LATE + MINUTE, tracking_number="YT1")
    assert cabinet.enter(TAIL, code, TAKEN) == 4
    report(cabinet, cabinet.outbox)
    known = story(session, "YT1")
    assert (known["phase"], known["fee_fen"]) == ("reclaimed", None)
    assert known["cases"] == ["collected-after-reclaimed"]
    assert by_whom(session, "YT1", "parcel.collected") == ["offline"]


def test_a_courier_who_only_looked_has_not_taken_it(hall_k1: Community, session: Session) -> None:
    """Before the outage its courier had the door opened and left the parcel where it was."""
    hall.deposit(hall_k1, "YT1", NOON)
    asked = hall.say(hall_k1, "reclaim_requested", NOON + HOUR, tracking_number="YT1", courier="Y1")
    assert asked["decision"]["action"] == "open"
    hall.say(hall_k1, "door_closed", NOON + HOUR + MINUTE, compartment=4)
    cabinet = cut_off(hall_k1, at=LATE)
    code = hall.code(session, "YT1")
    assert cabinet.enter(TAIL, code, TAKEN) == 4
    report(cabinet, cabinet.outbox)
    known = story(session, "YT1")
    assert (known["phase"], known["fee_fen"]) == ("collected", 100)
    assert by_whom(session, "YT1", "parcel.collected") == ["offline"]


def test_a_door_opened_online_whose_parcel_was_told_of_offline(
    hall_k1: Community, session: Session
) -> None:
    """The code opened the door, then the network broke, then the parcel was taken out."""
    hall.deposit(hall_k1, "YT1", NOON)
    cabinet = cut_off(hall_k1)
    code = hall.code(session, "YT1")
    assert hall.pick_up(hall_k1, code, FREE_ENDS)["action"] == "open"
    cabinet.moved(4)
    cabinet.remember("locker.parcel_collected", FREE_ENDS + MINUTE, compartment=4)
    assert cabinet.enter(TAIL, code, FREE_ENDS + 2 * MINUTE) is None
    report(cabinet, cabinet.outbox)
    known = story(session, "YT1")
    assert (known["phase"], known["fee_fen"]) == ("collected", 0)
    assert by_whom(session, "YT1", "parcel.collected") == ["recipient"]
