"""What couriers and residents read and hear, in Chinese. Pure."""

from datetime import datetime
from zoneinfo import ZoneInfo

from core.money import yuan
from storage.rules import LockerRules

# reason: what the cabinet's screen says; {n} is the compartment, {fee} in yuan.
AT_THE_CABINET = {
    "deposit": "{n}号格口已打开，请放入包裹并关门",
    "pickup": "{n}号格口已打开，请取件后关门",
    "reclaim": "{n}号格口已打开，请取回包裹并关门",
    "already-deposited": "该运单已投递，请勿重复投递",
    "consent-refused": "收件人不同意入柜，请送货上门",
    "only-when-absent": "收件人要求先上门，无人在家时方可入柜",
    "consent-needed": "请先联系收件人，征得同意后再投递",
    "recipient-unknown": "收件人未登记，请送货上门",
    "camera-down": "监控故障，暂停投递",
    "cabinet-closed": "本柜暂停使用",
    "cabinet-full": "暂无合适的空格口",
    "courier-balance": "余额不足，请先充值",
    "courier-unknown": "快递员未登记，请联系物业",
    "courier-blocked": "账号已停用，请联系物业",
    "damaged": "包裹外包装破损，不得入柜",
    "replayed": "记录已保存",
    "wrong-code": "手机尾号或取件码有误",
    "code-locked": "取件码已暂时锁定，请稍后再试，或在手机上重新获取",
    "slow-down": "尝试次数过多，请稍后再试",
    "ask-operator": "请联系物业取件",
    "not-yours": "没有可取回的该运单",
}

COMPLAIN = "如有异议，请联系物业值班室，或在“我的包裹”中申请核查"

NOTICES = {
    "parcel-deposited": "您的包裹（{waybill}）已放入{place}。"
    "取件：手机尾号{tail} + 取件码{{code}}。{until}前免费存放，{ladder}。{complain}。",
    "parcel-code-reissued": "您的包裹（{waybill}）在{place}。"
    "新取件码：手机尾号{tail} + {{code}}，旧码作废。{until}前免费存放，{ladder}。{complain}。",
    "parcel-free-ending": "您的包裹（{waybill}）在{place}，"
    "免费存放至{until}，{ladder}。{complain}。",
    "parcel-overdue": "您的包裹（{waybill}）在{place}，免费存放已于{until}结束，{ladder}，"
    "目前{now}元。随时可取，欠费不影响开门。{complain}。",
    "parcel-daily": "您的包裹（{waybill}）仍在{place}，免费存放已于{until}结束，{ladder}，"
    "目前{now}元。随时可取，欠费不影响开门。{complain}。",
    "parcel-refused": "您已拒收包裹（{waybill}），它在{place}，"
    "快递员将取回，不收保管费。{complain}。",
    "parcel-exception": "您的包裹（{waybill}）在{place}出现异常，"
    "物业正在处理，不收保管费。{complain}。",
    "parcel-reclaimed": "您的包裹（{waybill}）已从{place}取回，不收保管费。{complain}。",
}


def said(reason: str, number: int | None = None, fee_fen: int = 0) -> dict[str, object]:
    """The lines of the screen, and what is said aloud."""
    line = AT_THE_CABINET[reason].format(n=number)
    costs = [f"保管费{yuan(fee_fen)}元，可稍后在手机上支付"] if fee_fen else []
    return {"display": [line, *costs], "voice": line}


def place_of(name: str, address: str | None, number: int | None) -> str:
    """Where a parcel lies."""
    where = f"{address}{name}" if address else name
    return where if number is None else f"{where}{number}号格口"


def ladder_in_words(rules: LockerRules) -> str:
    """What storing costs and when it grows, in half a sentence."""
    if not rules.step_fen or not rules.cap_fen:
        return "不收保管费"
    each, most = yuan(rules.step_fen), yuan(rules.cap_fen)
    return f"逾期每{rules.step_hours}小时{each}元，每件最高{most}元"


def noticed(
    kind: str,
    *,
    waybill: str,
    place: str,
    tail: str,
    free_until: datetime | None,
    ladder: str,
    fee_fen: int,
    zone: ZoneInfo,
) -> str:
    """The text of a notice; `{code}` in it stays for the reader's eyes."""
    until = f"{free_until.astimezone(zone):%m月%d日%H:%M}" if free_until else "取件"
    return NOTICES[kind].format(
        waybill=waybill,
        place=place,
        tail=tail,
        until=until,
        ladder=ladder,
        now=yuan(fee_fen),
        complain=COMPLAIN,
    )
