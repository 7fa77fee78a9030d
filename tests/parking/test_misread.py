"""What an operator is shown when a plate was misread, and that nobody else ever asks."""

import ast
import itertools
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.misread import suggestions
from parking.plates import PROVINCES, Plate
from tests.work import calls_of

ROOT = Path(__file__).parent.parent.parent
DECIDING = ["parking.access", "parking.gate", "parking.facts", "parking.history", "parking.fees"]
LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789"
plates = st.builds(
    lambda province, series: Plate(f"{province}A{series}", "blue"),
    st.sampled_from(PROVINCES),
    st.text(LETTERS, min_size=5, max_size=5) | st.from_regex(r"D[A-H][0-9]{4}", fullmatch=True),
)


def suggested(read: str, *known: str) -> list[str]:
    return [plate.text for plate in suggestions(read, [Plate(text, "blue") for text in known])]


# --- For whom


def imports(module: str) -> set[str]:
    """Our modules that a module names in an import, wherever in the file."""
    tree = ast.parse((ROOT / (module.replace(".", "/") + ".py")).read_text("utf-8"))
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in names if (ROOT / (name.replace(".", "/") + ".py")).exists()}


@pytest.mark.parametrize("module", DECIDING)
def test_nothing_that_opens_or_bills_comes_near_it(module: str) -> None:
    reached, ahead = set(), {module}
    while ahead:
        reached |= ahead
        ahead = set().union(*map(imports, ahead)) - reached
    assert len(reached) > 1, "the search follows imports"
    assert "parking.misread" not in reached


# --- What


@pytest.mark.parametrize(
    ("read", "true"),
    [
        ("川A1234S", "川A12345"),
        ("川AO2345", "川A02345"),  # the camera's O is on no plate
        ("川AI2345", "川A12345"),
        ("川AB2345", "川A82345"),
        ("粤A12345", "川A12345"),
        ("?A12345", "川A12345"),
        ("A12345", "川A12345"),
        ("川·a1234s", "川A12345"),
        ("沪AD1234S", "沪AD12345"),
        ("AD12345", "沪AD12345"),
        ("川A1234警", "川A1234学"),
    ],
)
def test_one_character_away(read: str, true: str) -> None:
    assert suggested(read, "京N8P8F8", true, "津B00000") == [true]


@pytest.mark.parametrize(
    "read",
    [
        "川A12345",
        "川A123",
        "川A1234",
        "川A123456",
        "川B12346",
        "12345",
        "",
        "无牌",
        "_无_",
        "x" * 500,
    ],
)
def test_the_same_two_characters_and_other_lengths_are_no_misread(read: str) -> None:
    assert suggested(read, "川A12345") == []


def test_an_unread_plate_is_no_misread_even_if_a_plate_is_called_so() -> None:
    assert suggested("无牌", "无照") == []


def test_look_alikes_come_first_then_the_province_then_the_rest() -> None:
    rest = ["川A12344", "川A1234K", "川A12945"]
    order = suggested("川A12345", *rest, "津A12345", "粤A12345", "川AL2345", "川A1234S")
    assert order == ["川A1234S", "川AL2345", "津A12345", "粤A12345", *rest]


@given(st.lists(plates, max_size=8), plates, st.integers(0, 7), st.sampled_from(LETTERS))
def test_every_plate_one_character_away_and_no_other(
    known: list[Plate], seen: Plate, at: int, character: str
) -> None:
    read = seen.text[:at] + character + seen.text[at + 1 :]
    found = suggestions(read, [*known, seen])

    def away(plate: Plate) -> int:
        pairs = itertools.zip_longest(read, plate.text)
        return sum(a != b for a, b in pairs)

    near = [plate for plate in (*known, seen) if away(plate) == 1 and len(plate.text) == len(read)]
    lost = [plate for plate in (*known, seen) if plate.text[1:] == read]
    assert sorted(found, key=str) == sorted(near + lost, key=str)


def test_five_thousand_plates_are_searched_with_little_work() -> None:
    known = [Plate(f"川{letter}{n:05}", "blue") for letter in "ABCDE" for n in range(1000)]
    for read in ("川A0000I", "A00001"):
        assert calls_of(partial(suggestions, read, known)) < 5 * len(known)
