"""`huilin run` looks before it starts: one line for each thing that is not as it should be."""

import socket
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from core import children, preflight
from core.children import Child
from core.process import CannotStartError


def complaint(check: Callable[[], object]) -> str:
    """The one line a check complains with."""
    with pytest.raises(CannotStartError) as raised:
        check()
    assert "\n" not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("PORT", "0"), ("PORT", "65536"), ("PORT", "http"), ("PORT", "-1"), ("PORT", "٣" * 9)],
)
def test_a_number_that_is_none_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert name in complaint(preflight.plan_from_env)


def test_a_home_that_cannot_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "not writable" in complaint(lambda: preflight.own_home(tmp_path / "file"))


def test_one_home_has_one_run(tmp_path: Path) -> None:
    with preflight.own_home(tmp_path / "var"):
        assert "another `huilin run`" in complaint(lambda: preflight.own_home(tmp_path / "var"))
    preflight.own_home(tmp_path / "var").close()


def test_a_port_has_one_owner_even_before_anybody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        assert f"port {taken} on" in complaint(lambda: preflight.reserve_port("127.0.0.1", taken))
    held = preflight.reserve_port("127.0.0.1", taken)
    if held is not None:
        with closing(held):
            assert "is taken" in complaint(lambda: preflight.reserve_port("127.0.0.1", taken))


def test_an_address_of_another_machine_is_named() -> None:
    assert "HOST" in complaint(lambda: preflight.reserve_port("192.0.2.1", 8000))


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://u:secret@127.0.0.1/x", "not a postgresql:// address"),
        ("postgresql://u:secret@127.0.0.1:1/x", "no connection to 127.0.0.1:1"),
        ("postgresql+psycopg://u:secret@/x?host=/nowhere", "no connection to /nowhere"),
    ],
)
def test_a_database_that_does_not_answer_is_named_without_its_password(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    line = complaint(lambda: preflight.check_database(preflight.plan_from_env()))
    assert said in line
    assert "secret" not in line


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("redis://:secret@127.0.0.1:1/0", "127.0.0.1:1 does not answer"),
        ("http://:secret@127.0.0.1/", "not a redis:// address"),
        ("redis://:secret@127.0.0.1:port/", "not a redis:// address"),
    ],
)
def test_a_redis_that_does_not_answer_is_named_without_its_password(
    url: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", url)
    line = complaint(lambda: preflight.check_redis(preflight.plan_from_env()))
    assert said in line
    assert "secret" not in line


def test_the_secret_is_made_once_and_private(tmp_path: Path) -> None:
    key = preflight.secret_key(tmp_path)
    assert len(key) >= 48
    assert preflight.secret_key(tmp_path) == key
    assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600


def test_a_child_that_keeps_ending_is_started_ever_later_until_it_held_a_minute(
    tmp_path: Path,
) -> None:
    child = Child("web", lambda: pytest.fail("not to be started"), tmp_path / "log", ())
    child.started_at = time.monotonic()
    assert [child.put_off() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    child.started_at = time.monotonic() - children.STEADY_SECONDS - 1
    assert child.put_off() == 1
