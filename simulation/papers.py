"""Bills as providers and banks write them, made by us."""

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from core.money import yuan

CHINA = ZoneInfo("Asia/Shanghai")

WECHAT_COLUMNS = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,"
    "货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,"
    "商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
WECHAT_TOTALS = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
ALIPAY_COLUMNS = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,"
    "订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,"
    "券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注"
)


@dataclass(frozen=True)
class Deal:
    """One line of a provider's bill; `refund` is our number of the refund."""

    number: str
    fen: int
    fee_fen: int = 0
    refund: str = ""
    at: str = "2026-11-23 12:00:00"
    what: str = "停车费, 含超时 1"
    status: str = "SUCCESS"


def wechat(*deals: Deal) -> str:
    """A 交易账单 of all kinds of trades."""
    rows = [WECHAT_COLUMNS, *(_wechat_row(deal) for deal in deals)]
    paid, back = (
        sum(d.fen for d in deals if bool(d.refund) is refunded) for refunded in (False, True)
    )
    fees = sum(deal.fee_fen for deal in deals)
    totals = [str(len(deals)), yuan(paid), yuan(back), "0.00", f"{yuan(fees)}000"]
    rows += [WECHAT_TOTALS, "`" + ",`".join([*totals, yuan(paid), yuan(back)])]
    return "\r\n".join(rows) + "\r\n"


def _wechat_row(deal: Deal) -> str:
    paid, back = (0, deal.fen) if deal.refund else (deal.fen, 0)
    values = [
        *(deal.at, "wx8888888888888888", "1900000109", "0", "", f"4200{deal.number}", deal.number),
        *("oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "NATIVE", "REFUND" if deal.refund else "SUCCESS"),
        *("CMB_DEBIT", "CNY", yuan(paid), "0.00"),
        *((f"50{deal.refund}", deal.refund) if deal.refund else ("0", "0")),
        *(
            yuan(back),
            "0.00",
            "ORIGINAL" if deal.refund else "",
            deal.status if deal.refund else "",
        ),
        *(deal.what, "", f"{yuan(deal.fee_fen)}000", "0.60%", yuan(paid), yuan(back), ""),
    ]
    return "`" + ",`".join(values)


def alipay(*deals: Deal) -> str:
    """A 业务明细 of one day."""
    return "\r\n".join(
        [
            "#支付宝业务明细查询",
            "#账号：[20881234567890120156]",
            "#起始日期：[2026年11月23日 00:00:00]   终止日期：[2026年11月24日 00:00:00]",
            "#-----------------------------业务明细列表----------------------------",
            ALIPAY_COLUMNS,
            *(_alipay_row(deal) for deal in deals),
            "#-----------------------------业务明细列表结束------------------------",
            "#导出时间：[2026年11月24日 09:00:00]",
            "",
        ]
    )


def _alipay_row(deal: Deal) -> str:
    fen = -deal.fen if deal.refund else deal.fen
    values = [
        *(f"2026112322001{deal.number}", deal.number, "退款" if deal.refund else "交易", "停车费"),
        *(deal.at, deal.at, "", "", "", "", "张*(138******20)", yuan(fen), yuan(fen)),
        *("0.00", "0.00", "0.00", "0.00", "0.00", "", "0.00", "0.00", deal.refund),
        *(yuan(-deal.fee_fen), "0.00", ""),
    ]
    return ",".join(f"{value}\t" for value in values)


def bank(*rows: Sequence[str]) -> str:
    """A bank's statement: day, came in, went out, number, with whom."""
    table = [",".join([day, "10:00", *rest, "转账"]) for day, *rest in rows]
    head = ["账户明细,,,,,,", "交易日期,交易时间,收入金额,支出金额,流水号,对方户名,摘要"]
    return "\n".join([*head, *table, ""])
