"""What a charge, a payment or a top-up becomes in the books; nothing here touches a database."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import NamedTuple

from ledger.accounts import (
    CASH,
    CLEARING,
    COMPANIES_PREPAID,
    COMPANY,
    FUND,
    FUND_PAYABLE,
    FUND_RECEIVABLE,
    INCOMES,
    OWNERS,
    OWNERS_PAYABLE,
    PREPAID,
    PROPERTY_COMPANY,
    PROPERTY_PAYABLE,
    PROVIDER,
    PROVIDER_COSTS,
    PROVIDER_INCOMES,
    PROVIDER_RECEIVABLE,
    RECEIVABLE,
    party_of,
)
from ledger.division import COMMUNITY, PRIVATE, Split, divide

SETTLE = "settle"
"""The purpose of what the collecting book, the owners', says of a source row."""

SETTLE_FUND, SETTLE_PROVIDER = f"{SETTLE}:{FUND}", f"{SETTLE}:{PROVIDER}"
REVERSE = "reverse"
"""How the purpose of a reversal begins; the purpose of what it reverses follows."""

NULL = "null"
_quoted = json.JSONEncoder(ensure_ascii=False).encode

KIND_NAMES = {"fee": "", "supplement": "补收", "credit": "减免"}
METHOD_NAMES = {"cash": "现金收款", "balance": "余额支付", "wechat": "微信收款"}


@dataclass(frozen=True, slots=True)
class Line:
    """One posting: debit positive, in fen; the rule that made it where the entry has several."""

    account: str
    party: str | None
    amount_fen: int
    split_rule_id: int | None = None


@dataclass(slots=True)
class Entry:
    """One journal entry before the database gave it a number.

    `occurred_on` is the true date, whatever period it is posted into. It is made by the ten
    thousand, and frozen would take three times as long.
    """

    source: str
    source_id: int
    occurred_on: date
    memo: str
    lines: tuple[Line, ...]
    purpose: str = SETTLE
    split_rule_id: int | None = None
    reverses_id: int | None = None
    book: str = OWNERS

    @property
    def key(self) -> tuple[str, int, str]:
        """What makes the entry unique: its cause."""
        return self.source, self.source_id, self.purpose


class ChargeFacts(NamedTuple):
    """What of a charge matters to the books.

    `before` is, by income, what its source was charged before a correction came.
    """

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
    lot: str | None = None
    before: Mapping[str, int] | None = None

    @property
    def by_income(self) -> dict[str, int]:
        """Fen by income; an income that came to nothing is left out."""
        parts = {self.income: self.amount_fen} if self.parts is None else self.parts
        return {income: fen for income, fen in parts.items() if fen}

    @property
    def ownership(self) -> str:
        """Whose place earned it."""
        return COMMUNITY if self.owner_household_id is None else PRIVATE


def of_charge(charge: ChargeFacts, rules: Mapping[str, Split]) -> tuple[Entry, ...]:
    """What each book says of a charge, the collecting one first; who gets nothing is left out.

    The owners' book collects: it debits what the debtor owes and credits what it owes to the
    fund, the property company and the owner of a private space. The fund and the provider each
    debit what the owners' book owes them and credit their income by source.

    Each income is divided by its own rule of `rules` (see `Split.divide`). A correction moves
    everybody to what the fee and its corrections come to together, so that credits which undo a
    fee undo it exactly, in however many steps. With several incomes every line that divides one
    names its rule. KeyError for an income that has no account or no rule.
    """
    parts = sorted(charge.by_income.items(), key=lambda part: INCOMES[part[0]])
    before = charge.before or {}
    sides = _sides(
        tuple((fen, before.get(income, 0), rules[income]) for income, fen in parts),
        party_of(charge.owner_household_id, None),
    )
    name = "、".join([INCOMES[income][1] for income, _ in parts])
    memo = f"{name}{KIND_NAMES[charge.kind]} {charge.source}:{charge.source_id}"
    debtor = party_of(charge.household_id, charge.company)
    return tuple(
        [
            Entry(
                source="charge",
                source_id=charge.id,
                occurred_on=charge.occurred_on,
                memo=memo,
                lines=lines if debtor is None or book != OWNERS else _owed_by(debtor, lines),
                purpose=purpose,
                split_rule_id=rule_id,
                book=book,
            )
            for book, purpose, rule_id, lines in sides
        ]
    )


Side = tuple[str, str, int | None, tuple[Line, ...]]
"""Of an entry its book, its purpose, the one rule behind it, and its lines."""


@lru_cache(10_000)
def _sides(parts: tuple[tuple[int, int, Split], ...], owner: str | None) -> tuple[Side, ...]:
    """What the books say of these fen, charged after those fen, by this rule: each way once.

    Most fees are like others; the debtor, who makes each his own, is still to be named.
    """
    divided = [divide(fen, before_fen, rule) for fen, before_fen, rule in parts]
    several = len(divided) > 1
    rule_ids = [part.rule_id if several else None for part in divided]
    owed = (
        Line(account, party, -fen, rule_id)
        for part, rule_id in zip(divided, rule_ids, strict=True)
        for account, party, fen in (
            (FUND_PAYABLE, None, part.fund_fen),
            (PROPERTY_PAYABLE, PROPERTY_COMPANY, part.cost_fen + part.provider_fen),
            (OWNERS_PAYABLE, owner, part.owner_fen),
        )
    )
    fund = (
        Line(INCOMES[part.income][0], None, -part.fund_fen, rule_id)
        for part, rule_id in zip(divided, rule_ids, strict=True)
    )
    provider = (
        Line(account, None, -fen, rule_id)
        for part, rule_id in zip(divided, rule_ids, strict=True)
        for account, fen in (
            (PROVIDER_COSTS[part.income], part.cost_fen),
            (PROVIDER_INCOMES[part.income], part.provider_fen),
        )
    )
    drafts = (
        (OWNERS, SETTLE, RECEIVABLE, owed),
        (FUND, SETTLE_FUND, FUND_RECEIVABLE, fund),
        (PROVIDER, SETTLE_PROVIDER, PROVIDER_RECEIVABLE, provider),
    )
    rule_id = None if several else divided[0].rule_id
    return tuple(
        (book, purpose, rule_id, lines)
        for book, purpose, account, credits_ in drafts
        if (lines := _against(account, credits_))
    )


def _owed_by(debtor: str, lines: tuple[Line, ...]) -> tuple[Line, ...]:
    return tuple(
        [
            Line(RECEIVABLE, debtor, line.amount_fen) if line.account == RECEIVABLE else line
            for line in lines
        ]
    )


def _against(account: str, lines: Iterable[Line]) -> tuple[Line, ...]:
    """The lines that move anything, after their sum on the other side; that may be nothing."""
    moved = tuple(line for line in lines if line.amount_fen)
    fen = -sum(line.amount_fen for line in moved)
    return (Line(account, None, fen), *moved) if fen else moved


def reversal(number: int, entry: Entry, on: date, reason: str) -> Entry:
    """The entry that takes back the recorded entry `number`: every posting on the other side.

    It is of the same book and cause, and the database lets an entry be reversed only once.
    """
    return Entry(
        source=entry.source,
        source_id=entry.source_id,
        occurred_on=on,
        memo=f"冲销凭证 {number}：{reason}",
        lines=tuple(replace(line, amount_fen=-line.amount_fen) for line in entry.lines),
        purpose=f"{REVERSE}:{entry.purpose}",
        split_rule_id=entry.split_rule_id,
        reverses_id=number,
        book=entry.book,
    )


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
    return hashlib.sha256(f"[{_said(entry)}]".encode()).digest()


def canonical(entry_id: int, recorded_at: datetime, posted_on: date, entry: Entry) -> bytes:
    """Every field of a recorded entry and its postings, as one line of JSON in UTF-8."""
    instant = recorded_at.astimezone(UTC).isoformat(timespec="microseconds")
    head = f'["huilin-entry-2",{entry_id},"{instant}","{posted_on.isoformat()}"'
    return f'{head},"{fingerprint(entry).hex()}",{_said(entry)}]'.encode()


def _said(entry: Entry) -> str:
    """The fields that come from the cause; all but the memo are words that JSON writes as are."""
    lines = [
        f'["{line.account}",{_word(line.party)},{line.amount_fen},{line.split_rule_id or NULL}]'
        for line in entry.lines
    ]
    return (
        f'"{entry.book}","{entry.source}",{entry.source_id},"{entry.purpose}",'
        f'"{entry.occurred_on.isoformat()}",{_quoted(entry.memo)},'
        f"{entry.split_rule_id or NULL},{entry.reverses_id or NULL},[{','.join(lines)}]"
    )


def _word(word: str | None) -> str:
    return NULL if word is None else f'"{word}"'
