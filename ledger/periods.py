"""会计期间: a month closes when two people say so and nothing of it is open any more.

Whoever asks for the close makes the month `closing`, which still takes entries; the second person
closes it, in one transaction with the checks. That one first waits for every posting in flight
and lets no other begin, so what the checks saw is what the month holds for good; one that dies
half-way leaves the month `closing`, and is simply done again.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.errors import Problem, not_found
from core.months import month_end, next_month
from ledger import proof
from ledger.models import Period, PeriodEvent
from ledger.posting import execute, rows

CLOSING, WITHDRAWN, CLOSED = "closing", "withdrawn", "closed"
REOPENING, DECLINED, REOPENED = "reopening", "declined", "reopened"
OPEN = "open"

WRITTEN = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])\Z", re.ASCII)

ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock('period_event'::regclass::oid::bigint)"
HELD = "SELECT status FROM period WHERE month = %(month)s FOR NO KEY UPDATE"
EARLIER = "SELECT count(*) AS count FROM period WHERE month < %(month)s AND status <> 'closed'"
LATER = "SELECT max(month) AS month FROM period WHERE month > %(month)s AND status = 'closed'"
# Tables of other packages say when in one of these columns; a row with neither filled, such as
# money that was not paid out yet, did not occur, and one that has none of them is never passed by.
WAITING = """
SELECT count(*) FILTER (WHERE set_aside_reason IS NULL) AS unsettled,
    count(*) FILTER (WHERE set_aside_reason IS NOT NULL) AS set_aside
FROM source_row WHERE settled_at IS NULL AND occurred_at < %(until)s
"""
UNSEALED = """
SELECT count(*) AS count FROM unsealed JOIN journal_entry ON id = entry_id
WHERE posted_on <= %(last)s
"""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the community: its first and last day, and the instant when it is over."""

    first: date

    @property
    def last(self) -> date:
        """Its last day."""
        return month_end(self.first)

    @property
    def next(self) -> date:
        """The first day of the month after it."""
        return next_month(self.first)

    @property
    def ends_at(self) -> datetime:
        """The instant when it is over in the community."""
        midnight = datetime.min.time()
        return datetime.combine(self.next, midnight, settings().zone)


@dataclass(frozen=True, slots=True)
class Blocker:
    """One reason why a month cannot close: how many, and where to look."""

    reason: str
    count: int
    look_at: str


OTHERS: list[Callable[[Session, Month], list[Blocker]]] = []
"""What other packages hold against a close."""


def month_of(said: str) -> Month:
    """A month written 2026-11. Problem 404 for anything else."""
    if not WRITTEN.match(said):
        raise not_found("month")
    return Month(date.fromisoformat(f"{said}-01"))


def periods() -> Select[Period]:
    """Every month that the books know, the newest first."""
    return select(Period).order_by(Period.month.desc())


def events(session: Session, months: list[date]) -> dict[date, list[PeriodEvent]]:
    """What was done to each of these months, in order."""
    found: dict[date, list[PeriodEvent]] = {month: [] for month in months}
    query = select(PeriodEvent).where(PeriodEvent.month.in_(months)).order_by(PeriodEvent.id)
    for event in session.scalars(query):
        found[event.month].append(event)
    return found


def blockers(session: Session, month: Month) -> list[Blocker]:
    """All that keeps a month from closing, but the proof; none: it can close."""
    found = [
        Blocker("month-not-over", int(clock.now() < month.ends_at), "/api/v1/ledger/periods"),
        Blocker("earlier-month-open", _count(session, EARLIER, month), "/api/v1/ledger/periods"),
        *_waiting(session, month),
        Blocker("unsealed", _count(session, UNSEALED, month), "/api/v1/ledger/verify"),
    ]
    found += [blocker for others in OTHERS for blocker in others(session, month)]
    return [blocker for blocker in found if blocker.count]


def ask_to_close(session: Session, month: Month, person_id: int, reason: str | None) -> PeriodEvent:
    """The first person's word: the month becomes `closing`.

    Problem 409 `period-closing` or `period-closed`; `not-ready` with all that is in the way.
    """
    _expect(session, month, OPEN)
    _refuse(blockers(session, month) + _unproved())
    return _event(session, month, CLOSING, person_id, reason)


def close(session: Session, month: Month, person_id: int, reason: str | None) -> PeriodEvent:
    """The second person's word: all is checked again while nothing can be posted into the month.

    Problem 403 `second-person` for whoever asked; 409 `period-open`, `period-closed`, or
    `not-ready` as above.
    """
    _expect(session, month, CLOSING)
    _second_person(session, month, person_id)
    _refuse(blockers(session, month))
    _refuse(_unproved())
    return _event(session, month, CLOSED, person_id, reason)


def withdraw(session: Session, month: Month, person_id: int, reason: str) -> PeriodEvent:
    """Give up a close that was asked for. Problem 409 unless the month is `closing`."""
    _expect(session, month, CLOSING)
    return _event(session, month, WITHDRAWN, person_id, reason)


def ask_to_reopen(session: Session, month: Month, person_id: int, reason: str) -> PeriodEvent:
    """The first person's word, with the reason; the month stays closed.

    Problem 409 unless it is closed and nobody asked yet; `later-month-closed` names the month
    that has to be reopened before.
    """
    _expect(session, month, CLOSED)
    if _reopening(session, month):
        raise Problem(409, "already-asked", "Somebody asked already; another person decides.")
    later = rows(session, LATER, month=month.first)[0]["month"]
    if later:
        raise Problem(409, "later-month-closed", f"{later:%Y-%m} is closed and comes first.")
    return _event(session, month, REOPENING, person_id, reason)


def reopen(session: Session, month: Month, person_id: int, reason: str | None) -> PeriodEvent:
    """The second person's word: the month takes entries again; what was published stays.

    Problem 403 `second-person` for whoever asked; 409 when nobody did.
    """
    _answerable(session, month)
    _second_person(session, month, person_id)
    return _event(session, month, REOPENED, person_id, reason)


def decline(session: Session, month: Month, person_id: int, reason: str) -> PeriodEvent:
    """The month stays closed after all. Problem 409 when nobody asked."""
    _answerable(session, month)
    return _event(session, month, DECLINED, person_id, reason)


def _expect(session: Session, month: Month, wanted: str) -> None:
    """Hold the month until the transaction ends, and refuse what its status does not allow."""
    execute(session, ONE_AT_A_TIME, {})
    execute(session, "SELECT FROM lock_months(%(days)s::date[])", {"days": [month.first]})
    status = rows(session, HELD, month=month.first)[0]["status"]
    if status != wanted:
        raise Problem(409, f"period-{status}", f"The month is {status}.")


def _answerable(session: Session, month: Month) -> None:
    _expect(session, month, CLOSED)
    if not _reopening(session, month):
        raise Problem(409, "nobody-asked", "Nobody asked to reopen the month.")


def _reopening(session: Session, month: Month) -> bool:
    last = _last(session, month)
    return last is not None and last.kind == REOPENING


def _second_person(session: Session, month: Month, person_id: int) -> None:
    last = _last(session, month)
    if last is None:
        raise not_found("question to answer")
    if last.person_id == person_id:
        raise Problem(403, "second-person", "Another person than who asked has to decide.")


def _last(session: Session, month: Month) -> PeriodEvent | None:
    query = select(PeriodEvent).where(PeriodEvent.month == month.first)
    return session.scalar(query.order_by(PeriodEvent.id.desc()).limit(1))


def _refuse(found: list[Blocker]) -> None:
    if not found:
        return
    said = ", ".join(f"{blocker.reason} ({blocker.count})" for blocker in found)
    reasons: list[dict[str, Any]] = [
        {"reason": blocker.reason, "count": blocker.count, "look_at": blocker.look_at}
        for blocker in found
    ]
    raise Problem(409, "not-ready", f"The month cannot close: {said}.", reasons=reasons)


def _waiting(session: Session, month: Month) -> list[Blocker]:
    """Source rows that occurred by the month's end and are not in the books."""
    found = rows(session, WAITING, until=month.ends_at)[0]
    at = f"/api/v1/ledger/trial-balance?as_of={month.last}"
    return [
        Blocker("unsettled", found["unsettled"], at),
        Blocker("set-aside", found["set_aside"], "/api/v1/ledger/set-aside"),
    ]


def _unproved() -> list[Blocker]:
    """The checks that fail, of all the books; read at one instant that sees what was locked."""
    proven = proof.at_one_instant(proof.verify)
    failed = [name for name, check in proven.checks.items() if not check.ok]
    return [Blocker(f"unproved: {name}", 1, "/api/v1/ledger/verify") for name in failed]


def _event(
    session: Session, month: Month, kind: str, person_id: int, reason: str | None
) -> PeriodEvent:
    event = PeriodEvent(
        month=month.first,
        kind=kind,
        person_id=person_id,
        reason=reason,
        recorded_at=clock.now(),
    )
    session.add(event)
    session.flush()
    session.refresh(event)  # a trigger says whose word it answers
    return event


def _count(session: Session, sql: str, month: Month) -> int:
    return int(rows(session, sql, month=month.first, last=month.last)[0]["count"])
