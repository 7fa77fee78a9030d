"""Movements told late and out of order end in the stays that really were."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.app import settings
from parking.timeline import REREAD, Place, Seen, place
from tariffs.tariff import Tariff, price
from tests.cast import NOON, RULES, Community

Movement = tuple[str, datetime]


@dataclass
class Stays:
    """The stays of one plate, kept as the database keeps them."""

    known: dict[int, Seen] = field(default_factory=dict)
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    def hear(self, direction: str, at: datetime) -> Place:
        found = place(direction, at, *self._neighbours(at))
        if found.abandoned:
            self._keep(replace(found.abandoned, status="exit-missing"))
        if found.place is Place.NEW_OPEN:
            self._keep(Seen(next(self.ids), "open", at, None))
        elif found.place is Place.NEW_EXIT_MISSING:
            self._keep(Seen(next(self.ids), "exit-missing", at, None))
        elif found.place is Place.NEW_ENTRY_MISSING:
            self._keep(Seen(next(self.ids), "entry-missing", None, at))
        elif found.place is Place.COMPLETE_NEXT and found.stay:
            self._keep(replace(found.stay, status="closed", entered_at=at))
        elif found.place is Place.COMPLETE_PREVIOUS and found.stay:
            self._keep(replace(found.stay, status="closed", exited_at=at))
        return found.place

    def pairs(self) -> list[tuple[datetime | None, datetime | None]]:
        return [(stay.entered_at, stay.exited_at) for stay in self._sorted()]

    def _keep(self, stay: Seen) -> None:
        self.known[stay.stay_id] = stay

    def _sorted(self) -> list[Seen]:
        return sorted(self.known.values(), key=lambda s: (start(s), s.stay_id))

    def _neighbours(self, at: datetime) -> tuple[Seen | None, Seen | None]:
        before = [stay for stay in self._sorted() if start(stay) <= at]
        after = [stay for stay in self._sorted() if start(stay) > at]
        return (before[-1] if before else None), (after[0] if after else None)


def start(stay: Seen) -> datetime:
    found = stay.entered_at or stay.exited_at
    assert found
    return found


GAPS = st.integers(int(REREAD.total_seconds()) + 1, 300_000).map(lambda s: timedelta(seconds=s))


@st.composite
def movements(draw: st.DrawFn, most_stays: int = 6) -> list[Movement]:
    """What truly happened: entries and exits of one plate in turn, well apart."""
    gaps = draw(
        st.lists(GAPS, min_size=2, max_size=2 * most_stays).filter(lambda g: len(g) % 2 == 0)
    )
    at, told = NOON, []
    for number, gap in enumerate(gaps):
        at += gap
        told.append(("exit" if number % 2 else "entry", at))
    return told


def interleaved(data: st.DataObject, told: list[Movement]) -> list[Movement]:
    """Some order of arrival in which each camera keeps its own."""
    entries = [m for m in told if m[0] == "entry"]
    exits = [m for m in told if m[0] == "exit"]
    order = data.draw(st.permutations([0] * len(entries) + [1] * len(exits)), label="order")
    queues = iter(entries), iter(exits)
    return [next(queues[camera]) for camera in order]


def truth(told: list[Movement]) -> list[tuple[datetime | None, datetime | None]]:
    return [(told[i][1], told[i + 1][1]) for i in range(0, len(told), 2)]


@given(st.data(), movements())
def test_any_interleaving_of_two_cameras_gives_the_true_stays(
    data: st.DataObject, told: list[Movement]
) -> None:
    stays = Stays()
    for direction, at in interleaved(data, told):
        assert stays.hear(direction, at) is not Place.CONFLICT
    assert stays.pairs() == truth(told)
    assert {stay.status for stay in stays.known.values()} == {"closed"}


@given(st.data(), movements(most_stays=1))
def test_one_stay_may_be_told_in_any_order(data: st.DataObject, told: list[Movement]) -> None:
    stays = Stays()
    for direction, at in data.draw(st.permutations(told)):
        stays.hear(direction, at)
    assert stays.pairs() == truth(told)


@given(st.data(), movements(), st.integers(0, int(REREAD.total_seconds())))
def test_a_movement_read_again_changes_nothing(
    data: st.DataObject, told: list[Movement], seconds: int
) -> None:
    stays = Stays()
    for direction, at in interleaved(data, told):
        stays.hear(direction, at)
    direction, at = data.draw(st.sampled_from(told))
    again = at + data.draw(st.sampled_from((-1, 1))) * timedelta(seconds=seconds)
    assert stays.hear(direction, again) is Place.SAME
    assert stays.pairs() == truth(told)


@given(st.data(), movements(), st.sets(st.integers(0, 11), max_size=4))
def test_what_was_never_seen_is_missing_and_spoils_no_other_stay(
    data: st.DataObject, told: list[Movement], lost: set[int]
) -> None:
    seen = [movement for number, movement in enumerate(told) if number not in lost]
    stays = Stays()
    for movement in seen:
        stays.hear(*movement)
    whole = {
        pair for number, pair in enumerate(truth(told)) if not {2 * number, 2 * number + 1} & lost
    }
    assert whole <= set(stays.pairs())
    heard = {at for pair in stays.pairs() for at in pair if at}
    assert heard == {at for _, at in seen}


def test_a_movement_inside_a_closed_stay_is_for_a_person() -> None:
    stays = Stays()
    for direction, hours in (("entry", 0), ("exit", 10)):
        stays.hear(direction, NOON + timedelta(hours=hours))
    assert stays.hear("entry", NOON + timedelta(hours=5)) is Place.CONFLICT
    assert stays.hear("exit", NOON + timedelta(hours=5)) is Place.CONFLICT


DAY = timedelta(hours=24)
TOLD: list[Movement] = [
    ("entry", NOON),
    ("exit", NOON + timedelta(hours=2, minutes=10)),
    ("entry", NOON + timedelta(hours=3)),
    ("exit", NOON + timedelta(hours=29)),
    ("entry", NOON + 2 * DAY),
    ("exit", NOON + 2 * DAY + timedelta(minutes=10)),
]
FEES = [600, 1500 + 1500, 0]
ORDERS = {
    "川C00001": [0, 1, 2, 3, 4, 5],
    "川C00002": [1, 0, 3, 2, 5, 4],
    "川C00003": [1, 3, 5, 0, 2, 4],
    "川C00004": [0, 2, 4, 1, 3, 5],
    "川C00005": [1, 0, 0, 3, 5, 3, 1, 2, 2, 4, 5, 0],
    "川C00006": [0, 2, 1, 4, 3, 5],
}


def test_replays_in_any_order_become_the_true_stays_priced_once(
    community: Community, session: Session
) -> None:
    now, reread = NOON + 5 * DAY, timedelta(seconds=20)
    for plate, order in ORDERS.items():
        for number in order:
            direction, at = TOLD[number]
            for event_id, seen_at in ((f"{plate}/{number}", at), (None, at + reread)):
                told = community.knock(
                    direction, plate, seen_at, event_id=event_id, now=now, replayed=True
                )
                decision = told["decision"]
                assert (decision["action"], decision["reason"]) == ("hold", "replayed")
    for plate in ORDERS:
        stays = sorted(community.stays(plate), key=lambda stay: str(stay["entered_at"]))
        times = [(s["status"], s["entered_at"], s["exited_at"]) for s in stays]
        assert times == [
            ("closed", TOLD[i][1].isoformat(), TOLD[i + 1][1].isoformat()) for i in (0, 2, 4)
        ], plate
        assert [stay["fee"]["total_fen"] for stay in stays] == FEES
    charged = session.execute(
        text(
            """
            SELECT s.fee_fen, count(c.id), coalesce(sum(c.amount_fen), 0) FROM stay s
            LEFT JOIN charge c ON c.source = 'stay' AND c.source_id = s.id GROUP BY s.id
            """
        )
    ).all()
    wanted = [(fee, int(fee > 0), fee) for fee in FEES * len(ORDERS)]
    assert sorted(map(tuple, charged)) == sorted(wanted)
    assert session.scalar(text("SELECT count(*) FROM space_claim WHERE live")) == 0


def test_the_expected_fees_are_the_tariffs(app: Flask) -> None:
    tariff = Tariff(1, 1, settings().zone, RULES)
    pairs = [(TOLD[i][1], TOLD[i + 1][1]) for i in (0, 2, 4)]
    assert [price(tariff, *pair).total_fen for pair in pairs] == FEES
