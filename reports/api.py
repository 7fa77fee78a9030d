"""Routes of reports: balances, statements, ledgers, traces, exports."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

from flask import Response, stream_with_context
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters

from core import clock
from core.app import settings
from core.db import Session, db, snapshot
from core.errors import invalid, not_found
from core.paging import cut
from identity.auth import requires
from identity.models import ADMIN, AUDITOR, FINANCE
from ledger.models import Account
from ledger.source_models import Party
from reports import exports
from reports import trace as traces
from reports.balance_sheet import BalanceSheet, balance_sheet
from reports.balances import Known
from reports.cash_flow import CashFlow, cash_flow
from reports.entries import BookedEntry, EntryFilter, entries, with_postings
from reports.filters import (
    AccountFilterSchema,
    ActivityFilterSchema,
    AsOfSchema,
    BookPeriodSchema,
    EntryFilterSchema,
    ExportFilterSchema,
    PartyFilterSchema,
    PeriodSchema,
    TraceFilterSchema,
    YearSchema,
)
from reports.lag import SettlementLag, settlement_lag
from reports.running import Running, Whose, running
from reports.schemas import (
    ActivityStatementSchema,
    BalanceSheetSchema,
    CashFlowSchema,
    EntrySchema,
    RunningSchema,
    SettlementLagSchema,
    TrialBalanceSchema,
    YearlyIncomeSchema,
)
from reports.statement import Statement, statement
from reports.target import YearlyIncome, yearly_income
from reports.trace_schemas import TraceSchema
from reports.trial_balance import TrialBalance
from reports.trial_balance import trial_balance as trial_balance_of

reports = Blueprint("reports", __name__, url_prefix="/api/v1/ledger", description="报表 · reports")
blueprints = [reports]

READERS = (FINANCE, AUDITOR, ADMIN)
LAG_DAYS = timedelta(days=366)

P = ParamSpec("P")
R = TypeVar("R")


@reports.get("/trial-balance")
@requires(*READERS)
@reports.arguments(AsOfSchema, location="query", unknown=None)
@reports.response(200, TrialBalanceSchema)
def trial_balance(wanted: dict[str, Any]) -> TrialBalance:
    """Every account's balance at the end of a day, as known now or at an instant."""
    return _read(trial_balance_of, wanted.get("as_of", _today()), *_scope(wanted))


@reports.get("/balance-sheet")
@requires(*READERS)
@reports.arguments(AsOfSchema, location="query", unknown=None)
@reports.response(200, BalanceSheetSchema)
def show_balance_sheet(wanted: dict[str, Any]) -> BalanceSheet:
    """What each book has and owes at the end of a day."""
    return _read(balance_sheet, wanted.get("as_of", _today()), *_scope(wanted))


@reports.get("/statement")
@requires(*READERS)
@reports.arguments(ActivityFilterSchema, location="query", unknown=None)
@reports.response(200, ActivityStatementSchema)
def show_statement(wanted: dict[str, Any]) -> Statement:
    """Income by source and expense by programme, by account and month."""
    return _read(statement, *_period(wanted), *_scope(wanted))


@reports.get("/cash-flow")
@requires(*READERS)
@reports.arguments(BookPeriodSchema, location="query", unknown=None)
@reports.response(200, CashFlowSchema)
def show_cash_flow(wanted: dict[str, Any]) -> CashFlow:
    """What came in and went out, by the account it came from or went to."""
    return _read(cash_flow, *_period(wanted), *_scope(wanted))


@reports.get("/income")
@requires(*READERS)
@reports.arguments(YearSchema, location="query", unknown=None)
@reports.response(200, YearlyIncomeSchema)
def show_income(wanted: dict[str, Any]) -> YearlyIncome:
    """Income by month, beside the year before and the yearly target."""
    year = wanted.get("year", _today().year)
    as_of, known = min(_today(), date(year, 12, 31)), Known(at=wanted.get("known_at"))
    return _read(yearly_income, year, as_of, wanted["book"], known)


@reports.get("/settlement-lag")
@requires(*READERS)
@reports.arguments(PeriodSchema, location="query", unknown=None)
@reports.response(200, SettlementLagSchema)
def show_settlement_lag(wanted: dict[str, Any]) -> SettlementLag:
    """How long charges, payments and other source rows waited for settlement, day by day."""
    since, until = _period(wanted)
    if until - since > LAG_DAYS:
        raise invalid("to", "must follow the first day within a year")
    return _read(settlement_lag, since, until)


@reports.get("/accounts/<string:account>")
@requires(*READERS)
@reports.arguments(AccountFilterSchema, location="query", unknown=None)
@reports.response(200, RunningSchema)
@reports.paginate()
def show_account(
    wanted: dict[str, Any], account: str, pagination_parameters: PaginationParameters
) -> Running:
    """The postings of an account, of one party if given, with the balance after each."""
    if db.session.get(Account, account) is None:
        raise not_found("account")
    return _running(Whose(account, wanted.get("party")), wanted, pagination_parameters)


@reports.get("/parties/<string:party>")
@requires(*READERS)
@reports.arguments(PartyFilterSchema, location="query", unknown=None)
@reports.response(200, RunningSchema)
@reports.paginate()
def show_party(
    wanted: dict[str, Any], party: str, pagination_parameters: PaginationParameters
) -> Running:
    """The postings of a party, in one account if given, with what it owed after each."""
    if db.session.get(Party, party) is None:
        raise not_found("party")
    return _running(Whose(wanted.get("account"), party), wanted, pagination_parameters)


@reports.get("/entries")
@requires(*READERS)
@reports.arguments(EntryFilterSchema, location="query", unknown=None)
@reports.response(200, EntrySchema(many=True))
@reports.paginate()
def list_entries(
    wanted: dict[str, Any], pagination_parameters: PaginationParameters
) -> list[BookedEntry]:
    """Journal entries in the order they were recorded."""
    query = cut(entries(EntryFilter(**wanted)), pagination_parameters)
    return with_postings(db.session(), db.session.execute(query))


@reports.get("/trace")
@requires(*READERS)
@reports.arguments(TraceFilterSchema, location="query", unknown=None)
@reports.response(200, TraceSchema)
def trace(wanted: dict[str, Any]) -> traces.Trace:
    """From an entry to what happened, from a charge, payment or stay to its entries and reports."""
    [(what, which)] = wanted.items()
    if what == "source":
        what, _, number = which.partition(":")
        which = int(number)
    return traces.trace(db.session(), what, which)


@reports.get("/export")
@requires(*READERS)
@reports.arguments(ExportFilterSchema, location="query", unknown=None)
@reports.response(200, {"type": "string", "format": "binary"}, content_type="*/*")
def export(wanted: dict[str, Any]) -> Response:
    """The journal of a period as csv, xlsx, or a text for Beancount or hledger.

    Sent as it is read. `X-Entries` tells beforehand how many entries there will be,
    `X-Chain-Heads` the head of each book's chain, `X-Unsettled` how many source rows wait.
    """
    until = wanted.get("until", _today())
    if wanted.get("since", until) > until:
        raise invalid("from", "lies after the last day")
    asked = exports.Wanted(wanted["form"], wanted.get("since"), until, wanted.get("book"))
    session = snapshot()
    try:
        begun = exports.export(session, asked)
    except BaseException:
        session.close()
        raise
    pieces = stream_with_context(begun.pieces)
    answer = Response(pieces, content_type=exports.MEDIA_TYPES[asked.form])
    answer.call_on_close(session.close)
    answer.headers |= {
        "Content-Disposition": f'attachment; filename="{asked.filename}"',
        "X-Entries": str(begun.entries),
        "X-Unsettled": str(begun.report.unsettled.count),
        "X-Chain-Heads": ", ".join(f"{day.book}={day.head.hex()}" for day in begun.report.heads),
    }
    return answer


def _read(report: Callable[Concatenate[Session, P], R], *args: P.args, **options: P.kwargs) -> R:
    """A report whose every figure is of the same instant."""
    with snapshot() as session:
        return report(session, *args, **options)


def _running(whose: Whose, wanted: dict[str, Any], page: PaginationParameters) -> Running:
    since, until = _period(wanted)
    found = _read(running, whose, since, until, offset=page.first_item, limit=page.page_size)
    page.item_count = found.count
    return found


def _scope(wanted: dict[str, Any]) -> tuple[str | None, Known]:
    return wanted.get("book"), Known(at=wanted.get("known_at"))


def _period(wanted: dict[str, Any]) -> tuple[date, date]:
    """The days asked for: by default to today, and from the first day of that year."""
    until = wanted.get("until", max(_today(), wanted.get("since", _today())))
    return wanted.get("since", until.replace(month=1, day=1)), until


def _today() -> date:
    return clock.now().astimezone(settings().zone).date()
