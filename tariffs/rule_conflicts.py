"""What the fields of price rules may not say together. Pure.

Each field by itself is of the right form here; errors name the field and the row to change.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

from tariffs.rules import NewEnergy, Rules, Segment, TableRow, minute_of

_DAY = 1440
Errors = Iterator[tuple[str, str]]


def conflicts(rules: Rules) -> dict[str, list[str]]:
    """Messages by field; none when the rules are a tariff."""
    errors = [*_first_period("", rules), *_caps(rules)]
    if rules.table or rules.table_repeats_minutes is not None:
        errors += [*_instead_of_periods(rules), *_table(rules)]
    if rules.segments:
        errors += [*_each_segment(rules.segments), *_overlaps(rules.segments)]
    if rules.classes:
        errors += _twice("classes", [row.vehicle_class for row in rules.classes])
    if rules.ceilings:
        errors += _twice("ceilings", [row.vehicle_class for row in rules.ceilings])
    if rules.new_energy:
        errors += _new_energy(rules.new_energy)
    told: dict[str, list[str]] = {}
    for field, message in errors:
        told.setdefault(field, []).append(message)
    return told


def _first_period(where: str, prices: Rules | Segment) -> Errors:
    if prices.first_minutes == 0 and prices.first_fen > 0:
        yield f"{where}first_fen", "首时段价格（first-period）：首时段时长为 0 时价格须为 0"


def _caps(rules: Rules) -> Errors:
    if rules.cap_fen is not None and rules.caps_fen:
        yield "caps_fen", "递进封顶（caps）：与封顶金额（cap）只能择一"
    if rules.cap_fen is None and not rules.caps_fen:
        return
    dearest = max(rules.first_fen, rules.unit_fen)
    if rules.table or rules.segments:
        dearest = max(dearest, *_prices_of_rows(rules))
    if rules.cap_fen is not None and rules.cap_fen < dearest:
        yield "cap_fen", "封顶金额（cap）：不得低于首时段价格或计费单位价格"
    for number, cap_fen in enumerate(rules.caps_fen):
        if cap_fen < dearest:
            yield f"caps_fen.{number}", "递进封顶（caps）：不得低于首时段价格或计费单位价格"


def _prices_of_rows(rules: Rules) -> Iterator[int]:
    yield from (row.fen for row in rules.table)
    for segment in rules.segments:
        yield from (segment.first_fen, segment.unit_fen)


def _instead_of_periods(rules: Rules) -> Errors:
    if not rules.table:
        yield "table_repeats_minutes", "费率表周期（table）：没有费率表"
    elif rules.first_minutes or rules.unit_fen:
        yield "table", "费率表（table）：与首时段及计费单位只能择一"


def _table(rules: Rules) -> Errors:
    """The rows cover 0 … `table_repeats_minutes` (or have no end), without gap or overlap."""
    reached: int | None = 0
    for number, row in enumerate(rules.table):
        where = f"table.{number}"
        if reached is None:
            yield f"{where}.from_minutes", "起始分钟（table）：上一行没有截止"
            return
        if row.from_minutes != reached:
            fault = "有空缺" if row.from_minutes > reached else "与上一行重叠"
            yield f"{where}.from_minutes", f"起始分钟（table）：{fault}，须为 {reached}"
        yield from _row(where, row)
        reached = row.to_minutes
    if rules.table and reached != rules.table_repeats_minutes:
        wanted = rules.table_repeats_minutes or "空（无截止）"
        last = len(rules.table) - 1
        yield f"table.{last}.to_minutes", f"截止分钟（table）：末行须到费率表周期，即 {wanted}"


def _row(where: str, row: TableRow) -> Errors:
    if row.to_minutes is None:
        if row.unit_minutes is None:
            yield f"{where}.unit_minutes", "计费单位时长（table）：没有截止的行须有计费单位"
    elif row.to_minutes <= row.from_minutes:
        yield f"{where}.to_minutes", "截止分钟（table）：须大于起始分钟"
    elif row.unit_minutes and (row.to_minutes - row.from_minutes) % row.unit_minutes:
        yield f"{where}.unit_minutes", "计费单位时长（table）：须整除本行时长"


def _each_segment(segments: Iterable[Segment]) -> Errors:
    for number, segment in enumerate(segments):
        yield from _first_period(f"segments.{number}.", segment)
        dearest = max(segment.first_fen, segment.unit_fen)
        if segment.cap_fen is not None and segment.cap_fen < dearest:
            message = "时段封顶（segment-cap）：不得低于首时段价格或计费单位价格"
            yield f"segments.{number}.cap_fen", message
        if len(set(segment.days)) < len(segment.days):
            yield f"segments.{number}.days", "适用日（days）：重复"


def _overlaps(segments: Iterable[Segment]) -> Errors:
    """Any kind of day may follow any other, so what wraps midnight meets every next day."""
    for (_, one), (number, other) in combinations(enumerate(segments), 2):
        same_day = not one.days or not other.days or set(one.days) & set(other.days)
        shifts = (0, _DAY, -_DAY) if same_day else (_DAY, -_DAY)
        if any(_overlap(one, other, shift) for shift in shifts):
            yield f"segments.{number}.begins", f"时段开始（segment）：与“{one.name}”重叠"


def _overlap(one: Segment, other: Segment, shift: int) -> bool:
    begins, ends = span_of(one.begins, one.ends)
    other_begins, other_ends = span_of(other.begins, other.ends)
    return begins < other_ends + shift and other_begins + shift < ends


def span_of(begins: str, ends: str) -> tuple[int, int]:
    """Two clock times as minutes since the midnight before the first; at most a day apart."""
    first, last = minute_of(begins), minute_of(ends)
    return first, last if last > first else last + _DAY


def _twice(field: str, names: list[str]) -> Errors:
    for number, name in enumerate(names):
        if name in names[:number]:
            yield f"{field}.{number}.vehicle_class", "车辆类型（class）：重复"


def _new_energy(rebate: NewEnergy) -> Errors:
    if rebate.until_minutes and rebate.until_minutes < rebate.free_minutes:
        yield "new_energy.until_minutes", "新能源优惠截止（new-energy）：不得早于免费时长"
    elif rebate.percent < 100 and rebate.until_minutes <= rebate.free_minutes:
        yield "new_energy.until_minutes", "新能源优惠截止（new-energy）：有百分比时须晚于免费时长"
    if (rebate.free_from is None) != (rebate.free_to is None):
        missing = "free_to" if rebate.free_to is None else "free_from"
        yield f"new_energy.{missing}", "新能源免费时刻（new-energy）：开始与结束须同时给出"
