"""Routes: what residents choose about lockers, memberships, and the community's rules."""

from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import select

from core import clock
from core.app import settings
from core.db import atomic, db
from core.paging import cut
from identity.auth import current, requires
from identity.models import ADMIN, FINANCE, OPERATOR, RESIDENT, Person
from parcels import memberships, preferences, terms, vacations
from parcels.models import LockerVacation
from parcels.schemas import (
    LockerTermsSchema,
    MembershipFilterSchema,
    MembershipSchema,
    OwnPreferenceSchema,
    PreferenceSchema,
    VacationSchema,
)

blueprint = Blueprint(
    "locker-preferences",
    __name__,
    url_prefix="/api/v1",
    description="快递柜偏好与规则 · locker preferences and terms",
)


@blueprint.get("/locker-preferences")
@requires(RESIDENT)
@blueprint.response(200, OwnPreferenceSchema)
def show_preference() -> Any:
    """What one chose last about lockers."""
    return _preference()


@blueprint.put("/locker-preferences")
@requires(RESIDENT)
@blueprint.arguments(PreferenceSchema)
@blueprint.response(200, OwnPreferenceSchema)
def choose_preference(choice: dict[str, Any]) -> Any:
    """Choose anew; what was chosen before stays on record."""
    atomic(preferences.choose, current().id, choice, clock.now())
    return _preference()


@blueprint.get("/locker-preferences/history")
@requires(RESIDENT)
@blueprint.response(200, PreferenceSchema(many=True))
@blueprint.paginate()
def list_preferences(pagination_parameters: PaginationParameters) -> Any:
    """All that one ever chose about lockers, newest first."""
    return db.session.scalars(cut(preferences.history(current().id), pagination_parameters))


@blueprint.get("/locker-vacations")
@requires(RESIDENT)
@blueprint.response(200, VacationSchema(many=True))
@blueprint.paginate()
def list_vacations(pagination_parameters: PaginationParameters) -> Any:
    """When one is away, the latest first."""
    return db.session.scalars(cut(vacations.vacations(current().id), pagination_parameters))


@blueprint.post("/locker-vacations")
@requires(RESIDENT)
@blueprint.arguments(VacationSchema)
@blueprint.response(201, VacationSchema)
def add_vacation(new: dict[str, Any]) -> LockerVacation:
    """Be away: on these days no storage fee grows."""
    who, now = current().id, clock.now()
    return atomic(vacations.add, who, **new, now=now, zone=settings().zone)


@blueprint.delete("/locker-vacations/<int:vacation_id>")
@requires(RESIDENT)
@blueprint.response(204)
def end_vacation(vacation_id: int) -> None:
    """Take a vacation back; one that has begun ends with today."""
    who, now = current().id, clock.now()
    atomic(vacations.end, who, vacation_id, now=now, zone=settings().zone)


@blueprint.get("/locker-memberships")
@requires(RESIDENT, OPERATOR, ADMIN)
@blueprint.arguments(MembershipFilterSchema, location="query", unknown=None)
@blueprint.response(200, MembershipSchema(many=True))
@blueprint.paginate()
def list_memberships(wanted: dict[str, Any], pagination_parameters: PaginationParameters) -> Any:
    """Households whose parcels stay longer for nothing; residents see their own."""
    query = memberships.memberships(current().household_id, **wanted)
    return db.session.execute(cut(query, pagination_parameters)).mappings().all()


@blueprint.post("/locker-memberships")
@requires(OPERATOR, ADMIN)
@blueprint.arguments(MembershipSchema)
@blueprint.response(201, MembershipSchema)
def add_membership(new: dict[str, Any]) -> Any:
    """Make a household a member for some days."""
    by, now, zone = current().id, clock.now(), settings().zone
    membership_id = atomic(memberships.add, **new, by=by, now=now, zone=zone)
    query = memberships.memberships(membership_id=membership_id)
    return db.session.execute(query).mappings().one()


@blueprint.get("/locker-terms")
@requires()
@blueprint.response(200, LockerTermsSchema(many=True))
def list_terms() -> Any:
    """Every version of the community's rules for lockers, newest first."""
    return terms.versions(db.session())


@blueprint.post("/locker-terms")
@requires(FINANCE, ADMIN)
@blueprint.arguments(LockerTermsSchema)
@blueprint.response(201, LockerTermsSchema)
def add_terms(new: dict[str, Any]) -> Any:
    """The next version of the rules, from `valid_from` (now, if not given); never for the past."""
    now = clock.now()
    return terms.shown(atomic(terms.add, new["rules"], new["valid_from"] or now, now))


def _preference() -> dict[str, Any]:
    session, who = db.session(), current().id
    newest = preferences.preference(session, who)
    return preferences.chosen(newest) | {
        "recorded_at": newest and newest.recorded_at,
        "phone": session.scalar(select(Person.phone).where(Person.id == who)),
    }
