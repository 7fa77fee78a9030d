"""The tariff engine against totals worked by others.

OCPI: the worked totals of its tariffs chapter (ocpi/ocpi 0112496, excluding VAT), as far as the
rule exists here: time in steps, priced by the clock, the day or how long it has lasted. What is
not time (energy, current, start fees) is added in the test; what splits one step between two
prices (tariff_14, first two examples) has no rule here. One unit of money stands for a sixth of a
cent there, because a price per hour seldom divides into steps of whole cents.
"""

from zoneinfo import ZoneInfo

import pytest

from tariffs.tariff import Tariff, parse_rules
from tests.tariffs.worked import HOURLY, fee, segment, tariff

BERLIN = ZoneInfo("Europe/Berlin")
EURO = 600


@pytest.mark.parametrize(
    ("step_minutes", "step_price", "stayed", "cents", "of"),
    [
        (1, 20, 150, 500, "tariff_1: 2 an hour by the minute, 2.5 h: 5.00"),
        (5, 95, 150, 475, "tariff_2: 1.90 an hour by 5 min, 2.5 h: 4.75"),
        (15, 150, 147, 250, "tariff_4, Monday: 147 min charge as 150 at 1.00 an hour: 2.50"),
        (10, 125, 114, 250, "tariff_4, Saturday: 114 min as 120 at 1.25 an hour: 2.50"),
        (15, 300, 40, 150, "tariff_10: 40 min parked as 45 at 2.00 an hour: 1.50"),
        (1, 30, 150, 750, "tariff_13: 2.5 h at 3.00 an hour: 7.50"),
        (5, 250, 42, 375, "tariff_13: 42 min parked as 45 at 5.00 an hour: 3.75"),
        (15, 360, 10, 60, "tariff_14, third: 10 min around 20:00 as 15 at 2.40 an hour: 0.60"),
        (1, 50, 15, 125, "tariff_15: 15 min reserved at 5.00 an hour: 1.25"),
        (10, 200, 22, 100, "tariff_17: 22 min reserved as 30 at 2.00 an hour: 1.00"),
        (10, 200, 60, 200, "tariff_17: an expired hour at 2.00, and a fee of 4.00: 6.00"),
        (10, 300, 22, 150, "tariff_18: 22 min reserved as 30 at 3.00 an hour: 1.50"),
        (10, 600, 90, 900, "tariff_18: an expired 1.5 h at 6.00 an hour: 9.00"),
    ],
)
def test_ocpi_time_in_steps(
    step_minutes: int, step_price: int, stayed: int, cents: int, of: str
) -> None:
    by_step = tariff(unit_minutes=step_minutes, unit_fen=step_price)
    left = f"03-02 {9 + stayed // 60:02}:{stayed % 60:02}"
    assert fee(by_step, "03-02 09:00", left).total_fen * 100 == cents * EURO, of


def test_ocpi_tariff_4_parking_by_weekday_and_hour() -> None:
    """Charging ends, parking is priced: Monday 11:57–12:39, Saturday 15:24–16:35.

    Weekdays 09:00–18:00 5.00 an hour, Saturday 10:00–17:00 6.00 an hour, each by 5 minutes.
    Monday: 42 min -> 9 steps, 45 min -> 3.75; with 2.50 to start and 2.50 to charge: 8.75.
    Saturday: 71 min -> 15 steps, 75 min -> 7.50; with 2.50 and 2.50: 12.50. At night: nothing.
    """
    by_five = {"unit_minutes": 5}
    parking = tariff(
        unit_fen=0,
        segments=[
            segment("weekday", "09:00", "18:00", **by_five, unit_fen=250, days=["workday"]),
            segment("Saturday", "10:00", "17:00", **by_five, unit_fen=300, days=["weekend"]),
        ],
    )
    monday = fee(parking, "03-02 11:57", "03-02 12:39").total_fen
    saturday = fee(parking, "03-07 15:24", "03-07 16:35").total_fen
    assert (monday + 5 * EURO, saturday + 5 * EURO) == (875 * EURO // 100, 1250 * EURO // 100)
    assert fee(parking, "03-02 22:00", "03-03 06:00").total_fen == 0


def test_ocpi_tariff_7_by_how_long_it_lasts() -> None:
    """The first hour free, then 2.00 an hour to the fourth, then 3.00, by the minute.

    2 h 45: 60 * 0 + 105 min * 2.00 / 60 = 3.50 (with 3.80 of energy: 7.30).
    5 h: 180 min * 2.00 / 60 + 60 min * 3.00 / 60 = 6.00 + 3.00 = 9.00.
    """
    rising = parse_rules(
        {name: HOURLY[name] for name in ("free_minutes", "free_deducted", "cap_fen", "cap_per")}
        | {
            "leave_within_minutes": 0,
            "table": [
                {"from_minutes": 0, "to_minutes": 60, "fen": 0},
                {"from_minutes": 60, "to_minutes": 240, "fen": 20, "unit_minutes": 1},
                {"from_minutes": 240, "to_minutes": None, "fen": 30, "unit_minutes": 1},
            ],
        }
    )
    by_length = Tariff(3, 2, BERLIN, rising)
    assert fee(by_length, "03-02 09:00", "03-02 11:45").total_fen == 350 * EURO // 100
    assert fee(by_length, "03-02 09:00", "03-02 14:00").total_fen == 9 * EURO


def test_ocpi_tariff_14_parking_is_free_after_eight() -> None:
    """Parking 1.00 an hour by 15 min before 20:00: 20:05–20:07 is free, 19:50–20:00 is 0.25."""
    evening = segment("before eight", "00:00", "20:00", unit_minutes=15, unit_fen=150)
    parking = tariff(unit_fen=0, segments=[evening])
    assert fee(parking, "03-02 20:05", "03-02 20:07").total_fen == 0
    assert fee(parking, "03-02 19:50", "03-02 20:00").total_fen == EURO // 4


def test_ocpi_tariff_16_a_fee_and_time() -> None:
    """Reserving costs 2.00 and 5.00 an hour by 5 min: 13 min -> 2.00 + 15 min 1.25 = 3.25."""
    reserved = tariff(first_minutes=5, first_fen=2 * EURO + 250, unit_minutes=5, unit_fen=250)
    assert fee(reserved, "03-02 09:00", "03-02 09:13").total_fen == 325 * EURO // 100


def test_ocpi_tariff_6_a_maximum_price() -> None:
    """At most 10.00 however long: 2.00 an hour for 6 h is 10.00, for 3 h is 6.00."""
    limited = tariff(unit_fen=2 * EURO, cap_fen=10 * EURO)
    assert fee(limited, "03-02 09:00", "03-02 15:00").total_fen == 10 * EURO
    assert fee(limited, "03-02 09:00", "03-02 12:00").total_fen == 6 * EURO
