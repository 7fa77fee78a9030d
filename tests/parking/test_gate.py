"""Every reason the gate can give, as one table of facts."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.fees import Bill
from parking.gate import NEEDS_A_PERSON, REPEAT, Facts, FreeSpace, OpenStay, decide
from parking.plates import Plate
from parking.tariff import Tariff
from parking.texts import TEXTS, said
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
    permit_id=None,
    free_space=SPACE,
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
PERMITTED = inside(replace(BILL, free_until=NOON + HOUR), "permit")
LAPSED = inside(replace(BILL, free_until=NOON - HOUR / 2), "permit")
RICH = {"has_household": True, "balance_fen": 300}
POOR = {"has_household": True, "balance_fen": 299}

TABLE: dict[str, tuple[Facts, dict[str, Any], str, str]] = {
    "a visitor": (ENTRY, {}, "open", "walk-in"),
    "a permit": (ENTRY, {"permit_id": 5}, "open", "permit"),
    "a permit where no visitor may": (
        ENTRY,
        {"permit_id": 5, "takes_walk_ins": False, "has_tariff": False},
        "open",
        "permit",
    ),
    "a visitor where none may": (ENTRY, {"takes_walk_ins": False}, "hold", "no-right"),
    "a visitor without a price": (ENTRY, {"has_tariff": False}, "hold", "no-tariff"),
    "no space": (ENTRY, {"free_space": None}, "hold", "lot-full"),
    "no space for a permit": (ENTRY, {"free_space": None, "permit_id": 5}, "hold", "lot-full"),
    "blocked": (ENTRY, {"blocked": True}, "hold", "blocked"),
    "blocked in spite of a permit": (ENTRY, {"blocked": True, "permit_id": 5}, "hold", "blocked"),
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
    later = {"booking", "too-early", "replayed", "no-plate"}  # bookings to come; history; below
    assert {reason for *_, reason in TABLE.values()} | later == set(TEXTS)


@pytest.mark.parametrize("facts", [ENTRY, EXIT])
def test_without_a_plate_a_person_decides(facts: Facts) -> None:
    outcome = decide(replace(facts, stay=inside(), permit_id=5), None, NOON)
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
    permit_id=st.none() | st.just(5),
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
