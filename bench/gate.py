"""A walk-in entry over HTTP, beside a fixed answer, pgbench, and a bare view of one SQL call."""

import time

from bench import events, garages, gate_report, pgbench, trips
from bench.garages import Garages
from bench.gate_report import Found
from bench.ground import prepared, say
from bench.load import Run
from bench.servers import Served, bare, product

OPEN = b'"action":"open"'


class Bench:
    """The two servers over one database, and the rounds over them."""

    def __init__(self, lots: Garages, gate: Served, bare: Served) -> None:
        self.lots = lots
        self.served_gate = gate
        self.served_bare = bare

    def gate(self, count: int) -> Run:
        """Entries through the product."""
        return self._entries(self.served_gate, events.EVENTS, count)

    def bare(self, count: int) -> Run:
        """Entries through the bare view."""
        return self._entries(self.served_bare, "/entry", count)

    def fixed(self, count: int) -> Run:
        """As many requests answered without any work."""
        run = self._drive(self.served_bare, events.lists("/fixed", "entry", count), OPEN)
        assert run.expected == count, run.odd
        return run

    def pgbench(self, count: int) -> float:
        """Entries straight in the database; their number per second."""
        self.lots.reset()
        rate = pgbench.entries(self.lots.ground, count).rate
        self._verify(count)
        return rate

    def exits(self, count: int, reason: str) -> Run:
        """Those who came in leave; `reason` is what all of them must be told."""
        expect = f'"reason":"{reason}"'.encode()
        run = self._drive(self.served_gate, events.lists(events.EVENTS, "exit", count), expect)
        assert run.expected == count, run.odd
        return run

    def _drive(self, served: Served, lists: list[list[bytes]], expect: bytes) -> Run:
        return self.lots.ground.driven(served, lists, expect)

    def _entries(self, served: Served, path: str, count: int) -> Run:
        self.lots.reset()
        run = self._drive(served, events.lists(path, "entry", count), OPEN)
        assert run.expected == count, run.odd
        self._verify(count)
        return run

    def _verify(self, count: int) -> None:
        """Nobody measures errors: as many events, stays and claims as answers `open`."""
        written = self.lots.written()
        assert written == (count, count, count), f"{written} instead of {count} each"


def run(seconds: float, rounds: int) -> int:
    """Measure, print, and return the exit code: 0 when every target is met."""
    began = time.monotonic()
    say("starting a private database, and building 64 lots of 320 spaces with a history")
    with prepared() as ground:
        lots = garages.built(ground)
        found = Found(trips=trips.count(lots))
        say("starting the shipped server and the bare one")
        with product(ground.home, ground.url) as gate, bare(ground.home, ground.conninfo) as plain:
            _measure(Bench(lots, gate, plain), found, seconds, rounds)
    return gate_report.show(found, time.monotonic() - began)


def _measure(bench: Bench, found: Found, seconds: float, rounds: int) -> None:
    step = events.CONNECTIONS * events.EACH
    warm = 20 * step
    bench.bare(warm)
    rate = max(bench.gate(warm).rate, bench.gate(2 * warm).rate)
    whole = int(rate * seconds) // step * step
    found.entries = count = max(step, min(whole, events.MOST // step * step))
    say(f"{rounds} rounds of {count} entries over {events.CONNECTIONS} connections, in turn")
    for number in range(1, rounds + 1):
        found.fixed.add(bench.fixed(count))
        found.pgbench.append(bench.pgbench(count))
        found.bare.add(bench.bare(count))
        found.gate.add(bench.gate(count))
        say(
            f"round {number}: fixed {found.fixed.runs[-1].rate:6.0f}/s   "
            f"pgbench {found.pgbench[-1]:6.0f}/s   bare {found.bare.runs[-1].rate:6.0f}/s   "
            f"gate {found.gate.runs[-1].rate:6.0f}/s"
        )
    say("exits of the vehicles of the last round")
    bench.lots.age_stays(hours=3)
    found.exits["exit, payment due"] = bench.exits(count, "payment-due")
