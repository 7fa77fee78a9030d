"""Which texts are number plates, whatever the camera or the typist makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parking.plates import (
    COLORS,
    NEW_ENERGY,
    NO_PLATE,
    PROVINCES,
    Kind,
    Plate,
    PlateClass,
    classify,
    is_no_plate,
    normalise,
    parse,
)

ENERGY = "ABCDEFGHJK"

KINDS = {
    "ordinary": [
        "川A12345",
        "京N8P8F8",
        "沪C0A0Z9",
        "粤BZZZZZ",
        "藏H00000",
        "新O12345",
        "粤Z12345",
    ],
    "new-energy-small": [
        *(f"沪A{energy}12345" for energy in ENERGY),
        *(f"沪A{energy}A2345" for energy in ENERGY),
    ],
    "new-energy-large": [f"沪A12345{energy}" for energy in ENERGY],
    "trailer": ["川A1234挂", "川AB2C4挂"],
    "learner": ["川A1234学"],
    "police": ["川A1234警", "沪O1234警"],
    "consulate": ["224123领", "沪A1234领"],
    "embassy": ["使123456", "123456使"],
    "hong-kong": ["粤Z1234港", "粤ZAB12港"],
    "macau": ["粤Z1234澳", "粤ZAB12澳"],
    "emergency": ["川A123应急", "川X8000应急"],
    "armed-forces": ["WJ12345", "WJ川12345", "WJ京1234X", "VA12345", "KA01234"],
    "civil-aviation": ["民航A1234"],
    "temporary": ["川A1234临", "川A12345临"],
}
LEGAL = [text for texts in KINDS.values() for text in texts]

ILLEGAL = [
    "川", "川A", "川A1234", "川A123456", "川A1234567", "A12345", "川112345", "川a12I45", "川A1234O",
    "台A12345", "川川A1234", "川AA1234挂挂", "挂A12345", "川A12345挂", "川A1234港", "川Z1234澳",
    "沪AL12345", "沪AI12345", "沪AO12345", "沪ADI2345", "沪AD6182A", "沪A1234A5", "沪A12345L",
    "使12345", "1234567使", "12345使", "使١٢٣٤٥٦", "川Aß1234", "川A1234٥", "WJ123", "WJ1234567",
    "V12345", "VA1234", "VA123456", "民航1234", "川A12应急", "川A12345应急",
    "川A12345'; DROP TABLE stay; --", "川A12345\n\x00", "<川A12345>", "川A12345川A12345",
    "川I12345", "川IA12345", "沪AD123456", "沪AID2345", "川A1234O警", "川A12I4挂",
    "京Z1234港", "粤A1234澳", "川A123临", "川A123456临", "D川A12345",
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


@pytest.mark.parametrize(
    "text", [*sorted(NO_PLATE), "_无_", "No Plate", "unknown", "  ", " 无牌 ", "-"]
)
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


# --- Which class


@pytest.mark.parametrize(("kind", "text"), [(kind, t) for kind in KINDS for t in KINDS[kind]])
def test_every_kind_is_told_by_its_text(kind: str, text: str) -> None:
    plate = parse(text)
    assert plate
    found = classify(plate)
    assert found.kind == kind
    assert found.new_energy == kind.startswith("new-energy")
    assert (found.vehicle_class == "large") == (kind in {"new-energy-large", "trailer"})


def test_there_is_a_case_for_every_kind() -> None:
    assert {*KINDS, "none"} == set(Kind)


@pytest.mark.parametrize(
    ("text", "color", "vehicle_class"),
    [
        ("川A12345", "blue", "small"),
        ("川A12345", "yellow", "large"),
        ("川A12345", "unknown", "small"),
        ("川A12345", "black", "small"),
        ("川A1234学", "yellow", "small"),  # learners' plates are yellow on small vehicles too
        ("川A1234挂", "unknown", "large"),
        ("沪AD12345", "yellow", "small"),  # yellow is a misread: the text says small
        ("沪A12345D", "blue", "large"),
        ("WJ12345", "white", "small"),
    ],
)
def test_size_follows_colour_and_text(text: str, color: str, vehicle_class: str) -> None:
    plate = parse(text, color)
    assert classify(plate).vehicle_class == vehicle_class


def test_a_vehicle_without_a_plate_has_a_class_too() -> None:
    none = PlateClass(Kind.NONE, "small", new_energy=False)
    assert classify(None) == none
    assert classify(Plate("EB-0017", "unknown")) == none


@given(
    st.sampled_from(PROVINCES),
    st.sampled_from("ABCDEFGHJKLMNOPQRSTUVWXYZ"),
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=5, max_size=6),
    st.sampled_from(COLORS),
)
def test_seven_characters_are_never_new_energy_and_eight_are_nothing_else(
    province: str, authority: str, series: str, color: str
) -> None:
    plate = parse(f"{province}{authority}{series}", color)
    if plate is None:
        return
    assert not set(series) & {"I", "O"}
    found = classify(plate)
    assert found.new_energy == (len(series) == 6) == (found.kind in NEW_ENERGY)
    if found.kind is Kind.NEW_ENERGY_SMALL:
        assert series[0] in ENERGY
        assert series[2:].isdigit()
    if found.kind is Kind.NEW_ENERGY_LARGE:
        assert series[-1] in ENERGY
        assert series[:5].isdigit()
