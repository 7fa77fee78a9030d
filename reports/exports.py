"""A period of the books as a file, in pieces: memory does not grow with the number of entries."""

import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from sqlalchemy.orm import Session

from core.errors import Problem
from ledger.posting import rows
from reports import beancount, csv_file, hledger, journal_rows, workbook
from reports.balances import ALL
from reports.plain_text import Journal, JournalRow
from reports.report import Report, stamp
from reports.statement import statement
from reports.workbook import Moved

PIECE = 256 * 1024

MOVED = """
SELECT p.account, sum(greatest(amount_fen, 0))::bigint AS debit_fen,
    sum(greatest(-amount_fen, 0))::bigint AS credit_fen, count(*) AS postings
FROM posting AS p JOIN account ON account.code = p.account
WHERE p.posted_on <= %(until)s AND (%(since)s::date IS NULL OR p.posted_on >= %(since)s)
    AND account.book = coalesce(%(book)s, account.book)
GROUP BY p.account ORDER BY p.account
"""

FIRST_MONTH = "SELECT min(month) AS month FROM account_month"

TEXTS: dict[str, Callable[[Journal], Iterator[str]]] = {
    "csv": csv_file.written,
    "beancount": beancount.written,
    "hledger": hledger.written,
}
XLSX = "xlsx"
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "beancount": "text/plain; charset=utf-8",
    "hledger": "text/plain; charset=utf-8",
}
SUFFIXES = {"csv": "csv", "xlsx": "xlsx", "beancount": "beancount", "hledger": "journal"}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to export: a period with both its days (`since` None: from the first entry)."""

    form: str
    since: date | None
    until: date
    book: str | None = None

    @property
    def filename(self) -> str:
        """What the file is called."""
        book = f"-{self.book}" if self.book else ""
        since = self.since or "beginning"
        return f"huilin{book}-{since}-{self.until}.{SUFFIXES[self.form]}"


@dataclass(frozen=True, slots=True)
class Export:
    """A file about to be read: how many entries it will have, what it carries, its pieces."""

    wanted: Wanted
    entries: int
    report: Report
    pieces: Iterator[bytes]


def export(
    session: Session, wanted: Wanted, tell: Callable[[int], None] = lambda _count: None
) -> Export:
    """Begin an export; `tell` hears how many entries were written as the pieces are read.

    The session has to be a snapshot and to stay until then. Problem 422 for more postings than a
    sheet has rows.
    """
    period = wanted.since, wanted.until, wanted.book
    report = Report(**stamp(session, wanted.until, wanted.book, ALL))
    notes = _notes(wanted, report)
    journal = journal_rows.journal_of(session, *period, notes=notes)
    journal = replace(journal, entries=_counted(journal.entries, tell))
    if wanted.form == XLSX:
        pieces = _workbook(session, wanted, journal)
    else:
        pieces = _in_pieces(TEXTS[wanted.form](journal))
    return Export(wanted, journal_rows.count(session, *period), report, pieces)


def _notes(wanted: Wanted, report: Report) -> list[str]:
    waiting = report.unsettled
    return [
        f"汇邻账簿 Huilin, {wanted.book or 'all books'}: {wanted.since or '…'} – {wanted.until}",
        "金额单位：人民币元，借方为正。 In CNY, debit positive.",
        f"未入账业务 not settled yet: {waiting.count}, {waiting.amount_fen} fen",
        *(f"哈希链头 head of {day.book}, {day.day}: {day.head.hex()}" for day in report.heads),
    ]


def _workbook(session: Session, wanted: Wanted, journal: Journal) -> Iterator[bytes]:
    period = {"since": wanted.since, "until": wanted.until, "book": wanted.book}
    moved = [Moved(**row) for row in rows(session, MOVED, **period)]
    if sum(account.postings for account in moved) > workbook.MOST_ROWS:
        detail = "A sheet has no room for so many postings; take a shorter period, or csv."
        raise Problem(422, "too-many-postings", detail)
    first = wanted.since or rows(session, FIRST_MONTH)[0]["month"] or wanted.until
    summary = statement(session, min(first, wanted.until), wanted.until, wanted.book)

    def pieces() -> Iterator[bytes]:
        with tempfile.TemporaryDirectory(prefix="huilin-export-") as folder:
            path = Path(folder) / wanted.filename
            workbook.write(path, journal, summary, moved, journal.notes)
            with path.open("rb") as file:
                while piece := file.read(PIECE):
                    yield piece

    return pieces()


def _in_pieces(texts: Iterable[str]) -> Iterator[bytes]:
    """Pieces of some size: one for each entry would cost more than what it says."""
    waiting: list[bytes] = []
    size = 0
    for text in texts:
        waiting.append(text.encode())
        size += len(waiting[-1])
        if size >= PIECE:
            yield b"".join(waiting)
            waiting, size = [], 0
    yield b"".join(waiting)


def _counted(entries: Iterable[JournalRow], tell: Callable[[int], None]) -> Iterator[JournalRow]:
    for number, entry in enumerate(entries, start=1):
        tell(number)
        yield entry
