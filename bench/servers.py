"""The HTTP server of a bench: granian with the flags core/supervisor.py gives it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # psutil ships no type hints

from core import process
from core.embedded import free_port
from core.preflight import plan_from_env

ROOT = Path(__file__).parent.parent
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs: its port, and what its processes cost so far."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """CPU time of the server's processes."""
        return cpu_seconds(self.pid)


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its children, those it has buried included."""
    parent = psutil.Process(pid)
    buried = parent.cpu_times()
    total = float(buried.children_user + buried.children_system)
    for each in (parent, *parent.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # the database's own helpers come and go
            times = each.cpu_times()
            total += times.user + times.system
    return total


@contextmanager
def granian(target: str, home: Path, env: Mapping[str, str]) -> Iterator[Served]:
    """Serve `target` (module:app) as `huilin run` would."""
    plan, port, log = plan_from_env(), free_port(), home / "log" / f"{target}.log"
    served = plan.web_arguments(target, "127.0.0.1", port)
    command = (sys.executable, "-m", "granian", *served)
    child = process.spawn(command, log=log, env={**os.environ, **env}, cwd=ROOT)
    try:
        _wait_until_it_answers(child, port, log)
        yield Served(port, child.pid)
    finally:
        process.stop(child, (signal.SIGTERM, 4.0))


def product(home: Path, database_url: str) -> AbstractContextManager[Served]:
    """Serve the product."""
    metrics = home / "metrics"
    metrics.mkdir(exist_ok=True)
    env = {"PROMETHEUS_MULTIPROC_DIR": str(metrics), "DATABASE_URL": database_url}
    return granian("wsgi:app", home, env)


def bare(home: Path, conninfo: str) -> AbstractContextManager[Served]:
    """Serve the ceilings of bare.py."""
    return granian("bench.bare:app", home, {"BENCH_DATABASE": conninfo})


def _wait_until_it_answers(child: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while child.poll() is None and time.monotonic() < deadline:
        connection = HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/healthz")
            connection.getresponse().read()
        except (OSError, HTTPException):
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise process.CannotStartError("\n".join([f"no answer; {log} ends:", *process.last_lines(log)]))
