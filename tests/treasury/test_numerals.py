"""Amounts in the characters of bills."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasury.numerals import DIGITS, in_words

VALUES = {char: value for value, char in enumerate(DIGITS)}
PLACES = {"拾": 10, "佰": 100, "仟": 1000}


@pytest.mark.parametrize(
    ("fen", "said"),
    [
        (1, "壹分"),
        (10, "壹角整"),
        (123, "壹元贰角叁分"),
        (1001, "壹拾元零壹分"),
        (10_000, "壹佰元整"),
        (140_950, "壹仟肆佰零玖元伍角整"),
        (600_714, "陆仟零柒元壹角肆分"),
        (1_640_902, "壹万陆仟肆佰零玖元零贰分"),
        (100_000_000_005, "壹拾亿元零伍分"),
        (100_050_000_000, "壹拾亿零伍拾万元整"),
    ],
)
def test_as_the_rules_write_it(fen: int, said: str) -> None:
    assert in_words(fen) == said


def read(said: str) -> int:
    """What the words say, in fen, read from the left."""
    yuan, _, rest = said.rpartition("元")
    whole = group = digit = 0
    for char in yuan:
        if char in VALUES:
            digit = VALUES[char]
        elif char in PLACES:
            group, digit = group + digit * PLACES[char], 0
        elif char == "万":
            whole, group, digit = whole + (group + digit) * 10_000, 0, 0
        else:
            whole, group, digit = (whole + group + digit) * 100_000_000, 0, 0
    fen = (whole + group + digit) * 100
    for char in rest:
        digit = VALUES.get(char, digit)
        fen += {"角": 10 * digit, "分": digit}.get(char, 0)
    return fen


@given(st.integers(1, 10**14 - 1))
def test_who_reads_it_gets_the_amount_back(fen: int) -> None:
    assert read(in_words(fen)) == fen
    assert "零零" not in in_words(fen)


@pytest.mark.parametrize("fen", [0, -1, 10**18])
def test_nothing_to_write(fen: int) -> None:
    with pytest.raises(ValueError, match="cannot be written"):
        in_words(fen)
