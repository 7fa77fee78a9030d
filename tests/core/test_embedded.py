"""The private servers: what they are like, what they survive, what they say when they cannot."""

import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
import redis

from core import pgplace
from core.embedded import Postgres, Redis
from core.process import CannotStartError
from core.redis import reachable
from tests.processes import until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has another user run the server")


def ask(server: Postgres, query: str, *, role: str = "huilin") -> object:
    """The first value of a query's first row; None for a statement without rows."""
    url = server.url_for("huilin", role=role).replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        row = cursor.fetchone() if cursor.description else None
        return row[0] if row else None


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A stopped server's data folder; its path is long, with a space and Chinese in it."""
    folder = tmp_path_factory.mktemp("小区 一号") / ("x" * 100) / "pg"
    server = Postgres(folder)
    server.start()
    ask(server, "CREATE TABLE kept AS SELECT 7 AS n")
    server.stop()
    yield folder
    pgplace.remove_data(folder)


@pytest.fixture
def open_home() -> Iterator[Path]:
    """A home that every user of the machine can walk into."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_it_is_utf8_in_utc_private_and_its_owner_no_superuser(postgres: Postgres) -> None:
    settings = "SELECT current_setting(%s)"
    for name, value in {
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "listen_addresses": "",
        "data_checksums": "on",
        "log_error_verbosity": "terse",
    }.items():
        assert ask(postgres, settings.replace("%s", f"'{name}'"), role="postgres") == value
    assert ask(postgres, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
    sockets = ask(postgres, "SHOW unix_socket_directories", role="postgres")
    assert stat.S_IMODE(Path(str(sockets)).stat().st_mode) == 0o700


def test_a_stopped_server_keeps_its_data(kept: Path) -> None:
    server = Postgres(kept)
    server.start()
    assert ask(server, "SELECT n FROM kept") == 7
    server.stop()


def test_a_server_left_behind_is_ended_and_its_address_kept(kept: Path) -> None:
    left_behind, following = Postgres(kept), Postgres(kept)
    address = left_behind.start()
    left = left_behind.process
    assert left is not None
    assert following.start() == address
    assert left.wait(timeout=5) == 0
    following.stop()


def test_a_stranger_with_the_old_process_number_is_left_alone(kept: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        folder = kept.resolve()
        lock = f"{stranger.pid}\n{folder}\n1\n5432\n/tmp\n\n1 1\nready\n"
        (folder / "postmaster.pid").write_text(lock)
        server = Postgres(kept)
        server.start()
        assert ask(server, "SELECT 1") == 1
        server.stop()
        assert stranger.poll() is None
        stranger.kill()


def test_the_servers_own_words_are_passed_on(kept: Path, tmp_path: Path) -> None:
    wal = kept.resolve() / "pg_wal"
    aside = shutil.move(wal, wal.with_name("aside"))
    server = Postgres(kept)
    with pytest.raises(CannotStartError, match="did not start: required WAL directory"):
        server.start()
    assert server.process is None
    shutil.move(aside, wal)


def test_an_interrupted_creation_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "pg.new").mkdir()
    (tmp_path / "pg.new" / "PG_VERSION").write_text("18\n")
    server = Postgres(tmp_path / "pg", durable=False)
    server.start()
    assert ask(server, "SELECT 1") == 1
    server.stop()


@pytest.mark.parametrize(
    ("version", "control", "complaint"),
    [
        (None, True, "PG_VERSION is missing or broken"),
        ("", True, "PG_VERSION is missing or broken"),
        ("\x00ÿ", True, "PG_VERSION is missing or broken"),
        ("18\n", False, "pg_control is missing or broken"),
        ("16\n", True, "made by PostgreSQL 16, this is 18"),
    ],
)
def test_a_broken_folder_is_named(
    tmp_path: Path, version: str | None, control: bool, complaint: str
) -> None:
    (tmp_path / "pg" / "global").mkdir(parents=True)
    if version is not None:
        (tmp_path / "pg" / "PG_VERSION").write_text(version, encoding="latin-1")
    if control:
        (tmp_path / "pg" / "global" / "pg_control").touch()
    with pytest.raises(CannotStartError, match=complaint) as raised:
        Postgres(tmp_path / "pg").start()
    assert "\n" not in str(raised.value)


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "pg").touch()
    with pytest.raises(CannotStartError, match="is a file"):
        Postgres(tmp_path / "pg").start()


@as_root
def test_root_has_nobody_run_it_where_nobody_can_walk(open_home: Path) -> None:
    server = Postgres(open_home / "pg", durable=False)
    server.start()
    assert not (open_home / "pg").is_symlink()
    assert (open_home / "pg").stat().st_uid != 0
    assert open_home.stat().st_uid == 0
    server.stop()
    assert not (open_home / "pg").exists()


@as_root
def test_root_in_a_closed_home_keeps_the_data_elsewhere_and_opens_nothing(
    open_home: Path,
) -> None:
    closed = open_home / "closed"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "pg")
    server.start()
    target = (closed / "pg").resolve()
    server.stop()
    assert pgplace.SHARED in target.parents
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700

    shutil.copytree(closed, open_home / "copy", symlinks=True)
    with pytest.raises(CannotStartError, match="points to the database of"):
        Postgres(open_home / "copy" / "pg").start()

    moved = Postgres(closed.rename(open_home / "moved") / "pg")
    moved.start()
    assert ask(moved, "SELECT 1") == 1
    moved.remove()
    assert not target.parent.exists()


@as_root
def test_root_runs_it_as_the_owner_of_the_home(open_home: Path) -> None:
    daemon = pwd.getpwnam("daemon")
    os.chown(open_home, daemon.pw_uid, daemon.pw_gid)
    server = Postgres(open_home / "pg", durable=False)
    server.start()
    assert (open_home / "pg").stat().st_uid == daemon.pw_uid
    server.stop()


@pytest.mark.parametrize("kind", ["redis-server", "fakeredis"])
def test_redis_of_either_kind_speaks_lua_and_comes_back_at_its_address(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "fakeredis":
        monkeypatch.setenv("PATH", str(tmp_path))
    elif shutil.which(kind) is None:
        pytest.skip("this machine has no redis-server")
    server = Redis(tmp_path)
    url = server.start()
    assert server.kind == kind
    with redis.Redis.from_url(url) as client:
        assert client.eval("return redis.call('incr', KEYS[1])", 1, "n") == 1
    if kind == "redis-server":
        address = urlsplit(url)
        with (
            redis.Redis(host=address.hostname or "", port=address.port or 0) as stranger,
            pytest.raises(redis.AuthenticationError),
        ):
            stranger.ping()
    server.stop()
    server.launch()
    assert server.url == url
    until(lambda: reachable(url), "Redis answers again")
    with redis.Redis.from_url(url) as client:
        assert client.get("n") is None
    server.stop()
