"""Every reason the gate can give, as one table of facts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.fees import Bill
from parking.gate import (
    NEEDS_A_PERSON,
    REPEAT,
    Facts,
    FreeSpace,
    HeldBooking,
    HeldPermit,
    OpenStay,
    decide,
)
from parking.permits import Right
from parking.plates import Plate
from parking.texts import TEXTS, said
from tariffs.tariff import Tariff
from tests.cast import NOON, RULES

PLATE = Plate("川A12345", "blue")
TARIFF = Tariff(1, 1, ZoneInfo("Asia/Shanghai"), RULES)
SPACE = FreeSpace(7, "B2-007")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

ENTRY = Facts(
    direction="entry",
    takes_walk_ins=True,
    has_tariff=True,
    blocked=False,
    permit=None,
    booked=None,
    free_space=SPACE,
    own_space_free=False,
    has_room=True,
    stay=None,
    left_at=None,
    left_reason="nothing-due",
    has_household=False,
    balance_fen=0,
)
EXIT = replace(ENTRY, direction="exit", free_space=None)
BILL = Bill(NOON - HOUR, TARIFF)


def inside(bill: Bill = BILL, right: str = "walk-in") -> OpenStay:
    return OpenStay(3, right, entered_live=True, bill=bill)


def came(ago: timedelta) -> OpenStay:
    return inside(Bill(NOON - ago, TARIFF))


PAID = replace(
    BILL, charged_fen=300, paid_fen=300, charged_at=NOON - 10 * MINUTE, moved_at=NOON - 10 * MINUTE
)
PERMITTED = inside(replace(BILL, rights=(Right(NOON - 9 * HOUR, NOON + HOUR),)), "permit")
LAPSED = inside(replace(BILL, rights=(Right(NOON - 9 * HOUR, NOON - HOUR / 2),)), "permit")
PERMIT = HeldPermit(5, holds_now=True, has_place=True, swap_minutes=0)
TAKEN = replace(PERMIT, has_place=False)
BOOKED_SPACE = FreeSpace(9, "B2-009")
BOOKING = HeldBooking(
    8,
    replaces_own_space=False,
    starts_at=NOON,
    early=15 * MINUTE,
    too_early=4 * HOUR,
    space=BOOKED_SPACE,
    ready=True,
)


def starting(after: timedelta, **changes: Any) -> dict[str, HeldBooking]:
    return {"booked": replace(BOOKING, starts_at=NOON + after, **changes)}


INSTEAD = replace(BOOKING, replaces_own_space=True)
RICH = {"has_household": True, "balance_fen": 300}
POOR = {"has_household": True, "balance_fen": 299}

TABLE: dict[str, tuple[Facts, dict[str, Any], str, str]] = {
    "a visitor": (ENTRY, {}, "open", "walk-in"),
    "a permit": (ENTRY, {"permit": PERMIT}, "open", "permit"),
    "a permit outside its hours": (
        ENTRY,
        {"permit": replace(PERMIT, holds_now=False)},
        "open",
        "walk-in",
    ),
    "a permit outside its hours where no visitor may": (
        ENTRY,
        {"permit": replace(PERMIT, holds_now=False), "takes_walk_ins": False},
        "hold",
        "no-right",
    ),
    "a permit whose place is taken": (ENTRY, {"permit": TAKEN}, "open", "walk-in"),
    "a permit whose place is taken, with a swap": (
        ENTRY,
        {"permit": replace(TAKEN, swap_minutes=30)},
        "open",
        "permit",
    ),
    "places kept for permits": (ENTRY, {"has_room": False}, "hold", "lot-full"),
    "places kept for this permit": (ENTRY, {"has_room": False, "permit": PERMIT}, "open", "permit"),
    "a booking": (ENTRY, {"booked": BOOKING}, "open", "booking"),
    "a booking in a lot that is full": (
        ENTRY,
        {"booked": BOOKING, "free_space": None, "has_room": False, "takes_walk_ins": False},
        "open",
        "booking",
    ),
    "a booking, blocked": (ENTRY, {"booked": BOOKING, "blocked": True}, "hold", "blocked"),
    "a booking, as early as allowed": (ENTRY, starting(15 * MINUTE), "open", "booking"),
    "a booking, earlier": (ENTRY, starting(16 * MINUTE), "hold", "too-early"),
    "a booking, hours earlier": (ENTRY, starting(4 * HOUR + 16 * MINUTE), "open", "walk-in"),
    "a booking, earlier, with a permit": (
        ENTRY,
        {**starting(HOUR), "permit": PERMIT},
        "open",
        "permit",
    ),
    "a booking, already begun": (ENTRY, starting(-HOUR), "open", "booking"),
    "a booking whose space is taken": (ENTRY, starting(-MINUTE, ready=False), "open", "booking"),
    "a booking whose space is taken, none left": (
        ENTRY,
        {**starting(-MINUTE, ready=False), "free_space": None},
        "hold",
        "lot-full",
    ),
    "a booking, early, its space not free yet": (
        ENTRY,
        {**starting(MINUTE, ready=False), "free_space": None},
        "hold",
        "too-early",
    ),
    "an owner whose space is taken": (
        ENTRY,
        {"booked": INSTEAD, "permit": PERMIT, "free_space": None},
        "open",
        "permit",
    ),
    "an owner whose space is free again": (
        ENTRY,
        {"booked": INSTEAD, "permit": PERMIT, "own_space_free": True},
        "open",
        "permit",
    ),
    "a permit where no visitor may": (
        ENTRY,
        {"permit": PERMIT, "takes_walk_ins": False, "has_tariff": False},
        "open",
        "permit",
    ),
    "a visitor where none may": (ENTRY, {"takes_walk_ins": False}, "hold", "no-right"),
    "a visitor without a price": (ENTRY, {"has_tariff": False}, "hold", "no-tariff"),
    "no space": (ENTRY, {"free_space": None}, "hold", "lot-full"),
    "no space for a permit": (ENTRY, {"free_space": None, "permit": PERMIT}, "hold", "lot-full"),
    "blocked": (ENTRY, {"blocked": True}, "hold", "blocked"),
    "blocked in spite of a permit": (ENTRY, {"blocked": True, "permit": PERMIT}, "hold", "blocked"),
    "read again in the lane": (ENTRY, {"stay": came(REPEAT)}, "open", "walk-in"),
    "read again, the lot now full": (
        ENTRY,
        {"stay": came(MINUTE / 60), "free_space": None},
        "open",
        "walk-in",
    ),
    "inside already": (ENTRY, {"stay": came(REPEAT + MINUTE / 60)}, "hold", "already-inside"),
    "inside since later": (ENTRY, {"stay": came(-MINUTE)}, "hold", "already-inside"),
    "inside and blocked": (ENTRY, {"stay": came(HOUR), "blocked": True}, "hold", "already-inside"),
    "owing": (EXIT, {"stay": inside()}, "hold", "payment-due"),
    "owing, with a balance": (EXIT, {"stay": inside(), **RICH}, "open", "balance-charged"),
    "owing, a fen short": (EXIT, {"stay": inside(), **POOR}, "hold", "payment-due"),
    "a balance of nobody": (EXIT, {"stay": inside(), "balance_fen": 999}, "hold", "payment-due"),
    "paid": (EXIT, {"stay": inside(PAID)}, "open", "paid"),
    "paid, still leaving": (EXIT, {"stay": inside(PAID), **RICH}, "open", "paid"),
    "paid long ago": (
        EXIT,
        {
            "stay": inside(
                replace(
                    PAID, entered_at=NOON - 3 * HOUR, charged_at=NOON - HOUR, moved_at=NOON - HOUR
                )
            )
        },
        "hold",
        "payment-due",
    ),
    "within the free minutes": (EXIT, {"stay": came(15 * MINUTE)}, "open", "nothing-due"),
    "beyond the free minutes": (EXIT, {"stay": came(16 * MINUTE)}, "hold", "payment-due"),
    "without a price": (EXIT, {"stay": inside(Bill(NOON - HOUR, None))}, "open", "nothing-due"),
    "with a permit": (EXIT, {"stay": PERMITTED}, "open", "permit"),
    "a permit that lapsed": (EXIT, {"stay": LAPSED}, "hold", "payment-due"),
    "blocked, leaving": (EXIT, {"stay": came(MINUTE), "blocked": True}, "open", "nothing-due"),
    "never seen": (EXIT, {}, "hold", "unknown-stay"),
    "read again while leaving": (EXIT, {"left_at": NOON - REPEAT}, "open", "nothing-due"),
    "read again a moment earlier": (EXIT, {"left_at": NOON + REPEAT}, "open", "nothing-due"),
    "seen leaving only by a replay": (
        EXIT,
        {"left_at": NOON, "left_reason": None},
        "hold",
        "unknown-stay",
    ),
    "left a while ago": (EXIT, {"left_at": NOON - REPEAT - MINUTE}, "hold", "unknown-stay"),
    "left in the future": (EXIT, {"left_at": NOON + MINUTE}, "hold", "unknown-stay"),
}


@pytest.mark.parametrize("name", TABLE)
def test_the_gates_answer(name: str) -> None:
    facts, changes, action, reason = TABLE[name]
    outcome = decide(replace(facts, **changes), PLATE, NOON)
    assert (outcome.action, outcome.reason) == (action, reason)


def test_the_table_knows_every_reason_of_now() -> None:
    elsewhere = {"replayed", "no-plate"}  # history, and below
    assert {reason for *_, reason in TABLE.values()} | elsewhere == set(TEXTS)


def test_a_booking_gets_its_own_space_and_another_when_that_is_taken() -> None:
    ready = decide(replace(ENTRY, booked=BOOKING), PLATE, NOON)
    assert (ready.space, ready.booking_id, ready.permit_id) == (BOOKED_SPACE, 8, None)
    taken = decide(replace(ENTRY, booked=replace(BOOKING, ready=False)), PLATE, NOON)
    assert (taken.space, taken.booking_id) == (SPACE, 8)


def test_an_owner_gets_the_replacement_only_while_the_own_space_is_taken() -> None:
    facts = replace(ENTRY, booked=INSTEAD, permit=PERMIT)
    outcome = decide(facts, PLATE, NOON)
    assert (outcome.space, outcome.booking_id, outcome.permit_id) == (BOOKED_SPACE, 8, 5)
    outcome = decide(replace(facts, own_space_free=True), PLATE, NOON)
    assert (outcome.space, outcome.booking_id, outcome.permit_id) == (SPACE, None, 5)


def test_a_permit_that_holds_later_is_remembered_and_a_taken_one_is_not() -> None:
    later = decide(replace(ENTRY, permit=replace(PERMIT, holds_now=False)), PLATE, NOON)
    assert (later.reason, later.permit_id) == ("walk-in", 5)
    assert decide(replace(ENTRY, permit=TAKEN), PLATE, NOON).permit_id is None


def test_a_swap_is_covered_for_its_minutes_only() -> None:
    swap = decide(replace(ENTRY, permit=replace(TAKEN, swap_minutes=30)), PLATE, NOON)
    assert swap.swap_until == NOON + 30 * MINUTE
    assert decide(replace(ENTRY, permit=PERMIT), PLATE, NOON).swap_until is None


@pytest.mark.parametrize("facts", [ENTRY, EXIT])
def test_without_a_plate_a_person_decides(facts: Facts) -> None:
    outcome = decide(replace(facts, stay=inside(), permit=PERMIT), None, NOON)
    assert (outcome.action, outcome.reason, outcome.needs_a_person) == ("hold", "no-plate", True)
    assert (outcome.opens_stay, outcome.closes_stay, outcome.fee) == (False, False, None)


def test_an_entry_takes_the_free_space_and_owes_nothing_yet() -> None:
    outcome = decide(ENTRY, PLATE, NOON)
    assert (outcome.opens_stay, outcome.space, outcome.fee) == (True, SPACE, None)


def test_a_balance_pays_exactly_what_is_due() -> None:
    facts = replace(EXIT, stay=inside(), has_household=True, balance_fen=10_000)
    outcome = decide(facts, PLATE, NOON)
    assert outcome.fee
    assert (outcome.pay_from_balance_fen, outcome.fee.due_fen, outcome.fee.total_fen) == (
        300,
        0,
        300,
    )
    assert outcome.asked_fen == 300


FACTS = st.builds(
    Facts,
    direction=st.sampled_from(["entry", "exit"]),
    takes_walk_ins=st.booleans(),
    has_tariff=st.booleans(),
    blocked=st.booleans(),
    permit=st.none()
    | st.builds(HeldPermit, st.just(5), st.booleans(), st.booleans(), st.sampled_from([0, 30])),
    booked=st.none()
    | st.builds(
        replace,
        st.just(BOOKING),
        starts_at=st.integers(-60, 600).map(lambda minutes: NOON + minutes * MINUTE),
        ready=st.booleans(),
        replaces_own_space=st.booleans(),
    ),
    own_space_free=st.booleans(),
    has_room=st.booleans(),
    free_space=st.none() | st.just(SPACE),
    stay=st.none()
    | st.builds(came, st.integers(-60, 200_000).map(lambda seconds: timedelta(seconds=seconds)))
    | st.sampled_from([inside(PAID), PERMITTED, LAPSED]),
    left_at=st.none() | st.integers(-60, 60).map(lambda s: NOON + timedelta(seconds=s)),
    left_reason=st.sampled_from([None, "paid", "nothing-due", "permit"]),
    has_household=st.booleans(),
    balance_fen=st.integers(0, 5_000),
)


@given(FACTS, st.none() | st.just(PLATE))
def test_every_answer_makes_sense(facts: Facts, plate: Plate | None) -> None:
    outcome = decide(facts, plate, NOON)
    assert outcome.action in ("open", "hold")
    assert outcome.reason in TEXTS
    assert outcome.opens_stay <= (outcome.action == "open" and facts.direction == "entry")
    assert outcome.closes_stay <= (outcome.action == "open" and facts.direction == "exit")
    assert outcome.needs_a_person == (outcome.reason in NEEDS_A_PERSON)
    assert outcome.needs_a_person <= (outcome.action == "hold")
    assert outcome.pay_from_balance_fen <= facts.balance_fen * facts.has_household
    if outcome.closes_stay:
        assert outcome.fee
        assert outcome.fee.due_fen == 0
    if facts.direction == "exit" and outcome.action == "hold" and facts.stay and plate:
        assert outcome.fee
        assert outcome.fee.due_fen > 0


@pytest.mark.parametrize("reason", TEXTS)
def test_every_reason_can_be_read_and_heard(reason: str) -> None:
    lines, voice = said(reason, "川A12345", 12_345)
    assert lines[0] == "川A12345"
    assert "{" not in "".join([*lines, voice])
    assert voice or reason == "replayed"
    assert ("123.45" in lines[1]) == (reason in ("payment-due", "balance-charged"))
    for line in [*lines, voice]:
        assert len(line.encode("gbk")) <= 32, "fits the board"
