"""What is due for a parcel that waits: reminders, overdue, reclaim by courier, removal. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from storage.reminders import Kind, Quiet, Reminder, next_reminder, out_of_quiet
from storage.rules import LockerRules


@dataclass(frozen=True, slots=True)
class Waiting:
    """A parcel that waits: since when, free until when, and what was done about it so far."""

    deposited_at: datetime
    free_until: datetime
    overdue: bool = False
    told: Kind | None = None
    told_at: datetime | None = None
    reclaim_asked_at: datetime | None = None
    removal_asked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Duties:
    """What has to be done now; `after` is the parcel when it is done."""

    overdue: bool
    prolonged: bool
    tell: Kind | None
    reclaim: bool
    removal: bool
    after: Waiting


def reclaim_at(rules: LockerRules, waiting: Waiting) -> datetime:
    """When its courier is asked to take it back; never before it costs anything."""
    return max(waiting.deposited_at + timedelta(hours=rules.reclaim_hours), waiting.free_until)


def removal_at(rules: LockerRules, waiting: Waiting) -> datetime:
    """When an operator is asked to remove it."""
    longer = timedelta(hours=rules.removal_hours - rules.reclaim_hours)
    return reclaim_at(rules, waiting) + longer


def duties(
    rules: LockerRules, waiting: Waiting, quiet: Quiet | None, zone: ZoneInfo, now: datetime
) -> Duties:
    """What is due at `now`; reclaim and removal are asked once, one after the other."""
    overdue = not waiting.overdue and now > waiting.free_until
    prolonged = waiting.overdue and now <= waiting.free_until
    told = _newest(rules, waiting, quiet, zone, now)
    tell = told.at <= now
    # A warning that nobody sent in time is none any more.
    in_vain = told.kind == "free-ending" and out_of_quiet(now, quiet, zone) >= waiting.free_until
    reclaim = waiting.reclaim_asked_at is None and reclaim_at(rules, waiting) <= now
    asked = waiting.reclaim_asked_at is not None and waiting.removal_asked_at is None
    removal = asked and removal_at(rules, waiting) <= now
    after = replace(
        waiting,
        overdue=now > waiting.free_until,
        told=told.kind if tell else waiting.told,
        told_at=told.at if tell else waiting.told_at,
        reclaim_asked_at=now if reclaim else waiting.reclaim_asked_at,
        removal_asked_at=now if removal else waiting.removal_asked_at,
    )
    kind = told.kind if tell and not in_vain else None
    return Duties(overdue, prolonged, kind, reclaim, removal, after)


def next_due(rules: LockerRules, waiting: Waiting, quiet: Quiet | None, zone: ZoneInfo) -> datetime:
    """The first instant at which a sweep has something to do for it."""
    instants = [_reminder(rules, waiting, quiet, zone).at]
    if not waiting.overdue:
        instants.append(waiting.free_until + timedelta(microseconds=1))
    if waiting.reclaim_asked_at is None:
        instants.append(reclaim_at(rules, waiting))
    elif waiting.removal_asked_at is None:
        instants.append(removal_at(rules, waiting))
    return min(instants)


def _newest(
    rules: LockerRules, waiting: Waiting, quiet: Quiet | None, zone: ZoneInfo, now: datetime
) -> Reminder:
    """The next reminder; of several that were missed the last, so that nobody is told in a row."""
    told = _reminder(rules, waiting, quiet, zone)
    while told.at <= now:
        after = replace(waiting, told=told.kind, told_at=told.at)
        following = _reminder(rules, after, quiet, zone)
        if following.at > now:
            break
        waiting, told = after, following
    return told


def _reminder(
    rules: LockerRules, waiting: Waiting, quiet: Quiet | None, zone: ZoneInfo
) -> Reminder:
    warn = timedelta(hours=rules.warn_hours)
    told = waiting.told, waiting.told_at
    return next_reminder(*told, waiting.deposited_at, waiting.free_until, warn, quiet, zone)
