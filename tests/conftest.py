"""Real parts: one private PostgreSQL per test run, a fresh database per test."""

import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest
from argon2 import PasswordHasher
from flask import Flask
from flask.testing import FlaskClient
from flask_migrate import upgrade
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from sqlalchemy.orm import Session

from core.config import Settings
from core.db import db
from core.embedded import Postgres, Redis
from identity import passwords
from tests.cast import Community, found_community
from wsgi import create_app

hypothesis_settings.register_profile(
    "huilin", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
hypothesis_settings.load_profile("huilin")

passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """The server of this run, without fsync."""
    server = Postgres(tmp_path_factory.mktemp("huilin") / "pg", durable=False)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A private Redis: the real server where the machine has one."""
    server = Redis(tmp_path_factory.mktemp("redis"))
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def template(postgres: Postgres, redis_url: str) -> Flask:
    """An app on a migrated database that tests clone; nobody writes to it."""
    url = postgres.url_for("huilin_test")
    with _maintenance(postgres) as connection:
        connection.execute("CREATE DATABASE huilin_test OWNER huilin")
    app = create_app(a_settings(url, redis_url))
    with app.app_context():
        upgrade()
        db.engine.dispose()
    with _maintenance(postgres) as connection:
        connection.execute("ALTER DATABASE huilin_test RENAME TO huilin_template")
    return app


@pytest.fixture
def app(postgres: Postgres, template: Flask) -> Iterator[Flask]:
    """The app, in its context, on a fresh copy of the migrated database."""
    with _maintenance(postgres) as connection:
        connection.execute("DROP DATABASE IF EXISTS huilin_test WITH (FORCE)")
        connection.execute("CREATE DATABASE huilin_test TEMPLATE huilin_template OWNER huilin")
    with template.app_context():
        yield template
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def session(app: Flask) -> Session:
    """The session of the app's context."""
    return db.session()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """Speaks HTTP to the app in this process."""
    return app.test_client()


@pytest.fixture
def community(app: Flask) -> Community:
    """The cast and the garage, fresh."""
    return found_community(app)


def a_settings(database_url: str, redis_url: str) -> Settings:
    """Settings as a test community has them."""
    return Settings(
        database_url=database_url,
        redis_url=redis_url,
        secret_key=secrets.token_hex(32),
        home=Path(os.devnull).parent,
        base_url="http://127.0.0.1:8000",
        zone=ZoneInfo("Asia/Shanghai"),
    )


def _maintenance(postgres: Postgres) -> psycopg.Connection[tuple[object, ...]]:
    """As superuser, because dropping a database may have to end its autovacuum."""
    url = postgres.url_for("postgres", role="postgres").replace(
        "postgresql+psycopg://", "postgresql://"
    )
    return psycopg.connect(url, autocommit=True)
