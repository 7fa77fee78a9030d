"""May this parcel go into a locker? The recipient says, before any door opens. Pure.

智能快件箱寄递服务管理办法 (2019) and 快递市场管理办法 (2023): no deposit without the recipient's
consent; whoever refuses is delivered to at the door. Fresh goods and valuables: always ask.
"""

from dataclasses import dataclass
from typing import Literal

OK, WHEN_ABSENT, NEVER = "ok", "when-absent", "never"
CHOICES = (OK, WHEN_ABSENT, NEVER)

DESK = "desk"
"""What a deposit rests on whose recipient was told by the desk only: nobody had asked before."""

Answer = Literal["yes", "no", "ask"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is known when a courier asks.

    `choice` is the resident's standing preference, None when there is none. `this_parcel` is what
    the recipient said of this very parcel beforehand. `agreed` says that the courier has reached
    the recipient, who agreed; `absent` that nobody opened the door.
    """

    known: bool
    choice: str | None
    this_parcel: bool | None
    agreed: bool
    absent: bool
    delicate: bool
    unknown_may_be_asked: bool


@dataclass(frozen=True, slots=True)
class Consent:
    """The answer, its reason as a slug, and what it rests on when it is yes."""

    answer: Answer
    reason: str
    basis: str | None = None


def of(asked: Asked) -> Consent:
    """Whether the door may open; `ask` means: reach the recipient first."""
    if asked.this_parcel is not None:
        return _yes("this-parcel") if asked.this_parcel else _no("consent-refused")
    if asked.choice == NEVER:
        return _no("consent-refused")
    if not asked.known and not asked.unknown_may_be_asked:
        return _no("recipient-unknown")
    if asked.agreed:
        return _yes("asked")
    if asked.delicate or not asked.known or asked.choice is None:
        return Consent("ask", "consent-needed")
    if asked.choice == WHEN_ABSENT and not asked.absent:
        return _no("only-when-absent")
    return _yes("preference")


def _yes(basis: str) -> Consent:
    return Consent("yes", "deposit", basis)


def _no(reason: str) -> Consent:
    return Consent("no", reason)
