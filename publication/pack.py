"""The pack: a few files that anybody can read, in a ZIP whose bytes follow from them alone. Pure.

Format 1. Whoever changes what a file says makes a new format, and keeps this one for the
editions that were published in it: they are rebuilt byte for byte.
"""

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from core.money import yuan
from publication.detail import Group

FORMAT = 1
EPOCH = (1980, 1, 1, 0, 0, 0)
PLAIN_FILE = 0o100644 << 16
UNIX = 3

README = """\
公示包 Publication pack {month}, edition {edition}

figures.json, figures.csv   固定数字 the figures; fen (分), debit positive where an account is named
detail.csv                  明细 entries told in groups of {least} payers or more
journal.beancount           the same groups as a journal; `bean-check journal.beancount` adds it up
index.html                  the page to print and hang up

The figures are those of all entries up to number {last}. Nothing in this pack is rewritten: what
is found wrong later is told in a correction note beside it, and in the next edition. The heads in
figures.json are those of the hash chain of each book. A receipt's link proves that a payment is
below them; docs/check_receipt.py checks it without any code of ours.
"""


def zipped(files: Mapping[str, str]) -> bytes:
    """Files by name, stored as they are: no clock, no machine and no compressor speaks in it."""
    into = io.BytesIO()
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(files):
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr, info.create_system = PLAIN_FILE, UNIX
            archive.writestr(info, files[name].encode())
    return into.getvalue()


def readme(figures: Mapping[str, Any]) -> str:
    """What is what."""
    return README.format(
        month=figures["month"],
        edition=figures["edition"],
        last=figures["entries"]["last"],
        least=figures["detail"]["least_payers"],
    )


def as_json(figures: Mapping[str, Any]) -> str:
    """The figures for programs."""
    return json.dumps(figures, ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def figures_csv(figures: Mapping[str, Any]) -> str:
    """Every account's opening, movement and closing, for spreadsheets."""
    head = ["book", "account", "name_zh", "name_en", "type"]
    head += ["opening_fen", "moved_fen", "closing_fen", "closing_yuan"]
    return _csv(
        head,
        (
            [book["book"], *(line[name] for name in head[1:-1]), yuan(line["closing_fen"])]
            for book in figures["books"]
            for line in book["accounts"]
        ),
    )


def detail_csv(groups: Iterable[Group], names: Mapping[str, Mapping[str, str]], least: int) -> str:
    """One line for each group and account; how many payers is not told below the least."""
    head = ["book", "from", "to", "entries", "payers", "account", "name_zh", "name_en"]
    return _csv(
        [*head, "amount_fen", "amount_yuan"],
        (
            [
                *(group.book, group.since, group.until, group.entries, told(group.payers, least)),
                *(account, names[account]["name_zh"], names[account]["name_en"], fen, yuan(fen)),
            ]
            for group in groups
            for account, fen in sorted(group.amounts.items())
        ),
    )


def told(payers: int, least: int) -> str:
    """A number of payers as it may be told."""
    return str(payers) if payers >= least else f"<{least}"


def _csv(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    into = io.StringIO()
    writer = csv.writer(into, lineterminator="\r\n")
    writer.writerow(head)
    writer.writerows(rows)
    return "\ufeff" + into.getvalue()
