"""How a stay at a rack begins: it holds its spot, and on a charging spot it charges."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow

from core.db import Statement
from ebikes.dock import MINUTE, Outcome
from ebikes.record import Account, Reading, case_resolved, charging_begun, charging_read
from parking import record
from parking.plates import Plate
from parking.record import NewStay
from tariffs.rule_parsing import parse_rules

READING_TOLERANCE = timedelta(minutes=2)
"""How long after the end of its stay a reading may be dated."""


def new_stay(
    row: DictRow, plate: Plate, at: datetime, outcome: Outcome, *, since: datetime
) -> NewStay:
    """The stay that begins at `at` and holds its spot from `since`, from a look's row.

    A coming that was refused, but is history, has no spot.
    """
    booked = outcome.booking_id is not None
    return NewStay(
        id=row["new_stay_id"],
        lot_id=row["lot_id"],
        plate=plate,
        right=outcome.reason if outcome.opens else "walk-in",
        entered_at=at,
        event_id=row["event_id"],
        space_id=row["spot_id"] if outcome.opens else None,
        tariff_id=row["booked_tariff_id"] if booked else row["tariff_id"],
        household_id=row["household_id"] or (row["booked_household_id"] if booked else None),
        claimed_from=since,
        hold_minutes=(outcome.until - since) // MINUTE if outcome.until else 0,
        vehicle_class="ebike",
        new_energy=False,
        booking_id=outcome.booking_id,
        left_before_at=row["came_before_until"],
    )


def began(
    row: DictRow, stay: NewStay, plate: Plate, zone: ZoneInfo, now: datetime
) -> list[Statement]:
    """The stay, and its charging."""
    booked = stay.booking_id is not None
    account = account_of(row, stay.id, plate, stay.household_id, booked=booked)
    charges = charged(row, account, stay.entered_at, None, zone, now)
    return [record.stay_opened(stay), *(charges if stay.space_id else [])]


def account_of(
    row: DictRow,
    stay_id: int,
    plate: Plate,
    household_id: int | None,
    *,
    booked: bool = False,
    pays_fen: int | None = None,
) -> Account:
    """Whose the charging that begins will be, and at which prices, from a look's row."""
    tariff = tariff_of(row, booked=booked)
    return Account(
        charging_id=row["new_charging_id"],
        stay_id=stay_id,
        lot=row["lot"],
        plate=plate.text,
        household_id=household_id,
        tariff_id=tariff["id"],
        tariff_version=tariff["version"],
        tariff_rules=tariff["rules"],
        pays_fen=pays_fen,
    )


def tariff_of(row: DictRow, *, booked: bool) -> dict[str, Any]:
    """The tariff frozen in the booking, or the lot's."""
    name = "booked_tariff" if booked else "tariff"
    return {part: row[f"{name}_{part}"] for part in ("id", "version", "rules")}


def charged(
    row: DictRow,
    account: Account,
    began_at: datetime,
    ended_at: datetime | None,
    zone: ZoneInfo,
    now: datetime,
) -> list[Statement]:
    """The charging that begins at a charging spot; a reading that waited for it is booked."""
    if not row["charging"]:
        return []
    statements = charging_begun(account, row["spot_id"], began_at, ended_at=ended_at)
    waits = row["pending_case_id"] is not None
    if waits and (ended_at is None or row["pending_at"] <= ended_at + READING_TOLERANCE):
        reading = Reading(
            event_id=row["pending_event_id"],
            ended_at=row["pending_at"],
            energy_wh=row["pending_wh"],
            seconds=row["pending_s"],
            stop_reason=row["pending_reason"],
        )
        statements += charging_read(account, reading, began_at, zone, now)
        statements.append(case_resolved(row["pending_case_id"], now))
    return statements


def longest_minutes(row: DictRow, *, booked: bool) -> int | None:
    """How long the e-bike may charge at this spot; None where nothing charges."""
    rules = tariff_of(row, booked=booked)["rules"]
    energy = parse_rules(rules).energy if row["charging"] and rules else None
    return energy.longest_minutes if energy else None
