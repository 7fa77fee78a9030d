"""Many want the same space at the same instant; everybody gets one or is told no."""

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from core import clock
from tests.cast import NOON, Community, found_community
from tests.races.crowd import at_once
from tests.sharing.booker import DOUBLE, VISITOR, booked, refused, terms, wanted


@pytest.fixture
def community(app: Flask) -> Community:
    """The cast and a garage of two spaces."""
    return found_community(app, spaces=2)


def headers(community: Community, name: str, key: str) -> dict[str, str]:
    """Of a request that may be repeated."""
    return community.as_person(name) | {"Idempotency-Key": key}


def test_two_want_the_last_space(app: Flask, community: Community, session: Session) -> None:
    booked(community, plate=VISITOR)
    with clock.at(NOON):
        of = {name: headers(community, name, "last") for name in ("ana", "bo")}

        def asking(name: str, plate: str) -> Any:
            def ask(client: FlaskClient) -> TestResponse:
                body = wanted(plate=plate)
                return client.post("/api/v1/bookings", json=body, headers=of[name])

            return ask

        answers = at_once(app, [asking("ana", "川A12345"), asking("bo", "川B22222")])
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    [loser] = [answer for answer in answers if answer.status_code == 409]
    assert refused(loser) == (409, "no-space-free")
    assert session.scalar(text(DOUBLE)) == 0


def test_many_at_once_get_a_space_each_and_no_more(app: Flask, session: Session) -> None:
    community = found_community(app, spaces=4)
    with clock.at(NOON):
        desk = [headers(community, "olga", f"crowd-{number}") for number in range(12)]

        def asking(number: int) -> Any:
            def ask(client: FlaskClient) -> int:
                body = wanted(plate=f"川F{number:05d}")
                return client.post("/api/v1/bookings", json=body, headers=desk[number]).status_code

            return ask

        answers = at_once(app, [asking(number) for number in range(12)])
    assert sorted(answers) == [201] * 4 + [409] * 8
    assert session.scalar(text(DOUBLE)) == 0


def test_one_household_cannot_race_past_its_quota(app: Flask, community: Community) -> None:
    terms(community, household_open=1)
    with clock.at(NOON):
        keys = [headers(community, "ana", f"race-{number}") for number in range(4)]

        def asking(number: int) -> Any:
            def ask(client: FlaskClient) -> int:
                body = wanted(plate=f"川G{number:05d}")
                return client.post("/api/v1/bookings", json=body, headers=keys[number]).status_code

            return ask

        answers = at_once(app, [asking(number) for number in range(4)])
    assert sorted(answers) == [201, 409, 409, 409]
