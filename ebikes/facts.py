"""What a dock must know, from the database's answer to what the decision needs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg import RawCursor
from psycopg.rows import DictRow, dict_row

from core.db import Connection, numbered, pipeline
from core.errors import Problem
from devices.events import Event
from devices.registry import unknown_device
from ebikes.dock import Booked, Facts, Spot, Standing
from ebikes.look import LOOK, LOOK_CHARGING, ONE_GROUP, ONE_SPOT
from parking.look import ONE_AT_A_TIME
from parking.plates import Plate
from parking.terms import parse_terms
from tariffs.rule_parsing import parse_rules

CONNECTED = "dock.connected"
LOOK_NUMBERED, LOOKED_BY = numbered(LOOK)


@dataclass(frozen=True, slots=True)
class Look:
    """The row as read, and what the decision needs of it."""

    row: DictRow
    facts: Facts


def look(
    connection: Connection,
    event: Event,
    *,
    token_digest: bytes,
    spot: str,
    plate: Plate,
) -> Look:
    """Read everything about an e-bike that comes or leaves, in one round trip.

    Problem 401 when no device has this token, 403 when it is no dock. Whoever else decides
    about this e-bike or spot waits.
    """
    values = {
        "digest": token_digest,
        "key": event.key,
        "spot": spot,
        "plate": plate.text,
        "color": plate.color,
        "comes": event.type == CONNECTED,
        "at": event.at,
        "now": event.recorded_at,
    }
    with pipeline(connection), RawCursor(connection, row_factory=dict_row) as cursor:
        connection.execute(ONE_AT_A_TIME, values)
        connection.execute(ONE_SPOT, values)
        connection.execute(ONE_GROUP, values)
        found = cursor.execute(LOOK_NUMBERED, [values[name] for name in LOOKED_BY])
        row = _known(found.fetchone())
    return Look(row, _facts(row, event.recorded_at))


def look_charging(
    connection: Connection, event: Event, *, token_digest: bytes, spot: str
) -> DictRow:
    """Read everything about a reading, in one round trip; Problem 401 and 403 as `look`."""
    values = {
        "digest": token_digest,
        "key": event.key,
        "spot": spot,
        "at": event.at,
        "now": event.recorded_at,
        "history": event.history,
    }
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute(ONE_SPOT, values)
        return _known(cursor.execute(LOOK_CHARGING, values).fetchone())


def _known(row: DictRow | None) -> DictRow:
    if row is None:
        raise unknown_device()
    if row["device_kind"] != "dock":
        raise Problem(403, "no-dock", "This device is no dock.")
    return row


def _facts(row: DictRow, since: datetime) -> Facts:
    prices = row["booked_tariff_rules"] or row["tariff_rules"]
    return Facts(
        since=since,
        spot=_spot(row),
        stay=_standing(row),
        booking=_booking(row),
        terms=parse_terms(row["terms"] or {}),
        blocked=row["blocked"],
        takes_walk_ins=bool(row["takes_walk_ins"]),
        has_tariff=row["tariff_id"] is not None,
        has_energy_prices=prices is not None and parse_rules(prices).energy is not None,
        left_at=row["left_at"],
        left_reason=row["left_answer"] and row["left_answer"]["reason"],
    )


def _spot(row: DictRow) -> Spot | None:
    if row["spot_id"] is None:
        return None
    owner = row["owner_household_id"]
    return Spot(
        id=row["spot_id"],
        code=row["spot"],
        in_service=row["in_service"],
        charging=row["charging"],
        beside_cars=bool(row["beside_cars"]),
        open_to_all=owner is None or owner == row["household_id"],
        taken=bool(row["taken"]),
        next_at=row["next_at"],
        group_full_at=row["group_full_at"],
    )


def _standing(row: DictRow) -> Standing | None:
    if row["stay_id"] is None:
        return None
    live = row["entered_answer"] is not None
    return Standing(row["stay_id"], row["right"], row["stay_space"], row["entered_at"], live)


def _booking(row: DictRow) -> Booked | None:
    if row["booking_id"] is None:
        return None
    terms = parse_terms(row["booked_terms"] or {})
    return Booked(
        id=row["booking_id"],
        space_id=row["booked_space_id"],
        space=row["booked_space"],
        starts_at=row["booking_starts_at"],
        early=timedelta(minutes=terms.early_minutes),
        too_early=timedelta(minutes=terms.too_early_minutes),
        free_here=row["free_here"],
        room_here=row["room_here"] is not False,
    )
