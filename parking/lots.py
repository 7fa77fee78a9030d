"""Lots, spaces, lanes and tariff versions: setting a garage up, and what is free in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, func, insert, select
from sqlalchemy.orm import Session

from core.errors import Problem, invalid, not_found
from devices.models import Lane
from parking.booking_models import SpaceClaim
from parking.models import Lot, Space, Tariff
from parking.tariff import TariffError, parse_rules


def lots(session: Session, now: datetime) -> Sequence[RowMapping]:
    """Every lot with its capacity and how many of its community spaces nobody claims now."""
    claimed = (
        select(SpaceClaim.id)
        .where(SpaceClaim.live, SpaceClaim.space_id == Space.id, SpaceClaim.lot_id == Space.lot_id)
        .where(SpaceClaim.during.overlaps(func.tstzrange(now, None)))
        .exists()
    )
    free = (Space.owner_household_id.is_(None)) & Space.in_service & ~claimed
    query = (
        select(
            Lot.code,
            Lot.name,
            Lot.kind,
            func.count(Space.id).label("capacity"),
            func.count(Space.id).filter(free).label("free_now"),
        )
        .outerjoin(Space, Space.lot_id == Lot.id)
        .group_by(Lot.id)
        .order_by(Lot.code)
    )
    return session.execute(query).mappings().all()


def lot_by_code(session: Session, code: str) -> Lot:
    """The lot; Problem 404 if there is none."""
    lot = session.scalar(select(Lot).where(Lot.code == code))
    if lot is None:
        raise not_found("lot")
    return lot


def add_lot(session: Session, *, code: str, name: str, kind: str, takes_walk_ins: bool) -> Lot:
    """A new lot, without spaces; Problem 409 when the code is taken."""
    if session.scalar(select(Lot.id).where(Lot.code == code)):
        raise Problem(409, "lot-exists", "There is a lot of this code.")
    lot = Lot(code=code, name=name, kind=kind, takes_walk_ins=takes_walk_ins)
    session.add(lot)
    session.flush()
    return lot


def add_spaces(
    session: Session, lot: Lot, codes: Sequence[str], owners: Mapping[str, int] | None = None
) -> None:
    """New spaces of a lot; `owners` maps the private ones to their household's id."""
    owned = owners or {}
    session.execute(
        insert(Space),
        [{"lot_id": lot.id, "code": c, "owner_household_id": owned.get(c)} for c in codes],
    )


def add_lane(session: Session, lot: Lot, *, code: str, name: str, direction: str) -> Lane:
    """A lane into or out of a lot; Problem 409 when the code is taken."""
    if session.scalar(select(Lane.id).where(Lane.code == code)):
        raise Problem(409, "lane-exists", "There is a lane of this code.")
    lane = Lane(code=code, name=name, direction=direction, lot_id=lot.id)
    session.add(lane)
    session.flush()
    return lane


def add_tariff(session: Session, lot: Lot, rules: dict[str, Any], valid_from: datetime) -> Tariff:
    """The next tariff version of a lot.

    Problem 422 names the rule that is broken; a version cannot begin before the newest one.
    """
    try:
        parse_rules(rules)
    except TariffError as error:
        errors = {f"rules.{name}": said for name, said in error.errors.items()}
        detail = "These rules are no tariff."
        raise Problem(422, "invalid", detail, errors=errors) from error
    session.execute(select(Lot.id).where(Lot.id == lot.id).with_for_update())
    newest = session.scalar(
        select(Tariff).where(Tariff.lot_id == lot.id).order_by(Tariff.version.desc()).limit(1)
    )
    if newest and valid_from <= newest.valid_from:
        raise invalid("valid_from", "must be later than the newest version's")
    version = newest.version + 1 if newest else 1
    tariff = Tariff(lot_id=lot.id, version=version, valid_from=valid_from, rules=rules)
    session.add(tariff)
    session.flush()
    return tariff
