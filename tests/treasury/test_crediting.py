"""How credits divide over incomes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasury.crediting import divided

INCOMES = st.dictionaries(
    st.sampled_from(("parking", "overstay", "electricity", "charging-service")),
    st.integers(-500, 5000),
    min_size=1,
)


@given(INCOMES, st.data())
def test_parts_sum_to_the_credit_and_take_no_more_than_there_is(
    charged: dict[str, int], data: st.DataObject
) -> None:
    total_fen = sum(charged.values())
    if total_fen <= 0:
        with pytest.raises(ValueError, match="a credit of"):
            divided(charged, 1)
        return
    amount_fen = data.draw(st.integers(1, total_fen))
    parts = divided(charged, amount_fen)
    assert sum(parts.values()) == -amount_fen
    assert all(0 < -fen <= charged[income] for income, fen in parts.items() if fen < 0)
    if amount_fen == total_fen:
        assert all(charged[income] + parts.get(income, 0) == 0 for income in charged)


def test_proportion_and_remainder() -> None:
    assert divided({"parking": 500, "overstay": 300}, 400) == {"overstay": -150, "parking": -250}
    assert divided({"parking": 1, "overstay": 1}, 1) == {"overstay": -1}
