"""The nightly proof, kept: every check, what stood beside what, and the heads of that night."""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import Select, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from core import clock
from core.errors import not_found
from ledger import proof, seals, side_by_side
from ledger.posting import rows
from ledger.proof_models import ProofReport

log = structlog.get_logger()

NIGHT_HOUR = 3
"""When, by the community's clock, the day before is thought to be all in the books."""

ONE_PROVES = "SELECT pg_try_advisory_xact_lock('proof_report'::regclass::oid::bigint) AS got"
PROVED = "SELECT FROM proof_report WHERE day = %(day)s"

SIDES: dict[str, Callable[[Session], list[dict[str, Any]]]] = {}
"""What packages lay beside each other for the report: rows with source, verdict, counts, fen."""


def prove_tonight(session: Session, now: datetime, zone: ZoneInfo) -> int:
    """Prove the books and keep the report, once a day of the community; returns how many.

    A night that was lost is made good the same day. Two provers do not meet: the second finds
    nothing to do. A proof that fails is kept as it is, and raises an alarm.
    """
    local = now.astimezone(zone)
    if local.hour < NIGHT_HOUR or not rows(session, ONE_PROVES)[0]["got"]:
        return 0
    if rows(session, PROVED, day=local.date()):
        return 0
    report: dict[str, Any] = {"day": local.date(), "started_at": clock.now()}
    report |= proof.at_one_instant(_told)
    report["finished_at"] = clock.now()
    kept = insert(ProofReport).values(report).on_conflict_do_nothing(index_elements=["day"])
    session.execute(kept)
    _alarm(local.date(), report["checks"])
    return 1


def reports() -> Select[ProofReport]:
    """Every report, the newest first."""
    return select(ProofReport).order_by(ProofReport.day.desc())


def report(session: Session, report_id: int) -> ProofReport:
    """One report; Problem 404."""
    found = session.get(ProofReport, report_id)
    if found is None:
        raise not_found("proof")
    return found


def failed(checks: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The names of the checks that did not pass."""
    return sorted(name for name, check in checks.items() if not check["ok"])


def _told(snapshot: Session, beside: Session) -> dict[str, Any]:
    """All that a report says of one instant."""
    found = proof.verify(snapshot, beside)
    sides = side_by_side.sides(snapshot)
    for more in SIDES.values():
        sides += more(snapshot)
    return {
        "ok": found.ok,
        "checks": {name: check._asdict() for name, check in found.checks.items()},
        "sides": sides,
        "heads": [_head(day) for day in seals.heads(snapshot)],
    }


def _head(day: seals.Day) -> dict[str, Any]:
    return {"book": day.book, "day": day.day.isoformat(), "open": day.open, "head": day.head.hex()}


def _alarm(day: date, checks: Mapping[str, Mapping[str, Any]]) -> None:
    wrong = failed(checks)
    if wrong:
        details = {name: checks[name]["detail"] for name in wrong}
        log.error("the books do not prove right", day=day.isoformat(), checks=details)
