"""`huilin simulate`: a community of its own in a database of its own, played and proven."""

import secrets
import signal
import tempfile
import time
from calendar import monthrange
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from argon2 import PasswordHasher
from flask import Flask
from flask_migrate import upgrade
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from core.app import settings
from core.config import Settings, WeChatPay
from core.console import say, write
from core.db import Connection, atomic, db
from core.embedded import DATABASE, Postgres
from core.logs import start_logging
from identity import passwords
from simulation import invariants, month, picture
from simulation.office import Office
from simulation.play import play
from simulation.tenpay import provider
from simulation.world import World
from wsgi import create_app

TIDY_EVERY = 3


def simulate(days: int, seed: int, keep: Path | None) -> int:
    """Play `days` of the community of a seed and prove it sound; the exit code.

    Touches nothing of the installation: the database is made for this and deleted afterwards,
    unless `keep` names a new folder for it.
    """
    if keep is not None and (keep / "pg").exists():
        say(f"{keep} has a database in it already; name a folder that is new")
        return 2
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with _private_app(keep):
        say(f"simulating {days} days with seed {seed}")
        began = time.monotonic()
        played = play(days, seed, settings().zone, after_day=_progress(days, began))
        proven = _proven()
        picture.show(played, proven)
        say(f"{time.monotonic() - began:.0f} s; fingerprint {played.fingerprint}")
    broken = [one for one in proven if one.broken] or played.world.tally.faults
    return 1 if broken else 0


def keep_books(first: date, seed: int, out: Path) -> int:
    """Play a month that begins on `first`, and what finance makes of it; the exit code.

    Papers, pack and exports are left in `out`; the database is made for this and deleted.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    days = monthrange(first.year, first.month)[1]
    with provider() as tenpay, _private_app(None, tenpay.merchant) as app:
        say(f"a month of {days} days with seed {seed}")
        show = _progress(days, time.monotonic())
        played = play(days, seed, settings().zone, first_day=first, tenpay=tenpay, after_day=show)
        figures = month.finance(Office(app, played.world.now), tenpay, first, out)
        picture.show_month(figures)
    say(f"papers are in {out}")
    return 1 if figures.wrong or played.world.tally.faults else 0


@contextmanager
def _private_app(keep: Path | None, wechat: WeChatPay | None = None) -> Iterator[Flask]:
    """An app on a migrated, empty database of its own."""
    with tempfile.TemporaryDirectory(prefix="huilin-simulation-") as scratch:
        server = Postgres((keep or Path(scratch)) / "pg", durable=keep is not None)
        try:
            app = create_app(_settings(server.start(), keep or Path(scratch), wechat))
            start_logging("WARNING")
            passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
            with app.app_context():
                upgrade()
                atomic(_hurry)
                event.listen(db.engine, "connect", _prepare_soon)
                db.engine.dispose()
                yield app
                db.session.remove()
                db.engine.dispose()
        finally:
            server.stop()
    if keep is not None:
        say(f"kept in {keep}; look at it with HUILIN_HOME={keep} HUILIN_SAMPLE=0 huilin run")


def _settings(database_url: str, home: Path, wechat: WeChatPay | None) -> Settings:
    """Nothing here serves: no Redis, no address, a secret that signs nothing."""
    return Settings(
        database_url=database_url,
        redis_url="redis://127.0.0.1:1/0",
        secret_key=secrets.token_hex(32),
        home=home,
        base_url="http://127.0.0.1",
        zone=ZoneInfo("Asia/Shanghai"),
        wechat=wechat,
    )


def _hurry(session: Session) -> None:
    """Nobody loses anything should the machine stop now."""
    session.execute(text(f"ALTER DATABASE {DATABASE} SET synchronous_commit = off"))
    session.execute(text(f"ALTER DATABASE {DATABASE} SET jit = off"))
    session.execute(text(f"ALTER DATABASE {DATABASE} SET plan_cache_mode = force_generic_plan"))


def _prepare_soon(connection: Connection, _record: object) -> None:
    """A refused action rolls back, and then the driver forgets every statement it prepared."""
    connection.prepare_threshold = 1
    connection.prepared_max = 500


def _tidy() -> None:
    """What the database does by itself, but later than a day of ten seconds lasts."""
    with db.engine.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("VACUUM ANALYZE"))


def _progress(days: int, began: float) -> Callable[[int, World], None]:
    def show(day: int, world: World) -> None:
        if day < TIDY_EVERY or day % TIDY_EVERY == 0:
            _tidy()
        took = time.monotonic() - began
        left = took / day * (days - day)
        bar = "█" * round(20 * day / days) + "░" * (20 - round(20 * day / days))
        rate = f"{world.events / took:5.0f} events/s, {took / day:4.1f} s a day"
        faults = f", {len(world.tally.faults)} faults" if world.tally.faults else ""
        write(f"  {bar} day {day:3d}/{days}  {rate}, {left:3.0f} s left{faults}")

    return show


def _proven() -> list[invariants.Proven]:
    """All checks of one instant, which are all there is: nobody else writes."""
    one_instant = db.engine.execution_options(
        isolation_level="REPEATABLE READ", postgresql_readonly=True
    )
    with Session(one_instant) as snapshot:
        return invariants.prove(snapshot)
