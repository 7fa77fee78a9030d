"""Routes of whoever works here: cabinets and doors, parcels by hand, worksheets and disputes."""

from typing import Any

from flask import Response
from flask_smorest import Blueprint

from core import clock
from core.app import settings
from core.db import atomic, db
from identity.auth import current, requires
from identity.models import ADMIN, AUDITOR, COURIER, OPERATOR, RESIDENT
from inspection import (
    audit,
    by_hand,
    compartments,
    corrections,
    dispute,
    dispute_page,
    relief,
    restoring,
    worksheet,
)
from inspection.corrections import Desk, Finding
from inspection.schemas import (
    AuditSchema,
    CabinetPatchSchema,
    CabinetSchema,
    CompartmentSchema,
    DisputeSchema,
    DoorStateSchema,
    ExtendedSchema,
    ExtensionSchema,
    FindingSchema,
    NewCabinetSchema,
    OpenCodeSchema,
    ParcelStandsSchema,
    ReasonSchema,
    RemovalSchema,
    RestoreSchema,
    SetAsideSchema,
    WorksheetRowSchema,
)
from lockers import cabinets
from lockers.custody import Premises
from lockers.record import Said
from parcels.parcels import Reader

blueprint = Blueprint("lockers", __name__, url_prefix="/api/v1", description="快递柜 · lockers")
by_an_operator = Blueprint(
    "parcels-by-hand",
    __name__,
    url_prefix="/api/v1",
    description="包裹人工处理 · by hand, disputes",
)
blueprints = [blueprint, by_an_operator]

DESK = (OPERATOR, ADMIN)
CONCERNED = (RESIDENT, COURIER, AUDITOR, *DESK)

CSV, HTML = "text/csv", "text/html"
NOTHING_FETCHED = "default-src 'none'; style-src 'unsafe-inline'"


@blueprint.get("/cabinets")
@requires()
@blueprint.response(200, CabinetSchema(many=True))
def list_cabinets() -> Any:
    """Every cabinet: what is free, in which state its doors are, and how healthy it is."""
    return cabinets.cabinets(db.session(), clock.now())


@blueprint.post("/cabinets")
@requires(ADMIN)
@blueprint.arguments(NewCabinetSchema)
@blueprint.response(201, CabinetSchema)
def add_cabinet(new: dict[str, Any]) -> Any:
    """A new cabinet with its compartments."""
    atomic(cabinets.set_up, new)
    return cabinets.cabinet(db.session(), new["code"], clock.now())


@blueprint.patch("/cabinets/<string:code>")
@requires(*DESK)
@blueprint.arguments(CabinetPatchSchema)
@blueprint.response(200, CabinetSchema)
def change_cabinet(changes: dict[str, Any], code: str) -> Any:
    """Change a cabinet: its name, where it stands, whether parcels are put in."""
    atomic(cabinets.change, code, changes)
    return cabinets.cabinet(db.session(), code, clock.now())


@blueprint.get("/cabinets/<string:code>/compartments")
@requires(*DESK)
@blueprint.response(200, CompartmentSchema(many=True))
def list_compartments(code: str) -> Any:
    """Every door of a cabinet and what is behind it."""
    return compartments.compartments(db.session(), code)


@blueprint.post("/cabinets/<string:code>/compartments/<int:number>/state")
@requires(*DESK)
@blueprint.arguments(DoorStateSchema)
@blueprint.response(200, CompartmentSchema)
def put_door(body: dict[str, Any], code: str, number: int) -> Any:
    """Take a door out of use, have it checked, or give it back."""
    atomic(corrections.put, code, number, **body, desk=_desk())
    return compartments.compartment(db.session(), code, number)


@blueprint.post("/cabinets/<string:code>/compartments/<int:number>/correct")
@requires(*DESK)
@blueprint.arguments(FindingSchema)
@blueprint.response(200, CompartmentSchema)
def correct_door(body: dict[str, Any], code: str, number: int) -> Any:
    """Put the record right by what was found behind a door."""
    atomic(corrections.correct, code, number, Finding(**body), _desk())
    return compartments.compartment(db.session(), code, number)


@blueprint.get("/cabinets/<string:code>/audit")
@requires(*DESK)
@blueprint.response(200, WorksheetRowSchema(many=True))
def show_worksheet(code: str) -> Any:
    """The weekly worksheet: each door's record beside its sensor, and what to look for."""
    return audit.rows(db.session(), code, clock.now())


@blueprint.get("/cabinets/<string:code>/audit.csv")
@requires(*DESK)
@blueprint.response(200, {"type": "string"}, content_type=CSV)
def download_worksheet(code: str) -> Response:
    """The worksheet for a spreadsheet, with room for what was found."""
    rows = audit.rows(db.session(), code, clock.now())
    answer = Response(worksheet.as_csv(rows, settings().zone), mimetype=CSV)
    answer.headers["Content-Disposition"] = f'attachment; filename="audit-{code}.csv"'
    return answer


@blueprint.post("/cabinets/<string:code>/audits")
@requires(*DESK)
@blueprint.arguments(AuditSchema)
@blueprint.response(200, CabinetSchema)
def audit_cabinet(body: dict[str, Any], code: str) -> Any:
    """Somebody has walked along the cabinet with its worksheet; the next time is in a week."""
    atomic(audit.walked, code, body["note"], _desk())
    return cabinets.cabinet(db.session(), code, clock.now())


@blueprint.post("/cabinets/<string:code>/extend")
@requires(*DESK)
@blueprint.arguments(ExtensionSchema)
@blueprint.response(200, ExtendedSchema)
def extend_cabinet(body: dict[str, Any], code: str) -> Any:
    """Everything that waits in a cabinet may stay longer for nothing: a storm, a power cut."""
    return {"parcels": atomic(relief.extend_cabinet, code, _said(), settings().zone, **body)}


@by_an_operator.post("/parcels/<int:parcel_id>/open-code")
@requires(*DESK)
@by_an_operator.arguments(ReasonSchema)
@by_an_operator.response(201, OpenCodeSchema)
def open_by_hand(body: dict[str, Any], parcel_id: int) -> Any:
    """A code that opens the parcel's door once, within 15 minutes; it is shown only here."""
    return atomic(by_hand.open_code, parcel_id, body["reason"], current().id, _said(), _ours())


@by_an_operator.post("/parcels/<int:parcel_id>/remove")
@requires(*DESK)
@by_an_operator.arguments(RemovalSchema)
@by_an_operator.response(200, ParcelStandsSchema)
def remove_parcel(body: dict[str, Any], parcel_id: int) -> Any:
    """An operator has taken the parcel out, with a photo and before a witness."""
    atomic(by_hand.remove, parcel_id, _said(), _ours(), **body)
    return by_hand.stands(db.session(), parcel_id)


@by_an_operator.post("/parcels/<int:parcel_id>/returned")
@requires(*DESK)
@by_an_operator.arguments(ReasonSchema)
@by_an_operator.response(200, ParcelStandsSchema)
def return_parcel(body: dict[str, Any], parcel_id: int) -> Any:
    """The parcel goes back to its sender."""
    atomic(by_hand.give_back, parcel_id, _said(), _ours(), **body)
    return by_hand.stands(db.session(), parcel_id)


@by_an_operator.post("/parcels/<int:parcel_id>/except")
@requires(*DESK)
@by_an_operator.arguments(SetAsideSchema)
@by_an_operator.response(200, ParcelStandsSchema)
def set_parcel_aside(body: dict[str, Any], parcel_id: int) -> Any:
    """The parcel is damaged, misdelivered, lost or missing."""
    atomic(by_hand.set_aside, parcel_id, _said(), _ours(), **body)
    return by_hand.stands(db.session(), parcel_id)


@by_an_operator.post("/parcels/<int:parcel_id>/restore")
@requires(*DESK)
@by_an_operator.arguments(RestoreSchema)
@by_an_operator.response(200, ParcelStandsSchema)
def restore_parcel(body: dict[str, Any], parcel_id: int) -> Any:
    """The parcel was set aside by mistake, was found again, or is whose the desk says it is."""
    atomic(restoring.restore, parcel_id, _desk(), **body)
    return by_hand.stands(db.session(), parcel_id)


@by_an_operator.post("/parcels/<int:parcel_id>/waive")
@requires(*DESK)
@by_an_operator.arguments(ReasonSchema)
@by_an_operator.response(200, ParcelStandsSchema)
def waive_fee(body: dict[str, Any], parcel_id: int) -> Any:
    """Take back what is unpaid of the storage fee."""
    atomic(relief.waive, parcel_id, _said(), **body)
    return by_hand.stands(db.session(), parcel_id)


@by_an_operator.post("/parcels/<int:parcel_id>/extend")
@requires(*DESK)
@by_an_operator.arguments(ExtensionSchema)
@by_an_operator.response(200, ParcelStandsSchema)
def extend_parcel(body: dict[str, Any], parcel_id: int) -> Any:
    """A waiting parcel may stay some hours longer for nothing."""
    atomic(relief.extend, parcel_id, _said(), settings().zone, **body)
    return by_hand.stands(db.session(), parcel_id)


@by_an_operator.get("/parcels/<int:parcel_id>/dispute")
@requires(*CONCERNED)
@by_an_operator.response(200, DisputeSchema)
def show_dispute(parcel_id: int) -> Any:
    """Everything known of a parcel, and whether it was tampered with."""
    return _file(parcel_id)


@by_an_operator.get("/parcels/<int:parcel_id>/dispute.html")
@requires(*CONCERNED)
@by_an_operator.response(200, {"type": "string"}, content_type=HTML)
def print_dispute(parcel_id: int) -> Response:
    """The same as a page to print."""
    answer = Response(dispute_page.page(_file(parcel_id), settings().zone), mimetype=HTML)
    answer.headers["Content-Security-Policy"] = NOTHING_FETCHED
    answer.cache_control.no_store = True
    return answer


def _file(parcel_id: int) -> dict[str, Any]:
    reader = Reader(current().id, current().role, current().household_id)
    return dispute.dispute_file(db.session(), parcel_id, reader, clock.now())


def _desk() -> Desk:
    return Desk(current().id, _said(), _ours())


def _said() -> Said:
    now = clock.now()
    return Said(f"person:{current().id}", now, now)


def _ours() -> Premises:
    return Premises(settings().zone, settings().secret_key)
