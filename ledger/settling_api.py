"""Routes: how settlement stands, what it set aside, and the nightly proofs."""

from collections.abc import Sequence
from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters

from core.db import atomic, db
from core.paging import page_of
from identity.auth import current, requires
from identity.models import ADMIN, AUDITOR, FINANCE
from ledger import proof_reports, set_aside
from ledger.proof_models import ProofReport
from ledger.settling_schemas import (
    ProofReportSchema,
    ReleasedSchema,
    SetAsideFilterSchema,
    SetAsideReasonSchema,
    UnpostedSchema,
    WholeProofReportSchema,
)

blueprint = Blueprint(
    "settlement", __name__, url_prefix="/api/v1/ledger", description="结算与核验 · is all of it in"
)

READERS = (FINANCE, AUDITOR, ADMIN)


@blueprint.get("/set-aside")
@requires(*READERS)
@blueprint.arguments(SetAsideFilterSchema, location="query", unknown=None)
@blueprint.response(200, UnpostedSchema(many=True))
@blueprint.paginate()
def list_set_aside(
    wanted: dict[str, Any], pagination_parameters: PaginationParameters
) -> Sequence[Any]:
    """Source rows that settlement could not post, and why; the oldest first."""
    page = pagination_parameters
    count, found = set_aside.found(db.session(), wanted["reason"], page.page_size, page.first_item)
    page.item_count = count
    return found


@blueprint.post("/set-aside/release")
@requires(FINANCE, ADMIN)
@blueprint.arguments(SetAsideReasonSchema)
@blueprint.response(200, ReleasedSchema)
def release_reason(body: dict[str, str]) -> dict[str, Any]:
    """Let settlement try all rows again that were set aside for a reason."""
    return atomic(set_aside.release_reason, body["reason"], current().id)


@blueprint.post("/set-aside/<string:table>/<int:row_id>/release")
@requires(FINANCE, ADMIN)
@blueprint.response(200, ReleasedSchema)
def release_row(table: str, row_id: int) -> dict[str, Any]:
    """Let settlement try one row again."""
    return atomic(set_aside.release_row, table, row_id, current().id)


@blueprint.get("/proofs")
@requires(*READERS)
@blueprint.response(200, ProofReportSchema(many=True))
@blueprint.paginate()
def list_proofs(pagination_parameters: PaginationParameters) -> list[ProofReport]:
    """The nightly proofs, the newest first."""
    return page_of(proof_reports.reports(), pagination_parameters)


@blueprint.get("/proofs/<int:proof_id>")
@requires(*READERS)
@blueprint.response(200, WholeProofReportSchema)
def show_proof(proof_id: int) -> ProofReport:
    """One night's proof: every check, what stood beside what, the heads of the books."""
    return proof_reports.report(db.session(), proof_id)
