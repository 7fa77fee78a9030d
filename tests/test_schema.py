"""The database that migrations make is the one that the models describe."""

import importlib
import pkgutil

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from sqlalchemy import Connection, text

from core.db import db
from tests.test_house import PACKAGES, ROOT


def load_all() -> None:
    """Import every module, so that every table is known; workers have none."""
    for package in set(PACKAGES) - {"workers"}:
        for module in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            importlib.import_module(module.name)


def test_migrations_make_what_the_models_say(app: Flask) -> None:
    load_all()
    with db.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, db.metadata) == []


def test_migrations_make_the_constraints_and_indexes_of_the_models(app: Flask) -> None:
    """Alembic does not compare CHECK and EXCLUDE constraints nor the WHERE of indexes."""
    load_all()
    with db.engine.connect() as connection:
        migrated = definitions(connection, "public")
        connection.execute(text("CREATE SCHEMA of_the_models"))
        there = connection.execution_options(schema_translate_map={None: "of_the_models"})
        db.metadata.create_all(there)
        modelled = definitions(connection, "of_the_models")
        connection.rollback()
    assert migrated == modelled


def definitions(connection: Connection, schema: str) -> set[tuple[str, ...]]:
    """Table, name and definition of every constraint and index, without the schema's name."""
    found = connection.execute(
        text(
            """
            SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
            FROM pg_constraint
            WHERE connamespace = to_regnamespace(:schema)
              AND contype <> 'n' AND contype <> 't'
            UNION ALL
            SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = :schema
            """
        ),
        {"schema": schema},
    )
    return {
        tuple(str(part).replace(f"{schema}.", "") for part in row)
        for row in found
        if "alembic_version" not in row[0]
    }
