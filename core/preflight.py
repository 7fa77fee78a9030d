"""What `huilin run` looks at before it starts anything; each trouble is one clear line."""

import errno
import fcntl
import os
import secrets
import socket
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import psycopg
from psycopg.conninfo import conninfo_to_dict

from core import redis
from core.config import driver_url
from core.pgplace import check_data_dir
from core.process import CannotStartError

OLDEST_POSTGRES = 15


@dataclass(frozen=True, slots=True)
class Plan:
    """What was asked for through the environment."""

    home: Path
    host: str
    port: int
    database_url: str | None
    redis_url: str | None
    sample: bool
    web_workers: int
    web_threads: int

    @property
    def local_url(self) -> str:
        """Where this machine reaches the web process."""
        return f"http://{f'[{self.reach}]' if ':' in self.reach else self.reach}:{self.port}"

    @property
    def reach(self) -> str:
        """The address to connect to: loopback when the web process listens everywhere."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 - read, not bound

    def web_arguments(self, target: str, host: str, port: int) -> tuple[str, ...]:
        """What granian is told to serve `target` (module:app) as we ship it."""
        return (
            *("--interface", "wsgi", "--host", host, "--port", str(port)),
            *("--workers", str(self.web_workers), "--blocking-threads", str(self.web_threads)),
            *("--http", "1", "--no-ws", "--backlog", "2048", "--workers-kill-timeout", "2"),
            *("--http1-header-read-timeout", "10000", "--respawn-failed-workers"),
            *("--log-level", "warning", target),
        )


def plan_from_env() -> Plan:
    """Read the environment; raise CannotStartError naming the variable that is wrong."""
    return Plan(
        home=Path(os.environ.get("HUILIN_HOME") or "var").expanduser().resolve(),
        host=os.environ.get("HOST") or "127.0.0.1",
        port=_number("PORT", 8000, most=65535),
        database_url=os.environ.get("DATABASE_URL") or None,
        redis_url=os.environ.get("REDIS_URL") or None,
        sample=os.environ.get("HUILIN_SAMPLE", "1") != "0",
        web_workers=_number("HUILIN_WEB_WORKERS", 2, most=256),
        web_threads=_number("HUILIN_WEB_THREADS", 4, most=256),
    )


def own_home(home: Path) -> IO[str]:
    """Make the home, see that we can write there, and lock it; closing the file unlocks it."""
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            lock = (home / "run.lock").open("a")
    except OSError as error:
        raise CannotStartError(f"HUILIN_HOME {home} is not writable: {error.strerror}") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        raise CannotStartError(
            f"another `huilin run` uses HUILIN_HOME {home}; stop it or choose another HUILIN_HOME"
        ) from error
    return lock


def reserve_port(host: str, port: int) -> socket.socket | None:
    """See that the port is free, and keep it ours until the socket returned is closed.

    The web server shares its port between processes, so two of them would quietly share it;
    on Linux a bound socket that does not listen keeps other installations away.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _bind(probe, host, port)
    if sys.platform != "linux":
        return None
    held = socket.socket(family)
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    _bind(held, host, port)
    return held


def check_database(plan: Plan) -> None:
    """See that the given database answers, or that the embedded one's folder is sound."""
    if plan.database_url is None:
        check_data_dir(plan.home / "pg")
        return
    address = driver_url(plan.database_url).replace("postgresql+psycopg://", "postgresql://", 1)
    try:
        where = conninfo_to_dict(address)
    except psycopg.ProgrammingError as error:
        raise CannotStartError("DATABASE_URL is not a postgresql:// address") from error
    named = f"{where.get('host') or 'localhost'}:{where.get('port') or 5432}"
    try:
        with psycopg.connect(address, connect_timeout=5) as connection:
            found = connection.info.server_version // 10000
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise CannotStartError(f"DATABASE_URL: no connection to {named}: {reason}") from error
    if found < OLDEST_POSTGRES:
        raise CannotStartError(f"DATABASE_URL: needs {OLDEST_POSTGRES} or newer, not {found}")


def check_redis(plan: Plan) -> None:
    """See that the given Redis answers."""
    if plan.redis_url is None:
        return
    where = urlsplit(plan.redis_url)
    with suppress(ValueError):
        if any(redis.reachable(plan.redis_url) for _attempt in range(3)):
            return
        raise CannotStartError(
            f"REDIS_URL: {where.hostname or where.path}:{where.port or 6379} does not answer, "
            "or not to this password"
        )
    raise CannotStartError("REDIS_URL is not a redis:// address")


def secret_key(home: Path) -> str:
    """The installation's secret, made once; readable by its owner alone."""
    file = home / "secret"
    if not file.exists():
        with tempfile.NamedTemporaryFile("w", dir=home, prefix="secret.", delete=False) as new:
            new.write(secrets.token_urlsafe(48))
        Path(new.name).rename(file)
    try:
        return file.read_text().strip()
    except OSError as error:
        raise CannotStartError(f"{file} is not readable: {error.strerror}") from error


def _bind(probe: socket.socket, host: str, port: int) -> None:
    try:
        probe.bind((host, port))
    except PermissionError as error:
        raise CannotStartError(f"port {port} is not allowed; try PORT=8000") from error
    except OSError as error:
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise CannotStartError(f"HOST {host} is not an address of this machine") from error
        raise CannotStartError(
            f"port {port} on {host} is taken; choose another, for instance PORT={port % 65535 + 1}"
        ) from error


def _number(name: str, default: int, *, most: int) -> int:
    text = os.environ.get(name) or str(default)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        raise CannotStartError(f"{name} must be a number from 1 to {most}, not {text!r}")
    return int(text)
