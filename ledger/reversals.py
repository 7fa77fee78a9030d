"""冲销: taking back what a source row became, in every book at once; nothing posted is edited."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

from sqlalchemy.orm import Session

from core import clock
from core.errors import Problem, not_found
from ledger import journal, posting, seals
from ledger.models import JournalEntry, Reversal
from ledger.posting import rows

STANDING = """
SELECT e.*, p.line, p.account, p.party, p.amount_fen, p.split_rule_id AS line_rule_id
FROM journal_entry AS e JOIN posting AS p ON p.entry_id = e.id
WHERE e.source = %(source)s AND e.source_id = %(source_id)s AND e.reverses_id IS NULL
    AND NOT EXISTS (SELECT FROM journal_entry AS back WHERE back.reverses_id = e.id)
ORDER BY e.id, p.line
"""

OTHERWISE = {
    "payment": "A payment is given back by a refund, which moves what is owed as well.",
    "top_up": "A top-up stands in the household's balance: give it back there.",
    "fee_refund": "The money went out: ask for it again with a new charge.",
}
"""Sources whose reversal in the books alone would leave a debt or balance that is not so."""

GUARDS: dict[str, Callable[[Session, int], None]] = {}
"""Sources of other packages: what refuses, by a Problem, to let a row of theirs be taken back."""


@dataclass(frozen=True, slots=True)
class Reversed:
    """The entries that were taken back, and those that do it, in the same order."""

    entries: list[int]
    reversals: list[int]


def reverse(session: Session, entry_id: int, reason: str, person_id: int) -> Reversed:
    """Take back all that the entry's source row became, on its own day while that month is open.

    Else in the next open month. Problem 404; 409 `is-a-reversal`, which is final,
    `already-reversed`, `corrected-otherwise`, or what `GUARDS` say.
    """
    entry = session.get(JournalEntry, entry_id)
    if entry is None:
        raise not_found("entry")
    if entry.reverses_id is not None:
        raise Problem(409, "is-a-reversal", "A reversal stands; post what is right instead.")
    found = rows(session, STANDING, source=entry.source, source_id=entry.source_id)
    standing = {
        number: seals.entry_of(list(group))
        for number, group in groupby(found, key=lambda row: int(row["id"]))
    }
    if entry_id not in standing:
        raise Problem(409, "already-reversed", "The entry was taken back before.")
    if entry.source in OTHERWISE:
        raise Problem(409, "corrected-otherwise", OTHERWISE[entry.source])
    if guard := GUARDS.get(entry.source):
        guard(session, entry.source_id)
    now = clock.now()
    session.add_all(
        Reversal(entry_id=number, person_id=person_id, reason=reason, recorded_at=now)
        for number in standing
    )
    session.flush()
    days = {int(row["id"]): row["posted_on"] for row in found}
    back = [
        journal.reversal(number, said, days[number], reason) for number, said in standing.items()
    ]
    return Reversed(list(standing), posting.post(session, back, now))
