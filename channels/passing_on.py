"""Which days of a provider's bill a transfer to our bank account pays for. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

LATEST = timedelta(days=5)
"""Providers pay the next banking day; a day unpaid for longer, over a holiday or not, is asked."""


@dataclass(frozen=True, slots=True)
class Transfer:
    """Money of one provider that reached the bank."""

    id: str
    on: date
    fen: int


@dataclass(frozen=True, slots=True)
class PassedOn:
    """Transfer → the days it paid; days and transfers that found no match."""

    days: Mapping[str, tuple[date, ...]] = field(default_factory=dict)
    unpaid: tuple[date, ...] = ()
    unexplained: tuple[str, ...] = ()


def passed_on(nets: Mapping[date, int], transfers: Sequence[Transfer]) -> PassedOn:
    """Lay transfers beside the net of days (payments - refunds - fees), oldest first.

    A transfer pays one day, or several on end (a weekend), each at most once and none that lies
    after it. A day that came to nothing needs no transfer.
    """
    left = {day: net for day, net in sorted(nets.items()) if net}
    paid: dict[str, tuple[date, ...]] = {}
    unexplained = []
    for transfer in sorted(transfers, key=lambda t: (t.on, t.id)):
        days = _run_of(left, transfer)
        if days:
            paid[transfer.id] = days
        else:
            unexplained.append(transfer.id)
        for day in days:
            del left[day]
    return PassedOn(paid, tuple(left), tuple(unexplained))


def overdue(unpaid: Sequence[date], known_until: date) -> list[date]:
    """Days whose transfer should be on statements that reach to `known_until`."""
    return [day for day in unpaid if day + LATEST <= known_until]


def _run_of(left: Mapping[date, int], transfer: Transfer) -> tuple[date, ...]:
    days = [day for day in left if day <= transfer.on]
    for start in range(len(days)):
        total = 0
        for end in range(start, len(days)):
            total += left[days[end]]
            if total == transfer.fen:
                return tuple(days[start : end + 1])
    return ()
