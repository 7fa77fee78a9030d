"""The database: one handle, one way to run a transaction, one way to save round trips."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from flask_sqlalchemy import SQLAlchemy
from psycopg.rows import DictRow, dict_row
from sqlalchemy import MetaData
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Session

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    """Every table of the project."""

    metadata = MetaData(naming_convention=NAMES)


db = SQLAlchemy(model_class=Base)

P = ParamSpec("P")
R = TypeVar("R")
Statement = tuple[str, Mapping[str, Any]]
"""SQL with %(name)s places, and its values."""

TRIES = 5

# What another transaction can cause and a second look can cure.
RETRYABLE = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.UniqueViolation,
    psycopg.errors.ExclusionViolation,
    psycopg.errors.CheckViolation,
    psycopg.errors.LockNotAvailable,
)


def atomic(fn: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a use case in one transaction, commit, and return what it returned.

    Called by edges only. On a conflict with another transaction the use case is run again,
    at most five times in all; whatever it raises last goes to the caller.
    """
    session = db.session()
    for left in reversed(range(TRIES)):
        try:
            result = fn(session, *args, **kwargs)
            session.commit()
        except (DBAPIError, psycopg.Error) as error:
            session.rollback()
            if not left or not isinstance(_driver_error(error), RETRYABLE):
                raise
        except BaseException:
            session.rollback()
            raise
        else:
            return result
    raise AssertionError("unreachable: the last try returns or raises")


def fetch_row(session: Session, statement: Statement) -> DictRow | None:
    """The one row a statement gives, or None, by the driver alone (the ORM costs more than SQL)."""
    sql, values = statement
    with driver(session).cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, values).fetchone()


def send(session: Session, statements: Sequence[Statement]) -> None:
    """Run statements that answer nothing, in order, in a single round trip."""
    connection = driver(session)
    with connection.pipeline():
        for sql, values in statements:
            connection.execute(sql, values)


def driver(session: Session) -> psycopg.Connection[Any]:
    """The psycopg connection of the session's transaction."""
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)


def _driver_error(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


__all__ = ["Base", "Session", "Statement", "atomic", "db", "driver", "fetch_row", "send"]
