"""`huilin export`: a period of the books into a file, with a line of progress."""

import sys
from contextlib import suppress
from datetime import datetime
from pathlib import Path

import click
from flask.cli import with_appcontext

from core import clock
from core.app import settings
from core.console import complain
from core.db import snapshot
from core.errors import Problem
from reports.exports import MEDIA_TYPES, Wanted, export

DAY = click.DateTime(["%Y-%m-%d"])
EVERY = 1_000


@click.command("export")
@click.option("--from", "since", type=DAY, help="The first day; else from the first entry on.")
@click.option("--to", "until", type=DAY, help="The last day; else today.")
@click.option("--format", "form", type=click.Choice(sorted(MEDIA_TYPES)), required=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--book", type=click.Choice(["owners", "fund", "provider"]), help="Else all books.")
@with_appcontext
def command(
    since: datetime | None, until: datetime | None, form: str, out: Path, book: str | None
) -> None:
    """Write the books of a period as csv, xlsx, beancount or hledger."""
    last = until.date() if until else clock.now().astimezone(settings().zone).date()
    first = since.date() if since else None
    if first and first > last:
        complain("--to lies before --from")
        sys.exit(2)
    try:
        _write(Wanted(form, first, last, book), out)
    except Problem as problem:
        complain(problem.detail)
        sys.exit(1)


def _write(wanted: Wanted, out: Path) -> None:
    """Beside its place first: what stands at `out` is always whole."""
    unfinished = out.with_name(f".{out.name}.part")
    with snapshot() as session:
        progress = _Progress()
        begun = export(session, wanted, progress.tell)
        progress.total = begun.entries
        try:
            with unfinished.open("wb") as file:
                file.writelines(begun.pieces)
            unfinished.replace(out)
        finally:
            unfinished.unlink(missing_ok=True)
        progress.end()


class _Progress:
    """One line on standard error, written over as it goes."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0

    def tell(self, done: int) -> None:
        """So many entries were written."""
        self.done = done
        if done % EVERY == 0:
            self._say("\r")

    def end(self) -> None:
        """The file is whole."""
        self._say("\r", "\n")

    def _say(self, before: str, after: str = "") -> None:
        share = self.done * 100 // self.total if self.total else 100
        with suppress(OSError):
            sys.stderr.write(
                f"{before}huilin: {self.done} of {self.total} entries, {share} %{after}"
            )
            sys.stderr.flush()
