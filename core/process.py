"""Child processes that end together with us: start one, stop one, find those of a killed run."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # psutil ships no type hints

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class CannotStartError(Exception):
    """Something cannot start; the message is the one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system user that a child runs as; only root can choose one."""

    name: str
    uid: int
    gid: int


def spawn(
    command: Sequence[str | Path],
    *,
    log: Path,
    env: Mapping[str, str],
    cwd: Path = Path("/"),
    account: Account | None = None,
    when_we_die: signal.Signals = signal.SIGTERM,
    stdin: bytes = b"",
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output appended to `log`.

    Ctrl-C in the terminal does not reach it; on Linux it receives `when_we_die` should this
    process be killed. Call it from the main thread: the signal follows the thread.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(  # noqa: S603 - commands are ours, never a shell's
            [str(part) for part in command],
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=cwd,
            env=dict(env),
            start_new_session=True,
            preexec_fn=_bound_to(os.getpid(), when_we_die),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    if child.stdin is not None:
        with suppress(BrokenPipeError), child.stdin as pipe:
            pipe.write(stdin)
    return child


def stop(
    child: subprocess.Popen[bytes],
    *steps: tuple[signal.Signals, float],
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Ask a child to end: each signal in turn with the seconds it may take, then kill its group.

    Nothing happens to a child already known to have ended: its number may be another's by now.
    """
    if child.returncode is not None:
        return
    for number, seconds in steps:
        if child.poll() is not None:
            break
        child.send_signal(number)
        deadline = time.monotonic() + seconds
        while child.poll() is None and (left := deadline - time.monotonic()) > 0:
            pause(min(left, 0.05))
    kill_group(child)
    child.wait()


def kill_group(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of a child's session, for instance pool processes whose parent died."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)


def end_processes(processes: Iterable[psutil.Process], first: signal.Signals) -> None:
    """End processes that are not our children: `first`, and after five seconds SIGKILL."""
    remaining = list(processes)
    for number in (first, signal.SIGKILL):
        for process in remaining:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        deadline = time.monotonic() + 5
        while (remaining := [found for found in remaining if _lives(found)]) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    """A zombie does not: in a container nobody may ever collect it."""
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def processes_with(variable: str, value: str) -> list[psutil.Process]:
    """Other processes of ours in whose environment `variable` is `value`."""
    return [
        process
        for process in psutil.process_iter(["environ"])
        if process.pid != os.getpid() and (process.info["environ"] or {}).get(variable) == value
    ]


def end_with_parent(number: signal.Signals) -> None:
    """On Linux: receive `number` when the process that started us ends, however it ends."""
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def ending(code: int) -> str:
    """How a process ended, in words: `exit code 3` or `killed by SIGKILL`."""
    if code >= 0:
        return f"exit code {code}"
    return f"killed by {signal.Signals(-code).name}"


def last_lines(log: Path, *, since: int = 0, count: int = 12) -> list[str]:
    """The last lines of a log written after byte `since`; at most 16 KiB are read."""
    try:
        with log.open("rb") as file:
            file.seek(max(since, log.stat().st_size - 16384))
            return file.read().decode(errors="replace").splitlines()[-count:]
    except OSError:
        return []


def _bound_to(parent: int, number: signal.Signals) -> Callable[[], None]:
    def bind() -> None:
        if _LIBC is None:
            return
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return bind
