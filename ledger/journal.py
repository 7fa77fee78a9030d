"""What a charge, a payment or a top-up becomes in the books; nothing here touches a database."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from core.money import shares
from ledger.accounts import (
    CASH,
    CLEARING,
    COMPANIES_PREPAID,
    COMPANY,
    INCOMES,
    OWNERS_PAYABLE,
    PREPAID,
    PROPERTY_COMPANY,
    PROPERTY_PAYABLE,
    RECEIVABLE,
    party_of,
)

SETTLE = "settle"
GENESIS = bytes(32)
"""The hash before the first entry's."""

COMMUNITY, PRIVATE = "community", "private"
KIND_NAMES = {"fee": "", "supplement": "补收", "credit": "减免"}
METHOD_NAMES = {"cash": "现金收款", "balance": "余额支付", "wechat": "微信收款"}


@dataclass(frozen=True, slots=True)
class Line:
    """One posting: debit positive, in fen; the rule that made it where the entry has several."""

    account: str
    party: str | None
    amount_fen: int
    split_rule_id: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One journal entry before the database gave it a number."""

    source: str
    source_id: int
    occurred_on: date
    memo: str
    lines: tuple[Line, ...]
    purpose: str = SETTLE
    split_rule_id: int | None = None
    reverses_id: int | None = None

    @property
    def key(self) -> tuple[str, int, str]:
        """What makes the entry unique: its cause."""
        return self.source, self.source_id, self.purpose


@dataclass(frozen=True, slots=True)
class Split:
    """A split rule: integer weights of one income source and ownership, from a date on."""

    id: int
    income: str
    ownership: str
    micro_fund: int
    property: int
    owner: int
    valid_from: date


@dataclass(frozen=True, slots=True)
class ChargeFacts:
    """What of a charge matters to the books."""

    id: int
    kind: str
    source: str
    source_id: int
    income: str
    household_id: int | None
    owner_household_id: int | None
    amount_fen: int
    occurred_on: date
    parts: Mapping[str, int] | None = None
    company: str | None = None

    @property
    def by_income(self) -> dict[str, int]:
        """Fen by income; an income that came to nothing is left out."""
        parts = {self.income: self.amount_fen} if self.parts is None else self.parts
        return {income: fen for income, fen in parts.items() if fen}

    @property
    def ownership(self) -> str:
        """Whose place earned it."""
        return COMMUNITY if self.owner_household_id is None else PRIVATE


def rule_for(rules: Iterable[Split], income: str, ownership: str, on: date) -> Split | None:
    """The rule in force that day: the newest `valid_from` not after it, the later recorded."""
    fit = [
        rule
        for rule in rules
        if (rule.income, rule.ownership) == (income, ownership) and rule.valid_from <= on
    ]
    return max(fit, key=lambda rule: (rule.valid_from, rule.id), default=None)


def of_charge(charge: ChargeFacts, rules: Mapping[str, Split]) -> Entry:
    """Debit what the debtor owes; credit the fund, the property company and the owner.

    Each income is divided by its own rule of `rules`: the shares follow the weights and sum to
    the income by largest remainder; a credit is the exact mirror. With several incomes every
    credited line names its rule. KeyError for an income that has no account or no rule.
    """
    parts = sorted(charge.by_income.items(), key=lambda part: INCOMES[part[0]])
    several = len(parts) > 1
    credits_ = (
        Line(account, party, -share, rules[income].id if several else None)
        for income, fen in parts
        for account, party, share in _divided(income, fen, rules[income], charge)
    )
    debtor = party_of(charge.household_id, charge.company)
    name = "、".join(INCOMES[income][1] for income, _ in parts)
    return Entry(
        source="charge",
        source_id=charge.id,
        occurred_on=charge.occurred_on,
        memo=f"{name}{KIND_NAMES[charge.kind]} {charge.source}:{charge.source_id}",
        lines=(Line(RECEIVABLE, debtor, charge.amount_fen), *credits_),
        split_rule_id=None if several else rules[parts[0][0]].id,
    )


def _divided(
    income: str, amount_fen: int, rule: Split, charge: ChargeFacts
) -> Iterator[tuple[str, str | None, int]]:
    """(account, party, share) of everyone whom the rule gives something of one income."""
    to = (
        (INCOMES[income][0], None),
        (PROPERTY_PAYABLE, PROPERTY_COMPANY),
        (OWNERS_PAYABLE, party_of(charge.owner_household_id, None)),
    )
    weights = rule.micro_fund, rule.property, rule.owner
    for (account, party), share in zip(to, shares(amount_fen, weights), strict=True):
        if share:
            yield account, party, share


def of_payment(
    payment_id: int,
    method: str,
    amount_fen: int,
    occurred_on: date,
    *,
    paid_for: str,
    payer: str | None,
    debtor: str | None,
) -> Entry:
    """Debit cash, the provider's clearing or the payer's balance; credit what was owed.

    It was owed for `paid_for`. Payer and debtor are party codes.
    """
    taken = _prepaid(payer, amount_fen) if method == "balance" else _taken(method, amount_fen)
    return Entry(
        source="payment",
        source_id=payment_id,
        occurred_on=occurred_on,
        memo=f"{METHOD_NAMES[method]} {paid_for}",
        lines=(taken, Line(RECEIVABLE, debtor, -amount_fen)),
    )


def of_top_up(
    top_up_id: int, payer: str | None, amount_fen: int, occurred_on: date, method: str = "cash"
) -> Entry:
    """Debit cash or the provider's clearing; credit the payer's prepaid balance, which we owe.

    The payer is a party code.
    """
    return Entry(
        source="top_up",
        source_id=top_up_id,
        occurred_on=occurred_on,
        memo="余额充值",
        lines=(_taken(method, amount_fen), _prepaid(payer, -amount_fen)),
    )


def _taken(method: str, amount_fen: int) -> Line:
    """Money that came in: cash in hand, or what a provider holds for us."""
    return Line(CASH if method == "cash" else CLEARING[method], None, amount_fen)


def _prepaid(payer: str | None, amount_fen: int) -> Line:
    """A move of the prepaid balance of a household or a company."""
    of_company = payer is not None and payer.startswith(COMPANY)
    return Line(COMPANIES_PREPAID if of_company else PREPAID, payer, amount_fen)


def fingerprint(entry: Entry) -> bytes:
    """SHA-256 of what an entry says, whatever number it got: equal for a repeat only."""
    return hashlib.sha256(_json(_content(entry))).digest()


def canonical(entry_id: int, recorded_at: datetime, entry: Entry) -> bytes:
    """Every field of a recorded entry and its postings, as one line of JSON in UTF-8."""
    instant = recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    return _json(["huilin-entry-1", entry_id, instant, *_content(entry)])


def seal(previous_hash: bytes, content: bytes) -> bytes:
    """The next link of the chain: SHA-256 over the link before and an entry's canonical form."""
    return hashlib.sha256(previous_hash + content).digest()


def _content(entry: Entry) -> list[Any]:
    return [
        *entry.key,
        entry.occurred_on.isoformat(),
        entry.memo,
        entry.split_rule_id,
        entry.reverses_id,
        [_said(line) for line in entry.lines],
    ]


def _said(line: Line) -> list[Any]:
    said = [line.account, line.party, line.amount_fen]
    return said if line.split_rule_id is None else [*said, line.split_rule_id]


def _json(content: list[Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
