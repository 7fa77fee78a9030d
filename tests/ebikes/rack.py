"""A rack for e-bikes beside the garage of the cast, for tests that tell stories.

Lot EB: group G1 (EB-001 to EB-003) takes two e-bikes and does not charge; group G2 (EB-011 to
EB-013) takes three and charges; EB-021 stands alone. Ana has the card 5DC0917A. Prices: an hour
free, then 0.50 for 12 hours; electricity 0.60 and service 0.40 a kWh, ten hours at most.
"""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from devices import registry
from ebikes import racks
from parking import lots, tags
from tariffs.rules import CapPer, Energy, Rules
from tests.cast import NOON, Community, split

CARD, STRANGER = "5DC0917A", "0A1B2C3D"
ENERGY = Energy(electricity_fen_per_kwh=60, service_fen_per_kwh=40, longest_minutes=600)
RACK_RULES = Rules(
    free_minutes=60,
    free_deducted=False,
    first_minutes=720,
    first_fen=50,
    unit_minutes=720,
    unit_fen=50,
    cap_fen=100,
    cap_per=CapPer.CALENDAR_DAY,
    leave_within_minutes=15,
    energy=ENERGY,
)
LONG_AGO = NOON - timedelta(days=400)


def add_rack(community: Community) -> None:
    """Build lot EB with its dock."""
    atomic(_build, community)


def _build(session: Session, community: Community) -> None:
    lot = lots.add_lot(session, code="EB", name="车棚", kind="ebike", takes_walk_ins=True)
    lots.add_spaces(session, lot, [f"EB-{n:03d}" for n in (1, 2, 3, 11, 12, 13, 21)])
    lots.add_tariff(session, lot, asdict(RACK_RULES), LONG_AGO)
    racks.add_group(session, "EB", "G1", 2)
    racks.add_group(session, "EB", "G2", 3)
    plain, charging = [f"EB-00{n}" for n in (1, 2, 3)], [f"EB-01{n}" for n in (1, 2, 3)]
    racks.furnish(session, "EB", plain, {"group": "G1"})
    made = {"group": "G2", "charging": True, "compartment": "rack"}
    racks.furnish(session, "EB", charging, made)
    card = tags.card(CARD)
    assert card is not None
    racks.register_ebike(session, community.households["ana"], card)
    issued = registry.register(session, code="dock", serial="serial-dock", kind="dock")
    community.tokens["dock"] = issued.token
    for income in ("ebike", "electricity", "charging-service"):
        split(session, income)


def say(
    community: Community,
    type_: str,
    spot: str,
    at: datetime,
    *,
    event_id: str | None = None,
    now: datetime | None = None,
    status: int = 200,
    **data: Any,
) -> dict[str, Any]:
    """The dock says something that happened at `at`, heard by us at `now` (at once)."""
    community.sent += 1
    body = {
        "event_id": event_id or f"dock-{community.sent}",
        "type": f"dock.{type_}",
        "occurred_at": at.isoformat(),
        "data": {"spot": spot, **data},
    }
    with clock.at(now or at):
        answer = community.client.post(
            "/api/v1/device-events", json=body, headers=community.as_device("dock")
        )
    assert answer.status_code == status, answer.get_json()
    told: dict[str, Any] = answer.get_json()
    return told


def connect(community: Community, spot: str, at: datetime, **said: Any) -> dict[str, Any]:
    """An e-bike is put into a spot; the decision."""
    shown = {} if "plate" in said else {"tag": said.pop("tag", CARD)}
    decision: dict[str, Any] = say(community, "connected", spot, at, **shown, **said)["decision"]
    return decision


def release(community: Community, spot: str, at: datetime, **said: Any) -> dict[str, Any]:
    """An e-bike asks to leave its spot; the decision."""
    shown = {} if "plate" in said else {"tag": said.pop("tag", CARD)}
    decision: dict[str, Any] = say(community, "released", spot, at, **shown, **said)["decision"]
    return decision


def measured(
    community: Community,
    spot: str,
    at: datetime,
    *,
    energy_wh: int = 710,
    seconds: int = 15120,
    **said: Any,
) -> dict[str, Any]:
    """The charger says what it measured; the receipt."""
    said |= {"energy_wh": energy_wh, "seconds": seconds, "stop_reason": "full"}
    return say(community, "charging_ended", spot, at, **said)


def book(
    session: Session,
    community: Community,
    spot: str,
    starts_at: datetime,
    ends_at: datetime,
    card: str = CARD,
) -> int:
    """Ana's confirmed booking of a very spot, for one card or another."""
    row = session.execute(
        text("""
        WITH claimed AS (
            INSERT INTO space_claim (lot_id, space_id, group_id, during, booking_id)
            SELECT lot_id, id, group_id, tstzrange(:starts_at, :ends_at),
                nextval('booking_id_seq') FROM space WHERE code = :spot
            RETURNING lot_id, space_id, booking_id
        )
        INSERT INTO booking (id, lot_id, space_id, household_id, booked_by, plate, plate_color,
            vehicle_class, starts_at, ends_at, tariff_id, total_fen, recorded_at)
        SELECT booking_id, claimed.lot_id, space_id, :household,
            (SELECT id FROM person WHERE username = 'ana'), :plate, 'tag', 'ebike',
            :starts_at, :ends_at, tariff.id, 50, :starts_at
        FROM claimed JOIN tariff ON tariff.lot_id = claimed.lot_id
        RETURNING id
        """),
        {
            "spot": spot,
            "starts_at": starts_at,
            "ends_at": ends_at,
            "household": community.households["ana"],
            "plate": card,
        },
    )
    booking_id = int(row.scalar_one())
    session.commit()
    return booking_id


def cases(session: Session) -> list[str]:
    """The open exceptions, oldest first."""
    session.commit()
    found = session.scalars(
        text("SELECT reason FROM exception_case WHERE resolved_at IS NULL ORDER BY id")
    )
    return list(found)


def billed(session: Session) -> list[tuple[str, int, int]]:
    """Charges by source: how many, and what they come to."""
    session.commit()
    rows = session.execute(
        text("SELECT source, count(*), sum(amount_fen) FROM charge GROUP BY source ORDER BY source")
    )
    return [(row[0], row[1], int(row[2])) for row in rows]
