"""Households and the people who may sign in."""

import re
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from core.errors import Problem, invalid, not_found
from identity import passwords, sessions
from identity.models import ADMIN, PHONE, RESIDENT, ROLES, USERNAME, Household, Person


def create_household(session: Session, code: str, name: str | None = None) -> Household:
    """A new household; its name is its code unless given. Problem 409 when the code is taken."""
    if session.scalar(select(Household.id).where(Household.code == code)):
        raise Problem(409, "household-exists", "There is a household with this code.")
    household = Household(code=code, name=name or code)
    session.add(household)
    session.flush()
    return household


def create_person(
    session: Session,
    username: str,
    password: str,
    role: str,
    *,
    name: str | None = None,
    phone: str | None = None,
    household: Household | None = None,
) -> Person:
    """A new person who may sign in; residents, and only they, belong to a household.

    Problem 409 when the username is taken, 422 when a value breaks a rule.
    """
    username = username.lower()
    if not re.fullmatch(USERNAME, username):
        raise invalid("username", "2 to 64 of a-z, 0-9, . _ @ + -")
    _check(role, phone, household)
    if session.scalar(select(Person.id).where(Person.username == username)):
        raise Problem(409, "username-taken", "There is a person with this username.")
    person = Person(
        username=username,
        password_hash=hashed(password),
        name=name or username,
        phone=phone,
        role=role,
        household=household,
    )
    session.add(person)
    session.flush()
    return person


def update_person(session: Session, person_id: int, changes: dict[str, Any]) -> Person:
    """Change name, phone, active, role and household together, or password; keys absent stay.

    `household` is a code or None. Whoever is deactivated or gets a new password is signed out
    everywhere. Problem 404, 422, or 409 when nobody would be left to administrate.
    """
    person = session.get(Person, person_id, with_for_update=True)
    if person is None:
        raise not_found("person")
    role, active = changes.get("role", person.role), changes.get("active", person.active)
    household = person.household
    if "household" in changes:
        household = household_by_code(session, changes["household"])
    phone = changes.get("phone", person.phone)
    _check(role, phone, household)
    if person.role == ADMIN and person.active and not (role == ADMIN and active):
        _check_another_admin(session, person.id)
    person.name = changes.get("name", person.name)
    person.phone, person.role, person.active, person.household = phone, role, active, household
    if "password" in changes:
        person.password_hash = hashed(changes["password"])
    if "password" in changes or not active:
        sessions.revoke_all(session, person.id)
    session.flush()
    return person


def household_by_code(session: Session, code: str | None) -> Household | None:
    """The household of that code, None for None; Problem 422 when there is none."""
    if code is None:
        return None
    found = session.scalar(select(Household).where(Household.code == code))
    if found is None:
        raise invalid("household", "there is no such household")
    return found


def hashed(password: str) -> str:
    """The password's hash; Problem 422 for an unfit one."""
    try:
        return passwords.hash_password(password)
    except ValueError as error:
        raise invalid("password", str(error)) from error


def households() -> Select[Household]:
    """Every household by its code."""
    return select(Household).order_by(Household.code)


def people(role: str | None = None, household: str | None = None) -> Select[Person]:
    """People by username, of one role or household (its code) if given."""
    query = select(Person).options(joinedload(Person.household)).order_by(Person.username)
    if role is not None:
        query = query.where(Person.role == role)
    if household is not None:
        query = query.where(Person.household.has(Household.code == household))
    return query


def _check(role: str, phone: str | None, household: Household | None) -> None:
    if role not in ROLES:
        raise invalid("role", f"one of {', '.join(ROLES)}")
    if phone is not None and not re.fullmatch(PHONE, phone):
        raise invalid("phone", "a mobile number of 11 digits")
    if (role == RESIDENT) != (household is not None):
        raise invalid("household", "a resident has a household, staff have none")


def _check_another_admin(session: Session, person_id: int) -> None:
    """Locks every admin, so that two who dismiss each other at once do not both succeed."""
    admins = select(Person.id).where(Person.role == ADMIN, Person.active).order_by(Person.id)
    if set(session.scalars(admins.with_for_update())) <= {person_id}:
        raise Problem(409, "last-admin", "Nobody would be left to administrate.")
