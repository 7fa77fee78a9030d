"""What follows from one more thing that happened to a parcel: phase, door, code, notice, money.

The life is worked out anew from everything known, then whatever it asks for and was not done yet
is done: so late, repeated and reordered messages of a cabinet end in the same rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.errors import SerializationFailure
from psycopg.rows import DictRow, dict_row

from core.db import Connection, Statement, pipeline
from core.errors import not_found
from devices import exceptions
from identity import notices
from ledger.charges import NewCharge, raised
from lockers import codes, record, telling, texts
from lockers.clocks import clock_of
from lockers.lifecycle import (
    CONFLICT,
    REFUSED,
    Happening,
    Life,
    Phase,
    Step,
    life_of,
)
from lockers.look import CABINET_OF, LOOK_AT
from lockers.record import Said
from storage import due, fees
from storage.due import Waiting
from tariffs.lines import Fee

Row = Mapping[str, Any]

LOCKER, DEPOSIT = "locker", "locker-deposit"
"""Incomes: storage beyond the free time, and what couriers pay for a deposit."""

STILL_OPEN = timedelta(minutes=10)
"""Who takes a parcel out within this time after the code opened the door pays as of then."""

PUT_IN = frozenset({Step.DEPOSITED, Step.REFUSED, Step.RESTORED})
"""Steps after which the parcel lies behind the door that was named."""


@dataclass(frozen=True, slots=True)
class Premises:
    """What every consequence needs besides the parcel: the community's zone and key."""

    zone: ZoneInfo
    secret_key: str


def in_hand(connection: Connection, parcel_id: int, number: int | None = None) -> DictRow:
    """Lock a parcel with its cabinet, and read what `happens` depends on; Problem 404.

    `number` names a compartment of the cabinet that the step is about, if not the parcel's own.
    SerializationFailure, to be tried again, when the parcel is just being held at another cabinet.
    """
    values = {"parcel": parcel_id, "number": number}
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        locked = connection.cursor(row_factory=dict_row).execute(CABINET_OF, values)
        row = cursor.execute(LOOK_AT, values).fetchone()
        cabinet = locked.fetchone()
    if row is None:
        raise not_found("parcel")
    if row["at_cabinet_id"] != (cabinet and cabinet["id"]):
        raise SerializationFailure("the parcel is just being held at another cabinet")
    return row


def happens(row: Row, new: Happening, said: Said, ours: Premises, **data: Any) -> list[Statement]:
    """The statements for one more step of a parcel's life; `row` is a look's.

    A step that is known already, at the same instant, changes nothing.
    """
    known = happenings(row)
    if new in known:
        return []
    before, life = life_of(known), life_of([*known, new])
    life, conflict = _placed(row, life, new)
    statements = _appeared(row, said)
    note = {"reason": new.reason} if new.reason else {}
    statements.append(record.happened(row["parcel_id"], new.step, said, **note, **data))
    if conflict:
        excepted = record.happened(row["parcel_id"], Step.EXCEPTED, said, reason=CONFLICT)
        statements.append(excepted)
    statements.append(record.lived(row["parcel_id"], life))
    statements += _door(row, life, new)
    statements += _waiting(row, life, said, ours)
    statements += _deposit_charged(row, life, said)
    statements += _over(row, before, life, said, ours)
    statements += _collected(row, life, said, ours)
    return [*statements, *_cases(row, before, life, said.now)]


def happenings(row: Row) -> list[Happening]:
    """What is known to have happened to the parcel of a look's row."""
    return [
        Happening(Step(step), datetime.fromisoformat(at), reason)
        for step, at, reason in row["happened"] or ()
    ]


def paid_moment(row: Row, collected_at: datetime) -> datetime:
    """As of when storage is priced: when the code opened the door, if that was just before."""
    opened_at: datetime | None = row["opened_at"]
    if opened_at and timedelta(0) <= collected_at - opened_at <= STILL_OPEN:
        return opened_at
    return collected_at


def _appeared(row: Row, said: Said) -> list[Statement]:
    """A parcel we never heard of."""
    if row["phase"] is not None:
        return []
    tracking = row["tracking_number"]
    return [record.appeared(row["parcel_id"], row["cabinet_id"], tracking, said.now)]


def _placed(row: Row, life: Life, new: Happening) -> tuple[Life, bool]:
    """Two parcels cannot lie behind one door: then a person must look."""
    claims = new.step in PUT_IN and life.takes_a_door
    theirs = row["door_parcel_id"] not in {None, row["parcel_id"]} or row["door_id"] is None
    if not (claims and theirs):
        return life, False
    conflicting = Life(
        Phase.EXCEPTION, CONFLICT, life.reserved_at, life.deposited_at, None, life.anomalies
    )
    return conflicting, True


def _door(row: Row, life: Life, new: Happening) -> Iterator[Statement]:
    parcel_id, named, own = row["parcel_id"], row["door_id"], row["own_id"]
    if not life.takes_a_door:
        if own is not None:
            yield record.door_left(parcel_id)
        return
    if new.step in PUT_IN and named is not None:
        if own not in {None, named}:
            yield record.door_left(parcel_id, but=named)
        yield record.door_taken(parcel_id, named)
    elif life.phase is Phase.EXCEPTION and own is not None:
        yield record.door_taken(parcel_id, own)  # a hold has no end of its own any more


def _waiting(row: Row, life: Life, said: Said, ours: Premises) -> Iterator[Statement]:
    """A parcel that waits has a code, a term, and somebody who was told of it."""
    if not life.waits or row["has_code"] or not row["recipient_phone"] or not life.deposited_at:
        return
    parcel_id = row["parcel_id"]
    code = codes.new_code(ours.secret_key, row["recipient_phone"][-4:])
    yield record.code_given(parcel_id, row["cabinet_id"], code, said.now)
    yield record.happened(parcel_id, "code.issued", said)
    clock = clock_of(row, ours.zone)
    free_until = fees.free_until(clock, life.deposited_at)
    yield from telling.told(
        row, "parcel-deposited", clock, life.deposited_at, said, secret=code.sealed
    )
    waiting = Waiting(life.deposited_at, free_until)
    due_at = due.next_due(clock.rules, waiting, telling.quiet_of(row, clock.rules), ours.zone)
    yield record.STORE, {"parcel": parcel_id, "free_until": free_until, "due": due_at}


def _deposit_charged(row: Row, life: Life, said: Said) -> Iterator[Statement]:
    """The courier's company owes for the deposit, once, when it is known to have happened."""
    fee_fen = row["deposit_fee_fen"]
    if not life.deposited_at or row["deposit_charged"] or not row["company"] or not fee_fen:
        return
    line = {
        "label": f"投递服务费（{row['size']}格口）",
        "units": 1,
        "unit_fen": fee_fen,
        "amount_fen": fee_fen,
        "rule": "deposit-rate",
    }
    charge = NewCharge(
        kind="fee",
        source="deposit",
        source_id=row["parcel_id"],
        income=DEPOSIT,
        household_id=None,
        owner_household_id=None,
        company=row["company"],
        amount_fen=fee_fen,
        occurred_at=life.deposited_at,
        lines=[line],
    )
    yield raised(charge)
    yield record.happened(row["parcel_id"], "deposit.charged", said, amount_fen=fee_fen)


def _over(row: Row, before: Life, life: Life, said: Said, ours: Premises) -> Iterator[Statement]:
    """A parcel that does not wait any more has no code, and nothing left to be told."""
    if not before.waits and not row["has_code"]:
        return
    if life.waits or life.phase in {Phase.EXPECTED, Phase.RESERVED}:
        return
    parcel_id, now = row["parcel_id"], said.now
    yield record.codes_ended(parcel_id, str(life.phase), now)
    yield notices.cancelled("parcel", parcel_id, erase_secrets=True, at=now)
    kind = "parcel-refused" if life.reason == REFUSED else f"parcel-{life.phase}"
    if before.waits and row["recipient_phone"] and kind in texts.NOTICES:
        yield from telling.told(row, kind, clock_of(row, ours.zone), life.deposited_at, said)


def _collected(row: Row, life: Life, said: Said, ours: Premises) -> Iterator[Statement]:
    """Storage is charged when the parcel is gone: an arrear of the household, never a lock-in.

    What was charged before we heard that it was less is taken back as far as it is unpaid.
    """
    charged_fen: int | None = row["fee_fen"]
    if life.phase is not Phase.COLLECTED or not life.deposited_at or not life.ended_at:
        yield from credited(row, charged_fen or 0, "未取走，免收保管费", said)
    elif life.reserved_at:  # who was never asked owes nothing
        at = paid_moment(row, life.ended_at)
        fee = fees.fee(clock_of(row, ours.zone), life.deposited_at, at)
        if charged_fen is None:
            yield from _charged(row, fee, life.ended_at, said)
        else:
            yield from credited(row, charged_fen - fee.total_fen, "取件更早，减免保管费", said)


def _charged(row: Row, fee: Fee, at: datetime, said: Said) -> Iterator[Statement]:
    parcel_id, total_fen = row["parcel_id"], fee.total_fen
    yield record.COST, {"parcel": parcel_id, "fee": total_fen}
    if not total_fen:
        return
    charge = NewCharge(
        kind="fee",
        source="parcel",
        source_id=parcel_id,
        income=LOCKER,
        household_id=row["household_id"],
        owner_household_id=None,
        amount_fen=total_fen,
        occurred_at=at,
        lines=[line.as_json() for line in fee.lines],
    )
    yield raised(charge)
    yield record.happened(parcel_id, "fee.charged", said, amount_fen=total_fen)


def credited(row: Row, amount_fen: int, why: str, said: Said) -> Iterator[Statement]:
    """Take back so much of a storage fee, as far as it is unpaid, with the reason as its line."""
    amount_fen = min(amount_fen, row["owed_fen"])
    if amount_fen <= 0:
        return
    line = {"label": why, "units": 1, "unit_fen": -amount_fen, "amount_fen": -amount_fen}
    yield raised(
        NewCharge(
            kind="credit",
            source="parcel",
            source_id=row["parcel_id"],
            income=LOCKER,
            household_id=row["household_id"],
            owner_household_id=None,
            amount_fen=-amount_fen,
            occurred_at=said.at,
            lines=[line | {"rule": "waiver"}],
        )
    )
    yield record.happened(row["parcel_id"], "fee.waived", said, amount_fen=amount_fen, why=why)


def _cases(row: Row, before: Life, life: Life, now: datetime) -> Iterator[Statement]:
    """What does not fit is shown to operators, and taken back when it is explained."""
    were, are = _wrong(before), _wrong(life)
    for reason in sorted(are - were):
        yield exceptions.reopened("parcel", row["parcel_id"], reason, now)
    if explained := were - are:
        yield record.explained(row["parcel_id"], sorted(explained), now)


def _wrong(life: Life) -> set[str]:
    wrong = set(life.anomalies)
    if life.phase is Phase.EXCEPTION and life.reason:
        wrong.add(life.reason)
    return wrong
