"""What a rider reads and hears at a dock, in Chinese, by reason. Pure."""

from typing import Any

from core.money import yuan
from ebikes.dock import Outcome
from parking.plates import Plate
from parking.tags import TAG
from parking.texts import TEXTS

# reason: (line, voice); what a gate says too is said in its words. {space} is the spot's code.
DOCK_TEXTS = TEXTS | {
    "booking": ("预约车辆 请停放{space}", "欢迎光临"),
    "walk-in": ("请停放{space}", "欢迎光临"),
    "too-early": ("未到预约时间", "未到预约时间"),
    "already-inside": ("车辆已停放在{space}", "车辆已停放 请联系管理员"),
    "unknown-stay": ("此处没有该车的停放记录", "无停放记录 请联系管理员"),
    "no-such-spot": ("没有这个车位", "没有这个车位"),
    "spot-taken": ("{space}已被占用 请换一个车位", "车位已被占用"),
    "spot-booked": ("{space}即将有预约 请换一个车位", "车位即将有预约"),
    "group-full": ("本组车位已满 请换一组", "本组车位已满"),
    "out-of-service": ("{space}停用 请换一个车位", "车位停用"),
    "fire-compartment": ("消防分区不允许在此充电", "此处不允许充电"),
    "wrong-spot": ("请到{space}", "请到您的车位"),
}


def told(
    outcome: Outcome,
    *,
    plate: Plate | None = None,
    stay_id: int | None = None,
    booking_id: int | None = None,
    fee: dict[str, Any] | None = None,
    asked_fen: int = 0,
    longest_minutes: int | None = None,
) -> dict[str, Any]:
    """The contract's decision, with what the rider reads; a card's number is not shown."""
    texts = DOCK_TEXTS[outcome.reason]
    space = outcome.space or "其他车位"
    line, voice = (text.format(due=yuan(asked_fen), space=space) for text in texts)
    shown = [plate.text] if plate and plate.color != TAG else []
    decision: dict[str, Any] = {
        "action": outcome.action,
        "reason": outcome.reason,
        "display": [*shown, line],
        "voice": voice,
        "stay_id": stay_id,
        "booking_id": outcome.booking_id or booking_id,
        "space": outcome.space,
        "fee": fee,
    }
    return decision if longest_minutes is None else decision | {"longest_minutes": longest_minutes}
