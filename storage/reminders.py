"""When a resident is told about a parcel: before it costs, when it does, daily; not at night. Pure.

Quiet hours are the community's or the resident's own, whose shift may make them any span of the
day. They are half-open: the instant at which they end is the first at which people are told.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from storage.rules import LockerRules
from tariffs.borders import spans_between
from tariffs.spans import Span

Kind = Literal["free-ending", "overdue", "daily"]
KINDS: tuple[Kind, ...] = ("free-ending", "overdue", "daily")

LEAD = timedelta(minutes=15)
"""What would fall into quiet hours is told so long before them: sweeps take a moment."""
LEAST_APART = timedelta(hours=12)
"""Nobody is told twice within this time that a parcel costs money."""
_DAY = timedelta(days=1)
_AROUND = 4 * _DAY


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of the wall clock, to the minute; they may go past midnight. Equal times are none."""

    since: time
    until: time


class Reminder(NamedTuple):
    """What to tell next, and the instant (UTC) from which it may be told."""

    kind: Kind
    at: datetime


def usual_quiet(rules: LockerRules) -> Quiet:
    """The community's quiet hours."""
    return Quiet(time.fromisoformat(rules.quiet_from), time.fromisoformat(rules.quiet_until))


def out_of_quiet(at: datetime, quiet: Quiet | None, zone: ZoneInfo) -> datetime:
    """The first instant not before `at` (aware) outside quiet hours, in UTC.

    Without quiet hours (None: the resident chose any time) it is `at` itself. Raises ValueError
    when the instant is naive.
    """
    told_at = _utc(at)
    hours = _hours_around(told_at, quiet, zone)
    return next((until for since, until in hours if since <= told_at < until), told_at)


def before_quiet(
    at: datetime, quiet: Quiet | None, zone: ZoneInfo, not_before: datetime
) -> datetime:
    """When to tell at `at` (aware) or, if that is in quiet hours, a moment before them, in UTC.

    If that would be before `not_before`, the first instant from there on that is not quiet.
    Raises ValueError when an instant is naive.
    """
    wanted, least = _utc(at), _utc(not_before)
    if wanted < least:
        return out_of_quiet(least, quiet, zone)
    hours = _hours_around(wanted, quiet, zone)
    moved = (
        max(since - LEAD, quiet_ended)
        for (_, quiet_ended), (since, until) in pairwise(hours)
        if since <= wanted < until
    )
    told_at = next(moved, wanted)
    return told_at if told_at >= least else out_of_quiet(least, quiet, zone)


def next_reminder(
    told: str | None,
    told_at: datetime | None,
    deposited_at: datetime,
    free_until: datetime,
    warn: timedelta,
    quiet: Quiet | None,
    zone: ZoneInfo,
) -> Reminder:
    """What the resident is told after `told`, which was planned for `told_at`, and when.

    First `warn` before the free time ends, unless quiet hours leave no instant before that end;
    then that the parcel costs money; then so every day. When the free time has become longer
    since, the resident is warned of the new end too if that is more than `warn` after the
    warning before, and an overdue parcel may be overdue anew. All instants are aware; raises
    ValueError when one is naive, or when `told` is no kind of reminder or has no instant.
    """
    ends = _utc(free_until)
    warned_at = before_quiet(ends - warn, quiet, zone, not_before=deposited_at)
    in_time = warned_at < ends
    if told is None:
        if in_time:
            return Reminder("free-ending", warned_at)
        return Reminder("overdue", out_of_quiet(ends, quiet, zone))
    if told not in KINDS or told_at is None:
        raise ValueError("what was told is a kind of reminder and has an instant")
    before = _utc(told_at)
    if in_time and warned_at > before + warn:
        return Reminder("free-ending", warned_at)
    if told == "free-ending":
        return Reminder("overdue", out_of_quiet(max(ends, before), quiet, zone))
    if before < ends:
        return Reminder("overdue", out_of_quiet(max(ends, before + LEAST_APART), quiet, zone))
    return Reminder("daily", out_of_quiet(before + _DAY, quiet, zone))


def _hours_around(at: datetime, quiet: Quiet | None, zone: ZoneInfo) -> list[Span]:
    """The quiet hours of the days around an instant, in order; those that touch are one span."""
    if quiet is None or _minute(quiet.since) == _minute(quiet.until):
        return []
    joined: list[Span] = []
    starts, ends = at - _AROUND, at + _AROUND
    for since, until in spans_between(
        _minute(quiet.since), _minute(quiet.until), zone, starts, ends
    ):
        if joined and joined[-1][1] == since:
            joined[-1] = joined[-1][0], until
        else:
            joined.append((since, until))
    return joined


def _minute(clock: time) -> str:
    return f"{clock:%H:%M}"


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("instants of a reminder must be aware")
    return instant.astimezone(UTC)
