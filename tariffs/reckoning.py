"""The periods of a stay told as lines, less rebates and the caps of segments. Pure."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import groupby

from tariffs.borders import Stretch
from tariffs.lines import Line, Scribe, half_up, total
from tariffs.periods import Run
from tariffs.rebates import Rebate
from tariffs.rules import Segment


class Reckoning:
    """What the periods of `runs` cost, asked for window by window, in order.

    Without `segments` their caps are not heeded.
    """

    def __init__(
        self,
        scribe: Scribe,
        runs: list[Run],
        less: list[Rebate],
        segments: tuple[Segment, ...] = (),
    ) -> None:
        self.scribe = scribe
        self.runs = runs
        self.untils = [run.until for run in runs]
        self.less = less
        self.segments = segments
        self.taken: dict[tuple[int, datetime], int] = {}

    def lines(self, opens: datetime, closes: datetime) -> list[Line]:
        """Lines of the periods that start in [opens, closes)."""
        if not (self.less or self.segments):
            return self._units(self._started(opens, closes), opens, closes)
        lines: list[Line] = []
        for stretch, together in groupby(self._started(opens, closes), _stretch_of):
            here = list(together)
            units = self._units(here, opens, closes)
            units += self._rebates(here, opens, closes)
            lines += units
            if stretch and self.segments:
                lines += self._segment_cap(stretch, total(units), opens, closes)
        return lines

    def _started(self, opens: datetime, closes: datetime) -> Iterator[Run]:
        for number in range(bisect_right(self.untils, opens), len(self.runs)):
            run = self.runs[number]
            if run.starts >= closes:
                return
            yield run

    def _units(self, of: Iterable[Run], opens: datetime, closes: datetime) -> list[Line]:
        lines = []
        for run in of:
            before = run.started(opens) if run.starts < opens else 0
            upto = run.started(closes)
            if upto > before:
                starts = run.starts + before * run.step if before else run.starts
                ends = min(run.starts + upto * run.step, run.ends)
                line = self.scribe.units(run.label, run.slug, starts, ends, upto - before, run.fen)
                lines.append(line)
        return lines

    def _rebates(self, of: list[Run], opens: datetime, closes: datetime) -> Iterator[Line]:
        first, last = max(opens, of[0].starts), min(closes, of[-1].until)
        for number in range(bisect_right(self.less, first, key=_ends), len(self.less)):
            rebate = self.less[number]
            if rebate.starts >= last:
                return
            since, until = max(first, rebate.starts), min(last, rebate.ends)
            full = sum(run.fen * (run.started(until) - run.started(since)) for run in of)
            if spared := full - half_up(full * rebate.percent, 100):
                yield self.scribe.once(rebate.label, rebate.slug, since, until, -spared)

    def _segment_cap(
        self, stretch: Stretch, fen: int, opens: datetime, closes: datetime
    ) -> Iterator[Line]:
        """What one occurrence costs beyond its cap, all windows and spans together."""
        row = stretch.row or 0
        segment, key = self.segments[row], (row, stretch.since)
        if segment.cap_fen is None:
            return
        left = segment.cap_fen - self.taken.get(key, 0)
        self.taken[key] = self.taken.get(key, 0) + min(fen, left)
        if fen > left:
            since, until = max(opens, stretch.starts), min(closes, stretch.ends)
            label, slug = f"{segment.name}封顶", f"segment-{row + 1}-cap"
            yield self.scribe.once(label, slug, since, until, left - fen)


def _stretch_of(run: Run) -> Stretch | None:
    return run.stretch


def _ends(rebate: Rebate) -> datetime:
    return rebate.ends
