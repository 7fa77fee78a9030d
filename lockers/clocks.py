"""The fee clock of one parcel, from a row: its rules, its calendar, when its recipient is away."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from psycopg.rows import dict_row

from core.db import Connection
from lockers.consent import DESK
from storage.fees import Clock
from storage.rules import LockerRules, parse_rules
from tariffs.days import kind_of, overrides

Row = Mapping[str, Any]

# What a clock needs of a parcel `p`, its terms and its cabinet `cab`.
CLOCK = f"""
    p.reserved_at IS NULL OR p.consent = '{DESK}' AS unasked,
    p.member, p.extra_free_hours, terms.id AS terms_id, terms.version AS terms_version,
    terms.rules AS terms_rules, cab.site,
    (SELECT jsonb_object_agg(day, kind) FROM calendar_day) AS calendar,
    (SELECT jsonb_agg(jsonb_build_array(v.starts_on, v.ends_on)) FROM locker_vacation v
     WHERE v.person_id = p.recipient_id AND v.ends_on >= p.recorded_at::date - 1) AS vacations
"""  # noqa: S608 - a constant of ours

TERMS_OF = "LEFT JOIN locker_terms terms ON terms.id = p.terms_id"

IN_FORCE = """
LEFT JOIN LATERAL (
    SELECT id, version, rules FROM locker_terms WHERE valid_from <= %(now)s
    ORDER BY valid_from DESC LIMIT 1
) terms ON true
"""

RULES_IN_FORCE = """
SELECT rules FROM locker_terms WHERE valid_from <= %(now)s ORDER BY valid_from DESC LIMIT 1
"""


def rules_in_force(connection: Connection, now: datetime) -> LockerRules:
    """The community's rules for lockers as they stand; the defaults where it made none."""
    with connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(RULES_IN_FORCE, {"now": now}).fetchone()
    return rules_of(row["rules"] if row else None)


def rules_of(stored: Mapping[str, Any] | None) -> LockerRules:
    """Rules as they were stored."""
    return _parsed(tuple(sorted((k, _frozen(v)) for k, v in (stored or {}).items())))


def clock_of(row: Row, zone: ZoneInfo) -> Clock:
    """The clock of a row that has the columns of `CLOCK`; whoever was never asked pays nothing."""
    decreed, rules = overrides(row["calendar"]), rules_of(row["terms_rules"])
    return Clock(
        rules=replace(rules, step_fen=0) if row["unasked"] else rules,
        zone=zone,
        site=row["site"],
        kind_of=lambda day: kind_of(day, decreed),
        vacations=tuple(_away(first, last, zone) for first, last in row["vacations"] or ()),
        member=bool(row["member"]),
        extra_free=timedelta(hours=row["extra_free_hours"] or 0),
        terms=f"locker-terms:{row['terms_id'] or 0}v{row['terms_version'] or 0}",
    )


def _away(first: str, last: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Whole days, in the community's zone."""
    ends = date.fromisoformat(last) + timedelta(days=1)
    midnight = time(tzinfo=zone)
    return (
        datetime.combine(date.fromisoformat(first), midnight),
        datetime.combine(ends, midnight),
    )


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@lru_cache(maxsize=64)
def _parsed(stored: tuple[tuple[str, Any], ...]) -> LockerRules:
    """Every message asks for them; parsing the same again would cost more than the look."""
    return parse_rules(dict(stored))
