"""Alembic's way to the database of the Flask app in whose context it runs, as its owner."""

from alembic import context
from flask import current_app
from sqlalchemy import create_engine

settings = current_app.config["SETTINGS"]
owner = create_engine(settings.owner_url or settings.database_url)
target = current_app.extensions["migrate"].db

with owner.connect() as connection:
    context.configure(
        connection=connection,
        target_metadata=target.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()
owner.dispose()
