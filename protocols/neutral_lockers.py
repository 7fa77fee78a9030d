"""The neutral protocol's parcel cabinets: what each of their events means."""

import json
from collections.abc import Callable
from datetime import datetime

from core.app import settings
from core.db import Session, driver, swift
from devices import registry
from devices.events import Event, Receipt
from devices.models import Device
from lockers import codes, deposits, doors, handling, pickups
from lockers.custody import Premises
from lockers.deposits import Wish
from lockers.handling import Named
from lockers.lifecycle import Step
from lockers.look import ONE_CABINET
from protocols.locker_schemas import (
    DeliverySchema,
    DepositedSchema,
    DoorSchema,
    HandledSchema,
    PickupSchema,
    ReclaimSchema,
    cameras_down,
    sensors,
)
from protocols.reading import Said, event_of, load

DELIVERY = DeliverySchema()
PICKUP = PickupSchema()
DEPOSITED = DepositedSchema()
HANDLED = HandledSchema()
RECLAIM = ReclaimSchema()
DOOR = DoorSchema()

STEPS = {
    "locker.parcel_deposited": (DEPOSITED, Step.DEPOSITED),
    "locker.delivery_cancelled": (HANDLED, Step.RELEASED),
    "locker.parcel_collected": (HANDLED, Step.COLLECTED),
    "locker.parcel_refused": (HANDLED, Step.REFUSED),
    "locker.parcel_reclaimed": (HANDLED, Step.RECLAIMED),
}
DOORS = {
    "locker.door_left_open": doors.LEFT_OPEN,
    "locker.door_closed": doors.CLOSED,
    "locker.door_fault": doors.FAULT,
}


def _delivery(token: str, said: Said, raw: bytes, now: datetime) -> Receipt:
    data = load(DELIVERY, said["data"], "data.")
    wish = Wish(
        tracking_number=data["tracking_number"],
        recipient_phone=data["recipient_phone"],
        size=data["size"],
        courier=data["courier"],
        delicate=data["fresh"] or data["valuable"],
        damaged=data["damaged"],
        agreed=data.get("consent") == "asked",
        absent=data["absent"],
        low_door=data["low_door"],
    )
    event = event_of(said, data, raw, now)
    digest = registry.digest(token)
    return swift(deposits.ask, event, token_digest=digest, wish=wish, zone=settings().zone)


def _pickup(token: str, said: Said, _raw: bytes, now: datetime) -> Receipt:
    """The code is known here alone: the log of events has its digest, and not the body it came in,
    which may spell it in more ways than one could search for.
    """
    data = load(PICKUP, said["data"], "data.")
    tail = data["phone_tail"]
    code_digest = codes.digest_of(settings().secret_key, tail, data.pop("code"))
    data["code_digest"] = code_digest.hex()
    event = event_of(said, data, json.dumps({**said, "data": data}, default=str).encode(), now)
    return swift(
        pickups.ask,
        event,
        token_digest=registry.digest(token),
        phone_tail=tail,
        code_digest=code_digest,
        zone=settings().zone,
    )


def _handled(token: str, said: Said, raw: bytes, now: datetime) -> Receipt:
    schema, step = STEPS[said["type"]]
    data = load(schema, said["data"], "data.")
    return swift(
        handling.hear,
        event_of(said, data, raw, now),
        step,
        Named(data.get("tracking_number"), data.get("compartment")),
        token_digest=registry.digest(token),
        ours=_ours(),
        photo=data.get("photo"),
    )


def _reclaim(token: str, said: Said, raw: bytes, now: datetime) -> Receipt:
    data = load(RECLAIM, said["data"], "data.")
    return swift(
        handling.ask_to_reclaim,
        event_of(said, data, raw, now),
        Named(data.get("tracking_number"), data.get("compartment")),
        courier=data["courier"],
        token_digest=registry.digest(token),
    )


def _door(token: str, said: Said, raw: bytes, now: datetime) -> Receipt:
    data = load(DOOR, said["data"], "data.")
    event = event_of(said, data, raw, now)
    digest, number = registry.digest(token), data["compartment"]
    return swift(doors.hear, event, DOORS[said["type"]], number, token_digest=digest)


def hold(session: Session, device: Device) -> None:
    """Lock the cabinet of a device before the device itself, as its other messages do."""
    driver(session).execute(ONE_CABINET, {"digest": device.token_digest})


def beat(session: Session, device: Device, event: Event) -> None:
    """What a cabinet's heartbeat says besides that it lives."""
    cameras, doors_seen = cameras_down(event.data), sensors(event.data)
    doors.watched(driver(session), device, event, cameras, doors_seen)


def _ours() -> Premises:
    return Premises(settings().zone, settings().secret_key)


TAKERS: dict[str, Callable[[str, Said, bytes, datetime], Receipt]] = {
    "locker.delivery_requested": _delivery,
    "locker.pickup_requested": _pickup,
    "locker.reclaim_requested": _reclaim,
    **dict.fromkeys(STEPS, _handled),
    **dict.fromkeys(DOORS, _door),
}
