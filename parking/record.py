"""What an outcome becomes in the database: plain statements, sent together in one round trip."""

from datetime import datetime

from core.db import Statement
from devices.events import Event
from ledger.charges import NewCharge, raised
from ledger.payments import NewPayment, received
from parking.fees import Owed
from parking.plates import Plate

OPEN_STAY = """
WITH opened AS (
    INSERT INTO stay (id, lot_id, plate, plate_color, status, "right", entered_at,
                      entry_event_id, space_id, permit_id, tariff_id, household_id)
    VALUES (%(id)s, %(lot)s, %(plate)s, %(color)s, %(status)s, %(right)s, %(at)s,
            %(event)s, %(space)s, %(permit)s, %(tariff)s, %(household)s)
    RETURNING id, lot_id, space_id
)
INSERT INTO space_claim (lot_id, space_id, during, stay_id)
SELECT lot_id, space_id, tstzrange(%(claimed_from)s, NULL), id FROM opened
WHERE space_id IS NOT NULL
"""

RELEASE = """
UPDATE space_claim SET live = false,
    during = tstzrange(lower(during), greatest(%(at)s, lower(during) + interval '1 microsecond'))
WHERE stay_id = %(id)s AND live
"""

CLOSE_STAY = f"""
WITH closed AS (
    UPDATE stay SET status = 'closed', exited_at = %(at)s, exit_event_id = %(event)s,
        fee_fen = %(fee)s, household_id = coalesce(household_id, %(household)s)
    WHERE id = %(id)s AND status IN ('open', 'exit-missing')
)
{RELEASE}
"""  # noqa: S608 - constants of ours

COMPLETE_STAY = """
UPDATE stay SET status = 'closed', "right" = %(right)s, entered_at = %(at)s,
    entry_event_id = %(event)s, permit_id = %(permit)s, tariff_id = %(tariff)s,
    household_id = %(household)s, fee_fen = %(fee)s
WHERE id = %(id)s AND status = 'entry-missing'
"""

EXIT_ALONE = """
INSERT INTO stay (id, lot_id, plate, plate_color, status, "right", exited_at, exit_event_id,
                  household_id)
VALUES (%(id)s, %(lot)s, %(plate)s, %(color)s, 'entry-missing', 'walk-in', %(at)s, %(event)s,
        %(household)s)
"""

ABANDON_STAY = f"""
WITH abandoned AS (
    UPDATE stay SET status = 'exit-missing' WHERE id = %(id)s AND status = 'open'
)
{RELEASE}
"""  # noqa: S608 - constants of ours

BY_HAND = """
UPDATE stay SET closed_by = %(person)s, close_reason = %(reason)s WHERE id = %(id)s
"""

CLOCK = "UPDATE device SET clock_off_seconds = %(off)s WHERE id = %(device)s"

CLOCK_CASE = """
INSERT INTO exception_case (event_id, device_id, reason, raised_at)
SELECT %(event)s, %(device)s, 'device-clock', %(at)s
WHERE NOT EXISTS (SELECT FROM exception_case
                  WHERE device_id = %(device)s AND reason = 'device-clock'
                    AND resolved_at IS NULL)
"""

RAISE_CASE = """
INSERT INTO exception_case (event_id, device_id, reason, plate, raised_at)
VALUES (%(event)s, %(device)s, %(reason)s, %(plate)s, %(at)s)
ON CONFLICT (event_id, reason) DO NOTHING
"""


def stay_opened(
    *,
    stay_id: int,
    lot_id: int,
    plate: Plate,
    right: str,
    at: datetime,
    event_id: int,
    space_id: int | None,
    permit_id: int | None,
    tariff_id: int | None,
    household_id: int | None,
    status: str = "open",
    claimed_from: datetime | None = None,
) -> list[Statement]:
    """A stay begins at `at`; its space, if any, is claimed from then (or `claimed_from`) on."""
    values = {
        "id": stay_id,
        "lot": lot_id,
        "plate": plate.text,
        "color": plate.color,
        "status": status,
        "right": right,
        "at": at,
        "event": event_id,
        "space": space_id,
        "permit": permit_id,
        "tariff": tariff_id,
        "household": household_id,
        "claimed_from": claimed_from or at,
    }
    return [(OPEN_STAY, values)]


def stay_closed(
    stay_id: int, at: datetime, event_id: int | None, fee_fen: int, *, household_id: int | None
) -> list[Statement]:
    """A stay ends at `at` with its final fee; its space is free again.

    A household whose vehicle it turned out to be may see it from now on.
    """
    values = {"id": stay_id, "at": at, "event": event_id, "fee": fee_fen}
    return [(CLOSE_STAY, values | {"household": household_id})]


def closed_by_hand(stay_id: int, person_id: int, reason: str) -> Statement:
    """Who ends the stay without a camera, and why."""
    return BY_HAND, {"id": stay_id, "person": person_id, "reason": reason}


def stay_completed(
    *,
    stay_id: int,
    right: str,
    at: datetime,
    event_id: int,
    permit_id: int | None,
    tariff_id: int | None,
    household_id: int | None,
    fee_fen: int,
) -> list[Statement]:
    """The entry of a stay whose exit was booked before."""
    values = {
        "id": stay_id,
        "right": right,
        "at": at,
        "event": event_id,
        "permit": permit_id,
        "tariff": tariff_id,
        "household": household_id,
        "fee": fee_fen,
    }
    return [(COMPLETE_STAY, values)]


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
            income="parking",
            household_id=household_id,
            owner_household_id=owner_household_id,
            amount_fen=fee.to_charge_fen,
            occurred_at=at,
            lines=fee.lines_to_charge(),
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


def clock_off(event: Event, event_id: int, device_id: int) -> list[Statement]:
    """The device's clock is off so far that its events are history; say so once."""
    values = {"event": event_id, "device": device_id, "at": event.recorded_at}
    off = {"device": device_id, "off": event.behind_seconds}
    return [(CLOCK, off), (CLOCK_CASE, values)]


def clock_right(device_id: int) -> Statement:
    """The device's clock agrees with ours again."""
    return CLOCK, {"device": device_id, "off": None}


def case_raised(
    event: Event, event_id: int, device_id: int, reason: str, plate: Plate | None
) -> Statement:
    """An operator should look at this."""
    return RAISE_CASE, {
        "event": event_id,
        "device": device_id,
        "reason": reason,
        "plate": plate.text if plate else None,
        "at": event.recorded_at,
    }
