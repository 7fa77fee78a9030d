"""What may be told of single entries: groups in which nobody stands out. Pure.

A month's entries of a book are put together by the accounts they move, then by days in a row,
so that every group has at least so many payers. All groups are one partition of the book, and
every file of the pack is made of the same groups: no two figures subtract to less than a group.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

LEAST_PAYERS = 5
"""K: a group of fewer people might be recognised by its neighbours."""


@dataclass(frozen=True, slots=True)
class Item:
    """An entry: who paid or was paid, under whatever name, and fen by account, debit positive."""

    book: str
    day: date
    payer: str
    amounts: Mapping[str, int]

    @property
    def shape(self) -> tuple[str, ...]:
        """The accounts it moves."""
        return tuple(sorted(self.amounts))


@dataclass(slots=True)
class Group:
    """Entries told as one."""

    book: str
    since: date
    until: date
    entries: int = 0
    names: set[str] = field(default_factory=set)
    amounts: dict[str, int] = field(default_factory=dict)

    @property
    def payers(self) -> int:
        """How many different people."""
        return len(self.names)

    def take(self, item: Item) -> None:
        """Tell of this entry too."""
        self.until = item.day
        self.entries += 1
        self.names.add(item.payer)
        for account, fen in item.amounts.items():
            self.amounts[account] = self.amounts.get(account, 0) + fen

    def join(self, later: "Group") -> None:
        """Tell of a later group too."""
        self.until = later.until
        self.entries += later.entries
        self.names |= later.names
        for account, fen in later.amounts.items():
            self.amounts[account] = self.amounts.get(account, 0) + fen


def groups(items: Iterable[Item], least: int = LEAST_PAYERS) -> list[Group]:
    """The groups, by book, first day and accounts; each of `least` payers or more.

    Only where a whole book has fewer is there one group of fewer: all that it did.
    """
    books: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        books[item.book].append(item)
    found = [
        group
        for book in sorted(books)
        for kind in _kinds(books[book], least)
        for group in _in_a_row(kind, least)
    ]
    return sorted(found, key=lambda group: (group.book, group.since, sorted(group.amounts)))


def _kinds(items: list[Item], least: int) -> list[list[Item]]:
    """Entries that move the same accounts; what is rare is put together with what is not."""
    shapes: dict[tuple[str, ...], list[Item]] = defaultdict(list)
    for item in items:
        shapes[item.shape].append(item)
    by_size = sorted(shapes.values(), key=lambda kind: (_payers(kind), kind[0].shape))
    rest: list[Item] = []
    while by_size and (_payers(by_size[0]) < least or 0 < _payers(rest) < least):
        rest += by_size.pop(0)
    return [*by_size, rest] if rest else by_size


def _in_a_row(items: list[Item], least: int) -> list[Group]:
    """Whole days in a row, cut as soon as there are enough; a few left over join the last."""
    days: dict[date, list[Item]] = defaultdict(list)
    for item in items:
        days[item.day].append(item)
    found: list[Group] = []
    for day in sorted(days):
        if not found or found[-1].payers >= least:
            found.append(Group(items[0].book, day, day))
        for item in days[day]:
            found[-1].take(item)
    if len(found) > 1 and found[-1].payers < least:
        few = found.pop()
        found[-1].join(few)
    return found


def _payers(items: Iterable[Item]) -> int:
    return len({item.payer for item in items})
