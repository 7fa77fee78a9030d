"""对账: our payments and refunds beside the providers' bills, and those beside the bank's.

Everything is laid side by side anew each time, so the order in which files and notifications come
does not matter: a difference that a later one explains closes itself.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from channels.models import ReconciliationTask
from channels.passing_on import Transfer, overdue, passed_on
from core import clock
from core.db import driver
from core.errors import Problem, not_found
from ledger.posting import rows

LATER = "后来对上"
"""The reason of a task that came right by itself."""

# All money of ours that a bill should name, by the number that we gave it.
OURS = """
SELECT provider AS channel, 'payment' AS type, out_trade_no AS reference, amount_fen,
    (paid_at AT TIME ZONE 'Asia/Shanghai')::date AS on_day
FROM payment_order WHERE transaction_id IS NOT NULL
UNION ALL
SELECT o.provider, 'refund', r.out_refund_no, r.amount_fen,
    (r.succeeded_at AT TIME ZONE 'Asia/Shanghai')::date
FROM payment_refund AS r JOIN payment_order AS o ON o.id = r.order_id
WHERE r.status = 'succeeded'
"""

JUDGE = f"""
WITH ours AS ({OURS}), judged AS (
    SELECT line.id, CASE
        WHEN ours.amount_fen IS NULL THEN 'missing_here'
        WHEN ours.amount_fen <> line.amount_fen THEN 'amount_differs'
        ELSE 'matched'
    END AS verdict
    FROM bill_line AS line LEFT JOIN ours USING (channel, type, reference)
    WHERE line.type IN ('payment', 'refund') AND line.verdict IS DISTINCT FROM 'matched'
)
UPDATE bill_line SET verdict = judged.verdict FROM judged
WHERE bill_line.id = judged.id AND bill_line.verdict IS DISTINCT FROM judged.verdict
"""  # noqa: S608 - our own text

DIFFERENCES = f"""
WITH ours AS ({OURS})
INSERT INTO reconciliation_task
    (kind, channel, type, reference, on_day, ours_fen, theirs_fen, recorded_at)
SELECT line.verdict, channel, type, reference, line.on_day, ours.amount_fen, line.amount_fen,
    %(now)s
FROM bill_line AS line LEFT JOIN ours USING (channel, type, reference)
WHERE line.type IN ('payment', 'refund') AND line.verdict <> 'matched'
UNION ALL
SELECT 'missing_there', channel, type, reference, ours.on_day, ours.amount_fen, NULL, %(now)s
FROM ours
WHERE EXISTS (
        SELECT FROM bill_import AS bill
        WHERE bill.channel = ours.channel AND ours.on_day BETWEEN covers_from AND covers_to
    )
    AND NOT EXISTS (
        SELECT FROM bill_line AS line
        WHERE (line.channel, line.type, line.reference)
            = (ours.channel, ours.type, ours.reference)
    )
ON CONFLICT (channel, type, reference, kind) DO NOTHING
"""  # noqa: S608 - our own text

CLEARED = """
UPDATE reconciliation_task AS task
SET status = 'resolved', reason = %(later)s, resolved_at = %(now)s
WHERE status = 'open' AND CASE WHEN kind = 'missing_there' THEN
    EXISTS (
        SELECT FROM bill_line AS line
        WHERE (line.channel, line.type, line.reference)
            = (task.channel, task.type, task.reference)
    ) OR type = 'transfer' AND NOT reference = ANY (%(overdue)s)
    ELSE NOT EXISTS (
        SELECT FROM bill_line AS line
        WHERE (line.channel, line.type, line.reference)
            = (task.channel, task.type, task.reference) AND line.verdict = task.kind
    )
END
"""

# A bill says that it was paid, so the provider shall be asked again, until a person explains it.
ASK_AGAIN = """
UPDATE payment_order AS o SET status = 'pending', next_try_at = %(now)s
FROM reconciliation_task AS task
WHERE task.status = 'open' AND task.kind = 'missing_here' AND task.type = 'payment'
    AND (task.channel, task.reference) = (o.provider, o.out_trade_no)
    AND o.transaction_id IS NULL
    AND (o.status <> 'pending' OR o.next_try_at > %(now)s)
"""

NETS = """
SELECT channel, on_day, sum(CASE type WHEN 'refund' THEN -amount_fen ELSE amount_fen END
    - fee_fen)::bigint AS net_fen
FROM bill_line WHERE channel <> 'bank' GROUP BY channel, on_day
"""
TRANSFERS = """
SELECT external_id AS id, provider, on_day, amount_fen FROM bill_line
WHERE channel = 'bank' AND type = 'transfer'
"""
BANK_KNOWN_UNTIL = "SELECT max(covers_to) AS day FROM bill_import WHERE channel = 'bank'"

BANK_JUDGED = """
UPDATE bill_line SET verdict = CASE WHEN external_id = ANY (%(matched)s) THEN 'matched'
    ELSE 'missing_here' END
WHERE channel = 'bank' AND verdict IS DISTINCT FROM
    CASE WHEN external_id = ANY (%(matched)s) THEN 'matched' ELSE 'missing_here' END
"""

BANK_DIFFERENCES = """
INSERT INTO reconciliation_task
    (kind, channel, type, reference, on_day, ours_fen, theirs_fen, recorded_at)
SELECT verdict, channel, type, reference, on_day, NULL::bigint, amount_fen, %(now)s
FROM bill_line WHERE channel = 'bank' AND verdict <> 'matched'
UNION ALL
SELECT 'missing_there', 'bank', 'transfer', reference, day, fen, NULL, %(now)s
FROM unnest(%(overdue)s::text[], %(days)s::date[], %(nets)s::bigint[])
    AS late (reference, day, fen)
ON CONFLICT (channel, type, reference, kind)
    DO UPDATE SET status = 'open', reason = NULL, resolved_at = NULL
    WHERE reconciliation_task.status = 'resolved' AND reconciliation_task.resolved_by IS NULL
"""

SUMMARY = f"""
WITH ours AS (
    SELECT on_day, channel, count(*) FILTER (WHERE type = 'payment') AS payments,
        coalesce(sum(amount_fen) FILTER (WHERE type = 'payment'), 0)::bigint AS payments_fen,
        count(*) FILTER (WHERE type = 'refund') AS refunds,
        coalesce(sum(amount_fen) FILTER (WHERE type = 'refund'), 0)::bigint AS refunds_fen
    FROM ({OURS}) AS said WHERE on_day BETWEEN %(since)s AND %(until)s GROUP BY 1, 2
), theirs AS (
    SELECT on_day, channel, count(*) FILTER (WHERE type <> 'refund') AS payments,
        coalesce(sum(amount_fen) FILTER (WHERE type <> 'refund'), 0)::bigint AS payments_fen,
        count(*) FILTER (WHERE type = 'refund') AS refunds,
        coalesce(sum(amount_fen) FILTER (WHERE type = 'refund'), 0)::bigint AS refunds_fen,
        sum(fee_fen)::bigint AS fees_fen, count(*) FILTER (WHERE verdict = 'matched') AS matched
    FROM bill_line WHERE on_day BETWEEN %(since)s AND %(until)s GROUP BY 1, 2
), tasks AS (
    SELECT on_day, channel, count(*) AS differences,
        count(*) FILTER (WHERE status = 'open') AS open
    FROM reconciliation_task WHERE on_day BETWEEN %(since)s AND %(until)s GROUP BY 1, 2
)
SELECT on_day AS day, channel, coalesce(ours.payments, 0) AS our_payments,
    coalesce(ours.payments_fen, 0) AS our_payments_fen, coalesce(ours.refunds, 0) AS our_refunds,
    coalesce(ours.refunds_fen, 0) AS our_refunds_fen,
    coalesce(theirs.payments, 0) AS their_payments,
    coalesce(theirs.payments_fen, 0) AS their_payments_fen,
    coalesce(theirs.refunds, 0) AS their_refunds,
    coalesce(theirs.refunds_fen, 0) AS their_refunds_fen,
    coalesce(theirs.fees_fen, 0) AS fees_fen, coalesce(theirs.matched, 0) AS matched,
    coalesce(tasks.differences, 0) AS differences, coalesce(tasks.open, 0) AS open_differences,
    EXISTS (
        SELECT FROM bill_import AS bill
        WHERE bill.channel = coalesce(ours.channel, theirs.channel, tasks.channel)
            AND on_day BETWEEN covers_from AND covers_to
    ) AS imported
FROM ours FULL JOIN theirs USING (on_day, channel) FULL JOIN tasks USING (on_day, channel)
ORDER BY day, channel
"""  # noqa: S608 - our own text

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock('reconciliation_task'::regclass::oid::bigint)"


@dataclass(frozen=True, slots=True)
class TaskFilter:
    """Which tasks; dates inclusive."""

    status: str | None = None
    channel: str | None = None
    since: date | None = None
    until: date | None = None


def lay_side_by_side(session: Session, now: datetime) -> int:
    """Judge every line that is not matched yet, open and close tasks; how many are open.

    Run again it changes nothing; one runs at a time.
    """
    connection = driver(session)
    connection.execute(ONE_AT_A_TIME)
    connection.execute(JUDGE)
    late = _judge_bank(session)
    values: dict[str, Any] = {"now": now, "later": LATER, "overdue": list(late)}
    connection.execute(DIFFERENCES, values)
    days = {"days": [day for day, _ in late.values()], "nets": [fen for _, fen in late.values()]}
    connection.execute(BANK_DIFFERENCES, values | days)
    connection.execute(CLEARED, values)
    connection.execute(ASK_AGAIN, values)
    return unexplained(session)


def unexplained(session: Session, since: date | None = None, until: date | None = None) -> int:
    """How many differences nobody explained, of some days if given."""
    wanted = tasks(TaskFilter("open", since=since, until=until)).order_by(None)
    return session.scalar(select(func.count()).select_from(wanted.subquery())) or 0


def tasks(wanted: TaskFilter) -> Select[ReconciliationTask]:
    """Tasks that fit, oldest day first."""
    query = select(ReconciliationTask).order_by(ReconciliationTask.on_day, ReconciliationTask.id)
    if wanted.status:
        query = query.where(ReconciliationTask.status == wanted.status)
    if wanted.channel:
        query = query.where(ReconciliationTask.channel == wanted.channel)
    if wanted.since:
        query = query.where(ReconciliationTask.on_day >= wanted.since)
    if wanted.until:
        query = query.where(ReconciliationTask.on_day <= wanted.until)
    return query


def resolve(session: Session, task_id: int, reason: str, person_id: int) -> ReconciliationTask:
    """A person explains a difference. Problem 404; 409 when it is resolved already."""
    task = session.get(ReconciliationTask, task_id, with_for_update=True, populate_existing=True)
    if task is None:
        raise not_found("reconciliation task")
    if task.status != "open":
        raise Problem(409, "already-resolved", "The difference is explained already.")
    task.status, task.reason = "resolved", reason
    task.resolved_by, task.resolved_at = person_id, clock.now()
    session.flush()
    return task


def summary(session: Session, since: date, until: date) -> list[DictRow]:
    """Counts and fen of each side by day and channel, both days included."""
    return rows(session, SUMMARY, since=since, until=until)


def _judge_bank(session: Session) -> dict[str, tuple[date, int]]:
    """Lay transfers beside what bills said came; days overdue by a reference of their own."""
    matched: list[str] = []
    late: dict[str, tuple[date, int]] = {}
    nets = rows(session, NETS)
    transfers = rows(session, TRANSFERS)
    known_until = rows(session, BANK_KNOWN_UNTIL)[0]["day"]
    for channel in sorted({row["channel"] for row in nets}):
        of_days = {r["on_day"]: r["net_fen"] for r in nets if r["channel"] == channel}
        found = passed_on(
            of_days,
            [
                Transfer(row["id"], row["on_day"], row["amount_fen"])
                for row in transfers
                if row["provider"] == channel
            ],
        )
        matched += found.days
        for day in overdue(found.unpaid, known_until) if known_until else ():
            late[f"{channel}:{day}"] = day, of_days[day]
    driver(session).execute(BANK_JUDGED, {"matched": matched})
    return late
