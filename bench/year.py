"""A year of the books by the million: written by plain SQL, for reports that only read.

A visit is nine postings: the owners' book says who owes and to whom, the fund and the provider
each what they earned, and the owners' again that it was paid in cash. Triggers are off while this
is loaded; rollups, days' seals and an open day's leaves are what the product would have made.
"""

from bench.ground import Ground

OF_A_VISIT = 9
YEAR = 2026
BLOCK = 100_000
"""Visits written by one statement."""

QUIET = "SET session_replication_role = replica"

ENTRIES = """
INSERT INTO journal_entry (book, source, source_id, purpose, fingerprint, occurred_on, posted_on,
    recorded_at, memo)
SELECT e.book, e.source, n, e.purpose, '\\x00', day, day, day + interval '12 hours',
    '停车费 stay:' || n
FROM generate_series({first}, {last}) AS n
CROSS JOIN LATERAL (SELECT date '2026-01-01' + (n::bigint * 365 / {visits})::int AS day) AS d
CROSS JOIN (VALUES (1, 'owners', 'charge', 'settle'), (2, 'fund', 'charge', 'settle:fund'),
    (3, 'provider', 'charge', 'settle:provider'), (4, 'owners', 'payment', 'settle'))
    AS e (place, book, source, purpose)
ORDER BY n, e.place
"""

POSTINGS = """
INSERT INTO posting (entry_id, line, account, amount_fen, posted_on)
SELECT (n - 1) * 4 + p.entry, p.line,
    CASE p.account WHEN 'fund income' THEN '43' || kind WHEN 'provider income' THEN '60' || kind
        ELSE p.account END,
    p.sign * CASE p.part WHEN 'whole' THEN fen WHEN 'fund' THEN fen * 7 / 10
        ELSE fen - fen * 7 / 10 END,
    day
FROM generate_series({first}, {last}) AS n
CROSS JOIN LATERAL (
    SELECT 200 + n % 1700 AS fen, lpad((101 + n % 10)::text, 4, '0') AS kind,
        date '2026-01-01' + (n::bigint * 365 / {visits})::int AS day
) AS visit
CROSS JOIN (VALUES
    (1, 1, '1121', 1, 'whole'), (1, 2, '220903', -1, 'fund'), (1, 3, '220902', -1, 'provider'),
    (2, 1, '1131', 1, 'fund'), (2, 2, 'fund income', -1, 'fund'),
    (3, 1, '1141', 1, 'provider'), (3, 2, 'provider income', -1, 'provider'),
    (4, 1, '1001', 1, 'whole'), (4, 2, '1121', -1, 'whole')
) AS p (entry, line, account, sign, part)
ORDER BY n, p.entry, p.line
"""

ROLLUPS = """
TRUNCATE account_month;
INSERT INTO account_month (account, month, shard, debit_fen, credit_fen)
SELECT account, date_trunc('month', posted_on::timestamp)::date, entry_id % 8,
    sum(greatest(amount_fen, 0)), sum(greatest(-amount_fen, 0))
FROM posting GROUP BY 1, 2, 3
"""

SEALS = """
INSERT INTO day_seal (book, day, count, root, previous, head)
SELECT code, day::date, 1, sha256('r'), sha256('p'), sha256('h')
FROM book CROSS JOIN generate_series(timestamp '2026-01-01', '2026-12-30', '1 day') AS day;
INSERT INTO entry_leaf (entry_id, book, day, position, leaf)
SELECT id, book, '2026-12-31', row_number() OVER (PARTITION BY book ORDER BY id),
    sha256(id::text::bytea)
FROM journal_entry WHERE id <= 1200
"""


def fill(ground: Ground, postings: int) -> int:
    """Write the year into empty books; returns how many postings it has."""
    visits = postings // OF_A_VISIT + 1
    ground.run(QUIET, "TRUNCATE journal_entry, posting, entry_leaf, day_seal CASCADE")
    for first in range(1, visits + 1, BLOCK):
        span = {"first": first, "last": min(first + BLOCK - 1, visits), "visits": visits}
        ground.run(QUIET, ENTRIES.format(**span), POSTINGS.format(**span))
    ground.run(QUIET, ROLLUPS, SEALS)
    ground.tidy("journal_entry", "posting", "account_month", "day_seal", "entry_leaf")
    return visits * OF_A_VISIT
