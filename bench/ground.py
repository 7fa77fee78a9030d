"""The ground of a bench: a durable private database of its own, migrated, removed at the end."""

import logging
import os
import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import structlog
from flask import Flask
from flask_migrate import upgrade
from psycopg.conninfo import conninfo_to_dict

from bench.load import Request, Run, drive
from bench.servers import Served, cpu_seconds
from core.config import settings_from_env
from core.db import db
from core.embedded import DATABASE, ROLE, SUPERUSER, Postgres, Redis
from wsgi import create_app


@dataclass(frozen=True, slots=True)
class Ground:
    """A running database with the product's tables in it."""

    server: Postgres
    home: Path
    database: str = DATABASE

    @property
    def socket(self) -> Path:
        """The unix socket the server listens on."""
        where = conninfo_to_dict(self.conninfo)
        return Path(str(where["host"])) / f".s.PGSQL.{where['port']}"

    @property
    def url(self) -> str:
        """Where the app finds it."""
        return self.server.url_for(self.database)

    @property
    def conninfo(self) -> str:
        """Where psycopg and pgbench find it, as the app's role."""
        return _plain(self.url)

    def as_superuser(self) -> psycopg.Connection[tuple[int, ...]]:
        """A connection that may forget history; close it after use."""
        url = _plain(self.server.url_for(self.database, role=SUPERUSER))
        return psycopg.connect(url, autocommit=True)

    def run(self, *scripts: str) -> None:
        """Run scripts as superuser; `SET` in one of them holds for those after it."""
        with self.as_superuser() as connection:
            for script in scripts:
                connection.execute(script)

    def ask(self, question: str) -> tuple[int, ...]:
        """The one row that a question gives."""
        with self.as_superuser() as connection:
            return connection.execute(question).fetchone() or ()

    def tidy(self, *tables: str) -> None:
        """Vacuum and analyse some tables (none given: all), and begin with a fresh checkpoint."""
        self.run(*(f"VACUUM (ANALYZE) {table}" for table in tables or ("",)), "CHECKPOINT")

    def twin(self, name: str) -> "Ground":
        """A copy of this database beside it; nobody may be connected to this one meanwhile."""
        url = _plain(self.server.url_for("postgres", role=SUPERUSER))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {self.database}")
        return replace(self, database=name)

    def cpu_seconds(self) -> float:
        """CPU time of the server's processes."""
        assert self.server.process
        return cpu_seconds(self.server.process.pid)

    def driven(self, served: Served, lists: Sequence[Sequence[Request]], expect: bytes) -> Run:
        """Send the lists to a server, and note what that costs its processes and the database's."""
        app, database = served.cpu_seconds(), self.cpu_seconds()
        run = drive(served.port, lists, expect)
        run.app_seconds = served.cpu_seconds() - app
        run.database_seconds = self.cpu_seconds() - database
        return run


@contextmanager
def prepared() -> Iterator[Ground]:
    """Start the stores below HUILIN_HOME and migrate; stop and delete all at the end."""
    before = dict(os.environ)
    home = Path(os.environ.get("HUILIN_HOME") or "var").resolve()
    home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="bench-", dir=home) as directory:
        here = Path(directory)
        here.chmod(0o755)
        server, redis = Postgres(here / "pg"), Redis(here)
        try:
            _give_room(server)
            os.environ |= {
                "DATABASE_URL": server.start(),
                "REDIS_URL": redis.start(),
                "HUILIN_SECRET_KEY": secrets.token_hex(32),
                "HUILIN_HOME": str(here),
            }
            ground = Ground(server, here)
            with app_on(ground.url):
                upgrade()
            yield ground
        finally:
            os.environ.clear()
            os.environ |= before
            redis.stop()
            server.remove()


def _give_room(server: Postgres) -> None:
    """Let the clients of every way stay connected while another way has its turn."""
    url = server.start().replace(f"//{ROLE}@", f"//{SUPERUSER}@")
    with psycopg.connect(_plain(url), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET max_connections = 300")
    server.stop()


@contextmanager
def app_on(database_url: str) -> Iterator[Flask]:
    """The product in this process, in its context, its connections closed at the end."""
    app = quiet_app(database_url)
    with app.app_context():
        try:
            yield app
        finally:
            db.session.remove()
            db.engine.dispose()


def quiet_app(database_url: str) -> Flask:
    """The product in this process, without its log lines."""
    app = create_app(replace(settings_from_env(), database_url=database_url))
    logging.disable(logging.INFO)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return app


def say(text: str) -> None:
    """Progress, at once."""
    print(text, flush=True)


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
