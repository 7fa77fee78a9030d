"""The database alone: pgbench, with as many clients as the other ways have."""

import re
import subprocess
from dataclasses import dataclass

from bench.events import CONNECTIONS, EACH
from bench.garages import SPACES
from bench.ground import Ground

ENTRY = f"""
\\set lot :client_id * {EACH} + :n % {EACH} + 1
\\set car :client_id * {SPACES * EACH} + :n
\\set n :n + 1
SELECT bench_entry(
    sha256(convert_to('bench-entry-' || :lot, 'UTF8')),
    said->>'event_id', (said->>'occurred_at')::timestamptz, convert_to(said::text, 'UTF8'),
    (said->'data')::jsonb, said->'data'->>'plate', said->'data'->>'plate_color'
) FROM (SELECT format(
    '{{"event_id": "entry-A%1$s", "type": "gate.request", "occurred_at": "%2$s",
       "data": {{"plate": "川A%1$s", "plate_color": "blue", "confidence": 0.97}}}}',
    lpad((:car)::text, 5, '0'), now())::json) AS body(said);
"""

RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Measured:
    """What pgbench reports."""

    rate: float


def entries(ground: Ground, count: int) -> Measured:
    """Run `count` calls of entry.sql's function for the vehicles of `events`."""
    return run(ground, ENTRY, clients=CONNECTIONS, each=count // CONNECTIONS)


def run(ground: Ground, script: str, *, clients: int, each: int) -> Measured:
    """Run a script `each` times by every client; its variable `n` begins at 0."""
    file = ground.home / "script.pgbench"
    file.write_text(script, encoding="utf-8")
    command = (
        *(ground.server.bin_dir / "pgbench", "--no-vacuum", "--protocol=prepared"),
        *("--client", clients, "--jobs", 2, "--transactions", each),
        *("--define", "n=0", "--file", file, ground.conninfo),
    )
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    found = RATE.search(done.stdout)
    if done.returncode or not found:
        raise RuntimeError(f"pgbench failed: {done.stderr[:600]}")
    return Measured(float(found[1]))
