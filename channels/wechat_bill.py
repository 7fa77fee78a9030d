"""微信支付交易账单: a header, lines whose every value begins with a backtick, a summary. Pure."""

from collections.abc import Mapping, Sequence

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
    text,
)

SUMMARY = "总交易单数"
PAID, GIVEN_BACK = {"SUCCESS"}, {"REFUND", "REVOKED"}
NEEDED = ("交易时间", "微信订单号", "商户订单号", "交易状态", "应结订单金额", "手续费")
OF_REFUNDS = ("微信退款单号", "商户退款单号", "退款金额", "退款状态")
TOTALS = ("应结订单总金额", "退款总金额", "手续费总金额")


def parse(file: bytes) -> Bill:
    """The lines of a bill of the kinds ALL, SUCCESS or REFUND; BillError, also when cut off.

    The summary has to agree with the lines. Amounts are what is settled to us: an order less the
    coupons that we granted ourselves.
    """
    rows = [row for row in text(file).splitlines() if row.strip()]
    if not rows or not rows[0].startswith("交易时间,"):
        raise BillError("does not begin with the columns of a 交易账单")
    header = [name.strip().strip("`") for name in rows[0].split(",")]
    need(header, *NEEDED)
    ends = next((n for n, row in enumerate(rows) if row.lstrip("`").startswith(SUMMARY)), None)
    if ends is None or ends + 1 >= len(rows):
        raise BillError("has no summary: it was cut off")
    found = [_row(header, row, f"line {n}") for n, row in enumerate(rows[1:ends], start=2)]
    lines = [_line(row, f"line {n}") for n, row in enumerate(found, start=2)]
    _check(rows[ends], rows[ends + 1], found, lines)
    return Bill(distinct([line for line in lines if line is not None]))


def _row(header: Sequence[str], row: str, where: str) -> Mapping[str, str]:
    """Values may contain commas, but none begins with a backtick of its own."""
    if not row.startswith("`"):
        raise BillError(f"{where}: a value without its backtick")
    return named(header, row[1:].split(",`"), where)


def _line(row: Mapping[str, str], where: str) -> Line | None:
    state = row["交易状态"]
    common = {
        "fee_fen": fen(row["手续费"], where),
        "occurred_at": moment(row["交易时间"], where),
        "memo": row.get("商品名称", "")[:LONGEST_MEMO],
    }
    if state in PAID:
        return Line(
            type="payment",
            external_id=identity(row, "微信订单号", where),
            reference=identity(row, "商户订单号", where),
            amount_fen=fen(row["应结订单金额"], where),
            **common,  # type: ignore[arg-type]  # a dictionary of several types
        )
    if state not in GIVEN_BACK:
        raise BillError(f"{where}: unknown 交易状态 {state[:32]}")
    need(row, *OF_REFUNDS)
    if row["退款状态"] == "FAIL":
        return None
    return Line(
        type="refund",
        external_id=identity(row, "微信退款单号", where),
        reference=identity(row, "商户退款单号", where),
        amount_fen=fen(row["退款金额"], where),
        **common,  # type: ignore[arg-type]  # a dictionary of several types
    )


def _check(
    names: str, values: str, rows: Sequence[Mapping[str, str]], lines: Sequence[Line | None]
) -> None:
    """The summary's counts and sums are those of the lines."""
    header = [name.strip().strip("`") for name in names.split(",")]
    said = named(header, values.lstrip("`").split(",`"), "summary")
    need(said, SUMMARY, *TOTALS)
    kept = [line for line in lines if line is not None]
    sums = {
        "应结订单总金额": sum(line.amount_fen for line in kept if line.type == "payment"),
        "退款总金额": sum(fen(row.get("退款金额", "0"), "summary") for row in rows),
        "手续费总金额": sum(fen(row["手续费"], "summary") for row in rows),
    }
    if said[SUMMARY] != str(len(rows)):
        raise BillError(f"summary: {said[SUMMARY]} lines, but there are {len(rows)}")
    for name, total in sums.items():
        if fen(said[name], "summary") != total:
            raise BillError(f"summary: {name} is not the sum of the lines")
