"""The price rules of one tariff version, as stored: what each field means. Pure.

Amounts are fen, lengths minutes, clock times the lot's wall clock as "HH:MM" ("24:00" ends a
day). `dataclasses.asdict` gives back the stored JSON. Every field added after the first nine has
a neutral default, so that the oldest stored rules stay rules for ever.
"""

from dataclasses import dataclass
from enum import StrEnum

from tariffs.days import DayKind


class TariffError(ValueError):
    """Rules that cannot be a tariff; `errors` maps each bad field (`table.2.fen`) to messages."""

    def __init__(self, errors: dict[str, list[str]]) -> None:
        super().__init__("; ".join(f"{field}: {' '.join(errors[field])}" for field in errors))
        self.errors = errors


class CapPer(StrEnum):
    """The window a cap counts over."""

    CALENDAR_DAY = "calendar_day"
    ROLLING_24H = "24h"


class AcrossBorder(StrEnum):
    """What happens to a unit that reaches over the border of a segment.

    BY_START: it goes on, priced by where it started, and the next starts where it ends.
    NEW_UNIT: it ends at the border, counted whole, and a new unit begins there.
    """

    BY_START = "by_start"
    NEW_UNIT = "new_unit"


class Regime(StrEnum):
    """Who sets the price: over its ceiling the first is refused, the second shown."""

    GOVERNMENT = "government"
    MARKET = "market"


@dataclass(frozen=True, slots=True)
class TableRow:
    """Begun time from `from_minutes` to `to_minutes` (None: without end) costs `fen` per unit.

    Without `unit_minutes` the row is one unit. Rows add up: what a long stay costs is the sum.
    """

    from_minutes: int
    to_minutes: int | None
    fen: int
    unit_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Segment:
    """Prices of their own between two clock times on some kinds of days (none named: all).

    `ends` at or before `begins` is the next day's; the kind is that of the day it begins in.
    `cap_fen` limits one occurrence. Each occurrence has a first period of its own.
    """

    name: str
    begins: str
    ends: str
    first_minutes: int
    first_fen: int
    unit_minutes: int
    unit_fen: int
    cap_fen: int | None = None
    days: tuple[DayKind, ...] = ()


@dataclass(frozen=True, slots=True)
class ClassPrice:
    """A class of vehicles pays this percentage of the whole fee, caps included."""

    vehicle_class: str
    percent: int


@dataclass(frozen=True, slots=True)
class NewEnergy:
    """What a new-energy vehicle is spared, by the instant at which a period starts.

    Periods that start in its first `free_minutes` are free, from there to `until_minutes` they
    cost `percent`; those that start between two clock times are free.
    """

    free_minutes: int = 0
    percent: int = 100
    until_minutes: int = 0
    free_from: str | None = None
    free_to: str | None = None


@dataclass(frozen=True, slots=True)
class Overstay:
    """Time beyond a booking costs `percent` of the normal price, `cap_fen` at most."""

    percent: int
    cap_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most a class of vehicles may be asked by law, where a limit is given.

    `hour_fen` for any hour, `day_fen` for a calendar day, `rolling_24h_fen` for 24 hours from entry
    and for each 24 hours after.
    """

    vehicle_class: str
    regime: Regime
    hour_fen: int | None = None
    day_fen: int | None = None
    rolling_24h_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Energy:
    """Charging an e-bike: electricity and service are priced apart (发改办价格〔2024〕537号)."""

    electricity_fen_per_kwh: int
    service_fen_per_kwh: int
    longest_minutes: int


@dataclass(frozen=True, slots=True)
class Rules:
    """Validated price rules.

    A stay costs a first period and then units, each begun one whole; or, instead, the rows of
    `table`, which begin anew after `table_repeats_minutes`. Where no segment is, these prices
    are the fallback; `first_once` leaves out the first period when they come again.

    Free minutes not `free_deducted` are charged once exceeded. `free_each_day` grants them to
    each calendar day's part of a stay; who comes back within `free_again_after_minutes` of
    leaving gets none at first (0: always). A calendar day begins at `day_begins_hour`.

    `caps_fen` are the caps of the first, second, … window (the last repeats), instead of the
    one `cap_fen`. The fee stands still for `leave_within_minutes` after it was paid.
    """

    free_minutes: int
    free_deducted: bool
    first_minutes: int
    first_fen: int
    unit_minutes: int
    unit_fen: int
    cap_fen: int | None
    cap_per: CapPer
    leave_within_minutes: int
    free_each_day: bool = False
    free_again_after_minutes: int = 0
    day_begins_hour: int = 0
    caps_fen: tuple[int, ...] = ()
    first_once: bool = False
    table: tuple[TableRow, ...] = ()
    table_repeats_minutes: int | None = None
    segments: tuple[Segment, ...] = ()
    across_border: AcrossBorder = AcrossBorder.BY_START
    classes: tuple[ClassPrice, ...] = ()
    new_energy: NewEnergy | None = None
    overstay: Overstay | None = None
    ceilings: tuple[Ceiling, ...] = ()
    energy: Energy | None = None


def minute_of(clock: str) -> int:
    """Minutes since midnight of "HH:MM"."""
    return int(clock[:2]) * 60 + int(clock[3:])
