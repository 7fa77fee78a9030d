"""“我的8元在里面吗？”: one payment, how it was divided, and the proof that it is in the books.

The link is all that is asked for, so nothing stands here that tells who paid: an entry is shown
in its canonical form only when it names no household but the payer's own, by a number that means
nothing outside the books. Of any other, and of reversals, whose reason a person wrote, the leaf
is given, which proves that it is there.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

from psycopg.rows import DictRow
from sqlalchemy.orm import Session

from core.app import settings
from core.errors import not_found
from ledger import receipts, seals
from ledger.accounts import (
    FUND_PAYABLE,
    INCOMES,
    OWNERS_PAYABLE,
    PROPERTY_COMPANY,
    PROPERTY_PAYABLE,
    party_of,
)
from ledger.journal import KIND_NAMES, METHOD_NAMES
from ledger.models import SplitRule
from ledger.posting import rows
from ledger.source_models import Payment
from publication.heads import fixed_days
from publication.models import Publication
from publication.publishing import editions

CHARGES = """
SELECT id, kind, income, amount_fen, occurred_at FROM charge
WHERE (source, source_id) = (%(source)s, %(source_id)s) ORDER BY id
"""
ENTRIES = """
SELECT e.*, p.line, p.account, p.party, p.amount_fen, p.split_rule_id AS line_rule_id,
    EXISTS (SELECT FROM journal_entry AS back WHERE back.reverses_id = e.id) AS reversed
FROM journal_entry AS e JOIN posting AS p ON p.entry_id = e.id
WHERE e.source = 'payment' AND e.source_id = %(payment)s
    OR e.source = 'charge' AND e.source_id = ANY (%(charges)s)
ORDER BY e.id, p.line
"""
TO_WHOM = {FUND_PAYABLE: "fund_fen", PROPERTY_PAYABLE: "provider_fen", OWNERS_PAYABLE: "owner_fen"}

Group = list[DictRow]


def receipt(session: Session, token: str) -> dict[str, Any]:
    """What the link shows. Problem 404 for a token that we did not make."""
    number = receipts.payment_of(settings().secret_key, token)
    payment = session.get(Payment, number) if number else None
    if payment is None:
        raise not_found("receipt")
    charged = rows(session, CHARGES, source=payment.source, source_id=payment.source_id)
    wanted = {"payment": payment.id, "charges": [row["id"] for row in charged]}
    found = rows(session, ENTRIES, **wanted)
    entries = [list(group) for _, group in groupby(found, key=lambda row: row["id"])]
    edition = _edition(session, [e for e in entries if e[0]["source"] == "payment"])
    return {
        "number": payment.id,
        "amount_fen": payment.amount_fen,
        "method": payment.method,
        "method_name": METHOD_NAMES[payment.method],
        "paid_at": payment.occurred_at,
        "charges": [_charge(session, row, entries) for row in charged],
        "publication": _published(edition),
        "proofs": [_proof(session, entry, _own(payment), edition) for entry in entries],
    }


def _charge(session: Session, charge: DictRow, entries: Iterable[Group]) -> dict[str, Any]:
    """What was owed, and who got how much of it, by which rule and vote."""
    ours = [
        entry
        for entry in entries
        if (entry[0]["source"], entry[0]["source_id"]) == ("charge", charge["id"])
        and entry[0]["reverses_id"] is None
        and not entry[0]["reversed"]
    ]
    split = dict.fromkeys(TO_WHOM.values(), 0)
    rules: set[int] = set()
    for line in (line for entry in ours for line in entry):
        if line["account"] in TO_WHOM:
            split[TO_WHOM[line["account"]]] -= line["amount_fen"]
            rules |= {line["line_rule_id"] or line["split_rule_id"]} - {None}
    return {
        "number": charge["id"],
        "what": INCOMES.get(charge["income"], ("", charge["income"]))[1]
        + KIND_NAMES[charge["kind"]],
        "income": charge["income"],
        "amount_fen": charge["amount_fen"],
        "occurred_at": charge["occurred_at"],
        "split": split,
        "rules": [_rule(session.get_one(SplitRule, number)) for number in sorted(rules)],
    }


def _rule(rule: SplitRule) -> dict[str, Any]:
    names = (
        *("id", "income", "ownership", "lot", "cost_permille"),
        *("micro_fund", "property", "owner", "decided_by"),
    )
    return {name: getattr(rule, name) for name in names} | {
        "valid_from": rule.valid_from.isoformat()
    }


def _edition(session: Session, payments: Sequence[Group]) -> Publication | None:
    """The newest edition that includes the payment's entry."""
    for entry in payments:
        head = entry[0]
        if head["reverses_id"] is None:
            for row in editions(session, head["posted_on"].replace(day=1)):
                if head["id"] <= row.last_entry_id:
                    return row
    return None


def _published(edition: Publication | None) -> dict[str, Any] | None:
    if edition is None:
        return None
    month = f"{edition.month:%Y-%m}"
    return {
        "month": month,
        "edition": edition.edition,
        "url": f"{settings().base_url}/api/v1/publications/{month}",
        "pack_sha256": edition.sha256.hex(),
    }


def _own(payment: Payment) -> set[str | None]:
    """Parties that may be read on this receipt: nobody, the payer, and the property company."""
    return {None, PROPERTY_COMPANY, party_of(payment.household_id, payment.company)}


def _proof(
    session: Session, entry: Group, own: set[str | None], edition: Publication | None
) -> dict[str, Any]:
    """An entry's way to a head: the published one where it is below it, else today's."""
    head = entry[0]
    seen = head["reverses_id"] is None and all(line["party"] in own for line in entry)
    proof = {
        "entry": head["id"],
        "book": head["book"],
        "source": head["source"],
        "reversed": head["reversed"],
        "form": seals.canonical_of(entry).decode() if seen else None,
        "published": False,
        "chained": None,
    }
    days = fixed_days(edition).get(head["book"], []) if edition else []
    chained = seals.inclusion_under(session, head["id"], days) if days else None
    proof["published"] = chained is not None
    if chained is None:
        today = [day for day in seals.standing(session) if day.book == head["book"]]
        chained = seals.inclusion_under(session, head["id"], today) if today else None
    return proof | {"chained": _chained(chained)}


def _chained(way: seals.Chained | None) -> dict[str, Any] | None:
    """Null while the entry waits for its seal."""
    if way is None:
        return None
    return {
        "leaf": way.leaf.hex(),
        "path": [{"side": step.side, "hash": step.hash.hex()} for step in way.path],
        "previous": way.days[0].previous.hex(),
        "days": [
            {"day": day.day.isoformat(), "count": day.count, "root": day.root.hex()}
            for day in way.days
        ],
        "head": way.days[-1].head.hex(),
    }
