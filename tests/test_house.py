"""The house rules of the project, asked of its own sources."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = (
    "core", "identity", "devices", "ledger", "tariffs", "parking", "sharing", "ebikes",
    "couriers", "storage", "lockers", "parcels", "inspection", "channels",
    "treasury", "reports", "publication",
    "protocols", "workers", "simulation",
)  # fmt: skip
OURS = frozenset({*PACKAGES, "wsgi", "sample", "web"})

# Who may import whom. A package may always import itself.
MAY_IMPORT = {
    "core": set(),
    "identity": {"core"},
    "devices": {"core"},
    "ledger": {"core"},
    "tariffs": set(),
    "parking": {"core", "identity", "devices", "ledger", "tariffs"},
    "sharing": {"core", "identity", "devices", "ledger", "tariffs", "parking"},
    "ebikes": {"core", "identity", "devices", "ledger", "tariffs", "parking", "sharing"},
    "couriers": {"core", "identity", "ledger"},
    "channels": {"core", "identity", "ledger"},
    "treasury": {"core", "identity", "ledger", "channels"},
    "reports": {"core", "identity", "ledger", "channels", "treasury"},
    "publication": {"core", "identity", "ledger", "channels", "treasury", "reports"},
    "storage": {"core", "tariffs"},
    "lockers": {"core", "identity", "devices", "ledger", "tariffs", "couriers", "storage"},
    "parcels": {"core", "identity", "devices", "ledger", "couriers", "storage", "lockers"},
    "inspection": {
        *("core", "identity", "devices", "ledger"),
        *("couriers", "storage", "lockers", "parcels"),
    },
    "protocols": {"core", "devices", "parking", "ebikes", "lockers"},
    "workers": {
        "core",
        "identity",
        "devices",
        "parking",
        "sharing",
        "ebikes",
        "couriers",
        "lockers",
        "ledger",
        "channels",
        "treasury",
        "reports",
        "publication",
        "protocols",
    },
    "simulation": {*PACKAGES, "wsgi"},
}
ALSO = {
    "devices/api.py": {"identity"},
    "ledger/api.py": {"identity"},
    "ledger/settling_api.py": {"identity"},
    "ledger/split_api.py": {"identity"},
    "core/cli.py": {"wsgi", "simulation"},  # the processes that start the app have to import it
    "core/web.py": {"wsgi"},
}

# Which outside library only these files may know (patterns of paths below the root).
KNOWN_ONLY_TO = {
    "flask": [
        *("core/*.py", "*/*api.py", "protocols/*.py", "identity/auth.py"),
        "simulation/command.py",  # makes an app for its own database
        "simulation/office.py",  # speaks HTTP to that app
        "reports/command.py",  # runs in the app's context
    ],
    "werkzeug": ["core/*.py", "*/*api.py", "protocols/*.py", "simulation/office.py"],
    "celery": ["workers/*.py"],
    "kombu": ["workers/*.py"],
    "wechatpayv3": ["channels/wechat.py"],
    "requests": ["channels/wechat.py"],
    "redis": ["core/redis.py"],
    "fakeredis": ["core/*.py"],
}
EDGES = [
    "core/*.py",
    "*/*api.py",
    "protocols/*.py",
    "workers/tasks.py",
    "channels/sweeps.py",
    "reports/command.py",
    "simulation/*.py",
]
CALLERS_OF_ATOMIC = [*EDGES[1:], "core/db.py", "core/idempotency.py", "core/cli.py", "sample.py"]

# Besides these, every module whose docstring says "Pure." has to be.
PURE = [
    "core/errors.py",
    "core/money.py",
    "channels/drafts.py",
    "couriers/accrual.py",
    "ledger/accounts.py",
    "ledger/journal.py",
    "sharing/allocation.py",
    "tariffs/borders.py",
    "tariffs/caps.py",
    "tariffs/ceilings.py",
    "tariffs/days.py",
    "parking/fees.py",
    "parking/gate.py",
    "tariffs/lines.py",
    "parking/misread.py",
    "tariffs/periods.py",
    "parking/plates.py",
    "tariffs/rebates.py",
    "tariffs/reckoning.py",
    "tariffs/rule_conflicts.py",
    "tariffs/rule_parsing.py",
    "tariffs/rules.py",
    "tariffs/spans.py",
    "tariffs/tariff.py",
    "parking/terms.py",
    "parking/texts.py",
    "parking/timeline.py",
    "parking/windows.py",
    "protocols/led485.py",
]
# Libraries of dated facts that a pure file may read.
FACTS = {"tariffs/days.py": {"holidays"}}
PURE_SAYS = re.compile(r"\bPure\.")


def sources() -> list[str]:
    """Every Python file of the packages, as a path below the root."""
    return [str(f.relative_to(ROOT)) for p in PACKAGES for f in sorted((ROOT / p).rglob("*.py"))]


@cache
def tree(path: str) -> ast.Module:
    """The parsed file."""
    return ast.parse((ROOT / path).read_text("utf-8"), path)


def imported(path: str) -> Iterator[tuple[int, str]]:
    """Line and full name of every module a file imports, wherever in the file it does."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = path.split("/")[0]
            module = node.module if not node.level else f"{package}.{node.module or ''}"
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and name_of(node.func) in {"import_module", "__import__"}:
            yield node.lineno, str(getattr(node.args[0], "value", "")) if node.args else ""


def name_of(node: ast.expr) -> str:
    """The last name of `a.b.c` or `c`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def dotted(node: ast.expr) -> str:
    """`a.b.c` as written."""
    return ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""


def calls(path: str) -> Iterator[tuple[int, str]]:
    """Line and written name of everything a file calls."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and (name := dotted(node.func) or name_of(node.func)):
            yield node.lineno, name


def fits(path: str, patterns: list[str]) -> bool:
    """Whether the path is one of those the patterns name."""
    return any(Path(path).match(pattern) for pattern in patterns)


def is_pure(path: str) -> bool:
    """Whether the file is listed as pure, or says so itself."""
    return path in PURE or bool(PURE_SAYS.search(ast.get_docstring(tree(path)) or ""))


def pure_files() -> list[str]:
    """The files that must be pure."""
    return [path for path in sources() if is_pure(path)]


def test_the_rules_see_every_package() -> None:
    folders = {f.parent.name for f in ROOT.glob("*/__init__.py")} - {"tests"}
    assert folders - {"web", "bench"} == set(PACKAGES)
    assert set(MAY_IMPORT) == set(PACKAGES)
    assert [path for path in PURE if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("path", sources())
def test_imports_point_the_right_way(path: str) -> None:
    package = path.split("/")[0]
    allowed = MAY_IMPORT[package] | ALSO.get(path, set()) | {package}
    wrong = [
        f"{path}:{line} imports {name}"
        for line, name in imported(path)
        if name.split(".")[0] in OURS - allowed
    ]
    assert wrong == []


@pytest.mark.parametrize("path", sources())
def test_libraries_stay_where_they_belong(path: str) -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for line, name in imported(path)
        for library, patterns in KNOWN_ONLY_TO.items()
        if re.match(rf"{library}(?:_\w+)?(?:\.|$)", name) and not fits(path, patterns)
    ]
    assert wrong == []


@pytest.mark.parametrize("path", pure_files())
def test_pure_files_import_the_standard_library_and_each_other_only(path: str) -> None:
    def allowed(name: str) -> bool:
        if name.split(".")[0] in sys.stdlib_module_names | FACTS.get(path, set()):
            return True
        parts = name.split(".")
        files = {"/".join(parts[:n]) + ".py" for n in (len(parts), len(parts) - 1)}
        return any((ROOT / file).exists() and is_pure(file) for file in files)

    assert [f"{path}:{line} {name}" for line, name in imported(path) if not allowed(name)] == []


@pytest.mark.parametrize("path", pure_files())
def test_pure_files_ask_no_clock_no_chance_and_no_file(path: str) -> None:
    outside = {"socket", "random", "secrets", "time", "os", "pathlib", "subprocess", "sqlite3"}
    wrong = [f"{path}:{line} {name}" for line, name in imported(path) if name in outside]
    wrong += [f"{path}:{line} {name}()" for line, name in calls(path) if name in {"open", "print"}]
    assert wrong == []


def test_only_the_database_module_commits() -> None:
    wrong = [
        f"{path}:{line} {name}()"
        for path in sources()
        if path != "core/db.py"
        for line, name in calls(path)
        if name.split(".")[-1] in {"commit", "begin"}
    ]
    assert wrong == []


def test_only_edges_open_transactions() -> None:
    wrong = [
        f"{path}:{line} imports {name}"
        for path in sources()
        if not fits(path, CALLERS_OF_ATOMIC)
        for line, name in imported(path)
        if name == "core.db.atomic"
    ]
    wrong += [
        f"{path}:{line} {name}()"
        for path in sources()
        if not fits(path, CALLERS_OF_ATOMIC)
        for line, name in calls(path)
        if name.split(".")[-1] == "atomic"
    ]
    assert wrong == []


def test_use_cases_are_given_their_session() -> None:
    at_the_edge = [*EDGES, "identity/auth.py"]
    wrong = [
        f"{path}:{line} imports {name}"
        for path in sources()
        if not fits(path, at_the_edge)
        for line, name in imported(path)
        if name == "core.db.db"
    ]
    assert wrong == []


def test_all_code_asks_our_clock() -> None:
    machines = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"}
    wrong = [
        f"{path}:{line} {name}()"
        for path in sources()
        if path != "core/clock.py"
        for line, name in calls(path)
        if ".".join(name.split(".")[-2:]) in machines
    ]
    assert wrong == []


def test_no_test_sleeps() -> None:
    wrong = [
        f"{path}:{line}"
        for file in sorted((ROOT / "tests").rglob("*.py"))
        for path in [str(file.relative_to(ROOT))]
        for line, name in calls(path)
        if name.split(".")[-1] == "sleep"
    ]
    assert wrong == []


def test_nothing_is_called_utils() -> None:
    vague = {"util", "utils", "helper", "helpers", "common", "misc"}
    assert [path for path in sources() if Path(path).stem in vague] == []


def test_every_task_says_its_name_and_its_queue() -> None:
    tasks = list(task_decorators())
    assert tasks != []
    assert [where for where, said in tasks if not {"name", "queue"} <= said] == []


def task_decorators() -> Iterator[tuple[str, set[str]]]:
    """Where a function is made a task, and what its decorator says."""
    for path in sources():
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.FunctionDef):
                continue
            for made in node.decorator_list:
                call = made.func if isinstance(made, ast.Call) else made
                if name_of(call) in {"shared_task", "task"}:
                    said = made.keywords if isinstance(made, ast.Call) else []
                    yield f"{path}:{node.lineno} {node.name}", {str(k.arg) for k in said}


def test_workers_consume_every_queue_and_beat_calls_tasks_that_exist() -> None:
    celery = what_celery_knows()
    assert celery["tasks"] != {}
    assert set(celery["tasks"].values()) == set(celery["queues"])
    assert set(celery["beat"]) <= set(celery["tasks"])
    assert len(celery["tasks"]) == len(list(task_decorators()))


def test_no_worker_is_started_for_some_queues_only() -> None:
    flags = ("-Q", "--queues", "-X", "--exclude-queues")
    wrong = [
        f"{path}:{node.lineno} {node.value!r}"
        for path in sources()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Constant) and str(node.value).startswith(flags)
    ]
    assert wrong == []


def what_celery_knows() -> Any:
    """Tasks with their queues, the queues of a worker without -Q, the tasks of beat.

    Asked in a process of its own: the app of workers/app.py reads the environment.
    """
    asked = """
import json
from workers.app import celery
celery.loader.import_default_modules()
own = {name: task for name, task in celery.tasks.items() if not name.startswith("celery.")}
print(json.dumps({
    "tasks": {name: getattr(task, "queue", None) for name, task in own.items()},
    "queues": sorted(celery.amqp.queues.consume_from),
    "beat": [entry["task"] for entry in celery.conf.beat_schedule.values()],
}))
"""
    environment = {
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "HUILIN_SECRET_KEY": "of no consequence here, nothing is signed",
    }
    said = subprocess.run(
        [sys.executable, "-c", asked],
        cwd=ROOT,
        env=os.environ | environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(said.stdout)
