"""Doors and cabinets by themselves: left open, broken, what the sensors see, cameras."""

from collections.abc import Iterator, Mapping
from typing import Any

from psycopg.rows import DictRow, dict_row

from core.db import Connection, Statement, pipeline, send
from devices import events, exceptions
from devices.events import Event, Receipt
from devices.models import Device
from lockers.hearing import book, known_cabinet, when
from lockers.look import LOOK_DOOR, ONE_CABINET
from lockers.record import Said, happened, happened_at_door

Row = Mapping[str, Any]

LEFT_OPEN, FAULT, CLOSED = "door.left_open", "door.fault", "door.closed"
IN_SERVICE = "door.returned"
CASES = {LEFT_OPEN: "door-left-open", FAULT: "door-fault"}
"""What operators see, until it is undone."""

UNDONE_BY = {LEFT_OPEN: CLOSED, CLOSED: LEFT_OPEN, FAULT: IN_SERVICE}

# What was said later, by the door's own time, counts, in whatever order it is heard.
LATER = """
EXISTS (SELECT FROM compartment_event e WHERE e.compartment_id = %(door)s
        AND e.type = %(undone_by)s AND e.occurred_at > %(at)s)
"""

# A hold goes on whatever happens to the door: whoever has it may come back, or its time runs out.
# A broken door is out of use until it is mended.
MOVE = {
    LEFT_OPEN: f"""
UPDATE compartment SET state = 'open'
WHERE id = %(door)s AND state IN ('free', 'occupied') AND NOT {LATER}
""",  # noqa: S608 - constants of ours
    CLOSED: f"""
UPDATE compartment SET state = CASE WHEN parcel_id IS NULL THEN 'free' ELSE 'occupied' END
WHERE id = %(door)s AND state = 'open' AND NOT {LATER}
""",  # noqa: S608 - constants of ours
    FAULT: f"""
UPDATE compartment SET state = 'blocked', reason = 'door-fault'
WHERE id = %(door)s AND NOT {LATER}
""",  # noqa: S608 - constants of ours
}

SHUT = f"""
UPDATE exception_case SET resolved_at = %(now)s, resolution = '柜门已关'
WHERE subject = 'compartment' AND subject_id = %(door)s AND reason = 'door-left-open'
  AND resolved_at IS NULL AND NOT {LATER}
"""  # noqa: S608 - constants of ours

CASE = f"""
INSERT INTO exception_case (subject, subject_id, reason, raised_at)
SELECT 'compartment', %(door)s, %(reason)s, %(now)s WHERE NOT {LATER}
{exceptions.REOPEN}
"""

CAMERAS = """
UPDATE cabinet SET cameras_down_at = CASE WHEN %(down)s THEN coalesce(cameras_down_at, %(now)s) END
WHERE device_id = %(device)s AND (cameras_down_at IS NOT NULL) <> %(down)s
"""

SEEN = """
WITH said AS (
    SELECT * FROM unnest(%(numbers)s::int[], %(sensors)s::text[]) AS said (number, sensor)
)
UPDATE compartment k SET sensor = said.sensor, sensor_at = %(at)s
FROM said, cabinet WHERE cabinet.device_id = %(device)s AND k.cabinet_id = cabinet.id
  AND k.number = said.number
  AND (k.sensor_at IS NULL OR k.sensor_at <= %(at)s)
"""

# A full door that we think is free is given to nobody until a person has looked; a door we think
# is full and that is empty is shown, and its parcel's end waits for a person.
MISMATCH = f"""
WITH wrong AS (
    SELECT k.id, k.sensor, k.state FROM compartment k JOIN cabinet ON cabinet.id = k.cabinet_id
    WHERE cabinet.device_id = %(device)s AND k.sensor_at = %(at)s
      AND (k.state = 'free' AND k.sensor = 'occupied'
           OR k.state = 'occupied' AND k.sensor = 'empty')
), checked AS (
    UPDATE compartment SET state = 'needs_check', reason = 'sensor-occupied'
    FROM wrong WHERE compartment.id = wrong.id AND wrong.state = 'free'
), noted AS (
    INSERT INTO compartment_event
        (compartment_id, type, actor, occurred_at, recorded_at, event_id, data)
    SELECT id, 'audit.mismatch', %(actor)s, %(at)s, %(now)s, NULL,
        jsonb_build_object('sensor', sensor, 'record', state)
    FROM wrong WHERE NOT EXISTS (
        SELECT FROM exception_case x WHERE x.subject = 'compartment' AND x.subject_id = wrong.id
        AND x.reason = 'sensor-mismatch' AND x.resolved_at IS NULL)
)
INSERT INTO exception_case (subject, subject_id, reason, raised_at)
SELECT 'compartment', id, 'sensor-mismatch', %(now)s FROM wrong
{exceptions.REOPEN}
"""  # noqa: S608 - constants of ours

# Sensor and record agree again, by themselves.
AGREED = """
UPDATE exception_case x SET resolved_at = %(now)s, resolution = '传感器与记录已一致'
FROM compartment k JOIN cabinet ON cabinet.id = k.cabinet_id
WHERE cabinet.device_id = %(device)s AND k.sensor_at = %(at)s
  AND x.subject = 'compartment' AND x.subject_id = k.id AND x.reason = 'sensor-mismatch'
  AND x.resolved_at IS NULL
  AND (k.state = 'free' AND k.sensor = 'empty' OR k.state = 'occupied' AND k.sensor = 'occupied')
"""


def hear(
    connection: Connection, event: Event, type_: str, number: int, *, token_digest: bytes
) -> Receipt:
    """A door was left open, is broken, or has been closed; told once while it lasts.

    Problem 401 for an unknown token, 403 when the device is no cabinet, 409 when its key came
    before with other content.
    """
    values = {
        "digest": token_digest,
        "key": event.key,
        "now": event.recorded_at,
        "number": number,
    }
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute(ONE_CABINET, values)
        row = known_cabinet(cursor.execute(LOOK_DOOR, values).fetchone())
    if row["seen_at"] is not None:
        return events.again(event, row, {})
    book(connection, event, row, None, _moved(event, row, type_))
    return Receipt(event.key, False, event.recorded_at, None)


def watched(
    connection: Connection,
    device: Device,
    event: Event,
    cameras_down: bool | None,
    sensors: Mapping[int, str],
) -> None:
    """What a heartbeat says of the cameras and of what lies behind the doors, if it does.

    The cabinet is locked by the caller.

    One that comes late says nothing of now.
    """
    if event.history:
        return
    values: dict[str, Any] = {
        "device": device.id,
        "actor": f"device:{device.code}",
        "at": event.at,
        "now": event.recorded_at,
    }
    statements: list[Statement] = []
    if cameras_down is not None:
        statements.append((CAMERAS, values | {"down": cameras_down}))
    if sensors:
        said = {"numbers": list(sensors), "sensors": list(sensors.values())}
        statements += [(SEEN, values | said), (MISMATCH, values), (AGREED, values)]
    if statements:
        send(connection, statements)


def _moved(event: Event, row: DictRow, type_: str) -> Iterator[Statement]:
    door_id, now = row["door_id"], event.recorded_at
    if door_id is None:
        yield exceptions.met(row["event_id"], row["device_id"], "unknown-compartment", now)
        return
    said = Said(f"device:{row['device']}", when(event, row), now, row["event_id"])
    yield happened_at_door(door_id, type_, said)
    if row["door_parcel_id"] is not None:
        yield happened(row["door_parcel_id"], type_, said, compartment=row["door_number"])
    values = {"door": door_id, "now": now, "at": said.at, "undone_by": UNDONE_BY[type_]}
    yield MOVE[type_], values
    if type_ == CLOSED:
        yield SHUT, values
    else:
        yield CASE, values | {"reason": CASES[type_]}
