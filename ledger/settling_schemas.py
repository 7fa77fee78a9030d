"""The JSON of how settlement stands: rows set aside, and nightly proofs."""

from typing import Any

from marshmallow import fields, validate

from core.http import Instant, Schema
from ledger import proof_reports
from ledger.schemas import CheckSchema, FilterSchema

REASON = validate.Length(min=1, max=64)


class SetAsideFilterSchema(FilterSchema):
    """Why."""

    reason = fields.String(load_default=None, validate=REASON)


class UnpostedSchema(Schema):
    """A source row that settlement could not post."""

    table = fields.String()
    id = fields.Integer()
    reason = fields.String()
    amount_fen = fields.Integer()
    occurred_at = Instant()
    recorded_at = Instant()


class SetAsideReasonSchema(Schema):
    """Which rows to try again."""

    reason = fields.String(required=True, validate=REASON)


class ReleasedSchema(Schema):
    """How many rows settlement tries again."""

    released = fields.Integer()


class ProofReportSchema(Schema):
    """A nightly proof, and what failed."""

    id = fields.Integer()
    day = fields.Date()
    started_at = Instant()
    finished_at = Instant()
    ok = fields.Boolean()
    failed = fields.Function(lambda report: proof_reports.failed(report.checks))


class ProofSideSchema(Schema):
    """Rows of one kind and verdict beside their entries, or payments beside lines of bills."""

    source = fields.String()
    verdict = fields.String()
    rows = fields.Integer()
    rows_fen = fields.Integer()
    entries = fields.Integer()
    entries_fen = fields.Integer()
    lines = fields.Integer()
    lines_fen = fields.Integer()
    difference_fen = fields.Method("_difference", dump_only=True)

    def _difference(self, side: dict[str, Any]) -> int:
        """What the rows have more; the verdict explains it."""
        there: int = side.get("entries_fen", side.get("lines_fen", 0))
        return int(side["rows_fen"]) - there


class ProofHeadSchema(Schema):
    """The newest head of a book that night."""

    book = fields.String()
    day = fields.String()
    open = fields.Boolean()
    head = fields.String()


class WholeProofReportSchema(ProofReportSchema):
    """A nightly proof with all that it saw."""

    checks = fields.Dict(keys=fields.String(), values=fields.Nested(CheckSchema))
    sides = fields.List(fields.Nested(ProofSideSchema))
    heads = fields.List(fields.Nested(ProofHeadSchema))
