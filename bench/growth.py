"""How the search for a free space grows: the product's questions at 300 to 300,000 spaces."""

import json
import random
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import Connection
from psycopg.rows import tuple_row

from bench.ground import Ground, prepared, say
from bench.report import NAME, Verdict, judged
from sharing.availability import BOOKABLE
from sharing.claims import FREE, HORIZON

LOT = 300
SIZES = (300, 30_000, 300_000)
PAST = 10_000_000
BYTES_A_CLAIM, BYTES_BESIDES = 190, 1_500_000_000
"""What a past claim takes with its indexes, and everything else with the write-ahead log."""

QUESTIONS = 2000
"""The first half of them warms the caches."""

DAYS = 14
MOST_RATIO = 3.0
INDEX = "ix_space_claim_lot_during"
LIVE = {INDEX, "ex_space_claim_one_at_a_time"}
"""The GiST indexes that know live claims alone."""

NEVER = {"Seq Scan on space_claim"}

# The lots up to a size, each with a fifth of its spaces offered by owners on workdays; every other
# space has a vehicle on it, and every space a booking in the coming fortnight.
SPACES = """
SET session_replication_role = replica;
INSERT INTO lot (id, code, name, kind)
SELECT n, 'G' || n, 'G' || n, 'car' FROM generate_series({first} / {lot} + 1, {last} / {lot}) n;
INSERT INTO space (id, lot_id, code, owner_household_id, offered)
SELECT n, (n - 1) / {lot} + 1, 'G-' || n, CASE WHEN n % 5 = 0 THEN n END,
    CASE WHEN n % 5 = 0 THEN workdays.spans END
FROM generate_series({first} + 1, {last}) n, (
    SELECT range_agg(tstzrange(day + interval '30 minutes', day + interval '10 hours')) AS spans
    FROM generate_series(date_trunc('day', now()), now() + interval '60 days', '1 day') day
    WHERE extract(isodow FROM day) < 6
) workdays;
INSERT INTO space_claim (lot_id, space_id, during, stay_id)
SELECT lot_id, id, tstzrange(now() - interval '2 hours', now() + interval '10 hours'), id
FROM space WHERE id > {first} AND id % 2 = 0;
INSERT INTO space_claim (lot_id, space_id, during, booking_id)
SELECT lot_id, id, tstzrange(t.at, t.at + interval '3 hours'), {past} + id
FROM space CROSS JOIN LATERAL (
    SELECT date_trunc('day', now()) + interval '1 day' * (id * 7 % {days} + 2)
        + interval '30 minutes' * (id * 37 % 13)
) t(at)
WHERE id > {first};
"""

# A third of the past lies on the spaces of each size; it is released, as all past is.
HISTORY = """
SET session_replication_role = replica;
INSERT INTO space_claim (lot_id, space_id, during, booking_id, live)
SELECT (space - 1) / {lot} + 1, space, tstzrange(since, since + interval '3 hours'), n, false
FROM generate_series({first} + 1, {last}) n
CROSS JOIN LATERAL (SELECT n::bigint * 7919 % (ARRAY[{sizes}])[n % 3 + 1] + 1,
    now() - interval '1 day' - interval '3 years' * ({past} - n) / {past}) t(space, since)
"""

KEYS = """
SELECT format('ALTER TABLE space_claim DROP CONSTRAINT %I', conname),
    format('ALTER TABLE space_claim ADD CONSTRAINT %I %s', conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE conrelid = 'space_claim'::regclass AND contype IN ('p', 'u')
"""


@dataclass(slots=True)
class Found:
    """Everything measured: per size, the milliseconds of each question, and what plans read."""

    past: int
    free: dict[int, list[float]] = field(default_factory=dict)
    bookable: dict[int, list[float]] = field(default_factory=dict)
    plans: dict[tuple[str, int], set[str]] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)


def run(past: int) -> int:
    """Measure, print, and return the exit code: 0 when every target is met."""
    began = time.monotonic()
    with prepared() as ground:
        past = _as_much_as_fits(ground, past)
        found = Found(past)
        say(f"loading {past:,} past claims")
        _load(ground, past)
        say(f"loaded after {time.monotonic() - began:.0f} s")
        for before, size in zip((0, *SIZES), SIZES, strict=False):
            values = {"lot": LOT, "first": before, "last": size, "past": past, "days": DAYS}
            ground.run(SPACES.format(**values))
            ground.tidy("lot", "space", "space_claim")
            say(f"{size:,} spaces stand after {time.monotonic() - began:.0f} s; asking")
            _ask(ground, size, found)
        found.bytes = _bytes(ground)
    return _show(found, time.monotonic() - began)


def _as_much_as_fits(ground: Ground, past: int) -> int:
    free = shutil.disk_usage(ground.home).free
    fits = max(0, free - BYTES_BESIDES) // BYTES_A_CLAIM
    if fits < past:
        say(f"REDUCED: {free / 1e9:.1f} GB of disk are free, so {fits:,} past claims, not {past:,}")
    return min(past, fits)


def _load(ground: Ground, past: int, step: int = 1_000_000) -> None:
    """Past claims in the order of time; the keys are built once they all stand."""
    with ground.as_superuser() as connection:
        keys: list[Any] = connection.execute(KEYS).fetchall()
        for drop, _ in keys:
            connection.execute(drop)
        for first in range(0, past, step):
            sizes = ", ".join(map(str, SIZES))
            values = {"lot": LOT, "sizes": sizes, "past": past, "first": first}
            connection.execute(HISTORY.format(**values, last=min(past, first + step)))
            print(".", end="", flush=True)
        print()
        for _, add in keys:
            connection.execute(add)
        connection.execute("VACUUM (ANALYZE) space_claim")


def _ask(ground: Ground, size: int, found: Found) -> None:
    """Both questions of random lots and times, in turn, by one client that prepared them."""
    with ground.as_superuser() as connection, connection.cursor(row_factory=tuple_row) as cursor:
        free, bookable = [], []
        for number, (lot, values) in enumerate(_questions(size)):
            asked = values | {"lot": lot}
            began = time.perf_counter()
            cursor.execute(FREE, asked, binary=True).fetchall()
            between = time.perf_counter()
            assert cursor.execute(BOOKABLE, values | {"code": f"G{lot}"}).fetchone()
            ended = time.perf_counter()
            if number >= QUESTIONS // 2:
                free.append((between - began) * 1000)
                bookable.append((ended - between) * 1000)
        found.free[size], found.bookable[size] = free, bookable
        by_code = values | {"code": f"G{lot}"}
        found.plans["spaces", size] = _read_by(connection, FREE, asked)
        found.plans["bookable", size] = _read_by(connection, BOOKABLE, by_code)


def _questions(size: int) -> Iterator[tuple[int, dict[str, Any]]]:
    drawn = random.Random(size)  # noqa: S311 - a draw that must repeat itself
    now = datetime.now(UTC)
    for _ in range(QUESTIONS):
        starts_at = now + timedelta(minutes=drawn.randint(1, (DAYS - 1) * 1440))
        ends_at = starts_at + timedelta(minutes=30 * drawn.randint(2, 8))
        span = {"starts": starts_at, "since": starts_at, "ends": ends_at, "now": now}
        besides = {"horizon": HORIZON, "leaving": 0, "charging": False, "accessible": False}
        yield drawn.randint(1, size // LOT), span | besides


def _read_by(connection: Connection[Any], question: str, values: Mapping[str, Any]) -> set[str]:
    """What the plan that the server made its own reads: indexes, and tables from end to end."""
    [row] = connection.execute(f"EXPLAIN (FORMAT JSON) {question}", values, prepare=False)
    return set(_nodes(row[0] if not isinstance(row[0], str) else json.loads(row[0])))


def _nodes(plan: Any) -> Iterator[str]:
    if isinstance(plan, list):
        for one in plan:
            yield from _nodes(one)
    elif isinstance(plan, dict):
        if index := plan.get("Index Name"):
            yield str(index)
        elif plan.get("Node Type") == "Seq Scan":
            yield f"Seq Scan on {plan['Relation Name']}"
        for part in plan.values():
            yield from _nodes(part)


def _bytes(ground: Ground) -> dict[str, int]:
    with ground.as_superuser() as connection:
        rows: list[Any] = connection.execute(
            "SELECT relname, pg_relation_size(oid) FROM pg_class"
            " WHERE relname LIKE '%space_claim%' AND relkind IN ('r', 'i')"
        ).fetchall()
    return dict(rows)


def _show(found: Found, seconds: float) -> int:
    print(f"\nA free space for a time, behind {found.past:,} past claims, medians of one client\n")
    print(" " * NAME + "".join(f"{f'{size:,}':>12}" for size in SIZES) + f"{'last/first':>12}")
    ways = {"spaces to choose from, ms": found.free, "how many are bookable, ms": found.bookable}
    growths = []
    for name, each in ways.items():
        medians = [statistics.median(each[size]) for size in SIZES]
        growths.append(medians[-1] / medians[0])
        print(f"{name:{NAME}}" + "".join(f"{m:12.2f}" for m in medians) + f"{growths[-1]:10.2f} x")
    for (question, size), read in sorted(found.plans.items(), reverse=True):
        print(f"{f'{question} at {size:,} reads':{NAME}} {', '.join(sorted(read))}")
    table, index = found.bytes["space_claim"], found.bytes[INDEX]
    whole = sum(found.bytes.values())
    print(
        f"space_claim {table / 1e6:,.0f} MB, {INDEX} {index / 1e6:,.0f} MB, with all its indexes "
        f"{whole / 1e6:,.0f} MB; {seconds:.0f} s in all\n"
    )
    return judged(_verdicts(found, max(growths)))


def _verdicts(found: Found, growth: float) -> list[Verdict]:
    plans = found.plans.values()
    indexed = all(LIVE & read for read in plans)
    whole = any(NEVER & read for read in plans)
    return [
        ("300,000 at most 3 x 300", f"{growth:.2f} x", growth <= MOST_RATIO),
        ("every plan uses a live GiST index", "yes" if indexed else "no", indexed),
        ("no plan reads all claims", "no" if whole else "yes", not whole),
    ]
