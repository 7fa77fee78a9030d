"""Proof that all money out and back is in the books as its rows say, posting by posting."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from core.app import settings
from ledger import proof, side_by_side
from ledger.accounts import (
    FUND_PAYABLE,
    FUND_RECEIVABLE,
    PROPERTY_PAYABLE,
    PROVIDER_RECEIVABLE,
)
from ledger.checks import Check, compare
from ledger.journal import Entry, Line
from ledger.posting import rows
from ledger.settlement import Draft
from treasury.sources import (
    DISBURSEMENTS,
    FUND_RECEIPTS,
    KINDS,
    REFUNDS,
    draft_disbursement,
    draft_receipt,
    draft_refund,
)

Key = tuple[str, int]
Said = tuple[str, str, date, tuple[Line, ...]]
"""Of an entry: purpose, book, true date, and its postings."""

SOURCES: tuple[tuple[str, Draft], ...] = (
    (REFUNDS, draft_refund),
    (DISBURSEMENTS + "WHERE r.status = 'paid'", draft_disbursement),
    (FUND_RECEIPTS, draft_receipt),
)

BOOKED = """
SELECT e.source, e.source_id, e.purpose, e.book, e.occurred_on, p.account, p.party, p.amount_fen,
    p.split_rule_id
FROM journal_entry AS e JOIN posting AS p ON p.entry_id = e.id
WHERE e.source = ANY (%(kinds)s) AND e.reverses_id IS NULL
ORDER BY e.id, p.line
"""

OWED = """
SELECT coalesce(sum(debit_fen - credit_fen), 0)::bigint AS fen FROM account_month
WHERE account = ANY (%(both)s)
"""
MIRRORS = {
    "fund": [FUND_PAYABLE, FUND_RECEIVABLE],
    "provider": [PROPERTY_PAYABLE, PROVIDER_RECEIVABLE],
}

# What was taken back in the books counts no more, given or spent.
RESTRICTED = """
SELECT programme, count(*) OVER () AS broken FROM (
    SELECT programme, sum(given_fen) AS given_fen, sum(spent_fen) AS spent_fen FROM (
        SELECT 'fund_receipt' AS source, id AS source_id, programme, amount_fen AS given_fen,
            0 AS spent_fen
        FROM fund_receipt WHERE restricted
        UNION ALL
        SELECT 'expense', id, programme, 0, amount_fen
        FROM disbursement WHERE restricted AND status IN ('approved', 'paid')
    ) AS source
    WHERE NOT EXISTS (
        SELECT FROM journal_entry AS back WHERE back.reverses_id IS NOT NULL
            AND (back.source, back.source_id) = (source.source, source.source_id)
    )
    GROUP BY programme
) AS said FULL JOIN restricted_money AS kept USING (programme)
WHERE (coalesce(said.given_fen, 0), coalesce(said.spent_fen, 0))
    IS DISTINCT FROM (kept.given_fen::numeric, kept.spent_fen::numeric)
ORDER BY programme LIMIT 1
"""


def let_the_books_know() -> None:
    """Prove these rows here instead of in the ledger; whoever starts a process that proves."""
    side_by_side.ELSEWHERE.update(KINDS)
    proof.OTHERS["treasury"] = moves_are_booked
    proof.OTHERS["mirrors"] = books_mirror_each_other
    proof.OTHERS["restricted"] = restricted_money_is_kept


def moves_are_booked(session: Session) -> Check:
    """Refunds, disbursements and the fund's receipts beside their entries, drafted anew."""
    booked = _booked(session)
    wrong, counts = [], dict.fromkeys(("settled", "waiting", "set aside"), 0)
    for key, row, expected in _drafted(session):
        found = booked.pop(key, set())
        if row["settled_at"] is None and not found:
            counts["set aside" if row["set_aside_reason"] else "waiting"] += 1
        elif row["settled_at"] is None:
            wrong.append(f"{_name(key)} has an entry but is not settled")
        elif not found:
            wrong.append(f"{_name(key)} is settled without an entry")
        elif found != expected:
            wrong.append(f"{_name(key)} is booked otherwise")
        else:
            counts["settled"] += 1
    wrong += [f"{_name(key)} has an entry but no source row" for key in sorted(booked)]
    if wrong:
        return Check(False, f"{wrong[0]}; {len(wrong)} broken in all")
    return Check(True, "; ".join(f"{n} {name}" for name, n in counts.items()))


def books_mirror_each_other(session: Session) -> Check:
    """What the owners' book owes the fund and the provider is what these have to receive."""
    for book, both in MIRRORS.items():
        (row,) = rows(session, OWED, both=both)
        if row["fen"]:
            return Check(False, f"the owners' book and the {book}'s differ by {row['fen']} fen")
    return Check(True, "the books owe each other the same")


def restricted_money_is_kept(session: Session) -> Check:
    """What was given for each programme, and what of it is approved, computed again."""
    return compare(session, RESTRICTED, "programme {programme}")


def _drafted(session: Session) -> Iterator[tuple[Key, Mapping[str, Any], set[Said]]]:
    zone = settings().zone
    for sql, draft in SOURCES:
        for row in rows(session, sql):
            entries = draft(row, row["occurred_at"].astimezone(zone).date())
            yield (row["kind"], row["id"]), row, {_said(entry) for entry in entries}


def _said(entry: Entry) -> Said:
    return entry.purpose, entry.book, entry.occurred_on, entry.lines


def _booked(session: Session) -> dict[Key, set[Said]]:
    lines = defaultdict[tuple[Any, ...], list[Line]](list)
    for row in rows(session, BOOKED, kinds=list(KINDS)):
        head = tuple(row[n] for n in ("source", "source_id", "purpose", "book", "occurred_on"))
        names = ("account", "party", "amount_fen", "split_rule_id")
        lines[head].append(Line(*(row[name] for name in names)))
    booked = defaultdict[Key, set[Said]](set)
    for (source, source_id, purpose, book, on), said in lines.items():
        booked[source, source_id].add((purpose, book, on, tuple(said)))
    return booked


def _name(key: Key) -> str:
    return f"{key[0]}:{key[1]}"
