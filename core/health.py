"""Whether the process serves, and whether it is ready."""

from pathlib import Path

from alembic.script import ScriptDirectory
from flask import Blueprint, Response, jsonify
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from core import metrics
from core.db import db
from core.errors import Problem

MIGRATIONS = Path(__file__).parent.parent / "migrations"

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process serves."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> Response:
    """The database is reachable and migrated; 503 names what is missing."""
    try:
        found = db.session.execute(text("SELECT version_num FROM alembic_version")).scalar()
    except SQLAlchemyError as error:
        db.session.rollback()
        missing = "schema" if isinstance(error, ProgrammingError) else "database"
        raise Problem(503, "not-ready", f"Missing: {missing}.", missing=[missing]) from error
    wanted = ScriptDirectory(str(MIGRATIONS)).get_current_head()
    if found != wanted:
        detail = f"Missing: migration {wanted}; the database is at {found}."
        raise Problem(503, "not-ready", detail, missing=["migration"])
    return jsonify(status="ready")


@blueprint.get("/metrics")
def prometheus() -> Response:
    """Numbers for Prometheus."""
    return metrics.text()
