"""Fees counted minute by minute and period by period: slow, plain, and another way than ours.

Everything is whole minutes since `BASE`, a midnight in Shanghai, whose days are never longer or
shorter. What a new-energy vehicle is spared must not need rounding.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from tariffs.days import kind_of
from tariffs.rules import NewEnergy, Rules, Segment, minute_of
from tariffs.tariff import Circumstances

SHANGHAI = ZoneInfo("Asia/Shanghai")
BASE = datetime(2026, 2, 24, tzinfo=SHANGHAI)
"""A Tuesday; the Saturday after it is a make-up workday."""
DAY = 1440


def minute(at: datetime) -> int:
    """Minutes since BASE."""
    return int((at - BASE) / timedelta(minutes=1))


def counted(rules: Rules, entered: int, left: int, circumstances: Circumstances) -> int:
    """The fee of a stay, in fen."""
    until = left
    if rules.overstay and circumstances.overstay_from:
        until = max(entered, min(left, minute(circumstances.overstay_from)))
    covered = [(minute(a), minute(b)) for a, b in circumstances.covered]
    fee = 0
    for priced, starts, ends in ((booked, entered, until), (overstayed, until, left)):
        whole = list(range(starts, ends))
        outside = [m for m in whole if not any(a <= m < b for a, b in covered)]
        fee += min(priced(rules, starts, minutes, circumstances) for minutes in (outside, whole))
    return fee


def booked(rules: Rules, entered: int, minutes: list[int], circumstances: Circumstances) -> int:
    """The minutes of booked time."""
    if not minutes:
        return 0
    boxes: dict[int, int] = {}
    taken: dict[object, int] = {}
    for at, fen, occurrence, cap_fen in periods(
        rules, list(spans(after_free(rules, entered, minutes, circumstances)))
    ):
        if rules.new_energy and circumstances.new_energy:
            fen = fen * share(rules.new_energy, at, minutes[0]) // 100
        if cap_fen is not None:
            fen = min(fen, cap_fen - taken.get(occurrence, 0))
            taken[occurrence] = taken.get(occurrence, 0) + fen
        box = (at - minutes[0]) // DAY
        if rules.cap_per == "calendar_day":
            hour = rules.day_begins_hour * 60
            box = (at - hour) // DAY - (minutes[0] - hour) // DAY
        boxes[box] = boxes.get(box, 0) + fen
    caps = rules.caps_fen or (10**9 if rules.cap_fen is None else rules.cap_fen,)
    fen = sum(min(fen, caps[min(box, len(caps) - 1)]) for box, fen in boxes.items())
    return half_up(fen * percent(rules, circumstances), 100)


def overstayed(
    rules: Rules, _entered: int, minutes: list[int], circumstances: Circumstances
) -> int:
    """The minutes beyond a booking."""
    if not minutes or rules.overstay is None:
        return 0
    fen = sum(fen for _, fen, _, _ in periods(rules, list(spans(minutes))))
    owed = half_up(fen * percent(rules, circumstances) * rules.overstay.percent, 10_000)
    return owed if rules.overstay.cap_fen is None else min(owed, rules.overstay.cap_fen)


def half_up(fen: int, parts: int) -> int:
    """Rounded to the nearest, halves up."""
    whole, rest = divmod(fen, parts)
    return whole + (2 * rest >= parts)


def percent(rules: Rules, circumstances: Circumstances) -> int:
    """What the vehicle's class pays."""
    return {row.vehicle_class: row.percent for row in rules.classes}.get(
        circumstances.vehicle_class, 100
    )


def share(rule: NewEnergy, at: int, begins: int) -> int:
    """The percentage of a period that starts at a minute."""
    if rule.free_from and rule.free_to:
        since, until, clock = minute_of(rule.free_from), minute_of(rule.free_to), at % DAY
        if since <= clock < until or (until <= since and not until <= clock < since):
            return 0
    if at - begins < rule.free_minutes:
        return 0
    return rule.percent if at - begins < rule.until_minutes else 100


def after_free(
    rules: Rules, entered: int, minutes: list[int], circumstances: Circumstances
) -> list[int]:
    """The minutes that are charged."""
    hour = rules.day_begins_hour * 60
    days: dict[int, list[int]] = {}
    for m in minutes:
        days.setdefault((m - hour) // DAY if rules.free_each_day else 0, []).append(m)
    charged: list[int] = []
    before = circumstances.left_before_at
    for number, day in enumerate(days.values()):
        free = rules.free_minutes
        within = rules.free_again_after_minutes
        if within and before and number == 0 and entered - minute(before) <= within:
            free = 0
        if len(day) > free:
            charged += day[free:] if rules.free_deducted else day
    return charged


def spans(minutes: list[int]) -> Iterator[tuple[int, int]]:
    """Runs of minutes without a gap."""
    chosen = set(minutes)
    for m in minutes:
        if m - 1 not in chosen:
            end = m
            while end in chosen:
                end += 1
            yield m, end


def periods(
    rules: Rules, charged: list[tuple[int, int]]
) -> Iterator[tuple[int, int, object, int | None]]:
    """Start, price, occurrence of a segment and its cap, of every period."""
    for at, ends in charged:
        now: object = None
        usual_before = False
        while at < ends:
            segment, here, border = where(rules, at)
            if here != now:
                now = here
                lengths = of_segment(segment) if segment else usual(rules, usual_before)
                usual_before = usual_before or segment is None
            length, fen = next(lengths)
            yield at, fen, here, segment.cap_fen if segment else None
            at = min(at + length, border) if rules.across_border == "new_unit" else at + length


def where(rules: Rules, at: int) -> tuple[Segment | None, object, int]:
    """The segment at a minute, what tells its occurrence apart, and where it ends."""
    begins_next = 10**9
    for day in range(at // DAY - 1, at // DAY + 9):
        for row, segment in enumerate(rules.segments):
            kind = kind_of(date(2026, 2, 24) + timedelta(days=day))
            since, until = minute_of(segment.begins), minute_of(segment.ends)
            since, until = since + day * DAY, until + day * DAY + DAY * (until <= since)
            if segment.days and kind not in segment.days:
                continue
            if since <= at < until:
                return segment, (row, day), until
            if since > at:
                begins_next = min(begins_next, since)
    return None, begins_next, begins_next


def of_segment(segment: Segment) -> Iterator[tuple[int, int]]:
    """Lengths and prices of periods in a segment."""
    if segment.first_minutes:
        yield segment.first_minutes, segment.first_fen
    while True:
        yield segment.unit_minutes, segment.unit_fen


def usual(rules: Rules, usual_before: bool) -> Iterator[tuple[int, int]]:
    """Lengths and prices of periods where no segment is."""
    while rules.table:
        for row in rules.table:
            reached = row.from_minutes
            while row.to_minutes is None or reached < row.to_minutes:
                length = row.unit_minutes or (row.to_minutes or 0) - row.from_minutes
                yield length, row.fen
                reached += length
    if rules.first_minutes and not (rules.first_once and usual_before):
        yield rules.first_minutes, rules.first_fen
    while True:
        yield rules.unit_minutes, rules.unit_fen
