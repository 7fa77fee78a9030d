"""What a stay owes at an instant, given what was already charged and paid. Pure.

The fee shown while parked, the one asked at the gate and the one charged are this one.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from parking.tariff import Fee, Line, Tariff, price


@dataclass(frozen=True, slots=True)
class Bill:
    """What is known of a stay's money. Instants are aware; amounts are fen.

    `charged_at` is the newest charge's instant, `moved_at` that of the newest charge or payment.
    """

    entered_at: datetime
    tariff: Tariff | None
    free_until: datetime | None = None
    charged_fen: int = 0
    paid_fen: int = 0
    charged_at: datetime | None = None
    moved_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Owed:
    """The fee with its lines, what is still due, what was charged before (all in fen)."""

    total_fen: int
    due_fen: int
    charged_fen: int
    lines: tuple[Line, ...]

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
    that the difference to a full recomputation is owed. A permit covers what lies before
    `free_until`. A charge never shrinks here: lowering one takes a credit charge.
    """
    until = max(at, bill.entered_at)
    leaving = _still_leaving(bill, until)
    if leaving and bill.charged_at:
        until = max(bill.entered_at, min(until, bill.charged_at))
    fee = _price(bill, until)
    fixed = bill.charged_fen if leaving else max(fee.total_fen, bill.charged_fen)
    lines = fee.lines + _already_charged(bill, fixed - fee.total_fen)
    return Owed(fixed, fixed - bill.paid_fen, bill.charged_fen, lines)


def _already_charged(bill: Bill, rest_fen: int) -> tuple[Line, ...]:
    """What was charged beyond today's reckoning stays charged until somebody credits it."""
    if not rest_fen or bill.tariff is None or bill.charged_at is None:
        return ()
    at = bill.charged_at
    rule = "already-charged"
    return (Line("已计费", at, at, 1, rest_fen, rest_fen, rule, bill.tariff.zone),)


def _price(bill: Bill, until: datetime) -> Fee:
    start = max(bill.entered_at, bill.free_until or bill.entered_at)
    if bill.tariff is None or until <= start:
        return Fee(0, ())
    return price(bill.tariff, start, until)


def _still_leaving(bill: Bill, at: datetime) -> bool:
    if bill.moved_at is None or bill.tariff is None or not bill.charged_fen:
        return False
    return at <= bill.moved_at + timedelta(minutes=bill.tariff.rules.leave_within_minutes)
