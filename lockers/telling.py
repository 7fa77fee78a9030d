"""Notices about parcels: to whom, through what, when, and in which words."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from core.db import Statement
from identity import notices
from lockers import texts
from lockers.record import Said, happened
from storage import fees
from storage.fees import Clock
from storage.reminders import Quiet, out_of_quiet, usual_quiet
from storage.rules import LockerRules

Row = Mapping[str, Any]

CHANNELS = ("inbox", "console")
TO_A_PHONE = ("console",)
"""Whoever has no account has no inbox either; until there are text messages, the log alone."""


def quiet_of(row: Row, rules: LockerRules) -> Quiet | None:
    """The hours in which the recipient is told nothing; None when any time will do."""
    if row["any_time"]:
        return None
    if row["quiet_from"] is not None:
        return Quiet(row["quiet_from"], row["quiet_until"])
    return usual_quiet(rules)


def told(
    row: Row,
    kind: str,
    clock: Clock,
    deposited_at: datetime | None,
    said: Said,
    *,
    secret: bytes | None = None,
) -> list[Statement]:
    """The recipient is told something about the parcel, out of quiet hours."""
    fee_fen = fees.fee(clock, deposited_at, said.now).total_fen if deposited_at else 0
    text = texts.noticed(
        kind,
        waybill=row["tracking_number"],
        place=texts.place_of(row["cabinet_name"], row["address"], row["door_number"]),
        tail=row["recipient_phone"][-4:],
        free_until=fees.free_until(clock, deposited_at) if deposited_at else None,
        ladder=texts.ladder_in_words(clock.rules),
        fee_fen=fee_fen,
        zone=clock.zone,
    )
    known = row["recipient_id"] is not None
    queued = notices.queued(
        row["household_id"] if known else None,
        kind,
        text,
        person_id=row["recipient_id"],
        phone=row["recipient_phone"],
        secret=secret,
        about="parcel",
        about_id=row["parcel_id"],
        at=said.now,
        due_at=out_of_quiet(said.now, quiet_of(row, clock.rules), clock.zone),
        channels=CHANNELS if known else TO_A_PHONE,
    )
    note = happened(row["parcel_id"], "notice.queued", said, kind=kind.removeprefix("parcel-"))
    return [queued, note]
