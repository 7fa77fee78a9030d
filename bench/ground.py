"""The ground of a bench: a durable private database, many small lots, a history behind them."""

import logging
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import structlog
from flask import Flask
from flask_migrate import upgrade
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy.orm import Session

from bench.servers import cpu_seconds
from core.config import settings_from_env
from core.db import atomic, db
from core.embedded import DATABASE, SUPERUSER, Postgres, Redis
from devices import registry
from identity import people
from parking import lots
from sample import CAR_RULES
from wsgi import create_app

LOTS = 64
SPACES = 320
PAST_STAYS = 40_000
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)

# A year of closed stays with both their events, so that tables, statistics and plans are
# those of a community that lives, not of one founded a minute ago.
PAST = f"""
SET session_replication_role = replica;
INSERT INTO device_event (id, device_id, event_key, type, occurred_at, recorded_at, history,
                          raw, data, answer)
SELECT n, d.id, 'past-' || n, 'gate.request', t.at, t.at, false, NULL, NULL, NULL
FROM generate_series(1, {2 * PAST_STAYS}) n
CROSS JOIN LATERAL (SELECT now() - interval '1 year' * n / {2.2 * PAST_STAYS}) t(at)
JOIN device d ON d.code = (ARRAY['entry-', 'exit-'])[n % 2 + 1] || (n % {LOTS} + 1);
INSERT INTO stay (id, lot_id, plate, plate_color, status, "right", entered_at, exited_at,
                  entry_event_id, exit_event_id, space_id, tariff_id, fee_fen)
SELECT n, s.lot_id, '川P' || lpad((n % 7000)::text, 5, '0'), 'blue', 'closed', 'walk-in',
       e.occurred_at, e.occurred_at + interval '40 minutes', 2 * n - 1, 2 * n, s.id, t.id, 300
FROM generate_series(1, {PAST_STAYS}) n
JOIN device_event e ON e.id = 2 * n - 1
JOIN (SELECT id, lot_id, row_number() OVER (ORDER BY id) AS place FROM space) s
  ON s.place = n % {LOTS * SPACES} + 1
JOIN tariff t ON t.lot_id = s.lot_id;
INSERT INTO space_claim (lot_id, space_id, during, stay_id, live)
SELECT lot_id, space_id, tstzrange(entered_at, exited_at), id, false FROM stay;
SELECT setval('device_event_id_seq', {2 * PAST_STAYS}), setval('stay_id_seq', {PAST_STAYS});
"""

TABLES = {"device_event": 2 * PAST_STAYS, "stay": PAST_STAYS, "space_claim": PAST_STAYS}

FORGET = f"""
SET session_replication_role = replica;
DELETE FROM space_claim WHERE stay_id > {PAST_STAYS};
DELETE FROM stay WHERE id > {PAST_STAYS};
DELETE FROM exception_case;
DELETE FROM device_event WHERE id > {2 * PAST_STAYS};
"""

PAY = """
INSERT INTO payment (source, source_id, method, amount_fen, received_by, occurred_at, recorded_at)
SELECT source, source_id, 'cash', charged_fen - paid_fen, person.id, now(), now()
FROM receivable CROSS JOIN (SELECT min(id) FROM person) person(id)
WHERE charged_fen > paid_fen
"""

WRITTEN = f"""
SELECT (SELECT count(*) FROM device_event WHERE id > {2 * PAST_STAYS}),
       (SELECT count(*) FROM stay WHERE id > {PAST_STAYS} AND status = 'open'),
       (SELECT count(*) FROM space_claim WHERE stay_id > {PAST_STAYS} AND live)
"""


@dataclass(frozen=True, slots=True)
class Ground:
    """A running database with the community of the bench in it."""

    server: Postgres
    home: Path

    @property
    def socket(self) -> Path:
        """The unix socket the server listens on."""
        where = conninfo_to_dict(self.conninfo)
        return Path(str(where["host"])) / f".s.PGSQL.{where['port']}"

    @property
    def conninfo(self) -> str:
        """Where psycopg and pgbench find it, as the app's role."""
        return _plain(self.server.url_for(DATABASE))

    def as_superuser(self) -> psycopg.Connection[tuple[int, ...]]:
        """A connection that may forget history; close it after use."""
        url = _plain(self.server.url_for(DATABASE, role=SUPERUSER))
        return psycopg.connect(url, autocommit=True)

    def reset(self) -> None:
        """Forget what the last round wrote, and begin the next with a fresh checkpoint."""
        with self.as_superuser() as connection:
            connection.execute(FORGET)
            for table in (*TABLES, "space"):
                connection.execute(f"VACUUM (ANALYZE) {table}")
            connection.execute("CHECKPOINT")

    def age_stays(self, *, hours: int) -> None:
        """Let every open stay have begun so many hours earlier."""
        with self.as_superuser() as connection:
            connection.execute(
                "UPDATE stay SET entered_at = entered_at - make_interval(hours => %s)"
                " WHERE status = 'open'",
                (hours,),
            )
            connection.execute("VACUUM (ANALYZE) stay")

    def pay_all(self) -> None:
        """Take cash for every stay that owes."""
        with self.as_superuser() as connection:
            connection.execute(PAY)

    def cpu_seconds(self) -> float:
        """CPU time of the server's processes."""
        assert self.server.process
        return cpu_seconds(self.server.process.pid)

    def written(self) -> tuple[int, ...]:
        """How many events, open stays and live claims stand there since the reset."""
        with self.as_superuser() as connection:
            return connection.execute(WRITTEN).fetchone() or ()


@contextmanager
def prepared(home: Path) -> Iterator[Ground]:
    """Start the stores in `home`, migrate, build the community; stop and delete all at the end."""
    server, redis = Postgres(home / "pg"), Redis(home)
    try:
        os.environ |= {
            "DATABASE_URL": server.start(),
            "REDIS_URL": redis.start(),
            "HUILIN_SECRET_KEY": secrets.token_hex(32),
            "HUILIN_HOME": str(home),
        }
        ground = Ground(server, home)
        _build(ground)
        yield ground
    finally:
        redis.stop()
        server.remove()


def token(direction: str, lot: int) -> str:
    """The token of a lot's entry or exit device; lots are numbered from 1."""
    return f"bench-{direction}-{lot}"


def quiet_app(database_url: str) -> Flask:
    """The product in this process, without its log lines."""
    app = create_app(replace(settings_from_env(), database_url=database_url))
    logging.disable(logging.INFO)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    return app


def _build(ground: Ground) -> None:
    with quiet_app(ground.server.url_for(DATABASE)).app_context():
        upgrade()
        atomic(_community)
        db.engine.dispose()
    with ground.as_superuser() as connection:
        connection.execute(PAST)
        connection.execute((Path(__file__).parent / "entry.sql").read_text(encoding="utf-8"))
        connection.execute("VACUUM (ANALYZE)")


def _community(session: Session) -> None:
    people.create_person(session, "operator", secrets.token_hex(8), "operator")
    for number in range(1, LOTS + 1):
        name = f"L{number:02d}"
        lot = lots.add_lot(session, code=name, name=name, kind="car", takes_walk_ins=True)
        lots.add_spaces(session, lot, [f"{name}-{n:03d}" for n in range(1, SPACES + 1)])
        lots.add_tariff(session, lot, asdict(CAR_RULES), BEGINNING - timedelta(days=400))
        for direction in ("entry", "exit"):
            code = f"{direction}-{number}"
            lots.add_lane(session, lot, code=code, name=code, direction=direction)
            issued = registry.register(session, code=code, serial=code, kind="camera", lane=code)
            issued.device.token_digest = registry.digest(token(direction, number))


def _plain(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)
