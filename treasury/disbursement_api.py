"""Routes of money that leaves: payouts, shares passed on, expenses, and owners' statements."""

from datetime import date
from typing import Any
from urllib.parse import quote

from flask import Response
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy.orm import Session

from core.db import db
from core.errors import not_found
from core.idempotency import ONCE, once
from core.paging import page_of
from identity.auth import current, requires
from identity.models import RESIDENT
from treasury import disbursements, evidence, owner_statements, payouts
from treasury.disbursement_schemas import (
    MONTH,
    DisbursementFilterSchema,
    DisbursementSchema,
    DraftedSchema,
    EvidenceSchema,
    NewDepositSchema,
    NewEvidenceSchema,
    NewExpenseSchema,
    NewPayoutsSchema,
    NewShareSchema,
    OwnerStatementSchema,
    PaidSchema,
    RejectionSchema,
    WholeOwnerStatementSchema,
)
from treasury.fees_api import BOOKKEEPERS, READERS, dumped
from treasury.models import Disbursement, Evidence
from treasury.schemas import NothingSchema

blueprint = Blueprint("disbursements", __name__, url_prefix="/api/v1", description="付款单")


@blueprint.get("/disbursements")
@requires(*READERS)
@blueprint.arguments(DisbursementFilterSchema, location="query", unknown=None)
@blueprint.response(200, DisbursementSchema(many=True))
@blueprint.paginate()
def list_disbursements(
    wanted: dict[str, str], pagination_parameters: PaginationParameters
) -> list[Disbursement]:
    """Disbursements, the newest first."""
    return page_of(disbursements.disbursements(**wanted), pagination_parameters)


@blueprint.get("/disbursements/<int:number>")
@requires(*READERS)
@blueprint.response(200, DisbursementSchema)
def show_disbursement(number: int) -> Disbursement:
    """One of them."""
    return disbursements.disbursement(db.session(), number)


@blueprint.post("/disbursements/expenses")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewExpenseSchema)
@blueprint.response(201, DisbursementSchema)
def draft_expense(body: dict[str, Any]) -> Response:
    """Draft an expense; it needs evidence and another person's approval."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        drafted = disbursements.draft_expense(session, drafted_by=who, **body)
        return dumped(DisbursementSchema, drafted)

    return once(f"person:{who}", body, 201, effect)


@blueprint.post("/disbursements/payouts")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewPayoutsSchema)
@blueprint.response(201, DraftedSchema)
def draft_payouts(body: dict[str, Any]) -> Response:
    """Draft what a finished month left to owners of spaces; once for each of them."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        drafted = payouts.draft_payouts(session, drafted_by=who, **body)
        return dumped(DraftedSchema, {"drafted": drafted})

    return once(f"person:{who}", body, 201, effect)


@blueprint.post("/disbursements/shares")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewShareSchema)
@blueprint.response(201, DisbursementSchema)
def draft_share(body: dict[str, Any]) -> Response:
    """Draft what the owners' book passes on to the micro-fund or the provider."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        wanted = {"amount_fen": None} | body
        return dumped(DisbursementSchema, payouts.draft_share(session, drafted_by=who, **wanted))

    return once(f"person:{who}", body, 201, effect)


@blueprint.post("/disbursements/deposits")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewDepositSchema)
@blueprint.response(201, DisbursementSchema)
def draft_deposit(body: dict[str, Any]) -> Response:
    """Draft that counted cash of a book goes to its bank; another person counts and approves."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        drafted = disbursements.draft_deposit(session, drafted_by=who, **body)
        return dumped(DisbursementSchema, drafted)

    return once(f"person:{who}", body, 201, effect)


@blueprint.post("/disbursements/<int:number>/approve")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NothingSchema)
@blueprint.response(200, DisbursementSchema)
def approve(body: dict[str, Any], number: int) -> Response:
    """Approve what somebody else drafted."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        return dumped(DisbursementSchema, disbursements.approve(session, number, who))

    return once(f"person:{who}", body, 200, effect)


@blueprint.post("/disbursements/<int:number>/reject")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(RejectionSchema)
@blueprint.response(200, DisbursementSchema)
def reject(body: dict[str, Any], number: int) -> Response:
    """Reject it, with a reason, before it is paid."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        rejected = disbursements.reject(session, number, who, body["reason"])
        return dumped(DisbursementSchema, rejected)

    return once(f"person:{who}", body, 200, effect)


@blueprint.post("/disbursements/<int:number>/pay")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(PaidSchema)
@blueprint.response(200, DisbursementSchema)
def pay(body: dict[str, Any], number: int) -> Response:
    """Say that it was paid, and by which reference of the bank."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        said = {"bank_reference": None, "paid_at": None} | body
        return dumped(DisbursementSchema, disbursements.pay(session, number, who, **said))

    return once(f"person:{who}", body, 200, effect)


@blueprint.get("/disbursements/<int:number>/evidence")
@requires(*READERS)
@blueprint.response(200, EvidenceSchema(many=True))
def list_evidence(number: int) -> list[Evidence]:
    """The files of a disbursement."""
    disbursements.disbursement(db.session(), number)
    return evidence.evidence_of(db.session(), number)


@blueprint.post("/disbursements/<int:number>/evidence")
@requires(*BOOKKEEPERS)
@blueprint.doc(parameters=ONCE)
@blueprint.arguments(NewEvidenceSchema)
@blueprint.response(201, EvidenceSchema)
def attach(body: dict[str, Any], number: int) -> Response:
    """Attach a file; the same again is the first one."""
    who = current().id

    def effect(session: Session) -> dict[str, Any]:
        return dumped(EvidenceSchema, evidence.attach(session, number, by=who, **body))

    return once(f"person:{who}", body, 201, effect)


@blueprint.get("/disbursements/<int:number>/evidence/<int:evidence_id>")
@requires(*READERS)
@blueprint.doc(responses={"200": {"description": "the file as it came"}})
def show_evidence(number: int, evidence_id: int) -> Response:
    """A file, to be saved: it may say anything, so no browser shows it as ours."""
    found = evidence.evidence(db.session(), number, evidence_id)
    answer = Response(found.content, mimetype=found.media_type)
    name = quote(found.filename, safe="")
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{name}"
    return answer


@blueprint.get("/owner-statements/<string:month>")
@requires(RESIDENT, *READERS)
@blueprint.response(200, OwnerStatementSchema(many=True))
def list_owner_statements(month: str) -> list[dict[str, Any]]:
    """A month (as 2026-10) of every owner; a resident sees their own household's only."""
    mine = current().household_id
    return list(owner_statements.owner_statements(db.session(), _month(month), mine))


@blueprint.get("/owner-statements/<string:month>/<int:household_id>")
@requires(RESIDENT, *READERS)
@blueprint.response(200, WholeOwnerStatementSchema)
def show_owner_statement(month: str, household_id: int) -> dict[str, Any]:
    """One owner's month with its lines."""
    if current().household_id not in {None, household_id}:
        raise not_found("owner's statement")
    return owner_statements.owner_statement(db.session(), _month(month), household_id)


def _month(said: str) -> date:
    if not MONTH.fullmatch(said):
        raise not_found("month")
    return date.fromisoformat(f"{said}-01")
