"""Routes of payment channels: orders, and what providers tell us."""

from typing import Any

from flask import Response, request
from flask_smorest import Blueprint
from flask_smorest.pagination import PaginationParameters
from sqlalchemy.orm import Session

from channels import bills, imports, orders, receipts, reconciliation, refunds
from channels.bank_bill import Columns
from channels.models import PaymentOrder, ReconciliationTask
from channels.provider import RefundSeen, RefusedNotificationError
from channels.providers import WECHAT, provider
from channels.schemas import (
    DaysSchema,
    ExplanationSchema,
    ImportSchema,
    NewImportSchema,
    NewOrderSchema,
    OrderFilterSchema,
    OrderSchema,
    PayableOrderSchema,
    SideBySideSchema,
    TaskFilterSchema,
    TaskSchema,
    ThanksSchema,
)
from core import clock
from core.app import settings
from core.db import atomic, db
from core.errors import Problem, invalid
from core.idempotency import ONCE, once
from core.paging import page_of
from identity.auth import current, requires
from identity.models import ADMIN, AUDITOR, FINANCE, OPERATOR, RESIDENT

money = Blueprint(
    "channels", __name__, url_prefix="/api/v1", description="支付渠道 · payment channels"
)
matching = Blueprint(
    "reconciliation", __name__, url_prefix="/api/v1/reconciliation", description="对账"
)
blueprints = [money, matching]

READERS = (FINANCE, AUDITOR, ADMIN)
EVERYONE = (RESIDENT, OPERATOR, *READERS)
IMPORTED = ["id", "channel", "filename", "sha256", "covers_from", "covers_to", "lines", "new_lines"]
STATUSES = {"unknown-order": 404, "unknown-refund": 404, "amount-differs": 409}


@money.get("/payment-orders")
@requires(*EVERYONE)
@money.arguments(OrderFilterSchema, location="query", unknown=None)
@money.response(200, OrderSchema(many=True))
@money.paginate()
def list_orders(
    wanted: dict[str, str], pagination_parameters: PaginationParameters
) -> list[PaymentOrder]:
    """Orders, newest first; residents see their household's."""
    return page_of(orders.orders(current().household_id, **wanted), pagination_parameters)


@money.post("/payment-orders")
@requires(RESIDENT)
@money.doc(parameters=ONCE)
@money.arguments(NewOrderSchema)
@money.response(201, OrderSchema)
def order_top_up(body: dict[str, Any]) -> Response:
    """Fill the household's balance through WeChat; its QR code follows in seconds."""
    payer = current()

    def effect(session: Session) -> dict[str, Any]:
        if payer.household_id is None:
            raise Problem(409, "no-household", "Only a household has a balance.")
        asked = orders.ask_top_up(
            session, payer.household_id, body["amount_fen"], payer, body.get("openid")
        )
        said: dict[str, Any] = OrderSchema().dump(asked)
        return said

    return once(f"person:{payer.id}", body, 201, effect)


@money.get("/payment-orders/<string:out_trade_no>")
@requires(*EVERYONE)
@money.response(200, PayableOrderSchema)
def show_order(out_trade_no: str) -> dict[str, Any]:
    """One order, with its QR code or the arguments of the app that pays."""
    found = orders.order(db.session(), out_trade_no, current().household_id)
    said: dict[str, Any] = OrderSchema().dump(found)
    invocation = None
    if found.prepay_id and found.status == "pending":
        invocation = provider(settings(), found.provider).invocation(found.prepay_id, clock.now())
    return {name: getattr(found, name) for name in said} | {"invocation": invocation}


@money.post("/channels/wechat/notify")
@money.response(200, ThanksSchema)
def wechat_tells() -> dict[str, str]:
    """WeChat tells of a payment or refund; its signature is its login, and repeats do no harm."""
    now = clock.now()
    try:
        told = provider(settings(), WECHAT).read_notification(
            dict(request.headers), request.get_data(cache=True), now
        )
        if isinstance(told, RefundSeen):
            atomic(refunds.seen, WECHAT, told, now)
        else:
            atomic(receipts.received, WECHAT, told, now)
    except RefusedNotificationError as error:
        status = STATUSES.get(error.code, 400)
        raise Problem(status, error.code, error.detail) from error
    return {"code": "SUCCESS", "message": "成功"}


@matching.get("")
@requires(*READERS)
@matching.arguments(DaysSchema, location="query", unknown=None)
@matching.response(200, SideBySideSchema(many=True))
def side_by_side(days: dict[str, Any]) -> list[dict[str, Any]]:
    """What we say and what bills say, by day and channel."""
    return reconciliation.summary(db.session(), **days)


@matching.post("/imports")
@requires(FINANCE, ADMIN)
@matching.arguments(NewImportSchema)
@matching.response(201, ImportSchema)
def import_bill(body: dict[str, Any]) -> dict[str, Any]:
    """Take in a bill of WeChat, Alipay or a bank; the same file again changes nothing."""
    importer = current().id
    try:
        file = bills.content(body["content"])
    except bills.BillError as error:
        raise invalid("content", str(error)) from error
    bill = imports.parsed(body["kind"], file, Columns(**body.get("columns", {})))
    covers = (body["since"], body["until"]) if "since" in body else None

    def effect(session: Session) -> dict[str, Any]:
        taken = imports.take_in(
            session,
            kind=body["kind"],
            bill=bill,
            file=file,
            filename=body["filename"],
            covers=covers,
            imported_by=importer,
        )
        open_now = reconciliation.lay_side_by_side(session, clock.now())
        said = {name: getattr(taken, name) for name in IMPORTED}
        return said | {"open_differences": open_now}

    return atomic(effect)


@matching.get("/tasks")
@requires(*READERS)
@matching.arguments(TaskFilterSchema, location="query", unknown=None)
@matching.response(200, TaskSchema(many=True))
@matching.paginate()
def list_tasks(
    wanted: dict[str, Any], pagination_parameters: PaginationParameters
) -> list[ReconciliationTask]:
    """Differences, the oldest day first."""
    query = reconciliation.tasks(reconciliation.TaskFilter(**wanted))
    return page_of(query, pagination_parameters)


@matching.post("/tasks/<int:task_id>/resolve")
@requires(FINANCE, ADMIN)
@matching.arguments(ExplanationSchema)
@matching.response(200, TaskSchema)
def resolve_task(body: dict[str, str], task_id: int) -> ReconciliationTask:
    """Explain a difference."""
    return atomic(reconciliation.resolve, task_id, body["reason"], current().id)
