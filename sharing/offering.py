"""Sharing windows: when owners offer their spaces. Edits and withdrawals take effect at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from core.errors import Problem, invalid, not_found
from parking.models import Space
from sharing import offers, waitlist
from sharing.models import SharingWindow

MOST_WINDOWS = 50


@dataclass(frozen=True, slots=True)
class Offerer:
    """Who offers: a resident may for the household's own spaces, staff (no household) for any."""

    person_id: int
    household_id: int | None


def windows(session: Session, code: str, who: Offerer) -> Sequence[SharingWindow]:
    """The windows of a private space that were not withdrawn, oldest first."""
    space = _private_space(session, code, who)
    return session.scalars(_standing(space.id).order_by(SharingWindow.id)).all()


def offer(
    session: Session,
    code: str,
    who: Offerer,
    window: Mapping[str, Any],
    now: datetime,
    zone: ZoneInfo,
) -> SharingWindow:
    """A new window of a private space; windows of one space add up.

    Without `valid_from` it begins today.
    """
    space = _locked_space(session, code, who)
    if len(session.scalars(_standing(space.id)).all()) >= MOST_WINDOWS:
        raise Problem(409, "too-many-windows", f"A space has at most {MOST_WINDOWS} windows.")
    made = SharingWindow(space_id=space.id, offered_by=who.person_id, recorded_at=now)
    _change(made, {"valid_from": now.astimezone(zone).date(), "valid_until": None} | dict(window))
    session.add(made)
    offers.refresh(session, [space.id], now, zone)
    waitlist.serve(session, space.lot_id, now, zone)
    return made


def change(
    session: Session,
    code: str,
    window_id: int,
    who: Offerer,
    changes: Mapping[str, Any],
    now: datetime,
    zone: ZoneInfo,
) -> SharingWindow:
    """Change a window; what is absent stays. Problem 409 names bookings that cannot make way."""
    space = _locked_space(session, code, who)
    window = _window(session, space.id, window_id)
    _change(window, changes)
    offers.refresh(session, [space.id], now, zone)
    waitlist.serve(session, space.lot_id, now, zone)
    return window


def withdraw(
    session: Session, code: str, window_id: int, who: Offerer, now: datetime, zone: ZoneInfo
) -> None:
    """Take a window back; it is kept as history. Problem 409 as for a change."""
    space = _locked_space(session, code, who)
    _window(session, space.id, window_id).withdrawn_at = now
    offers.refresh(session, [space.id], now, zone)


def withdraw_all(session: Session, space_id: int, now: datetime) -> None:
    """Take every window of a space back, as when it changes hands; the caller refreshes it."""
    for window in session.scalars(_standing(space_id)):
        window.withdrawn_at = now


def _change(window: SharingWindow, changes: Mapping[str, Any]) -> None:
    for name, value in changes.items():
        setattr(window, name, value)
    first: date = window.valid_from
    last: date | None = window.valid_until
    if last is not None and last < first:
        raise invalid("valid_until", "must not be before valid_from")


def _standing(space_id: int) -> Any:
    return select(SharingWindow).where(
        SharingWindow.space_id == space_id, SharingWindow.withdrawn_at.is_(None)
    )


def _window(session: Session, space_id: int, window_id: int) -> SharingWindow:
    window = session.get(SharingWindow, window_id)
    if window is None or window.space_id != space_id or window.withdrawn_at is not None:
        raise not_found("sharing window")
    return window


def _locked_space(session: Session, code: str, who: Offerer) -> Space:
    space = _private_space(session, code, who)
    waitlist.first_of_all(session, space.lot_id)
    offers.lock(session, [space.id])
    session.refresh(space)
    return _checked(space, who)


def _private_space(session: Session, code: str, who: Offerer) -> Space:
    return _checked(session.scalar(select(Space).where(Space.code == code)), who)


def _checked(space: Space | None, who: Offerer) -> Space:
    if space is None or (
        who.household_id is not None and space.owner_household_id != who.household_id
    ):
        raise not_found("space")
    if space.owner_household_id is None:
        detail = "Community spaces are offered always; windows are for private ones."
        raise Problem(409, "community-space", detail)
    return space
