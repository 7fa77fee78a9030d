"""Days in a small community: played through the real use cases, and sound in the end."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import psycopg
from flask import Flask
from sqlalchemy import text

from core.db import db
from core.embedded import Postgres
from simulation import invariants
from simulation.play import Played, play
from simulation.town import Size

ZONE = ZoneInfo("Asia/Shanghai")
SMALL = Size(
    spaces=24,
    owners=4,
    residents=4,
    crew=3,
    crew_places=4,
    commuters=8,
    hosts=5,
    walk_ins=14,
    spots=24,
    riders=10,
)


def played(seed: int, days: int = 1, size: Size = SMALL) -> Played:
    """A small community after a day or more."""
    return play(days, seed, ZONE, size=size)


def broken() -> list[str]:
    """What the proof finds wrong."""
    found = invariants.prove(db.session())
    assert len(found) > len(invariants.QUESTIONS)
    return [f"{one.name}: {one.detail}" for one in found if one.broken]


def count(sql: str) -> int:
    with db.engine.connect() as connection:
        return int(connection.execute(text(sql)).scalar_one())


def test_two_days_are_lived_and_proven(app: Flask) -> None:
    story = played(7, days=2)
    assert story.world.tally.faults == []
    assert broken() == []
    assert count("SELECT count(*) FROM stay WHERE status = 'closed'") > 40
    assert count("SELECT count(*) FROM booking WHERE status = 'fulfilled'") > 0
    assert count("SELECT count(*) FROM charging WHERE energy_wh > 0") > 0
    assert count("SELECT count(*) FROM journal_entry") > 40


def test_where_everybody_wants_the_same_few_spaces_nothing_breaks(app: Flask) -> None:
    crowded = replace(SMALL, spaces=16, commuters=14, hosts=10, walk_ins=40, crew_places=2)
    story = played(3, days=2, size=crowded)
    assert story.world.tally.faults == []
    assert broken() == []
    assert story.world.tally.answers["entry"]["lot-full"] > 0
    assert story.world.tally.refused["book"]["no-space-free"] > 0


def test_a_seed_tells_its_story_again_and_another_seed_another(
    app: Flask, postgres: Postgres
) -> None:
    first = played(7)
    empty(postgres)
    again = played(7)
    empty(postgres)
    other = played(8)
    assert again.fingerprint == first.fingerprint
    assert again.world.tally.answers == first.world.tally.answers
    assert again.world.tally.refused == first.world.tally.refused
    assert other.fingerprint != first.fingerprint


def empty(postgres: Postgres) -> None:
    """A fresh copy of the migrated database once more."""
    db.session.remove()
    db.engine.dispose()
    url = postgres.url_for("postgres", role="postgres").replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP DATABASE huilin_test WITH (FORCE)")
        connection.execute("CREATE DATABASE huilin_test TEMPLATE huilin_template OWNER huilin")
