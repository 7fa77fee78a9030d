"""What an e-bike owes when it leaves: its stay, and every charging of it, each by itself."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, Statement, pipeline
from ebikes.record import CHARGINGS, charging_paid
from parking import record
from parking.facts import bill_of
from parking.fees import Owed, owed
from parking.history import TERMS
from parking.record import chargings_ended

# The vehicle's household pays, else the one the stay began with.
PAYER = """
SELECT payer.id AS household_id, coalesce(balance.amount_fen, 0) AS balance_fen
FROM (SELECT coalesce(%(household)s, household_id) AS id FROM stay WHERE id = %(stay)s) payer
LEFT JOIN balance ON balance.household_id = payer.id
"""

INCOME = record.INCOMES["ebike"]


@dataclass(frozen=True, slots=True)
class DockBill:
    """The money of one stay at a rack; `chargings` are rows with what was charged and paid."""

    stay_id: int
    booking_id: int | None
    lot: str
    household_id: int | None
    owner_household_id: int | None
    balance_fen: int
    fee: Owed
    chargings: tuple[DictRow, ...]

    @property
    def due_fen(self) -> int:
        """What is unpaid of all of it."""
        return self.fee.due_fen + sum(_due(row) for row in self.chargings)

    @property
    def costs_fen(self) -> int:
        """What all of it costs."""
        return self.fee.total_fen + sum(int(row["charged_fen"]) for row in self.chargings)

    @property
    def affordable(self) -> bool:
        """Whether the household's balance covers all that is due."""
        return 0 < self.due_fen <= self.balance_fen

    def as_json(self, *, paid: bool) -> dict[str, object]:
        """The contract's `fee` of all together, and what each charging is of it."""
        stay = self.fee.paid() if paid else self.fee
        lines = [line.as_json() for line in stay.lines]
        return {
            "total_fen": self.costs_fen,
            "due_fen": 0 if paid else self.due_fen,
            "stay_due_fen": stay.due_fen,
            "lines": lines + [line for row in self.chargings for line in row["lines"] or ()],
            "chargings": [
                {
                    "id": row["id"],
                    "charge_id": row["charge_id"],
                    "total_fen": row["charged_fen"],
                    "due_fen": 0 if paid else _due(row),
                }
                for row in self.chargings
            ],
        }

    def taken(self, at: datetime, *, from_balance: bool) -> list[Statement]:
        """Raise what the stay was not charged yet; pay it and the chargings if they are paid."""
        statements = record.fee_taken(
            stay_id=self.stay_id,
            fee=self.fee,
            income=INCOME,
            lot=self.lot,
            household_id=self.household_id,
            owner_household_id=self.owner_household_id,
            from_balance_fen=self.fee.due_fen if from_balance else 0,
            at=at,
        )
        household_id = self.household_id
        if from_balance and household_id:
            statements += [
                charging_paid(row["id"], _due(row), household_id, at)
                for row in self.chargings
                if _due(row)
            ]
        return statements

    def closed(self, at: datetime, event_id: int) -> list[Statement]:
        """The stay ends, and what still charges ends with it."""
        ended = chargings_ended(self.stay_id, at)
        closed = record.stay_closed(
            self.stay_id, at, event_id, self.fee.total_fen, household_id=self.household_id
        )
        return [*closed, ended]


def bill_of_stay(
    connection: Connection,
    stay_id: int,
    household_id: int | None,
    at: datetime,
    zone: ZoneInfo,
    *,
    entered: dict[str, Any] | None = None,
) -> DockBill:
    """The bill of a stay up to `at`, in one round trip; `entered` is what a late entry tells."""
    nothing = dict.fromkeys(("entered", "booking", "permit", "tariff", "left_before"))
    values = {"stay": stay_id, "vehicle_class": "ebike", "new_energy": False} | nothing
    with (
        pipeline(connection),
        connection.cursor(row_factory=dict_row) as terms,
        connection.cursor(row_factory=dict_row) as energy,
        connection.cursor(row_factory=dict_row) as balance,
    ):
        terms.execute(TERMS, values | (entered or {}))
        energy.execute(CHARGINGS, {"stay": stay_id})
        balance.execute(PAYER, {"stay": stay_id, "household": household_id})
        row, chargings, payer = terms.fetchone(), energy.fetchall(), balance.fetchone()
    if row is None or payer is None:
        raise LookupError(f"stay {stay_id} vanished")
    return DockBill(
        stay_id=stay_id,
        booking_id=row["stay_booking_id"],
        lot=row["lot"],
        household_id=payer["household_id"],
        owner_household_id=row["stay_owner_household_id"],
        balance_fen=payer["balance_fen"],
        fee=owed(bill_of(row, zone), at),
        chargings=tuple(chargings),
    )


def _due(row: DictRow) -> int:
    return int(row["charged_fen"] - row["paid_fen"])
