"""How settlement stands, as Prometheus reads it: also when no worker is left to say so."""

from collections.abc import Iterable

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from sqlalchemy.orm import Session

from core import clock
from ledger import settlement
from ledger.posting import rows

UNSETTLED = """
SELECT name AS of, count(id) FILTER (WHERE set_aside_reason IS NULL) AS waiting,
    count(id) FILTER (WHERE set_aside_reason IS NOT NULL) AS aside,
    min(recorded_at) FILTER (WHERE set_aside_reason IS NULL) AS oldest
FROM unnest(%(tables)s::text[]) AS name
LEFT JOIN source_row ON of_table = name AND settled_at IS NULL
GROUP BY name ORDER BY name
"""
NEWEST = "SELECT ok, finished_at FROM proof_report ORDER BY day DESC LIMIT 1"


def read(session: Session) -> Iterable[Metric]:
    """What waits, how long the oldest has, what is set aside; and how the last proof ended."""
    now = clock.now()
    waiting = _by_table("huilin_settlement_waiting", "Source rows that are not settled yet")
    oldest = _by_table("huilin_settlement_oldest_seconds", "Age of the oldest of them")
    aside = _by_table("huilin_settlement_set_aside", "Source rows that settlement set aside")
    for row in rows(session, UNSETTLED, tables=list(settlement.tables())):
        age = (now - row["oldest"]).total_seconds() if row["oldest"] else 0.0
        waiting.add_metric([row["of"]], row["waiting"])
        oldest.add_metric([row["of"]], max(0.0, age))
        aside.add_metric([row["of"]], row["aside"])
    yield from (waiting, oldest, aside)
    for row in rows(session, NEWEST):
        yield GaugeMetricFamily(
            "huilin_ledger_proof_ok", "Whether the last nightly proof passed", value=row["ok"]
        )
        age = (now - row["finished_at"]).total_seconds()
        yield GaugeMetricFamily(
            "huilin_ledger_proof_age_seconds", "How long ago that was", value=age
        )


def _by_table(name: str, about: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, about, labels=["table"])
