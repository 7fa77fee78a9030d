"""Alembic's way to the database of the Flask app in whose context it runs."""

from alembic import context
from flask import current_app

target = current_app.extensions["migrate"].db

with target.engine.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=target.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
