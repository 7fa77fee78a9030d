"""The finance office: two people who speak HTTP to the app, and the sweeps between."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flask import Flask
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from core.app import settings
from core.db import atomic
from identity import people, sessions
from identity.models import ADMIN, FINANCE
from ledger.seals import close_days, seal_batch
from ledger.settlement import settle_batch

BOOKKEEPER, CHAIR = "bookkeeper", "chair"
PASSWORD = "simulated only"  # noqa: S105 - of people who live for an hour
BATCH = 500
OURS = {"REMOTE_ADDR": "192.0.2.7"}
"""Where the office speaks from: it has rate limits of its own."""


@dataclass(slots=True)
class Office:
    """Who keeps the books and who approves, at an hour of the day."""

    app: Flask
    now: datetime

    def open(self) -> None:
        """Hire both."""
        atomic(_hire)

    def ask(self, path: str, who: str = BOOKKEEPER, **query: str) -> Any:
        """What a report says."""
        return self._said(self._speak("GET", path, who, query_string=query)).get_json()

    def fetch(self, path: str, **query: str) -> bytes:
        """A file."""
        with self._said(self._speak("GET", path, BOOKKEEPER, query_string=query)) as answer:
            return answer.get_data()

    def do(self, path: str, body: Mapping[str, Any], who: str = BOOKKEEPER) -> Any:
        """Something that has to succeed."""
        return self._said(self._speak("POST", path, who, json=body)).get_json()

    def refused(self, path: str, body: Mapping[str, Any], who: str = BOOKKEEPER) -> Any:
        """Something that has to be refused: the problem."""
        answer = self._speak("POST", path, who, json=body)
        if answer.status_code < 400:
            raise RuntimeError(f"{path} was not refused: {answer.get_json()}")
        return answer.get_json()

    def sweep(self) -> None:
        """What the worker does: all that waits is posted, and sealed."""
        with clock.at(self.now):
            while atomic(settle_batch, BATCH):
                pass
            while atomic(seal_batch, clock.now()):
                pass
            atomic(close_days, clock.now())

    def _speak(self, method: str, path: str, who: str, **request: Any) -> TestResponse:
        with clock.at(self.now):
            pair = atomic(sessions.sign_in, settings().secret_key, who, PASSWORD)
            if pair is None:
                raise RuntimeError(f"{who} cannot sign in")
            headers = {
                "Authorization": f"Bearer {pair.access_token}",
                "Idempotency-Key": secrets.token_hex(8),
            }
            return self.app.test_client().open(
                f"/api/v1/{path}", method=method, headers=headers, environ_base=OURS, **request
            )

    @staticmethod
    def _said(answer: TestResponse) -> TestResponse:
        if answer.status_code >= 400:
            raise RuntimeError(f"{answer.request.path}: {answer.status_code} {answer.get_json()}")
        return answer


def _hire(session: Session) -> None:
    people.create_person(session, BOOKKEEPER, PASSWORD, FINANCE)
    people.create_person(session, CHAIR, PASSWORD, ADMIN)
