"""The app, given the owner's address, goes on as `huilin_app`: and all its work can be done so."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

import sample
from core.app import settings
from core.db import atomic, db
from core.embedded import Postgres
from simulation import invariants
from tests.flows.test_simulation import played
from wsgi import create_app

ROOT = Path(__file__).parents[2]

EVERY_SWEEP = """
from datetime import timedelta
from sqlalchemy import text
from core import clock
from core.db import db
from workers.app import celery, flask_app, settings

celery.loader.import_default_modules()
night = clock.now().astimezone(settings.zone).replace(hour=4) + timedelta(days=1)
with clock.at(night):
    for name in sorted(set(celery.tasks)):
        if not name.startswith("celery."):
            celery.tasks[name]()
            print("swept", name)
with flask_app.app_context():
    print("as", db.session.execute(text("SELECT current_user")).scalar())
"""


@pytest.fixture
def least(app: Flask) -> Iterator[Flask]:
    """The app as it is started from the environment, with the owner's address."""
    stepped_down = create_app(replace(settings(), steps_down=True))
    with stepped_down.app_context():
        yield stepped_down
        db.session.remove()
        db.engine.dispose()


def who() -> str:
    with db.engine.connect() as connection:
        return str(connection.execute(text("SELECT current_user")).scalar_one())


def test_it_steps_down_says_so_once_and_rewrites_nothing(least: Flask) -> None:
    with capture_logs() as said:
        assert [who(), who()] == ["huilin_app"] * 2
        db.engine.dispose()
        assert who() == "huilin_app"
    assert [line["going_on_as"] for line in said] == ["huilin_app"]
    for attack in (
        "ALTER TABLE posting DISABLE TRIGGER USER",
        "UPDATE posting SET amount_fen = 1",
        "DROP TABLE proof_report",
        "DELETE FROM proof_report",
        "UPDATE split_rule SET cost_permille = 0",
        "CREATE TABLE mine (id int)",
    ):
        with pytest.raises(DBAPIError) as caught, db.engine.begin() as connection:
            connection.execute(text(attack))
        assert isinstance(caught.value.orig, psycopg.errors.InsufficientPrivilege), attack


def test_where_nothing_is_owned_or_nobody_to_step_down_to_it_stays(
    app: Flask, postgres: Postgres
) -> None:
    """A login of its own, like the embedded one's, needs no stepping down."""
    other = replace(
        settings(),
        steps_down=True,
        database_url=postgres.url_for("huilin_test", role="huilin_reporter"),
    )
    empty = replace(settings(), steps_down=True, database_url=postgres.url_for("huilin"))
    for found, role in ((other, "huilin_reporter"), (empty, "huilin")):
        with create_app(found).app_context(), capture_logs() as said:
            assert who() == role
            db.engine.dispose()
        assert said == []


def test_the_sample_community_is_filled_in(least: Flask) -> None:
    atomic(sample.fill, None)
    assert who() == "huilin_app"


def test_a_day_of_the_community_and_every_sweep(
    least: Flask, redis_url: str, tmp_path: Path
) -> None:
    """Gates, bookings, charging, payments, settlement, seals; then all that workers do."""
    story = played(7)
    assert story.world.tally.faults == []
    found = invariants.prove(db.session())
    assert [one.name for one in found if one.broken] == []
    db.session.remove()
    environment = {
        "DATABASE_URL": settings().database_url,
        "REDIS_URL": redis_url,
        "HUILIN_SECRET_KEY": "k" * 32,
        "HUILIN_HOME": str(tmp_path),
    }
    told = subprocess.run(
        [sys.executable, "-c", EVERY_SWEEP],
        cwd=ROOT,
        env=os.environ | environment,
        check=False,
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr[-3000:]
    swept = told.stdout.splitlines()
    assert swept[-1] == "as huilin_app"
    assert {"swept ledger.settle", "swept ledger.prove", "swept sharing.watch"} <= set(swept)
    assert "InsufficientPrivilege" not in told.stdout + told.stderr
    assert db.session.execute(text("SELECT ok FROM proof_report")).scalars().all() == [True]
