"""Lots, spaces, lanes and tariff versions: setting a garage up, and what is free in it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row
from sqlalchemy import insert, select
from sqlalchemy.dialects.postgresql.ranges import MultiRange
from sqlalchemy.orm import Session

from core.db import driver
from core.errors import Problem, invalid, not_found
from devices.models import Lane
from parking.models import Lot, Space, Tariff
from parking.permits import reserved
from tariffs.ceilings import accept_rules
from tariffs.tariff import TariffError

LOTS = """
SELECT lot.id, lot.code, lot.name, lot.kind, count(s.id) AS capacity,
    count(s.id) FILTER (
        WHERE s.owner_household_id IS NULL AND s.in_service
          AND (s.offered IS NULL OR s.offered @> %(now)s::timestamptz)
          AND NOT EXISTS (SELECT FROM space_claim c
                          WHERE c.live AND c.lot_id = s.lot_id AND c.space_id = s.id
                            AND (c.during @> %(now)s::timestamptz OR c.stay_id IS NOT NULL))
    ) AS free_now
FROM lot LEFT JOIN space s ON s.lot_id = lot.id
GROUP BY lot.id ORDER BY lot.code
"""

FLOATING = """
SELECT p.lot_id, p.places, p.starts_at, p.ends_at, p.hours,
    ARRAY(SELECT tstzrange(lower(c.during), NULL) FROM stay s
          JOIN space_claim c ON c.stay_id = s.id
          WHERE s.permit_id = p.id
            AND s.status = 'open' AND c.live) AS inside,
    (SELECT jsonb_object_agg(day, kind) FROM calendar_day) AS calendar
FROM permit p
WHERE p.space_id IS NULL AND p.starts_at <= %(now)s AND %(now)s < p.ends_at
"""


def lots(session: Session, now: datetime, zone: ZoneInfo) -> Sequence[Mapping[str, Any]]:
    """Every lot with its capacity and how many of its community spaces are free now.

    Free is where nobody stands, which nobody has claimed and which is offered; less what floating
    permits that hold now may still come for.
    """
    connection = driver(session)
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(LOTS, {"now": now}).fetchall()
    floating = connection.execute(FLOATING, {"now": now}).fetchall()
    for row in rows:
        of_lot = [permit for lot_id, *permit in floating if lot_id == row["id"]]
        kept = reserved(of_lot, now, now + timedelta(microseconds=1), zone)
        row["free_now"] = max(0, row["free_now"] - kept)
    return rows


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
    """New spaces of a lot; `owners` maps the private ones to their household's id.

    A private space is not offered until its owner shares it. Problem 422 when a code comes
    twice, 409 when one is taken.
    """
    if len(set(codes)) < len(codes):
        raise invalid("codes", "must name each once")
    taken = session.scalars(select(Space.code).where(Space.code.in_(codes)).limit(5)).all()
    if taken:
        raise Problem(409, "space-exists", f"There is a space {', '.join(sorted(taken))}.")
    owned = owners or {}
    never: MultiRange[datetime] = MultiRange([])
    session.execute(
        insert(Space),
        [
            {
                "lot_id": lot.id,
                "code": code,
                "owner_household_id": owned.get(code),
                "offered": never if code in owned else None,
            }
            for code in codes
        ],
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
        accept_rules(rules)
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
