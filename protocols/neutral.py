"""The neutral protocol: devices that speak the contract's own JSON."""

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

import marshmallow as ma
import psycopg
import structlog
from flask import Response, jsonify, request
from flask_smorest import Blueprint
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import BadRequest

from core import clock
from core.app import settings
from core.db import Session, atomic, swift
from core.errors import Problem, invalid
from core.http import mend, problem_response
from devices import events, registry
from devices.events import Event, Receipt
from ebikes import docks
from parking import access, plates, tags
from parking.plates import Plate
from protocols import neutral_lockers
from protocols.neutral_schemas import (
    BatchSchema,
    ChargingEndedSchema,
    DockSchema,
    EventSchema,
    GateRequestSchema,
    ReceiptSchema,
    ResultsSchema,
)
from protocols.reading import event_of, load

blueprint = Blueprint(
    "device-events", __name__, url_prefix="/api/v1/device-events", description="What devices say"
)

log = structlog.get_logger()

ONE = EventSchema()
GATE = GateRequestSchema()
DOCK = DockSchema()
CHARGING = ChargingEndedSchema()
MANY = BatchSchema()


def _body(schema: type[ma.Schema]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": schema}}}


@blueprint.post("")
@blueprint.doc(requestBody=_body(EventSchema), security=[{"bearer": []}])
@blueprint.response(200, ReceiptSchema)
def take_event() -> Response:
    """Take one event and answer it; a vehicle may be waiting."""
    token = _token()
    try:
        said = load(ONE, request.get_json())
        return jsonify(_receipt(_take(token, said, request.get_data(cache=True))))
    except (Problem, BadRequest):
        _known(token)
        raise


@blueprint.post("/batch")
@blueprint.doc(requestBody=_body(BatchSchema), security=[{"bearer": []}])
@blueprint.response(200, ResultsSchema)
def take_batch() -> dict[str, Any]:
    """Take up to 500 events in order; a bad one does not fail the others."""
    token = _token()
    _known(token)
    batch = load(MANY, request.get_json())
    return {"results": [_take_one_of_many(token, item) for item in batch["events"]]}


def _known(token: str) -> None:
    """A stranger learns nothing about the rules: Problem 401 before any other refusal."""
    atomic(registry.authenticate, token, clock.now())


def _take_one_of_many(token: str, item: Any) -> Any:
    try:
        return _receipt(_take(token, load(ONE, item), json.dumps(item).encode()))
    except Problem as refused:
        problem = refused
    except RecursionError:
        problem = Problem(400, "bad-request", "The event is nested too deeply.")
    except (psycopg.Error, SQLAlchemyError) as error:
        log.error("event not taken", error=type(error).__name__)
        problem = Problem(503, "not-taken", "This event could not be taken; send it again.")
    event_id = item.get("event_id") if isinstance(item, dict) else None
    shown = mend(event_id) if isinstance(event_id, str) else None
    return {"event_id": shown, "problem": problem_response(problem).get_json()}


def _take(token: str, said: dict[str, Any], raw: bytes) -> Receipt:
    now = clock.now()
    if not events.plausible(said["occurred_at"], now):
        raise invalid("occurred_at", "must lie within the last 400 days")
    return TAKERS[said["type"]](token, said, raw, now)


def _gate(token: str, said: dict[str, Any], raw: bytes, now: datetime) -> Receipt:
    data = load(GATE, said["data"], "data.")
    plate = None
    if not plates.is_no_plate(data["plate"]):
        plate = plates.parse(data["plate"], data["plate_color"])
        if plate is None:
            raise invalid("data.plate", "must be a Chinese number plate, or empty when unread")
    event = event_of(said, data, raw, now)
    return swift(
        access.answer,
        event,
        token_digest=registry.digest(token),
        plate=plate,
        zone=settings().zone,
    )


def _dock(token: str, said: dict[str, Any], raw: bytes, now: datetime) -> Receipt:
    data = load(DOCK, said["data"], "data.")
    plate = _credential(data)
    event = event_of(said, data, raw, now)
    return swift(
        docks.answer,
        event,
        token_digest=registry.digest(token),
        spot=data["spot"],
        plate=plate,
        zone=settings().zone,
    )


def _credential(data: dict[str, Any]) -> Plate:
    """The card or plate an e-bike shows; Problem 422 when it is neither."""
    shown = {name: data[name] for name in ("tag", "plate") if data.get(name)}
    if len(shown) != 1:
        raise invalid("data.tag", "send a tag or a plate")
    [(name, read)] = shown.items()
    plate = tags.card(read) if name == "tag" else tags.ebike_plate(read)
    if plate is None:
        rule = "a card's uid" if name == "tag" else "an e-bike's plate"
        raise invalid(f"data.{name}", f"must be {rule}, and no car's plate")
    return plate


def _charging_ended(token: str, said: dict[str, Any], raw: bytes, now: datetime) -> Receipt:
    data = load(CHARGING, said["data"], "data.")
    event = event_of(said, data, raw, now)
    digest = registry.digest(token)
    zone = settings().zone
    return swift(docks.charged, event, token_digest=digest, spot=data["spot"], zone=zone)


def _heartbeat(token: str, said: dict[str, Any], raw: bytes, now: datetime) -> Receipt:
    return atomic(_alive, token, event_of(said, said["data"], raw, now))


def _alive(session: Session, token: str, event: Event) -> Receipt:
    device = registry.authenticate(session, token, event.recorded_at)
    if device.kind == "cabinet":
        neutral_lockers.hold(session, device)
    receipt = events.heartbeat(session, device, event)
    if device.kind == "cabinet" and not receipt.duplicate:
        neutral_lockers.beat(session, device, event)
    return receipt


TAKERS: dict[str, Callable[[str, dict[str, Any], bytes, datetime], Receipt]] = {
    "gate.request": _gate,
    "dock.connected": _dock,
    "dock.released": _dock,
    "dock.charging_ended": _charging_ended,
    "device.heartbeat": _heartbeat,
    **neutral_lockers.TAKERS,
}


def _receipt(receipt: Receipt) -> dict[str, Any]:
    return {
        "event_id": receipt.key,
        "duplicate": receipt.duplicate,
        "recorded_at": receipt.recorded_at.isoformat(),
        "decision": receipt.decision,
    }


def _token() -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise registry.unknown_device()
    return token
