"""The simulated world: its clock, its chance, what happens when, and what came of it.

Nothing here looks at the wall's clock and all chance comes from one seed, so that a seed tells
the same story every time.
"""

import traceback
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any, Concatenate, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from core import clock
from core.db import Connection, Session, atomic, swift
from core.errors import Problem
from tariffs.days import DayKind, kind_of

P = ParamSpec("P")
R = TypeVar("R")

WORKDAYS = frozenset({DayKind.WORKDAY, DayKind.MAKEUP_WORKDAY})


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that must not happen: a use case that broke, or an answer that cannot be."""

    at: datetime
    what: str
    detail: str


@dataclass(slots=True)
class Tally:
    """What happened, counted by name; a refusal is normal life, a fault is not."""

    done: Counter[str] = field(default_factory=Counter)
    refused: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    answers: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    inside: Counter[int] = field(default_factory=Counter)
    looks: Counter[int] = field(default_factory=Counter)
    faults: list[Fault] = field(default_factory=list)


class World:
    """An agenda of things to happen, played in the order of time under the set clock."""

    def __init__(self, seed: int, begins: datetime, zone: ZoneInfo) -> None:
        self.rng = Random(seed)
        self.now = begins
        self.zone = zone
        self.tally = Tally()
        self.events = 0
        self._agenda: list[tuple[datetime, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = count()

    def at(self, when: datetime, act: Callable[..., object], *args: Any) -> None:
        """Let something happen at an instant; what is past happens at once."""
        heappush(self._agenda, (max(when, self.now), next(self._number), act, args))

    def within(self, least: float, most: float, act: Callable[..., object], *args: Any) -> None:
        """Let something happen in `least` to `most` minutes from now."""
        self.at(self.now + self.minutes(least, most), act, *args)

    def play(self, until: datetime) -> None:
        """Let everything happen that is due before an instant; what breaks is noted."""
        while self._agenda and self._agenda[0][0] < until:
            self.now, _, act, args = heappop(self._agenda)
            self.events += 1
            with clock.at(self.now):
                try:
                    act(*args)
                except Exception as error:
                    self.fault(act.__name__, described(error))
        self.now = until

    def attempt(
        self,
        what: str,
        use_case: Callable[Concatenate[Session, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R | Problem:
        """Run a use case in a transaction of its own; a refusal is counted and returned."""
        return self._counted(what, lambda: atomic(use_case, *args, **kwargs))

    def swiftly(
        self,
        what: str,
        use_case: Callable[Concatenate[Connection, P], R],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> R | Problem:
        """The same for a use case of the gate or a dock."""
        return self._counted(what, lambda: swift(use_case, *args, **kwargs))

    def fault(self, what: str, detail: str) -> None:
        """Note what must not happen."""
        self.tally.faults.append(Fault(self.now, what, detail))

    def chance(self, share: float) -> bool:
        """Whether something happens that does in this share of cases."""
        return self.rng.random() < share

    def minutes(self, least: float, most: float) -> timedelta:
        """Some time between, to the second."""
        return timedelta(seconds=self.rng.randint(round(least * 60), round(most * 60)))

    def on(self, day: date, hour: float, *, give_or_take: float = 0) -> datetime:
        """An instant of a day by the wall's clock, give or take some minutes."""
        since_midnight = timedelta(hours=hour) + self.minutes(-give_or_take, give_or_take)
        return datetime.combine(day, time(0), self.zone) + since_midnight

    def today(self) -> date:
        """The date by the wall's clock."""
        return self.now.astimezone(self.zone).date()

    def _counted(self, what: str, run: Callable[[], R]) -> R | Problem:
        try:
            result = run()
        except Problem as problem:
            self.tally.refused[what][problem.code] += 1
            return problem
        self.tally.done[what] += 1
        return result


def is_workday(day: date) -> bool:
    """Whether people go to work."""
    return kind_of(day) in WORKDAYS


def round_to(instant: datetime, minutes: int = 5) -> datetime:
    """The instant on the grid people think in."""
    past = timedelta(
        minutes=instant.minute % minutes, seconds=instant.second, microseconds=instant.microsecond
    )
    return instant - past


def described(error: Exception) -> str:
    """An error in a line, with where in our own code it came up last."""
    ours = [
        f"{frame.filename.rsplit('/', 2)[-2]}/{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename
    ]
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said[:300]} ({' < '.join(reversed(ours[-4:]))})"
