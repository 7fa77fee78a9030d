"""A period of the books as plain text shall say it: accounts, entries, balances. Pure.

Beancount and hledger both take the account names made here; an account's name follows from its
book, type, code and English name, and its code stands between the last colon and a hyphen.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from core.money import yuan

ROOTS = {
    "asset": "Assets",
    "liability": "Liabilities",
    "equity": "Equity",
    "income": "Income",
    "expense": "Expenses",
}
NO_WORD = re.compile(r"[^A-Za-z0-9]+")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")


@dataclass(frozen=True, slots=True)
class ChartLine:
    """科目, as its book's chart has it."""

    code: str
    book: str
    name_zh: str
    name_en: str
    type: str

    @property
    def path(self) -> str:
        """What plain text calls it, such as `Assets:Owners:1001-Cash-on-hand`."""
        words = (self.code, *NO_WORD.split(self.name_en.replace("'", "")))
        name = "-".join(word for word in words if word)
        return f"{ROOTS[self.type]}:{self.book.capitalize()}:{name}"


@dataclass(frozen=True, slots=True)
class JournalLine:
    """分录: debit positive, in fen."""

    account: str
    party: str | None
    amount_fen: int


@dataclass(frozen=True, slots=True)
class JournalRow:
    """凭证 with its postings; `leaf` is its hash, sealed or as it will be sealed."""

    id: int
    book: str
    posted_on: date
    occurred_on: date
    source: str
    purpose: str
    memo: str
    reverses_id: int | None
    leaf: bytes
    lines: tuple[JournalLine, ...]

    @property
    def tags(self) -> dict[str, str]:
        """What else is known of it, in words without comma or quote, for metadata."""
        said = {"entry": str(self.id), "source": self.source, "purpose": self.purpose}
        if self.occurred_on != self.posted_on:
            said["occurred-on"] = self.occurred_on.isoformat()
        if self.reverses_id is not None:
            said["reverses"] = str(self.reverses_id)
        return said | {"leaf": self.leaf.hex()}


@dataclass(frozen=True, slots=True)
class Journal:
    """The entries posted from `since` (None: the first) to `until`, both included.

    `opening` and `closing` are fen by account, debit positive, at the end of the day before
    `since` and of `until`; whoever reads the journal can hold its own sums against the latter.
    `notes` are lines for people at the top. Entries come by posting date, then number.
    """

    since: date | None
    until: date
    chart: Sequence[ChartLine]
    opening: Mapping[str, int]
    closing: Mapping[str, int]
    entries: Iterable[JournalRow]
    notes: Sequence[str] = ()

    @property
    def used(self) -> list[ChartLine]:
        """The accounts that the journal has to know."""
        return [line for line in self.chart if line.code in self.closing]

    @property
    def paths(self) -> dict[str, str]:
        """Every account's name in plain text, by its code."""
        return {line.code: line.path for line in self.chart}

    @property
    def carried(self) -> Iterator[tuple[str, date, list[JournalLine]]]:
        """Each book's opening entry, dated the day before the period; a book without is left out.

        Income and expense keep what they had, so balances are those of the trial balance.
        """
        if self.since is None:
            return
        for book in sorted({line.book for line in self.chart}):
            lines = [
                JournalLine(line.code, None, self.opening[line.code])
                for line in self.chart
                if line.book == book and self.opening.get(line.code)
            ]
            if lines:
                yield book, self.since - timedelta(days=1), lines


def one_line(text: str) -> str:
    """A text without line breaks and other control characters."""
    return UNPRINTABLE.sub(" ", text).strip()


def cny(fen: int) -> str:
    """An amount as both programs read it: `-12.34 CNY`."""
    return f"{yuan(fen)} CNY"
