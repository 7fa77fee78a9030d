"""Routes: courier companies with their rates and statements, couriers, site contracts."""

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from flask import Response, jsonify
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import Select
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import atomic, db
from core.errors import not_found
from core.idempotency import ONCE, once
from core.paging import cut
from couriers import companies, contracts, couriers, rates, statements
from couriers.models import Accrual, CourierCompany, CourierStatement, DepositRate
from couriers.schemas import (
    AccrualSchema,
    CompanyPatchSchema,
    CompanySchema,
    CompanyTopUpSchema,
    ContractEndSchema,
    ContractFilterSchema,
    ContractSchema,
    CourierFilterSchema,
    CourierPatchSchema,
    CourierSchema,
    MaskedCourierSchema,
    NewCompanySchema,
    NewCourierSchema,
    NewStatementSchema,
    RateSchema,
    StatementSchema,
    TheirStatementSchema,
)
from couriers.statements import SizeSaid
from identity.auth import current, requires
from identity.models import ADMIN, AUDITOR, COURIER, FINANCE, OPERATOR
from ledger.payments import company_balance_fen

parties = Blueprint(
    "courier-companies", __name__, url_prefix="/api/v1", description="快递公司 · courier companies"
)
people = Blueprint("couriers", __name__, url_prefix="/api/v1", description="快递员 · couriers")
sites = Blueprint(
    "site-contracts", __name__, url_prefix="/api/v1", description="场地合同 · site contracts"
)
blueprints = [parties, people, sites]

DESK = (OPERATOR, ADMIN)
BOOKS = (FINANCE, AUDITOR, ADMIN)
MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


@parties.get("/courier-companies")
@requires(OPERATOR, *BOOKS)
@parties.response(200, CompanySchema(many=True))
@parties.paginate()
def list_companies(pagination_parameters: PaginationParameters) -> Sequence[Any]:
    """Every courier company, what it has prepaid and what it owes."""
    return _rows(companies.companies(), pagination_parameters)


@parties.post("/courier-companies")
@requires(ADMIN)
@parties.arguments(NewCompanySchema)
@parties.response(201, CompanySchema)
def create_company(body: dict[str, Any]) -> Any:
    """A new courier company."""
    return _shown(atomic(companies.create, **body).code)


@parties.patch("/courier-companies/<string:code>")
@requires(ADMIN)
@parties.arguments(CompanyPatchSchema)
@parties.response(200, CompanySchema)
def update_company(body: dict[str, Any], code: str) -> Any:
    """Change a company: its name, its credit, whether it may deposit."""
    return _shown(atomic(companies.update, code, body).code)


@parties.post("/courier-companies/<string:code>/top-ups")
@requires(*DESK)
@parties.doc(parameters=ONCE)
@parties.arguments(CompanyTopUpSchema)
@parties.response(201, CompanyTopUpSchema)
def top_up(body: dict[str, Any], code: str) -> Response:
    """Take a company's cash into its prepaid balance."""
    taker = current().id

    def effect(session: Session) -> dict[str, Any]:
        company = companies.by_code(session, code)
        taken = companies.top_up(session, company, received_by=taker, **body)
        said: dict[str, Any] = CompanyTopUpSchema().dump(taken)
        left_fen = company_balance_fen(session, company.party)
        return said | {"company": code, "balance_fen": left_fen}

    return once(f"person:{taker}", body, 201, effect)


@parties.get("/courier-companies/<string:code>/rates")
@requires(OPERATOR, *BOOKS)
@parties.response(200, RateSchema(many=True))
@parties.paginate()
def list_rates(code: str, pagination_parameters: PaginationParameters) -> list[DepositRate]:
    """What deposits cost the company: its own rates and everybody's, newest first."""
    company = companies.by_code(db.session(), code)
    return _page(rates.rates(company), pagination_parameters)


@parties.post("/courier-companies/<string:code>/rates")
@requires(FINANCE, ADMIN)
@parties.arguments(RateSchema)
@parties.response(201, RateSchema)
def add_rate(body: dict[str, Any], code: str) -> DepositRate:
    """What a deposit costs the company from a day on."""
    return atomic(lambda session: _add_rate(session, companies.by_code(session, code), body))


@parties.get("/deposit-rates")
@requires(OPERATOR, *BOOKS)
@parties.response(200, RateSchema(many=True))
@parties.paginate()
def list_default_rates(pagination_parameters: PaginationParameters) -> list[DepositRate]:
    """What deposits cost companies without rates of their own, newest first."""
    return _page(rates.rates(), pagination_parameters)


@parties.post("/deposit-rates")
@requires(FINANCE, ADMIN)
@parties.arguments(RateSchema)
@parties.response(201, RateSchema)
def add_default_rate(body: dict[str, Any]) -> DepositRate:
    """What a deposit costs companies without rates of their own, from a day on."""
    return atomic(_add_rate, None, body)


@parties.get("/courier-companies/<string:code>/statements/<string:month>")
@requires(COURIER, *BOOKS)
@parties.response(200, StatementSchema)
def show_statement(code: str, month: str) -> dict[str, Any]:
    """A company's month (as 2026-11); couriers see their own company's."""
    session = db.session()
    if current().role == COURIER and not _deposits_for(session, code):
        raise not_found("company")
    company = companies.by_code(session, code)
    return statements.statement(session, company, _month(month), settings().zone)


@parties.post("/courier-companies/<string:code>/statements/<string:month>")
@requires(FINANCE, ADMIN)
@parties.arguments(NewStatementSchema)
@parties.response(201, TheirStatementSchema)
def import_statement(body: dict[str, Any], code: str, month: str) -> CourierStatement:
    """Lay a company's own statement of a month beside what was counted here, and keep it."""
    if "csv" in body:
        said = statements.read_csv(body["csv"])
    else:
        said = [SizeSaid(**row) for row in body["rows"]]
    first, zone, keeper = _month(month), settings().zone, current().id
    return atomic(
        lambda session: statements.compare(
            session,
            companies.by_code(session, code),
            first,
            said,
            recorded_by=keeper,
            zone=zone,
        )
    )


@people.get("/couriers")
@requires(*DESK)
@people.arguments(CourierFilterSchema, location="query")
@people.response(200, CourierSchema(many=True))
@people.paginate()
def list_couriers(wanted: dict[str, Any], pagination_parameters: PaginationParameters) -> Response:
    """Couriers by their code; operators see phones masked."""
    found = _page(couriers.couriers(**wanted), pagination_parameters)
    return jsonify(_courier_schema()(many=True).dump(found))


@people.post("/couriers")
@requires(*DESK)
@people.arguments(NewCourierSchema)
@people.response(201, CourierSchema)
def register_courier(body: dict[str, Any]) -> Response:
    """A courier whom no cabinet has named yet."""
    answer = jsonify(_courier_schema()().dump(atomic(couriers.register, body)))
    answer.status_code = 201
    return answer


@people.patch("/couriers/<int:courier_id>")
@requires(*DESK)
@people.arguments(CourierPatchSchema)
@people.response(200, CourierSchema)
def update_courier(body: dict[str, Any], courier_id: int) -> Response:
    """Say who a courier is: name, phone, company, as whom they sign in, whether active."""
    return jsonify(_courier_schema()().dump(atomic(couriers.update, courier_id, body)))


@sites.get("/site-contracts")
@requires(*BOOKS)
@sites.arguments(ContractFilterSchema, location="query")
@sites.response(200, ContractSchema(many=True))
@sites.paginate()
def list_contracts(
    wanted: dict[str, Any], pagination_parameters: PaginationParameters
) -> Sequence[Any]:
    """What companies pay for being here, newest first."""
    return _rows(contracts.contracts(**wanted), pagination_parameters)


@sites.post("/site-contracts")
@requires(FINANCE, ADMIN)
@sites.arguments(ContractSchema)
@sites.response(201, ContractSchema)
def add_contract(body: dict[str, Any]) -> Any:
    """A new contract; it is never changed, only ended."""
    return _contract(atomic(contracts.add, **body).id)


@sites.patch("/site-contracts/<int:contract_id>")
@requires(FINANCE, ADMIN)
@sites.arguments(ContractEndSchema)
@sites.response(200, ContractSchema)
def end_contract(body: dict[str, date], contract_id: int) -> Any:
    """Say which day is the contract's last; 409 `already-accrued` when that is too late."""
    return _contract(atomic(contracts.end, contract_id, **body).id)


@sites.get("/site-contracts/<int:contract_id>/accruals")
@requires(*BOOKS)
@sites.response(200, AccrualSchema(many=True))
@sites.paginate()
def list_accruals(contract_id: int, pagination_parameters: PaginationParameters) -> list[Accrual]:
    """What a contract earned by month, newest first, explained."""
    return _page(contracts.accruals(db.session(), contract_id), pagination_parameters)


def _month(said: str) -> date:
    """The first day of a month written 2026-11; Problem 404 for anything else."""
    if not MONTH.fullmatch(said):
        raise not_found("month")
    return date.fromisoformat(f"{said}-01")


def _deposits_for(session: Session, code: str) -> bool:
    """Whether who is calling is an active courier of that company."""
    courier = couriers.who_signed_in(session, current().id)
    return courier is not None and courier.company is not None and courier.company.code == code


def _add_rate(
    session: Session, company: CourierCompany | None, body: dict[str, Any]
) -> DepositRate:
    today = clock.now().astimezone(settings().zone).date()
    return rates.add(session, company, **{"valid_from": today, **body}, today=today)


def _courier_schema() -> type[CourierSchema]:
    return CourierSchema if current().role == ADMIN else MaskedCourierSchema


def _shown(code: str) -> Any:
    return db.session.execute(companies.companies(code)).one()


def _contract(contract_id: int) -> Any:
    return db.session.execute(contracts.contracts(contract_id=contract_id)).mappings().one()


def _page(query: Select[Any], page: PaginationParameters) -> list[Any]:
    return list(db.session.scalars(cut(query, page)))


def _rows(query: Select[*tuple[Any, ...]], page: PaginationParameters) -> Sequence[Any]:
    return db.session.execute(cut(query, page)).all()
