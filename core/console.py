"""What `huilin run` says to the person who started it."""

import sys
from collections.abc import Iterable
from contextlib import suppress


def say(text: str) -> None:
    """One line of progress for the person at the terminal."""
    write(f"huilin: {text}")


def show(name: str, lines: Iterable[str]) -> None:
    """The end of a child's log."""
    for line in lines:
        write(f"    {name} | {line}")


def write(line: str) -> None:
    """A line on standard output, even if nobody reads it any more."""
    with suppress(OSError):
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


def complain(text: str) -> None:
    """The one line that says why it does not work."""
    with suppress(OSError):
        sys.stderr.write(f"huilin: {text}\n")
        sys.stderr.flush()
