"""Routes: how income divides, and what other rules would mean."""

from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import func, select

from core import clock
from core.app import settings
from core.db import atomic, db
from identity.auth import requires
from identity.models import ADMIN, AUDITOR, FINANCE
from ledger import split_rules, split_whatif
from ledger.models import SplitRule
from ledger.split_schemas import SplitComparedSchema, SplitRuleSchema, SplitWhatIfSchema

blueprint = Blueprint(
    "split-rules", __name__, url_prefix="/api/v1/ledger", description="分成规则 · who shares income"
)

READERS = (FINANCE, AUDITOR, ADMIN)


@blueprint.get("/split-rules")
@requires(*READERS)
@blueprint.response(200, SplitRuleSchema(many=True))
@blueprint.paginate()
def list_split_rules(pagination_parameters: PaginationParameters) -> list[SplitRule]:
    """How income divides, the newest rule first."""
    page, query = pagination_parameters, split_rules.split_rules()
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    page.item_count = db.session.scalar(counted)
    return list(db.session.scalars(query.offset(page.first_item).limit(page.page_size)))


@blueprint.post("/split-rules")
@requires(FINANCE, ADMIN)
@blueprint.arguments(SplitRuleSchema)
@blueprint.response(201, SplitRuleSchema)
def add_split_rule(body: dict[str, Any]) -> SplitRule:
    """Record how income divides from a date on, and who decided it."""
    return atomic(split_rules.add, **body)


@blueprint.post("/split-rules/what-if")
@requires(*READERS)
@blueprint.arguments(SplitWhatIfSchema)
@blueprint.response(200, SplitComparedSchema)
def what_if(body: dict[str, Any]) -> dict[str, Any]:
    """How a month's real charges would divide by other rules; nothing is written."""
    now, zone = clock.now(), settings().zone
    return split_whatif.what_if(db.session(), **body, now=now, zone=zone)
