"""The web application: the only place that knows every package."""

from flask import Flask
from flask_migrate import Migrate

import channels.api
import channels.closing
import channels.moves
import channels.orders
import channels.proof
import channels.providers
import couriers.api
import couriers.closing
import devices.api
import ebikes.api
import identity.api
import inspection.api
import ledger.api
import ledger.gauges
import ledger.payments
import ledger.periods
import ledger.reversals
import lockers.api
import lockers.proof
import parcels.api
import parking.api
import parking.proof
import parking.stays
import protocols.neutral
import protocols.vzenith
import publication.api
import publication.corrections
import publication.proof
import reports.api
import reports.command
import sample
import sharing.api
import treasury.api
import treasury.fund_receipts
import treasury.proof
import treasury.sources
from core import clock, health, http, limits, metrics
from core.app import new_app
from core.app import settings as current_settings
from core.config import Settings, settings_from_env
from core.db import Session, db

DOMAINS = (
    identity.api,
    devices.api,
    parking.api,
    sharing.api,
    ebikes.api,
    couriers.api,
    lockers.api,
    parcels.api,
    inspection.api,
    ledger.api,
    channels.api,
    treasury.api,
    reports.api,
    publication.api,
)

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
    for package in DOMAINS:
        for blueprint in package.blueprints:
            api.register_blueprint(blueprint)
    api.register_blueprint(protocols.neutral.blueprint)
    app.register_blueprint(protocols.vzenith.blueprint)
    app.cli.add_command(sample.command)
    app.cli.add_command(reports.command.command)
    ledger.payments.SOURCES["stay"] = charge_stay
    ledger.reversals.GUARDS["fund_receipt"] = treasury.fund_receipts.check_unspent
    ledger.payments.ORDERS["wechat"] = channels.orders.ask
    channels.moves.let_settlement_know()
    treasury.sources.let_settlement_know()
    channels.providers.configured(app.config["SETTINGS"])  # a key that is none stops the start
    for package in (parking, channels, lockers, treasury, publication):
        package.proof.let_the_books_know()
    metrics.READINGS["ledger"] = ledger.gauges.read
    ledger.periods.OTHERS[:] = [
        channels.closing.unmatched,
        couriers.closing.unaccrued,
        publication.corrections.undecided,
    ]


def charge_stay(session: Session, stay_id: int) -> int | None:
    """How the ledger brings a stay's charge up to date before somebody pays it."""
    return parking.stays.bring_charge_up_to_date(
        session, stay_id, clock.now(), current_settings().zone
    )


def __getattr__(name: str) -> Flask:
    """`wsgi:app` for servers, built at first use so that importing this module costs nothing."""
    if name != "app":
        raise AttributeError(name)
    app = globals()["app"] = create_app()
    return app
