"""Who books: commuters for every workday, households for their visitors; and what comes of it."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from core.db import Session, driver
from core.errors import Problem
from sharing import booked, booking_changes, bookings, quotes, waiting
from sharing.booking_facts import NewBooking
from simulation.drivers import Drivers
from simulation.gate import Decision
from simulation.ground import GARAGE
from simulation.town import Car, Somebody, Town
from simulation.world import World, is_workday, round_to


@dataclass(slots=True)
class Trip:
    """One booking and the car it is for."""

    id: int
    car: Car
    person: Somebody
    starts_at: datetime
    ends_at: datetime


class Guests:
    """Everybody who books a space for a car."""

    def __init__(self, world: World, town: Town, drivers: Drivers) -> None:
        self.world = world
        self.town = town
        self.drivers = drivers
        self.plans = Counter[str]()

    def plan(self, day: date) -> None:
        """Who books this day, and for when."""
        tomorrow = day + timedelta(days=1)
        for car in self.town.commuters:
            if is_workday(tomorrow) and self.world.chance(0.85):
                starts = self.world.on(tomorrow, 8.7, give_or_take=50)
                lasts = self.world.minutes(7 * 60, 10 * 60)
                asked = self.world.on(day, 18, give_or_take=290)
                self._wish(car, asked, starts, starts + lasts)
        for host in self.town.hosts:
            if not self.world.chance(0.5 if is_workday(day) else 0.9):
                continue
            asked = self.world.on(day, 12, give_or_take=290)
            ahead = self.world.rng.choice((0, 0, 0, 0, 1, 1, 2, 5))
            hour = self.world.rng.choice((9, 11, 13, 14, 15, 17, 18, 19, 20))
            starts = self.world.on(day + timedelta(days=ahead), hour, give_or_take=55)
            starts = max(starts, asked + timedelta(minutes=10))
            lasts = self.world.minutes(45, 360) if self.world.chance(0.9) else timedelta(hours=26)
            self._wish(Car(next(self.town.plates), host), asked, starts, starts + lasts)

    def _wish(self, car: Car, asked: datetime, starts_at: datetime, ends_at: datetime) -> None:
        if car.person is None:
            return
        span = round_to(starts_at) + timedelta(minutes=5), round_to(ends_at) + timedelta(minutes=5)
        new = NewBooking(
            lot=GARAGE,
            starts_at=span[0],
            ends_at=span[1],
            plate=car.plate.text,
            person_id=car.person.id,
            household_id=car.person.household_id,
            preferences=self._preferences(),
        )
        act = self._quote if self.world.chance(0.35) else self._book
        self.world.at(asked, act, new, car, car.person)

    def _preferences(self) -> dict[str, Any]:
        return self.world.rng.choice(
            ({}, {}, {}, {}, {"near": "1栋"}, {"prefer": "community"}, {"charging": True})
        )

    def _quote(self, new: NewBooking, car: Car, person: Somebody) -> None:
        def ask(session: Session) -> dict[str, Any]:
            return quotes.quote(
                driver(session),
                lot=new.lot,
                starts_at=new.starts_at,
                ends_at=new.ends_at,
                plate=new.plate,
                person_id=person.id,
                now=self.world.now,
                zone=self.world.zone,
            )

        told = self.world.attempt("quote", ask)
        if not isinstance(told, Problem):
            quoted = _with(new, quote_id=told["quote_id"])
            self.world.within(0.5, 17, self._book_quoted, quoted, car, person, told["total_fen"])

    def _book_quoted(self, new: NewBooking, car: Car, person: Somebody, total_fen: int) -> None:
        made = self._booked(new)
        if isinstance(made, Problem):
            if made.code == "quote-expired":
                self.world.within(0.2, 1, self._quote, _with(new, quote_id=None), car, person)
            else:
                self._refused(made, new, car, person)
            return
        if made["total_fen"] != total_fen:
            self.world.fault("quote", f"booking {made['id']}: {made['total_fen']} ≠ {total_fen}")
        self._expect(made, car, person)

    def _book(self, new: NewBooking, car: Car, person: Somebody) -> None:
        made = self._booked(new)
        if isinstance(made, Problem):
            self._refused(made, new, car, person)
        else:
            self._expect(made, car, person)

    def _booked(self, new: NewBooking) -> dict[str, Any] | Problem:
        return self.world.swiftly(
            "book", bookings.book_or_suggest, new, self.world.now, self.world.zone
        )

    def _refused(self, problem: Problem, new: NewBooking, car: Car, person: Somebody) -> None:
        if problem.code != "no-space-free":
            return
        others = problem.more.get("alternatives") or []
        if others and self.world.chance(0.4):
            self._take_another(others[0], new, car, person)
        elif self.world.chance(0.7):
            self._wait(new, car, person)

    def _take_another(
        self, other: dict[str, Any], new: NewBooking, car: Car, person: Somebody
    ) -> None:
        """What was offered instead must be free when asked for at once."""
        starts, ends = (datetime.fromisoformat(other[name]) for name in ("starts_at", "ends_at"))
        another = {"lot": other["lot"], "starts_at": starts, "ends_at": ends, "quote_id": None}
        made = self._booked(_with(new, **another))
        if isinstance(made, Problem):
            if made.code == "no-space-free":
                self.world.fault("alternatives", f"{other} was offered and is not free")
            return
        if made["total_fen"] != other["total_fen"]:
            self.world.fault("alternatives", f"{other} costs {made['total_fen']}")
        self.plans["took what was offered instead"] += 1
        self._expect(made, car, person)

    def _wait(self, new: NewBooking, car: Car, person: Somebody) -> None:
        found = self.world.attempt("wait", waiting.join, new, self.world.now, self.world.zone)
        if isinstance(found, Problem):
            return
        for minutes in (120, 60, 15):
            looks = new.starts_at - timedelta(minutes=minutes)
            if looks > self.world.now:
                self.world.at(looks, self._look_at_list, found["id"], car, person)

    def _look_at_list(self, entry_id: int, car: Car, person: Somebody) -> None:
        found = self.world.attempt(
            "look at waitlist",
            waiting.entry,
            entry_id,
            person.household_id,
            self.world.now,
            self.world.zone,
        )
        if isinstance(found, Problem) or car.busy:
            return
        if found["status"] == "booked":
            made = self.world.attempt("look", self._shown, found["booking_id"])
            if not isinstance(made, Problem) and made["status"] == "confirmed":
                self.plans["served from the waitlist"] += 1
                self._expect(made, car, person)
        elif found["status"] == "waiting" and self.world.chance(0.1):
            arguments = (entry_id, person.household_id, self.world.now, self.world.zone)
            self.world.attempt("leave the waitlist", waiting.withdraw, *arguments)

    def _shown(self, session: Session, booking_id: int) -> dict[str, Any]:
        now, zone = self.world.now, self.world.zone
        return booked.booking(driver(session), booking_id, None, now=now, zone=zone)

    def _expect(self, made: dict[str, Any], car: Car, person: Somebody) -> None:
        """What becomes of a booking: kept, changed, cancelled, or forgotten."""
        trip = Trip(made["id"], car, person, made["starts_at"], made["ends_at"])
        car.busy = True
        roll = self.world.rng.random()
        if roll < 0.08:
            share = self.world.rng.random()
            before = (trip.starts_at - self.world.now + timedelta(minutes=40)) * share
            self.world.at(self.world.now + before, self._cancel, trip)
            return
        if roll < 0.12:
            self.plans["forgotten"] += 1
            self.world.at(trip.ends_at, self._idle, car)
            return
        if roll < 0.18:
            half_way = (trip.starts_at - self.world.now) / 2
            self.world.at(self.world.now + half_way, self._change, trip, -90, 90)
        comes = trip.starts_at + self._lateness()
        self.world.at(comes, self._arrive, trip, 6)

    def _lateness(self) -> timedelta:
        roll = self.world.rng.random()
        if roll < 0.12:
            return -self.world.minutes(20, 90)
        if roll < 0.65:
            return self.world.minutes(-14, 10)
        return self.world.minutes(10, 50) if roll < 0.95 else self.world.minutes(61, 120)

    def _idle(self, car: Car) -> None:
        car.busy = False

    def _cancel(self, trip: Trip) -> None:
        trip.car.busy = False
        self.world.attempt(
            "cancel",
            booking_changes.cancel,
            trip.id,
            household_id=trip.person.household_id,
            now=self.world.now,
            zone=self.world.zone,
        )

    def _change(self, trip: Trip, least: float, most: float) -> bool:
        ends_at = round_to(trip.ends_at + self.world.minutes(least, most))
        if ends_at == trip.ends_at:
            return False
        made = self.world.attempt(
            "extend" if ends_at > trip.ends_at else "shorten",
            booking_changes.change_end,
            trip.id,
            ends_at,
            household_id=trip.person.household_id,
            now=self.world.now,
            zone=self.world.zone,
        )
        if isinstance(made, Problem):
            return False
        trip.ends_at = made["ends_at"]
        return True

    def _arrive(self, trip: Trip, tries: int) -> None:
        def parked(_car: Car, _decision: Decision | None) -> None:
            self._stay(trip)

        def turned_away(_car: Car, decision: Decision | None) -> None:
            if decision and decision["reason"] == "too-early" and tries:
                comes = max(self.world.now, trip.starts_at - timedelta(minutes=15))
                self.world.at(comes + self.world.minutes(0.5, 6), self._arrive, trip, tries - 1)
            else:
                self.plans["turned away with a booking"] += 1
                trip.car.busy = False

        self.drivers.enter(trip.car, parked, turned_away)

    def _stay(self, trip: Trip) -> None:
        roll = self.world.rng.random()
        if roll < 0.40:
            goes = trip.ends_at - self.world.minutes(1, 80)
        elif roll < 0.74:
            goes = trip.ends_at + self.world.minutes(0, 14)
        elif roll < 0.86:
            goes = trip.ends_at + self.world.minutes(16, 200)
        else:
            asks = trip.ends_at - self.world.minutes(5, 60)
            self.world.at(
                asks, self._change_inside, trip, *((20, 150) if roll < 0.95 else (-40, -5))
            )
            return
        self.world.at(max(goes, self.world.now + timedelta(minutes=3)), self._go, trip.car)

    def _change_inside(self, trip: Trip, least: float, most: float) -> None:
        self._change(trip, least, most)
        goes = trip.ends_at + self.world.minutes(-20, 14)
        self.world.at(max(goes, self.world.now), self._go, trip.car)

    def _go(self, car: Car) -> None:
        car.busy = False
        self.drivers.leave(car)


def _with(new: NewBooking, **changes: Any) -> NewBooking:
    """The same wish with something else about it."""
    said = {name: getattr(new, name) for name in NewBooking.__slots__}
    return NewBooking(**said | changes)
