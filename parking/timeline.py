"""Where a late movement belongs among the stays of its plate. Pure.

Cameras replay what they saw while the network was down, so an exit may arrive before its
entry and an old stay after a newer one. A stay is completed by the half that was missing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

REREAD = timedelta(seconds=90)
"""The same plate seen again this soon is the same movement read twice."""


class Place(Enum):
    """What a late movement does to the stays of its plate."""

    NEW_OPEN = "the vehicle is inside now"
    NEW_EXIT_MISSING = "it came, and came again later: the exit between was not seen"
    NEW_ENTRY_MISSING = "it left; the entry was not seen"
    COMPLETE_NEXT = "the exit was booked before; this is its entry"
    COMPLETE_PREVIOUS = "this is the exit of the stay before it"
    SAME = "the same movement read again"
    CONFLICT = "inside a stay that is closed: a person must look"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one stay: at least one of the two instants."""

    stay_id: int
    status: str
    entered_at: datetime | None
    exited_at: datetime | None


@dataclass(frozen=True, slots=True)
class Placement:
    """The place found, the stay it completes, and the stay whose exit must be given up."""

    place: Place
    stay: Seen | None = None
    abandoned: Seen | None = None


def place(direction: str, at: datetime, before: Seen | None, after: Seen | None) -> Placement:
    """Find the place of a movement (`direction` entry or exit) that happened at `at`.

    A stay starts at its earliest known instant. `before` is the stay with the latest start
    not after `at`, `after` the one with the earliest start after `at`.
    """
    if before and before.exited_at and before.exited_at > at:
        return Placement(_inside(direction, at, before), before)
    if after and _start(after) - at <= REREAD and _starts_with(after) == direction:
        return Placement(Place.SAME, after)
    return _entry(at, before, after) if direction == "entry" else _exit(at, before)


def _start(stay: Seen) -> datetime:
    start = stay.entered_at or stay.exited_at
    if start is None:
        raise ValueError(f"stay {stay.stay_id} was never seen")
    return start


def _starts_with(stay: Seen) -> str:
    return "entry" if stay.entered_at else "exit"


def _inside(direction: str, at: datetime, stay: Seen) -> Place:
    near = stay.entered_at if direction == "entry" else stay.exited_at
    return Place.SAME if near and abs(at - near) <= REREAD else Place.CONFLICT


def _entry(at: datetime, before: Seen | None, after: Seen | None) -> Placement:
    waiting = before if before and before.exited_at is None else None
    if waiting and at - _start(waiting) <= REREAD:
        return Placement(Place.SAME, waiting)
    abandoned = waiting if waiting and waiting.status == "open" else None
    if after and after.entered_at is None:
        return Placement(Place.COMPLETE_NEXT, after, abandoned)
    if after:
        return Placement(Place.NEW_EXIT_MISSING, None, abandoned)
    return Placement(Place.NEW_OPEN, None, abandoned)


def _exit(at: datetime, before: Seen | None) -> Placement:
    if before and before.exited_at is None:
        return Placement(Place.COMPLETE_PREVIOUS, before)
    if before and before.exited_at and at - before.exited_at <= REREAD:
        return Placement(Place.SAME, before)
    return Placement(Place.NEW_ENTRY_MISSING)
