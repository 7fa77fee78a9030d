"""A parcel's notices for tests: queued, swept, and a channel that remembers what it was given."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import Statement, atomic, driver, send
from core.sealing import seal
from identity.channels import CHANNELS, Channel, Message
from identity.notices import cancelled, queued
from tests.cast import NOON, Community
from workers.tasks import send_out

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
CODE = "428913"
PHONE = "13812346620"
READY = "parcel-ready"
TEXT = "您的包裹已放入 1 号柜，取件码 {code}。"
DOUBLE = "double"
PARCEL = 7


@dataclass
class Recorder:
    """A channel that remembers; it refuses whom it was told to refuse."""

    refuses: dict[str | None, Exception] = field(default_factory=dict)
    heard: list[Message] = field(default_factory=list)
    tried: int = 0

    def send(self, message: Message) -> None:
        """Remember the message, or refuse it."""
        self.tried += 1
        if message.phone in self.refuses:
            raise self.refuses[message.phone]
        self.heard.append(message)

    @property
    def texts(self) -> list[str]:
        """What arrived, in order."""
        return [message.text for message in self.heard]


@contextmanager
def registered(channel: Channel, name: str = DOUBLE) -> Iterator[None]:
    """The channel is one of ours inside the block."""
    CHANNELS[name] = channel
    try:
        yield
    finally:
        del CHANNELS[name]


def write(*statements: Statement) -> None:
    """Carry statements out as a use case would."""

    def run(session: Session) -> None:
        send(driver(session), statements)

    atomic(run)


def queue(
    household_id: int | None,
    *,
    kind: str = READY,
    said: str = TEXT,
    code: str | None = CODE,
    at: datetime = NOON,
    due_at: datetime = NOON,
    channels: Sequence[str] = (DOUBLE,),
    about_id: int = PARCEL,
    **more: Any,
) -> None:
    """Queue a notice about a parcel, due at noon unless told otherwise."""
    write(
        queued(
            household_id,
            kind,
            said,
            secret=seal(settings().secret_key, code) if code else None,
            about="parcel",
            about_id=about_id,
            at=at,
            due_at=due_at,
            channels=channels,
            **more,
        )
    )


def cancel(about_id: int = PARCEL, **more: Any) -> None:
    """Take back what was not sent about a parcel."""
    write(cancelled("parcel", about_id, at=NOON, **more))


def sweep(at: datetime = NOON) -> int:
    """What the worker does when the clock shows this."""
    with clock.at(at):
        return send_out()


def texts(community: Community, name: str) -> list[str]:
    """What a person reads in the inbox, newest first."""
    answer = community.client.get("/api/v1/notices", headers=community.as_person(name))
    assert answer.status_code == 200, answer.get_json()
    return [notice["text"] for notice in answer.get_json()]


def rows(session: Session, sql: str) -> list[tuple[Any, ...]]:
    """What the database says now."""
    found = [tuple(row) for row in session.execute(text(sql))]
    session.rollback()
    return found
