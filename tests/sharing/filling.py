"""Builders for a lot that fills up: stays and bookings that claim spaces, neighbours who wait."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from identity import people
from parking import lots, rights
from parking.plates import Plate
from tests.cast import NOON, PASSWORD

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
TEN = NOON + 6 * HOUR
"""Ten at night, and two hours later: the time that everybody wants."""
TWELVE = TEN + 2 * HOUR


def lot_id(session: Session, code: str = "B2") -> int:
    """The id of a lot."""
    return lots.lot_by_code(session, code).id


def hold(session: Session, space: str, since: datetime, until: datetime | None) -> int:
    """A visitor's stay claims a space; the stay's id."""
    return int(
        session.execute(
            text("""
            WITH s AS (
                INSERT INTO stay (lot_id, plate, plate_color, status, "right", entered_at, space_id)
                SELECT lot_id, '川H' || nextval('stay_id_seq'), 'blue', 'open', 'walk-in',
                    :since, id
                FROM space WHERE code = :space RETURNING id, lot_id, space_id
            )
            INSERT INTO space_claim (lot_id, space_id, during, stay_id)
            SELECT lot_id, space_id, tstzrange(:since, :until), id FROM s RETURNING stay_id
            """),
            {"space": space, "since": since, "until": until},
        ).scalar_one()
    )


def book(
    session: Session,
    space: str,
    since: datetime,
    until: datetime,
    plate: str,
    *,
    household: int | None = None,
    status: str = "confirmed",
) -> int:
    """A guest's booking, which claims its space while it is confirmed; the booking's id."""
    return int(
        session.execute(
            text("""
            WITH b AS (
                INSERT INTO booking (lot_id, space_id, household_id, plate, plate_color, status,
                                     starts_at, ends_at, tariff_id, total_fen, recorded_at)
                SELECT s.lot_id, s.id, :household, :plate, 'blue', :status, :since, :until, t.id,
                    0, :since
                FROM space s JOIN tariff t ON t.lot_id = s.lot_id WHERE s.code = :space
                RETURNING *
            ), c AS (
                INSERT INTO space_claim (lot_id, space_id, during, booking_id, live)
                SELECT lot_id, space_id, tstzrange(:since, :until), id, status = 'confirmed' FROM b
            )
            SELECT id FROM b
            """),
            {
                "space": space,
                "household": household,
                "plate": plate,
                "status": status,
                "since": since,
                "until": until,
            },
        ).scalar_one()
    )


def fill(session: Session, spaces: Sequence[int], since: datetime, until: datetime) -> None:
    """Bookings of these spaces, each by another visitor."""
    for n in spaces:
        book(session, f"B2-{n:03d}", since, until, f"川F{since:%H%M}{n}")


def neighbours(session: Session, count: int) -> list[tuple[int, int, str]]:
    """Households with one resident and one car each: household, person, plate."""
    found = []
    for n in range(1, count + 1):
        home = people.create_household(session, f"9-{n:03d}")
        person = people.create_person(
            session, f"neighbour{n}", PASSWORD, "resident", household=home
        )
        plate = f"川N{n:05d}"
        rights.register_vehicle(session, home.id, Plate(plate, "blue"))
        found.append((home.id, person.id, plate))
    return found


def rows(session: Session, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """What a query finds, seen by a transaction of its own."""
    session.rollback()
    found = [tuple(row) for row in session.execute(text(sql), values)]
    session.rollback()
    return found
