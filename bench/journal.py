"""How the journal bears its growth, and sixteen writers on the one account of the fund."""

import statistics
import time
from datetime import date

from bench import pgbench
from bench.ground import Ground, app_on, prepared, say
from bench.report import Verdict, judged, paired
from bench.settling import raise_fees, settle, settlers
from bench.verifying import open_books
from core.db import Session, atomic, db
from reports.trial_balance import trial_balance

OF_AN_ENTRY = 3
CHARGES, ASKED, WRITERS = 6_000, 30, 16
SLOWEST, SLOWER, HOT = 0.90, 1.3, 0.80
YEAR_END = date(2025, 12, 31)

# A year of parking fees in the owners' book. Nothing checks them and nobody sealed them: what is
# measured here asks for neither.
FILL = """
SET session_replication_role = replica;
INSERT INTO journal_entry (source, source_id, purpose, fingerprint, occurred_on, posted_on,
    recorded_at, memo, split_rule_id, book)
SELECT 'past', n, 'settle', sha256(n::text::bytea), day, day, day + time '12:00',
    '停车费 visit:' || n, 1, 'owners'
FROM generate_series(1, {entries}) AS n
CROSS JOIN LATERAL (SELECT date '2025-01-01' + (n * 365 / {entries} % 365)::int AS day) AS at;
INSERT INTO posting (entry_id, line, account, party, amount_fen, posted_on)
SELECT e.id, leg.line, leg.account, leg.party, leg.fen, e.posted_on
FROM journal_entry AS e CROSS JOIN LATERAL (VALUES
    (1, '1121', 'household:' || e.id % 200 + 1, 1000), (2, '220903', NULL, -700),
    (3, '220902', 'company:property', -300)) AS leg (line, account, party, fen)
WHERE e.source = 'past' ORDER BY e.id, leg.line;
INSERT INTO account_month (account, month, shard, debit_fen, credit_fen)
SELECT account, date_trunc('month', posted_on::timestamp)::date, abs(hashint8(entry_id)) % 32,
    sum(greatest(amount_fen, 0)), sum(greatest(-amount_fen, 0))
FROM posting GROUP BY 1, 2, 3;
"""

BY_MONTH = """
SELECT account, month, sum(debit_fen), sum(credit_fen) FROM account_month
WHERE month BETWEEN '2025-01-01' AND '2025-12-01' GROUP BY account, month ORDER BY 1, 2
"""

ENTRY = """
\\set n :n + 1
\\set of :client_id * 1000000 + :n + {first}
\\set one random(1, {accounts})
\\set other random(1, {accounts})
BEGIN;
INSERT INTO journal_entry (source, source_id, purpose, fingerprint, occurred_on, posted_on,
    recorded_at, memo, book)
VALUES ('written', :of, 'settle', '\\x00', '2026-11-01', '2026-11-01', now(), '', 'fund')
RETURNING id AS entry \\gset
INSERT INTO posting (entry_id, line, account, amount_fen, posted_on)
VALUES (:entry, 1, (ARRAY[{codes}])[:one], 800, '2026-11-01'),
    (:entry, 2, (ARRAY[{codes}])[:other], -800, '2026-11-01');
COMMIT;
"""
ACCOUNTS = (
    "SELECT string_agg(quote_literal(code), ', ') FROM account WHERE book = 'fund' AND active"
)
HOT_ACCOUNT = "'430101'"


def run(full: int, fuller: int, rounds: int) -> int:
    """Post into empty and full books, ask for reports of both, write with many; 0 when all pass."""
    with prepared() as empty:
        with app_on(empty.url):
            atomic(open_books)
        books = empty.twin("a_year")
        _fill(books, full)
        verdicts = [_writers(empty, rounds), _posting(empty, books, rounds)]
        more = empty.twin("ten_years") if fuller else None
        if more:
            more.run(
                "SET session_replication_role = replica; DELETE FROM journal_entry; "
                "DELETE FROM posting; DELETE FROM account_month; DELETE FROM unsealed"
            )
            _fill(more, fuller)
            verdicts += _reports(books, more, rounds, f"{full:,} → {fuller:,}")
        return judged(verdicts)


def _fill(ground: Ground, postings: int) -> None:
    began = time.perf_counter()
    ground.run(FILL.format(entries=postings // OF_AN_ENTRY))
    ground.tidy()
    say(f"{time.perf_counter() - began:8.0f} s  filling {postings:,} postings")


def _posting(empty: Ground, full: Ground, rounds: int) -> Verdict:
    rates: dict[str, list[float]] = {"empty": [], "full": []}
    for number in range(rounds):
        for name, ground in (("empty", empty), ("full", full)):
            first = number * CHARGES + 1
            with app_on(ground.url):
                atomic(raise_fees, first, first + CHARGES - 1)
            ground.run("CHECKPOINT")
            with settlers(ground) as pool:
                rates[name].append(CHARGES / settle(pool, 1))
    for name, each in rates.items():
        say(f"{statistics.median(each):8,.0f} charges/s settled into {name} books")
    share = paired(rates["full"], rates["empty"])
    return f"posting into full ≥ {SLOWEST:.0%} of empty", f"{share:.0%}", share >= SLOWEST


def _reports(full: Ground, fuller: Ground, rounds: int, sizes: str) -> list[Verdict]:
    took: dict[tuple[str, str], list[float]] = {}
    for _round in range(rounds):
        for ground in (full, fuller):
            with app_on(ground.url), Session(db.engine) as session:
                for name, ask in {
                    "trial balance": lambda: trial_balance(session, YEAR_END),
                    "months": lambda: session.connection().exec_driver_sql(BY_MONTH).fetchall(),
                }.items():
                    took.setdefault((name, ground.database), []).append(_median_ms(ask))
    verdicts: list[Verdict] = []
    for name in ("trial balance", "months"):
        ones, tens = took[name, full.database], took[name, fuller.database]
        say(f"{statistics.median(ones):8.2f} → {statistics.median(tens):.2f} ms  {name}, {sizes}")
        times = paired(tens, ones)
        verdicts.append((f"{name} ≤ {SLOWER} ×", f"{times:.2f} ×", times <= SLOWER))
    return verdicts


def _median_ms(ask: object) -> float:
    assert callable(ask)
    ask()
    took = []
    for _ in range(ASKED):
        began = time.perf_counter()
        ask()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def _writers(ground: Ground, rounds: int) -> Verdict:
    """Entries of the fund by sixteen clients: all on its parking income, or on any accounts."""
    with ground.as_superuser() as connection:
        [any_account] = connection.execute(ACCOUNTS).fetchone() or ("",)
    rates: dict[str, list[float]] = {"random": [], "hot": []}
    for number in range(rounds):
        for way, codes in (("random", str(any_account)), ("hot", HOT_ACCOUNT)):
            first = 50_000 * (2 * number + (way == "hot"))
            script = ENTRY.format(first=first, accounts=codes.count(",") + 1, codes=codes)
            done = pgbench.run(ground, script, clients=WRITERS, each=250)
            rates[way].append(done.rate)
    for way, each in rates.items():
        say(f"{statistics.median(each):8,.0f} entries/s by {WRITERS} writers, {way} accounts")
    share = paired(rates["hot"], rates["random"])
    return f"{WRITERS} writers on one account ≥ {HOT:.0%}", f"{share:.0%}", share >= HOT
