"""Courier companies: parties of the ledger, with what they have prepaid and what they owe."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from core.errors import Problem, not_found
from couriers.models import CourierCompany
from ledger import payments
from ledger.accounts import company_party
from ledger.source_models import CompanyBalance, CompanyOwed, Party, TopUp

BALANCE = (
    select(CompanyBalance.amount_fen)
    .where(CompanyBalance.company == CourierCompany.party)
    .scalar_subquery()
)
OWED = (
    select(func.sum(CompanyOwed.owed_fen))
    .where(CompanyOwed.company == CourierCompany.party)
    .scalar_subquery()
)


def create(session: Session, *, code: str, name: str, credit_fen: int = 0) -> CourierCompany:
    """A new company, and its party in the ledger. Problem 409 when the code is taken."""
    party = company_party(code)
    if session.get(Party, party) is not None:
        raise Problem(409, "company-exists", "There is a company with this code.")
    session.add(Party(code=party, kind="company", name=name))
    session.flush()
    company = CourierCompany(code=code, name=name, party=party, credit_fen=credit_fen)
    session.add(company)
    session.flush()
    return company


def update(session: Session, code: str, changes: Mapping[str, Any]) -> CourierCompany:
    """Change name, credit_fen or active; what is absent stays. Problem 404."""
    company = by_code(session, code)
    for name in ("name", "credit_fen", "active"):
        setattr(company, name, changes.get(name, getattr(company, name)))
    session.flush()
    return company


def top_up(
    session: Session, company: CourierCompany, *, amount_fen: int, received_by: int
) -> TopUp:
    """Take a company's cash (fen) into its prepaid balance."""
    return payments.top_up(
        session, company=company.party, amount_fen=amount_fen, received_by=received_by
    )


def by_code(session: Session, code: str) -> CourierCompany:
    """The company of a code; Problem 404."""
    company = session.scalar(select(CourierCompany).where(CourierCompany.code == code))
    if company is None:
        raise not_found("company")
    return company


def companies(code: str | None = None) -> Select[CourierCompany, int, int]:
    """Every company by its code, or one: with its prepaid balance and what it owes, in fen."""
    query = select(
        CourierCompany,
        func.coalesce(BALANCE, 0).label("balance_fen"),
        func.coalesce(OWED, 0).label("owed_fen"),
    ).order_by(CourierCompany.code)
    return query if code is None else query.where(CourierCompany.code == code)
