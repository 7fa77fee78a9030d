"""The lines that explain a fee. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Line(NamedTuple):
    """One reason for money: `units * unit_fen == amount_fen`, negative where something is less.

    `starts_at` and `ends_at` are UTC and lie inside the stay; `zone` is for showing them.
    `income` names whose income it is ("overstay"); None is the lot's own.
    """

    label: str
    starts_at: datetime
    ends_at: datetime
    units: int
    unit_fen: int
    amount_fen: int
    rule: str
    zone: ZoneInfo
    income: str | None = None

    def as_json(self) -> dict[str, str | int]:
        """The line in the contract's field names, instants with the zone's offset."""
        told: dict[str, str | int] = {
            "label": self.label,
            "from": self.starts_at.astimezone(self.zone).isoformat(),
            "to": self.ends_at.astimezone(self.zone).isoformat(),
            "units": self.units,
            "unit_fen": self.unit_fen,
            "amount_fen": self.amount_fen,
            "rule": self.rule,
        }
        return told if self.income is None else told | {"income": self.income}


@dataclass(frozen=True, slots=True)
class Fee:
    """What is owed in fen, and the lines that sum to it."""

    total_fen: int
    lines: tuple[Line, ...]


class Scribe:
    """Writes lines in the name of one tariff version (`tariff:3v2/`), for one income."""

    def __init__(self, tariff: str, zone: ZoneInfo, income: str | None = None) -> None:
        self.tariff = tariff
        self.zone = zone
        self.income = income

    def units(
        self, label: str, slug: str, starts: datetime, ends: datetime, units: int, unit_fen: int
    ) -> Line:
        """A number of units at a price each."""
        rule = self.tariff + slug
        amount_fen = units * unit_fen
        return Line(label, starts, ends, units, unit_fen, amount_fen, rule, self.zone, self.income)

    def once(self, label: str, slug: str, starts: datetime, ends: datetime, fen: int) -> Line:
        """One amount, negative where something is taken off."""
        return Line(label, starts, ends, 1, fen, fen, self.tariff + slug, self.zone, self.income)


def total(lines: list[Line]) -> int:
    """What lines sum to, in fen."""
    return sum([line.amount_fen for line in lines])


def half_up(fen: int, parts: int) -> int:
    """`fen / parts` rounded to whole fen, halves up: the one rounding of a multiplied sum."""
    return (2 * fen + parts) // (2 * parts)
