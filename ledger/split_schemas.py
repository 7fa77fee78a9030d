"""The JSON of split rules, and of what others would mean."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from core.http import Instant, Schema
from ledger.accounts import INCOMES
from ledger.division import COMMUNITY, PRIVATE
from ledger.schemas import DATE

LARGEST_WEIGHT = 10_000
WEIGHT = validate.Range(min=0, max=LARGEST_WEIGHT)
PERMILLE = validate.Range(min=0, max=1000)
VOTES = validate.Range(min=0, max=1_000_000)
MONTH = validate.Regexp(r"\A20[0-9]{2}-(0[1-9]|1[0-2])\Z", error="Must be a month like 2026-10.")
MOST_RULES = 100


class SharesSchema(Schema):
    """Integer weights; only their ratio counts."""

    micro_fund = fields.Integer(strict=True, load_default=0, validate=WEIGHT)
    property = fields.Integer(strict=True, load_default=0, validate=WEIGHT)
    owner = fields.Integer(strict=True, load_default=0, validate=WEIGHT)


class VoteSchema(Schema):
    """表决: when, how many, what share of the area, and where the minutes are."""

    decided_on = fields.Date(allow_none=True, validate=DATE)
    votes_for = fields.Integer(strict=True, allow_none=True, validate=VOTES)
    votes_against = fields.Integer(strict=True, allow_none=True, validate=VOTES)
    votes_abstained = fields.Integer(strict=True, allow_none=True, validate=VOTES)
    area_for_permille = fields.Integer(
        strict=True,
        allow_none=True,
        validate=PERMILLE,
        metadata={"description": "‰ of the exclusive area that voted for it (民法典 §278)"},
    )
    reference = fields.String(allow_none=True, validate=validate.Length(min=1, max=256))

    @validates_schema
    def _counted_together(self, data: dict[str, Any], **_: Any) -> None:
        counts = ("votes_for", "votes_against", "votes_abstained")
        given = [name for name in counts if data.get(name) is not None]
        if len(given) not in {0, len(counts)}:
            raise ValidationError("give all three counts, or none", given[0])


class DivisionSchema(Schema):
    """How income of one source divides: cost first, then shares by weight."""

    income = fields.String(required=True, validate=validate.OneOf(list(INCOMES)))
    ownership = fields.String(required=True, validate=validate.OneOf([COMMUNITY, PRIVATE]))
    lot = fields.String(
        load_default=None,
        validate=validate.Length(min=1, max=64),
        metadata={"description": "null: every lot; a lot's own rule goes before those"},
    )
    cost_permille = fields.Integer(
        strict=True,
        load_default=0,
        validate=PERMILLE,
        metadata={"description": "‰ of the income, to the provider as recovered cost"},
    )
    shares = fields.Nested(SharesSchema, required=True)

    @validates_schema
    def _shares_fit(self, data: dict[str, Any], **_: Any) -> None:
        weights = data["shares"]
        if not any(weights.values()):
            raise ValidationError("at least one share must be above zero", "shares")
        if weights["owner"] and data["ownership"] != PRIVATE:
            raise ValidationError("only a private space has an owner to share with", "shares")


class SplitRuleSchema(DivisionSchema):
    """How income of one source divides from a date on, and who decided it.

    Rules are only added; `version` counts those of one income, ownership and lot.
    """

    id = fields.Integer(dump_only=True)
    version = fields.Integer(dump_only=True)
    valid_from = fields.Date(required=True, validate=DATE)
    decided_by = fields.String(required=True, validate=validate.Length(min=1, max=256))
    vote = fields.Nested(VoteSchema, load_default=dict)
    recorded_at = Instant(dump_only=True)

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:
        """The weights and the vote are columns of the rule itself."""
        return obj if attr in {"shares", "vote"} else super().get_attribute(obj, attr, default)


class SplitWhatIfSchema(Schema):
    """A month, the last one if not given, and the rules to divide its charges by instead."""

    month = fields.String(load_default=None, validate=MONTH)
    rules = fields.List(
        fields.Nested(DivisionSchema),
        required=True,
        validate=validate.Length(min=1, max=MOST_RULES),
    )


class RecipientsSchema(Schema):
    """Who has how much of it; undivided is what no rule says anything about."""

    fund_fen = fields.Integer()
    cost_fen = fields.Integer(metadata={"description": "cost recovered by the provider"})
    provider_fen = fields.Integer()
    owners_fen = fields.Integer(metadata={"description": "of private spaces, to their owners"})
    undivided_fen = fields.Integer()


class IncomeComparedSchema(Schema):
    """One income of the month, divided both ways; `difference` is what `then` has more."""

    income = fields.String()
    charges = fields.Integer()
    amount_fen = fields.Integer()
    now = fields.Nested(RecipientsSchema)
    then = fields.Nested(RecipientsSchema)
    difference = fields.Nested(RecipientsSchema)


class SplitComparedSchema(Schema):
    """A month's real charges, divided as they are and as they would be.

    A charge of several incomes counts once in `charges`, and once in each of its incomes.
    """

    month = fields.String()
    charges = fields.Integer()
    amount_fen = fields.Integer()
    now = fields.Nested(RecipientsSchema)
    then = fields.Nested(RecipientsSchema)
    difference = fields.Nested(RecipientsSchema)
    incomes = fields.List(fields.Nested(IncomeComparedSchema))
