"""The private PostgreSQL and Redis of `make run` and of the tests; nothing here needs root."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil  # type: ignore[import-untyped]  # psutil ships no type hints
import psycopg
from psycopg import sql

from core import pgplace, process, roles
from core.process import CannotStartError
from core.redis import reachable

DATABASE = "huilin"
ROLE = "huilin"
SUPERUSER = "postgres"
_PATIENCE_SECONDS = 300.0  # recovery after a crash may take a while
_NOT_DURABLE = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def wait_patiently(seconds: float) -> None:
    """The default pause between two looks at a starting server."""
    time.sleep(seconds)


class Postgres:
    """One PostgreSQL server over one data folder, reached through a private unix socket.

    `durable=False` is for tests: a crash may lose data, and `stop()` deletes it. `process` is
    the running server, for whoever watches over it. `pause` is called between two looks at the
    server while it starts or stops; it may raise to give up.
    """

    stop_steps = ((signal.SIGINT, 4.0), (signal.SIGQUIT, 2.0))

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        pause: Callable[[float], None] = wait_patiently,
    ) -> None:
        self.data_dir = data_dir.absolute()
        self.durable = durable
        self.bin_dir = pgplace.wheel_binaries()
        self.log = self.data_dir.parent / "log" / "postgres.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._pause = pause
        self._account: process.Account | None = None
        self._server_bin = self.bin_dir
        self._real_dir = self.data_dir
        self._socket_dir: Path | None = None
        self._log_start = 0

    def start(self) -> str:
        """Start the server, creating folder, role and database first if need be; the URL.

        Raises CannotStartError with one line when that is impossible.
        """
        try:
            self._prepare()
            self.launch()
            self._wait_until_it_answers()
            self._create_database()
        except BaseException:
            self._end_process()
            raise
        return self.url_for(DATABASE)

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server process again after it ended, without waiting until it answers."""
        self._socket_dir = pgplace.private_socket_dir(self._real_dir, self._account)
        self._end_leftover(self._socket_dir)
        settings = [
            "listen_addresses=",
            f"unix_socket_directories={self._socket_dir}",
            "unix_socket_permissions=0700",
            "timezone=UTC",
            "log_timezone=UTC",
            "log_error_verbosity=terse",  # details of an error would name plates and phones
            "log_min_error_statement=panic",
            *(() if self.durable else _NOT_DURABLE),
        ]
        flags = [part for setting in settings for part in ("-c", setting)]
        self.process = process.spawn(
            [self._server_bin / "postgres", "-D", self._real_dir, *flags],
            log=self.log,
            env=_server_env(),
            account=self._account,
            when_we_die=signal.SIGINT,
        )
        return self.process

    def stop(self) -> None:
        """Stop the server; without durability its data is deleted as well."""
        self._end_process()
        if not self.durable:
            self.remove()

    def remove(self) -> None:
        """Stop the server and delete its data."""
        self._end_process()
        pgplace.remove_data(self.data_dir)

    def url_for(self, database: str, *, role: str = ROLE) -> str:
        """SQLAlchemy's URL of a database; the owner `huilin` is no superuser, `postgres` is.

        `huilin_app` and `huilin_reporter` have the rights that migrations gave them.
        """
        return f"postgresql+psycopg://{role}@/{database}?host={self._socket_dir}&port=5432"

    def _prepare(self) -> None:
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        self._account = pgplace.server_account(self.data_dir)
        self._server_bin = pgplace.server_binaries(self._account)
        self._real_dir = pgplace.settle_data_dir(self.data_dir, self._account)
        if not (self._real_dir / "PG_VERSION").exists():
            self._initdb()
        pgplace.give(self._real_dir, self._account)

    def _initdb(self) -> None:
        """Create the cluster beside its place and move it there whole."""
        scratch = self._real_dir.with_name(f"{self._real_dir.name}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(mode=0o700)
        pgplace.give(scratch, self._account)
        child = process.spawn(
            [
                self._server_bin / "initdb",
                *("-D", scratch, "--username", SUPERUSER, "--encoding", "UTF8"),
                *("--locale", "C", "--locale-provider", "builtin", "--builtin-locale", "C.UTF-8"),
                *("--auth-local", "trust", "--auth-host", "reject"),
                *(() if self.durable else ("--no-sync",)),
            ],
            log=self.log,
            env=_server_env(),
            account=self._account,
        )
        while child.poll() is None:
            self._pause(0.05)
        if child.returncode != 0:
            raise CannotStartError(f"the database could not be created: {self._complaint()}")
        scratch.rename(self._real_dir)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                raise CannotStartError(f"the database did not start: {self._complaint()}")
            with suppress(psycopg.OperationalError):
                self._connect().close()
                return
            self._pause(0.05)
        raise CannotStartError(f"the database does not answer; see {self.log}")

    def _create_database(self) -> None:
        with self._connect() as connection:
            if not _found(connection, "pg_roles", "rolname", ROLE):
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(ROLE)))
            connection.execute(
                sql.SQL("ALTER ROLE {} CREATEDB CREATEROLE").format(sql.Identifier(ROLE))
            )
            for role in (roles.APP, roles.REPORTER):
                _let_log_in(connection, role)
            if not _found(connection, "pg_database", "datname", DATABASE):
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(
                        sql.Identifier(DATABASE), sql.Identifier(ROLE)
                    )
                )

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(
            host=str(self._socket_dir),
            port=5432,
            user=SUPERUSER,
            dbname="postgres",
            autocommit=True,
            connect_timeout=5,
        )

    def _end_leftover(self, socket_dir: Path) -> None:
        """End a server that a killed run left on our data, and clear its lock files."""
        running = [
            found
            for found in psutil.process_iter(["name", "cwd"])
            if found.info["name"] == "postgres" and found.info["cwd"] == str(self._real_dir)
        ]
        process.end_processes(running, signal.SIGINT)
        (self._real_dir / "postmaster.pid").unlink(missing_ok=True)
        for file in socket_dir.iterdir():
            file.unlink()

    def _end_process(self) -> None:
        if self.process is not None:
            process.stop(self.process, *self.stop_steps)
            self.process = None
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)

    def _complaint(self) -> str:
        """The server's own words since it was last started, in one line."""
        lines = process.last_lines(self.log, since=self._log_start) or ["it said nothing"]
        for mark in ("PANIC:", "FATAL:", "error:"):
            for line in lines:
                if mark in line and "the database system is" not in line:  # said to our attempts
                    return f"{line.partition(mark)[2].strip()} (log: {self.log})"
        return f"{lines[-1]} (log: {self.log})"


class Redis:
    """A private Redis on loopback that keeps nothing on disk: `redis-server` if there is one.

    Else the server of fakeredis in a process of its own: correct, slow, and without a
    password, which it does not enforce. `kind` says which of the two it is.
    """

    stop_steps = ((signal.SIGTERM, 1.5),)

    def __init__(self, directory: Path, *, pause: Callable[[float], None] = wait_patiently) -> None:
        self.directory = directory.absolute()
        self.log = self.directory / "log" / "redis.log"
        self.process: subprocess.Popen[bytes] | None = None
        self._server = shutil.which("redis-server")
        self.kind: Literal["redis-server", "fakeredis"] = (
            "redis-server" if self._server else "fakeredis"
        )
        self._pause = pause
        self._password = secrets.token_urlsafe(24)
        self._port = 0

    def start(self) -> str:
        """Start it on a free port and return its URL; CannotStartError when it does not answer."""
        for _attempt in range(5):  # another process may take the port before the server does
            self._port = free_port()
            self.launch()
            if self._answers_within(20.0):
                return self.url
            self.stop()
        raise CannotStartError(f"{self.kind} did not start; see {self.log}")

    @property
    def url(self) -> str:
        """Where it listens; stays the same when it is launched again."""
        login = f":{self._password}@" if self._server else ""
        return f"redis://{login}127.0.0.1:{self._port}/0"

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the server process, again on the same port if it ran before."""
        if self._server:
            command = [self._server, "-"]
            config = self._config()
        else:
            command = [sys.executable, "-m", "core.embedded", str(self._port)]
            config = ""
        self.process = process.spawn(
            command,
            log=self.log,
            env=dict(os.environ),
            cwd=Path(__file__).parent.parent,
            stdin=config.encode(),
        )
        return self.process

    def stop(self) -> None:
        """Stop it; what it held is forgotten."""
        if self.process is not None:
            process.stop(self.process, *self.stop_steps)
            self.process = None

    def _config(self) -> str:
        """On standard input, because a command line is readable by every user."""
        return (
            f"bind 127.0.0.1\nport {self._port}\nrequirepass {self._password}\n"
            'save ""\nappendonly no\ndaemonize no\ndir /\nloglevel warning\n'
        )

    def _answers_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                return False
            if reachable(self.url):
                return True
            self._pause(0.05)
        return False


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on right now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def serve_fakeredis(port: int) -> None:
    """Serve fakeredis on a loopback port until the process is ended."""
    from fakeredis import TcpFakeServer

    server = TcpFakeServer(("127.0.0.1", port))
    server.daemon_threads = True
    server.serve_forever()


def _found(
    connection: psycopg.Connection[tuple[object, ...]], catalog: str, column: str, name: str
) -> bool:
    query = sql.SQL("SELECT 1 FROM {} WHERE {} = %s").format(
        sql.Identifier(catalog), sql.Identifier(column)
    )
    return connection.execute(query, (name,)).fetchone() is not None


def _let_log_in(connection: psycopg.Connection[tuple[object, ...]], role: str) -> None:
    """Make the role if migrations did not, and let the owner act as it."""
    name = sql.Identifier(role)
    if not _found(connection, "pg_roles", "rolname", role):
        connection.execute(sql.SQL("CREATE ROLE {}").format(name))
    connection.execute(sql.SQL("ALTER ROLE {} LOGIN").format(name))
    connection.execute(sql.SQL("GRANT {} TO {}").format(name, sql.Identifier(ROLE)))


def _server_env() -> dict[str, str]:
    """The server needs none of our environment, and must not read our PG… variables."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH") if name in os.environ}
    return kept | {"LC_ALL": "C", "TZ": "UTC"}


if __name__ == "__main__":
    serve_fakeredis(int(sys.argv[1]))
