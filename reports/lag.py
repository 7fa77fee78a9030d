"""How long source rows waited for settlement, day by day."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy.orm import Session

from core.app import settings
from ledger.posting import rows
from reports.balances import ALL
from reports.report import Report, stamp

LAG = """
SELECT (recorded_at AT TIME ZONE %(zone)s)::date AS day, count(*) AS count,
    percentile_disc(0.5) WITHIN GROUP (ORDER BY seconds) AS p50_seconds,
    percentile_disc(0.95) WITHIN GROUP (ORDER BY seconds) AS p95_seconds,
    max(seconds) AS max_seconds
FROM (
    SELECT recorded_at,
        round(extract(epoch FROM settled_at - recorded_at), 3)::float AS seconds
    FROM source_row
    WHERE settled_at IS NOT NULL
        AND recorded_at >= %(since)s::timestamp AT TIME ZONE %(zone)s
        AND recorded_at < (%(until)s::date + 1)::timestamp AT TIME ZONE %(zone)s
) AS settled
GROUP BY 1 ORDER BY 1
"""


@dataclass(frozen=True, slots=True)
class DayLag:
    """The rows recorded on a day of the community, and the seconds until they were settled."""

    day: date
    count: int
    p50_seconds: float
    p95_seconds: float
    max_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SettlementLag(Report):
    """The days of a period on which something was recorded that is settled by now."""

    since: date
    until: date
    days: list[DayLag]


def settlement_lag(session: Session, since: date, until: date) -> SettlementLag:
    """How long what was recorded from `since` to `until`, both included, waited."""
    found = rows(session, LAG, zone=settings().zone.key, since=since, until=until)
    return SettlementLag(
        **stamp(session, until, None, ALL),
        since=since,
        until=until,
        days=[DayLag(**row) for row in found],
    )
