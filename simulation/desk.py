"""What goes on by itself and at the desk: sweeps, exceptions, owners' edits, works, new prices."""

from collections import Counter
from datetime import date, datetime, timedelta
from typing import Any

from core.db import Session
from core.errors import Problem
from devices import exceptions
from ebikes import chargings
from ledger.settlement import settle_batch
from parking import stays
from parking.plates import Plate
from sharing import granting, offers, places, waitlist, watch
from sharing import offering as sharing
from simulation.drivers import Drivers
from simulation.gate import Devices
from simulation.ground import GARAGE, new_prices
from simulation.riders import Riders
from simulation.town import Owner, Town, weekly
from simulation.world import World, described

EVERY = timedelta(minutes=15)
BATCH = 500


class Desk:
    """The sweeps, the property office, and owners with their windows."""

    def __init__(
        self, world: World, town: Town, devices: Devices, drivers: Drivers, riders: Riders
    ) -> None:
        self.world = world
        self.town = town
        self.devices = devices
        self.drivers = drivers
        self.riders = riders
        self.solved = Counter[str]()

    def plan(self, day: date) -> None:
        """A day at the desk; cameras and the dock lose their network now and then."""
        world = self.world
        began = world.on(day, 0)
        for number in range(timedelta(days=1) // EVERY):
            world.at(began + number * EVERY, self.sweep)
        for hour in (7, 10, 13, 16, 19, 22):
            world.at(world.on(day, hour, give_or_take=25), self._solve)
        world.at(world.on(day, 3), self._round)
        world.at(world.on(day, 3.2), self._offer)
        for owner in self.town.owners:
            if world.chance(0.05):
                world.at(world.on(day, 12, give_or_take=300), self._edit, owner)
        for device in ("entry", "exit", "dock"):
            if world.chance(0.4):
                lost = world.on(day, 13, give_or_take=400)
                world.at(lost, self.devices.lose_network, device, world.rng.randint(4, 45))
        if world.chance(0.4):
            world.at(world.on(day, 9, give_or_take=60), self._repair)
        if world.chance(0.3):
            world.at(world.on(day, 11, give_or_take=60), self._reserve)

    def announce(self, valid_from: datetime) -> None:
        """Other prices and terms from a day on."""
        self.world.attempt("announce prices", new_prices, valid_from)

    def sweep(self) -> None:
        """Everything the worker's beat does, once."""
        world, now, zone = self.world, self.world.now, self.world.zone
        for step in watch.AT_ONCE:
            world.attempt(step.__name__, step, now)
        found = world.attempt("look at what is due", watch.due, now)
        for then, row_id in found if not isinstance(found, Problem) else ():
            self._step(then, row_id)
        world.attempt("serve waitlist", waitlist.sweep, now, zone)
        world.attempt("overlong chargings", chargings.overlong, now)
        if self.drivers.phones:
            self.drivers.phones.watch()
        local = now.astimezone(zone)
        if local.minute == 0:
            while world.attempt("settle", settle_batch, BATCH) == BATCH:
                pass
        if local.minute == 0:
            hour = local.hour
            world.tally.looks[hour] += 1
            world.tally.inside[hour] += len(self.drivers.inside)

    def _step(self, then: Any, row_id: int) -> None:
        """As the worker does: what fails is noted and does not stop the others."""
        try:
            self.world.attempt(then.__name__, then, row_id, self.world.now, self.world.zone)
        except Exception as error:
            self.world.fault(then.__name__, f"{row_id}: {described(error)}")

    def _offer(self) -> None:
        self.world.attempt("move offers on", offers.refresh_all, self.world.now, self.world.zone)

    def _solve(self) -> None:
        """An operator works through the list of exceptions."""
        cases = self.world.attempt("look at exceptions", _open_cases)
        for case_id, reason in cases if not isinstance(cases, Problem) else ():
            who, now = self.town.operator.id, self.world.now
            self.world.attempt("resolve", exceptions.resolve, case_id, who, "已处理", now)
            self.solved[reason] += 1

    def _round(self) -> None:
        """At night somebody walks through: what is not there any more is closed by hand."""
        there = {car.plate.text for car in self.drivers.inside.values()}
        there |= {rider.bike.text for rider in self.riders.standing().values()}
        found = self.world.attempt("look around", self._believed)
        for stay_id, plate in found if not isinstance(found, Problem) else ():
            if plate not in there:
                self.drivers.close(stay_id, "巡查未见车辆")

    def _believed(self, session: Session) -> list[tuple[int, str]]:
        believed = []
        for status in ("open", "exit-missing"):
            wanted = {"plate": None, "household": None, "status": status, "limit": 999, "offset": 0}
            _, page = stays.stays(session, wanted, self.world.now, self.world.zone)
            believed += [(stay["id"], stay["plate"]) for stay in page]
        return believed

    def _edit(self, owner: Owner) -> None:
        """An owner offers at other hours, not at all, or again."""
        world, now, zone = self.world, self.world.now, self.world.zone
        who = sharing.Offerer(owner.person.id, owner.person.household_id)
        hours = weekly(world.rng.randrange(4))
        if owner.window is None:
            made = world.attempt("offer", _offered, owner.space, who, hours, now, zone)
            owner.window = None if isinstance(made, Problem) else made
        elif world.chance(0.3):
            space, window = owner.space, owner.window
            gone = world.attempt("withdraw", sharing.withdraw, space, window, who, now, zone)
            owner.window = owner.window if isinstance(gone, Problem) else None
        else:
            changes = hours if world.chance(0.6) else {"blocked": [world.today()]}
            space, window = owner.space, owner.window
            world.attempt("edit a window", sharing.change, space, window, who, changes, now, zone)

    def _repair(self) -> None:
        """A space is out of service for a day."""
        code = self._any_common_space()
        made = self._put(code, in_service=False)
        if not isinstance(made, Problem):
            self.world.within(1_000, 2_000, lambda: self._put(code, in_service=True))

    def _put(self, code: str, *, in_service: bool) -> Problem | None:
        what = "back in service" if in_service else "out of service"
        change = {"in_service": in_service}
        return self.world.attempt(
            what, places.change_space, code, change, self.world.now, self.world.zone
        )

    def _reserve(self) -> None:
        """Somebody is given a fixed space of the community for some days."""
        self.world.attempt(
            "reserve",
            granting.grant_permit,
            lot=GARAGE,
            kind="monthly",
            plates=[Plate(next(self.town.plates).text, "unknown")],
            starts_at=self.world.now,
            ends_at=self.world.now + timedelta(days=self.world.rng.randint(2, 9)),
            space=self._any_common_space(),
        )

    def _any_common_space(self) -> str:
        first, last = len(self.town.owners) + 1, self.town.spaces
        return f"{GARAGE}-{self.world.rng.randint(first, last):03d}"


def _open_cases(session: Session) -> list[tuple[int, str]]:
    found = session.execute(exceptions.cases(resolved=False))
    return sorted((case.id, case.reason) for case, *_ in found)


def _offered(session: Session, *arguments: Any) -> int:
    return sharing.offer(session, *arguments).id
