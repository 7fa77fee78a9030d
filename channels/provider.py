"""What every payment provider can do for us, and the words it answers in.

To add a provider, write one class with these methods and name it in `providers.configured`; when,
again, how often, and what the money becomes is not its business. Cash and balance need none of
this: they are instant, and `ledger.payments.pay` takes them in one transaction.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

State = Literal["unpaid", "paid", "closed", "failed"]
RefundState = Literal["processing", "succeeded", "failed"]


class ProviderError(Exception):
    """The provider did not do it, or we did not hear that it did; safe to store and log."""


class AlreadyPaidError(ProviderError):
    """The order was paid, so it can be neither placed nor closed any more."""


class RefusedNotificationError(Exception):
    """A notification that is not to be believed; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order to place; the same at every try, so that the provider knows it again."""

    out_trade_no: str
    trade_type: str
    amount_fen: int
    description: str
    expires_at: datetime
    openid: str | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class Placed:
    """What lets somebody pay: a QR code's text, or a number for the app that pays."""

    code_url: str | None = None
    prepay_id: str | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """An order as the provider has it; `amount_fen` as soon as it was paid."""

    out_trade_no: str
    state: State
    transaction_id: str | None = None
    amount_fen: int | None = None
    paid_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class RefundWanted:
    """Money to give back; the same at every try."""

    out_refund_no: str
    out_trade_no: str
    amount_fen: int
    of_fen: int
    reason: str


@dataclass(frozen=True, slots=True)
class RefundSeen:
    """A refund as the provider has it."""

    out_refund_no: str
    out_trade_no: str
    state: RefundState
    refund_id: str | None = None
    amount_fen: int | None = None
    succeeded_at: datetime | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


class Provider(Protocol):
    """A provider; every method but the last two is a call over the network, in no transaction."""

    def place(self, wanted: Wanted) -> Placed:
        """Ask it to collect; AlreadyPaidError, or ProviderError."""

    def query(self, out_trade_no: str) -> Seen | None:
        """The order as it is; None when the provider has none; ProviderError."""

    def close(self, out_trade_no: str) -> None:
        """Let nobody pay it any more; AlreadyPaidError, or ProviderError."""

    def refund(self, wanted: RefundWanted) -> RefundSeen:
        """Give money back; asked twice it gives back once. ProviderError."""

    def query_refund(self, out_refund_no: str) -> RefundSeen | None:
        """The refund as it is; None when the provider has none; ProviderError."""

    def read_notification(
        self, headers: Mapping[str, str], body: bytes, now: datetime
    ) -> Seen | RefundSeen:
        """What a notification says, once it is known to be genuine; RefusedNotificationError."""

    def invocation(self, prepay_id: str, now: datetime) -> dict[str, str]:
        """What the app that pays has to be called with."""
