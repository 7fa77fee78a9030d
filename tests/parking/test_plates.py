"""Which texts are number plates, whatever the camera or the typist makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.plates import COLORS, NO_PLATE, PROVINCES, Plate, is_no_plate, normalise, parse

ENERGY = "ABCDEFGHJK"

LEGAL = [
    "川A12345", "京N8P8F8", "沪C0A0Z9", "粤BZZZZZ", "藏H00000", "新O12345",
    "川A1234挂", "川A1234学", "川A1234警", "沪O1234警",
    "粤Z1234港", "粤ZAB12澳",
    "使123456", "123456使", "224123领", "沪A1234领",
    "WJ12345", "WJ川12345", "WJ京1234X", "VA12345", "KA01234",
    "川A123应急", "民航A1234",
    *(f"沪A{energy}12345" for energy in ENERGY),
    *(f"沪A{energy}A2345" for energy in ENERGY),
    *(f"沪A12345{energy}" for energy in ENERGY),
]  # fmt: skip

ILLEGAL = [
    "川", "川A", "川A1234", "川A123456", "川A1234567", "A12345", "川112345", "川a12I45", "川A1234O",
    "台A12345", "川川A1234", "川AA1234挂挂", "挂A12345", "川A12345挂", "川A1234港", "川Z1234澳",
    "沪AL12345", "沪AI12345", "沪AO12345", "沪ADI2345", "沪AD6182A", "沪A1234A5", "沪A12345L",
    "使12345", "1234567使", "12345使", "使١٢٣٤٥٦", "川Aß1234", "川A1234٥", "WJ123", "WJ1234567",
    "V12345", "VA1234", "VA123456", "民航1234", "川A12应急", "川A12345应急",
    "川A12345'; DROP TABLE stay; --", "川A12345\n\x00", "<川A12345>", "川A12345川A12345",
    "🚗A12345", "\ud800A12345", "NaN", "null", "%E5%B7%9DA12345", "川A१२३४५",
]  # fmt: skip

WRITTEN = {
    "川a·12345": "川A12345",
    " 川A 12345 ": "川A12345",
    "川Ａ１２３４５": "川A12345",
    "川A•12345": "川A12345",
    "川A-12345": "川A12345",
    "沪a.d6182７": "沪AD61827",
    "使 123_456": "使123456",
}


@pytest.mark.parametrize("text", LEGAL)
def test_a_plate(text: str) -> None:
    plate = parse(text)
    assert plate
    assert str(plate) == text
    assert text[2:-1] not in plate.masked


@pytest.mark.parametrize("text", ILLEGAL)
def test_no_plate_at_all(text: str) -> None:
    assert parse(text) is None
    assert not is_no_plate(text), "a misread is not a car without a plate"


@pytest.mark.parametrize("written", WRITTEN)
def test_one_plate_however_it_is_written(written: str) -> None:
    assert parse(written, "blue") == parse(WRITTEN[written], "blue")
    assert normalise(written) == WRITTEN[written]


@pytest.mark.parametrize("text", [*NO_PLATE, "_无_", "No Plate", "unknown", "  ", " 无牌 ", "-"])
def test_a_car_without_a_plate(text: str) -> None:
    assert is_no_plate(text)
    assert parse(text) is None


def test_new_energy_is_green_whatever_the_camera_says() -> None:
    assert {parse("沪AD61827", color) for color in (*COLORS, "pink")} == {
        Plate("沪AD61827", "green")
    }


@pytest.mark.parametrize("color", [*COLORS, "pink", "", "blue' OR 1=1"])
def test_an_ordinary_plate_keeps_a_colour_we_know(color: str) -> None:
    plate = parse("川A12345", color)
    assert plate
    assert plate.color == (color if color in COLORS else "unknown")


@given(
    st.sampled_from(PROVINCES),
    st.text("ABCDEFGHJKLMNPQRSTUVWXYZ0123456789", min_size=5, max_size=5),
)
def test_every_ordinary_plate(province: str, body: str) -> None:
    assert parse(f"{province}A{body}")


@given(st.text(max_size=40), st.text(max_size=8))
def test_whatever_is_read_gives_a_plate_that_reads_the_same_or_none(text: str, color: str) -> None:
    plate = parse(text, color)
    if plate:
        assert plate.text == normalise(plate.text)
        assert parse(plate.text, plate.color) == plate
        assert len(plate.text) <= 9
        assert plate.text.isprintable()


@given(
    st.from_regex(r"(使\d{6}|\d{6}[使领]|WJ\d{5}|[A-Z]{3}\d{4}|民航[A-Z0-9]{5})", fullmatch=True)
)
def test_digits_are_the_ten_we_know(text: str) -> None:
    plate = parse(text)
    if plate:
        assert all(c.isascii() or "\u4e00" <= c <= "\u9fff" for c in plate.text)
