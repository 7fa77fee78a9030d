"""Settlement beside a raw COPY of the very rows it makes, and beside django-hordak's bulk way."""

import gc
import multiprocessing
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import text
from sqlalchemy.orm import Session

from bench.ground import Ground, app_on, prepared, quiet_app, say
from bench.hordak import Hordak
from bench.report import Verdict, judged, paired
from bench.verifying import BEGAN, DAYS, open_books
from core import clock
from core.db import atomic
from ledger import settlement

CHARGES = 30_000
ENTRIES_PER_COMMIT = 10_000
OF_A_CHARGE = 3
SETTLERS = 2
"""As many as `make run` starts workers. A COPY keeps two processors busy as well: one process
writes the rows down, another stores them."""

RAW_SHARE, TIMES_HORDAK = 0.50, 2.5

# Fees as they come: a few hundred different ones, of households, for four incomes.
FEES = """
INSERT INTO charge (kind, source, source_id, income, household_id, amount_fen, occurred_at,
    recorded_at, lines)
SELECT 'fee', 'visit', n, (ARRAY['parking', 'overstay', 'ebike', 'locker'])[n % 4 + 1],
    n % 200 + 1, 100 + n % 300 * 50, at, at, '[]'
FROM generate_series(CAST(:first AS int), CAST(:last AS int)) AS n
CROSS JOIN LATERAL (
    SELECT CAST(:began AS timestamptz) + interval '1 day' * (n % CAST(:days AS int))
) AS t (at)
ORDER BY n
"""

BARE = """
CREATE TABLE raw_entry (LIKE journal_entry, PRIMARY KEY (id));
CREATE TABLE raw_posting (LIKE posting, PRIMARY KEY (entry_id, line));
GRANT ALL ON raw_entry, raw_posting TO PUBLIC
"""


def run(charges: int, rounds: int) -> int:
    """The three ways in turn; 0 when both targets are met."""
    with prepared() as ground, app_on(ground.url), settlers(ground) as pool:
        atomic(open_books)
        ground.run(BARE)
        hordak = Hordak(ground)
        there = hordak.install()
        rates: dict[str, list[float]] = {}
        for number in range(rounds):
            measured = _round(ground, pool, hordak if there else None, number, charges)
            for way, seconds in measured.items():
                rates.setdefault(way, []).append(charges / seconds)
            say("  ".join(f"{way} {each[-1]:,.0f}/s" for way, each in rates.items()))
        return _told(rates)


def _round(
    ground: Ground, pool: ProcessPoolExecutor, hordak: Hordak | None, number: int, charges: int
) -> dict[str, float]:
    """Seconds of each way for the same charges; one settler settles the other half's like."""
    seconds = {}
    for way, count in (("one settler", 1), ("settlers", SETTLERS)):
        first = (2 * number + count) * charges + 1
        atomic(raise_fees, first, first + charges - 1)
        ground.tidy()
        last = ground.ask("SELECT coalesce(max(id), 0) FROM journal_entry")[0]
        seconds[way] = settle(pool, count)
        _check(ground, last, charges)
    entries, postings = _made(ground, last)
    ground.run("TRUNCATE raw_entry, raw_posting", "CHECKPOINT")
    seconds["raw COPY"] = _copied(ground, entries, postings)
    if hordak:
        ground.run("CHECKPOINT")
        seconds["hordak"] = hordak.seconds((row[0], row[2], row[4]) for row in postings)
    return seconds


def _told(rates: dict[str, list[float]]) -> int:
    for way, each in rates.items():
        say(f"{way:20}{statistics.median(each):12,.0f} charges/s, median of {len(each)}")
    share = paired(rates["settlers"], rates["raw COPY"])
    verdicts: list[Verdict] = [
        (f"settlement ≥ {RAW_SHARE:.0%} of raw COPY", f"{share:.0%}", share >= RAW_SHARE)
    ]
    if "hordak" in rates:
        times = paired(rates["one settler"], rates["hordak"])
        verdicts.append(
            (f"one settler ≥ {TIMES_HORDAK} × hordak", f"{times:.1f} ×", times >= TIMES_HORDAK)
        )
    return judged(verdicts)


def raise_fees(session: Session, first: int, last: int) -> None:
    values = {"first": first, "last": last, "began": BEGAN, "days": DAYS}
    session.execute(text(FEES), values)


def _check(ground: Ground, last: int, charges: int) -> None:
    """Every charge is in the books of all three, and none waits."""
    counts = ground.ask(
        f"SELECT count(*), (SELECT count(*) FROM charge WHERE settled_at IS NULL)"
        f" FROM journal_entry WHERE id > {last}"
    )
    assert counts == (OF_A_CHARGE * charges, 0), counts


def _made(ground: Ground, last: int) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    with ground.as_superuser() as connection:
        entries = connection.execute(
            "SELECT * FROM journal_entry WHERE id > %s ORDER BY id", [last]
        ).fetchall()
        postings = connection.execute(
            "SELECT * FROM posting WHERE entry_id > %s ORDER BY entry_id, line", [last]
        ).fetchall()
    return entries, postings


def _copied(ground: Ground, entries: Sequence[Any], postings: Sequence[Any]) -> float:
    """Seconds to copy rows into tables with nothing but a primary key, row by row."""
    commits, place = [], 0
    for start in range(0, len(entries), ENTRIES_PER_COMMIT):
        some = entries[start : start + ENTRIES_PER_COMMIT]
        end = next(
            (at for at in range(place, len(postings)) if postings[at][0] > some[-1][0]),
            len(postings),
        )
        commits.append((some, postings[place:end]))
        place = end
    with ground.as_superuser() as connection:
        connection.autocommit = False
        gc.collect()
        began = time.perf_counter()
        for some, theirs in commits:
            for table, lines in (("raw_entry", some), ("raw_posting", theirs)):
                with connection.cursor().copy(f"COPY {table} FROM STDIN") as copy:
                    for line in lines:
                        copy.write_row(line)
            connection.commit()
        return time.perf_counter() - began


@contextmanager
def settlers(ground: Ground) -> Iterator[ProcessPoolExecutor]:
    """Processes that have the app, as workers have."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(SETTLERS, fresh, _begin, (ground.url,)) as pool:
        yield pool


def settle(pool: ProcessPoolExecutor, count: int) -> float:
    """Seconds until so many settlers, at once, leave nothing to settle."""
    list(pool.map(time.sleep, [0.2] * SETTLERS))  # all of them are there
    began = time.perf_counter()
    list(pool.map(_settle_all, range(count)))
    return time.perf_counter() - began


_app: Flask


def _begin(database_url: str) -> None:
    global _app
    _app = quiet_app(database_url)
    gc.collect()
    gc.freeze()


def _settle_all(_number: int) -> int:
    done = 0
    with _app.app_context(), clock.at(BEGAN + timedelta(days=DAYS)):
        while handled := atomic(settlement.settle_batch, ENTRIES_PER_COMMIT // OF_A_CHARGE):
            done += handled
    return done
