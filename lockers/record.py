"""What happens at a cabinet becomes rows: plain statements, sent together in one round trip."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from core.db import Statement
from lockers.codes import NewCode
from lockers.lifecycle import Life

HAPPEN = """
INSERT INTO parcel_event (parcel_id, type, actor, occurred_at, recorded_at, event_id, data)
VALUES (%(parcel)s, %(type)s, %(actor)s, %(at)s, %(now)s, %(event)s, %(data)s)
"""

DOOR_HAPPEN = """
INSERT INTO compartment_event
    (compartment_id, type, actor, occurred_at, recorded_at, event_id, data)
VALUES (%(door)s, %(type)s, %(actor)s, %(at)s, %(now)s, %(event)s, %(data)s)
"""

# A parcel that was expected, or held for before, comes again under the same number.
HOLD = """
INSERT INTO parcel (id, cabinet_id, tracking_number, courier_id, recipient_phone, recipient_id,
    household_id, size, delicate, consent, phase, terms_id, member, company, deposit_fee_fen,
    reserved_at, recorded_at, compartment_id)
VALUES (%(id)s, %(cabinet)s, %(tracking)s, %(courier)s, %(phone)s, %(recipient)s,
    %(household)s, %(size)s, %(delicate)s, %(consent)s, 'reserved', %(terms)s, %(member)s,
    %(company)s, %(deposit_fee)s, %(at)s, %(now)s,
    (SELECT id FROM compartment WHERE cabinet_id = %(cabinet)s AND number = %(number)s))
ON CONFLICT (id) DO UPDATE SET
    cabinet_id = EXCLUDED.cabinet_id, compartment_id = EXCLUDED.compartment_id,
    courier_id = EXCLUDED.courier_id, recipient_phone = EXCLUDED.recipient_phone,
    recipient_id = EXCLUDED.recipient_id, household_id = EXCLUDED.household_id,
    size = EXCLUDED.size, delicate = EXCLUDED.delicate, consent = EXCLUDED.consent,
    phase = 'reserved', terms_id = EXCLUDED.terms_id, member = EXCLUDED.member,
    company = EXCLUDED.company, deposit_fee_fen = EXCLUDED.deposit_fee_fen,
    reserved_at = EXCLUDED.reserved_at
"""

HOLD_DOOR = """
UPDATE compartment SET state = 'held', parcel_id = %(parcel)s, hold_until = %(until)s
WHERE cabinet_id = %(cabinet)s AND number = %(number)s
  AND (state = 'free' OR parcel_id = %(parcel)s AND state IN ('held', 'open'))
"""

APPEAR = """
INSERT INTO parcel (id, cabinet_id, tracking_number, phase, reason, recorded_at)
VALUES (%(id)s, %(cabinet)s, %(tracking)s, 'exception', 'appeared', %(now)s)
"""

LIVE = """
UPDATE parcel SET phase = %(phase)s, reason = %(reason)s,
    reserved_at = coalesce(%(reserved)s, reserved_at), deposited_at = %(deposited)s,
    ended_at = %(ended)s,
    due_at = CASE WHEN %(waits)s THEN due_at END
WHERE id = %(parcel)s
"""

STORE = """
UPDATE parcel SET free_until = %(free_until)s, due_at = %(due)s WHERE id = %(parcel)s
"""

COST = "UPDATE parcel SET fee_fen = %(fee)s WHERE id = %(parcel)s"

TAKE_DOOR = """
WITH taken AS (
    UPDATE compartment SET parcel_id = %(parcel)s, hold_until = NULL,
        state = CASE WHEN state IN ('blocked', 'needs_check') THEN state ELSE 'occupied' END
    WHERE id = %(door)s AND (parcel_id IS NULL OR parcel_id = %(parcel)s)
    RETURNING id
)
UPDATE parcel SET compartment_id = taken.id FROM taken
WHERE parcel.id = %(parcel)s AND parcel.compartment_id IS DISTINCT FROM taken.id
"""

LEAVE_DOOR = """
UPDATE compartment SET parcel_id = NULL, hold_until = NULL,
    state = CASE WHEN state IN ('blocked', 'needs_check') THEN state ELSE %(state)s END
WHERE parcel_id = %(parcel)s AND id IS DISTINCT FROM %(but)s::bigint
"""

OPEN_DOOR = """
WITH opened AS (
    UPDATE compartment SET state = 'open' WHERE parcel_id = %(parcel)s AND state = 'occupied'
)
UPDATE parcel SET opened_at = %(at)s, opened_by = %(by)s WHERE id = %(parcel)s
"""

GIVE_CODE = """
INSERT INTO pickup_code (parcel_id, cabinet_id, kind, name, phone_tail, digest, sealed,
    expires_at, created_at, created_by)
VALUES (%(parcel)s, %(cabinet)s, %(kind)s, %(name)s, %(tail)s, %(digest)s, %(sealed)s,
    %(expires)s, %(now)s, %(by)s)
"""

# A code without a reason has not ended. To ask for `ended_at` would offer the indexes of all valid
# codes, which are small, and tempt a plan made on a quiet day to read one of them whole ever after.
END_CODES = """
UPDATE pickup_code SET ended_at = %(now)s, ended_reason = %(reason)s, sealed = NULL
WHERE parcel_id = %(parcel)s AND ended_reason IS NULL
  AND (%(kind)s::text IS NULL OR kind = %(kind)s)
"""

RIGHT_CODE = "UPDATE pickup_code SET failures = 0, locked_until = NULL WHERE id = %(code)s"

# Five wrong codes with a tail lock all codes of that tail at this cabinet: nobody can know
# whose code was meant.
WRONG_CODE = """
WITH missed AS (
    UPDATE pickup_code SET
        failures = CASE WHEN failures + 1 >= %(most)s THEN 0 ELSE failures + 1 END,
        locked_until = CASE WHEN failures + 1 >= %(most)s THEN %(locked_until)s
                            ELSE locked_until END
    WHERE cabinet_id = %(cabinet)s AND phone_tail = %(tail)s AND ended_at IS NULL
      AND coalesce(locked_until <= %(now)s, true)
    RETURNING parcel_id, locked_until > %(now)s AS locked
)
INSERT INTO parcel_event (parcel_id, type, actor, occurred_at, recorded_at, event_id, data)
SELECT parcel_id, CASE WHEN bool_or(locked) THEN 'code.locked' ELSE 'code.failed' END,
    %(actor)s, %(at)s, %(now)s, %(event)s, '{}'
FROM missed GROUP BY parcel_id ORDER BY parcel_id
"""

GUESSED = """
UPDATE cabinet SET guesses = %(count)s, guesses_since = %(since)s, slow_until = %(slow_until)s
WHERE id = %(cabinet)s
"""

EXPLAINED = """
UPDATE exception_case SET resolved_at = %(now)s, resolution = '后到的消息已说明'
WHERE subject = 'parcel' AND subject_id = %(parcel)s AND resolved_at IS NULL
  AND reason = ANY (%(reasons)s)
"""


@dataclass(frozen=True, slots=True)
class Said:
    """By whom and when something happened, when we heard of it, and the device event behind it."""

    actor: str
    at: datetime
    now: datetime
    event_id: int | None = None

    def values(self) -> dict[str, Any]:
        """As the statements name them."""
        return {"actor": self.actor, "at": self.at, "now": self.now, "event": self.event_id}


def happened(parcel_id: int, type_: str, said: Said, **data: Any) -> Statement:
    """One more link of a parcel's chain of events."""
    values = {"parcel": parcel_id, "type": type_, "data": Jsonb(data)}
    return HAPPEN, said.values() | values


def happened_at_door(door_id: int, type_: str, said: Said, **data: Any) -> Statement:
    """One more event of a door."""
    return DOOR_HAPPEN, said.values() | {"door": door_id, "type": type_, "data": Jsonb(data)}


def held(
    values: Mapping[str, Any], number: int, until: datetime, cabinet_id: int
) -> list[Statement]:
    """A compartment is held for a parcel that a courier is about to put in."""
    door = {"parcel": values["id"], "cabinet": cabinet_id, "number": number, "until": until}
    return [(HOLD, {**values, "number": number}), (HOLD_DOOR, door)]


def appeared(parcel_id: int, cabinet_id: int, tracking_number: str, now: datetime) -> Statement:
    """A parcel nobody asked for: its cabinet speaks of it."""
    return APPEAR, {"id": parcel_id, "cabinet": cabinet_id, "tracking": tracking_number, "now": now}


def lived(parcel_id: int, life: Life) -> Statement:
    """What became of a parcel."""
    return LIVE, {
        "parcel": parcel_id,
        "phase": life.phase,
        "reason": life.reason,
        "reserved": life.reserved_at,
        "deposited": life.deposited_at,
        "ended": life.ended_at,
        "waits": life.waits,
    }


def door_left(parcel_id: int, *, but: int | None = None, state: str = "free") -> Statement:
    """A parcel has no compartment any more, or none but that one."""
    return LEAVE_DOOR, {"parcel": parcel_id, "but": but, "state": state}


def door_taken(parcel_id: int, door_id: int) -> Statement:
    """A parcel lies in a compartment."""
    return TAKE_DOOR, {"parcel": parcel_id, "door": door_id}


def code_given(
    parcel_id: int,
    cabinet_id: int,
    code: NewCode,
    now: datetime,
    *,
    kind: str = "recipient",
    name: str | None = None,
    expires_at: datetime | None = None,
    by: int | None = None,
) -> Statement:
    """A code that opens the parcel's door from now on."""
    return GIVE_CODE, {
        "parcel": parcel_id,
        "cabinet": cabinet_id,
        "kind": kind,
        "name": name,
        "tail": code.phone_tail,
        "digest": code.digest,
        "sealed": code.sealed,
        "expires": expires_at,
        "now": now,
        "by": by,
    }


def codes_ended(
    parcel_id: int, reason: str, now: datetime, *, kind: str | None = None
) -> Statement:
    """The codes of a parcel, of a kind or all, open nothing any more and are erased."""
    return END_CODES, {"parcel": parcel_id, "reason": reason, "now": now, "kind": kind}


def explained(parcel_id: int, reasons: Iterable[str], now: datetime) -> Statement:
    """What did not fit has been explained by what was heard later."""
    return EXPLAINED, {"parcel": parcel_id, "reasons": list(reasons), "now": now}
