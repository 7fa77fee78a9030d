"""`huilin run`: database, Redis, web, worker and beat in the foreground, started and stopped
together. A child that ends by itself is started again, each time a little later."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from core import process, roles
from core.children import Child, Hurry, Signals, Stopping
from core.console import complain, say, show, write
from core.embedded import DATABASE, Postgres, Redis
from core.preflight import (
    Plan,
    check_database,
    check_redis,
    own_home,
    plan_from_env,
    reserve_port,
    secret_key,
)
from core.process import CannotStartError

ROOT = Path(__file__).parent.parent
OURS = "HUILIN_SUPERVISED"  # marks our children, so that the next run finds leftovers
OWNER = "DATABASE_OWNER_URL"  # is for migrations; who serves has no use for it
LOG_BYTES = 20_000_000


@dataclass(slots=True)
class Supervisor:
    """Starts, watches and stops the children; `run` is its whole life."""

    plan: Plan
    signals: Signals
    children: list[Child] = field(default_factory=list)
    servers: list[Postgres | Redis] = field(default_factory=list)

    def run(self) -> int:
        """Run until asked to stop; the exit code."""
        code = 0
        try:
            self._start_stores()
            self._prepare_data()
            self._start_processes()
            self._wait_until_ready()
            while True:
                self._tend()
        except Stopping:
            say("stopping")
        except CannotStartError as error:
            complain(str(error))
            code = 2
        except OSError as error:
            complain(str(error))
            code = 2
        finally:
            code = self._stop() or code
        if code != 2:
            say("stopped")
        return code

    def _start_stores(self) -> None:
        home = self.plan.home
        if self.plan.database_url:
            os.environ["DATABASE_URL"] = self.plan.database_url
            say("database   the one of DATABASE_URL")
        else:
            if not (home / "pg").exists():
                say(f"database   creating a private PostgreSQL in {home / 'pg'}")
            server = Postgres(home / "pg", pause=self.signals.wait)
            os.environ[OWNER] = server.start()
            os.environ["DATABASE_URL"] = server.url_for(DATABASE, role=roles.APP)
            self._adopt("database", server)
            say(f"database   private PostgreSQL, data in {server.data_dir.resolve()}")
        if self.plan.redis_url:
            os.environ["REDIS_URL"] = self.plan.redis_url
            say("redis      the one of REDIS_URL")
        else:
            store = Redis(home, pause=self.signals.wait)
            os.environ["REDIS_URL"] = store.start()
            self._adopt("redis", store)
            say(f"redis      {_about(store)}")

    def _adopt(self, name: str, server: Postgres | Redis) -> None:
        """Watch over a server that is running already."""
        child = Child(name, server.launch, server.log, server.stop_steps)
        child.process = server.process
        child.started_at = time.monotonic()
        self.children.append(child)
        self.servers.append(server)

    def _prepare_data(self) -> None:
        sample = self.plan.sample
        say(f"schema     bringing it up to date{', filling in the sample community' * sample}")
        self._job("prepare", "prepare", "--sample" if sample else "--no-sample")
        if sample:
            say(f"sample     logins and device tokens: {self.plan.home / 'sample.json'}")

    def _job(self, name: str, *arguments: str) -> None:
        """Run a command of ours to its end; show the end of its log if it fails."""
        log = self._log(name)
        start = log.stat().st_size if log.exists() else 0
        job = self._python(name, "core.cli", *arguments)
        try:
            while job.poll() is None:
                self.signals.wait(60)
        finally:
            process.stop(job, (signal.SIGTERM, 2.0))
        if job.returncode != 0:
            show(name, process.last_lines(log, since=start))
            raise CannotStartError(f"{name} failed ({process.ending(job.returncode)}); see {log}")

    def _start_processes(self) -> None:
        plan = self.plan
        web = ("core.web", *plan.web_arguments("wsgi:app", plan.host, plan.port))
        celery = ("celery", "--quiet", "-A", "workers.app:celery")
        worker = ("worker", "--pool", "prefork", "--concurrency", "2", "--loglevel", "WARNING")
        beat = ("beat", "--schedule", str(plan.home / "beat-schedule"), "--loglevel", "WARNING")
        say("processes  starting web, worker and beat")
        self._keep("web", 2.5, *web)
        self._keep("worker", 4.0, *celery, *worker, "--without-mingle", "--without-gossip")
        self._keep("beat", 1.0, *celery, *beat)

    def _keep(self, name: str, patience: float, *command: str) -> None:
        child = Child(
            name,
            lambda: self._python(name, *command, without=OWNER),
            self._log(name),
            ((signal.SIGTERM, patience),),
        )
        child.start()
        self.children.append(child)

    def _python(self, log: str, *module: str, without: str = "") -> subprocess.Popen[bytes]:
        command = (sys.executable, "-m", *module)
        env = {name: value for name, value in os.environ.items() if name != without}
        return process.spawn(command, log=self._log(log), env=env, cwd=ROOT)

    def _log(self, name: str) -> Path:
        return self.plan.home / "log" / f"{name}.log"

    def _wait_until_ready(self) -> None:
        began, told = time.monotonic(), False
        while (answer := _readyz(self.plan)) != "ready":
            if time.monotonic() - began > 20 and not told:
                say(f"waiting    /readyz: {answer}; logs are in {self.plan.home / 'log'}")
                told = True
            self._tend(at_most=0.1)
        say(f"logs       {self.plan.home / 'log'}")
        write(f"Huilin is ready at {self.plan.local_url}")

    def _tend(self, *, at_most: float = 60.0) -> None:
        """Start again what ended, when it is due; then wait for the next thing to do."""
        for child in self.children:
            if child.process is not None and child.ended():
                self._mourn(child, child.process)
            if child.process is None and child.due_at <= time.monotonic():
                child.start()
                say(f"{child.name} started again")
            _keep_short(child.log)
        due = [child.due_at for child in self.children if child.process is None]
        wait = min([at_most, *(max(0.0, at - time.monotonic()) for at in due)])
        self.signals.wait(wait)

    def _mourn(self, child: Child, ended: subprocess.Popen[bytes]) -> None:
        process.kill_group(ended)
        delay = child.put_off()
        how = process.ending(ended.returncode)
        say(f"{child.name} ended ({how}); starting it again in {delay:.0f} s; log: {child.log}")
        show(child.name, process.last_lines(child.log, since=child.log_start))

    def _stop(self) -> int:
        """Stop every child, those in front first; 130 when a second Ctrl-C cut it short."""
        self.signals.stopping = True
        order = ("web", "beat", "worker", "redis", "database")
        running = [child for child in self.children if child.process is not None]
        running.sort(key=lambda child: order.index(child.name))
        try:
            for child in running:
                if child.process is not None:
                    process.stop(child.process, *child.stop_steps, pause=self.signals.wait)
        except Hurry:
            say("killing what is left")
            _kill(running)
            return 130
        finally:
            for server in self.servers:
                server.stop()
        return 0


def main(*, with_parent: bool = False) -> int:
    """Check, start, watch, stop; the exit code. `with_parent`: end when our parent ends."""
    if with_parent:
        process.end_with_parent(signal.SIGTERM)
    with ExitStack() as held:
        try:
            plan = plan_from_env()
            held.enter_context(own_home(plan.home))
            _end_leftovers(plan.home)
            if (reserved := reserve_port(plan.host, plan.port)) is not None:
                held.enter_context(reserved)
            check_database(plan)
            check_redis(plan)
            _set_environment(plan)
        except CannotStartError as error:
            complain(str(error))
            return 2
        except OSError as error:
            complain(f"{error.filename or plan.home}: {error.strerror}")
            return 2
        return Supervisor(plan, Signals()).run()


def _set_environment(plan: Plan) -> None:
    metrics = plan.home / "metrics"
    if metrics.exists():
        shutil.rmtree(metrics)
    metrics.mkdir()
    os.environ |= {
        "HUILIN_HOME": str(plan.home),
        "HUILIN_SECRET_KEY": os.environ.get("HUILIN_SECRET_KEY") or secret_key(plan.home),
        "HUILIN_BASE_URL": os.environ.get("HUILIN_BASE_URL") or plan.local_url,
        "PORT": str(plan.port),
        "PROMETHEUS_MULTIPROC_DIR": str(metrics),
        "PYTHONUNBUFFERED": "1",
        OURS: str(plan.home),
    }


def _end_leftovers(home: Path) -> None:
    """End children of a run that was killed together with its supervisor's signals."""
    if leftovers := process.processes_with(OURS, str(home)):
        say(f"ending {len(leftovers)} processes that an earlier run left behind")
        process.end_processes(leftovers, signal.SIGTERM)


def _about(store: Redis) -> str:
    if store.kind == "redis-server":
        return "private redis-server"
    return "fakeredis, correct but slow: install redis-server, or set REDIS_URL"


def _readyz(plan: Plan) -> str:
    connection = http.client.HTTPConnection(plan.reach, plan.port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        response = connection.getresponse()
        return "ready" if response.status == 200 else response.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return str(error)
    finally:
        connection.close()


def _keep_short(log: Path) -> None:
    """Keep a log and one predecessor of bounded size; writers append, so cutting it is safe."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)


def _kill(children: Iterable[Child]) -> None:
    for child in children:
        if child.process is not None:
            database = child.name == "database"  # it recovers best from its own abrupt end
            process.stop(child.process, *(((signal.SIGQUIT, 2.0),) if database else ()))
