"""A till for the tests of the ledger: two households, Olga who takes cash, rules, and fees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, driver, send
from identity import people
from identity.models import FINANCE, OPERATOR, Person
from ledger import charges, payments, seals, settlement, split_rules
from ledger.accounts import OWNERS
from ledger.charges import NewCharge
from ledger.payments import NewPayment

NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Noon in the community, a Monday."""

RULES: tuple[tuple[str, Mapping[str, int]], ...] = (
    ("community", {"micro_fund": 70, "property": 30}),
    ("private", {"micro_fund": 20, "property": 10, "owner": 70}),
)


@dataclass(frozen=True, slots=True)
class Till:
    """Who is there: the household of Ana, of Bo, and the operator Olga, by id."""

    ana: int
    bo: int
    olga: int


def open_till(session: Session, *, rules: bool = True) -> Till:
    """Ana, Bo and Olga move in; parking income is split from 2026 on, unless `rules` is off."""
    ana, bo = (people.create_household(session, code).id for code in ("1-101", "2-202"))
    olga = people.create_person(session, "olga", "olga's password", OPERATOR).id
    if rules:
        vote(session)
    session.commit()
    return Till(ana, bo, olga)


def vote(session: Session, valid_from: date = date(2026, 1, 1), *, income: str = "parking") -> None:
    """The usual split of parking, or of another income."""
    for ownership, shares in RULES:
        split_rules.add(
            session,
            income=income,
            ownership=ownership,
            shares=shares,
            valid_from=valid_from,
            decided_by="2026年第一次业主大会",
        )


def fee(stay: int, amount_fen: int = 800, **changes: Any) -> NewCharge:
    """A parking fee that nobody known owes, for a community space, unless changed."""
    facts: dict[str, Any] = {
        "kind": "fee",
        "source": "stay",
        "source_id": stay,
        "income": "parking",
        "household_id": None,
        "owner_household_id": None,
        "amount_fen": amount_fen,
        "occurred_at": NOON,
        "lines": [{"label": "首小时", "amount_fen": amount_fen}],
    }
    return NewCharge(**facts | changes)


def cash(till: Till, stay: int, amount_fen: int = 800, **changes: Any) -> NewPayment:
    """Olga takes cash for a stay."""
    facts: dict[str, Any] = {
        "source": "stay",
        "source_id": stay,
        "method": "cash",
        "amount_fen": amount_fen,
        "household_id": None,
        "occurred_at": NOON,
        "received_by": till.olga,
    }
    return NewPayment(**facts | changes)


def book(session: Session, *rows: NewCharge | NewPayment) -> None:
    """Raise charges and receive payments, in order, and commit."""
    send(
        driver(session),
        [
            charges.raised(row) if isinstance(row, NewCharge) else payments.received(row)
            for row in rows
        ],
    )
    session.commit()


def fill(session: Session, till: Till, household_id: int, amount_fen: int) -> None:
    """Olga takes cash into a household's balance."""
    payments.top_up(
        session, household_id=household_id, amount_fen=amount_fen, received_by=till.olga
    )
    session.commit()


def settle_all(limit: int = 500) -> int:
    """Settle until nothing waits; returns how many rows were handled."""
    handled = 0
    while batch := atomic(settlement.settle_batch, limit):
        handled += batch
    return handled


def shut(session: Session, *months: str) -> None:
    """Two people close months, the earliest first, whatever stands in the way."""
    closers = [_staff(session, name) for name in ("carl", "cora")]
    for month in months:
        for kind, person in zip(("closing", "closed"), closers, strict=True):
            values = {"month": month, "kind": kind, "person": person, "now": clock.now()}
            session.execute(text(SHUT), values)


SHUT = """
INSERT INTO period_event (month, kind, person_id, recorded_at)
VALUES (:month, :kind, :person, :now)
"""


def _staff(session: Session, name: str) -> int:
    found = session.scalar(select(Person.id).where(Person.username == name))
    return found or people.create_person(session, name, f"{name}'s password", FINANCE).id


def ask(session: Session, sql: str, **values: Any) -> Sequence[tuple[Any, ...]]:
    """What plain SQL answers."""
    found = [tuple(row) for row in session.execute(text(sql), values)]
    session.commit()
    return found


def postings(
    session: Session, source: str, source_id: int, book: str = OWNERS
) -> list[tuple[Any, ...]]:
    """(account, party, fen) of what a book says of a source row."""
    sql = """
        SELECT account, party, amount_fen FROM posting JOIN journal_entry e ON e.id = entry_id
        WHERE source = :source AND source_id = :source_id AND book = :book
            AND reverses_id IS NULL ORDER BY line
    """
    return list(ask(session, sql, source=source, source_id=source_id, book=book))


def seal_all() -> int:
    """Seal whatever is queued, however young, without closing a day; returns how many entries."""
    handled = 0
    while batch := atomic(seals.seal_batch, clock.now(), delay=-timedelta(days=3650)):
        handled += batch
    return handled
