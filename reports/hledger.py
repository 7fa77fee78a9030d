"""The journal as hledger reads it (https://hledger.org/hledger.html#journal). Pure."""

from collections.abc import Iterator, Sequence

from reports.plain_text import Journal, JournalLine, JournalRow, cny, one_line

WIDER = str.maketrans({";": "；", "|": "｜"})
"""In a description a semicolon begins a comment, and a bar ends the payee."""


def written(journal: Journal) -> Iterator[str]:
    """The whole file in pieces, the same bytes for the same journal.

    It ends with every account's balance asserted, so hledger refuses a journal that was cut
    short, altered, or differs from our trial balance.
    """
    paths = journal.paths
    yield "".join(f"; {one_line(note)}\n" for note in journal.notes)
    yield "commodity 1000.00 CNY\n\n"
    yield "".join(f"account {line.path}  ; {one_line(line.name_zh)}\n" for line in journal.used)
    for book, day, lines in journal.carried:
        yield f"\n{day} * 期初余额 {book}\n{_postings(lines, paths)}"
    for entry in journal.entries:
        yield _entry(entry, paths)
    for line in journal.used:
        yield f"\n{journal.until} * 期末余额核对\n"
        yield f"    {line.path}  {cny(0)} = {cny(journal.closing[line.code])}\n"


def _entry(entry: JournalRow, paths: dict[str, str]) -> str:
    tags = ", ".join(f"{name}:{value}" for name, value in entry.tags.items())
    memo = one_line(entry.memo).translate(WIDER)
    return f"\n{entry.posted_on} * {memo}  ; {tags}\n{_postings(entry.lines, paths)}"


def _postings(lines: Sequence[JournalLine], paths: dict[str, str]) -> str:
    return "".join(
        f"    {paths[line.account]}  {cny(line.amount_fen)}"
        + (f"  ; party:{one_line(line.party)}\n" if line.party else "\n")
        for line in lines
    )
