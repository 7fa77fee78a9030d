"""Routes: parcels, their codes, those that are expected, those to be taken back."""

from typing import Any

from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters

from core import clock
from core.app import settings
from core.db import atomic, db
from identity.auth import current, requires
from identity.models import ADMIN, COURIER, OPERATOR, RESIDENT
from lockers.custody import Premises
from parcels import code_changes, complaints, expected, parcels, reclaims
from parcels.parcels import Reader
from parcels.schemas import (
    DelegateSchema,
    ExpectedParcelSchema,
    NewComplaintSchema,
    NewDelegateSchema,
    ParcelFileSchema,
    ParcelFilterSchema,
    ParcelSchema,
    ReclaimTaskSchema,
)

blueprint = Blueprint("parcels", __name__, url_prefix="/api/v1", description="包裹 · parcels")

DESK = (OPERATOR, ADMIN)
READERS = (RESIDENT, COURIER, *DESK)


@blueprint.get("/parcels")
@requires(*READERS)
@blueprint.arguments(ParcelFilterSchema, location="query", unknown=None)
@blueprint.response(200, ParcelSchema(many=True))
@blueprint.paginate()
def list_parcels(wanted: dict[str, Any], pagination_parameters: PaginationParameters) -> Any:
    """Parcels, newest first: one's own and shared ones, a courier's, or all for the desk."""
    matching = {
        "status": wanted["status"],
        "tracking": wanted["tracking_number"],
        "limit": pagination_parameters.page_size,
        "offset": pagination_parameters.first_item,
    }
    pagination_parameters.item_count, page = parcels.parcels(
        db.session(), _reader(), matching, clock.now(), _ours()
    )
    return page


@blueprint.get("/parcels/<int:parcel_id>")
@requires(*READERS)
@blueprint.response(200, ParcelFileSchema)
def show_parcel(parcel_id: int) -> Any:
    """One parcel with its fee as it stands and everything that happened to it."""
    return parcels.parcel(db.session(), _reader(), parcel_id, clock.now(), _ours())


@blueprint.post("/parcels/<int:parcel_id>/code")
@requires(RESIDENT, *DESK)
@blueprint.response(200, ParcelFileSchema)
def reissue_code(parcel_id: int) -> Any:
    """A new code; the old one is dead. The desk asks for it, and only the recipient is told it."""
    reader, now = _reader(), clock.now()
    atomic(code_changes.reissue, parcel_id, reader, now, _ours())
    return parcels.parcel(db.session(), reader, parcel_id, now, _ours())


@blueprint.post("/parcels/<int:parcel_id>/delegates")
@requires(RESIDENT)
@blueprint.arguments(NewDelegateSchema)
@blueprint.response(201, DelegateSchema)
def add_delegate(new: dict[str, Any], parcel_id: int) -> Any:
    """A code for somebody who fetches the parcel, entered with one's own phone tail."""
    return atomic(code_changes.delegate, parcel_id, _reader(), **new, now=clock.now(), ours=_ours())


@blueprint.delete("/parcels/<int:parcel_id>/delegates/<int:code_id>")
@requires(RESIDENT)
@blueprint.response(204)
def revoke_delegate(parcel_id: int, code_id: int) -> None:
    """Take such a code back."""
    atomic(code_changes.revoke, parcel_id, code_id, _reader(), clock.now())


@blueprint.post("/parcels/<int:parcel_id>/complaints")
@requires(RESIDENT)
@blueprint.arguments(NewComplaintSchema)
@blueprint.response(201, ParcelFileSchema)
def complain(new: dict[str, Any], parcel_id: int) -> Any:
    """Tell the desk what is wrong with one's parcel; its answer is read there, too."""
    reader, now = _reader(), clock.now()
    atomic(complaints.file, parcel_id, reader, new["text"], now)
    return parcels.parcel(db.session(), reader, parcel_id, now, _ours())


@blueprint.post("/expected-parcels")
@requires(RESIDENT)
@blueprint.arguments(ExpectedParcelSchema)
@blueprint.response(201, ParcelSchema)
@blueprint.alt_response(200, schema=ParcelSchema, description="It was announced before.")
def announce_parcel(new: dict[str, Any]) -> Any:
    """Announce a parcel and say whether it may go into a locker; the newest answer counts."""
    reader, now = _reader(), clock.now()
    parcel_id, is_new = atomic(expected.announce, reader.person_id, **new, now=now)
    said = parcels.parcel(db.session(), reader, parcel_id, now, _ours())
    return said, 201 if is_new else 200


@blueprint.get("/reclaim-tasks")
@requires(COURIER, *DESK)
@blueprint.response(200, ReclaimTaskSchema(many=True))
@blueprint.paginate()
def list_reclaim_tasks(pagination_parameters: PaginationParameters) -> Any:
    """Parcels still inside that nobody fetched or that were refused, the oldest first."""
    size, first = pagination_parameters.page_size, pagination_parameters.first_item
    pagination_parameters.item_count, page = reclaims.tasks(db.session(), _reader(), size, first)
    return page


def _reader() -> Reader:
    return Reader(current().id, current().role, current().household_id)


def _ours() -> Premises:
    return Premises(settings().zone, settings().secret_key)
