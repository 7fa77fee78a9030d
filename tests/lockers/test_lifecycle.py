"""The life of a parcel: the table, and that no order of hearing changes it."""

from datetime import timedelta
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockers.lifecycle import (
    ENDED,
    Happening,
    Life,
    Phase,
    Step,
    life_of,
)
from tests.cast import NOON

MINUTE = timedelta(minutes=1)

STEPS = st.sampled_from(list(Step))
HAPPENINGS = st.builds(
    Happening,
    STEPS,
    st.integers(0, 8).map(lambda n: NOON + n * MINUTE),
    st.none(),
)


def told(*steps: Step) -> Life:
    """The life of a parcel to which these happened, a minute apart."""
    return life_of(Happening(step, NOON + n * MINUTE) for n, step in enumerate(steps))


def test_a_parcel_is_held_for_put_in_and_collected() -> None:
    life = told(Step.HELD, Step.DEPOSITED, Step.COLLECTED)
    assert life == Life(Phase.COLLECTED, None, NOON, NOON + MINUTE, NOON + 2 * MINUTE, anomalies=())


def test_an_overdue_parcel_is_reclaimed_and_returned() -> None:
    steps = (Step.HELD, Step.DEPOSITED, Step.OVERDUE, Step.RECLAIMED, Step.RETURNED)
    assert told(*steps).phase is Phase.RETURNED


def test_a_hold_that_ran_out_leaves_the_parcel_expected() -> None:
    life = told(Step.HELD, Step.RELEASED)
    assert (life.phase, life.takes_a_door) == (Phase.EXPECTED, False)


def test_a_deposit_just_after_the_hold_ran_out_counts() -> None:
    assert told(Step.HELD, Step.RELEASED, Step.DEPOSITED).phase is Phase.READY


def test_a_parcel_dropped_without_asking_is_an_exception_inside_its_door() -> None:
    life = told(Step.DEPOSITED)
    assert (life.phase, life.reason) == (Phase.EXCEPTION, "courier-no-scan")
    assert life.takes_a_door


def test_a_parcel_that_was_looked_at_and_put_back_is_refused_and_keeps_its_door() -> None:
    life = told(Step.HELD, Step.DEPOSITED, Step.COLLECTED, Step.REFUSED)
    assert (life.phase, life.reason, life.takes_a_door) == (Phase.EXCEPTION, "refused", True)
    assert life.ended_at is None


def test_what_was_collected_cannot_be_reclaimed() -> None:
    life = told(Step.HELD, Step.DEPOSITED, Step.COLLECTED, Step.RECLAIMED)
    assert (life.phase, life.anomalies) == (Phase.COLLECTED, ("reclaimed-after-collected",))


def test_what_was_reclaimed_cannot_be_collected() -> None:
    life = told(Step.HELD, Step.DEPOSITED, Step.RECLAIMED, Step.COLLECTED)
    assert (life.phase, life.anomalies) == (Phase.RECLAIMED, ("collected-after-reclaimed",))


def test_a_collection_whose_deposit_is_not_known_yet_is_an_anomaly_until_it_is() -> None:
    held, taken = Happening(Step.HELD, NOON), Happening(Step.COLLECTED, NOON + 2 * MINUTE)
    assert life_of([held, taken]).anomalies == ("deposit-unseen",)
    put = Happening(Step.DEPOSITED, NOON + MINUTE)
    assert life_of([held, taken, put]).anomalies == ()


@given(st.lists(HAPPENINGS, max_size=7), st.randoms())
def test_the_order_of_hearing_does_not_matter(known: list[Happening], chance: object) -> None:
    shuffled = list(known)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # Hypothesis's random
    assert life_of(shuffled) == life_of(known)


@given(st.lists(HAPPENINGS, max_size=7))
def test_hearing_everything_twice_changes_nothing_but_what_does_not_fit(
    known: list[Happening],
) -> None:
    once, twice = life_of(known), life_of([*known, *known])
    assert (once.phase, once.reason, once.deposited_at) == (
        twice.phase,
        twice.reason,
        twice.deposited_at,
    )


@given(st.lists(HAPPENINGS, max_size=9))
def test_whoever_ended_has_no_door_and_an_end(known: list[Happening]) -> None:
    life = life_of(known)
    assert (life.ended_at is not None) == (life.phase in ENDED)
    assert not (life.phase in ENDED and life.takes_a_door)
    assert (life.reason is not None) <= (life.phase is Phase.EXCEPTION)


@given(st.lists(HAPPENINGS, max_size=6))
def test_only_what_the_table_names_takes_a_parcel_out_of_its_end(known: list[Happening]) -> None:
    """What has ended ends otherwise only by being put back, given back, or never having ended."""
    life = life_of(known)
    if life.phase in ENDED and life.deposited_at:
        later = max(happening.at for happening in known) + MINUTE
        for step in set(Step) - {Step.REFUSED, Step.RETURNED}:
            assert life_of([*known, Happening(step, later)]).phase is life.phase


def test_what_happened_before_the_parcel_came_does_not_end_it() -> None:
    life = told(Step.COLLECTED, Step.HELD, Step.DEPOSITED)
    assert (life.phase, life.anomalies) == (Phase.READY, ("deposit-unseen",))
    assert life.ended_at is None


def test_an_exception_by_mistake_is_taken_back() -> None:
    life = told(Step.HELD, Step.DEPOSITED, Step.EXCEPTED, Step.RESTORED)
    assert (life.phase, life.reason, life.takes_a_door) == (Phase.READY, None, True)


def test_an_overdue_parcel_that_is_given_time_is_ready_again_and_can_be_overdue_again() -> None:
    steps = (Step.HELD, Step.DEPOSITED, Step.OVERDUE, Step.PROLONGED)
    assert told(*steps).phase is Phase.READY
    assert told(*steps, Step.OVERDUE).phase is Phase.OVERDUE


@pytest.mark.parametrize(
    "steps",
    [
        (Step.HELD, Step.DEPOSITED, Step.OVERDUE, Step.COLLECTED),
        (Step.HELD, Step.DEPOSITED, Step.REFUSED, Step.RECLAIMED),
        (Step.HELD, Step.RELEASED, Step.HELD, Step.DEPOSITED),
    ],
)
def test_every_order_of_a_whole_story_ends_the_same(steps: tuple[Step, ...]) -> None:
    story = [Happening(step, NOON + n * MINUTE) for n, step in enumerate(steps)]
    assert {life_of(order) for order in permutations(story)} == {life_of(story)}
