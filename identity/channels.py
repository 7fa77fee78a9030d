"""The ways a notice can go to people.

To add a provider, write one class with a `send` and put an instance into CHANNELS under its name;
everything else (when, again, how often, never twice at once) is the queue's.
"""

from dataclasses import dataclass, field
from typing import Protocol

import structlog

INBOX, CONSOLE = "inbox", "console"
"""The inbox is no Channel: nothing leaves the database, so it is shown in one transaction."""

log = structlog.get_logger()


class ChannelError(Exception):
    """The provider did not take the message; the text says why, for operators."""


@dataclass(frozen=True, slots=True)
class Message:
    """A notice as its reader gets it. Its repr has neither the code nor the phone."""

    delivery_id: int
    kind: str
    text_masked: str
    text: str = field(repr=False)
    code: str | None = field(repr=False)
    phone: str | None = field(repr=False)


class Channel(Protocol):
    """Takes one message to its reader."""

    def send(self, message: Message) -> None:
        """Hand the message over, within 10 seconds; ChannelError if the provider refuses it.

        The same delivery may come again when we did not hear the answer: give the provider
        `message.delivery_id` as its idempotency key. It runs outside of any transaction.
        """


class Console:
    """Into the log of the worker, without the code and the middle of the phone."""

    def send(self, message: Message) -> None:
        """Write the line."""
        log.info(
            "notice",
            delivery=message.delivery_id,
            kind=message.kind,
            phone=masked_phone(message.phone),
            text=message.text_masked,
        )


CHANNELS: dict[str, Channel] = {CONSOLE: Console()}


def masked_phone(phone: str | None) -> str | None:
    """A phone without its middle, whatever its shape."""
    return phone and f"{phone[:3]}****{phone[-4:]}"
