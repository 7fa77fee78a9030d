"""Routes: cabinets."""

from typing import Any

import marshmallow as ma
from flask_smorest import Blueprint
from marshmallow import fields

from core.db import db
from identity.auth import requires
from lockers import cabinets

blueprint = Blueprint("lockers", __name__, url_prefix="/api/v1", description="快递柜 · lockers")
blueprints = [blueprint]


class CabinetSchema(ma.Schema):
    """A parcel locker and its compartments by size."""

    code = fields.String()
    name = fields.String()
    compartments = fields.Integer()
    S = fields.Integer()
    M = fields.Integer()
    L = fields.Integer()


@blueprint.get("/cabinets")
@requires()
@blueprint.response(200, CabinetSchema(many=True))
def list_cabinets() -> Any:
    """Every cabinet."""
    return cabinets.cabinets(db.session())
