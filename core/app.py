"""The Flask app every process begins with: settings, database, logs. Routes are wsgi.py's."""

from flask import Flask, current_app

from core.config import Settings
from core.db import db
from core.logs import start_logging
from core.roles import step_down


def new_app(settings: Settings) -> Flask:
    """A Flask app that can reach the database; web and worker processes share it."""
    start_logging()
    app = Flask("huilin", static_folder=None)
    app.config |= {
        "SETTINGS": settings,
        "MAX_CONTENT_LENGTH": settings.max_body_bytes,
        "MAX_FORM_MEMORY_SIZE": settings.max_body_bytes,
        "SQLALCHEMY_DATABASE_URI": settings.database_url,
        "SQLALCHEMY_ENGINE_OPTIONS": {
            "pool_pre_ping": False,
            "pool_size": 16,
            "pool_timeout": 5,
            # The driver forgets what it prepared at every rollback; let it learn at once.
            "connect_args": {"prepare_threshold": 1},
        },
    }
    app.json.ensure_ascii = False  # type: ignore[attr-defined]  # DefaultJSONProvider's
    app.json.sort_keys = False  # type: ignore[attr-defined]  # DefaultJSONProvider's
    db.init_app(app)
    if settings.steps_down:
        with app.app_context():
            step_down(db.engine)
    return app


def settings() -> Settings:
    """The settings of the app in whose context we are."""
    found: Settings = current_app.config["SETTINGS"]
    return found
