"""What Beancount and hledger make of a journal of ours, each by its own reading."""

import csv
import io
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from beancount import loader
from beancount.core import data

HLEDGER = shutil.which("hledger")
UTF8 = os.environ | {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}


def by_beancount(path: Path) -> dict[str, int]:
    """Fen by account code, after `bean-check` found nothing to complain about."""
    check = subprocess.run(
        [str(Path(sys.executable).parent / "bean-check"), str(path)], capture_output=True, text=True
    )
    assert (check.returncode, check.stderr) == (0, "")
    entries, errors, _options = loader.load_file(str(path))
    assert errors == []
    found: dict[str, int] = {}
    for entry in entries:
        if isinstance(entry, data.Open):
            found[code_of(entry.account)] = 0
        elif isinstance(entry, data.Transaction):
            for posting in entry.postings:
                assert posting.units is not None
                assert posting.units.number is not None
                assert posting.units.currency == "CNY"
                found[code_of(posting.account)] += int(posting.units.number * 100)
    return found


def by_hledger(path: Path) -> dict[str, int]:
    """Fen by account code, as `hledger balance` sums them; it is strict."""
    if HLEDGER is None:
        pytest.skip("there is no hledger on this machine")
    said = subprocess.run(
        [HLEDGER, "-f", str(path), "--strict", "balance", "--flat", "--empty", "-N", "-O", "csv"],
        capture_output=True,
        text=True,
        env=UTF8,
    )
    assert (said.returncode, said.stderr) == (0, "")
    listed = list(csv.reader(io.StringIO(said.stdout)))[1:]
    return {code_of(name): fen_of(balance) for name, balance in listed}


def code_of(path: str) -> str:
    """The account's code in its name."""
    return path.rpartition(":")[2].partition("-")[0]


def fen_of(amount: str) -> int:
    """`-12.34 CNY` or `0` in fen."""
    whole, _, cents = amount.removesuffix(" CNY").partition(".")
    return int(whole + (cents or "00"))


def saved(path: Path, pieces: Iterable[str]) -> Path:
    """The file with what a writer wrote."""
    path.write_text("".join(pieces), encoding="utf-8")
    return path
