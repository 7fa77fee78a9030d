"""Fire compartments: no e-bike charges in one with cars (domain/parking.md §6)."""

from sqlalchemy import text
from sqlalchemy.orm import Session

from core.errors import invalid

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('fire compartments', 0))"

# Charging spots of racks that lie in a fire compartment where cars stand.
BESIDE_CARS = """
SELECT rack.code FROM space rack JOIN lot ON lot.id = rack.lot_id AND lot.kind = 'ebike'
WHERE rack.charging AND rack.compartment IN (
    SELECT car.compartment FROM space car
    JOIN lot garage ON garage.id = car.lot_id AND garage.kind = 'car'
)
ORDER BY rack.code LIMIT 1
"""


def check(session: Session) -> None:
    """Problem 422 when a charging spot of a rack lies in one fire compartment with cars.

    Asked once the change is sent: of two changes the later one sees what the other has done.
    """
    session.execute(text(ONE_AT_A_TIME))
    if spot := session.scalar(text(BESIDE_CARS)):
        raise invalid("compartment", f"fire-compartment: {spot} charges where cars stand")
