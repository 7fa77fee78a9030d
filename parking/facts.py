"""What the gate must know, read in one statement; and the neighbours of a late movement.

Written as SQL because a vehicle waits: one round trip authenticates the device, finds a
repeat, and reads rights, stay, money and a free space together.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, pipeline
from devices.registry import unknown_device
from parking.fees import Bill
from parking.gate import Facts, FreeSpace, OpenStay
from parking.plates import Plate
from parking.tariff import Tariff, parse_rules
from parking.timeline import Seen

# A vehicle is the same when text and colour agree; an unknown colour agrees with any.
SAME_COLOR = "({0}.plate_color = %(color)s OR 'unknown' IN ({0}.plate_color, %(color)s::text))"

# One vehicle at a time. It is a statement of its own because the look after it must see what
# whoever held the lock has written.
ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('plate ' || %(plate)s::text, 0))"

# A permit renewed before it ended goes on; {0} is the one the stay began with.
PERMIT_END = """(
    SELECT max(renewed.ends_at) FROM permit renewed
    WHERE renewed.lot_id = {0}.lot_id AND renewed.plate = {0}.plate
      AND renewed.starts_at <= {0}.ends_at
)"""

LOOK = f"""
SELECT
    d.id AS device_id, d.code AS device, d.serial, d.display, d.clock_off_seconds,
    lane.direction, lane.code AS lane,
    lot.id AS lot_id, lot.code AS lot, lot.takes_walk_ins,
    seen.type AS seen_type, seen.data AS seen_data, seen.answer AS seen_answer,
    seen.recorded_at AS seen_at,
    blocked.plate IS NOT NULL AS blocked,
    vehicle.household_id, coalesce(balance.amount_fen, 0) AS balance_fen,
    permit.id AS permit_id,
    price.id AS tariff_id,
    coalesce(fixed.id, free.id) AS free_id, coalesce(fixed.code, free.code) AS free_code,
    inside.*,
    money.charged_fen, money.paid_fen, money.charged_at, money.moved_at,
    left_before.exited_at AS left_at, left_before.answer AS left_answer,
    overtaken.by IS NOT NULL AS overtaken,
    nextval('device_event_id_seq') AS event_id, nextval('stay_id_seq') AS new_stay_id
FROM device d
LEFT JOIN lane ON lane.id = d.lane_id
LEFT JOIN lot ON lot.id = lane.lot_id
LEFT JOIN device_event seen ON seen.device_id = d.id AND seen.event_key = %(key)s
LEFT JOIN blocked_plate blocked ON blocked.plate = %(plate)s
LEFT JOIN LATERAL (
    SELECT v.household_id FROM vehicle v
    WHERE v.plate = %(plate)s AND {SAME_COLOR.format("v")}
    ORDER BY v.plate_color = %(color)s::text DESC LIMIT 1
) vehicle ON true
LEFT JOIN balance ON balance.household_id = vehicle.household_id
LEFT JOIN LATERAL (
    SELECT p.id, p.space_id FROM permit p
    WHERE p.lot_id = lot.id AND p.plate = %(plate)s AND {SAME_COLOR.format("p")}
      AND p.starts_at <= %(at)s AND %(at)s < p.ends_at
    ORDER BY p.ends_at DESC LIMIT 1
) permit ON true
LEFT JOIN LATERAL (
    SELECT t.id FROM tariff t WHERE t.lot_id = lot.id AND t.valid_from <= %(at)s
    ORDER BY t.valid_from DESC LIMIT 1
) price ON true
LEFT JOIN LATERAL (
    SELECT s.id AS stay_id, s."right", s.entered_at, s.household_id AS stay_household_id,
        s.space_id AS stay_space_id, space.code AS stay_space,
        space.owner_household_id AS stay_owner_household_id,
        {PERMIT_END.format("stay_permit")} AS permit_ends_at,
        CASE WHEN NOT entry_event.history THEN entry_event.answer END AS entered_answer,
        t.id AS stay_tariff_id, t.version AS stay_tariff_version, t.rules AS stay_rules
    FROM stay s
    LEFT JOIN space ON space.id = s.space_id
    LEFT JOIN permit stay_permit ON stay_permit.id = s.permit_id
    LEFT JOIN device_event entry_event ON entry_event.id = s.entry_event_id
    LEFT JOIN tariff t ON t.id = s.tariff_id
    WHERE s.lot_id = lot.id AND s.status = 'open'
      AND s.plate = %(plate)s AND {SAME_COLOR.format("s")}
    ORDER BY s.plate_color = %(color)s::text DESC LIMIT 1
    FOR UPDATE OF s
) inside ON true
LEFT JOIN receivable money ON lane.direction = 'exit'
    AND money.source = 'stay' AND money.source_id = inside.stay_id
LEFT JOIN LATERAL (
    SELECT s.exited_at, e.answer FROM stay s JOIN device_event e ON e.id = s.exit_event_id
    WHERE s.plate = %(plate)s AND {SAME_COLOR.format("s")} AND s.lot_id = lot.id
      AND s.status = 'closed' AND NOT e.history AND e.answer ->> 'action' = 'open'
    ORDER BY s.exited_at DESC LIMIT 1
) left_before ON lane.direction = 'exit' AND inside.stay_id IS NULL
LEFT JOIN LATERAL (
    SELECT s.id AS by FROM stay s
    WHERE s.plate = %(plate)s AND {SAME_COLOR.format("s")} AND s.lot_id = lot.id
      AND s.exited_at > %(at)s::timestamptz + interval '10 seconds'
    LIMIT 1
) overtaken ON true
LEFT JOIN LATERAL (
    SELECT s.id, s.code FROM space s
    WHERE s.id = permit.space_id AND s.in_service AND lane.direction = 'entry'
      AND NOT EXISTS (SELECT FROM space_claim c WHERE c.live AND c.lot_id = s.lot_id
                      AND c.space_id = s.id AND c.during && tstzrange(%(at)s, NULL))
) fixed ON true
LEFT JOIN LATERAL (
    SELECT s.id, s.code FROM space s
    WHERE s.lot_id = lot.id AND s.in_service AND s.owner_household_id IS NULL
      AND lane.direction = 'entry' AND fixed.id IS NULL AND inside.stay_id IS NULL
      AND blocked.plate IS NULL AND seen.id IS NULL
      AND NOT EXISTS (SELECT FROM space_claim c WHERE c.live AND c.lot_id = s.lot_id
                      AND c.space_id = s.id AND c.during && tstzrange(%(at)s, NULL))
    ORDER BY s.id LIMIT 1 FOR UPDATE OF s SKIP LOCKED
) free ON true
WHERE d.active AND (
    d.token_digest = %(digest)s
    OR (d.previous_token_digest = %(digest)s AND d.previous_token_until > %(now)s)
)
"""  # noqa: S608 - the pieces put together are constants of ours

NEIGHBOUR = """
SELECT s.id, s.status, s.entered_at, s.exited_at FROM stay s
WHERE s.plate = %(plate)s AND {color} AND s.lot_id = %(lot)s
  AND coalesce(s.entered_at, s.exited_at) {side} %(at)s
ORDER BY coalesce(s.entered_at, s.exited_at) {order}, s.id {order} LIMIT 1 FOR UPDATE
"""
BEFORE = NEIGHBOUR.format(color=SAME_COLOR.format("s"), side="<=", order="DESC")
AFTER = NEIGHBOUR.format(color=SAME_COLOR.format("s"), side=">", order="ASC")


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
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        if plate:
            connection.execute(ONE_AT_A_TIME, values)
        row = cursor.execute(LOOK, values).fetchone()
    if row is None:
        raise unknown_device()
    return Look(row, _facts(row, zone))


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


def tariff_of(row: DictRow, zone: ZoneInfo) -> Tariff | None:
    """The tariff frozen at entry, from the columns `stay_tariff_*`."""
    if row["stay_tariff_id"] is None:
        return None
    rules = parse_rules(row["stay_rules"])
    return Tariff(row["stay_tariff_id"], row["stay_tariff_version"], zone, rules)


def bill_of(row: DictRow, zone: ZoneInfo) -> Bill:
    """The money side of a stay's row."""
    return Bill(
        entered_at=row["entered_at"],
        tariff=tariff_of(row, zone),
        free_until=row["permit_ends_at"],
        charged_fen=row["charged_fen"] or 0,
        paid_fen=row["paid_fen"] or 0,
        charged_at=row["charged_at"],
        moved_at=row["moved_at"],
    )


def _facts(row: DictRow, zone: ZoneInfo) -> Facts:
    stay = None
    if row["stay_id"] is not None:
        entered_live = row["entered_answer"] is not None
        stay = OpenStay(row["stay_id"], row["right"], entered_live, bill_of(row, zone))
    free = FreeSpace(row["free_id"], row["free_code"]) if row["free_id"] else None
    return Facts(
        direction=row["direction"],
        takes_walk_ins=row["takes_walk_ins"],
        has_tariff=row["tariff_id"] is not None,
        blocked=row["blocked"],
        permit_id=row["permit_id"],
        free_space=free,
        stay=stay,
        left_at=row["left_at"],
        left_reason=row["left_answer"] and row["left_answer"]["reason"],
        has_household=row["household_id"] is not None,
        balance_fen=row["balance_fen"],
    )


def _seen(row: dict[str, Any] | None) -> Seen | None:
    if row is None:
        return None
    return Seen(row["id"], row["status"], row["entered_at"], row["exited_at"])
