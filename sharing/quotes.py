"""Quotes: a price promised for a quarter of an hour, and a promise kept."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from core.db import Connection, fetch_row
from core.errors import Problem, invalid
from parking.plates import Plate
from parking.terms import refusal
from sharing.booking_facts import (
    NewBooking,
    circumstances,
    in_lot,
    known_as,
    priced,
    tariff_of,
    terms_of,
    vehicle_of,
)
from tariffs.tariff import Circumstances, price

STANDS = timedelta(minutes=15)
"""How long a quote is good for."""

PROMISE = """
INSERT INTO quote (lot_id, person_id, starts_at, ends_at, vehicle_class, new_energy, tariff_id,
    total_fen, lines, expires_at, recorded_at)
VALUES (%(lot)s, %(person)s, %(starts)s, %(ends)s, %(class)s, %(new_energy)s, %(tariff)s,
    %(total_fen)s, %(lines)s, %(expires_at)s, %(now)s)
RETURNING id
"""


def quote(
    connection: Connection,
    *,
    lot: str,
    starts_at: datetime,
    ends_at: datetime,
    plate: str | None,
    person_id: int,
    now: datetime,
    zone: ZoneInfo,
) -> dict[str, Any]:
    """Price a stay from `starts_at` to `ends_at` (aware), line by line, and promise the price.

    By the tariff in force when it starts, for the plate's class of vehicle or else for a small
    car. Problem 404 for no such lot, 422 for times its terms do not allow, 409 `no-tariff`.
    """
    vehicle = vehicle_of(plate, "unknown") if plate is not None else None
    row = priced(connection, lot, starts_at, vehicle, now)
    if wrong := refusal(terms_of(row), starts_at, ends_at, now):
        raise invalid(*wrong)
    of = _circumstances(row, vehicle)
    fee = price(tariff_of(row, zone), starts_at, ends_at, of)
    lines = [line.as_json() for line in fee.lines]
    promised = {
        "lot": row["lot_id"],
        "person": person_id,
        "starts": starts_at,
        "ends": ends_at,
        "class": of.vehicle_class,
        "new_energy": of.new_energy,
        "tariff": row["tariff_id"],
        "total_fen": fee.total_fen,
        "lines": Jsonb(lines),
        "expires_at": now + STANDS,
        "now": now,
    }
    written = fetch_row(connection, (PROMISE, promised)) or {}
    return {
        "quote_id": written["id"],
        "lot": row["lot"],
        "starts_at": starts_at,
        "ends_at": ends_at,
        "total_fen": fee.total_fen,
        "lines": lines,
        "expires_at": promised["expires_at"],
    }


def total_fen(
    row: DictRow, new: NewBooking, of: Circumstances, now: datetime, zone: ZoneInfo
) -> int:
    """What a booking costs: as quoted if it names a quote, else by the tariff.

    `row` is a look's. Problem 404 for somebody else's quote, 409 `quote-expired`, and 409
    `quote-mismatch` when it was made for another lot or time, or for a vehicle that pays less.
    """
    if new.quote_id is None:
        return price(tariff_of(row, zone), new.starts_at, new.ends_at, of).total_fen
    if row["quote_id"] is None:
        raise Problem(404, "not-found", "There is no such quote.")
    if row["quote_expires_at"] <= now:
        raise Problem(409, "quote-expired", "This quote has expired; ask for a new one.")
    asked = (row["lot_id"], new.starts_at, new.ends_at)
    promised = int(row["quote_total_fen"])
    if asked != (row["quote_lot_id"], row["quote_starts_at"], row["quote_ends_at"]):
        raise Problem(409, "quote-mismatch", "This quote is for another lot or another time.")
    if (of.vehicle_class, of.new_energy) != (row["quote_vehicle_class"], row["quote_new_energy"]):
        fee = price(tariff_of(row, zone), new.starts_at, new.ends_at, of)
        if fee.total_fen != promised:
            detail = "This quote is for another class of vehicle; ask again with the plate."
            raise Problem(409, "quote-mismatch", detail)
    return promised


def _circumstances(row: DictRow, vehicle: Plate | None) -> Circumstances:
    if vehicle is None:
        return circumstances(None, None)
    in_lot(vehicle, row["lot_kind"])
    return known_as(vehicle, row)[1]
