"""Cells of files for spreadsheets."""

from hypothesis import given
from hypothesis import strategies as st

from core.spreadsheet import FORMULA, harmless


@given(cell=st.text() | st.sampled_from(FORMULA) | st.integers() | st.none())
def test_a_cell_is_harmless_and_says_the_same(cell: object) -> None:
    shown = harmless(cell)
    assert not shown.startswith(FORMULA)
    assert shown.removeprefix("'") == ("" if cell is None else str(cell)).removeprefix("'")
