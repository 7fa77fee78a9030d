"""Routes of money: paying, balances, and the books."""

from collections.abc import Mapping
from typing import Any

from flask import Response
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.db import db
from core.errors import invalid, not_found
from core.idempotency import ONCE, once
from core.paging import page_of
from identity.auth import current, requires
from identity.models import ADMIN, AUDITOR, FINANCE, OPERATOR, RESIDENT, Person
from ledger import charges, payments, proof, seals, settling_api, split_api
from ledger.schemas import (
    AboutSchema,
    BalanceSchema,
    ChargeSchema,
    InclusionSchema,
    NewPaymentSchema,
    NewTopUpSchema,
    PaymentSchema,
    ProofSchema,
    TopUpSchema,
    WhoseBalanceSchema,
)
from ledger.source_models import Charge, Payment

money = Blueprint("money", __name__, url_prefix="/api/v1", description="缴费与余额 · paying")
books = Blueprint("ledger", __name__, url_prefix="/api/v1/ledger", description="账簿 · the books")
blueprints = [money, books, split_api.blueprint, settling_api.blueprint]

READERS = (FINANCE, AUDITOR, ADMIN)
EVERYONE = (RESIDENT, OPERATOR, *READERS)


@money.get("/charges")
@requires(*EVERYONE)
@money.arguments(AboutSchema, location="query", unknown=None)
@money.response(200, ChargeSchema(many=True))
@money.paginate()
def list_charges(
    about: dict[str, int], pagination_parameters: PaginationParameters
) -> list[Charge]:
    """Charges, newest first; residents see their household's."""
    return page_of(charges.charges(current().household_id, *_about(about)), pagination_parameters)


@money.get("/payments")
@requires(*EVERYONE)
@money.arguments(AboutSchema, location="query", unknown=None)
@money.response(200, PaymentSchema(many=True))
@money.paginate()
def list_payments(
    about: dict[str, int], pagination_parameters: PaginationParameters
) -> list[Payment]:
    """Payments, newest first; residents see their household's."""
    return page_of(payments.payments(current().household_id, *_about(about)), pagination_parameters)


@money.post("/payments")
@requires(RESIDENT, OPERATOR, ADMIN)
@money.doc(parameters=ONCE)
@money.arguments(NewPaymentSchema)
@money.response(201, PaymentSchema)
def pay(body: dict[str, Any]) -> Response:
    """Pay all that is due for a stay, a booking or a charge.

    By `wechat` the answer is an order, pending; its QR code or app call follows in seconds.
    """
    payer = current()

    def effect(session: Session) -> dict[str, Any]:
        (source, source_id), method = _source(session, body), body["method"]
        if method in payments.ORDERS:
            owed = payments.due_now(session, source, source_id, payer)
            asked = payments.ORDERS[method](session, owed, payer, body.get("openid"))
            return _json(PaymentSchema, asked) | {"status": "pending"}
        paid = payments.pay(session, source=source, source_id=source_id, method=method, payer=payer)
        return _json(PaymentSchema, paid)

    return once(f"person:{payer.id}", body, 201, effect)


@money.get("/balance")
@requires(*EVERYONE)
@money.arguments(WhoseBalanceSchema, location="query", unknown=None)
@money.response(200, BalanceSchema)
def show_balance(whose: dict[str, str]) -> dict[str, int]:
    """What one's household has left; staff name a resident."""
    household_id = current().household_id
    if household_id is None:
        if "username" not in whose:
            raise invalid("username", "staff have no balance; name a resident")
        household_id = _household_of(db.session(), whose["username"])
    elif whose.get("username", current().username) != current().username:
        raise not_found("resident")
    return {
        "household_id": household_id,
        "balance_fen": payments.balance_fen(db.session(), household_id),
    }


@money.post("/balance/top-ups")
@requires(OPERATOR, ADMIN)
@money.doc(parameters=ONCE)
@money.arguments(NewTopUpSchema)
@money.response(201, TopUpSchema)
def top_up(body: dict[str, Any]) -> Response:
    """Take a resident's cash into their household's balance."""
    taker = current().id

    def effect(session: Session) -> dict[str, Any]:
        household_id = _household_of(session, body["username"])
        taken = payments.top_up(
            session, household_id=household_id, amount_fen=body["amount_fen"], received_by=taker
        )
        left_fen = payments.balance_fen(session, household_id)
        answer = _json(TopUpSchema, taken)
        return answer | {"username": body["username"], "balance_fen": left_fen}

    return once(f"person:{taker}", body, 201, effect)


@books.get("/entries/<int:entry_id>/proof")
@requires(*READERS)
@books.response(200, InclusionSchema)
def prove_entry(entry_id: int) -> seals.Inclusion:
    """The steps from an entry to the head of its book; 404 until it is sealed."""
    found = seals.inclusion(db.session(), entry_id)
    if found is None:
        raise not_found("sealed entry")
    return found


@books.get("/verify")
@requires(*READERS)
@books.response(200, ProofSchema)
def verify() -> proof.Proof:
    """Recompute the books; every check names the first row that is wrong."""
    return proof.at_one_instant(proof.verify)


def _source(session: Session, about: Mapping[str, Any]) -> tuple[str, int]:
    """What is meant by stay_id, booking_id or charge_id; 404 for another household's charge."""
    for source in ("stay", "booking"):
        if f"{source}_id" in about:
            return source, about[f"{source}_id"]
    charge = session.get(Charge, about["charge_id"])
    if charge is None or current().household_id not in {None, charge.household_id}:
        raise not_found("charge")
    return charge.source, charge.source_id


def _about(about: Mapping[str, Any]) -> tuple[str, int] | tuple[()]:
    return _source(db.session(), about) if about else ()


def _household_of(session: Session, username: str) -> int:
    query = select(Person.household_id).where(Person.username == username.lower())
    household_id = session.scalar(query)
    if household_id is None:
        raise invalid("username", "there is no resident of this name")
    return household_id


def _json(schema: type[Any], row: Any) -> dict[str, Any]:
    said: dict[str, Any] = schema().dump(row)
    return said
