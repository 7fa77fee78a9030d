"""Cameras and the dock: what they see, what they miss, and what they say late, twice or mixed up.

A vehicle that is told `hold` stands there; one that no working device saw is let through by hand.
"""

from datetime import datetime, timedelta
from typing import Any, Literal

from core.errors import Problem
from devices.events import Event, Receipt
from ebikes import docks
from parking import access
from parking.plates import Plate
from simulation.town import Town
from simulation.world import World

Lane = Literal["entry", "exit"]
Decision = dict[str, Any]

UNREAD, MISREAD, COLOR_UNSURE, UNSEEN = 0.004, 0.003, 0.01, 0.002
SAID_TWICE = 0.02
FLAGGED = 0.8
"""Shares of what cameras get wrong, say twice, and flag as replayed when they say it late."""


class Devices:
    """The two cameras and the dock of the community."""

    def __init__(self, world: World, town: Town) -> None:
        self.world = world
        self.town = town
        self._said = 0
        self._away: dict[str, list[Event]] = {}
        self._about: dict[str, tuple[Plate | None, str | None]] = {}

    def lose_network(self, device: str, minutes: float) -> None:
        """A device is cut off; what it sees meanwhile is told afterwards, in any order."""
        if device not in self._away:
            self._away[device] = []
            self.world.within(minutes, minutes, self._back, device)

    def at_gate(self, lane: Lane, plate: Plate) -> Decision | None:
        """What the gate tells a car; None when a guard has to open by hand."""
        rng, seen = self.world.rng, plate
        if self.world.chance(UNSEEN):
            self.world.tally.answers[lane]["(not seen)"] += 1
            return None
        if self.world.chance(MISREAD):
            last = str((int(seen.text[-1]) + rng.randint(1, 9)) % 10)
            seen = Plate(seen.text[:-1] + last, seen.color)
        elif seen.color != "green" and self.world.chance(COLOR_UNSURE):
            seen = Plate(seen.text, "unknown")
        read = None if self.world.chance(UNREAD) else seen
        data = {
            "plate": read.text if read else "_无_",
            "plate_color": seen.color,
            "confidence": round(rng.uniform(0.8, 1), 2),
        }
        return self._say(lane, "gate.request", data, read, None)

    def at_dock(self, what: str, spot: str, bike: Plate) -> Decision | None:
        """What the dock tells an e-bike that comes or leaves; None when nobody answers."""
        name = "tag" if bike.color == "tag" else "plate"
        return self._say("dock", f"dock.{what}", {"spot": spot, name: bike.text}, bike, spot)

    def measured(self, spot: str, energy_wh: int, seconds: int) -> None:
        """The charger of a spot says what it gave."""
        data = {"spot": spot, "energy_wh": energy_wh, "seconds": seconds, "stop_reason": "full"}
        self._say("dock", "dock.charging_ended", data, None, spot)

    def _say(
        self, device: str, type_: str, data: dict[str, Any], plate: Plate | None, spot: str | None
    ) -> Decision | None:
        self._said += 1
        key = f"{device}-{self._said}"
        event = Event(key, type_, self.world.now, self.world.now, data, b"{}")
        self._about[key] = plate, spot
        if device in self._away:
            self._away[device].append(event)
            self.world.tally.answers[device]["(cut off)"] += 1
            return None
        receipt = self._deliver(device, event)
        if receipt is None:
            return None
        if self.world.chance(SAID_TWICE):
            soon = self.world.chance(0.5)
            again = self.world.minutes(0.03, 0.15) if soon else self.world.minutes(0.2, 5)
            self.world.at(self.world.now + again, self._repeat, device, event, receipt)
        else:
            del self._about[key]
        return receipt.decision

    def _back(self, device: str) -> None:
        """The network is there again: what was seen is told within minutes, not in order."""
        waiting = self._away.pop(device)
        flagged = self.world.chance(FLAGGED)
        self.world.rng.shuffle(waiting)
        for event in waiting:
            self.world.within(0.02, 4, self._late, device, event, flagged)

    def _late(self, device: str, event: Event, flagged: bool) -> None:
        late = _heard(event, self.world.now, replayed=flagged)
        receipt = self._deliver(device, late)
        decision = receipt and receipt.decision
        if decision and late.history and decision["action"] == "open":
            self.world.fault("late event", f"{event.key} opened: {decision['reason']}")
        self._about.pop(event.key, None)

    def _repeat(self, device: str, event: Event, first: Receipt) -> None:
        receipt = self._deliver(device, _heard(event, self.world.now, replayed=False))
        self._about.pop(event.key, None)
        if receipt is None:
            return
        if not receipt.duplicate:
            self.world.fault("repeat", f"{event.key} was taken twice")
        fresh = receipt.decision == first.decision
        if self.world.now - event.recorded_at <= timedelta(seconds=10) and not fresh:
            self.world.fault("repeat", f"{event.key}: {first.decision} became {receipt.decision}")

    def _deliver(self, device: str, event: Event) -> Receipt | None:
        plate, spot = self._about[event.key]
        common: dict[str, Any] = {
            "token_digest": self.town.tokens[device],
            "zone": self.world.zone,
        }
        if event.type == "gate.request":
            told = self.world.swiftly("gate", access.answer, event, plate=plate, **common)
        elif event.type == "dock.charging_ended":
            told = self.world.swiftly("reading", docks.charged, event, **common | {"spot": spot})
        else:
            about = {"spot": spot, "plate": plate} | common
            told = self.world.swiftly("dock", docks.answer, event, **about)
        if isinstance(told, Problem):
            self.world.fault(event.type, f"{event.key} refused: {told}")
            return None
        if told.decision:
            name = event.type.removeprefix("dock.") if spot else device
            self.world.tally.answers[name][told.decision["reason"]] += 1
        return told


def _heard(event: Event, now: datetime, *, replayed: bool) -> Event:
    """The same event, heard later."""
    return Event(
        event.key, event.type, event.occurred_at, now, event.data, event.raw, replayed=replayed
    )
