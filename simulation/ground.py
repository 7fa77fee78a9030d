"""Where the community parks: its garage and rack, their prices and terms, who shares income."""

from dataclasses import asdict, replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from devices import registry
from ebikes import racks
from ledger import split_rules
from parking import lots
from sharing import booking_terms
from tariffs.rules import CapPer, ClassPrice, Energy, NewEnergy, Overstay, Rules, Segment

GARAGE, RACK = "B2", "EB"
GROUP = 20
"""E-bikes side by side."""

PRICES = Rules(
    free_minutes=30,
    free_deducted=False,
    first_minutes=60,
    first_fen=300,
    unit_minutes=30,
    unit_fen=100,
    cap_fen=1500,
    cap_per=CapPer.CALENDAR_DAY,
    leave_within_minutes=15,
    classes=(ClassPrice("large", 200),),
    overstay=Overstay(200, cap_fen=10_000),
)
LATER_PRICES = replace(
    PRICES,
    first_fen=400,
    cap_fen=1800,
    segments=(Segment("夜间", "20:00", "08:00", 120, 200, 60, 100, cap_fen=800),),
    new_energy=NewEnergy(free_minutes=60, percent=50, until_minutes=180),
)
RACK_PRICES = Rules(
    free_minutes=60,
    free_deducted=False,
    first_minutes=720,
    first_fen=50,
    unit_minutes=720,
    unit_fen=50,
    cap_fen=100,
    cap_per=CapPer.CALENDAR_DAY,
    leave_within_minutes=15,
    energy=Energy(electricity_fen_per_kwh=56, service_fen_per_kwh=40, longest_minutes=600),
)
TERMS = {"household_month_minutes": 16_000, "prefer": "private", "walk_in_hold_minutes": 900}
RACK_TERMS = {"walk_in_hold_minutes": 2 * 1440}
LATER_TERMS = TERMS | {"late_minutes": 20, "hold_minutes": 45, "prefer": "community"}


def new_prices(session: Session, valid_from: datetime) -> None:
    """The community votes for other prices and terms."""
    lot = lots.lot_by_code(session, GARAGE)
    lots.add_tariff(session, lot, asdict(LATER_PRICES), valid_from)
    booking_terms.add_terms(session, lot, dict(LATER_TERMS), valid_from)


def garage(session: Session, spaces: int, private: int, since: datetime) -> dict[str, bytes]:
    """The garage with its two cameras; the digests of their tokens."""
    lot = lots.add_lot(session, code=GARAGE, name="地下车库", kind="car", takes_walk_ins=True)
    codes = [f"{GARAGE}-{number:03d}" for number in range(1, spaces + 1)]
    lots.add_spaces(session, lot, codes)
    racks.furnish(session, GARAGE, codes, {"compartment": "cars"})
    common = codes[private:]
    racks.furnish(session, GARAGE, common[::40], {"accessible": True})
    racks.furnish(session, GARAGE, common[5::20], {"charging": True})
    racks.furnish(session, GARAGE, common[::2], {"building": "1栋"})
    racks.furnish(session, GARAGE, common[1::2], {"building": "2栋"})
    lots.add_tariff(session, lot, asdict(PRICES), since)
    booking_terms.add_terms(session, lot, dict(TERMS), since)
    for direction in ("entry", "exit"):
        lots.add_lane(session, lot, code=direction, name=direction, direction=direction)
    return {lane: _device(session, lane, "camera", lane) for lane in ("entry", "exit")}


def rack(session: Session, spots: int, since: datetime) -> tuple[list[str], list[str], bytes]:
    """The rack with its dock: charging spots, other spots, and the digest of the dock's token."""
    charging_spots: list[str] = []
    plain_spots: list[str] = []
    lot = lots.add_lot(session, code=RACK, name="车棚", kind="ebike", takes_walk_ins=True)
    codes = [f"{RACK}-{number:03d}" for number in range(1, spots + 1)]
    lots.add_spaces(session, lot, codes)
    for number, first in enumerate(range(0, len(codes), GROUP)):
        group = codes[first : first + GROUP]
        charging = number % 2 == 0
        racks.add_group(session, RACK, f"G{number}", max(2, len(group) - 2))
        about = {"group": f"G{number}", "charging": charging, "compartment": f"rack-{number}"}
        racks.furnish(session, RACK, group, about)
        (charging_spots if charging else plain_spots).extend(group)
    lots.add_tariff(session, lot, asdict(RACK_PRICES), since)
    booking_terms.add_terms(session, lot, dict(RACK_TERMS), since)
    return charging_spots, plain_spots, _device(session, "dock", "dock", None)


def _device(session: Session, code: str, kind: str, lane: str | None) -> bytes:
    issued = registry.register(session, code=code, serial=f"of-{code}", kind=kind, lane=lane)
    return registry.digest(issued.token)


def shares(session: Session, since: date) -> None:
    """Who shares which income, as voted."""
    for income, ownership, weights in (
        ("parking", "community", (70, 30, 0)),
        ("parking", "private", (20, 10, 70)),
        ("overstay", "community", (70, 30, 0)),
        ("overstay", "private", (20, 10, 70)),
        ("booking", "community", (70, 30, 0)),
        ("booking", "private", (20, 10, 70)),
        ("ebike", "community", (70, 30, 0)),
        ("electricity", "community", (100, 0, 0)),
        ("charging-service", "community", (70, 30, 0)),
    ):
        split_rules.add(
            session,
            income=income,
            ownership=ownership,
            shares=dict(zip(("micro_fund", "property", "owner"), weights, strict=True)),
            valid_from=since,
            decided_by="模拟",
        )
