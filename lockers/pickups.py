"""Somebody enters a code at a cabinet."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, Statement, pipeline
from devices import events
from devices.events import Event, Receipt
from lockers import pickup, record, texts
from lockers.clocks import clock_of, rules_of
from lockers.hearing import decided, known_cabinet, when
from lockers.look import LOOK_PICKUP, ONE_CABINET
from lockers.pickup import Code, Facts, Guesses, Outcome
from lockers.record import Said
from storage import fees
from storage.rules import LockerRules
from tariffs.lines import Fee

Row = Mapping[str, Any]

STAFF = "staff"


def ask(
    connection: Connection,
    event: Event,
    *,
    token_digest: bytes,
    phone_tail: str,
    code_digest: bytes,
    zone: ZoneInfo,
) -> Receipt:
    """Answer whoever entered a phone tail and a code: the right code opens, whatever is owed.

    The event holds the code's digest, never the code. A stale message opens nothing. Problem
    401 for an unknown token, 403 when the device is no cabinet, 409 when its key came before
    with other content.
    """
    row = _look(connection, event, token_digest, phone_tail, code_digest)
    if row["seen_at"] is not None:
        return events.again(event, row, _told(Outcome("refuse", "replayed"), None))
    rules, at = rules_of(row["rules_in_force"]), when(event, row)
    guesses = _guesses(row, rules)
    facts = Facts(event.history, event.recorded_at, _code(row), row["tail_locked_until"], guesses)
    outcome = pickup.decide(facts)
    fee = fees.fee(clock_of(row, zone), row["deposited_at"], at) if outcome.opens else None
    answer = _told(outcome, fee if row["code_kind"] != STAFF else Fee(0, ()))
    statements: list[Statement] = []
    if outcome.opens:
        statements = _opened(event, row, at)
    elif outcome.wrong:
        statements = _guessed(event, row, guesses, rules, phone_tail)
    return decided(connection, event, row, answer, statements)


def _look(
    connection: Connection, event: Event, token_digest: bytes, tail: str, code_digest: bytes
) -> DictRow:
    values = {
        "digest": token_digest,
        "key": event.key,
        "now": event.recorded_at,
        "tail": tail,
        "code_digest": code_digest,
    }
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute(ONE_CABINET, values)
        return known_cabinet(cursor.execute(LOOK_PICKUP, values).fetchone())


def _code(row: Row) -> Code | None:
    if row["code_id"] is None:
        return None
    return Code(row["own_number"], row["locked_until"], row["expires_at"])


def _guesses(row: Row, rules: LockerRules) -> Guesses:
    return Guesses(
        row["guesses"],
        row["guesses_since"],
        row["slow_until"],
        rules.guess_failures,
        timedelta(seconds=rules.guess_window_seconds),
        timedelta(seconds=rules.guess_pause_seconds),
    )


def _opened(event: Event, row: Row, at: datetime) -> list[Statement]:
    """The door opens. A code goes on opening it until the parcel is known to be taken out; one of
    staff opens it once.
    """
    kind, now, parcel_id = row["code_kind"], event.recorded_at, row["parcel_id"]
    said = Said(f"device:{row['device']}", at, now, row["event_id"])
    opened = {"parcel": parcel_id, "at": at, "by": kind}
    return [
        (record.RIGHT_CODE, {"code": row["code_id"]}),
        (record.OPEN_DOOR, opened),
        record.happened(parcel_id, "door.opened", said, by=kind, code_id=row["code_id"]),
        record.happened_at_door(row["own_id"], "door.opened", said, by=kind, parcel_id=parcel_id),
        *([record.codes_ended(parcel_id, "used", now, kind=STAFF)] if kind == STAFF else []),
    ]


def _guessed(
    event: Event, row: Row, guesses: Guesses, rules: LockerRules, phone_tail: str
) -> list[Statement]:
    """A wrong code counts against the codes of that phone tail, and against the cabinet."""
    now = event.recorded_at
    counted = pickup.after_a_guess(guesses, now)
    said = Said(f"device:{row['device']}", now, now, row["event_id"])
    missed = said.values() | {
        "cabinet": row["cabinet_id"],
        "tail": phone_tail,
        "most": rules.code_failures,
        "locked_until": now + timedelta(minutes=rules.code_lock_minutes),
    }
    cabinet = {
        "cabinet": row["cabinet_id"],
        "count": counted.count,
        "since": counted.since,
        "slow_until": counted.slow_until,
    }
    return [(record.WRONG_CODE, missed), (record.GUESSED, cabinet)]


def _told(outcome: Outcome, fee: Fee | None) -> dict[str, Any]:
    """The contract's decision; the fee is shown and never asked for at the door."""
    total_fen = fee.total_fen if fee else 0
    return {
        "action": outcome.action,
        "reason": outcome.reason,
        "compartment": outcome.compartment,
        "fee": fee
        and {
            "total_fen": total_fen,
            "due_fen": total_fen,
            "lines": [line.as_json() for line in fee.lines],
        },
        "retry_at": outcome.retry_at.isoformat() if outcome.retry_at else None,
        **texts.said(outcome.reason, outcome.compartment, total_fen),
    }
