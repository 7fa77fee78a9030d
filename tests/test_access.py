"""Who may call what: every route, really called by every kind of caller."""

import re
from collections.abc import Mapping

import pytest
from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.routing import Rule

from core.app import settings
from devices import registry
from identity import people, sessions
from identity.models import ADMIN, AUDITOR, COURIER, FINANCE, OPERATOR, RESIDENT, ROLES
from lockers import cabinets

ANONYMOUS, DEVICE, CABINET, GARBAGE = "anonymous", "device", "cabinet", "garbage"
CALLERS = (ANONYMOUS, GARBAGE, DEVICE, CABINET, *ROLES)

ANYONE = CALLERS
DEVICES = (DEVICE, CABINET)
CABINETS = (CABINET,)
ANY_ROLE = ROLES
PEOPLE = (RESIDENT, OPERATOR, FINANCE, AUDITOR, ADMIN)
DESK = (OPERATOR, ADMIN)
BOOKS = (FINANCE, AUDITOR, ADMIN)
ADMINS = (ADMIN,)

# One line per route: who may call it. Everybody else must be turned away with 401 or 403.
ACCESS: Mapping[str, tuple[str, ...]] = {
    "GET /healthz": ANYONE,
    "GET /readyz": ANYONE,
    "GET /metrics": ANYONE,
    "GET /api/openapi.json": ANYONE,
    "GET /api/docs/": ANYONE,
    "GET /api/docs/<path:path>": ANYONE,
    "POST /api/v1/auth/token": ANYONE,
    "POST /api/v1/auth/refresh": ANYONE,
    "POST /api/v1/auth/logout": ANY_ROLE,
    "POST /api/v1/auth/password": ANY_ROLE,
    "GET /api/v1/me": ANY_ROLE,
    "GET /api/v1/households": DESK,
    "POST /api/v1/households": ADMINS,
    "GET /api/v1/people": DESK,
    "POST /api/v1/people": ADMINS,
    "PATCH /api/v1/people/<int:person_id>": ADMINS,
    "GET /api/v1/notices": (RESIDENT,),
    "POST /api/v1/notices/<int:notice_id>/read": (RESIDENT,),
    "GET /api/v1/deliveries": DESK,
    "GET /api/v1/devices": DESK,
    "POST /api/v1/devices": ADMINS,
    "POST /api/v1/devices/<string:code>/token": ADMINS,
    "POST /api/v1/device-events": DEVICES,
    "POST /api/v1/device-events/batch": DEVICES,
    "POST /d/<token>/devicemanagement/php/<any:_path>.php": DEVICES,
    "GET /api/v1/exceptions": DESK,
    "POST /api/v1/exceptions/<int:case_id>/resolve": DESK,
    "GET /api/v1/courier-companies": (OPERATOR, *BOOKS),
    "POST /api/v1/courier-companies": ADMINS,
    "PATCH /api/v1/courier-companies/<string:code>": ADMINS,
    "POST /api/v1/courier-companies/<string:code>/top-ups": DESK,
    "GET /api/v1/courier-companies/<string:code>/rates": (OPERATOR, *BOOKS),
    "POST /api/v1/courier-companies/<string:code>/rates": (FINANCE, ADMIN),
    "GET /api/v1/courier-companies/<string:code>/statements/<string:month>": (COURIER, *BOOKS),
    "POST /api/v1/courier-companies/<string:code>/statements/<string:month>": (FINANCE, ADMIN),
    "GET /api/v1/deposit-rates": (OPERATOR, *BOOKS),
    "POST /api/v1/deposit-rates": (FINANCE, ADMIN),
    "GET /api/v1/couriers": DESK,
    "POST /api/v1/couriers": DESK,
    "PATCH /api/v1/couriers/<int:courier_id>": DESK,
    "GET /api/v1/site-contracts": BOOKS,
    "POST /api/v1/site-contracts": (FINANCE, ADMIN),
    "PATCH /api/v1/site-contracts/<int:contract_id>": (FINANCE, ADMIN),
    "GET /api/v1/site-contracts/<int:contract_id>/accruals": BOOKS,
    "GET /api/v1/cabinets": ANY_ROLE,
    "POST /api/v1/cabinets": ADMINS,
    "PATCH /api/v1/cabinets/<string:code>": DESK,
    "GET /api/v1/cabinets/<string:code>/compartments": DESK,
    "POST /api/v1/cabinets/<string:code>/compartments/<int:number>/state": DESK,
    "POST /api/v1/cabinets/<string:code>/compartments/<int:number>/correct": DESK,
    "GET /api/v1/cabinets/<string:code>/audit": DESK,
    "GET /api/v1/cabinets/<string:code>/audit.csv": DESK,
    "POST /api/v1/cabinets/<string:code>/audits": DESK,
    "POST /api/v1/cabinets/<string:code>/extend": DESK,
    "POST /api/v1/parcels/<int:parcel_id>/open-code": DESK,
    "POST /api/v1/parcels/<int:parcel_id>/remove": DESK,
    "POST /api/v1/parcels/<int:parcel_id>/returned": DESK,
    "POST /api/v1/parcels/<int:parcel_id>/except": DESK,
    "POST /api/v1/parcels/<int:parcel_id>/restore": DESK,
    "POST /api/v1/parcels/<int:parcel_id>/waive": DESK,
    "POST /api/v1/parcels/<int:parcel_id>/extend": DESK,
    "GET /api/v1/parcels/<int:parcel_id>/dispute": (RESIDENT, COURIER, AUDITOR, *DESK),
    "GET /api/v1/parcels/<int:parcel_id>/dispute.html": (RESIDENT, COURIER, AUDITOR, *DESK),
    "GET /api/v1/parcels": (RESIDENT, COURIER, *DESK),
    "GET /api/v1/parcels/<int:parcel_id>": (RESIDENT, COURIER, *DESK),
    "POST /api/v1/parcels/<int:parcel_id>/code": (RESIDENT, *DESK),
    "POST /api/v1/parcels/<int:parcel_id>/delegates": (RESIDENT,),
    "DELETE /api/v1/parcels/<int:parcel_id>/delegates/<int:code_id>": (RESIDENT,),
    "POST /api/v1/parcels/<int:parcel_id>/complaints": (RESIDENT,),
    "POST /api/v1/expected-parcels": (RESIDENT,),
    "GET /api/v1/reclaim-tasks": (COURIER, *DESK),
    "GET /api/v1/locker-preferences": (RESIDENT,),
    "PUT /api/v1/locker-preferences": (RESIDENT,),
    "GET /api/v1/locker-preferences/history": (RESIDENT,),
    "GET /api/v1/locker-vacations": (RESIDENT,),
    "POST /api/v1/locker-vacations": (RESIDENT,),
    "DELETE /api/v1/locker-vacations/<int:vacation_id>": (RESIDENT,),
    "GET /api/v1/locker-memberships": (RESIDENT, *DESK),
    "POST /api/v1/locker-memberships": DESK,
    "GET /api/v1/locker-terms": ANY_ROLE,
    "POST /api/v1/locker-terms": (FINANCE, ADMIN),
    "GET /api/v1/cabinets/signing-key": ANYONE,
    "PUT /api/v1/device/public-key": CABINETS,
    "GET /api/v1/device/offline-list": CABINETS,
    "GET /api/v1/lots": ANY_ROLE,
    "POST /api/v1/lots": ADMINS,
    "POST /api/v1/lots/<string:code>/lanes": ADMINS,
    "POST /api/v1/lots/<string:code>/spaces": ADMINS,
    "GET /api/v1/lots/<string:code>/availability": ANY_ROLE,
    "POST /api/v1/tariffs/<int:tariff_id>/what-if": BOOKS,
    "GET /api/v1/lots/<string:code>/draws": ANY_ROLE,
    "GET /api/v1/lots/<string:code>/fairness": ANY_ROLE,
    "GET /api/v1/waitlist": (RESIDENT, *DESK),
    "POST /api/v1/waitlist": (RESIDENT,),
    "DELETE /api/v1/waitlist/<int:entry_id>": (RESIDENT, *DESK),
    "PATCH /api/v1/lots/<string:code>/spaces": ADMINS,
    "GET /api/v1/lots/<string:code>/groups": ANY_ROLE,
    "POST /api/v1/lots/<string:code>/groups": ADMINS,
    "GET /api/v1/ebikes": (RESIDENT, *DESK),
    "POST /api/v1/ebikes": DESK,
    "DELETE /api/v1/ebikes/<int:vehicle_id>": DESK,
    "GET /api/v1/chargings": PEOPLE,
    "GET /api/v1/lots/<string:code>/tariffs": ANY_ROLE,
    "POST /api/v1/lots/<string:code>/tariffs": (FINANCE, ADMIN),
    "GET /api/v1/vehicles": (RESIDENT, *DESK),
    "POST /api/v1/vehicles": DESK,
    "GET /api/v1/permits": DESK,
    "POST /api/v1/permits": DESK,
    "DELETE /api/v1/permits/<int:permit_id>": DESK,
    "GET /api/v1/spaces": (RESIDENT, *DESK),
    "PATCH /api/v1/spaces/<string:code>": DESK,
    "GET /api/v1/spaces/<string:code>/sharing-windows": (RESIDENT, *DESK),
    "POST /api/v1/spaces/<string:code>/sharing-windows": (RESIDENT, *DESK),
    "PATCH /api/v1/spaces/<string:code>/sharing-windows/<int:window_id>": (RESIDENT, *DESK),
    "DELETE /api/v1/spaces/<string:code>/sharing-windows/<int:window_id>": (RESIDENT, *DESK),
    "GET /api/v1/calendar": ANY_ROLE,
    "PUT /api/v1/calendar/<string:day>": DESK,
    "DELETE /api/v1/calendar/<string:day>": DESK,
    "GET /api/v1/blocked-plates": DESK,
    "PUT /api/v1/blocked-plates/<string:plate>": DESK,
    "DELETE /api/v1/blocked-plates/<string:plate>": DESK,
    "GET /api/v1/plates/<string:read>/suggestions": DESK,
    "GET /api/v1/stays": PEOPLE,
    "POST /api/v1/stays/<int:stay_id>/close": DESK,
    "GET /api/v1/stays/<int:stay_id>": PEOPLE,
    "GET /api/v1/lots/<string:code>/booking-terms": ANY_ROLE,
    "POST /api/v1/lots/<string:code>/booking-terms": (FINANCE, ADMIN),
    "POST /api/v1/quotes": (RESIDENT, *DESK),
    "GET /api/v1/bookings": PEOPLE,
    "POST /api/v1/bookings": (RESIDENT, *DESK),
    "GET /api/v1/bookings/<int:booking_id>": PEOPLE,
    "PATCH /api/v1/bookings/<int:booking_id>": (RESIDENT, *DESK),
    "DELETE /api/v1/bookings/<int:booking_id>": (RESIDENT, *DESK),
    "GET /api/v1/charges": PEOPLE,
    "GET /api/v1/payments": PEOPLE,
    "POST /api/v1/payments": (RESIDENT, *DESK),
    "GET /api/v1/payment-orders": (RESIDENT, OPERATOR, *BOOKS),
    "POST /api/v1/payment-orders": (RESIDENT,),
    "GET /api/v1/payment-orders/<string:out_trade_no>": (RESIDENT, OPERATOR, *BOOKS),
    "POST /api/v1/channels/wechat/notify": ANYONE,
    "GET /api/v1/reconciliation": BOOKS,
    "POST /api/v1/reconciliation/imports": (FINANCE, ADMIN),
    "GET /api/v1/reconciliation/tasks": BOOKS,
    "POST /api/v1/reconciliation/tasks/<int:task_id>/resolve": (FINANCE, ADMIN),
    "GET /api/v1/balance": PEOPLE,
    "POST /api/v1/balance/top-ups": DESK,
    "GET /api/v1/credits": BOOKS,
    "POST /api/v1/credits": (OPERATOR, FINANCE, ADMIN),
    "GET /api/v1/refunds": (RESIDENT, OPERATOR, *BOOKS),
    "POST /api/v1/refunds": (OPERATOR, FINANCE, ADMIN),
    "GET /api/v1/ledger/receivables": BOOKS,
    "GET /api/v1/write-off-rules": BOOKS,
    "POST /api/v1/write-off-rules": (FINANCE, ADMIN),
    "GET /api/v1/write-offs": BOOKS,
    "POST /api/v1/write-offs": (FINANCE, ADMIN),
    "POST /api/v1/write-offs/<int:number>/<any:step>": (FINANCE, ADMIN),
    "GET /api/v1/disbursements": BOOKS,
    "GET /api/v1/disbursements/<int:number>": BOOKS,
    "POST /api/v1/disbursements/expenses": (FINANCE, ADMIN),
    "POST /api/v1/disbursements/payouts": (FINANCE, ADMIN),
    "POST /api/v1/disbursements/shares": (FINANCE, ADMIN),
    "POST /api/v1/disbursements/deposits": (FINANCE, ADMIN),
    "POST /api/v1/disbursements/<int:number>/approve": (FINANCE, ADMIN),
    "POST /api/v1/disbursements/<int:number>/reject": (FINANCE, ADMIN),
    "POST /api/v1/disbursements/<int:number>/pay": (FINANCE, ADMIN),
    "GET /api/v1/disbursements/<int:number>/evidence": BOOKS,
    "POST /api/v1/disbursements/<int:number>/evidence": (FINANCE, ADMIN),
    "GET /api/v1/disbursements/<int:number>/evidence/<int:evidence_id>": BOOKS,
    "GET /api/v1/owner-statements/<string:month>": (RESIDENT, *BOOKS),
    "GET /api/v1/owner-statements/<string:month>/<int:household_id>": (RESIDENT, *BOOKS),
    "GET /api/v1/fund-receipts": (RESIDENT, *BOOKS),
    "POST /api/v1/fund-receipts": (OPERATOR, FINANCE, ADMIN),
    "GET /api/v1/fund-receipts/<int:number>/receipt": (RESIDENT, *BOOKS),
    "GET /api/v1/vouchers": BOOKS,
    "POST /api/v1/vouchers": (FINANCE, ADMIN),
    "POST /api/v1/vouchers/<int:voucher_id>/red-letter": (FINANCE, ADMIN),
    "GET /api/v1/ledger/trial-balance": BOOKS,
    "GET /api/v1/ledger/balance-sheet": BOOKS,
    "GET /api/v1/ledger/statement": BOOKS,
    "GET /api/v1/ledger/cash-flow": BOOKS,
    "GET /api/v1/ledger/income": BOOKS,
    "GET /api/v1/ledger/settlement-lag": BOOKS,
    "GET /api/v1/ledger/accounts/<string:account>": BOOKS,
    "GET /api/v1/ledger/parties/<string:party>": BOOKS,
    "GET /api/v1/ledger/trace": BOOKS,
    "GET /api/v1/ledger/export": BOOKS,
    "GET /api/v1/ledger/entries": BOOKS,
    "GET /api/v1/ledger/entries/<int:entry_id>/proof": BOOKS,
    "GET /api/v1/ledger/verify": BOOKS,
    "GET /api/v1/ledger/periods": BOOKS,
    "GET /api/v1/ledger/periods/<string:month>": BOOKS,
    "GET /api/v1/ledger/periods/<string:month>/known": BOOKS,
    "POST /api/v1/ledger/periods/<string:month>/close": (FINANCE, ADMIN),
    "POST /api/v1/ledger/periods/<string:month>/approve": (FINANCE, ADMIN),
    "POST /api/v1/ledger/periods/<string:month>/withdraw": (FINANCE, ADMIN),
    "POST /api/v1/ledger/periods/<string:month>/reopen": (FINANCE, ADMIN),
    "POST /api/v1/ledger/periods/<string:month>/reopen/approve": (FINANCE, ADMIN),
    "POST /api/v1/ledger/periods/<string:month>/reopen/decline": (FINANCE, ADMIN),
    "POST /api/v1/ledger/entries/<int:entry_id>/reverse": (FINANCE, ADMIN),
    "GET /api/v1/ledger/corrections": BOOKS,
    "POST /api/v1/ledger/corrections/<int:note_id>/publish": (FINANCE, ADMIN),
    "GET /api/v1/publications": ANYONE,
    "GET /api/v1/publications/<string:month>": ANYONE,
    "GET /api/v1/publications/<string:month>/pack.zip": ANYONE,
    "GET /api/v1/publications/<string:month>/page": ANYONE,
    "GET /api/v1/fund": ANYONE,
    "GET /api/v1/receipts/<string:receipt>": ANYONE,
    "GET /api/v1/ledger/proofs": BOOKS,
    "GET /api/v1/ledger/proofs/<int:proof_id>": BOOKS,
    "GET /api/v1/ledger/set-aside": BOOKS,
    "POST /api/v1/ledger/set-aside/release": (FINANCE, ADMIN),
    "POST /api/v1/ledger/set-aside/<string:table>/<int:row_id>/release": (FINANCE, ADMIN),
    "GET /api/v1/ledger/split-rules": BOOKS,
    "POST /api/v1/ledger/split-rules": (FINANCE, ADMIN),
    "POST /api/v1/ledger/split-rules/what-if": BOOKS,
}

PLACE = re.compile(r"<(?:(?P<converter>\w+)(?:\((?P<options>[^)]*)\))?:)?(?P<name>\w+)>")
OF_NOTHING = {"int": "999999999", "uuid": "00000000-0000-0000-0000-000000000000"}


def routes(app: Flask) -> dict[str, Rule]:
    """Every (method, rule) of the app as the table writes it; HEAD is its GET."""
    return {
        f"{method} {re.sub(r'[(][^)]*[)]', '', rule.rule)}": rule
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
        if method != "OPTIONS" or not getattr(rule, "provide_automatic_options", False)
    }


def address(rule: str, token: str) -> str:
    """The rule's path with the ids of nothing, and the caller's token where one belongs."""

    def value(place: re.Match[str]) -> str:
        if place["name"] == "token":
            return token
        if place["converter"] == "any":
            return place["options"].split(",")[0]
        return OF_NOTHING.get(place["converter"] or "", "nothing")

    return PLACE.sub(value, rule)


@pytest.fixture
def tokens(session: Session) -> dict[str, str]:
    """A genuine token of every caller who has one."""
    home = people.create_household(session, "1-101")
    found = {GARBAGE: "garbage"}
    for role in ROLES:
        household = home if role == RESIDENT else None
        people.create_person(session, role, f"password of {role}", role, household=household)
        pair = sessions.sign_in(session, settings().secret_key, role, f"password of {role}")
        assert pair is not None
        found[role] = pair.access_token
    camera = registry.register(session, code="cam", serial="SN-1", kind="camera")
    cabinet = registry.register(session, code="cab", serial="SN-2", kind="cabinet")
    door = {"number": 1, "size": "S", "row": 1}
    cabinets.add_cabinet(session, cabinet.device, code="K1", name="K1", compartments=[door])
    session.commit()
    return found | {DEVICE: camera.token, CABINET: cabinet.token}


def test_every_route_has_a_line_and_every_line_a_route(app: Flask) -> None:
    found = set(routes(app))
    assert {"without a line": found - set(ACCESS), "without a route": set(ACCESS) - found} == {
        "without a line": set(),
        "without a route": set(),
    }


def test_every_line_names_callers_we_know() -> None:
    assert {caller for line in ACCESS.values() for caller in line} == set(CALLERS)


def test_the_guard_of_every_view_says_what_the_table_says(app: Flask) -> None:
    said, tabled = {}, {}
    for route, rule in routes(app).items():
        may = ACCESS.get(route, ())
        said[route] = set(getattr(app.view_functions[rule.endpoint], "access_roles", ()))
        tabled[route] = set() if ANONYMOUS in may else set(may) & set(ROLES)
    assert said == tabled


@pytest.mark.parametrize("route", ACCESS)
def test_only_those_who_may_get_through(app: Flask, tokens: dict[str, str], route: str) -> None:
    method, rule = route.split(" ")[0], routes(app)[route].rule
    answers = {}
    for caller in CALLERS:
        token = tokens.get(caller, "")
        answer = app.test_client().open(
            address(rule, token or "nobodys-token"),
            method=method,
            json={} if method in {"POST", "PUT", "PATCH"} else None,
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        answers[caller] = outcome(answer.status_code)
    assert answers == {caller: wanted(caller, ACCESS[route]) for caller in CALLERS}


def outcome(status: int) -> str:
    """What a status says about access."""
    if status >= 500:
        return f"crashed with {status}"
    return str(status) if status in {401, 403} else "let in"


def wanted(caller: str, may: tuple[str, ...]) -> str:
    """What should happen to a caller where these may: people are known at people's routes.

    Any device is known where only cabinets may.
    """
    if caller in may:
        return "let in"
    known = DEVICES if CABINET in may else ROLES if set(may) & set(ROLES) else ()
    return "403" if caller in known else "401"
