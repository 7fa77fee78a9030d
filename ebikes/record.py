"""What an outcome at a dock becomes in the database; stays are written as the gate writes them."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, Statement
from devices import exceptions
from ebikes.charging import ELECTRICITY, EnergyFee, energy_fee, implausible, too_long
from ledger.charges import NewCharge, raised
from ledger.payments import NewPayment, received
from parking.record import NO_READING
from tariffs.rule_parsing import parse_rules

# A charging that was left open here has ended without us hearing of it. One that ended without
# a reading (its `seconds` are null) may yet be given one.
END_LEFT_OPEN = """
UPDATE charging SET ended_at = greatest(started_at, %(started)s), energy_wh = 0,
    stop_reason = %(no_reading)s
WHERE space_id = %(space)s AND ended_at IS NULL
"""

BEGIN_CHARGING = """
INSERT INTO charging (id, stay_id, space_id, tariff_id, started_at, ended_at, energy_wh,
                      stop_reason)
VALUES (%(id)s, %(stay)s, %(space)s, %(tariff)s, %(started)s, %(ended)s, %(energy_wh)s,
        %(stop_reason)s)
"""

READ = """
UPDATE charging SET ended_at = greatest(started_at, %(ended)s), energy_wh = %(energy_wh)s,
    seconds = %(seconds)s, stop_reason = %(stop_reason)s
WHERE id = %(id)s
"""

CASE_OF_EVENT = """
INSERT INTO exception_case (event_id, device_id, reason, plate, raised_at)
VALUES (%(event)s, (SELECT device_id FROM device_event WHERE id = %(event)s), %(reason)s,
        %(plate)s, %(at)s)
ON CONFLICT (event_id, reason) DO NOTHING
"""

RESOLVE = """
UPDATE exception_case SET resolved_at = %(at)s, resolution = '已补录充电记录'
WHERE id = %(case)s AND resolved_at IS NULL
"""

CHARGINGS = """
SELECT c.id, c.ended_at IS NULL AS charging, fee.id AS charge_id, fee.lines,
    coalesce(r.charged_fen, 0) AS charged_fen, coalesce(r.paid_fen, 0) AS paid_fen
FROM charging c
LEFT JOIN receivable r ON r.source = 'charging' AND r.source_id = c.id
LEFT JOIN charge fee ON fee.source = 'charging' AND fee.source_id = c.id AND fee.kind = 'fee'
WHERE c.stay_id = %(stay)s ORDER BY c.id
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a charger measured, and the event that said so."""

    event_id: int
    ended_at: datetime
    energy_wh: int
    seconds: int
    stop_reason: str


@dataclass(frozen=True, slots=True)
class Account:
    """Whose charging it is and at which prices; `pays_fen` is the balance it may be paid from.

    `pays_fen` is None while the stay goes on: it is then paid at the release.
    """

    charging_id: int
    stay_id: int
    lot: str
    plate: str
    household_id: int | None
    tariff_id: int | None
    tariff_version: int | None
    tariff_rules: dict[str, Any] | None
    pays_fen: int | None


def charging_begun(
    account: Account, space_id: int, started_at: datetime, *, ended_at: datetime | None
) -> list[Statement]:
    """A charging begins; one with `ended_at` has ended, without a reading so far."""
    ended = ended_at is not None
    values = {
        "id": account.charging_id,
        "stay": account.stay_id,
        "space": space_id,
        "tariff": account.tariff_id,
        "started": started_at,
        "ended": ended_at,
        "energy_wh": 0 if ended else None,
        "stop_reason": NO_READING if ended else None,
        "no_reading": NO_READING,
    }
    begun = (BEGIN_CHARGING, values)
    return [begun] if ended else [(END_LEFT_OPEN, values), begun]


def charging_read(
    account: Account, reading: Reading, began_at: datetime, zone: ZoneInfo, now: datetime
) -> list[Statement]:
    """The reading of a charging has come: it is ended, charged, and perhaps paid.

    What no e-bike can have taken is not billed: a person looks, and so for one that went on too
    long, or has no price.
    """
    rules = parse_rules(account.tariff_rules) if account.tariff_rules else None
    prices = rules.energy if rules else None
    wrong = implausible(reading.energy_wh, reading.seconds)
    statements = [_read(account, reading, 0 if wrong else reading.energy_wh)]
    if wrong or (prices is None and reading.energy_wh):
        reason = "charging-implausible" if wrong else "no-tariff"
        return [*statements, case_of_event(reading.event_id, reason, account.plate, now)]
    if prices is None:
        return statements
    if too_long(prices, reading.seconds):
        statements.append(
            exceptions.raised("stay", account.stay_id, "charging-too-long", account.plate, now)
        )
    fee = energy_fee(
        prices,
        reading.energy_wh,
        max(began_at, reading.ended_at - timedelta(seconds=reading.seconds)),
        max(began_at, reading.ended_at),
        tariff=f"tariff:{account.tariff_id}v{account.tariff_version}",
        zone=zone,
    )
    return statements + _charged(account, fee, reading.ended_at)


def charging_paid(charging_id: int, amount_fen: int, household_id: int, at: datetime) -> Statement:
    """A charging is paid from its household's balance."""
    return received(
        NewPayment(
            source="charging",
            source_id=charging_id,
            method="balance",
            amount_fen=amount_fen,
            household_id=household_id,
            occurred_at=at,
        )
    )


def case_of_event(event_id: int, reason: str, plate: str | None, at: datetime) -> Statement:
    """An operator should look at what a device said; told once."""
    return CASE_OF_EVENT, {"event": event_id, "reason": reason, "plate": plate, "at": at}


def case_resolved(case_id: int, at: datetime) -> Statement:
    """What a case waited for has come by itself."""
    return RESOLVE, {"case": case_id, "at": at}


def chargings(connection: Connection, stay_id: int) -> list[DictRow]:
    """The chargings of a stay with what they were charged and paid."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(CHARGINGS, {"stay": stay_id}).fetchall()


def _read(account: Account, reading: Reading, energy_wh: int) -> Statement:
    return READ, {
        "id": account.charging_id,
        "ended": reading.ended_at,
        "energy_wh": energy_wh,
        "seconds": reading.seconds,
        "stop_reason": reading.stop_reason,
    }


def _charged(account: Account, fee: EnergyFee, at: datetime) -> list[Statement]:
    if not fee.total_fen:
        return []
    charge = NewCharge(
        kind="fee",
        source="charging",
        source_id=account.charging_id,
        income=ELECTRICITY,
        household_id=account.household_id,
        owner_household_id=None,
        amount_fen=fee.total_fen,
        occurred_at=at,
        lines=[line.as_json() for line in fee.lines],
        parts=fee.parts,
        lot=account.lot,
    )
    statements = [raised(charge)]
    if account.household_id and account.pays_fen is not None and account.pays_fen >= fee.total_fen:
        statements.append(
            charging_paid(account.charging_id, fee.total_fen, account.household_id, at)
        )
    return statements
