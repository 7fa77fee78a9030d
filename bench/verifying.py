"""How long it takes to prove a million postings, check by check, and how fast the sealer is.

A private database is filled through the ledger's own writers.
"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import TypeVar

from sqlalchemy import text

from bench.ground import app_on, prepared, say
from core import clock
from core.db import Session, atomic, db
from identity import people
from identity.models import OPERATOR
from ledger import chain, proof, seals, settlement, split_rules

POSTINGS = 1_000_000
OF_A_PAID_FEE = 9
DAYS = 30
BATCH = 3_000
BEGAN = datetime(2026, 11, 1, 4, tzinfo=UTC)
MOST_SECONDS = 5.0

FEES = """
INSERT INTO charge (kind, source, source_id, income, household_id, amount_fen, occurred_at,
    recorded_at, lines)
SELECT 'fee', 'visit', n, (ARRAY['parking', 'overstay', 'ebike', 'locker'])[n % 4 + 1],
    n % 200 + 1, 200 + n % 1700, at, at, '[]'
FROM generate_series(1, :fees) AS n
CROSS JOIN LATERAL (SELECT CAST(:began AS timestamptz) + interval '1 day' * (n % :days)) AS t (at)
ORDER BY at, n;
"""
PAYMENTS = """
INSERT INTO payment (source, source_id, method, amount_fen, household_id, received_by,
    occurred_at, recorded_at)
SELECT source, source_id, 'cash', amount_fen, household_id, :olga, occurred_at, recorded_at
FROM charge ORDER BY id
"""

T = TypeVar("T")


def run(postings: int) -> int:
    """Fill, seal and verify; 0 when the proof of so many postings was fast enough."""
    fees = postings // OF_A_PAID_FEE + 1
    with prepared() as ground, app_on(ground.url):
        timed(f"raising and paying {fees} fees", lambda: atomic(_fill, fees))
        ground.tidy()
        settled = timed("settling", _settle)
        ground.tidy()
        sealed = timed("sealing", _seal)
        say(f"  {settled} rows settled, {sealed} entries sealed")
        ground.tidy()
        return _verify(postings)


def _verify(postings: int) -> int:
    with Session(db.engine) as session:
        found = timed("entries walked and hashed", lambda: chain.look(session))
        timed("balances", partial(chain.balances, session, found))
        timed("trees and heads", lambda: chain.trees(session))
        for name, check in proof.CHECKS.items():
            timed(name, partial(check, session))
    said, best = "", 1e9
    snapshot = db.engine.execution_options(isolation_level="REPEATABLE READ")
    for _round in range(3):
        began = time.perf_counter()
        with Session(snapshot) as session, Session(snapshot) as beside:
            checks = proof.verify(session, beside).checks
        best = min(best, time.perf_counter() - began)
        said = "; ".join(f"{name}: {check.detail[:40]}" for name, check in checks.items())
        assert all(check.ok for check in checks.values()), said
    say(f"{best:8.2f} s  the whole proof of {postings} postings, best of three")
    return int(best > MOST_SECONDS)


def timed(what: str, do: Callable[[], T]) -> T:
    """Do it and say how long it took."""
    began = time.perf_counter()
    answer = do()
    say(f"{time.perf_counter() - began:8.2f} s  {what}")
    return answer


def _fill(session: Session, fees: int) -> None:
    olga = open_books(session)
    session.execute(text(FEES), {"fees": fees, "began": BEGAN, "days": DAYS})
    session.execute(text(PAYMENTS), {"olga": olga})


def open_books(session: Session) -> int:
    """Two hundred households, a rule for each of four incomes, and Olga; her number."""
    for number in range(200):
        people.create_household(session, f"1-{number + 100}")
    olga = people.create_person(session, "olga", "olga's password", OPERATOR).id
    for income in ("parking", "overstay", "ebike", "locker"):
        split_rules.add(
            session,
            income=income,
            ownership="community",
            shares={"micro_fund": 70, "property": 30},
            valid_from=date(2026, 1, 1),
            decided_by="业主大会",
        )
    return olga


def _settle() -> int:
    done = 0
    while handled := _on_its_day(done):
        done += handled
    return done


def _on_its_day(done: int) -> int:
    with clock.at(BEGAN + timedelta(hours=done // 300)):
        return atomic(settlement.settle_batch, BATCH)


def _seal() -> int:
    done, now = 0, BEGAN + timedelta(days=1000)
    while handled := atomic(seals.seal_batch, now, limit=BATCH):
        done += handled
    atomic(seals.close_days, now)
    return done
