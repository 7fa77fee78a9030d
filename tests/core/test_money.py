"""Shares of money: whole, fair, and the same for the same question."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.money import shares, yuan

FEN = st.integers(-(10**12), 10**12)
WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=8).filter(any)


@given(FEN, WEIGHTS)
def test_shares_sum_to_the_whole(total: int, weights: list[int]) -> None:
    assert sum(shares(total, weights)) == total


@given(FEN, WEIGHTS)
def test_no_share_is_a_whole_fen_away_from_what_is_fair(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    for share, weight in zip(shares(total, weights), weights, strict=True):
        assert abs(share * whole - total * weight) < whole


@given(FEN, WEIGHTS)
def test_nobody_without_weight_gets_anything(total: int, weights: list[int]) -> None:
    parts = shares(total, weights)
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if weight == 0)
    assert all(part * total >= 0 for part in parts)


@given(FEN, WEIGHTS)
def test_a_credit_mirrors_its_charge(total: int, weights: list[int]) -> None:
    assert shares(-total, weights) == [-part for part in shares(total, weights)]


@given(FEN, WEIGHTS, st.integers(1, 50))
def test_only_the_ratio_of_weights_counts(total: int, weights: list[int], factor: int) -> None:
    assert shares(total, [weight * factor for weight in weights]) == shares(total, weights)


@given(st.integers(0, 10**9), st.integers(1, 1_000), WEIGHTS)
def test_more_weight_never_gets_less(total: int, weight: int, others: list[int]) -> None:
    first, second, *_ = shares(total, [weight, weight + 1, *others])
    assert first <= second


def test_the_odd_fen_goes_to_the_earliest_of_equals() -> None:
    assert shares(100, [1, 1, 1]) == [34, 33, 33]
    assert shares(-100, [1, 1, 1]) == [-34, -33, -33]
    assert shares(5, [70, 30, 0]) == [4, 1, 0]


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [-1, 2], [1, -1]])
def test_weights_that_divide_nothing(weights: list[int]) -> None:
    with pytest.raises(ValueError, match="weights"):
        shares(100, weights)


@given(st.integers(-(10**12), 10**12))
def test_yuan_say_every_fen(fen: int) -> None:
    whole, _, cents = yuan(fen).partition(".")
    assert int(whole + cents) == fen
    assert len(cents) == 2
