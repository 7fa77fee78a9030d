"""Trial balance and month statement from rollups, beside SQL over the postings and text tools."""

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TypeVar

from sqlalchemy import create_engine

from bench import year
from bench.ground import Ground, app_on, prepared, say
from bench.load import Run, drive, get
from bench.report import Verdict, judged, paired
from bench.servers import Served, product
from core.app import settings
from core.db import Session, atomic, db, snapshot
from identity import people, sessions
from identity.models import FINANCE
from ledger.posting import rows
from reports.balances import balances, by_month
from reports.exports import Wanted, export

POSTINGS = 1_000_000
TIMES_MORE = 10
FIRST, LAST = date(year.YEAR, 1, 1), date(year.YEAR, 12, 31)
MOST_OF_SQL, MOST_OF_SQL_BY_HTTP, MOST_GROWTH = 1 / 30, 1 / 8, 1.3
OFTEN, ASKED, FEW = 200, 40, 3
"""Times that a report is asked for in a round: from rollups, over HTTP, of the postings."""

PASSWORD = "reads the books"  # noqa: S105 - of a database that lives for minutes

TRIAL_BALANCE = """
SELECT account, sum(amount_fen) AS fen FROM posting WHERE posted_on <= %(until)s GROUP BY account
"""
STATEMENT = """
SELECT p.account, date_trunc('month', posted_on::timestamp)::date AS month, sum(amount_fen) AS fen
FROM posting AS p JOIN account ON code = p.account
WHERE type IN ('income', 'expense') AND posted_on BETWEEN %(since)s AND %(until)s GROUP BY 1, 2
"""
BY_BEANCOUNT = """
import sys
from beancount import loader
from beancount.core import data
entries, errors, _ = loader.load_file(sys.argv[1])
assert not errors, errors[0]
sums = {}
for entry in data.filter_txns(entries):
    for posting in entry.postings:
        sums[posting.account] = sums.get(posting.account, 0) + posting.units.number
print(len(sums))
"""

PAGES = {
    "trial balance": f"/api/v1/ledger/trial-balance?as_of={LAST}",
    "statement": f"/api/v1/ledger/statement?from={FIRST}&to={LAST}&by=month",
}


@dataclass(slots=True)
class Ways:
    """Milliseconds of a report by each way, round by round."""

    sql: list[float] = field(default_factory=list)
    rollups: list[float] = field(default_factory=list)
    http: list[float] = field(default_factory=list)


Found = dict[str, Ways]
R = TypeVar("R")


def run(rounds: int, postings: int = POSTINGS) -> int:
    """Measure, print, and return the exit code: 0 when every target is met."""
    say(f"starting a private database, and writing {postings} postings of a year")
    with prepared() as ground:
        year.fill(ground, postings)
        texts = _by_text_tools(ground)
        say(f"writing {TIMES_MORE} times as many beside them")
        more = ground.twin("more")
        year.fill(more, postings * TIMES_MORE)
        few, many = _measured(ground, more, rounds)
    return _show(postings, few, many, texts)


def _measured(ground: Ground, more: Ground, rounds: int) -> tuple[Found, Found]:
    few, many = ({name: Ways() for name in PAGES} for _ in range(2))
    engine = create_engine(more.url)
    with product(ground.home, ground.url) as served, app_on(ground.url):
        token = _token()
        for number in range(rounds + 1):
            with snapshot() as session, Session(engine) as beside:
                for name in PAGES:
                    if not number:  # the first round only warms up
                        _round(session, name, Ways())
                        _round(beside, name, Ways())
                        _asked(served, token, name)
                        continue
                    _round(session, name, few[name])
                    _round(beside, name, many[name])
                    few[name].http.append(_asked(served, token, name).milliseconds(0))
    engine.dispose()
    return few, many


def _round(session: Session, name: str, ways: Ways) -> None:
    """A report by SQL over the postings and from rollups; both say the same."""
    if name == "trial balance":
        by_sql, sql = _fastest(lambda: rows(session, TRIAL_BALANCE, until=LAST), FEW)
        plain = {row["account"]: row["fen"] for row in by_sql}
        rolled, rollups = _fastest(lambda: balances(session, LAST), OFTEN)
        assert rolled == plain
    else:
        asked = {"since": FIRST, "until": LAST}
        by_sql, sql = _fastest(lambda: rows(session, STATEMENT, **asked), FEW)
        months = {(row["account"], row["month"]): row["fen"] for row in by_sql}
        by_account, rollups = _fastest(lambda: by_month(session, FIRST, LAST), OFTEN)
        assert {key: by_account[key] for key in months} == months
    ways.sql.append(sql)
    ways.rollups.append(rollups)


def _asked(served: Served, token: str, name: str) -> Run:
    run = drive(served.port, [[get(PAGES[name], token)] * ASKED], b'"unsettled"')
    assert run.expected == ASKED, run.odd
    return run


def _token() -> str:
    """Of somebody who reads the books."""
    if not rows(db.session(), "SELECT FROM person WHERE username = 'fan'"):
        db.session.rollback()
        atomic(people.create_person, "fan", PASSWORD, FINANCE)
    db.session.rollback()
    pair = atomic(sessions.sign_in, settings().secret_key, "fan", PASSWORD)
    assert pair is not None
    return pair.access_token


def _timed(ask: Callable[[], R]) -> tuple[R, float]:
    began = time.perf_counter()
    answer = ask()
    return answer, (time.perf_counter() - began) * 1000


def _fastest(ask: Callable[[], R], times: int) -> tuple[R, float]:
    """The answer, and the milliseconds of the time that nobody disturbed."""
    said = [_timed(ask) for _ in range(times)]
    return said[0][0], min(took for _, took in said)


def _by_text_tools(ground: Ground) -> dict[str, float]:
    """Seconds that hledger and Beancount take for the same trial balance, from our export."""
    commands = {
        "beancount": [sys.executable, "-c", BY_BEANCOUNT],
        "hledger": [shutil.which("hledger") or "", "balance", "--flat", "-N", "-f"],
    }
    utf8 = os.environ | {"LC_ALL": "C.UTF-8", "BEANCOUNT_DISABLE_LOAD_CACHE": "1"}
    found = {}
    for form, command in commands.items():
        if not command[0]:
            continue
        path, seconds = _exported(ground, form)
        found[f"our export for {form}"] = seconds
        began = time.perf_counter()
        subprocess.run([*command, str(path)], env=utf8, check=True, stdout=subprocess.DEVNULL)
        found[f"trial balance by {form}"] = time.perf_counter() - began
        say(f"  {found[f'trial balance by {form}']:.1f} s  {form}, on a file of {seconds:.1f} s")
    return found


def _exported(ground: Ground, form: str) -> tuple[Path, float]:
    path = ground.home / f"journal.{form}"
    began = time.perf_counter()
    with app_on(ground.url), snapshot() as session, path.open("wb") as file:
        file.writelines(export(session, Wanted(form, None, LAST)).pieces)
    return path, time.perf_counter() - began


def _show(postings: int, few: Found, many: Found, texts: dict[str, float]) -> int:
    print(f"\nReports over {postings} postings, and over {TIMES_MORE} times as many; medians\n")
    print(f"{'':26}{'SQL ms':>10}{'rollups':>10}{'HTTP':>10}{'SQL 10x':>10}{'rollups':>10}")
    for name, ways in few.items():
        figures = (ways.sql, ways.rollups, ways.http, many[name].sql, many[name].rollups)
        print(f"{name:26}" + "".join(f"{statistics.median(each):10.2f}" for each in figures))
    for name, seconds in texts.items():
        print(f"{name:36}{seconds:8.1f} s")
    print()
    return judged([verdict for name in few for verdict in _verdicts(name, few[name], many[name])])


def _verdicts(name: str, few: Ways, many: Ways) -> Iterator[Verdict]:
    """Of one report."""
    yield _at_most(f"{name}: rollups of SQL", paired(few.rollups, few.sql), MOST_OF_SQL)
    yield _at_most(f"{name}: HTTP of SQL", paired(few.http, few.sql), MOST_OF_SQL_BY_HTTP)
    growth = min(many.rollups) / min(few.rollups)
    yield _at_most(f"{name}: {TIMES_MORE} x the postings", growth, MOST_GROWTH)


def _at_most(target: str, ratio: float, most: float) -> Verdict:
    said = f"{ratio:.2f} x" if most > 1 else f"1/{1 / ratio:.0f}"
    return target, said, ratio <= most


if __name__ == "__main__":
    sys.exit(run(5, int(sys.argv[1]) if sys.argv[1:] else POSTINGS))
