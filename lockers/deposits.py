"""A courier's use cases: asking for a compartment, putting the parcel in, giving up."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import DictRow, dict_row

from core.db import Connection, Statement, pipeline
from couriers import couriers
from devices import events
from devices.events import Event, Receipt
from identity.models import PHONE
from lockers import deposit, record, texts
from lockers.allocation import SIZES, Free
from lockers.clocks import rules_of
from lockers.consent import Asked
from lockers.deposit import Before, Facts, Outcome, Purse
from lockers.hearing import decided, known_cabinet, when
from lockers.lifecycle import Phase, Step
from lockers.look import ELSEWHERE, LOOK_DEPOSIT, ONE_CABINET, ONE_COMPANY
from lockers.record import Said
from storage.rules import LockerRules

Row = Mapping[str, Any]

RECIPIENT_PHONE = rf"{PHONE[:-1]}\Z"
"""Parcels come for whoever has this mobile number."""

WAYBILL = r"\A[A-Za-z0-9][A-Za-z0-9_-]{0,63}\Z"
"""The number of a parcel, as couriers' companies write them."""

USABLE = frozenset({"held", "open"})
"""States of a held compartment that may be opened again for its courier."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a courier asks: whose parcel, how large, by whom, and what is known about it.

    `agreed` and `absent` are the courier's word; `delicate` is fresh or valuable.
    """

    tracking_number: str
    recipient_phone: str
    size: str
    courier: str
    delicate: bool = False
    damaged: bool = False
    agreed: bool = False
    absent: bool = False
    low_door: bool = False


def ask(
    connection: Connection, event: Event, *, token_digest: bytes, wish: Wish, zone: ZoneInfo
) -> Receipt:
    """Answer a courier who wants to leave a parcel, and hold the compartment that opens.

    The same courier's same waybill is given the same compartment again. A stale message opens
    nothing. Problem 401 for an unknown token, 403 when the device is no cabinet, 409 when its
    key came before with other content.
    """
    row = _look(connection, event, token_digest, wish, zone)
    if row["seen_at"] is not None:
        return events.again(event, row, _told(deposit.Outcome("refuse", "replayed")))
    rules, at = rules_of(row["terms_rules"]), when(event, row)
    outcome = deposit.decide(_facts(event, row, rules, wish))
    until = at + timedelta(minutes=rules.hold_minutes)
    answer = _told(outcome, parcel_id=_parcel_id(row, outcome), hold_until=until)
    if outcome.reason == "cabinet-full":
        answer["elsewhere"] = _elsewhere(connection, row["cabinet_id"], wish.size)
    statements = _held(event, row, outcome, wish, at, until) if outcome.opens else []
    return decided(connection, event, row, answer, statements)


def _look(
    connection: Connection, event: Event, token_digest: bytes, wish: Wish, zone: ZoneInfo
) -> DictRow:
    values = {
        "digest": token_digest,
        "key": event.key,
        "now": event.recorded_at,
        "today": event.recorded_at.astimezone(zone).date(),
        "courier": wish.courier,
        "phone": wish.recipient_phone,
        "tracking": wish.tracking_number,
        "size": wish.size,
    }
    with pipeline(connection), connection.cursor(row_factory=dict_row) as cursor:
        connection.execute(ONE_CABINET, values)
        connection.execute(*couriers.seen(wish.courier))
        connection.execute(ONE_COMPANY, values)
        return known_cabinet(cursor.execute(LOOK_DEPOSIT, values).fetchone())


def _facts(event: Event, row: Row, rules: LockerRules, wish: Wish) -> Facts:
    return Facts(
        history=event.history,
        in_service=row["in_service"],
        camera_down=rules.cameras_required and row["cameras_down_at"] is not None,
        courier_active=row["courier_active"],
        courier_welcome=row["courier_known"] or rules.unknown_couriers == "accept",
        damaged=wish.damaged,
        asked=Asked(
            known=row["recipient_id"] is not None,
            choice=row["locker"],
            this_parcel=row["wanted"] if row["wanted"] is not None else row["wanted_before"],
            agreed=wish.agreed,
            absent=wish.absent,
            delicate=wish.delicate,
            unknown_may_be_asked=rules.unknown_recipients == "ask",
        ),
        before=_before(row, wish.size),
        purse=_purse(row),
        free=[Free(**kind) for kind in row["free"] or ()],
        size=wish.size,
        low=wish.low_door or bool(row["low_door"]),
        keep_large=rules.keep_large_free,
    )


def _before(row: Row, size: str) -> Before | None:
    """The waybill's life so far, and the compartment it has that would do for it now."""
    if row["parcel_id"] is None:
        return None
    here = row["parcel_cabinet_id"] == row["cabinet_id"]
    fits = here and row["held_size"] == size and row["compartment_state"] in USABLE
    return Before(Phase(row["phase"]), row["compartment"] if fits else None)


def _purse(row: Row) -> Purse | None:
    if row["company"] is None:
        return None
    return Purse(
        row["balance_fen"], int(row["owed_fen"]), row["credit_fen"], row["deposit_fee_fen"]
    )


def _parcel_id(row: Row, outcome: Outcome) -> int | None:
    known: int | None = row["parcel_id"] or row["wished_id"]
    return known or (row["new_parcel_id"] if outcome.opens else None)


def _held(
    event: Event, row: Row, outcome: Outcome, wish: Wish, at: datetime, until: datetime
) -> list[Statement]:
    """The parcel is reserved and its compartment held; whoever asks again only holds longer."""
    parcel_id, number = _parcel_id(row, outcome), outcome.compartment
    assert parcel_id is not None and number is not None  # noqa: S101, PT018 - it opens
    said = Said(f"courier:{row['courier_id']}", at, event.recorded_at, row["event_id"])
    values = {
        "id": parcel_id,
        "cabinet": row["cabinet_id"],
        "tracking": wish.tracking_number,
        "courier": row["courier_id"],
        "phone": wish.recipient_phone,
        "recipient": row["recipient_id"],
        "household": row["household_id"],
        "size": wish.size,
        "delicate": wish.delicate,
        "consent": outcome.consent and outcome.consent.basis,
        "terms": row["terms_id"],
        "member": row["member"],
        "company": row["company"],
        "deposit_fee": row["deposit_fee_fen"],
        "at": at,
        "now": event.recorded_at,
    }
    moves = row["compartment"] is not None and not outcome.again
    return [
        *([record.door_left(parcel_id)] if moves else []),
        *record.held(values, number, until, row["cabinet_id"]),
        record.happened(parcel_id, "consent.given", said, basis=values["consent"]),
        record.happened(parcel_id, Step.HELD, said, compartment=number),
    ]


def _elsewhere(connection: Connection, cabinet_id: int, size: str) -> list[dict[str, Any]]:
    """Where else in the community there is room."""
    fitting = list(SIZES[SIZES.index(size) :])
    with connection.cursor(row_factory=dict_row) as cursor:
        values = {"cabinet": cabinet_id, "sizes": fitting}
        return cursor.execute(ELSEWHERE, values).fetchall()


def _told(
    outcome: Outcome, *, parcel_id: int | None = None, hold_until: datetime | None = None
) -> dict[str, Any]:
    """The contract's decision; on a refusal the screen tells the courier what to do instead."""
    return {
        "action": outcome.action,
        "reason": outcome.reason,
        "compartment": outcome.compartment,
        "consent": outcome.consent and outcome.consent.answer,
        "parcel_id": parcel_id if outcome.opens else None,
        "hold_until": hold_until.isoformat() if hold_until and outcome.opens else None,
        **texts.said(outcome.reason, outcome.compartment),
    }
