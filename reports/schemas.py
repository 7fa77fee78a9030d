"""The JSON that reports say."""

from typing import Any

from marshmallow import fields

from core.http import Instant, Schema
from ledger.schemas import DaySchema, Hash
from reports import links


class UnsettledSchema(Schema):
    """What is not in the books yet."""

    count = fields.Integer()
    amount_fen = fields.Integer()


class ReportSchema(Schema):
    """What every report carries; `known_at` is null when it says all that is known."""

    as_of = fields.Date()
    book = fields.String(allow_none=True)
    known_at = Instant(allow_none=True)
    unsettled = fields.Nested(UnsettledSchema)
    heads = fields.List(fields.Nested(DaySchema))


class PeriodReportSchema(ReportSchema):
    """A report of days."""

    since = fields.Date(data_key="from")
    until = fields.Date(data_key="to")


class AccountBalanceSchema(Schema):
    """One account's balance, on the side it falls on."""

    book = fields.String()
    account = fields.String()
    name = fields.String()
    name_en = fields.String()
    type = fields.String()
    debit_fen = fields.Integer()
    credit_fen = fields.Integer()
    entries = fields.String(metadata={"description": "where its entries are listed"})


class TrialBalanceSchema(ReportSchema):
    """试算平衡表."""

    rows = fields.List(fields.Nested(AccountBalanceSchema))
    total_debit_fen = fields.Integer()
    total_credit_fen = fields.Integer()


class MonthFigureSchema(Schema):
    """What an account earned or cost in a month."""

    month = fields.Date(format="%Y-%m")
    amount_fen = fields.Integer()
    entries = fields.String()


class Figures(fields.List[Any]):
    """Hundreds of figures, written at once: one by one they would cost more than the report."""

    def _serialize(self, value: Any, *_: Any, **__: Any) -> Any:
        return [
            {
                "month": figure.month.isoformat()[:7],
                "amount_fen": figure.amount_fen,
                "entries": figure.entries,
            }
            for figure in value
        ]


class ActivityRowSchema(Schema):
    """An account of income or expense."""

    book = fields.String()
    account = fields.String()
    name = fields.String()
    name_en = fields.String()
    type = fields.String()
    restricted = fields.Boolean(metadata={"description": "限定性"})
    total_fen = fields.Integer()
    months = Figures(fields.Nested(MonthFigureSchema))


class ResultSchema(Schema):
    """Income less expense."""

    income_fen = fields.Integer()
    expense_fen = fields.Integer()
    surplus_fen = fields.Integer()


class MonthResultSchema(ResultSchema):
    """The result of a month."""

    month = fields.Date(format="%Y-%m")
    income_fen = fields.Integer(attribute="result.income_fen")
    expense_fen = fields.Integer(attribute="result.expense_fen")
    surplus_fen = fields.Integer(attribute="result.surplus_fen")


class BookResultSchema(ResultSchema):
    """The result of a book."""

    book = fields.String()
    income_fen = fields.Integer(attribute="result.income_fen")
    expense_fen = fields.Integer(attribute="result.expense_fen")
    surplus_fen = fields.Integer(attribute="result.surplus_fen")


class ActivityStatementSchema(PeriodReportSchema):
    """业务活动表."""

    rows = fields.List(fields.Nested(ActivityRowSchema))
    months = fields.List(fields.Nested(MonthResultSchema))
    books = fields.List(fields.Nested(BookResultSchema))
    restricted = fields.Nested(ResultSchema)
    unrestricted = fields.Nested(ResultSchema)
    total = fields.Nested(ResultSchema)


class SheetLineSchema(Schema):
    """An account's balance at the end of the day, and as the year began."""

    account = fields.String()
    name = fields.String()
    name_en = fields.String()
    restricted = fields.Boolean()
    amount_fen = fields.Integer()
    opening_fen = fields.Integer()
    entries = fields.String()


class SheetSchema(Schema):
    """The balance sheet of one book."""

    book = fields.String()
    assets = fields.List(fields.Nested(SheetLineSchema))
    liabilities = fields.List(fields.Nested(SheetLineSchema))
    net_assets = fields.List(fields.Nested(SheetLineSchema))
    earlier_surplus_fen = fields.Integer()
    surplus_fen = fields.Integer(metadata={"description": "of this year so far"})
    restricted_surplus_fen = fields.Integer(metadata={"description": "what of it is 限定性"})
    total_assets_fen = fields.Integer()
    total_liabilities_fen = fields.Integer()
    total_net_assets_fen = fields.Integer()
    balanced = fields.Boolean()


class BalanceSheetSchema(ReportSchema):
    """资产负债表."""

    since = fields.Date(metadata={"description": "the first day of the year"})
    books = fields.List(fields.Nested(SheetSchema))


class FlowSchema(Schema):
    """What an account brought in and took out."""

    book = fields.String()
    account = fields.String()
    name = fields.String()
    name_en = fields.String()
    inflow_fen = fields.Integer()
    outflow_fen = fields.Integer()
    net_fen = fields.Integer()
    entries = fields.String()


class CashBalanceSchema(Schema):
    """A cash account as the period began and ended."""

    book = fields.String()
    account = fields.String()
    name = fields.String()
    opening_fen = fields.Integer()
    closing_fen = fields.Integer()


class CashFlowSchema(PeriodReportSchema):
    """现金流量表."""

    rows = fields.List(fields.Nested(FlowSchema))
    cash = fields.List(fields.Nested(CashBalanceSchema))
    opening_fen = fields.Integer()
    net_fen = fields.Integer()
    closing_fen = fields.Integer()
    explained = fields.Boolean()


class RunningLineSchema(Schema):
    """A posting, debit positive, and the balance after it."""

    entry_id = fields.Integer()
    book = fields.String()
    posted_on = fields.Date()
    occurred_on = fields.Date()
    source = fields.String()
    memo = fields.String()
    account = fields.String()
    party = fields.String(allow_none=True)
    amount_fen = fields.Integer()
    balance_fen = fields.Integer()
    trace = fields.Function(lambda row: links.trace(row.entry_id))


class RunningSchema(PeriodReportSchema):
    """明细账, a page of it; the sums are those of the whole period."""

    account = fields.String(allow_none=True)
    party = fields.String(allow_none=True)
    opening_fen = fields.Integer()
    debit_fen = fields.Integer()
    credit_fen = fields.Integer()
    closing_fen = fields.Integer()
    rows = fields.List(fields.Nested(RunningLineSchema))


class IncomeMonthSchema(Schema):
    """A month's income beside last year's and the target."""

    month = fields.Date(format="%Y-%m")
    income_fen = fields.Integer()
    last_year_fen = fields.Integer()
    cumulative_fen = fields.Integer()
    last_year_cumulative_fen = fields.Integer()
    target_fen = fields.Integer(metadata={"description": "the even part of the year's so far"})
    percent = fields.Float(metadata={"description": "of the year's target, reached so far"})
    statement = fields.String()


class YearlyIncomeSchema(ReportSchema):
    """Income by month."""

    year = fields.Integer()
    target_fen = fields.Integer()
    months = fields.List(fields.Nested(IncomeMonthSchema))


class DayLagSchema(Schema):
    """How long a day's source rows waited."""

    day = fields.Date()
    count = fields.Integer()
    p50_seconds = fields.Float()
    p95_seconds = fields.Float()
    max_seconds = fields.Float()


class SettlementLagSchema(PeriodReportSchema):
    """The days on which something was recorded."""

    days = fields.List(fields.Nested(DayLagSchema))


class PostingSchema(Schema):
    """分录; debit is positive. It names its split rule where the entry has several."""

    account = fields.String()
    party = fields.String(allow_none=True)
    amount_fen = fields.Integer()
    split_rule_id = fields.Integer(allow_none=True)


class EntrySchema(Schema):
    """凭证. Its hash is its leaf in its book's day; `sealed_day` is null until that is sealed."""

    id = fields.Integer(attribute="entry.id")
    book = fields.String(attribute="entry.book")
    source = fields.Function(lambda row: f"{row.entry.source}:{row.entry.source_id}")
    purpose = fields.String(attribute="entry.purpose")
    occurred_on = fields.Date(attribute="entry.occurred_on")
    posted_on = fields.Date(attribute="entry.posted_on")
    recorded_at = Instant(attribute="entry.recorded_at")
    memo = fields.String(attribute="entry.memo")
    split_rule_id = fields.Integer(attribute="entry.split_rule_id", allow_none=True)
    reverses_id = fields.Integer(attribute="entry.reverses_id", allow_none=True)
    fingerprint = Hash(attribute="entry.fingerprint")
    hash = Hash()
    sealed_day = fields.Date(attribute="leaf.day", dump_default=None)
    postings = fields.List(fields.Nested(PostingSchema))
    trace = fields.Function(lambda row: links.trace(row.entry.id))
