"""E-bikes: they come home, charge over night, and are gone in the morning; some have booked."""

from datetime import date, timedelta

from sharing import bookings
from sharing.booking_facts import NewBooking
from simulation.drivers import Drivers
from simulation.gate import Decision, Devices
from simulation.ground import RACK
from simulation.town import Rider, Town
from simulation.world import World, is_workday, round_to

TRIES = 5
SILENT, IMPLAUSIBLE, TOO_LONG = 0.03, 0.01, 0.02
"""Shares of chargers that never report, report nonsense, and go on for too long."""


class Riders:
    """Everybody with an e-bike."""

    def __init__(self, world: World, town: Town, devices: Devices, drivers: Drivers) -> None:
        self.world = world
        self.town = town
        self.devices = devices
        self.drivers = drivers
        self._taken: dict[str, Rider] = {}

    def plan(self, day: date) -> None:
        """Out in the morning, home in the evening; some come by in between."""
        for rider in self.town.riders:
            if not self.world.chance(0.75 if is_workday(day) else 0.6):
                continue
            self.world.at(self.world.on(day, 7.8, give_or_take=80), self._leave, rider, TRIES)
            comes = self.world.on(day, 18.6, give_or_take=150)
            if rider.person and self.world.chance(0.06):
                asked = self.world.on(day, 13, give_or_take=120)
                self.world.at(asked, self._book, rider)
            self.world.at(comes, self._come, rider, None, TRIES)

    def standing(self) -> dict[str, Rider]:
        """Which spot has which e-bike in it."""
        return self._taken

    def _book(self, rider: Rider) -> None:
        if rider.person is None or rider.spot:
            return
        starts = round_to(self.world.now) + timedelta(hours=4)
        new = NewBooking(
            lot=RACK,
            starts_at=starts,
            ends_at=starts + timedelta(hours=13),
            plate=rider.bike.text,
            plate_color=rider.bike.color if rider.bike.color != "tag" else "unknown",
            person_id=rider.person.id,
            household_id=rider.person.household_id,
            preferences={"charging": True} if rider.wants_charging else {},
        )
        now, zone = self.world.now, self.world.zone
        self.world.swiftly("book a spot", bookings.book_or_suggest, new, now, zone)

    def _come(self, rider: Rider, told_to: str | None, tries: int) -> None:
        if rider.spot:
            return
        wanted = self.town.charging_spots if rider.wants_charging else self.town.plain_spots
        empty = [spot for spot in wanted if spot not in self._taken]
        spot = told_to if told_to and told_to not in self._taken else None
        if spot is None:
            if not empty:
                return
            spot = self.world.rng.choice(empty)
        told = self.devices.at_dock("connected", spot, rider.bike)
        if told is None or told["action"] == "open":
            self._stand(rider, spot, told)
        elif tries and told["reason"] == "already-inside":
            self.drivers.close_lost_stay(rider.bike)
            self.world.within(1, 4, self._come, rider, None, tries - 1)
        elif tries:
            right = told["space"] if told["reason"] in ("wrong-spot", "too-early") else None
            self.world.within(0.3, 2, self._come, rider, right, tries - 1)

    def _stand(self, rider: Rider, spot: str, told: Decision | None) -> None:
        rider.spot = spot
        self._taken[spot] = rider
        if spot not in self.town.charging_spots or (told and self.world.chance(SILENT)):
            return
        hours = 10 + self.world.rng.random() if self.world.chance(TOO_LONG) else None
        minutes = 60 * hours if hours else self.world.rng.randint(50, 420)
        self.world.within(minutes, minutes, self._full, rider, spot, round(minutes * 60))

    def _full(self, rider: Rider, spot: str, seconds: int) -> None:
        if rider.spot != spot:
            return
        watts = 30_000 if self.world.chance(IMPLAUSIBLE) else self.world.rng.randint(60, 180)
        self.devices.measured(spot, watts * seconds // 3600, seconds)

    def _leave(self, rider: Rider, tries: int) -> None:
        if rider.spot is None:
            return
        told = self.devices.at_dock("released", rider.spot, rider.bike)
        if tries and told and told["reason"] == "payment-due":
            self._pay(rider, told)
            self.world.within(0.2, 3, self._leave, rider, tries - 1)
            return
        if told and told["action"] != "open":
            self.world.tally.answers["released by hand"][told["reason"]] += 1
        del self._taken[rider.spot]
        rider.spot = None

    def _pay(self, rider: Rider, told: Decision) -> None:
        if rider.person and self.world.chance(0.6):
            self.drivers.top_up(rider.person, 2_000)
            return  # the dock takes it from the balance
        fee, payer = told["fee"], self.town.operator
        if fee["stay_due_fen"]:
            self.drivers.pay("stay", told["stay_id"], "cash", payer)
        for charging in fee["chargings"]:
            if charging["due_fen"]:
                self.drivers.pay("charging", charging["id"], "cash", payer)
