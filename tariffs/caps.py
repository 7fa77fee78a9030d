"""Which windows caps count over, and what the cap of each is. Pure."""

from collections.abc import Iterator
from datetime import datetime
from zoneinfo import ZoneInfo

from tariffs.borders import day_borders, full_days
from tariffs.rules import CapPer, Rules
from tariffs.spans import Span

_LABEL_AND_SLUG = {
    CapPer.CALENDAR_DAY: ("当日封顶", "cap-calendar-day"),
    CapPer.ROLLING_24H: ("24小时封顶", "cap-24h"),
}
_NTH_LABEL = {CapPer.CALENDAR_DAY: "第{}日封顶", CapPer.ROLLING_24H: "第{}个24小时封顶"}


def windows(rules: Rules, zone: ZoneInfo, starts: datetime, ends: datetime) -> Iterator[Span]:
    """[starts, ends) cut where a new cap begins; without a cap, in one piece."""
    if rules.cap_fen is None and not rules.caps_fen:
        yield starts, ends
        return
    rolling = rules.cap_per is CapPer.ROLLING_24H
    borders = full_days(starts) if rolling else day_borders(zone, rules.day_begins_hour, starts)
    while starts < ends:
        closes = min(next(borders), ends)
        yield starts, closes
        starts = closes


def over_cap(rules: Rules, number: int, fen: int) -> int:
    """How much an amount is above the cap of the window of this number, counted from 0."""
    cap_fen = rules.cap_fen
    if rules.caps_fen:
        cap_fen = rules.caps_fen[min(number, len(rules.caps_fen) - 1)]
    return 0 if cap_fen is None or fen <= cap_fen else fen - cap_fen


def label_and_slug(rules: Rules, number: int) -> tuple[str, str]:
    """How the line of a cap is called."""
    label, slug = _LABEL_AND_SLUG[rules.cap_per]
    if rules.caps_fen:
        label = _NTH_LABEL[rules.cap_per].format(number + 1)
    return label, slug
