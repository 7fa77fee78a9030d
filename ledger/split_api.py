"""Routes: how income divides, and what other rules would mean."""

from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters

from core import clock
from core.app import settings
from core.db import atomic, db
from core.paging import page_of
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
    return page_of(split_rules.split_rules(), pagination_parameters)


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
