"""What an outcome becomes in the database: plain statements, sent together in one round trip."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.db import Statement
from devices import exceptions
from devices.events import Event
from ledger.charges import NewCharge, raised
from ledger.payments import NewPayment, received
from parking.fees import Owed
from parking.plates import Plate

INCOMES = {"car": "parking", "ebike": "ebike"}
"""Kind of lot -> the ledger's income source of its stays."""

OPEN_STAY = """
WITH opened AS (
    INSERT INTO stay (id, lot_id, plate, plate_color, status, "right", entered_at,
                      entry_event_id, space_id, permit_id, booking_id, tariff_id, household_id,
                      vehicle_class, new_energy, left_before_at, swap_until)
    VALUES (%(id)s, %(lot)s, %(plate)s, %(color)s, %(status)s, %(right)s, %(at)s,
            %(event)s, %(space)s, %(permit)s, %(booking)s, %(tariff)s, %(household)s,
            %(vehicle_class)s, %(new_energy)s, %(left_before)s, %(swap_until)s)
    RETURNING id, lot_id, space_id
)
"""

# Nobody knows when a vehicle leaves: its claim ends with the usual stay or where the next begins.
CLAIM = f"""{OPEN_STAY}
INSERT INTO space_claim (lot_id, space_id, group_id, during, stay_id)
SELECT opened.lot_id, opened.space_id, space.group_id, tstzrange(%(claimed_from)s, least(
    %(claimed_from)s + make_interval(mins => %(hold_minutes)s),
    (SELECT min(lower(c.during)) FROM space_claim c
     WHERE c.live AND c.lot_id = opened.lot_id AND c.space_id = opened.space_id
       AND lower(c.during) > %(claimed_from)s)
)), opened.id
FROM opened JOIN space ON space.id = opened.space_id
"""  # noqa: S608 - constants of ours

# A booking's claim becomes that of its stay; the vehicle may have come early, or stand elsewhere.
CHECK_IN = f"""{OPEN_STAY}, came AS (
    UPDATE booking SET status = 'checked_in', space_id = opened.space_id
    FROM opened WHERE booking.id = %(booking)s AND booking.status = 'confirmed'
)
UPDATE space_claim SET stay_id = opened.id, space_id = space.id, group_id = space.group_id,
    during = tstzrange(least(lower(during), %(claimed_from)s), upper(during))
FROM opened JOIN space ON space.id = opened.space_id
WHERE space_claim.booking_id = %(booking)s AND space_claim.live
"""  # noqa: S608 - constants of ours

# Whoever outstayed the claim stood there by nobody's leave: the next claim may have begun.
RELEASE = """
UPDATE space_claim SET live = false,
    during = tstzrange(lower(during), greatest(least(%(at)s, upper(during)),
                                               lower(during) + interval '1 microsecond'))
WHERE stay_id = %(id)s AND live
"""

FULFIL = """
fulfilled AS (
    UPDATE booking SET status = 'fulfilled', ended_at = %(at)s
    WHERE id = (SELECT booking_id FROM stay WHERE id = %(id)s) AND status = 'checked_in'
)
"""

CLOSE_STAY = f"""
WITH {FULFIL}, closed AS (
    UPDATE stay SET status = 'closed', exited_at = %(at)s, exit_event_id = %(event)s,
        fee_fen = %(fee)s, household_id = coalesce(household_id, %(household)s)
    WHERE id = %(id)s AND status IN ('open', 'exit-missing')
)
{RELEASE}
"""  # noqa: S608 - constants of ours

COMPLETE_STAY = """
WITH used AS (
    UPDATE booking SET status = 'fulfilled', ended_at = %(at)s
    WHERE id = %(booking)s AND status = 'confirmed'
), unused AS (
    UPDATE space_claim SET live = false, during = tstzrange(
        lower(during), greatest(lower(during) + interval '1 microsecond',
                                least(upper(during), %(now)s)))
    WHERE booking_id = %(booking)s AND stay_id IS NULL AND live
)
UPDATE stay SET status = 'closed', "right" = %(right)s, entered_at = %(at)s,
    entry_event_id = %(event)s, permit_id = %(permit)s, booking_id = %(booking)s,
    tariff_id = %(tariff)s, household_id = %(household)s, fee_fen = %(fee)s,
    vehicle_class = %(vehicle_class)s, new_energy = %(new_energy)s, left_before_at = %(left_before)s
WHERE id = %(id)s AND status = 'entry-missing'
"""

EXIT_ALONE = """
INSERT INTO stay (id, lot_id, plate, plate_color, status, "right", exited_at, exit_event_id,
                  household_id)
VALUES (%(id)s, %(lot)s, %(plate)s, %(color)s, 'entry-missing', 'walk-in', %(at)s, %(event)s,
        %(household)s)
"""

ABANDON_STAY = f"""
WITH {FULFIL}, abandoned AS (
    UPDATE stay SET status = 'exit-missing' WHERE id = %(id)s AND status = 'open'
)
{RELEASE}
"""  # noqa: S608 - constants of ours

BY_HAND = """
UPDATE stay SET closed_by = %(person)s, close_reason = %(reason)s WHERE id = %(id)s
"""

NO_READING = "no-reading"
"""Why a charging ended whose charger said nothing yet."""

END_CHARGINGS = """
UPDATE charging SET ended_at = greatest(started_at, %(at)s), energy_wh = 0,
    stop_reason = %(no_reading)s
WHERE stay_id = %(stay)s AND ended_at IS NULL
"""


@dataclass(frozen=True, slots=True)
class NewStay:
    """A stay that begins at `entered_at`, with all that will price it.

    Its space, if any, is claimed from `claimed_from` on: by the booking it fulfils, or for the
    usual `hold_minutes`, less if somebody else has claimed it after that. One that `yields`
    claims nothing where somebody else has a claim already.
    """

    id: int
    lot_id: int
    plate: Plate
    right: str
    entered_at: datetime
    event_id: int
    space_id: int | None
    tariff_id: int | None
    household_id: int | None
    claimed_from: datetime
    hold_minutes: int
    vehicle_class: str
    new_energy: bool
    permit_id: int | None = None
    booking_id: int | None = None
    left_before_at: datetime | None = None
    swap_until: datetime | None = None
    status: str = "open"
    yields: bool = False


def stay_opened(stay: NewStay) -> Statement:
    """The stay, and its hold on a space."""
    values = {
        "id": stay.id,
        "lot": stay.lot_id,
        "plate": stay.plate.text,
        "color": stay.plate.color,
        "status": stay.status,
        "right": stay.right,
        "at": stay.entered_at,
        "event": stay.event_id,
        "space": stay.space_id,
        "permit": stay.permit_id,
        "booking": stay.booking_id,
        "tariff": stay.tariff_id,
        "household": stay.household_id,
        "vehicle_class": stay.vehicle_class,
        "new_energy": stay.new_energy,
        "left_before": stay.left_before_at,
        "swap_until": stay.swap_until,
        "claimed_from": stay.claimed_from,
        "hold_minutes": stay.hold_minutes,
    }
    if stay.booking_id is not None:
        return CHECK_IN, values
    return (f"{CLAIM} ON CONFLICT DO NOTHING" if stay.yields else CLAIM), values


def stay_closed(
    stay_id: int, at: datetime, event_id: int | None, fee_fen: int, *, household_id: int | None
) -> list[Statement]:
    """A stay ends at `at` with its final fee; its space is free again.

    A household whose vehicle it turned out to be may see it from now on.
    """
    values = {"id": stay_id, "at": at, "event": event_id, "fee": fee_fen}
    return [(CLOSE_STAY, values | {"household": household_id})]


def chargings_ended(stay_id: int, at: datetime) -> Statement:
    """Whatever still charges for a stay ends with it; a reading may yet come."""
    return END_CHARGINGS, {"stay": stay_id, "at": at, "no_reading": NO_READING}


def closed_by_hand(stay_id: int, person_id: int, reason: str) -> Statement:
    """Who ends the stay without a camera, and why."""
    return BY_HAND, {"id": stay_id, "person": person_id, "reason": reason}


def stay_completed(
    stay_id: int,
    *,
    right: str,
    at: datetime,
    event_id: int,
    household_id: int | None,
    fee_fen: int,
    now: datetime,
    found: dict[str, Any],
) -> list[Statement]:
    """The entry of a stay whose exit was booked before; `found` has the rest of what prices it."""
    values = {"id": stay_id, "right": right, "at": at, "event": event_id, "now": now}
    return [(COMPLETE_STAY, values | {"household": household_id, "fee": fee_fen} | found)]


def exit_alone(
    *,
    stay_id: int,
    lot_id: int,
    plate: Plate,
    at: datetime,
    event_id: int,
    household_id: int | None,
) -> list[Statement]:
    """An exit whose entry was not seen (yet)."""
    values = {
        "id": stay_id,
        "lot": lot_id,
        "plate": plate.text,
        "color": plate.color,
        "at": at,
        "event": event_id,
        "household": household_id,
    }
    return [(EXIT_ALONE, values)]


def stay_abandoned(stay_id: int, at: datetime) -> list[Statement]:
    """The vehicle came again, so the exit of this stay was missed; its space is free."""
    return [(ABANDON_STAY, {"id": stay_id, "at": at})]


def fee_taken(
    *,
    stay_id: int,
    fee: Owed,
    income: str,
    lot: str,
    household_id: int | None,
    owner_household_id: int | None,
    from_balance_fen: int,
    at: datetime,
) -> list[Statement]:
    """Raise what the stay was not charged yet, and take from the balance what it may pay."""
    statements: list[Statement] = []
    if fee.to_charge_fen:
        charge = NewCharge(
            kind="supplement" if fee.charged_fen else "fee",
            source="stay",
            source_id=stay_id,
            income=income,
            household_id=household_id,
            owner_household_id=owner_household_id,
            amount_fen=fee.to_charge_fen,
            occurred_at=at,
            lines=fee.lines_to_charge(),
            parts=fee.parts_to_charge(income),
            lot=lot,
        )
        statements.append(raised(charge))
    if from_balance_fen:
        payment = NewPayment(
            source="stay",
            source_id=stay_id,
            method="balance",
            amount_fen=from_balance_fen,
            household_id=household_id,
            received_by=None,
            occurred_at=at,
        )
        statements.append(received(payment))
    return statements


def case_raised(
    event: Event, event_id: int, device_id: int, reason: str, plate: Plate | None
) -> Statement:
    """An operator should look at this."""
    at, shown = event.recorded_at, plate.text if plate else None
    return exceptions.met(event_id, device_id, reason, at, shown)
