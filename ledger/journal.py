"""What a charge, a payment or a top-up becomes in the books; nothing here touches a database."""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from core.money import shares
from ledger.accounts import (
    CASH,
    INCOMES,
    OWNERS_PAYABLE,
    PREPAID,
    PROPERTY_COMPANY,
    PROPERTY_PAYABLE,
    RECEIVABLE,
    household_party,
)

SETTLE = "settle"
GENESIS = bytes(32)
"""The hash before the first entry's."""

COMMUNITY, PRIVATE = "community", "private"
KIND_NAMES = {"fee": "", "supplement": "补收", "credit": "减免"}
METHOD_NAMES = {"cash": "现金收款", "balance": "余额支付"}


@dataclass(frozen=True, slots=True)
class Line:
    """One posting: debit positive, in fen."""

    account: str
    party: str | None
    amount_fen: int


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


def of_charge(charge: ChargeFacts, rule: Split) -> Entry:
    """Debit what the household owes; credit the fund, the property company and the owner.

    The shares follow the rule's weights and sum to the charge by largest remainder; a credit
    is the exact mirror. KeyError for an income that has no account.
    """
    account, name = INCOMES[charge.income]
    owner = charge.owner_household_id
    to = (
        (account, None),
        (PROPERTY_PAYABLE, PROPERTY_COMPANY),
        (OWNERS_PAYABLE, None if owner is None else household_party(owner)),
    )
    weights = rule.micro_fund, rule.property, rule.owner
    parts = shares(charge.amount_fen, weights)
    debit = Line(RECEIVABLE, _party(charge.household_id), charge.amount_fen)
    credits_ = (
        Line(account, party, -part) for (account, party), part in zip(to, parts, strict=True)
    )
    return Entry(
        source="charge",
        source_id=charge.id,
        occurred_on=charge.occurred_on,
        memo=f"{name}{KIND_NAMES[charge.kind]} {charge.source}:{charge.source_id}",
        lines=(debit, *(line for line in credits_ if line.amount_fen)),
        split_rule_id=rule.id,
    )


def of_payment(
    payment_id: int,
    method: str,
    amount_fen: int,
    occurred_on: date,
    *,
    paid_for: str,
    payer_id: int | None,
    debtor_id: int | None,
) -> Entry:
    """Debit cash, or the payer's balance; credit what the debtor owed for `paid_for`."""
    taken = {
        "cash": Line(CASH, None, amount_fen),
        "balance": Line(PREPAID, _party(payer_id), amount_fen),
    }[method]
    return Entry(
        source="payment",
        source_id=payment_id,
        occurred_on=occurred_on,
        memo=f"{METHOD_NAMES[method]} {paid_for}",
        lines=(taken, Line(RECEIVABLE, _party(debtor_id), -amount_fen)),
    )


def of_top_up(top_up_id: int, household_id: int, amount_fen: int, occurred_on: date) -> Entry:
    """Debit cash; credit the household's prepaid balance, which we owe it."""
    return Entry(
        source="top_up",
        source_id=top_up_id,
        occurred_on=occurred_on,
        memo="余额充值",
        lines=(
            Line(CASH, None, amount_fen),
            Line(PREPAID, household_party(household_id), -amount_fen),
        ),
    )


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
        [[line.account, line.party, line.amount_fen] for line in entry.lines],
    ]


def _json(content: list[Any]) -> bytes:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()


def _party(household_id: int | None) -> str | None:
    return None if household_id is None else household_party(household_id)
