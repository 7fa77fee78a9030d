"""A depot for tests that tell stories: two companies, their couriers, one cabinet, rates, rules.

YTO's courier is P80417; STO's is Q1. A deposit costs 20, 30 or 45 fen by size (S, M, L), YTO
pays 25 for S. Olga takes cash. All of it since the first of October 2026.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic, driver, send
from couriers import accounts, companies, couriers, rates
from couriers.models import SIZES, CourierCompany
from devices import registry
from identity import people
from identity.models import OPERATOR
from ledger import proof, split_rules
from ledger.charges import NewCharge, raised
from lockers import cabinets
from lockers.custody import DEPOSIT
from tests.ledger.till import settle_all

OPENING = date(2026, 10, 1)
NOON = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)
"""Noon in the community, a Monday."""

PARCEL = """
INSERT INTO parcel (cabinet_id, courier_id, tracking_number, size, phase, deposited_at, recorded_at)
SELECT (SELECT id FROM cabinet WHERE code = :cabinet), courier.id, :number, :size, 'ready',
    :at, :at
FROM courier WHERE courier.code = :courier RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Depot:
    """Ids and parties of who is there."""

    olga: int
    yto: str
    sto: str


def open_depot(session: Session) -> Depot:
    """Build it."""
    olga = people.create_person(session, "olga", "olga's password", OPERATOR).id
    parties = []
    for code, name, courier in (("yto", "圆通", "P80417"), ("sto", "申通", "Q1")):
        parties.append(companies.create(session, code=code, name=name).party)
        couriers.register(session, {"code": courier, "company": code})
    prices: Sequence[tuple[str, int]] = (("S", 20), ("M", 30), ("L", 45))
    for size, fee_fen in prices:
        price(session, None, size, fee_fen)
    price(session, "yto", "S", 25)
    device = registry.register(session, code="cab-1", serial="cab-1", kind="cabinet").device
    door = {"number": 1, "size": "S", "row": 1}
    cabinets.add_cabinet(session, device, code="cab-1", name="一号柜", compartments=[door])
    for income in (DEPOSIT, "site-rent", "locker-commission", "locker"):
        split_rules.add(
            session,
            income=income,
            ownership="community",
            shares={"micro_fund": 70, "property": 30},
            valid_from=OPENING,
            decided_by="2026年第一次业主大会",
        )
    session.commit()
    return Depot(olga, *parties)


def price(
    session: Session, company: str | None, size: str, fee_fen: int, since: date = OPENING
) -> None:
    """What a deposit costs from a day on."""
    whose = companies.by_code(session, company) if company else None
    rates.add(session, whose, size=size, fee_fen=fee_fen, valid_from=since, today=since)


def company(session: Session, code: str = "yto") -> CourierCompany:
    """The company of a code."""
    return companies.by_code(session, code)


def leave(
    session: Session,
    number: int,
    size: str = "S",
    *,
    at: datetime = NOON,
    courier: str = "P80417",
    cabinet: str = "cab-1",
) -> int:
    """A courier leaves a parcel; nothing is charged. Returns its id."""
    assert size in SIZES
    values = {"cabinet": cabinet, "number": f"YT{number}", "size": size, "at": at}
    parcel: int = session.execute(text(PARCEL), values | {"courier": courier}).scalar_one()
    session.commit()
    return parcel


def deposit_fee(parcel: int, amount_fen: int, party: str, **changes: Any) -> NewCharge:
    """The charge of a deposit."""
    facts: dict[str, Any] = {
        "kind": "fee",
        "source": "deposit",
        "source_id": parcel,
        "income": DEPOSIT,
        "household_id": None,
        "owner_household_id": None,
        "amount_fen": amount_fen,
        "occurred_at": NOON,
        "lines": [{"label": "投柜费", "amount_fen": amount_fen}],
        "company": party,
    }
    return NewCharge(**facts | changes)


def charge(session: Session, *charges: NewCharge) -> None:
    """Raise charges, in order, and commit."""
    send(driver(session), [raised(one) for one in charges])
    session.commit()


def deposit(
    session: Session, number: int, fee_fen: int, size: str = "S", *, at: datetime = NOON
) -> int:
    """YTO's courier leaves a parcel, and the company is charged for it. Returns its id."""
    parcel = leave(session, number, size, at=at)
    charge(session, deposit_fee(parcel, fee_fen, company(session).party, occurred_at=at))
    return parcel


def pay_in(session: Session, depot: Depot, amount_fen: int, code: str = "yto") -> None:
    """Olga takes a company's cash."""
    companies.top_up(session, company(session, code), amount_fen=amount_fen, received_by=depot.olga)
    session.commit()


def collect_all(limit: int = 500, at: datetime = NOON) -> int:
    """Collect until nothing more can be paid; returns how many were."""
    paid = 0
    with clock.at(at):
        while batch := atomic(accounts.collect, limit):
            paid += batch
    return paid


def ask(session: Session, sql: str, **values: Any) -> list[tuple[Any, ...]]:
    """What plain SQL answers."""
    found = [tuple(row) for row in session.execute(text(sql), values)]
    session.commit()
    return found


def prove(session: Session) -> None:
    """Settle all, and find the books in order."""
    settle_all()
    found = proof.verify(session)
    session.rollback()
    assert found.ok, found.checks
