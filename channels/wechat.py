"""WeChat Pay v3 (直连商户) by its library: what it signs, asks, verifies and decrypts."""

import json
import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import requests
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from wechatpayv3 import WeChatPay as Library
from wechatpayv3 import WeChatPayType

from channels.provider import (
    AlreadyPaidError,
    Placed,
    ProviderError,
    RefundSeen,
    RefundState,
    RefundWanted,
    RefusedNotificationError,
    Seen,
    State,
    Wanted,
)
from core.config import WeChatPay

CHINA = ZoneInfo("Asia/Shanghai")
TIMEOUT_SECONDS = (3.05, 10)
SKEW = timedelta(minutes=5)
"""How old or early a notification may be: WeChat's own advice against replays."""

STATES: Mapping[str, State] = {
    "SUCCESS": "paid",
    "REFUND": "paid",
    "NOTPAY": "unpaid",
    "USERPAYING": "unpaid",
    "CLOSED": "closed",
    "REVOKED": "closed",
    "PAYERROR": "failed",
}
REFUND_STATES: Mapping[str, RefundState] = {
    "SUCCESS": "succeeded",
    "PROCESSING": "processing",
    "CLOSED": "failed",
    "ABNORMAL": "failed",
}
KEPT = (
    *("out_trade_no", "transaction_id", "trade_type", "trade_state", "success_time", "amount"),
    *("out_refund_no", "refund_id", "refund_status", "status", "create_time", "bank_type"),
)
"""What we keep of its answers: neither payer nor account."""

ORDER_PAID, NOT_FOUND = "ORDERPAID", {"ORDER_NOT_EXIST", "ORDERNOTEXIST", "RESOURCE_NOT_EXISTS"}
CLOSED_ALREADY = {"ORDER_CLOSED", "ORDERCLOSED"}
SIGNED_BY = tuple(
    f"Wechatpay-{name}" for name in ("Serial", "Timestamp", "Nonce", "Signature", "Signature-Type")
)
WELL_FORMED_TIMESTAMP = re.compile(r"[0-9]{1,12}\Z")


class WeChat:
    """The merchant's view of WeChat Pay."""

    def __init__(self, merchant: WeChatPay, notify_url: str) -> None:
        """Build the library's client; ValueError for keys that are none."""
        key, key_id = _platform_key(merchant)
        self._merchant, self._key_id = merchant, key_id
        try:
            self._library = Library(
                wechatpay_type=WeChatPayType.NATIVE,
                mchid=merchant.mchid,
                private_key=merchant.private_key,
                cert_serial_no=merchant.cert_serial,
                appid=merchant.appid,
                apiv3_key=merchant.apiv3_key,
                notify_url=notify_url,
                timeout=TIMEOUT_SECONDS,
                public_key=key,
                public_key_id=key_id,
            )
        except Exception as error:  # the library raises nothing more precise
            raise ValueError("WeChat Pay: a key cannot be read") from error
        self._library._core._gate_way = merchant.api_url  # noqa: SLF001 - no other way

    def place(self, wanted: Wanted) -> Placed:
        """Native (a QR code) or JSAPI (inside WeChat). The same number gives the same order."""
        status, said = self._ask(
            "pay",
            description=wanted.description,
            out_trade_no=wanted.out_trade_no,
            amount={"total": wanted.amount_fen, "currency": "CNY"},
            time_expire=wanted.expires_at.astimezone(CHINA).isoformat(timespec="seconds"),
            payer={"openid": wanted.openid} if wanted.openid else None,
            pay_type=WeChatPayType.JSAPI if wanted.openid else WeChatPayType.NATIVE,
        )
        _check(status, said)
        placed = Placed(said.get("code_url"), said.get("prepay_id"))
        if not (placed.code_url or placed.prepay_id):
            raise ProviderError("the answer has neither code_url nor prepay_id")
        return placed

    def query(self, out_trade_no: str) -> Seen | None:
        """The order by our number."""
        status, said = self._ask("query", out_trade_no=out_trade_no)
        if said.get("code") in NOT_FOUND:
            return None
        _check(status, said)
        return self._seen(said)

    def close(self, out_trade_no: str) -> None:
        """Close it; one that is closed already, or was never placed, is closed."""
        status, said = self._ask("close", out_trade_no=out_trade_no)
        if said.get("code") not in NOT_FOUND | CLOSED_ALREADY:
            _check(status, said)

    def refund(self, wanted: RefundWanted) -> RefundSeen:
        """Give back; WeChat knows a repeat by our number."""
        status, said = self._ask(
            "refund",
            out_refund_no=wanted.out_refund_no,
            out_trade_no=wanted.out_trade_no,
            amount={"refund": wanted.amount_fen, "total": wanted.of_fen, "currency": "CNY"},
            reason=wanted.reason,
        )
        _check(status, said)
        return _refund_seen(said, "status")

    def query_refund(self, out_refund_no: str) -> RefundSeen | None:
        """The refund by our number."""
        status, said = self._ask("query_refund", out_refund_no=out_refund_no)
        if said.get("code") in NOT_FOUND:
            return None
        _check(status, said)
        return _refund_seen(said, "status")

    def read_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Seen | RefundSeen:
        """Check key, age, signature and merchant, and decrypt.

        The key's name is checked before the library sees it: for a serial number that it does not
        know it would ask WeChat for certificates, so a stranger could make us call out.
        """
        if headers.get("Wechatpay-Serial") != self._key_id:
            raise RefusedNotificationError("unknown-key", "It was signed by a key we do not know.")
        stamp = headers.get("Wechatpay-Timestamp", "")
        if not WELL_FORMED_TIMESTAMP.match(stamp):
            raise RefusedNotificationError("bad-timestamp", "It does not say when it was signed.")
        if abs(now.timestamp() - int(stamp)) > SKEW.total_seconds():
            raise RefusedNotificationError("stale", "It was signed too long ago, or too early.")
        try:
            told = self._library.callback({n: headers.get(n, "") for n in SIGNED_BY}, body)
        except Exception as error:  # the library raises whatever it met
            raise RefusedNotificationError("unreadable", "It cannot be read.") from error
        if not told:
            raise RefusedNotificationError(
                "bad-signature", "Its signature or its seal does not fit."
            )
        resource = told["resource"]
        if not isinstance(resource, dict) or resource.get("mchid") != self._merchant.mchid:
            raise RefusedNotificationError("other-merchant", "It is for another merchant.")
        try:
            if str(told.get("event_type", "")).startswith("REFUND."):
                return _refund_seen(resource, "refund_status")
            if told.get("event_type") == "TRANSACTION.SUCCESS":
                return self._seen(resource)
        except ProviderError as error:
            raise RefusedNotificationError("unreadable", str(error)) from error
        raise RefusedNotificationError("unknown-event", "It tells of nothing we know.")

    def invocation(self, prepay_id: str, now: datetime) -> dict[str, str]:
        """The signed arguments of WeixinJSBridge's getBrandWCPayRequest."""
        said = {
            "appId": self._merchant.appid,
            "timeStamp": str(int(now.timestamp())),
            "nonceStr": secrets.token_hex(16),
            "package": f"prepay_id={prepay_id}",
        }
        signature: str = self._library.sign(list(said.values()))
        return said | {"signType": "RSA", "paySign": signature}

    def _ask(self, call: str, **arguments: Any) -> tuple[int, dict[str, Any]]:
        """Call the library; its answer's status and JSON. ProviderError without an answer."""
        try:
            status, text = getattr(self._library, call)(**arguments)
        except requests.RequestException as error:
            raise ProviderError(f"no answer: {type(error).__name__}") from error
        except Exception as error:
            raise ProviderError(f"not believed: {str(error)[:100]}") from error
        try:
            said = json.loads(text) if text else {}
        except ValueError as error:
            raise ProviderError(f"{status}: the answer is no JSON") from error
        return status, said if isinstance(said, dict) else {}

    def _seen(self, said: Mapping[str, Any]) -> Seen:
        """A transaction; ProviderError unless it is of our merchant and app, in yuan."""
        state = STATES.get(str(said.get("trade_state")))
        if state is None:
            raise ProviderError(f"unknown trade_state {str(said.get('trade_state'))[:32]}")
        if (said.get("mchid"), said.get("appid")) != (self._merchant.mchid, self._merchant.appid):
            raise ProviderError("the transaction is of another merchant or app")
        if state != "paid":
            return Seen(str(said.get("out_trade_no")), state, raw=_kept(said))
        return Seen(
            str(said.get("out_trade_no")),
            state,
            transaction_id=_text(said, "transaction_id"),
            amount_fen=_fen(said, "total"),
            paid_at=_instant(said, "success_time"),
            raw=_kept(said),
        )


def _platform_key(merchant: WeChatPay) -> tuple[str, str]:
    """The platform's public key and its id; a certificate's id is its serial number."""
    if "BEGIN CERTIFICATE" not in merchant.public_key:
        if not merchant.public_key_id:
            raise ValueError("WeChat Pay: WECHAT_PUBLIC_KEY_ID is missing")
        return merchant.public_key, merchant.public_key_id
    certificate = load_pem_x509_certificate(merchant.public_key.encode())
    key = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.decode(), f"{certificate.serial_number:X}"


def _check(status: int, said: Mapping[str, Any]) -> None:
    if 200 <= status < 300:
        return
    code = str(said.get("code", ""))[:64]
    if code == ORDER_PAID:
        raise AlreadyPaidError(code)
    raise ProviderError(f"{status} {code}: {str(said.get('message', ''))[:100]}")


def _refund_seen(said: Mapping[str, Any], status: str) -> RefundSeen:
    state = REFUND_STATES.get(str(said.get(status)))
    if state is None:
        raise ProviderError(f"unknown refund status {str(said.get(status))[:32]}")
    return RefundSeen(
        out_refund_no=_text(said, "out_refund_no"),
        out_trade_no=_text(said, "out_trade_no"),
        state=state,
        refund_id=_text(said, "refund_id"),
        amount_fen=_fen(said, "refund"),
        succeeded_at=_instant(said, "success_time") if state == "succeeded" else None,
        raw=_kept(said),
    )


def _text(said: Mapping[str, Any], name: str) -> str:
    found = said.get(name)
    if not isinstance(found, str) or not 0 < len(found) <= 64:
        raise ProviderError(f"{name} is missing")
    return found


def _fen(said: Mapping[str, Any], name: str) -> int:
    amount = said.get("amount")
    fen = amount.get(name) if isinstance(amount, dict) else None
    if type(fen) is not int or fen <= 0:
        raise ProviderError(f"amount.{name} is missing")
    if isinstance(amount, dict) and amount.get("currency", "CNY") != "CNY":
        raise ProviderError("the amount is not in yuan")
    return fen


def _instant(said: Mapping[str, Any], name: str) -> datetime:
    try:
        found = datetime.fromisoformat(str(said.get(name)))
    except ValueError as error:
        raise ProviderError(f"{name} is no instant") from error
    if found.tzinfo is None:
        raise ProviderError(f"{name} has no offset")
    return found


def _kept(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: said[name] for name in KEPT if name in said}
