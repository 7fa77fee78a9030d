"""Founding the community: its people, what they drive, and what they have a right to."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from ebikes import racks
from identity import people
from ledger import payments
from parking import rights, tags
from parking.plates import Plate
from sharing import granting, places
from sharing import offering as sharing
from simulation import ground
from simulation.ground import GARAGE


@dataclass(frozen=True, slots=True)
class Size:
    """How many there are of everything."""

    spaces: int = 320
    owners: int = 40
    residents: int = 85
    crew: int = 60
    crew_places: int = 110
    commuters: int = 60
    hosts: int = 60
    walk_ins: int = 90
    spots: int = 220
    riders: int = 120


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person as the ledger asks who pays."""

    id: int
    role: str
    household_id: int | None


@dataclass(slots=True)
class Car:
    """A car, where it really is, and the stay it is known to be inside with."""

    plate: Plate
    person: Somebody | None = None
    inside: bool = False
    stay_id: int | None = None
    busy: bool = False


@dataclass(slots=True)
class Owner:
    """Who owns a space, with the sharing window last offered for it."""

    person: Somebody
    cars: list[Car]
    space: str
    window: int | None = None


@dataclass(slots=True)
class Rider:
    """An e-bike, and the spot it really stands at."""

    bike: Plate
    person: Somebody | None
    spot: str | None = None
    wants_charging: bool = True


@dataclass(slots=True)
class Town:
    """Everybody and everything there is."""

    operator: Somebody
    spaces: int
    owners: list[Owner] = field(default_factory=list)
    residents: list[list[Car]] = field(default_factory=list)
    crew: list[Car] = field(default_factory=list)
    commuters: list[Car] = field(default_factory=list)
    hosts: list[Somebody] = field(default_factory=list)
    riders: list[Rider] = field(default_factory=list)
    charging_spots: list[str] = field(default_factory=list)
    plain_spots: list[str] = field(default_factory=list)
    tokens: dict[str, bytes] = field(default_factory=dict)
    plates: Iterator[Plate] = field(default_factory=lambda: _plates())


def found(session: Session, size: Size, now: datetime, zone: ZoneInfo) -> Town:
    """Build the community in an empty database, as of now."""
    clerk = people.create_person(session, "operator", "simulated only", "operator")
    town = Town(Somebody(clerk.id, "operator", None), size.spaces)
    since = now - timedelta(days=30)
    cameras = ground.garage(session, size.spaces, size.owners, since)
    town.charging_spots, town.plain_spots, dock = ground.rack(session, size.spots, since)
    town.tokens = cameras | {"dock": dock}
    ground.shares(session, since.date())
    _own(session, town, size, now, zone)
    _hold_permits(session, town, size, now)
    for number in range(size.commuters):
        person = _household(session, town, f"C-{number:03d}", fen=20_000)
        town.commuters.append(_car(session, town, person))
    for number in range(size.hosts):
        town.hosts.append(_household(session, town, f"H-{number:03d}", fen=3_000 * (number % 3)))
    _ride(session, town, size)
    return town


def _own(session: Session, town: Town, size: Size, now: datetime, zone: ZoneInfo) -> None:
    """Owners: most share while they work, some at weekends too, some never."""
    for number in range(size.owners):
        person = _household(session, town, f"O-{number:03d}", fen=5_000)
        cars = [_car(session, town, person) for _ in range(1 + (number % 5 == 0))]
        owner = Owner(person, cars, f"{GARAGE}-{number + 1:03d}")
        _give(session, owner, now, zone)
        if number % 7 != 6:
            hours = weekly(number)
            who = sharing.Offerer(person.id, person.household_id)
            owner.window = sharing.offer(session, owner.space, who, hours, now, zone).id
        town.owners.append(owner)


def weekly(number: int) -> dict[str, Any]:
    """Sharing hours, one of a few plausible kinds."""
    workdays = {"weekdays": [1, 2, 3, 4, 5], "on_holidays": False}
    return [
        workdays | {"begins": time(8, 30), "ends": time(18)},
        workdays | {"begins": time(9), "ends": time(17, 30)},
        {"weekdays": [1, 2, 3, 4, 5, 6, 7], "begins": time(8), "ends": time(19)},
        {"weekdays": [5, 6], "begins": time(20), "ends": time(12)},
    ][number % 4]


def _give(session: Session, owner: Owner, now: datetime, zone: ZoneInfo) -> None:
    """The space is the household's own, and its cars' by a permit."""
    mine = {"owner_household_id": owner.person.household_id}
    places.change_space(session, owner.space, mine, now, zone)
    granting.grant_permit(
        session,
        lot=GARAGE,
        kind="resident",
        plates=[car.plate for car in owner.cars],
        starts_at=now,
        ends_at=now + timedelta(days=3650),
        space=owner.space,
        swap_minutes=30 if len(owner.cars) > 1 else 0,
    )


def _hold_permits(session: Session, town: Town, size: Size, now: datetime) -> None:
    """Residents with monthly cards, two cars to every sixth; some at night only; a company."""
    until = now + timedelta(days=365)
    nights = [
        {"weekdays": [1, 2, 3, 4, 5], "from": "18:00", "to": "09:00"},
        {"weekdays": [6, 7], "from": "00:00", "to": "00:00"},
    ]
    for number in range(size.residents):
        person = _household(session, town, f"R-{number:03d}", fen=4_000)
        cars = [_car(session, town, person) for _ in range(1 + (number % 6 == 0))]
        granting.grant_permit(
            session,
            lot=GARAGE,
            kind="monthly",
            plates=[car.plate for car in cars],
            starts_at=now,
            ends_at=until,
            hours=nights if number % 5 == 4 else None,
            swap_minutes=20 if len(cars) > 1 else 0,
        )
        town.residents.append(cars)
    if size.crew:
        town.crew = [Car(next(town.plates)) for _ in range(size.crew)]
        granting.grant_permit(
            session,
            lot=GARAGE,
            kind="staff",
            plates=[car.plate for car in town.crew],
            starts_at=now,
            ends_at=until,
            hours=[{"weekdays": [1, 2, 3, 4, 5], "from": "08:00", "to": "18:00"}],
            places=size.crew_places,
        )


def _ride(session: Session, town: Town, size: Size) -> None:
    for number in range(size.riders):
        if number % 8 == 7:
            plate = tags.ebike_plate(f"EB{number:06d}")
            person = None
        else:
            plate = tags.card(f"5D{number:06X}")
            person = _household(session, town, f"E-{number:03d}", fen=300 * (number % 4))
        if plate is None:
            raise ValueError(f"rider {number} has no card")
        if person and person.household_id:
            racks.register_ebike(session, person.household_id, plate)
        town.riders.append(Rider(plate, person, wants_charging=number % 3 != 0))


def _household(session: Session, town: Town, code: str, *, fen: int) -> Somebody:
    home = people.create_household(session, code)
    person = people.create_person(
        session, code.lower(), "simulated only", "resident", household=home
    )
    if fen:
        payments.top_up(session, household_id=home.id, amount_fen=fen, received_by=town.operator.id)
    return Somebody(person.id, "resident", home.id)


def _car(session: Session, town: Town, person: Somebody) -> Car:
    car = Car(next(town.plates), person)
    if person.household_id is not None:
        rights.register_vehicle(session, person.household_id, car.plate)
    return car


def _plates() -> Iterator[Plate]:
    """Every plate once: two in nine of new energy, a few large vehicles."""
    for number in range(99_999):
        if number % 9 in (3, 6):
            yield Plate(f"川AD{number:05d}", "green")
        elif number % 37 == 0:
            yield Plate(f"川B{number:05d}", "yellow")
        else:
            yield Plate(f"川A{number:05d}", "blue")
