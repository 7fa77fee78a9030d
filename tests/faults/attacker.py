"""Somebody who wishes the community ill: every route with a body, and a database fingerprint."""

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from tests.cast import NOON, RULES, Community
from tests.identity.neighbours import forget_rate_limits

SQL = "x'); DROP TABLE stay CASCADE; --"
PLATE = "川C33333"
BIG = 2**63
NO_INSTANT = ["2026-11-23T12:00:00", "1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "yesterday", 0]


@dataclass(frozen=True)
class Route:
    """A route that takes a body: who may call it, and a body it would take."""

    caller: str
    method: str
    path: str
    body: dict[str, Any]
    free: frozenset[str] = field(default=frozenset())
    """Fields that are anybody's words: SQL in them is text like any other."""


GATE = {
    "event_id": "hostile",
    "type": "gate.request",
    "occurred_at": NOON.isoformat(),
    "data": {"plate": PLATE, "plate_color": "blue", "confidence": 0.9, "replayed": False},
}
RULES_NOW = {name: getattr(RULES, name) for name in RULES.__slots__}
ROUTES = [
    Route("entry", "POST", "/api/v1/device-events", GATE, frozenset({"event_id"})),
    Route(
        "entry",
        "POST",
        "/api/v1/device-events",
        GATE | {"type": "device.heartbeat", "data": {"uptime": "9 d", "errors": [{"at": "x"}]}},
        frozenset({"event_id", "data"}),
    ),
    Route("", "POST", "/api/v1/auth/token", {"username": "nobody", "password": "x"}),
    Route("", "POST", "/api/v1/auth/refresh", {"refresh_token": "x"}),
    Route(
        "olga",
        "POST",
        "/api/v1/auth/password",
        {"old": "wrong", "new": "long enough, this"},
        frozenset({"old", "new"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/households",
        {"code": "9-1", "name": "n"},
        frozenset({"code", "name"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/people",
        {
            "username": "new",
            "password": "long enough, this",
            "role": "resident",
            "household": "1-101",
            "name": "n",
            "phone": "13800006620",
        },
        frozenset({"password", "name"}),
    ),
    Route(
        "ada",
        "PATCH",
        "/api/v1/people/3",
        {"name": "n", "phone": "13800006620", "role": "operator"},
        frozenset({"name"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/devices",
        {"id": "cam", "serial": "s", "kind": "camera", "lane": "entry", "display": "tts"},
        frozenset({"serial"}),
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/refunds",
        {"charge_id": 99, "amount_fen": 1, "method": "cash", "reason": "r"},
        frozenset({"reason"}),
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/disbursements/expenses",
        {
            "book": "fund",
            "programme": "510104",
            "amount_fen": 1,
            "restricted": False,
            "payee": "p",
            "memo": "m",
        },
        frozenset({"payee", "memo"}),
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/disbursements/99/evidence",
        {"filename": "f", "media_type": "application/pdf", "content": "JVBERi0="},
        frozenset({"filename"}),
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/disbursements/99/pay",
        {"method": "bank", "bank_reference": "B", "paid_at": "2026-11-23T12:00:00+08:00"},
        frozenset({"bank_reference"}),
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/disbursements/payouts",
        {"month": "2026-10", "minimum_fen": 10**9},
    ),
    Route("fan", "POST", "/api/v1/disbursements/deposits", {"book": "fund", "amount_fen": 10**9}),
    Route(
        "fan",
        "POST",
        "/api/v1/fund-receipts",
        {
            "kind": "business",
            "payer": "p",
            "household": "1-101",
            "amount_fen": 1,
            "programme": "510104",
            "in_return": "i",
            "memo": "m",
            "method": "bank",
            "bank_reference": "B",
            "voucher_kind": "invoice",
            "received_at": "2026-11-23T12:00:00+08:00",
        },
        frozenset({"payer", "in_return", "memo", "bank_reference"}),
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/vouchers",
        {
            "payment_id": 99,
            "kind": "invoice",
            "number": "F1",
            "seller_tax_id": "91510100MA6XXXXX0X",
            "amount_fen": 1,
            "issued_on": "2026-11-23",
        },
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/write-off-rules",
        {
            "valid_from": "2026-11-23",
            "older_than_days": 90,
            "at_most_fen": 1,
            "decided_by": "d",
        },
        frozenset({"decided_by"}),
    ),
    Route(
        "olga", "POST", "/api/v1/exceptions/1/resolve", {"reason": "seen"}, frozenset({"reason"})
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/lots",
        {"code": "B9", "name": "n", "kind": "car", "takes_walk_ins": True},
        frozenset({"name"}),
    ),
    Route("ada", "POST", "/api/v1/lots/B2/spaces", {"codes": ["B2-901"], "owner_household_id": 1}),
    Route(
        "ada",
        "POST",
        "/api/v1/lots/B2/lanes",
        {"code": "L9", "name": "n", "direction": "entry"},
        frozenset({"name"}),
    ),
    Route(
        "ada",
        "POST",
        "/api/v1/lots/B2/tariffs",
        {"valid_from": (NOON + timedelta(days=1)).isoformat(), "rules": RULES_NOW},
    ),
    Route(
        "olga",
        "POST",
        "/api/v1/vehicles",
        {"plate": "川C44444", "plate_color": "blue", "household_id": 1},
    ),
    Route(
        "olga",
        "POST",
        "/api/v1/permits",
        {
            "lot": "B2",
            "kind": "staff",
            "plate": "川C44444",
            "plate_color": "blue",
            "space": "B2-001",
            "starts_at": NOON.isoformat(),
            "ends_at": (NOON + timedelta(days=1)).isoformat(),
        },
    ),
    Route("olga", "PUT", "/api/v1/blocked-plates/川C44444", {"reason": "r"}, frozenset({"reason"})),
    Route("olga", "POST", "/api/v1/payments", {"stay_id": 1, "method": "cash"}),
    Route("olga", "POST", "/api/v1/payments", {"charge_id": 1, "method": "cash"}),
    Route("olga", "POST", "/api/v1/balance/top-ups", {"username": "ana", "amount_fen": 1}),
    Route(
        "fan",
        "POST",
        "/api/v1/ledger/split-rules",
        {
            "income": "parking",
            "ownership": "community",
            "shares": {"micro_fund": 1, "property": 1},
            "valid_from": "2026-12-01",
            "decided_by": "d",
            "lot": "B2",
            "cost_permille": 5,
            "vote": {"votes_for": 3, "votes_against": 0, "votes_abstained": 1},
        },
        frozenset({"decided_by"}),
    ),
    Route(
        "ava",
        "POST",
        "/api/v1/ledger/split-rules/what-if",
        {
            "month": "2026-11",
            "rules": [
                {"income": "parking", "ownership": "community", "shares": {"property": 1}},
            ],
        },
    ),
    Route(
        "fan",
        "POST",
        "/api/v1/ledger/set-aside/release",
        {"reason": "no-split-rule"},
        frozenset({"reason"}),
    ),
]

LISTS = {
    "/api/v1/stays": ("olga", ("plate", "status", "page", "page_size")),
    "/api/v1/exceptions": ("olga", ("resolved", "page")),
    "/api/v1/vehicles": ("olga", ("page",)),
    "/api/v1/permits": ("olga", ("page",)),
    "/api/v1/blocked-plates": ("olga", ("page",)),
    "/api/v1/people": ("olga", ("role", "household", "page")),
    "/api/v1/households": ("olga", ("page",)),
    "/api/v1/charges": ("olga", ("stay_id", "page")),
    "/api/v1/payments": ("olga", ("stay_id", "page")),
    "/api/v1/balance": ("olga", ("username",)),
    "/api/v1/spaces": ("olga", ("lot", "mine", "page")),
    "/api/v1/bookings": ("olga", ("status", "lot", "plate", "from", "to", "page")),
    "/api/v1/waitlist": ("olga", ("page",)),
    "/api/v1/ebikes": ("olga", ("page",)),
    "/api/v1/chargings": ("olga", ("stay_id", "page")),
    "/api/v1/lots/B2/draws": ("olga", ("page",)),
    "/api/v1/lots/B2/fairness": ("olga", ("month",)),
    "/api/v1/lots/B2/availability": ("olga", ("starts_at", "ends_at")),
    "/api/v1/calendar": ("olga", ("year",)),
    "/api/v1/ledger/trial-balance": ("ava", ("as_of",)),
    "/api/v1/ledger/entries": ("ava", ("from", "to", "account", "party", "source", "page")),
    "/api/v1/ledger/statement": ("ava", ("from", "to", "by", "book", "known_at")),
    "/api/v1/ledger/accounts/1121": ("ava", ("from", "to", "party", "page")),
    "/api/v1/ledger/trace": ("ava", ("entry", "stay", "source")),
    "/api/v1/ledger/export": ("ava", ("from", "to", "format")),
    "/api/v1/ledger/split-rules": ("ava", ("page",)),
    "/api/v1/ledger/receivables": ("ava", ("as_of", "by")),
    "/api/v1/disbursements": ("ava", ("kind", "status", "page")),
    "/api/v1/fund-receipts": ("ava", ("kind", "page")),
    "/api/v1/ledger/set-aside": ("ava", ("reason", "page")),
    "/api/v1/ledger/proofs": ("ava", ("page",)),
}

PATHS = [
    ("olga", "GET", "/api/v1/stays/{}"),
    ("ada", "PATCH", "/api/v1/people/{}"),
    ("olga", "POST", "/api/v1/exceptions/{}/resolve"),
    ("olga", "DELETE", "/api/v1/permits/{}"),
    ("olga", "DELETE", "/api/v1/blocked-plates/{}"),
    ("olga", "PUT", "/api/v1/blocked-plates/{}"),
    ("ada", "POST", "/api/v1/devices/{}/token"),
    ("ada", "GET", "/api/v1/lots/{}/tariffs"),
    ("ava", "GET", "/api/v1/owner-statements/{}"),
    ("ava", "GET", "/api/v1/fund-receipts/{}/receipt"),
    ("fan", "POST", "/api/v1/disbursements/{}/approve"),
    ("ada", "POST", "/api/v1/lots/{}/lanes"),
    ("fan", "POST", "/api/v1/ledger/set-aside/{}/1/release"),
    ("fan", "POST", "/api/v1/ledger/set-aside/charge/{}/release"),
    ("ava", "GET", "/api/v1/ledger/proofs/{}"),
    ("", "POST", "/d/{}/devicemanagement/php/plateresult.php"),
    ("", "POST", "/d/x/devicemanagement/php/{}.php"),
]


@dataclass
class Attacker:
    """Sends anything as anybody, and knows the state of the whole database."""

    community: Community
    session: Session
    numbers: Iterator[int] = field(default_factory=count)

    def send(
        self, caller: str, method: str, path: str, raw: bytes | None, content_type: str | None
    ) -> TestResponse:
        """One request at noon, with an Idempotency-Key of its own."""
        with clock.at(NOON):
            forget_rate_limits()
            headers = {"Idempotency-Key": f"hostile-{next(self.numbers)}"}
            if caller in self.community.tokens:
                headers |= self.community.as_device(caller)
            elif caller:
                headers |= self.community.as_person(caller)
            answer = self.community.client.open(
                path, method=method, data=raw, content_type=content_type, headers=headers
            )
        self.session.rollback()  # the context of the test outlives the request
        return answer

    def post(self, route: Route, body: Any) -> TestResponse:
        """A body, as JSON that keeps NaN, NULs and lone surrogates."""
        return self.send(
            route.caller, route.method, route.path, json.dumps(body).encode(), "application/json"
        )

    def fingerprint(self) -> dict[str, tuple[int, str]]:
        """Row count and checksum of every table."""
        tables = self.session.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
        ).all()
        parts = [
            f"SELECT '{name}', count(*), md5(coalesce(string_agg(t::text, ';' ORDER BY t::text),"
            f" '')) FROM \"{name}\" t"
            for name in tables
        ]
        rows = self.session.execute(text(" UNION ALL ".join(parts))).all()
        self.session.rollback()
        return {row[0]: (row[1], row[2]) for row in rows}

    def sign_everybody_in(self) -> None:
        """So that no sign-in of the cast changes anything later."""
        with clock.at(NOON):
            for name in ("ana", "olga", "fan", "ava", "ada"):
                self.community.as_person(name)


def put(body: dict[str, Any], path: tuple[Any, ...], value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(body)
    at: Any = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed
