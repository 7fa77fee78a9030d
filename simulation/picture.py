"""What came of it, for people: bars and short tables."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.orm import Session

from core.console import write
from core.db import atomic, driver
from core.money import yuan
from simulation.invariants import Proven
from simulation.month import Figures
from simulation.play import Played

WIDTH = 40
MOST_FAULTS = 12

OUTCOMES = "SELECT kind || ' ' || status, count(*) FROM booking GROUP BY 1"
INCOMES = """
SELECT part.income, sum(part.fen)::bigint FROM charge c CROSS JOIN LATERAL (
    SELECT key AS income, value::bigint AS fen FROM jsonb_each_text(c.parts)
    UNION ALL SELECT c.income, c.amount_fen WHERE c.parts IS NULL
) part GROUP BY 1
"""
EXCEPTIONS = "SELECT reason, count(*) FROM exception_case GROUP BY 1"
STAYS = "SELECT status || ' ' || \"right\", count(*) FROM stay GROUP BY 1"
NOTICES = "SELECT kind, count(*) FROM notice GROUP BY 1"


def show(played: Played, proven: Iterable[Proven]) -> None:
    """Print all there is to see, the proof last."""
    tally = played.world.tally
    _occupancy(tally.inside, tally.looks)
    for name, sql in (("bookings", OUTCOMES), ("stays", STAYS)):
        _bars(name, _counted(sql))
    for lane in sorted(tally.answers):
        _bars(f"answers: {lane}", tally.answers[lane])
    _bars("use cases", tally.done)
    refused = {f"{what}: {code}": n for what, by in tally.refused.items() for code, n in by.items()}
    _bars("refused", refused)
    _bars("guests", played.guests.plans)
    _bars("households were told", _counted(NOTICES))
    _bars("exceptions", _counted(EXCEPTIONS))
    _bars("income in yuan", _counted(INCOMES), money=True)
    _faults(played)
    _proof(proven)


def show_month(figures: Figures) -> None:
    """Print what finance made of a month, what is wrong last."""
    _bars("balances in yuan, debit positive", figures.balances, money=True)
    fund, year = figures.fund, figures.fund["year"]
    for side in ("income", "expense"):
        by_name = {row["name"]: row["amount_fen"] for row in fund[side]}
        _bars(f"the fund's {side} in yuan", by_name, money=True)
    reached = f"{year['reached_permille'] / 10} % of the year's target"
    _lines("the fund now", [f"balance {yuan(fund['balance_fen'])}, {reached}"])
    _lines("differences found", map(str, figures.differences))
    _lines("refused", figures.refusals)
    _lines("pack", [figures.pack_sha256])
    _lines("corrected", [figures.correction["reason"]])
    _lines("receipt", [figures.receipt])
    _lines("read by others", figures.readers)
    _lines("files", (f"{name} {size} bytes" for name, size in figures.files.items()))
    _lines("proof", (f"{'✓' if c['ok'] else '✗'} {name}" for name, c in figures.checks.items()))
    _lines("WRONG", figures.wrong)


def _lines(name: str, lines: Iterable[str]) -> None:
    said = list(lines)
    if said:
        write(f"\n  {name}")
    for line in said:
        write(f"    {line}")


def _occupancy(inside: Mapping[int, int], looks: Mapping[int, int]) -> None:
    write("\n  cars inside, on average, by hour")
    average = {hour: inside[hour] / looks[hour] for hour in sorted(looks)}
    most = max(average.values(), default=0) or 1
    for hour, cars in average.items():
        write(f"    {hour:02d}:00 {cars:6.0f} {'█' * round(WIDTH * cars / most)}")


def _bars(name: str, counts: Mapping[str, int], *, money: bool = False) -> None:
    if not counts:
        return
    write(f"\n  {name}")
    most = max(counts.values()) or 1
    widest = max(map(len, counts))
    for what, n in sorted(counts.items(), key=lambda one: (-one[1], one[0])):
        shown = yuan(n) if money else str(n)
        write(f"    {what:{widest}} {shown:>9} {'█' * max(1, round(WIDTH * n / most))}")


def _faults(played: Played) -> None:
    faults = played.world.tally.faults
    if not faults:
        return
    write(f"\n  FAULTS: {len(faults)}")
    for (what, kind), n in Counter((f.what, f.detail.split(":")[0]) for f in faults).most_common():
        write(f"    {n:6d} {what} {kind}")
    for fault in faults[:MOST_FAULTS]:
        at = fault.at.astimezone(played.world.zone)
        write(f"    {at:%m-%d %H:%M:%S} {fault.what}: {fault.detail}")


def _proof(proven: Iterable[Proven]) -> None:
    write("\n  proof")
    for one in proven:
        mark = "✗" if one.broken else "✓"
        looked = "" if one.looked is None else f"{one.looked} looked at, {one.broken} broken"
        said = "; ".join(filter(None, (looked, one.detail)))
        write(f"    {mark} {one.name:42} {said}")
    write("")


def _counted(sql: str) -> dict[str, int]:
    return atomic(_ask, sql)


def _ask(session: Session, sql: str) -> dict[str, Any]:
    return dict(driver(session).execute(sql).fetchall())
