"""An operator looks at a door: out of use, back in use, and putting the record right.

Everything happens under the cabinet's lock; what is so already changes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.db import Connection, Statement, driver, fetch_row, send
from core.errors import Problem, not_found
from inspection.by_hand import step
from inspection.compartments import cabinet_in_hand
from lockers import custody, record
from lockers.custody import Premises
from lockers.lifecycle import ENDED, NO_SCAN, STILL_INSIDE, Phase, Step
from lockers.models import BLOCKED, FREE, HELD, NEEDS_CHECK, OCCUPIED
from lockers.record import Said

Found = Literal["empty", "parcel", "other-parcel", "wrong-person"]
FOUND: tuple[Found, ...] = ("empty", "parcel", "other-parcel", "wrong-person")

PUT = (BLOCKED, FREE, NEEDS_CHECK)
"""The states an operator may put a door into."""

MISMATCH, MISSING, MISDELIVERED = "sensor-mismatch", "missing", "misdelivered"
IN_USE_AGAIN = ("door-fault", "door-left-open", MISMATCH)
EVENTS = {BLOCKED: "door.blocked", NEEDS_CHECK: "door.check_asked", FREE: "door.returned"}

DOOR = """
SELECT k.id, k.cabinet_id, k.number, k.state, k.reason, k.parcel_id, p.phase,
    p.reason AS parcel_reason, p.tracking_number,
    EXISTS (SELECT FROM exception_case x WHERE x.subject = 'compartment' AND x.subject_id = k.id
            AND x.reason = 'sensor-mismatch' AND x.resolved_at IS NULL) AS mismatch
FROM compartment k LEFT JOIN parcel p ON p.id = k.parcel_id
WHERE k.cabinet_id = %(cabinet)s AND k.number = %(number)s
"""

STATE = """
UPDATE compartment SET state = %(state)s, reason = %(reason)s, hold_until = NULL
WHERE id = %(door)s
"""

RESOLVE = """
UPDATE exception_case SET resolved_at = %(now)s, resolved_by = %(person)s, resolution = %(why)s
WHERE subject = 'compartment' AND subject_id = %(door)s AND reason = ANY (%(reasons)s)
  AND resolved_at IS NULL
"""

# A parcel of that waybill that has not left this cabinet for good.
KNOWN = """
SELECT id FROM parcel
WHERE cabinet_id = %(cabinet)s AND tracking_number = %(waybill)s AND phase <> ALL (%(ended)s)
ORDER BY id DESC LIMIT 1
"""

NEW = "SELECT nextval('parcel_id_seq') AS id"


@dataclass(frozen=True, slots=True)
class Desk:
    """Who says something about a door, when, and in which community."""

    person_id: int
    said: Said
    ours: Premises


@dataclass(frozen=True, slots=True)
class Finding:
    """What somebody found behind a door, and why they looked."""

    found: Found
    reason: str
    tracking_number: str | None = None


def put(session: Session, code: str, number: int, state: str, reason: str, desk: Desk) -> None:
    """Take a door out of use, ask for a check, or give it back (`free`).

    A door given back with a parcel inside is occupied again, and what was wrong with it is
    resolved. Who held it has to ask anew. Problem 404 for a cabinet or door there is not.
    """
    connection = driver(session)
    door = _locked(connection, code, number)
    if state != FREE and (door["state"], door["reason"]) == (state, reason):
        return
    inside = door["parcel_id"] is not None
    if door["phase"] == Phase.RESERVED:
        _step(connection, door, Step.RELEASED, desk)
        inside = False
    statements: list[Statement] = []
    after = OCCUPIED if state == FREE and inside else state
    if state != FREE or after != door["state"]:
        statements += [_settled(door, after, reason), *_noted(door, state, reason, desk, inside)]
    if state == FREE:
        statements.append(_resolved(door, IN_USE_AGAIN, reason, desk))
    send(connection, statements)


def correct(session: Session, code: str, number: int, finding: Finding, desk: Desk) -> None:
    """Put the record right in one step, by what was found behind the door.

    Empty: a recorded parcel is missing, and the door free. A parcel, or another than recorded:
    with its waybill it is recorded there (new to us, if nobody scanned it), without, the door
    stays to be checked. For the wrong person: the parcel is misdelivered and stays inside. A
    blocked door stays blocked, and one that a courier holds is rightly empty. Problem 404; 409
    when it contradicts the record in another way than it says.
    """
    connection = driver(session)
    door = _locked(connection, code, number)
    find = {"empty": _empty, "wrong-person": _for_another}.get(finding.found, _with_parcel)
    changed, after = find(connection, door, finding, desk)
    settles = BLOCKED not in {door["state"], after} and after != HELD
    if not (changed or door["mismatch"] or (settles and after != door["state"])):
        return
    data = {
        "found": finding.found,
        "tracking_number": finding.tracking_number,
        "before": door["state"],
        "parcel_id": door["parcel_id"],
        "why": finding.reason,
    }
    statements = [
        *([_settled(door, after, finding.reason)] if settles else []),
        record.happened_at_door(door["id"], "audit.corrected", desk.said, **data),
        _resolved(door, (MISMATCH,), finding.reason, desk),
    ]
    send(connection, statements)


def _empty(
    connection: Connection, door: DictRow, _finding: Finding, desk: Desk
) -> tuple[bool, str]:
    """Whether the record was changed, and the state that the door has to have; so below."""
    if door["parcel_id"] is None:
        return False, FREE
    if door["state"] == HELD:
        return False, HELD
    _gone(connection, door, desk)
    return True, FREE


def _for_another(
    connection: Connection, door: DictRow, _finding: Finding, desk: Desk
) -> tuple[bool, str]:
    if door["parcel_id"] is None or door["phase"] == Phase.RESERVED:
        raise Problem(409, "nothing-recorded", "No parcel is recorded behind this door.")
    if door["parcel_reason"] == MISDELIVERED:
        return False, OCCUPIED
    _step(connection, door, Step.EXCEPTED, desk, reason=MISDELIVERED)
    return True, OCCUPIED


def _with_parcel(
    connection: Connection, door: DictRow, finding: Finding, desk: Desk
) -> tuple[bool, str]:
    waybill, recorded = finding.tracking_number, door["parcel_id"] is not None
    unnamed = waybill is None and finding.found == "parcel"
    if recorded and (unnamed or waybill == door["tracking_number"]):
        unseen = door["phase"] == Phase.RESERVED
        if unseen:
            _step(connection, door, Step.DEPOSITED, desk)
        return unseen, OCCUPIED
    if recorded and finding.found == "parcel":
        detail = "Another parcel is recorded there: say other-parcel if it is not inside."
        raise Problem(409, "another-recorded", detail)
    if recorded:
        _gone(connection, door, desk)
    if waybill is None:
        return recorded, NEEDS_CHECK
    _lies_there(connection, door, waybill, desk)
    return True, OCCUPIED


def _gone(connection: Connection, door: DictRow, desk: Desk) -> None:
    """The recorded parcel is not there: never put in, or missing."""
    if door["phase"] == Phase.RESERVED:
        _step(connection, door, Step.RELEASED, desk)
    else:
        _step(connection, door, Step.EXCEPTED, desk, reason=MISSING)


def _lies_there(connection: Connection, door: DictRow, waybill: str, desk: Desk) -> None:
    """A parcel of this waybill lies behind the door, whatever is known of it so far."""
    row = _known(connection, door, waybill) or _unheard_of(connection, door, waybill, desk)
    odd = row["phase"] == Phase.EXCEPTION and row["reason"] not in STILL_INSIDE
    why = NO_SCAN if odd else None
    send(connection, step(row, Step.DEPOSITED, desk.said, desk.ours, reason=why))


def _known(connection: Connection, door: DictRow, waybill: str) -> DictRow | None:
    """The parcel of a waybill that is here, to ourselves."""
    wanted = {"cabinet": door["cabinet_id"], "waybill": waybill, "ended": sorted(ENDED)}
    known = fetch_row(connection, (KNOWN, wanted))
    row = custody.in_hand(connection, known["id"], door["number"]) if known else None
    return row if row and _is_here(row, door) else None


def _unheard_of(connection: Connection, door: DictRow, waybill: str, desk: Desk) -> DictRow:
    new = fetch_row(connection, (NEW, {}))
    assert new is not None  # noqa: S101 - a sequence always answers
    send(connection, [record.appeared(new["id"], door["cabinet_id"], waybill, desk.said.now)])
    return custody.in_hand(connection, new["id"], door["number"])


def _step(
    connection: Connection, door: DictRow, what: Step, desk: Desk, *, reason: str | None = None
) -> None:
    """A step of the parcel that the door has; what is held elsewhere by now is left alone."""
    row = custody.in_hand(connection, door["parcel_id"])
    if _is_here(row, door):
        send(connection, step(row, what, desk.said, desk.ours, reason=reason))


def _is_here(row: DictRow, door: DictRow) -> bool:
    """Whether a parcel is still at the cabinet of a door.

    Its courier may go on to another cabinet, which locks that one only.
    """
    return bool(row["cabinet_id"] == door["cabinet_id"])


def _locked(connection: Connection, code: str, number: int) -> DictRow:
    """The door as it is, with its cabinet locked; Problem 404."""
    cabinet_id = cabinet_in_hand(connection, code)
    door = fetch_row(connection, (DOOR, {"cabinet": cabinet_id, "number": number}))
    if door is None:
        raise not_found("compartment")
    return door


def _settled(door: DictRow, state: str, reason: str) -> Statement:
    """The door's state from now on; only what is out of use has a reason."""
    why = reason if state in {BLOCKED, NEEDS_CHECK} else None
    return STATE, {"door": door["id"], "state": state, "reason": why}


def _noted(door: DictRow, state: str, reason: str, desk: Desk, inside: bool) -> Iterator[Statement]:
    """What was done to a door; whoever waits for the parcel inside may want to know."""
    yield record.happened_at_door(door["id"], EVENTS[state], desk.said, why=reason)
    if inside:
        number = door["number"]
        yield record.happened(
            door["parcel_id"], EVENTS[state], desk.said, compartment=number, why=reason
        )


def _resolved(door: DictRow, reasons: Sequence[str], why: str, desk: Desk) -> Statement:
    return RESOLVE, {
        "door": door["id"],
        "reasons": list(reasons),
        "now": desk.said.now,
        "person": desk.person_id,
        "why": why,
    }
