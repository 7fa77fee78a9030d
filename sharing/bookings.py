"""Booking: one right of one plate to one space for one time.

Three round trips: what must be known, which spaces are free, and the claim with its booking. The
database decides races: who loses a space takes the next best.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from core.db import Connection, fetch_row
from core.errors import Problem, invalid
from parking.plates import Plate
from parking.terms import Terms, refusal
from sharing import booked, claims, quotes
from sharing.allocation import Wish, ranked
from sharing.availability import alternatives
from sharing.booking_facts import (
    NewBooking,
    in_lot,
    known_as,
    look,
    terms_of,
    vehicle_of,
    wish_of,
    within_quotas,
)
from tariffs.tariff import Circumstances

LOOKS = 2
"""How often the lot is searched before it is called full: spaces may be lost and given back."""

CLAIM = f"""
WITH claimed AS MATERIALIZED (
    SELECT claim_space(%(spaces)s::bigint[],
        tstzrange(greatest(%(starts)s, %(now)s), %(ends)s), %(id)s) AS space_id
)
INSERT INTO booking AS b (id, lot_id, space_id, household_id, booked_by, plate, plate_color,
    vehicle_class, new_energy, starts_at, ends_at, tariff_id, terms_id, quote_id, total_fen, wish,
    recorded_at)
SELECT %(id)s, %(lot)s, space_id, %(household)s, %(person)s, %(plate)s, %(color)s, %(class)s,
    %(new_energy)s, %(starts)s, %(ends)s, %(tariff)s, %(terms)s, %(quote)s, %(total_fen)s,
    %(wish)s, %(now)s
FROM claimed WHERE space_id IS NOT NULL
RETURNING {booked.COLUMNS}, (SELECT code FROM space WHERE space.id = b.space_id) AS space
"""  # noqa: S608 - constants of ours


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking that was made: its row as `booked.shown` wants it."""

    row: Mapping[str, Any]

    @property
    def id(self) -> int:
        """The booking."""
        return int(self.row["id"])

    @property
    def space(self) -> str:
        """The code of its space."""
        return str(self.row["space"])


class LotFull(Problem):
    """409 `no-space-free`: nothing in the lot fits what was asked."""

    def __init__(self, lot_id: int, wish: Wish, of: Circumstances) -> None:
        super().__init__(409, "no-space-free", "No space is free for all of that time.")
        self.lot_id, self.wish, self.of = lot_id, wish, of


def book(connection: Connection, new: NewBooking, now: datetime, zone: ZoneInfo) -> Booked:
    """Book the best free space, at the price as quoted or as the tariff has it.

    The terms are those in force now, the tariff is the one in force at the start; the booking
    keeps both. Problem 404 for no such lot or quote, 422 for what the terms do not allow, 409
    for everything that stands in the way; `LotFull` when no space fits. What it locks is held
    until the transaction ends, what it refuses has written nothing.
    """
    plate = vehicle_of(new.plate, new.plate_color)
    row = look(connection, new, plate, now, zone)
    terms = terms_of(row)
    _check(new, plate, row, terms, now, zone)
    plate, of = known_as(plate, row)
    values = _values(new, row, plate, of) | {
        "total_fen": quotes.total_fen(row, new, of, now, zone),
        "now": now,
    }
    wish = wish_of(new.preferences, terms, row["lot_kind"])
    made = _claimed(connection, values, wish, zone)
    if made is None:
        raise LotFull(row["lot_id"], wish, of)
    seen = {"lot": row["lot"], "terms": row["terms"], "charged_fen": None, "paid_fen": None}
    return Booked(made | seen)


def book_or_suggest(
    connection: Connection, new: NewBooking, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """`book`, shown; a full lot's refusal says what is free instead."""
    try:
        made = book(connection, new, now, zone)
    except LotFull as full:
        span = new.starts_at, new.ends_at
        raise suggesting(
            connection, full, span, vehicle_of(new.plate, "unknown").text, now, zone
        ) from full
    return booked.shown(made.row, now)


def suggesting(
    connection: Connection,
    full: LotFull,
    span: tuple[datetime, datetime],
    plate: str,
    now: datetime,
    zone: ZoneInfo,
) -> Problem:
    """The same refusal with `alternatives`: other times and other lots that are free."""
    found = alternatives(
        connection, full.lot_id, *span, wish=full.wish, now=now, zone=zone, plate=plate, of=full.of
    )
    told = [
        one | {name: one[name].astimezone(zone).isoformat() for name in ("starts_at", "ends_at")}
        for one in found
    ]
    return Problem(full.status, full.code, full.detail, alternatives=told)


def _check(
    new: NewBooking, plate: Plate, row: DictRow, terms: Terms, now: datetime, zone: ZoneInfo
) -> None:
    """Problem for the first thing that stands in the way, the caller's own mistakes first."""
    in_lot(plate, row["lot_kind"])
    if wrong := refusal(terms, new.starts_at, new.ends_at, now):
        raise invalid(*wrong)
    if new.household_id is not None and not row["has_household"]:
        raise invalid("household_id", "must be a household")
    others = row["vehicle_household_id"] not in (None, new.household_id)
    if others and not new.for_anybody:
        detail = "This vehicle is registered to another household, which books for it."
        raise Problem(409, "plate-of-others", detail)
    if row["blocked"]:
        raise Problem(409, "blocked", "This plate must not come in; ask the property office.")
    if row["elsewhere"]:
        raise plate_elsewhere()
    if new.household_id is not None:
        span = new.starts_at, new.ends_at
        within_quotas(terms, row["open_count"], row["used_minutes"], span, zone)


def plate_elsewhere() -> Problem:
    """409: one plate cannot be in two places."""
    detail = "This plate has another booking that overlaps this time."
    return Problem(409, "plate-elsewhere", detail)


def _values(new: NewBooking, row: DictRow, plate: Plate, of: Circumstances) -> dict[str, Any]:
    return {
        "id": row["booking_id"],
        "lot": row["lot_id"],
        "household": new.household_id,
        "person": new.person_id,
        "plate": plate.text,
        "color": plate.color,
        "class": of.vehicle_class,
        "new_energy": of.new_energy,
        "starts": new.starts_at,
        "ends": new.ends_at,
        "tariff": row["tariff_id"],
        "terms": row["terms_id"],
        "quote": new.quote_id,
        "wish": Jsonb(dict(new.preferences)),
    }


def _claimed(
    connection: Connection, values: dict[str, Any], wish: Wish, zone: ZoneInfo
) -> DictRow | None:
    """The booking's row once it has a space; None when there is none."""
    for _ in range(LOOKS):
        candidates = claims.free(
            connection,
            values["lot"],
            values["starts"],
            values["ends"],
            now=values["now"],
            zone=zone,
        )
        spaces = ranked(candidates, wish)
        if made := spaces and fetch_row(connection, (CLAIM, values | {"spaces": _array(spaces)})):
            return made
    return None


def _array(ids: list[int]) -> str:
    """The ids as PostgreSQL writes an array: the driver takes longer over hundreds of them."""
    return "{" + ",".join(map(str, ids)) + "}"
