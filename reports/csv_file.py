"""The postings of a period for a spreadsheet: in yuan for people and in fen for programs. Pure."""

import csv
import io
from collections.abc import Iterator

from core.money import yuan
from core.spreadsheet import BOM, harmless
from reports.plain_text import Journal, JournalRow

HEADERS = (
    "凭证号",
    "账簿",
    "记账日期",
    "业务日期",
    "来源",
    "用途",
    "摘要",
    "科目代码",
    "科目名称",
    "往来",
    "借方(元)",
    "贷方(元)",
    "借方(分)",
    "贷方(分)",
    "冲销凭证",
    "凭证哈希",
)


def written(journal: Journal) -> Iterator[str]:
    """The file in pieces, one posting a line; a text is never a formula.

    The hash of each entry is its leaf, which proves it against the head of its book's chain.
    """
    names = {line.code: line.name_zh for line in journal.chart}
    file = io.StringIO()
    table = csv.writer(file)
    file.write(BOM)
    table.writerow(HEADERS)
    for entry in journal.entries:
        table.writerows(cells(entry, names))
        yield _taken(file)
    yield _taken(file)


def cells(entry: JournalRow, names: dict[str, str]) -> Iterator[tuple[object, ...]]:
    """The lines of an entry."""
    head = (
        entry.id,
        entry.book,
        entry.posted_on.isoformat(),
        entry.occurred_on.isoformat(),
        harmless(entry.source),
        harmless(entry.purpose),
        harmless(entry.memo),
    )
    for line in entry.lines:
        debit, credit = max(line.amount_fen, 0), max(-line.amount_fen, 0)
        yield (
            *head,
            line.account,
            harmless(names[line.account]),
            harmless(line.party),
            yuan(debit),
            yuan(credit),
            debit,
            credit,
            "" if entry.reverses_id is None else entry.reverses_id,
            entry.leaf.hex(),
        )


def _taken(file: io.StringIO) -> str:
    """What was written since the last time."""
    said = file.getvalue()
    file.seek(0)
    file.truncate()
    return said
