"""Cars that come and go: owners, permit holders, visitors who just turn up; and how they pay."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

from core.db import Session
from core.errors import Problem
from ledger import payments
from ledger.source_models import Payment
from parking import stays
from parking.plates import Plate
from simulation.gate import Decision, Devices
from simulation.phones import Phones
from simulation.town import Car, Somebody, Town
from simulation.world import World, is_workday

Parked = Callable[[Car, Decision | None], None]
TRIES = 5
PAYS_FIRST = 0.08


class Drivers:
    """Everybody at the wheel of a car."""

    def __init__(
        self, world: World, town: Town, devices: Devices, phones: Phones | None = None
    ) -> None:
        self.world = world
        self.town = town
        self.devices = devices
        self.phones = phones
        self.inside: dict[str, Car] = {}

    def come_home(self, began: datetime) -> None:
        """The night before the first day: owners and most residents are at home."""
        for owner in self.town.owners:
            self.world.at(began + self.world.minutes(1, 60), self.enter, owner.cars[0])
        for cars in self.town.residents:
            if self.world.chance(0.9):
                self.world.at(began + self.world.minutes(1, 120), self.enter, cars[0])

    def plan(self, day: date, walk_ins: int) -> None:
        """What owners, permit holders and strangers do this day."""
        for owner in self.town.owners:
            self._household_day(day, owner.cars, early=0.06)
        for cars in self.town.residents:
            self._household_day(day, cars, early=0.05)
        for car in self.town.crew if is_workday(day) else ():
            if self.world.chance(0.85):
                self._trip(car, self.world.on(day, 8.6, give_or_take=50), hours=9)
        busy = 1.0 if is_workday(day) else 1.5
        for _ in range(round(walk_ins * busy)):
            hour = self.world.rng.choice((8, 9, 9, 10, 10, 11, 12, 13, 14, 15, 16, 18, 19, 20))
            lasts = self.world.rng.choice((0.2, 0.4, 0.7, 1, 1.5, 2, 2.5, 3, 4, 6, 9))
            car = Car(next(self.town.plates))
            self._trip(car, self.world.on(day, hour, give_or_take=40), hours=lasts)

    def enter(
        self, car: Car, parked: Parked | None = None, turned_away: Parked | None = None
    ) -> None:
        """Drive up to the barrier; what was said goes to one of the two."""
        self._ask_to_enter(car, parked, turned_away, TRIES)

    def leave(self, car: Car) -> None:
        """Pay at the machine first, or drive up to the barrier and pay if asked to."""
        if car.stay_id is not None and self.world.chance(PAYS_FIRST):
            self._pay(car, car.stay_id)
            self.world.within(1, 25, self._ask_to_leave, car, TRIES)
        else:
            self._ask_to_leave(car, TRIES)

    def _household_day(self, day: date, cars: list[Car], *, early: float) -> None:
        first, *others = cars
        if is_workday(day) and self.world.chance(0.9):
            goes = self.world.on(day, 8, give_or_take=70)
            back = self.world.on(day, 18.3, give_or_take=100)
            if self.world.chance(early):
                back = self.world.on(day, 13, give_or_take=120)
        else:
            goes = self.world.on(day, 10.5, give_or_take=90)
            back = goes + self.world.minutes(40, 420)
        self.world.at(goes, self._out_and_back, first, back)
        for car in others:  # the second car comes while the first is away, sometimes too early
            if self.world.chance(0.6):
                comes = goes + self.world.minutes(-15, 90)
                self.world.at(comes, self._visit, car, back + self.world.minutes(-60, 25))

    def _out_and_back(self, car: Car, back: datetime) -> None:
        self.leave(car)
        self.world.at(back, self.enter, car)

    def _visit(self, car: Car, until: datetime) -> None:
        if not car.inside:
            self.enter(car, lambda car, _: self.world.at(until, self.leave, car))

    def _trip(self, car: Car, comes: datetime, *, hours: float) -> None:
        lasts = timedelta(hours=hours) + self.world.minutes(-10, 20)

        def parked(car: Car, _decision: Decision | None) -> None:
            self.world.at(self.world.now + lasts, self.leave, car)

        self.world.at(comes, self.enter, car, parked)

    def _ask_to_enter(
        self, car: Car, parked: Parked | None, turned_away: Parked | None, tries: int
    ) -> None:
        if car.inside:
            return
        told = self.devices.at_gate("entry", car.plate)
        if told is None or told["action"] == "open":
            car.inside, car.stay_id = True, told["stay_id"] if told else None
            self.inside[car.plate.text] = car
            if parked:
                parked(car, told)
            return
        again = (car, parked, turned_away, tries - 1)
        if tries and told["reason"] == "no-plate":
            self.world.within(0.3, 1, self._ask_to_enter, *again)
        elif tries and told["reason"] == "already-inside":
            self.close_lost_stay(car.plate)
            self.world.within(2, 5, self._ask_to_enter, *again)
        elif tries and told["reason"] == "lot-full" and self.world.chance(0.4):
            self.world.within(10, 40, self._ask_to_enter, *again)
        elif turned_away:
            turned_away(car, told)

    def _ask_to_leave(self, car: Car, tries: int) -> None:
        if not car.inside:
            return
        told = self.devices.at_gate("exit", car.plate)
        reason = told["reason"] if told else None
        if tries and told and reason == "payment-due":
            car.stay_id = told["stay_id"]
            self._pay(car, told["stay_id"])
            dawdles = self.world.chance(0.05)
            again = self.world.minutes(20, 60) if dawdles else self.world.minutes(0.3, 4)
            self.world.at(self.world.now + again, self._ask_to_leave, car, tries - 1)
        elif tries and reason == "no-plate":
            self.world.within(0.3, 1, self._ask_to_leave, car, tries - 1)
        else:
            if told and told["action"] != "open":
                self.world.tally.answers["let out by hand"][told["reason"]] += 1
            car.inside, car.stay_id = False, None
            del self.inside[car.plate.text]

    def _pay(self, car: Car, stay_id: int) -> None:
        if car.person and self.world.chance(0.7):
            self.top_up(car.person, self.world.rng.choice((2_000, 5_000, 10_000)))
            if self.world.chance(0.5):
                return  # the gate takes it from the balance
            if not isinstance(self.pay("stay", stay_id, "balance", car.person), Problem):
                return
        payer = self.town.operator
        if self.phones is None or not self.phones.pay("stay", stay_id, payer):
            self.pay("stay", stay_id, "cash", payer)

    def pay(self, source: str, source_id: int, method: str, payer: Somebody) -> Payment | Problem:
        """Pay what is due for something."""
        return self.world.attempt(
            "pay",
            payments.pay,
            source=source,
            source_id=source_id,
            method=method,
            payer=payer,
        )

    def top_up(self, person: Somebody, fen: int) -> None:
        """Bring cash to the desk for the household's balance."""
        if person.household_id is not None:
            self.world.attempt(
                "top up",
                payments.top_up,
                household_id=person.household_id,
                amount_fen=fen,
                received_by=self.town.operator.id,
            )

    def close_lost_stay(self, plate: Plate) -> None:
        """An operator ends the stay whose exit nobody saw."""
        found = self.world.attempt("look", self._open_stays, plate.text)
        for stay_id in found if not isinstance(found, Problem) else ():
            self.close(stay_id, "补录离场")

    def close(self, stay_id: int, why: str) -> None:
        """An operator ends a stay by hand, as of now."""
        self.world.attempt(
            "close by hand",
            stays.close_by_hand,
            stay_id,
            exited_at=self.world.now,
            reason=why,
            person_id=self.town.operator.id,
            now=self.world.now,
            zone=self.world.zone,
        )

    def _open_stays(self, session: Session, plate: str) -> list[int]:
        wanted = {"plate": plate, "status": "open", "household": None, "limit": 9, "offset": 0}
        _, page = stays.stays(session, wanted, self.world.now, self.world.zone)
        return [stay["id"] for stay in page]
