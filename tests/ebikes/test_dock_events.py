"""The dock: what becomes of events that come twice, late, or in any order."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from ebikes import racks
from parking import tags
from parking.proof import chargings_are_charged, stays_are_charged
from tests.cast import NOON, Community, found_community
from tests.ebikes.rack import (
    CARD,
    STRANGER,
    add_rack,
    billed,
    cases,
    connect,
    measured,
    release,
    say,
)
from tests.flows.test_gate_day import top_up
from tests.races.crowd import at_once

HOURS, MINUTES, SECONDS = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
MUCH_LATER = NOON + 12 * HOURS


@pytest.fixture
def rack(community: Community) -> Community:
    """The cast with a rack beside the garage."""
    add_rack(community)
    return community


def test_a_repeat_within_ten_seconds_hears_the_same_and_later_nothing_opens(
    rack: Community,
) -> None:
    first = connect(rack, "EB-001", NOON, event_id="a")
    again = say(rack, "connected", "EB-001", NOON, now=NOON + 9 * SECONDS, event_id="a", tag=CARD)
    assert (again["duplicate"], again["decision"]) == (True, first)
    late = say(rack, "connected", "EB-001", NOON, now=NOON + 11 * SECONDS, event_id="a", tag=CARD)
    assert (late["decision"]["action"], late["decision"]["reason"]) == ("hold", "replayed")
    other = say(rack, "connected", "EB-002", NOON, event_id="a", tag=CARD, status=409)
    assert other["code"] == "event-id-reused"


def test_a_card_read_twice_by_the_same_dock_is_one_coming_and_one_leaving(rack: Community) -> None:
    first = connect(rack, "EB-001", NOON)
    assert connect(rack, "EB-001", NOON + 5 * SECONDS) == first
    assert connect(rack, "EB-001", NOON + 11 * SECONDS)["reason"] == "already-inside"
    gone = release(rack, "EB-001", NOON + MINUTES)
    assert release(rack, "EB-001", NOON + MINUTES + 5 * SECONDS) == gone
    assert release(rack, "EB-001", NOON + 2 * MINUTES)["reason"] == "unknown-stay"


def test_a_reading_is_charged_once_however_often_it_is_said(
    rack: Community, session: Session
) -> None:
    connect(rack, "EB-011", NOON)
    at = NOON + 5 * HOURS
    measured(rack, "EB-011", at, event_id="m")
    again = measured(rack, "EB-011", at, event_id="m", now=at + HOURS)
    assert (again["duplicate"], again["decision"]) == (True, None)
    measured(rack, "EB-011", at + MINUTES, event_id="n")
    assert billed(session) == [("charging", 1, 71)]
    assert cases(session) == ["charging-unknown"]


@pytest.mark.parametrize(
    ("energy_wh", "seconds"), [(10_001, 36_000), (500, 0), (9_000, 60), (10**9, 10**8)]
)
def test_what_no_ebike_can_take_waits_for_a_person(
    rack: Community, session: Session, energy_wh: int, seconds: int
) -> None:
    connect(rack, "EB-011", NOON)
    measured(rack, "EB-011", NOON + HOURS, energy_wh=energy_wh, seconds=seconds)
    assert billed(session) == []
    assert cases(session) == ["charging-implausible"]
    assert chargings_are_charged(session).ok


@pytest.mark.parametrize(
    "bad",
    [
        {"energy_wh": -1},
        {"energy_wh": 1.5},
        {"energy_wh": 10**9 + 1},
        {"seconds": -1},
        {"seconds": "60"},
    ],
)
def test_what_is_no_measure_is_refused(rack: Community, bad: dict[str, Any]) -> None:
    good: dict[str, Any] = {"energy_wh": 1, "seconds": 60, "stop_reason": "full"}
    refused = say(rack, "charging_ended", "EB-011", NOON, status=422, **good | bad)
    assert list(refused["errors"]) == [f"data.{next(iter(bad))}"]


def test_a_charging_beyond_the_longest_time_is_charged_and_shown(
    rack: Community, session: Session
) -> None:
    connect(rack, "EB-011", NOON)
    measured(rack, "EB-011", NOON + 601 * MINUTES, energy_wh=1000, seconds=36_060)
    assert billed(session) == [("charging", 1, 100)]
    assert cases(session) == ["charging-too-long"]


def test_a_reading_that_comes_after_the_release_is_charged_and_paid(
    rack: Community, session: Session
) -> None:
    top_up(rack, "ana", 1000)
    connect(rack, "EB-011", NOON)
    gone = release(rack, "EB-011", NOON + 5 * HOURS)
    assert gone["fee"]["total_fen"] == 50
    measured(rack, "EB-011", NOON + 4 * HOURS, now=MUCH_LATER)
    assert billed(session) == [("charging", 1, 71), ("stay", 1, 50)]
    paid = session.execute(text("SELECT source, amount_fen FROM payment ORDER BY id")).all()
    assert paid == [("stay", 50), ("charging", 71)]


def test_a_visit_told_late_leaves_alone_who_charges_there_now(
    rack: Community, session: Session
) -> None:
    connect(rack, "EB-011", MUCH_LATER - 2 * HOURS, tag=STRANGER)
    for name in ("released", "connected", "ended"):
        Visit(rack, CARD, NOON).tell(name)
    measured(rack, "EB-011", MUCH_LATER, energy_wh=500, seconds=7000)
    assert billed(session) == [("charging", 2, 121), ("stay", 1, 50)]
    assert cases(session) == []


def test_a_reading_of_an_earlier_stay_is_not_charged_to_the_next(
    rack: Community, session: Session
) -> None:
    connect(rack, "EB-011", NOON)
    release(rack, "EB-011", NOON + 30 * MINUTES)
    connect(rack, "EB-011", NOON + HOURS, tag=STRANGER)
    measured(rack, "EB-011", NOON + 20 * MINUTES, now=NOON + 2 * HOURS, energy_wh=200, seconds=900)
    owner = text("""
        SELECT s.plate FROM charge c JOIN charging ON charging.id = c.source_id
        JOIN stay s ON s.id = charging.stay_id WHERE c.source = 'charging'
    """)
    assert session.scalars(owner).all() == [CARD]


def test_a_release_before_its_coming_was_heard_opens_nothing(
    rack: Community, session: Session
) -> None:
    held = release(rack, "EB-001", NOON + 90 * SECONDS)
    assert (held["action"], held["reason"]) == ("hold", "unknown-stay")
    came = connect(rack, "EB-001", NOON + 30 * SECONDS, now=NOON + 95 * SECONDS)
    assert came["action"] == "open"
    assert release(rack, "EB-001", NOON + 100 * SECONDS)["reason"] == "nothing-due"


def test_a_coming_that_its_leaving_overtook_opens_nothing_and_completes_the_stay(
    rack: Community, session: Session
) -> None:
    release(rack, "EB-001", NOON + 60 * SECONDS, now=NOON + 70 * SECONDS, replayed=True)
    came = connect(rack, "EB-001", NOON, now=NOON + 75 * SECONDS)
    assert (came["action"], came["reason"]) == ("hold", "replayed")
    assert [s["status"] for s in rack.stays(CARD)] == ["closed"]


def test_a_reading_of_long_after_the_leaving_is_not_charged_to_who_left(
    rack: Community, session: Session
) -> None:
    connect(rack, "EB-011", NOON)
    release(rack, "EB-011", NOON + 30 * MINUTES)
    measured(rack, "EB-011", NOON + 33 * MINUTES, energy_wh=200, seconds=900)
    assert (billed(session), cases(session)) == ([], ["charging-unknown"])


def test_a_reading_that_waits_is_not_taken_for_a_visit_that_was_over(
    rack: Community, session: Session
) -> None:
    measured(rack, "EB-011", NOON + 9 * HOURS, now=MUCH_LATER, replayed=True)
    Visit(rack, CARD, NOON).tell("released")
    Visit(rack, CARD, NOON).tell("connected")
    assert billed(session) == [("stay", 1, 50)]
    assert cases(session) == ["charging-unknown"]


def test_a_late_coming_whose_spot_is_somebody_elses_now_is_shown(
    rack: Community, session: Session
) -> None:
    connect(rack, "EB-001", MUCH_LATER - HOURS, tag=STRANGER)
    late = connect(rack, "EB-001", NOON, now=MUCH_LATER)
    assert (late["action"], late["reason"]) == ("hold", "replayed")
    assert cases(session) == ["device-clock", "spot-taken"] or cases(session) == [
        "spot-taken",
        "device-clock",
    ]
    [stay] = rack.stays(CARD)
    assert (stay["status"], stay["space"]) == ("open", None)


def test_a_late_second_coming_to_the_same_spot_ends_the_first_and_keeps_the_spot(
    rack: Community, session: Session
) -> None:
    first = connect(rack, "EB-011", NOON)
    late = connect(rack, "EB-011", NOON + 3 * HOURS, now=MUCH_LATER, replayed=True)
    assert late["reason"] == "replayed"
    assert [(s["status"], s["space"]) for s in rack.stays(CARD)] == [
        ("exit-missing", "EB-011"),
        ("open", "EB-011"),
    ]
    assert cases(session) == ["exit-missing"]
    begun = session.execute(text("SELECT stay_id, ended_at IS NULL FROM charging ORDER BY id"))
    assert begun.all() == [(first["stay_id"], False), (late["stay_id"], True)]


def test_a_charging_left_open_by_hand_does_not_keep_the_next_from_charging(
    rack: Community, session: Session
) -> None:
    came = connect(rack, "EB-011", NOON)
    with clock.at(NOON + 2 * HOURS):
        closed = rack.client.post(
            f"/api/v1/stays/{came['stay_id']}/close",
            json={"reason": "gone"},
            headers=rack.as_person("olga"),
        )
    assert closed.status_code == 200
    assert connect(rack, "EB-011", NOON + 3 * HOURS, tag=STRANGER)["action"] == "open"
    measured(rack, "EB-011", NOON + 4 * HOURS, energy_wh=500, seconds=3600)
    assert billed(session) == [("charging", 1, 50), ("stay", 1, 50)]


def test_a_reading_told_sixteen_times_at_once_beside_its_release_is_charged_once(
    app: Flask, session: Session
) -> None:
    rack = found_community(app)
    add_rack(rack)
    top_up(rack, "ana", 1000)
    now = clock.now()
    connect(rack, "EB-011", now - 5 * HOURS)

    def said(type_: str, key: str, **data: Any) -> Callable[[FlaskClient], int]:
        body = {
            "event_id": key,
            "type": f"dock.{type_}",
            "occurred_at": now.isoformat(),
            "data": {"spot": "EB-011", **data},
        }

        def call(client: FlaskClient) -> int:
            sent = client.post("/api/v1/device-events", json=body, headers=rack.as_device("dock"))
            return sent.status_code

        return call

    reading = {"energy_wh": 710, "seconds": 15120, "stop_reason": "full"}
    calls = [said("charging_ended", "m", **reading) for _ in range(12)]
    calls += [said("released", "r", tag=CARD) for _ in range(4)]
    assert set(at_once(app, calls)) == {200}
    assert billed(session) == [("charging", 1, 71), ("stay", 1, 50)]
    assert session.scalar(text("SELECT sum(amount_fen) FROM payment")) == 121
    assert cases(session) == []
    assert chargings_are_charged(session).ok


@dataclass(frozen=True)
class Visit:
    """One e-bike's visit to EB-011, told by the dock long after."""

    rack: Community
    card: str
    came: datetime

    def tell(self, name: str) -> None:
        """One of the three events; always with the same key."""
        later: dict[str, Any] = {"now": self.came + 12 * HOURS, "event_id": f"{self.card}-{name}"}
        if name == "connected":
            connect(self.rack, "EB-011", self.came, tag=self.card, replayed=True, **later)
        elif name == "ended":
            measured(self.rack, "EB-011", self.came + 4 * HOURS, replayed=True, **later)
        else:
            left = self.came + 5 * HOURS
            release(self.rack, "EB-011", left, tag=self.card, replayed=True, **later)

    def check(self, session: Session) -> None:
        """One closed stay, one charging, each charged and paid once, no open question."""
        session.commit()
        [stay] = self.rack.stays(self.card)
        assert (stay["status"], stay["paid_fen"], stay["fee"]["total_fen"]) == ("closed", 50, 50)
        found = session.execute(text(OF_STAY), {"stay": stay["id"]}).all()
        ended = self.came + 4 * HOURS
        assert found == [(self.came, ended, 710, 15120, "full", 1, 71, 1, 71)]
        assert session.scalar(text("SELECT count(*) FROM space_claim WHERE live")) == 0
        assert cases(session) == []
        assert stays_are_charged(session).ok
        assert chargings_are_charged(session).ok


OF_STAY = """
SELECT c.started_at, c.ended_at, c.energy_wh, c.seconds, c.stop_reason,
    count(DISTINCT charge.id), sum(charge.amount_fen)::int,
    count(DISTINCT payment.id), sum(payment.amount_fen)::int
FROM charging c
LEFT JOIN charge ON charge.source = 'charging' AND charge.source_id = c.id
LEFT JOIN payment ON payment.source = 'charging' AND payment.source_id = c.id
WHERE c.stay_id = :stay GROUP BY c.id
"""
EVENTS = ("connected", "ended", "released")


@pytest.mark.parametrize("order", list(permutations(EVENTS)))
def test_the_order_in_which_a_visit_is_told_changes_nothing(
    rack: Community, session: Session, order: tuple[str, ...]
) -> None:
    top_up(rack, "ana", 1000)
    visit = Visit(rack, CARD, NOON)
    for name in order:
        visit.tell(name)
        visit.tell(name)
    visit.check(session)
    assert session.scalar(text("SELECT amount_fen FROM balance")) == 1000 - 121


@settings(max_examples=25)
@given(told=st.lists(st.sampled_from(EVENTS), max_size=6))
def test_whatever_was_told_before_telling_all_of_it_books_it_once(
    rack: Community, session: Session, told: list[str]
) -> None:
    number = session.scalar(text("SELECT count(*) FROM vehicle"))
    card = tags.card(f"CARD{number:04d}")
    assert card is not None
    atomic(racks.register_ebike, rack.households["ana"], card)
    visit = Visit(rack, card.text, NOON + number * timedelta(days=1))
    top_up(rack, "ana", 121, key=card.text)
    for name in (*told, *EVENTS):
        visit.tell(name)
    visit.check(session)
