"""What charging costs: two prices, each rounded once, and what is not believed."""

from datetime import timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ebikes.charging import (
    ELECTRICITY,
    MOST_WATTS,
    MOST_WH,
    SERVICE,
    EnergyFee,
    energy_fee,
    half_up,
    implausible,
    too_long,
)
from parking import plates, tags
from tariffs.rules import Energy
from tests.cast import NOON

ZONE = ZoneInfo("Asia/Shanghai")
PRICES = Energy(electricity_fen_per_kwh=60, service_fen_per_kwh=40, longest_minutes=600)


def fee(energy_wh: int, electricity: int = 60, service: int = 40) -> EnergyFee:
    prices = Energy(electricity, service, 600)
    until = NOON + timedelta(hours=4)
    return energy_fee(prices, energy_wh, NOON, until, tariff="tariff:3v2", zone=ZONE)


# By hand: 710 Wh is 0.71 kWh; x 60 = 42.6 -> 43 fen, x 40 = 28.4 -> 28 fen. 1000 Wh is exact.
# 25 Wh x 60 = 1.5 -> 2 (a half goes up), x 40 = 1.0. 8 Wh x 60 = 0.48 -> 0, x 40 = 0.32 -> 0.
@pytest.mark.parametrize(
    ("energy_wh", "electricity_fen", "service_fen"),
    [(0, 0, 0), (8, 0, 0), (25, 2, 1), (710, 43, 28), (1000, 60, 40), (9999, 600, 400)],
)
def test_electricity_and_service_are_rounded_each_by_itself(
    energy_wh: int, electricity_fen: int, service_fen: int
) -> None:
    found = fee(energy_wh)
    assert found.parts == {ELECTRICITY: electricity_fen, SERVICE: service_fen}
    assert found.total_fen == electricity_fen + service_fen


def test_a_line_says_interval_energy_price_and_rule() -> None:
    electricity, service = (line.as_json() for line in fee(710).lines)
    assert electricity == {
        "label": "电费 0.71度",
        "from": "2026-11-23T12:00:00+08:00",
        "to": "2026-11-23T16:00:00+08:00",
        "units": 710,
        "unit": "Wh",
        "per_units": 1000,
        "unit_fen": 60,
        "amount_fen": 43,
        "rule": "tariff:3v2/electricity",
    }
    assert (service["label"], service["rule"]) == (
        "充电服务费 0.71度",
        "tariff:3v2/charging-service",
    )


@given(st.integers(0, MOST_WH), st.integers(0, 1000), st.integers(0, 1000))
def test_no_line_is_further_off_than_half_a_fen(wh: int, electricity: int, service: int) -> None:
    for line, price in zip(
        fee(wh, electricity, service).lines, (electricity, service), strict=True
    ):
        exact = Fraction(wh * price, 1000)
        assert -Fraction(1, 2) < line.amount_fen - exact <= Fraction(1, 2)


@given(st.integers(0, 10**9), st.integers(1, 10**6))
def test_a_half_goes_up(numerator: int, denominator: int) -> None:
    assert half_up(numerator, denominator) == Fraction(numerator, denominator) // 1 + (
        Fraction(numerator, denominator) % 1 >= Fraction(1, 2)
    )


@pytest.mark.parametrize(
    ("energy_wh", "seconds", "wrong"),
    [
        (0, 0, False),
        (710, 15120, False),
        (MOST_WH, 36_000, False),
        (MOST_WH + 1, 36_000, True),
        (1, 0, True),
        (500, 60, True),
        (MOST_WATTS, 3600, False),
        (MOST_WATTS + 1, 3600, True),
    ],
)
def test_what_no_ebike_can_take_is_not_believed(energy_wh: int, seconds: int, wrong: bool) -> None:
    assert implausible(energy_wh, seconds) is wrong


def test_the_longest_time_is_still_allowed() -> None:
    assert not too_long(PRICES, 600 * 60)
    assert too_long(PRICES, 600 * 60 + 1)


@pytest.mark.parametrize(
    ("read", "text"),
    [
        ("5DC0917A", "5DC0917A"),
        ("5d:c0:91:7a", "5DC0917A"),
        ("04-a1-7c-3e-11-22-33", "04A17C3E112233"),
    ],
)
def test_a_card_is_its_uid_however_the_reader_writes_it(read: str, text: str) -> None:
    card = tags.card(read)
    assert card is not None
    assert (card.text, card.color) == (text, "tag")


@pytest.mark.parametrize("read", ["", "12345", "卡5DC0917A", "5DC0917A!", "A" * 33, "川A12345"])
def test_what_is_no_uid_is_no_card(read: str) -> None:
    assert tags.card(read) is None


@pytest.mark.parametrize(
    ("read", "text"),
    [
        ("川012345", "川012345"),
        ("a 1234", "A1234"),
        ("沪Ａ1234567", "沪A1234567"),
        ("1234", "1234"),
    ],
)
def test_an_ebikes_plate_has_no_national_layout(read: str, text: str) -> None:
    plate = tags.ebike_plate(read)
    assert plate is not None
    assert (plate.text, plate.color) == (text, "unknown")


@pytest.mark.parametrize(
    "read", ["", "123", "川A12345", "川AD12345", "WJ12345", "成都123456789012"]
)
def test_a_cars_plate_is_never_an_ebikes(read: str) -> None:
    assert tags.ebike_plate(read) is None


def test_a_city_may_be_stricter() -> None:
    assert tags.ebike_plate("川012345", r"川\d{6}") is not None
    assert tags.ebike_plate("A1234", r"川\d{6}") is None


@given(st.text(alphabet=plates.PROVINCES + "ABCDEFGHJKLMNPQRSTUVWXYZ0123456789挂学警", max_size=14))
def test_no_text_is_both_a_cars_and_an_ebikes(text: str) -> None:
    if plates.parse(text):
        assert tags.ebike_plate(text) is None
        assert tags.card(text) is None
