"""支付宝业务明细: CSV in GBK between `#` comments, values padded with tabs. Pure."""

import re
from collections.abc import Mapping
from datetime import date, timedelta

from channels.bills import (
    LONGEST_MEMO,
    Bill,
    BillError,
    Line,
    distinct,
    fen,
    identity,
    moment,
    named,
    need,
    rows,
    text,
)

FIRST = "支付宝交易号"
NEEDED = (FIRST, "商户订单号", "业务类型", "完成时间", "订单金额（元）", "服务费（元）")
REQUEST = "退款批次号/请求号"
FROM, TO = (re.compile(rf"{name}[：:]\s*\[([^\]]+)\]") for name in ("起始日期", "终止日期"))
ENDS = "列表结束"


def parse(file: bytes) -> Bill:
    """The lines between the comments; BillError, also when cut off.

    A refund has the trade's number, so its request makes it another line; the amounts of refunds
    are negative there. The service fee is what a trade cost, and what a refund gave back.
    """
    all_lines = text(file).splitlines()
    comments = [line for line in all_lines if line.startswith("#")]
    if not any(ENDS in line for line in comments):
        raise BillError(f"has no comment that says {ENDS}: it was cut off")
    table = list(rows(line for line in all_lines if line.strip() and not line.startswith("#")))
    if not table or table[0][0].strip() != FIRST:
        raise BillError("does not begin with the columns of a 业务明细")
    header = [name.strip() for name in table[0]]
    need(header, *NEEDED)
    lines = [
        _line(named(header, row, f"line {n}"), f"line {n}")
        for n, row in enumerate(table[1:], start=2)
    ]
    return Bill(distinct(lines), _covers("".join(comments)))


def _line(row: Mapping[str, str], where: str) -> Line:
    kind = row["业务类型"]
    if kind not in ("交易", "退款"):
        raise BillError(f"{where}: unknown 业务类型 {kind[:32]}")
    trade, request = identity(row, FIRST, where), row.get(REQUEST, "")
    refunded = kind == "退款"
    fee_fen = abs(fen(row["服务费（元）"], where))
    external_id = f"{trade}:{request}" if refunded else trade
    return Line(
        type="refund" if refunded else "payment",
        external_id=identity({"": external_id}, "", where),
        reference=identity(row, REQUEST if refunded and request else "商户订单号", where),
        amount_fen=abs(fen(row["订单金额（元）"], where)),
        fee_fen=-fee_fen if refunded else fee_fen,
        occurred_at=moment(row["完成时间"], where),
        memo=row.get("商品名称", "")[:LONGEST_MEMO],
    )


def _covers(comments: str) -> tuple[date, date] | None:
    """The days that the comments name; an end at midnight is the end of the day before."""
    first, last = FROM.search(comments), TO.search(comments)
    if not first or not last:
        return None
    since, until = (_said(found[1]) for found in (first, last))
    days = moment(since, "起始日期").date(), moment(until, "终止日期")
    ends = (days[1] - timedelta(seconds=1)).date()
    return days[0], max(days[0], ends)


def _said(when: str) -> str:
    return when.replace("年", "-").replace("月", "-").replace("日", "")
