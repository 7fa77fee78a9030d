"""How income divides: which rule is in force, its cost first, then shares by weight. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from core.money import shares

COMMUNITY, PRIVATE = "community", "private"
"""Whose place earned it."""


@dataclass(frozen=True, slots=True)
class Split:
    """A split rule: of one income, ownership and perhaps lot, from a date on.

    `cost_permille` of the income is recovered cost, then integer weights share out the rest.
    """

    id: int
    income: str
    ownership: str
    micro_fund: int
    property: int
    owner: int
    valid_from: date
    lot: str | None = None
    cost_permille: int = 0

    def divide(self, amount_fen: int) -> "Divided":
        """Cost first, then shares, each by largest remainder; a negative amount is the mirror."""
        cost_fen, rest_fen = shares(amount_fen, (self.cost_permille, 1000 - self.cost_permille))
        weights = self.micro_fund, self.property, self.owner
        return Divided(self.income, self.id, cost_fen, *shares(rest_fen, weights))


@dataclass(frozen=True, slots=True)
class Divided:
    """What the rule of one income gives to whom: all of the income, to the fen."""

    income: str
    rule_id: int
    cost_fen: int
    fund_fen: int
    provider_fen: int
    owner_fen: int

    def less(self, before: "Divided") -> "Divided":
        """What is more than `before`."""
        return Divided(
            self.income,
            self.rule_id,
            self.cost_fen - before.cost_fen,
            self.fund_fen - before.fund_fen,
            self.provider_fen - before.provider_fen,
            self.owner_fen - before.owner_fen,
        )


def rule_for(
    rules: Iterable[Split], income: str, ownership: str, on: date, lot: str | None = None
) -> Split | None:
    """The rule in force that day: the newest `valid_from` not after it, the later recorded.

    Once a lot has a rule of its own, that goes before the general ones, however new they are:
    who voted for one lot meant that lot.
    """
    fit = [
        rule
        for rule in rules
        if (rule.income, rule.ownership) == (income, ownership)
        and rule.lot in {None, lot}
        and rule.valid_from <= on
    ]
    return max(fit, key=lambda rule: (rule.lot is not None, rule.valid_from, rule.id), default=None)


def divide(amount_fen: int, before_fen: int, rule: Split) -> Divided:
    """What `amount_fen` more gives to whom, after so much was divided by this rule."""
    whole = rule.divide(before_fen + amount_fen)
    return whole.less(rule.divide(before_fen)) if before_fen else whole
