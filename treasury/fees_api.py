"""Routes of fees: made smaller, given back, grown old, written off."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import db
from core.idempotency import ONCE, once
from core.paging import cut, page_of
from identity.auth import current, requires
from identity.models import ADMIN, AUDITOR, FINANCE, OPERATOR, RESIDENT
from ledger.source_models import FeeRefund
from treasury import fee_credits, receivables, refunds, write_offs
from treasury.fee_credits import Cause
from treasury.models import Credit, WriteOff, WriteOffRule
from treasury.schemas import (
    AgeingFilterSchema,
    AgeingSchema,
    CreditSchema,
    NewCreditSchema,
    NewRefundSchema,
    NewWriteOffSchema,
    NothingSchema,
    RefundSchema,
    WriteOffFilterSchema,
    WriteOffRuleSchema,
    WriteOffSchema,
)

blueprint = Blueprint("fees", __name__, url_prefix="/api/v1", description="减免、退费、核销")

READERS = (FINANCE, AUDITOR, ADMIN)
BOOKKEEPERS = (FINANCE, ADMIN)
DESK = (OPERATOR, FINANCE, ADMIN)


@blueprint.get("/credits")
@requires(*READERS)
@blueprint.response(200, CreditSchema(many=True))
@blueprint.paginate()
def list_credits(pagination_parameters: PaginationParameters) -> Any:
    """Credits and their reasons, the newest first."""
    query = fee_credits.raised_credits()
    return db.session.execute(cut(query, pagination_parameters)).all()


@blueprint.post("/credits")
@requires(*DESK)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewCreditSchema)
@blueprint.response(201, CreditSchema)
def credit(body: dict[str, Any]) -> Response:
    """Take back what is unpaid of a fee, with a reason."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        raised = fee_credits.credit_unpaid(
            session,
            charge_id=body["charge_id"],
            amount_fen=body.get("amount_fen"),
            cause=Cause(body["reason"], who),
        )
        query = fee_credits.raised_credits().where(Credit.charge_id == raised.id)
        said: dict[str, Any] = CreditSchema().dump(session.execute(query).one())
        return said

    return once(f"person:{who}", body, 201, effect)


@blueprint.get("/refunds")
@requires(RESIDENT, OPERATOR, *READERS)
@blueprint.response(200, RefundSchema(many=True))
@blueprint.paginate()
def list_refunds(pagination_parameters: PaginationParameters) -> list[FeeRefund]:
    """Refunds, the newest first; residents see their household's."""
    return page_of(refunds.refunds(current().household_id), pagination_parameters)


@blueprint.post("/refunds")
@requires(*DESK)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewRefundSchema)
@blueprint.response(201, RefundSchema)
def refund(body: dict[str, Any]) -> Response:
    """Give back what was paid for a fee, and make the fee smaller by as much."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        wanted = {"amount_fen": None} | body
        return dumped(RefundSchema, refunds.refund(session, asked_by=who, **wanted))

    return once(f"person:{who}", body, 201, effect)


@blueprint.get("/ledger/receivables")
@requires(*READERS)
@blueprint.arguments(AgeingFilterSchema, location="query", unknown=None)
@blueprint.response(200, AgeingSchema)
def list_receivables(wanted: dict[str, Any]) -> receivables.Ageing:
    """What is unpaid at the end of a day, by age; beside what the books say."""
    today = clock.now().astimezone(settings().zone).date()
    as_of = wanted.get("as_of", today)
    return receivables.ageing(db.session(), as_of, by_party="by" in wanted)


@blueprint.get("/write-off-rules")
@requires(*READERS)
@blueprint.response(200, WriteOffRuleSchema(many=True))
@blueprint.paginate()
def list_rules(pagination_parameters: PaginationParameters) -> list[WriteOffRule]:
    """Rules of writing off, the newest first."""
    return page_of(write_offs.rules(), pagination_parameters)


@blueprint.post("/write-off-rules")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(WriteOffRuleSchema)
@blueprint.response(201, WriteOffRuleSchema)
def add_rule(body: dict[str, Any]) -> Response:
    """Record from when on what is written off, and who decided it."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        return dumped(WriteOffRuleSchema, write_offs.add_rule(session, recorded_by=who, **body))

    return once(f"person:{who}", body, 201, effect)


@blueprint.get("/write-offs")
@requires(*READERS)
@blueprint.arguments(WriteOffFilterSchema, location="query", unknown=None)
@blueprint.response(200, WriteOffSchema(many=True))
@blueprint.paginate()
def list_write_offs(
    wanted: dict[str, str], pagination_parameters: PaginationParameters
) -> list[WriteOff]:
    """Write-offs, the newest first."""
    return page_of(write_offs.write_offs(**wanted), pagination_parameters)


@blueprint.post("/write-offs")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewWriteOffSchema)
@blueprint.response(201, WriteOffSchema)
def draft_write_off(body: dict[str, Any]) -> Response:
    """Propose to give up what is unpaid of a fee."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        return dumped(WriteOffSchema, write_offs.draft(session, drafted_by=who, **body))

    return once(f"person:{who}", body, 201, effect)


@blueprint.post("/write-offs/<int:number>/<any(approve,reject):step>")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NothingSchema)
@blueprint.response(200, WriteOffSchema)
def decide_write_off(body: dict[str, Any], number: int, step: str) -> Response:
    """Approve it, which takes another person than who proposed it, or reject it."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        decided = write_offs.decide(session, number, approved=step == "approve", decided_by=who)
        return dumped(WriteOffSchema, decided)

    return once(f"person:{who}", body, 200, effect)


def dumped(schema: type[Any], row: Any) -> dict[str, Any]:
    """The row as JSON."""
    said: dict[str, Any] = schema().dump(row)
    return said
