"""A bank's statement as CSV; every bank names its columns otherwise, so they can be told. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

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

PROVIDERS = (("财付通", "wechat"), ("微信", "wechat"), ("支付宝", "alipay"))
"""Whose name in the counterparty's says that a provider passes on what it collected."""


@dataclass(frozen=True)
class Columns:
    """What this bank calls its columns."""

    date: str = "交易日期"
    income: str = "收入金额"
    expense: str = "支出金额"
    reference: str = "流水号"
    counterparty: str = "对方户名"
    memo: str = "摘要"


def parse(file: bytes, columns: Columns) -> Bill:
    """The lines below the first row that names the columns; money that left is negative."""
    table = [row for row in rows(text(file).splitlines()) if any(map(str.strip, row))]
    starts = next((n for n, row in enumerate(table) if columns.date in map(str.strip, row)), None)
    if starts is None:
        raise BillError(f"has no column {columns.date}")
    header = [name.strip() for name in table[starts]]
    need(header, columns.income, columns.expense, columns.reference, columns.counterparty)
    lines = [
        _line(named(header, row, f"row {n}"), columns, f"row {n}")
        for n, row in enumerate(table[starts + 1 :], start=starts + 2)
    ]
    return Bill(distinct(lines))


def _line(row: Mapping[str, str], columns: Columns, where: str) -> Line:
    amount_fen = fen(row[columns.income], where) - abs(fen(row[columns.expense], where))
    if not amount_fen:
        raise BillError(f"{where}: neither came money nor did it go")
    provider = next((p for name, p in PROVIDERS if name in row[columns.counterparty]), None)
    reference = identity(row, columns.reference, where)
    return Line(
        type="transfer" if provider else "other",
        external_id=reference,
        reference=reference,
        amount_fen=amount_fen,
        fee_fen=0,
        occurred_at=moment(row[columns.date], where),
        memo=f"{row[columns.counterparty]} {row.get(columns.memo, '')}".strip()[:LONGEST_MEMO],
        provider=provider,
    )
