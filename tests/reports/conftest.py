"""The cast, who lived through three months, and how to ask for reports."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from identity.models import Person
from tests.cast import Community, found_community
from tests.ledger.till import Till
from tests.reports.months import NOVEMBER, live_through

Ask = Callable[..., TestResponse]
Report = Callable[..., Any]


@pytest.fixture
def lived(app: Flask, session: Session) -> Iterator[Community]:
    """The cast of the flows on 23 November, with three months behind them."""
    with clock.at(NOVEMBER):
        community = found_community(app)
        olga = session.scalars(select(Person.id).where(Person.username == "olga")).one()
        session.commit()
        till = Till(community.households["ana"], community.households["bo"], olga)
        live_through(session, till)
        yield community


@pytest.fixture
def get(lived: Community) -> Ask:
    """GET below /ledger as somebody; `since` stands for `from`."""

    def get(name: str, path: str, **query: Any) -> TestResponse:
        query = {"from" if key == "since" else key: value for key, value in query.items()}
        address = f"/api/v1/ledger/{path}"
        headers = lived.as_person(name)
        return lived.client.get(address, query_string=query or None, headers=headers, buffered=True)

    return get


@pytest.fixture
def report(get: Ask) -> Report:
    """A report as Fan, who keeps the books, reads it."""

    def report(path: str, **query: Any) -> Any:
        answer = get("fan", path, **query)
        assert answer.status_code == 200, answer.get_json()
        return answer.get_json()

    return report
