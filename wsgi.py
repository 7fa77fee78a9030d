"""The web application: the only place that knows every package."""

from flask import Flask
from flask_migrate import Migrate

import identity.api
from core import health, http, limits, metrics
from core.app import new_app
from core.config import Settings, settings_from_env
from core.db import db

migrate = Migrate(compare_type=True)


def create_app(settings: Settings | None = None) -> Flask:
    """Build the app with every route; settings come from the environment unless given."""
    app = new_app(settings or settings_from_env())
    migrate.init_app(app, db, directory=str(health.MIGRATIONS))
    metrics.install(app)
    limits.install(app)
    api = http.install(app)
    app.register_blueprint(health.blueprint)
    register_domain(app, api)
    return app


def register_domain(app: Flask, api: http.Api) -> None:
    """Every domain package's routes and commands."""
    for blueprint in identity.api.blueprints:
        api.register_blueprint(blueprint)


def __getattr__(name: str) -> Flask:
    """`wsgi:app` for servers, built at first use so that importing this module costs nothing."""
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = create_app()
    return app
