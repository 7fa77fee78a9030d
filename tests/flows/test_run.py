"""`huilin run`, the real thing: from an empty folder to the ready line, and down again."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import psutil  # type: ignore[import-untyped]  # psutil ships no type hints
import pytest

from core import pgplace
from core.embedded import free_port
from core.preflight import reserve_port
from tests.processes import until

ROOT = Path(__file__).parents[2]
http = build_opener(ProxyHandler({}))


class Run:
    """One `huilin run` on a home and a port of its own."""

    def __init__(self, home: Path, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.output = home.parent / "output"
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "TMPDIR") if key in os.environ}
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "core.cli", "run"],
                cwd=ROOT,
                env=kept | {"HUILIN_HOME": str(home), "PORT": str(port)},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )

    def said(self, text: str) -> bool:
        """Whether it said this in a line of its own output."""
        assert self.process.poll() is None, self.output.read_text()
        return text in self.output.read_text()

    def children(self) -> list[psutil.Process]:
        """Everything it started, and what they started."""
        found: list[psutil.Process] = psutil.Process(self.process.pid).children(recursive=True)
        return found

    def child(self, words: str) -> psutil.Process:
        """Its own child with these words in the command line."""
        started = psutil.Process(self.process.pid).children()
        return next(found for found in started if words in " ".join(found.cmdline()))

    def stop(self, number: signal.Signals) -> int:
        """Ask it to stop; its exit code, when it and all it started are gone."""
        started = self.children()
        self.process.send_signal(number)
        code = self.process.wait(timeout=15)
        until(lambda: not any(lives(found) for found in started), "all children are gone", 5)
        return code


def lives(found: psutil.Process) -> bool:
    """Whether a process still runs; one that nobody collects does not."""
    try:
        return bool(found.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def drive_in(run: Run, home: Path, event: str) -> int:
    """The stay of a car at the entry gate."""
    sample = json.loads((home / "sample.json").read_text())
    body = {
        "event_id": event,
        "type": "gate.request",
        "occurred_at": datetime.now(UTC).isoformat(),
        "data": {"plate": "川A77777", "plate_color": "blue", "confidence": 0.9},
    }
    request = Request(  # noqa: S310 - our own server
        f"{run.url}/api/v1/device-events",
        json.dumps(body).encode(),
        {
            "Authorization": f"Bearer {sample['devices']['entry']['token']}",
            "Content-Type": "application/json",
        },
    )
    with http.open(request, timeout=5) as answer:
        return int(json.load(answer)["decision"]["stay_id"])


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "var"
    yield folder
    pgplace.remove_data(folder / "pg")


def test_it_starts_heals_stops_and_starts_again_with_its_data(home: Path) -> None:
    port = free_port()
    run = Run(home, port)
    ready = f"\nHuilin is ready at {run.url}\n"
    try:
        until(lambda: run.said(ready), "the ready line")
        with http.open(f"{run.url}/readyz", timeout=5) as answer:
            assert answer.status == 200
        for private in ("sample.json", "secret"):
            assert (home / private).stat().st_mode & 0o777 == 0o600
        for part in ("celery worker", "celery beat", "core.web"):
            known = run.child(part).environ()
            assert known["DATABASE_URL"].startswith("postgresql+psycopg://huilin_app@")
            assert "DATABASE_OWNER_URL" not in known
        stay, sample = drive_in(run, home, "first"), (home / "sample.json").read_text()

        run.child("celery worker").kill()
        until(lambda: run.said("worker ended (killed by SIGKILL)"), "the worker's end is said")
        until(lambda: run.said("worker started again"), "the worker is started again")
        assert lives(run.child("celery worker"))
        assert run.stop(signal.SIGTERM) == 0

        run.output.write_text("")
        run = Run(home, port)
        until(lambda: run.said(ready), "the ready line again")
        assert (home / "sample.json").read_text() == sample
        assert drive_in(run, home, "second") == stay
        assert run.stop(signal.SIGINT) == 0
    finally:
        if run.process.poll() is None:
            run.process.kill()
            run.process.wait()


def test_a_taken_port_is_one_line(home: Path) -> None:
    port = free_port()
    held = reserve_port("127.0.0.1", port)
    assert held is not None
    with closing(held):
        run = Run(home, port)
        assert run.process.wait(timeout=20) == 2
    assert run.output.read_text() == (
        f"huilin: port {port} on 127.0.0.1 is taken; choose another, for instance PORT={port + 1}\n"
    )
