"""Playing days: everybody plans in the morning, and then time passes."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from core import clock
from core.db import Session, atomic, driver, fetch_row
from simulation import town
from simulation.desk import Desk
from simulation.drivers import Drivers
from simulation.gate import Devices
from simulation.guests import Guests
from simulation.phones import Phones
from simulation.riders import Riders
from simulation.tenpay import Tenpay
from simulation.town import Size, Town
from simulation.world import World

FIRST_DAY = date(2026, 9, 14)
"""A Monday; Mid-Autumn and National Day, with their make-up workdays, follow within a month."""

DAY = timedelta(days=1)

FINGERPRINT = """
SELECT md5(string_agg(row, ',')) AS print FROM (
    (SELECT concat_ws(' ', plate, status, entered_at, exited_at, space_id, fee_fen) AS row
     FROM stay ORDER BY id)
    UNION ALL
    (SELECT concat_ws(' ', plate, status, starts_at, ends_at, space_id, total_fen)
     FROM booking ORDER BY id)
) rows
"""


@dataclass(frozen=True, slots=True)
class Played:
    """A community after its days."""

    world: World
    town: Town
    drivers: Drivers
    guests: Guests
    desk: Desk
    fingerprint: str


def play(
    days: int,
    seed: int,
    zone: ZoneInfo,
    *,
    first_day: date = FIRST_DAY,
    size: Size | None = None,
    tenpay: Tenpay | None = None,
    after_day: Callable[[int, World], None] | None = None,
) -> Played:
    """Found a community in the empty database of this app, and let it live.

    With a `tenpay`, which the app's settings name as provider, many pay by phone.
    """
    size = size or Size()
    began = datetime.combine(first_day, time(0), zone).astimezone(UTC)
    with clock.at(began):
        people = atomic(town.found, size, began, zone)
    world = World(seed, began, zone)
    devices = Devices(world, people)
    phones = Phones(world, tenpay) if tenpay else None
    drivers = Drivers(world, people, devices, phones)
    guests = Guests(world, people, drivers)
    riders = Riders(world, people, devices, drivers)
    desk = Desk(world, people, devices, drivers, riders)
    drivers.come_home(began)
    for number in range(days):
        day = first_day + number * DAY
        drivers.plan(day, size.walk_ins)
        guests.plan(day)
        riders.plan(day)
        desk.plan(day)
        if number == days // 2 - 2:
            world.at(world.on(day, 10), desk.announce, world.on(day + 2 * DAY, 0))
        world.play(datetime.combine(day + DAY, time(0), zone))
        if after_day:
            after_day(number + 1, world)
    with clock.at(world.now):
        desk.sweep()
    return Played(world, people, drivers, guests, desk, atomic(_fingerprint))


def _fingerprint(session: Session) -> str:
    row = fetch_row(driver(session), (FINGERPRINT, {})) or {}
    return str(row["print"])
