"""The weekly round in front of a cabinet: what to look for behind each door, as a table. Pure."""

import csv
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from core.spreadsheet import BOM, harmless
from storage.rules import LockerRules

STATES = {
    "free": "空闲",
    "held": "投递中",
    "open": "柜门开启",
    "occupied": "有件",
    "needs_check": "待核查",
    "blocked": "停用",
}
SENSORS = {"empty": "无物", "occupied": "有物"}
YES = {True: "是", False: ""}
HEADERS = (
    "格口",
    "规格",
    "行",
    "记录状态",
    "传感器",
    "运单号",
    "收件人手机",
    "存放自",
    "天数",
    "滞留",
    "不符",
    "核查要点",
    "现场情况",
    "处理",
    "核查人",
)
TO_FILL_IN = 3


@dataclass(frozen=True, slots=True)
class Door:
    """What the record and the sensor say of a door, and of the parcel inside, if there is one."""

    state: str
    reason: str | None
    sensor: str | None
    inside: bool
    parcel_reason: str | None
    since: datetime | None
    free_until: datetime | None


def days(door: Door, now: datetime) -> int | None:
    """How many whole days the parcel has been behind its door."""
    return (now - door.since) // timedelta(days=1) if door.since else None


def stale(door: Door, rules: LockerRules, now: datetime) -> bool:
    """Whether its courier should have taken the parcel back by now."""
    if not door.inside or door.since is None:
        return False
    reclaimed_at = door.since + timedelta(hours=rules.reclaim_hours)
    return now >= max(reclaimed_at, door.free_until or reclaimed_at)


def mismatch(door: Door) -> bool:
    """Whether the sensor contradicts the record; while a courier puts in, both may be true."""
    if door.sensor is None or door.state in {"held", "open"}:
        return False
    return door.sensor != ("occupied" if door.inside else "empty")


def look_for(door: Door, rules: LockerRules, now: datetime) -> str:
    """What whoever opens the door should look for."""
    hints = []
    if mismatch(door):
        hints.append(
            "记录有件而传感器无物，核对包裹是否还在"
            if door.inside
            else "记录无件而传感器有物，查有无未登记的包裹"
        )
    if door.state == "blocked":
        hints.append(f"停用（{door.reason or '原因不明'}），能否恢复使用")
    if door.state == "needs_check":
        hints.append(f"待核查（{door.reason or '原因不明'}），打开查看")
    if door.state == "open":
        hints.append("柜门未关，查看后关门")
    if door.parcel_reason:
        hints.append(f"异常件（{door.parcel_reason}），核对实物并处理")
    if stale(door, rules, now):
        hints.append(f"滞留{days(door, now)}天，联系快递员或收件人")
    if not hints:
        hints.append("核对运单号" if door.inside else "应为空")
    return "；".join(hints)


def as_csv(rows: Iterable[Mapping[str, Any]], zone: ZoneInfo) -> str:
    """The worksheet for a spreadsheet or a printer, with room to write what was found."""
    file = io.StringIO()
    table = csv.writer(file)
    table.writerow(HEADERS)
    for row in rows:
        since = row["since"]
        cells = [
            row["number"],
            row["size"],
            row["row"],
            STATES[row["state"]],
            SENSORS.get(row["sensor"] or "", ""),
            row["tracking_number"],
            row["phone"],
            f"{since.astimezone(zone):%Y-%m-%d %H:%M}" if since else "",
            row["days"],
            YES[row["stale"]],
            YES[row["mismatch"]],
            row["look_for"],
            *[""] * TO_FILL_IN,
        ]
        table.writerow([harmless(cell) for cell in cells])
    return BOM + file.getvalue()
