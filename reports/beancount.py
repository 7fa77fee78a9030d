"""The journal as Beancount reads it (https://beancount.github.io/docs/). Pure."""

from collections.abc import Iterator, Sequence
from datetime import timedelta

from core.money import yuan
from reports.plain_text import ChartLine, Journal, JournalLine, JournalRow, cny, one_line

OPENED = "1970-01-01"
"""Accounts are open long before any entry."""


def written(journal: Journal) -> Iterator[str]:
    """The whole file in pieces, the same bytes for the same journal.

    It ends with every account's balance asserted to the fen, so `bean-check` fails on a journal
    that was cut short, altered, or differs from our trial balance.
    """
    paths = journal.paths
    yield "".join(f"; {one_line(note)}\n" for note in journal.notes)
    yield 'option "title" "Huilin"\noption "operating_currency" "CNY"\n\n'
    yield "".join(_opened(line) for line in journal.used)
    for book, day, lines in journal.carried:
        yield f'\n{day} * "期初余额 {book}"\n{_postings(lines, paths)}'
    for entry in journal.entries:
        yield _entry(entry, paths)
    yield "\n"
    after = journal.until + timedelta(days=1)
    for line in journal.used:
        yield f"{after} balance {line.path}  {yuan(journal.closing[line.code])} ~ 0 CNY\n"


def _opened(line: ChartLine) -> str:
    return f"{OPENED} open {line.path} CNY\n  name-zh: {_quoted(line.name_zh)}\n"


def _entry(entry: JournalRow, paths: dict[str, str]) -> str:
    tags = "".join(f"  {name}: {_quoted(value)}\n" for name, value in entry.tags.items())
    return f"\n{entry.posted_on} * {_quoted(entry.memo)}\n{tags}{_postings(entry.lines, paths)}"


def _postings(lines: Sequence[JournalLine], paths: dict[str, str]) -> str:
    return "".join(
        f"  {paths[line.account]}  {cny(line.amount_fen)}\n"
        + (f"    party: {_quoted(line.party)}\n" if line.party else "")
        for line in lines
    )


def _quoted(text: str) -> str:
    escaped = one_line(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
