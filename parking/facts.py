"""What the gate must know, read in one round trip; and the neighbours of a late movement."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import RawCursor
from psycopg.rows import DictRow, dict_row

from core.db import Connection, numbered, pipeline
from devices.registry import unknown_device
from parking.fees import Bill, Booked
from parking.gate import Facts, FreeSpace, HeldBooking, HeldPermit, OpenStay
from parking.look import AFTER, BEFORE, COUNTED_ALONE, LOOK, ONE_AT_A_TIME
from parking.permits import Right, covers_now
from parking.plates import Plate, classify
from parking.terms import parse_terms
from parking.timeline import Seen
from tariffs.days import holidays_by, overrides
from tariffs.tariff import Tariff, parse_rules

LOOK_NUMBERED, LOOKED_BY = numbered(LOOK)


@dataclass(frozen=True, slots=True)
class Look:
    """The row as read, and what the decision needs of it."""

    row: DictRow
    facts: Facts


def look(
    connection: Connection,
    *,
    token_digest: bytes,
    key: str,
    plate: Plate | None,
    at: datetime,
    now: datetime,
    zone: ZoneInfo,
) -> Look:
    """Read everything in one round trip; raises Problem 401 when no device has this token.

    Whoever else decides about the same plate waits until this transaction ends.
    """
    values = {
        "digest": token_digest,
        "key": key,
        "plate": plate.text if plate else "",
        "color": plate.color if plate else "unknown",
        "at": at,
        "now": now,
    }
    with pipeline(connection), RawCursor(connection, row_factory=dict_row) as cursor:
        if plate:
            connection.execute(ONE_AT_A_TIME, values)
            connection.execute(COUNTED_ALONE, values)
        row = cursor.execute(LOOK_NUMBERED, [values[name] for name in LOOKED_BY]).fetchone()
    if row is None:
        raise unknown_device()
    return Look(row, _facts(row, at, zone))


def neighbours(
    connection: Connection, lot_id: int, plate: Plate, at: datetime
) -> tuple[Seen | None, Seen | None]:
    """The stays of a plate just before and just after an instant, locked."""
    values = {"lot": lot_id, "plate": plate.text, "color": plate.color, "at": at}
    with (
        pipeline(connection),
        connection.cursor(row_factory=dict_row) as before,
        connection.cursor(row_factory=dict_row) as after,
    ):
        before.execute(BEFORE, values)
        after.execute(AFTER, values)
        return _seen(before.fetchone()), _seen(after.fetchone())


def class_of(row: DictRow, plate: Plate, booking_id: int | None) -> tuple[str, bool]:
    """Vehicle class, and whether it is new energy: as booked, registered, or the plate says.

    What was booked stands, for its price was promised.
    """
    if booking_id is not None and row["booked_vehicle_class"]:
        return row["booked_vehicle_class"], row["booked_new_energy"]
    seen = classify(plate)
    return row["vehicle_class"] or seen.vehicle_class, seen.new_energy


def tariff_of(row: DictRow, zone: ZoneInfo) -> Tariff | None:
    """The tariff frozen at entry, from the columns `stay_tariff_*`."""
    if row["stay_tariff_id"] is None:
        return None
    rules = parse_rules(row["stay_rules"])
    calendar = overrides(row["calendar"])
    return Tariff(row["stay_tariff_id"], row["stay_tariff_version"], zone, rules, calendar)


def bill_of(row: DictRow, zone: ZoneInfo) -> Bill:
    """The money side of a stay, from the columns of `BILL` and its receivable.

    What was credited was charged once and counts as paid, or it would be charged again.
    """
    credited_fen = row["credited_fen"] or 0
    return Bill(
        entered_at=row["entered_at"],
        tariff=tariff_of(row, zone),
        vehicle_class=row["stay_vehicle_class"],
        new_energy=row["new_energy"],
        left_before_at=row["left_before_at"],
        rights=_rights(row["stay_rights"]),
        swap_until=row["swap_until"],
        freed_at=row["stay_freed_at"],
        booked=_booked_span(row),
        charged_fen=(row["charged_fen"] or 0) + credited_fen,
        paid_fen=(row["paid_fen"] or 0) + credited_fen,
        charged_at=row["charged_at"],
        moved_at=row["moved_at"],
        charged_parts=row["charged_parts"] or {},
    )


def _rights(stored: list[dict[str, Any]] | None) -> tuple[Right, ...]:
    return tuple(
        Right.of(
            datetime.fromisoformat(one["from"]),
            datetime.fromisoformat(one["until"]),
            one["hours"],
        )
        for one in stored or ()
    )


def _booked_span(row: DictRow) -> Booked | None:
    if row["stay_booking_id"] is None:
        return None
    late_minutes = parse_terms(row["booked_terms"] or {}).late_minutes
    return Booked(row["booked_from"], row["booked_until"], late_minutes)


def _facts(row: DictRow, at: datetime, zone: ZoneInfo) -> Facts:
    stay = None
    if row["stay_id"] is not None:
        entered_live = row["entered_answer"] is not None
        stay = OpenStay(row["stay_id"], row["right"], entered_live, bill_of(row, zone))
    return Facts(
        direction=row["direction"],
        takes_walk_ins=row["takes_walk_ins"],
        has_tariff=row["tariff_id"] is not None,
        blocked=row["blocked"],
        permit=_permit(row, at, zone),
        booked=_booking(row),
        free_space=FreeSpace(row["free_id"], row["free_code"]) if row["free_id"] else None,
        own_space_free=row["fixed_id"] is not None,
        has_room=_has_room(row, at, zone),
        stay=stay,
        left_at=row["left_at"],
        left_reason=row["left_answer"] and row["left_answer"]["reason"],
        has_household=row["household_id"] is not None,
        balance_fen=row["balance_fen"],
    )


def _permit(row: DictRow, at: datetime, zone: ZoneInfo) -> HeldPermit | None:
    if row["permit_id"] is None:
        return None
    right = Right.of(row["permit_starts_at"], row["permit_ends_at"], row["permit_hours"])
    holds = covers_now(right, at, zone=zone, is_holiday=holidays_by(row["calendar_now"]))
    return HeldPermit(row["permit_id"], holds, row["permit_places"] > 0, row["swap_minutes"])


def _booking(row: DictRow) -> HeldBooking | None:
    if row["booking_id"] is None:
        return None
    terms = parse_terms(row["booking_terms"] or {})
    return HeldBooking(
        id=row["booking_id"],
        replaces_own_space=row["booking_kind"] == "replacement",
        starts_at=row["booking_starts_at"],
        early=timedelta(minutes=terms.early_minutes),
        too_early=timedelta(minutes=terms.too_early_minutes),
        space=FreeSpace(row["booked_space_id"], row["booked_space"]),
        ready=row["ready"],
    )


def _has_room(row: DictRow, at: datetime, zone: ZoneInfo) -> bool:
    """Whether a walk-in leaves enough of the community's spaces to floating permits."""
    if row["reserved"] is None:
        return True
    is_holiday = holidays_by(row["calendar_now"])
    reserved = sum(
        max(0, stored["places"])
        for stored, right in zip(row["reserved"], _rights(row["reserved"]), strict=True)
        if covers_now(right, at, zone=zone, is_holiday=is_holiday)
    )
    return bool(row["community_free"] > reserved)


def _seen(row: dict[str, Any] | None) -> Seen | None:
    if row is None:
        return None
    return Seen(row["id"], row["status"], row["entered_at"], row["exited_at"])
