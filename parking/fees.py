"""What a stay owes at an instant, given what was already charged and paid. Pure.

The fee shown while parked, the one asked at the gate and the one charged are this one.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from parking.permits import Right, covered
from tariffs.days import DayKind, kind_of
from tariffs.tariff import Circumstances, Fee, Line, Tariff, price


@dataclass(frozen=True, slots=True)
class Booked:
    """The time a stay booked; leaving up to `late_minutes` after it costs no more."""

    starts_at: datetime
    ends_at: datetime
    late_minutes: int


@dataclass(frozen=True, slots=True)
class Bill:
    """What is known of a stay's money. Instants are aware; amounts are fen.

    `rights` are the vehicle's permits, limited by a swap as `permits.covered` says. `charged_at`
    is the newest charge's instant, `moved_at` that of the newest charge or payment,
    `charged_parts` what was charged by income.
    """

    entered_at: datetime
    tariff: Tariff | None
    vehicle_class: str = "small"
    new_energy: bool = False
    left_before_at: datetime | None = None
    rights: tuple[Right, ...] = ()
    swap_until: datetime | None = None
    freed_at: datetime | None = None
    booked: Booked | None = None
    charged_fen: int = 0
    paid_fen: int = 0
    charged_at: datetime | None = None
    moved_at: datetime | None = None
    charged_parts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Owed:
    """The fee with its lines, what is still due, what was charged before (all in fen)."""

    total_fen: int
    due_fen: int
    charged_fen: int
    lines: tuple[Line, ...]
    charged_parts: Mapping[str, int] = field(default_factory=dict)

    @property
    def to_charge_fen(self) -> int:
        """What must yet be charged."""
        return self.total_fen - self.charged_fen

    def as_json(self) -> dict[str, object]:
        """The contract's `fee`."""
        return {
            "total_fen": self.total_fen,
            "due_fen": self.due_fen,
            "lines": [line.as_json() for line in self.lines],
        }

    def paid(self) -> "Owed":
        """The same fee once everything due is paid."""
        return replace(self, due_fen=0)

    def parts_to_charge(self, income: str) -> dict[str, int] | None:
        """The next charge by income (lines that name none are `income`); None if all is that."""
        parts = Counter[str]()
        for line in self.lines:
            parts[line.income or income] += line.amount_fen
        parts.subtract(self.charged_parts)
        other = {name: fen for name, fen in parts.items() if fen}
        return None if set(other) <= {income} else other

    def lines_to_charge(self) -> list[dict[str, object]]:
        """The lines that explain the next charge: they sum to `to_charge_fen`."""
        lines: list[dict[str, object]] = [dict(line.as_json()) for line in self.lines]
        before = sum(line.amount_fen for line in self.lines) - self.to_charge_fen
        if before:
            lines.append({"label": "已计费", "amount_fen": -before, "rule": "already-charged"})
        return lines


def owed(bill: Bill, at: datetime) -> Owed:
    """Price the stay up to `at`.

    Once priced or paid, the fee stands still for the tariff's leave-within minutes; after
    that the difference to a full recomputation is owed. A booked stay is priced from the start
    of its booking; what it stays beyond the booking and the late allowance is overstay. A charge
    never shrinks here: lowering one takes a credit charge.
    """
    begins = bill.booked.starts_at if bill.booked else bill.entered_at
    until = max(at, begins)
    leaving = _still_leaving(bill, until)
    if leaving and bill.charged_at:
        until = max(begins, min(until, bill.charged_at))
    fee = _price(bill, begins, until)
    fixed = bill.charged_fen if leaving else max(fee.total_fen, bill.charged_fen)
    lines = fee.lines + _already_charged(bill, fixed - fee.total_fen)
    return Owed(fixed, fixed - bill.paid_fen, bill.charged_fen, lines, bill.charged_parts)


def _already_charged(bill: Bill, rest_fen: int) -> tuple[Line, ...]:
    """What was charged beyond today's reckoning stays charged until somebody credits it."""
    if not rest_fen or bill.tariff is None or bill.charged_at is None:
        return ()
    at = bill.charged_at
    rule = "already-charged"
    return (Line("已计费", at, at, 1, rest_fen, rest_fen, rule, bill.tariff.zone),)


def _price(bill: Bill, begins: datetime, until: datetime) -> Fee:
    tariff = bill.tariff
    if tariff is None:
        return Fee(0, ())
    overstay_from = None
    if bill.booked:
        allowed = bill.booked.ends_at + timedelta(minutes=bill.booked.late_minutes)
        overstay_from = bill.booked.ends_at if until > allowed else None
        until = until if overstay_from else min(until, bill.booked.ends_at)
    if until <= begins:
        return Fee(0, ())
    circumstances = Circumstances(
        vehicle_class=bill.vehicle_class,
        new_energy=bill.new_energy,
        left_before_at=None if bill.booked else bill.left_before_at,
        covered=_covered(bill, tariff, until),
        overstay_from=overstay_from,
    )
    return price(tariff, begins, until, circumstances)


def _covered(bill: Bill, tariff: Tariff, until: datetime) -> tuple[tuple[datetime, datetime], ...]:
    if not bill.rights:
        return ()

    def is_holiday(day: date) -> bool:
        return kind_of(day, tariff.calendar) is DayKind.HOLIDAY

    return covered(
        bill.rights,
        bill.entered_at,
        until,
        zone=tariff.zone,
        is_holiday=is_holiday,
        swap_until=bill.swap_until,
        freed_at=bill.freed_at,
    )


def _still_leaving(bill: Bill, at: datetime) -> bool:
    if bill.moved_at is None or bill.tariff is None or not bill.charged_fen:
        return False
    return at <= bill.moved_at + timedelta(minutes=bill.tariff.rules.leave_within_minutes)
