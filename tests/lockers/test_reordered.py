"""Cabinets' messages come late, twice and in any order: the end is the same."""

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from ledger import proof
from tests.cast import NOON, Community
from tests.lockers import hall
from tests.lockers.hall import HOUR, MINUTE


class Message(NamedTuple):
    """What a cabinet says of the parcel YT1, and how long after the request it happened."""

    type: str
    after: timedelta


STORIES = {
    "collected": (
        Message("parcel_deposited", MINUTE),
        Message("parcel_collected", 20 * HOUR),
    ),
    "left open and collected": (
        Message("parcel_deposited", MINUTE),
        Message("door_left_open", 2 * MINUTE),
        Message("door_closed", 5 * MINUTE),
        Message("parcel_collected", 31 * HOUR),
    ),
    "refused and reclaimed": (
        Message("parcel_deposited", MINUTE),
        Message("parcel_refused", HOUR),
        Message("parcel_reclaimed", 5 * HOUR),
    ),
    "put in again after giving up": (
        Message("delivery_cancelled", MINUTE),
        Message("parcel_deposited", 2 * MINUTE),
    ),
}
END = NOON + 40 * HOUR


def tell(community: Community, number: int, message: Message, at: datetime, key: str) -> None:
    """The cabinet catches up at `at` with what happened before, as a replay."""
    about: dict[str, Any] = {"compartment": number}
    if message.type.startswith(("parcel", "delivery")):
        about["tracking_number"] = "YT1"
    occurred = NOON + message.after
    hall.say(community, message.type, occurred, event_id=key, now=at, replayed=True, **about)


def ending(session: Session) -> dict[str, Any]:
    """All that matters in the end, without ids."""
    [parcel] = hall.ask(
        session,
        """SELECT phase, reason, deposited_at, ended_at, fee_fen, deposit_fee_fen,
                  compartment_id IS NOT NULL AS had_a_door FROM parcel""",
    )
    money = "SELECT source, kind, amount_fen, company FROM charge ORDER BY source, amount_fen"
    live = "SELECT count(*) AS n FROM pickup_code WHERE ended_at IS NULL"
    return {
        "parcel": parcel,
        "doors": hall.doors(session),
        "money": hall.ask(session, money),
        "codes": hall.ask(session, live),
        "cases": sorted(hall.cases(session)),
    }


def played(
    community: Community, session: Session, messages: list[tuple[str, Message]]
) -> dict[str, Any]:
    """A fresh parcel, then these messages in this order, all heard long afterwards."""
    session.rollback()
    hall.wipe(session)
    number = hall.request(community, "YT1", NOON)["compartment"]
    for n, (key, message) in enumerate(messages):
        tell(community, number, message, END + n * MINUTE, key)
    return ending(session)


@pytest.mark.parametrize("story", STORIES)
def test_every_order_ends_the_same(community: Community, session: Session, story: str) -> None:
    hall.add_cabinet(community)
    told = [(f"m{n}", message) for n, message in enumerate(STORIES[story])]
    endings = [played(community, session, list(order)) for order in permutations(told)]
    assert endings == [endings[0]] * len(endings)


@settings(max_examples=25)
@given(data=st.data())
def test_repeats_in_any_order_end_the_same(
    community: Community, session: Session, data: st.DataObject
) -> None:
    if "K1" not in community.tokens:
        hall.add_cabinet(community)
    story = STORIES[data.draw(st.sampled_from(sorted(STORIES)))]
    told = [(f"m{n}", message) for n, message in enumerate(story)]
    again = data.draw(st.lists(st.sampled_from(told), max_size=4))
    mixed = data.draw(st.permutations([*told, *again]))
    straight = played(community, session, told)
    assert played(community, session, mixed) == straight


def test_live_messages_end_where_replayed_ones_do(community: Community, session: Session) -> None:
    hall.add_cabinet(community)
    number = hall.deposit(community, "YT1", NOON)
    hall.collect(community, "YT1", NOON + 20 * HOUR)
    live = ending(session)
    story = [(f"m{n}", message) for n, message in enumerate(STORIES["collected"])]
    assert played(community, session, story[::-1]) == live
    assert number not in hall.doors(session)
    assert proof.verify(session).ok


def test_a_deposit_heard_after_its_door_was_given_to_another_waits_for_a_person(
    community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    number = hall.request(community, "YT1", NOON)["compartment"]
    hall.say(community, "delivery_cancelled", NOON + MINUTE, tracking_number="YT1")
    assert hall.deposit(community, "YT2", NOON + HOUR, courier="S1") == number
    late = {"tracking_number": "YT1", "compartment": number, "replayed": True}
    hall.say(community, "parcel_deposited", NOON + 2 * MINUTE, now=NOON + 2 * HOUR, **late)
    assert hall.phase(session, "YT1") == "exception"
    assert "compartment-conflict" in hall.cases(session)
    assert hall.doors(session) == {number: "occupied"}
    owner = """SELECT tracking_number FROM compartment k JOIN parcel p ON p.id = k.parcel_id"""
    assert hall.ask(session, owner) == [{"tracking_number": "YT2"}]


def test_a_parcel_dropped_without_a_scan_is_kept_and_shown(
    community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    dropped: dict[str, Any] = {"tracking_number": "ZT9", "compartment": 7}
    hall.say(community, "parcel_deposited", NOON, **dropped)
    assert hall.doors(session) == {7: "occupied"}
    assert hall.phase(session, "ZT9") == "exception"
    assert hall.cases(session) == ["courier-no-scan"]
    hall.say(community, "parcel_collected", NOON + HOUR, compartment=7)
    assert hall.phase(session, "ZT9") == "collected"
    assert hall.doors(session) == {}
    assert hall.ask(session, "SELECT * FROM charge") == []


def test_a_message_of_a_compartment_we_know_nothing_in_is_shown(
    community: Community, session: Session
) -> None:
    hall.add_cabinet(community)
    hall.say(community, "parcel_collected", NOON, compartment=9)
    hall.say(community, "door_fault", NOON, compartment=99)
    assert hall.cases(session) == ["collected-unknown", "unknown-compartment"]
