"""What of a parcel's row is shown to whom: the fee as it stands, the code, phones masked."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.logs import mask
from core.sealing import SealError, unseal
from identity.models import COURIER, RESIDENT
from lockers.clocks import clock_of
from lockers.custody import Premises
from lockers.lifecycle import INSIDE, Phase
from storage import fees

Row = Mapping[str, Any]

AS_IT_IS = (
    *("id", "tracking_number", "phase", "reason", "size", "delicate", "wanted", "consent"),
    *("reserved_at", "deposited_at", "free_until", "ended_at", "recorded_at"),
)

COURIERS_HEAR = ("parcel.", "door.", "consent.", "reclaim.")
COURIERS_READ = frozenset({"compartment", "reason", "by", "basis"})
"""What a courier learns of a parcel's events: its way, not the resident's people and money."""
BETWEEN_OTHERS = ("deposit.",)
FILED, ANSWERED = "complaint.filed", "complaint.answered"
WITNESS = "witness"
"""What a resident does not: what the courier's company pays, and who saw a parcel taken out."""


def parcel(row: Row, person_id: int, role: str, now: datetime, ours: Premises) -> dict[str, Any]:
    """A parcel as its reader sees it; `row` has the columns of parcels.SHOWN."""
    mine = row["recipient_id"] == person_id
    phone: str | None = row["recipient_phone"]
    code = opened(ours.secret_key, row["sealed"])
    shown = {name: row[name] for name in AS_IT_IS} | {
        "status": row["phase"],
        "place": place(row),
        "courier": courier(row),
        "mine": mine,
        "recipient": row["recipient"] if role != COURIER else None,
        "phone": phone if mine else phone and mask(phone),
        "phone_tail": phone and phone[-4:],
        "pickup_code": code,
        "code": code,
        "code_locked_until": row["locked_until"],
        "charge_id": None,
        "fee": None,
    }
    if runs(row):
        shown["free_until"] = fees.free_until(clock_of(row, ours.zone), row["deposited_at"])
    if role != COURIER:
        shown |= {"charge_id": row["charge_id"], "fee": fee(row, now, ours.zone)}
    return shown


def place(row: Row) -> dict[str, Any] | None:
    """Where a parcel lies, or lay last; None while it is only expected."""
    if row["cabinet"] is None or row["phase"] == Phase.EXPECTED:
        return None
    return {
        "cabinet": row["cabinet"],
        "name": row["cabinet_name"],
        "address": row["address"],
        "compartment": row["compartment"],
        "size": row["compartment_size"],
    }


def courier(row: Row) -> dict[str, Any] | None:
    """Who brought it, as far as known."""
    if row["courier"] is None:
        return None
    company = {name: row[name] for name in ("company", "company_name")}
    return {"code": mask(row["courier"]), **company}  # some are called by their phone


def runs(row: Row) -> bool:
    """Whether storage is reckoned: the parcel waits, and its recipient had been asked."""
    return row["phase"] in INSIDE and None not in (row["deposited_at"], row["reserved_at"])


def fee(row: Row, now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """What storing costs in fen: as of now while the parcel waits, with every later step, so
    that it is seen before it starts; afterwards what was charged.
    """
    if not runs(row):
        total_fen = row["charged_fen"] or 0
        return {
            "total_fen": total_fen,
            "due_fen": total_fen - (row["paid_fen"] or 0),
            "lines": row["charged_lines"] or [],
            "ladder": [],
            "next_step_at": None,
        }
    clock, since = clock_of(row, zone), row["deposited_at"]
    running = fees.fee(clock, since, now)
    return {
        "total_fen": running.total_fen,
        "due_fen": running.total_fen,
        "lines": [line.as_json() for line in running.lines],
        "ladder": [
            {"from": rung.from_at.astimezone(zone).isoformat(), "total_fen": rung.total_fen}
            for rung in fees.ladder(clock, since)
        ],
        "next_step_at": fees.next_step_at(clock, since, now),
    }


def events(rows: Sequence[Row], role: str) -> list[dict[str, Any]]:
    """What happened to a parcel, in the order it was heard."""
    return [
        {**row, "data": _readable(row["data"], role)} for row in rows if _hears(role, row["type"])
    ]


def complaints(events: Sequence[Row], case: Row | None) -> list[dict[str, Any]]:
    """What the recipient complained of, in order, each with the desk's answer if there is one.

    An answer is for all that was said since the one before; `case` has the newest.
    """
    told: list[dict[str, Any]] = []
    for event in events:
        if event["type"] == FILED:
            filed = {"filed_at": event["occurred_at"], "text": event["data"]["text"]}
            told.append({**filed, "resolved_at": None, "resolution": None})
        elif event["type"] == ANSWERED:
            _answer(told, event["occurred_at"], event["data"]["text"])
    if case and case["resolved_at"]:
        _answer(told, case["resolved_at"], mask(case["resolution"]))
    return told


def delegate(row: Row, now: datetime, ours: Premises) -> dict[str, Any]:
    """A code that was given to somebody, for whoever gave it."""
    over = row["ended_at"] is not None or row["expires_at"] <= now
    code = None if over else opened(ours.secret_key, row["sealed"])
    return {name: row[name] for name in row if name != "sealed"} | {"live": not over, "code": code}


def opened(secret_key: str, sealed: bytes | None) -> str | None:
    """The digits of a code; None without one, or when it was sealed with another secret key."""
    if sealed is None:
        return None
    try:
        return unseal(secret_key, sealed)
    except SealError:
        return None


def _answer(told: Sequence[dict[str, Any]], at: datetime, text: str) -> None:
    for complaint in told:
        if complaint["resolved_at"] is None:
            complaint.update(resolved_at=at, resolution=text)


def _hears(role: str, type_: str) -> bool:
    if role == COURIER:
        return type_.startswith(COURIERS_HEAR)
    return role != RESIDENT or not type_.startswith(BETWEEN_OTHERS)


def _readable(data: Mapping[str, Any], role: str) -> dict[str, Any]:
    """Phones that somebody wrote into a reason are masked, too."""
    return {
        name: mask(said) if isinstance(said, str) else said
        for name, said in data.items()
        if (name in COURIERS_READ if role == COURIER else role != RESIDENT or name != WITNESS)
    }
