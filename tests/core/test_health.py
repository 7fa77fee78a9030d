"""Health: serving is one thing, being ready another."""

from dataclasses import replace

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db import db
from core.embedded import Postgres
from tests.cast import NOON, Community
from wsgi import create_app


def elsewhere(app: Flask, database_url: str) -> Flask:
    """The same app on another database."""
    return create_app(replace(app.config["SETTINGS"], database_url=database_url))


def missing(app: Flask) -> list[str]:
    """What /readyz of an app says is missing; the process itself serves."""
    client = app.test_client()
    assert client.get("/healthz").status_code == 200
    answer = client.get("/readyz")
    assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
    assert answer.get_json()["code"] == "not-ready"
    assert "password" not in answer.text
    found: list[str] = answer.get_json()["missing"]
    return found


def test_ready(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}
    assert client.get("/readyz").get_json() == {"status": "ready"}


def test_the_database_is_down(template: Flask) -> None:
    url = "postgresql+psycopg://somebody:password@127.0.0.1:1/none"
    assert missing(elsewhere(template, url)) == ["database"]


def test_the_database_is_empty(template: Flask, postgres: Postgres) -> None:
    other = elsewhere(template, postgres.url_for("postgres"))
    assert missing(other) == ["schema"]
    with other.app_context():
        db.engine.dispose()


def test_the_database_is_of_another_version(client: FlaskClient, session: Session) -> None:
    session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    session.commit()
    answer = client.get("/readyz")
    assert (answer.status_code, answer.get_json()["missing"]) == (503, ["migration"])


def test_metrics_count_requests_and_decisions_without_a_plate(community: Community) -> None:
    community.knock("entry", "川C33333", NOON)
    said = community.client.get("/metrics").text
    assert 'huilin_decisions_total{action="open",reason="walk-in",type="gate.request"}' in said
    assert 'route="/api/v1/device-events"' in said
    assert "川" not in said
    assert community.tokens["entry"] not in said
