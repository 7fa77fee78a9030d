"""What a driver reads on the display and hears at the gate, in Chinese, by reason."""

from typing import Any

from core.money import yuan
from parking.fees import Owed

# reason: (line under the plate, voice). {due} is in yuan.
TEXTS = {
    "booking": ("预约车辆 欢迎光临", "欢迎光临"),
    "permit": ("欢迎回家", "欢迎回家"),
    "walk-in": ("欢迎光临", "欢迎光临"),
    "paid": ("已缴费 一路平安", "一路平安"),
    "nothing-due": ("无需缴费 一路平安", "一路平安"),
    "balance-charged": ("余额已扣{due}元", "余额扣费{due}元 一路平安"),
    "payment-due": ("请缴费{due}元", "请缴费{due}元"),
    "lot-full": ("车位已满", "车位已满"),
    "too-early": ("未到预约时间", "未到预约时间"),
    "blocked": ("禁止入场", "请联系管理员"),
    "no-plate": ("未识别车牌", "未识别车牌 请联系管理员"),
    "unknown-stay": ("无入场记录", "无入场记录 请联系管理员"),
    "replayed": ("记录已保存", ""),
    "already-inside": ("车辆已在场内", "请联系管理员"),
    "no-right": ("访客未授权", "请联系管理员"),
    "no-tariff": ("收费标准未设置", "请联系管理员"),
}


def said(reason: str, plate: str | None, asked_fen: int) -> tuple[list[str], str]:
    """Display lines and voice for a reason; the plate, when read, stands in the first line."""
    line, voice = (text.format(due=yuan(asked_fen)) for text in TEXTS[reason])
    return ([plate] if plate else []) + [line], voice


def told(
    action: str,
    reason: str,
    plate: str | None,
    *,
    stay_id: int | None = None,
    booking_id: int | None = None,
    space: str | None = None,
    fee: Owed | None = None,
    asked_fen: int = 0,
) -> dict[str, Any]:
    """The contract's decision: what the gate does, why, what the driver reads, stay and fee."""
    display, voice = said(reason, plate, asked_fen)
    return {
        "action": action,
        "reason": reason,
        "display": display,
        "voice": voice,
        "stay_id": stay_id,
        "booking_id": booking_id,
        "space": space,
        "fee": fee.as_json() if fee else None,
    }
