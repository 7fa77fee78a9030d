"""What the worked totals share: a plain hourly tariff, the wall clock of 2026, a bill in short."""

from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from tariffs.days import DayKind
from tariffs.tariff import Circumstances, Fee, Tariff, parse_rules, price

SHANGHAI = ZoneInfo("Asia/Shanghai")

HOURLY: dict[str, object] = {
    "free_minutes": 0,
    "free_deducted": False,
    "first_minutes": 0,
    "first_fen": 0,
    "unit_minutes": 60,
    "unit_fen": 200,
    "cap_fen": None,
    "cap_per": "24h",
    "leave_within_minutes": 15,
}


def tariff(calendar: dict[date, DayKind] | None = None, **changes: Any) -> Tariff:
    return Tariff(3, 2, SHANGHAI, parse_rules({**HOURLY, **changes}), calendar or {})


def segment(name: str, begins: str, ends: str, **prices: object) -> dict[str, object]:
    usual = {"first_minutes": 0, "first_fen": 0, "unit_minutes": 60, "unit_fen": 0}
    return {"name": name, "begins": begins, "ends": ends, **usual, **prices}


def at(text: str) -> datetime:
    """The wall clock of 2026 in China, as "03-02 08:00"."""
    return datetime.fromisoformat(f"2026-{text.replace(' ', 'T')}").replace(tzinfo=SHANGHAI)


def fee(priced_by: Tariff, entered: str, left: str, **circumstances: Any) -> Fee:
    return price(priced_by, at(entered), at(left), Circumstances(**circumstances))


def bill(asked: Fee) -> list[tuple[str, int, int]]:
    return [(line.label, line.units, line.amount_fen) for line in asked.lines]
