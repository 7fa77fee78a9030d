"""WeChat Pay on 127.0.0.1: a server that really checks, signs and encrypts, and fails on demand."""

import base64
import json
import re
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from core.config import WeChatPay

NOON = datetime.fromisoformat("2026-11-23T12:00:00+08:00")
MCHID, APPID = "1900000109", "wx8888888888888888"
KEY_ID, APIV3_KEY = "PUB_KEY_ID_0119000001092026", "0123456789abcdef0123456789abcdef"
PLATFORM, MERCHANT, STRANGER = (generate_private_key(65537, 2048) for _ in range(3))
AUTHORIZATION = re.compile(
    r'WECHATPAY2-SHA256-RSA2048 mchid="(\d+)",nonce_str="(\w+)",signature="([^"]+)",'
    r'timestamp="(\d+)",serial_no="(\w+)"'
)


def private_pem(key: RSAPrivateKey) -> str:
    """PKCS#8, as merchants download it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem(key: RSAPrivateKey) -> str:
    """SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(key: RSAPrivateKey, *lines: str) -> str:
    """SHA256-RSA2048 over lines that each end in a line feed."""
    message = "".join(f"{line}\n" for line in lines).encode()
    return base64.b64encode(key.sign(message, PKCS1v15(), SHA256())).decode()


def signed(body: str, at: datetime, key: RSAPrivateKey = PLATFORM) -> dict[str, str]:
    """The headers under which WeChat says `body`."""
    stamp, nonce = str(int(at.timestamp())), "EdX8YxlnAR2Bv5Z0"
    return {
        "Wechatpay-Serial": KEY_ID,
        "Wechatpay-Timestamp": stamp,
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Signature": sign(key, stamp, nonce, body),
        "Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048",
    }


def notification(event: str, resource: Mapping[str, Any], apiv3_key: str = APIV3_KEY) -> str:
    """The body of a notification, its resource encrypted."""
    nonce, about = "fdasflkja484", event.split(".")[0].lower()
    sealed = AESGCM(apiv3_key.encode()).encrypt(
        nonce.encode(), json.dumps(resource).encode(), about.encode()
    )
    return json.dumps(
        {
            "id": "EV-2018022511223320873",
            "create_time": "2026-11-23T12:00:00+08:00",
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "支付成功",
            "resource": {
                "original_type": about,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": base64.b64encode(sealed).decode(),
                "associated_data": about,
                "nonce": nonce,
            },
        },
        ensure_ascii=False,
    )


@dataclass
class Tenpay:
    """What the provider knows, and how it shall misbehave."""

    url: str = ""
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    refunds: dict[str, dict[str, Any]] = field(default_factory=dict)
    fail_next: deque[str] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    key_id: str = KEY_ID
    refund_status: str = "PROCESSING"
    now: datetime = NOON
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    @property
    def merchant(self) -> WeChatPay:
        """Our side's settings."""
        return WeChatPay(
            mchid=MCHID,
            appid=APPID,
            cert_serial="444F4864EA9B34415",
            apiv3_key=APIV3_KEY,
            private_key=private_pem(MERCHANT),
            public_key=public_pem(PLATFORM),
            public_key_id=KEY_ID,
            api_url=self.url,
        )

    def pays(self, out_trade_no: str, at: datetime | None = None) -> dict[str, Any]:
        """Somebody scans the code and pays; the transaction."""
        order = self.orders[out_trade_no]
        if order["trade_state"] != "NOTPAY":
            raise ValueError(f"nobody can pay an order that is {order['trade_state']}")
        order |= {
            "trade_state": "SUCCESS",
            "transaction_id": f"4200{len(self.asked):06d}{out_trade_no[-8:]}",
            "success_time": (at or self.now).isoformat(timespec="seconds"),
            "payer": {"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"},
        }
        return order

    def gives_back(self, out_refund_no: str) -> dict[str, Any]:
        """A refund arrives; what its notification says of it."""
        refund = self.refunds[out_refund_no]
        refund |= {"status": "SUCCESS", "success_time": self.now.isoformat(timespec="seconds")}
        told = {name: refund[name] for name in refund if name != "status"}
        return told | {"mchid": MCHID, "refund_status": "SUCCESS"}

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """What the API says."""
        self.asked.append(f"{method} {path.split('?')[0]}")
        if path in ("/v3/pay/transactions/native", "/v3/pay/transactions/jsapi"):
            return self._place(path.rsplit("/", 1)[1], body)
        if found := re.fullmatch(r"/v3/pay/transactions/out-trade-no/(\w+)/close", path):
            return self._close(found[1])
        if found := re.fullmatch(r"/v3/pay/transactions/out-trade-no/(\w+)\?mchid=\d+", path):
            order = self.orders.get(found[1])
            return (200, order) if order else (404, {"code": "ORDER_NOT_EXIST"})
        if path == "/v3/refund/domestic/refunds":
            return self._refund(body)
        if found := re.fullmatch(r"/v3/refund/domestic/refunds/(\w+)", path):
            refund = self.refunds.get(found[1])
            return (200, refund) if refund else (404, {"code": "RESOURCE_NOT_EXISTS"})
        return 404, {"code": "NOT_FOUND"}

    def _place(self, kind: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        number = body["out_trade_no"]
        known = self.orders.setdefault(number, {"asked": body, "trade_state": "NOTPAY"} | body)
        if known["trade_state"] == "SUCCESS":
            return 400, {"code": "ORDERPAID", "message": "该订单已支付"}
        if known["asked"] != body:
            return 400, {"code": "OUT_TRADE_NO_USED", "message": "商户订单号重复"}
        if kind == "jsapi":
            return 200, {"prepay_id": f"wx2614{number[-8:]}"}
        return 200, {"code_url": f"weixin://wxpay/bizpayurl?pr={number[-8:]}"}

    def _close(self, number: str) -> tuple[int, dict[str, Any]]:
        order = self.orders.get(number)
        if order is None:
            return 404, {"code": "ORDER_NOT_EXIST"}
        if order["trade_state"] == "SUCCESS":
            return 400, {"code": "ORDERPAID", "message": "该订单已支付"}
        order["trade_state"] = "CLOSED"
        return 204, {}

    def _refund(self, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        order = self.orders[body["out_trade_no"]]
        if body["amount"]["total"] != order["amount"]["total"]:
            return 400, {"code": "PARAM_ERROR", "message": "订单金额不一致"}
        new = {
            "refund_id": f"50{body['out_refund_no'][-8:]}",
            "out_refund_no": body["out_refund_no"],
            "out_trade_no": body["out_trade_no"],
            "transaction_id": order["transaction_id"],
            "user_received_account": "招商银行信用卡0403",
            "status": self.refund_status,
            "success_time": self.now.isoformat(timespec="seconds"),
            "amount": body["amount"],
        }
        return 200, self.refunds.setdefault(body["out_refund_no"], new)


class Handler(BaseHTTPRequestHandler):
    """One request: authenticate the merchant, answer under the platform's signature."""

    tenpay: ClassVar[Tenpay]

    def do_GET(self) -> None:
        """A query."""
        self._serve("")

    def do_POST(self) -> None:
        """An order, a closing or a refund."""
        self._serve(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - http.server's name
        """Silence."""

    def _serve(self, body: str) -> None:
        tenpay = self.tenpay
        failure = tenpay.fail_next.popleft() if tenpay.fail_next else ""
        if failure == "503":
            tenpay.asked.append("failed")
            return self._say(503, {"code": "SYSTEM_ERROR", "message": "系统繁忙"})
        if not self._is_merchant(body):
            return self._say(401, {"code": "SIGN_ERROR", "message": "签名错误"})
        status, said = tenpay.answer(self.command, self.path, json.loads(body) if body else {})
        if failure == "silence":
            tenpay.reached.set()
            tenpay.go_on.wait()
        if failure in ("no-answer", "silence"):
            self.close_connection = True
            return None
        return self._say(status, said, STRANGER if failure == "forged" else PLATFORM)

    def _is_merchant(self, body: str) -> bool:
        found = AUTHORIZATION.fullmatch(self.headers["Authorization"])
        if found is None or found[1] != MCHID:
            return False
        lines = (self.command, self.path, found[4], found[2], body)
        message = "".join(f"{line}\n" for line in lines).encode()
        try:
            MERCHANT.public_key().verify(base64.b64decode(found[3]), message, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def _say(self, status: int, said: dict[str, Any], key: RSAPrivateKey = PLATFORM) -> None:
        text = json.dumps(said, ensure_ascii=False) if status != 204 else ""
        tenpay, serial = self.tenpay, {"Wechatpay-Serial": self.tenpay.key_id}
        self.send_response(status)
        for name, value in (signed(text, tenpay.now, key) | serial).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


@contextmanager
def provider() -> Iterator[Tenpay]:
    """The provider in a thread of its own, on a free port."""
    tenpay = Tenpay()
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"tenpay": tenpay}))
    tenpay.url = f"http://127.0.0.1:{http.server_address[1]}"
    thread = threading.Thread(target=http.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield tenpay
    finally:
        http.shutdown()
        thread.join()
        http.server_close()
