"""核销: giving up what nobody will pay, by a dated rule or by two people."""

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from core import clock
from core.errors import Problem, not_found
from ledger.posting import rows
from ledger.source_models import Receivable
from treasury.fee_credits import Cause, raise_credit, receivable_of
from treasury.models import APPROVED, DRAFTED, REJECTED, WriteOff, WriteOffRule

# What somebody is deciding on is left to them.
OLD = """
SELECT r.source, r.source_id FROM receivable AS r
JOIN charge AS fee ON fee.kind = 'fee' AND (fee.source, fee.source_id) = (r.source, r.source_id)
WHERE r.charged_fen - r.paid_fen BETWEEN 1 AND %(at_most_fen)s AND fee.occurred_at < %(before)s
    AND NOT EXISTS (
        SELECT FROM write_off AS w WHERE w.status = 'drafted'
            AND (w.source, w.source_id) = (r.source, r.source_id)
    )
ORDER BY fee.occurred_at LIMIT %(limit)s FOR NO KEY UPDATE OF r SKIP LOCKED
"""


def rules() -> Select[Any]:
    """Every rule, the newest first."""
    return select(WriteOffRule).order_by(WriteOffRule.valid_from.desc(), WriteOffRule.id.desc())


def add_rule(session: Session, *, recorded_by: int, **rule: Any) -> WriteOffRule:
    """Record what is written off from `valid_from` on, until a later rule."""
    added = WriteOffRule(recorded_by=recorded_by, recorded_at=clock.now(), **rule)
    session.add(added)
    session.flush()
    return added


def rule_of(session: Session, day: date) -> WriteOffRule | None:
    """The rule in force that day: the newest `valid_from` not after it, the later recorded."""
    found: WriteOffRule | None = session.scalar(
        rules().where(WriteOffRule.valid_from <= day).limit(1)
    )
    return found


def sweep(session: Session, now: datetime, today: date, limit: int) -> int:
    """Write off by the rule in force, up to `limit` receivables; returns how many.

    A receivable is old when its fee is older than the rule's days at `now`. Two sweeps at once
    share what is due.
    """
    rule = rule_of(session, today)
    if rule is None or not rule.at_most_fen:
        return 0
    before = now - timedelta(days=rule.older_than_days)
    found = rows(session, OLD, at_most_fen=rule.at_most_fen, before=before, limit=limit)
    for row in found:
        owed = session.get_one(
            Receivable, (row["source"], row["source_id"]), populate_existing=True
        )
        written = WriteOff(
            source=owed.source,
            source_id=owed.source_id,
            amount_fen=owed.charged_fen - owed.paid_fen,
            reason=f"超过{rule.older_than_days}天未缴，按规则核销（{rule.decided_by}）"[:256],
            rule_id=rule.id,
            status=APPROVED,
            drafted_at=now,
            decided_at=now,
        )
        session.add(written)
        _credit(session, written, owed)
    return len(found)


def draft(session: Session, *, charge_id: int, reason: str, drafted_by: int) -> WriteOff:
    """Propose to give up what is unpaid of a fee. Problem 404, 409 `nothing-due` or `drafted`."""
    owed = receivable_of(session, charge_id)
    if owed.charged_fen == owed.paid_fen:
        raise Problem(409, "nothing-due", "Nothing is due.")
    about = select(WriteOff.id).where(
        WriteOff.source == owed.source,
        WriteOff.source_id == owed.source_id,
        WriteOff.status == DRAFTED,
    )
    if session.scalar(about):
        raise Problem(409, "drafted-before", "Somebody has proposed it already.")
    wanted = WriteOff(
        source=owed.source,
        source_id=owed.source_id,
        amount_fen=owed.charged_fen - owed.paid_fen,
        reason=reason,
        status=DRAFTED,
        drafted_by=drafted_by,
        drafted_at=clock.now(),
    )
    session.add(wanted)
    session.flush()
    return wanted


def decide(session: Session, number: int, *, approved: bool, decided_by: int) -> WriteOff:
    """Another person approves it, and the fee is credited; or anybody rejects it.

    Problem 404; 409 `decided-before`, `second-person-needed`, or `amount-differs` when something
    of it was paid since.
    """
    written = session.get(WriteOff, number, with_for_update=True, populate_existing=True)
    if written is None:
        raise not_found("write-off")
    if written.status != DRAFTED:
        raise Problem(409, "decided-before", f"It was {written.status}.")
    if approved and written.drafted_by == decided_by:
        raise Problem(409, "second-person-needed", "Somebody else has to approve it.")
    written.status = APPROVED if approved else REJECTED
    written.decided_by, written.decided_at = decided_by, clock.now()
    if approved:
        owed = session.get_one(
            Receivable,
            (written.source, written.source_id),
            with_for_update=True,
            populate_existing=True,
        )
        if owed.charged_fen - owed.paid_fen != written.amount_fen:
            raise Problem(409, "amount-differs", "It was paid or changed since it was proposed.")
        _credit(session, written, owed)
    session.flush()
    return written


def write_offs(status: str | None = None) -> Select[Any]:
    """Write-offs, the newest first; of one status if given."""
    query = select(WriteOff).order_by(WriteOff.id.desc())
    return query if status is None else query.where(WriteOff.status == status)


def _credit(session: Session, written: WriteOff, owed: Receivable) -> None:
    session.flush()
    cause = Cause(written.reason, written.drafted_by, write_off_id=written.id)
    raise_credit(session, owed, written.amount_fen, cause)
