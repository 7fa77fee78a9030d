"""A receipt's link: a token that names a payment, and that only this installation can make."""

import base64
import hmac
import re

from core.sealing import keyed_digest

MAC_BYTES = 16
TOKEN = re.compile(r"([1-9][0-9]{0,18})-([A-Za-z0-9_-]{22})\Z", re.ASCII)


def token_of(secret_key: str, payment_id: int) -> str:
    """The payment's number, which its receipt says anyway, and 128 bits that cannot be guessed."""
    mac = keyed_digest(secret_key, "receipt", str(payment_id))[:MAC_BYTES]
    return f"{payment_id}-{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def payment_of(secret_key: str, token: str) -> int | None:
    """The payment that a token of ours names; None for any other text."""
    found = TOKEN.match(token)
    if found is None:
        return None
    payment_id = int(found[1])
    genuine = hmac.compare_digest(token_of(secret_key, payment_id), token)
    return payment_id if genuine else None


def receipt_url(secret_key: str, base_url: str, payment_id: int) -> str:
    """What the QR code on a receipt says."""
    return f"{base_url}/api/v1/receipts/{token_of(secret_key, payment_id)}"
