"""Couriers: seen at a cabinet or registered at the desk, and for whom they deposit."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from core.db import Statement
from core.errors import Problem, invalid, not_found
from couriers.models import Courier, CourierCompany
from identity.models import COURIER, Person

SEEN = "INSERT INTO courier (code) VALUES (%(code)s) ON CONFLICT (code) DO NOTHING"


def seen(code: str) -> Statement:
    """The statement that registers a courier whom a cabinet names, unless they are known."""
    return SEEN, {"code": code}


def register(session: Session, details: Mapping[str, Any]) -> Courier:
    """A new courier by `code`, with what `update` may change. Problem 409 when it is taken."""
    code = details["code"]
    if session.scalar(select(Courier.id).where(Courier.code == code)) is not None:
        raise Problem(409, "courier-exists", "There is a courier with this code.")
    courier = Courier(code=code)
    session.add(courier)
    return _changed(session, courier, details)


def update(session: Session, courier_id: int, changes: Mapping[str, Any]) -> Courier:
    """Change name, phone, company (a code or None), username (as whom they sign in, or None) or
    active; what is absent stays.

    What was deposited before stays with the company that was charged for it. Problem 404, 422
    for nobody's code or name, 409 when another courier signs in by that name.
    """
    courier = session.get(Courier, courier_id, with_for_update=True)
    if courier is None:
        raise not_found("courier")
    return _changed(session, courier, changes)


def couriers(
    *, company: str | None = None, known: bool | None = None, code: str | None = None
) -> Select[Courier]:
    """Couriers by their code: of one company, with or without any, or of one code, if given."""
    query = select(Courier).order_by(Courier.code).options(*_SHOWN)
    if company is not None:
        query = query.where(Courier.company.has(CourierCompany.code == company))
    if known is not None:
        query = query.where(
            Courier.company_id.is_not(None) if known else Courier.company_id.is_(None)
        )
    if code is not None:
        query = query.where(Courier.code == code)
    return query


def who_signed_in(session: Session, person_id: int) -> Courier | None:
    """The active courier as whom a person signed in, with their company; None for others."""
    query = select(Courier).where(Courier.person_id == person_id, Courier.active)
    return session.scalar(query.options(*_SHOWN))


_SHOWN = (joinedload(Courier.company), joinedload(Courier.person))


def _changed(session: Session, courier: Courier, changes: Mapping[str, Any]) -> Courier:
    for name in ("name", "phone", "active"):
        if name in changes:
            setattr(courier, name, changes[name])
    if "company" in changes:
        courier.company = _company(session, changes["company"])
    if "username" in changes:
        courier.person = _person(session, courier, changes["username"])
    session.flush()
    return courier


def _company(session: Session, code: str | None) -> CourierCompany | None:
    if code is None:
        return None
    company = session.scalar(select(CourierCompany).where(CourierCompany.code == code))
    if company is None:
        raise invalid("company", "there is no such company")
    return company


def _person(session: Session, courier: Courier, username: str | None) -> Person | None:
    if username is None:
        return None
    person = session.scalar(select(Person).where(Person.username == username.lower()))
    if person is None or person.role != COURIER:
        raise invalid("username", f"there is no person of this name with the role {COURIER}")
    other = select(Courier.id).where(Courier.person_id == person.id, Courier.id != courier.id)
    if session.scalar(other) is not None:
        raise Problem(409, "person-taken", "Another courier signs in by this name.")
    return person
