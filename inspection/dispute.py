"""The dispute file of a parcel: everything that is known of it, and whether it was tampered with.

Whatever has expired since (phones, messages of devices) is missing and nothing breaks.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from psycopg.rows import DictRow, dict_row
from sqlalchemy.orm import Session

from core.db import Connection, driver
from core.errors import not_found
from core.logs import mask
from couriers import couriers
from identity.channels import masked_phone
from identity.deliveries import masked_text
from identity.models import COURIER, RESIDENT
from inspection import chain
from inspection.chain import Link
from parcels.parcels import Reader

ATTEMPTS = frozenset({"code.failed", "code.locked"})

PARCEL = """
SELECT p.id, p.tracking_number, p.courier_id, courier.code AS courier, company.name AS company,
    p.recipient_phone, p.recipient_id, p.size, p.delicate, p.consent, p.phase, p.reason, p.member,
    p.extra_free_hours, p.reserved_at, p.deposited_at, p.free_until, p.ended_at, p.fee_fen,
    p.recorded_at, p.compartment_id, p.cabinet_id, p.terms_id,
    cab.code AS cabinet, cab.name AS cabinet_name, cab.address, k.number AS compartment
FROM parcel p
LEFT JOIN cabinet cab ON cab.id = p.cabinet_id
LEFT JOIN compartment k ON k.id = p.compartment_id
LEFT JOIN courier ON courier.id = p.courier_id
LEFT JOIN courier_company company ON company.id = courier.company_id
WHERE p.id = %(parcel)s
"""

EVENTS = """
SELECT e.seq, e.type, e.actor, e.occurred_at, e.recorded_at, e.event_id, e.data,
    parcel_event_content(e) AS content, e.previous_hash, e.hash
FROM parcel_event e WHERE e.parcel_id = %(parcel)s ORDER BY e.seq
"""

PREFERENCE = """
SELECT id, locker, low_door, recorded_at FROM locker_preference
WHERE person_id = %(recipient)s AND recorded_at <= %(at)s ORDER BY id DESC LIMIT 1
"""

NOTICES = """
SELECT n.kind, n.text, n.recorded_at, n.shown_at, n.read_at, n.cancelled_at,
    d.channel, d.due_at, d.sent_at, d.cancelled_at AS taken_back_at, d.attempts, d.error, n.id
FROM notice n LEFT JOIN delivery d ON d.notice_id = n.id
WHERE n.about = 'parcel' AND n.about_id = %(parcel)s ORDER BY n.id, d.id
"""

CHARGES = """
SELECT id, kind, source, income, amount_fen, company, corrects_id, occurred_at, recorded_at, lines
FROM charge WHERE source IN ('parcel', 'deposit') AND source_id = %(parcel)s ORDER BY id
"""

PAYMENTS = """
SELECT id, source, method, amount_fen, company, occurred_at, recorded_at
FROM payment WHERE source IN ('parcel', 'deposit') AND source_id = %(parcel)s ORDER BY id
"""

# Of every compartment it had, from when it was held until it was gone and the door shut again; not
# what happened to the parcels of others there.
DOORS = """
SELECT k.number AS compartment, e.type, e.actor, e.occurred_at, e.recorded_at, e.event_id, e.data
FROM compartment k
JOIN compartment_event e ON e.compartment_id = k.id
WHERE k.cabinet_id = %(cabinet)s
  AND (k.id = %(compartment)s OR k.number::text IN (
      SELECT had.data ->> 'compartment' FROM parcel_event had WHERE had.parcel_id = %(parcel)s))
  AND e.occurred_at >= %(since)s
  AND (%(until)s::timestamptz IS NULL
       OR e.occurred_at <= %(until)s::timestamptz + interval '10 minutes')
  AND coalesce(e.data ->> 'parcel_id', %(parcel)s::text) = %(parcel)s::text
ORDER BY e.occurred_at, e.id
"""

SAID = """
SELECT said.id, d.code AS device, e.event_key AS key, e.type, e.occurred_at, e.recorded_at,
    e.history
FROM unnest(%(ids)s::bigint[]) AS said (id)
LEFT JOIN device_event e ON e.id = said.id
LEFT JOIN device d ON d.id = e.device_id
ORDER BY said.id
"""

_NOT_SHOWN = ("courier_id", "recipient_id", "compartment_id", "cabinet_id", "recipient_phone")
_PLACE = ("cabinet", "cabinet_name", "address", "compartment")


def dispute_file(session: Session, parcel_id: int, reader: Reader, now: datetime) -> dict[str, Any]:
    """Everything about a parcel as JSON, instants in UTC.

    Problem 404 when there is none, or for a resident or courier whose parcel it is not. The
    recipient sees the whole phone, everybody else its ends; codes are shown to nobody.
    """
    connection = driver(session)
    found = _rows(connection, PARCEL, {"parcel": parcel_id})
    if not found or not _may(session, found[0], reader):
        raise not_found("parcel")
    parcel = found[0]
    events = _rows(connection, EVENTS, {"parcel": parcel_id})
    charges = _rows(connection, CHARGES, {"parcel": parcel_id})
    doors = _doors(connection, parcel)
    own, courier = reader.role == RESIDENT, reader.role == COURIER
    if courier:  # what the recipient owes and was told is not the courier's
        charges = [charge for charge in charges if charge["source"] == "deposit"]
    phone = parcel["recipient_phone"]
    file = {
        "made_at": now,
        "parcel": {name: parcel[name] for name in parcel if name not in (*_NOT_SHOWN, *_PLACE)}
        | {"phone": phone if own else masked_phone(phone), "courier": _masked(parcel["courier"])},
        "place": {name: parcel[name] for name in _PLACE},
        "consent": _consent(connection, parcel, events),
        **_chained(events),
        "notices": [] if courier else _notices(connection, parcel_id),
        "code_attempts": _only(events, ATTEMPTS),
        "charges": [charge for charge in charges if charge["kind"] != "credit"],
        "credits": [charge for charge in charges if charge["kind"] == "credit"],
        "payments": [] if courier else _rows(connection, PAYMENTS, {"parcel": parcel_id}),
        "door_events": doors,
        "device_events": _said(connection, [*events, *doors]),
    }
    shown: dict[str, Any] = _plain(file)
    return shown


def _masked(code: str | None) -> str | None:
    """Some couriers are called by their phone."""
    return code and mask(code)


def _may(session: Session, parcel: DictRow, reader: Reader) -> bool:
    if reader.role == RESIDENT:
        return bool(parcel["recipient_id"] == reader.person_id)
    if reader.role == COURIER:
        courier = couriers.who_signed_in(session, reader.person_id)
        return courier is not None and courier.id == parcel["courier_id"]
    return True


def _consent(connection: Connection, parcel: DictRow, events: Sequence[DictRow]) -> dict[str, Any]:
    """What the deposit rests on, and what the recipient had chosen by then."""
    given = [event["recorded_at"] for event in events if event["type"] == "consent.given"]
    at = given[-1] if given else None
    rests_on = []
    if at is not None and parcel["recipient_id"] is not None:
        asked = {"recipient": parcel["recipient_id"], "at": at}
        rests_on = _rows(connection, PREFERENCE, asked)
    preference = rests_on[0] if rests_on else None
    return {"basis": parcel["consent"], "given_at": at, "preference": preference}


def _chained(events: Sequence[DictRow]) -> dict[str, Any]:
    """The events with whether each holds, and the verdict on the chain."""
    verdict = chain.verify(
        [Link(e["seq"], e["content"], bytes(e["previous_hash"]), bytes(e["hash"])) for e in events]
    )
    return {
        "events": [
            event | {"holds": holds} for event, holds in zip(events, verdict.holds, strict=True)
        ],
        "chain": {
            "ok": verdict.ok,
            "broken_at": verdict.broken_at,
            "length": len(events),
            "head": verdict.head,
        },
    }


def _notices(connection: Connection, parcel_id: int) -> list[dict[str, Any]]:
    """What the recipient was told about it, and through which channels."""
    told: dict[int, dict[str, Any]] = {}
    of_notice = ("kind", "recorded_at", "shown_at", "read_at", "cancelled_at")
    of_delivery = ("channel", "due_at", "sent_at", "attempts", "error")
    for row in _rows(connection, NOTICES, {"parcel": parcel_id}):
        first = {name: row[name] for name in of_notice}
        first |= {"text": masked_text(row["text"]), "deliveries": []}
        notice = told.setdefault(row["id"], first)
        if row["channel"] is not None:
            sent = {name: row[name] for name in of_delivery}
            notice["deliveries"].append(sent | {"cancelled_at": row["taken_back_at"]})
    return list(told.values())


def _doors(connection: Connection, parcel: DictRow) -> list[DictRow]:
    wanted = {
        "parcel": parcel["id"],
        "cabinet": parcel["cabinet_id"],
        "compartment": parcel["compartment_id"],
        "since": parcel["reserved_at"] or parcel["deposited_at"] or parcel["recorded_at"],
        "until": parcel["ended_at"],
    }
    return _rows(connection, DOORS, wanted)


def _said(connection: Connection, events: Sequence[DictRow]) -> list[DictRow]:
    """The devices' own messages behind it, by id; of one that was erased only the id is left."""
    ids = sorted({event["event_id"] for event in events if event["event_id"] is not None})
    return _rows(connection, SAID, {"ids": ids})


def _only(events: Sequence[DictRow], types: frozenset[str]) -> list[dict[str, Any]]:
    names = ("seq", "type", "actor", "occurred_at", "recorded_at", "event_id")
    return [{name: e[name] for name in names} for e in events if e["type"] in types]


def _rows(connection: Connection, sql: str, values: dict[str, Any]) -> list[DictRow]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, values).fetchall()


def _plain(value: Any) -> Any:
    """As JSON has it: instants in UTC, hashes in hex."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value
