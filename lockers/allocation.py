"""Which compartment a parcel gets: the smallest that fits, a low door on request. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass

SIZES = ("S", "M", "L")
LARGEST = SIZES[-1]


@dataclass(frozen=True, slots=True)
class Free:
    """Free compartments of one size and height: how many, and the first of them."""

    size: str
    low: bool
    count: int
    number: int


def choose(free: Iterable[Free], size: str, *, low: bool, keep_large: int) -> int | None:
    """The number of the compartment for a parcel of this size; None when nothing fits.

    A low door, when asked for, matters more than a small one; nobody else is given a low door
    while a high one of that size is left. The last `keep_large` large compartments are kept
    for large parcels.
    """
    free = list(free)
    large = sum(kind.count for kind in free if kind.size == LARGEST)
    fits = [
        kind
        for kind in free
        if _rank(kind) >= SIZES.index(size)
        and (kind.size != LARGEST or size == LARGEST or large > keep_large)
    ]
    if low:
        best = min(fits, key=lambda kind: (not kind.low, _rank(kind)), default=None)
    else:
        best = min(fits, key=lambda kind: (_rank(kind), kind.low), default=None)
    return best.number if best else None


def _rank(kind: Free) -> int:
    return SIZES.index(kind.size)
