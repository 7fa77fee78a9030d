"""What charging an e-bike costs: electricity and service priced and shown apart. Pure.

发改办价格〔2024〕537号 asks for two prices, metered in kWh, and nothing that is not listed.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from tariffs.rules import Energy

ELECTRICITY, SERVICE = "electricity", "charging-service"
"""The incomes of a charging: its charge has one part and one line for each."""

MOST_WH = 10_000
"""No e-bike's battery holds more."""

MOST_WATTS = 3_000
"""No e-bike's charger gives more, on average."""

_WH_PER_KWH = 1_000


@dataclass(frozen=True, slots=True)
class EnergyLine:
    """One reason for money: so many watt-hours at a price per kWh, rounded once, half up."""

    label: str
    income: str
    starts_at: datetime
    ends_at: datetime
    energy_wh: int
    fen_per_kwh: int
    amount_fen: int
    rule: str
    zone: ZoneInfo

    def as_json(self) -> dict[str, object]:
        """The line as a charge keeps it: `units` are Wh, `unit_fen` is for `per_units` of them."""
        return {
            "label": self.label,
            "from": self.starts_at.astimezone(self.zone).isoformat(),
            "to": self.ends_at.astimezone(self.zone).isoformat(),
            "units": self.energy_wh,
            "unit": "Wh",
            "per_units": _WH_PER_KWH,
            "unit_fen": self.fen_per_kwh,
            "amount_fen": self.amount_fen,
            "rule": self.rule,
        }


@dataclass(frozen=True, slots=True)
class EnergyFee:
    """What a charging costs, in fen, and its two lines."""

    lines: tuple[EnergyLine, ...]

    @property
    def total_fen(self) -> int:
        """The sum of the lines."""
        return sum(line.amount_fen for line in self.lines)

    @property
    def parts(self) -> dict[str, int]:
        """Fen by income."""
        return {line.income: line.amount_fen for line in self.lines}


def energy_fee(
    prices: Energy,
    energy_wh: int,
    starts_at: datetime,
    ends_at: datetime,
    *,
    tariff: str,
    zone: ZoneInfo,
) -> EnergyFee:
    """Price a metered charging; `tariff` names the version, such as "tariff:3v2"."""
    kwh = f"{energy_wh / _WH_PER_KWH:.3f}".rstrip("0").rstrip(".")

    def line(name: str, income: str, fen_per_kwh: int) -> EnergyLine:
        label = f"{name} {kwh}度"
        amount_fen = half_up(energy_wh * fen_per_kwh, _WH_PER_KWH)
        rule = f"{tariff}/{income}"
        return EnergyLine(
            label, income, starts_at, ends_at, energy_wh, fen_per_kwh, amount_fen, rule, zone
        )

    return EnergyFee(
        (
            line("电费", ELECTRICITY, prices.electricity_fen_per_kwh),
            line("充电服务费", SERVICE, prices.service_fen_per_kwh),
        )
    )


def half_up(numerator: int, denominator: int) -> int:
    """The quotient of what is not negative, rounded to whole; a half goes up."""
    return (2 * numerator + denominator) // (2 * denominator)


def implausible(energy_wh: int, seconds: int) -> bool:
    """Whether no e-bike can have taken this energy in this time: a person must look."""
    return energy_wh > MOST_WH or energy_wh * 3600 > MOST_WATTS * seconds


def too_long(prices: Energy, seconds: int) -> bool:
    """Whether a charging went on beyond the longest time allowed."""
    return seconds > 60 * prices.longest_minutes
