"""The database: one handle, one way to run a transaction, one way to save round trips."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import psycopg
from flask_sqlalchemy import SQLAlchemy
from psycopg.pq import TransactionStatus
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
    return _tried(lambda session: fn(session, *args, **kwargs))


def swift(fn: Callable[Concatenate[Session, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`atomic` for a use case that speaks through `fetch_row` and `send` alone, never the ORM.

    BEGIN goes out with its first statement, COMMIT with its last, and what answers nothing
    waits for nothing: a look and a write take two round trips.
    """
    return _tried(lambda session: _piped(session, lambda: fn(session, *args, **kwargs)))


def _tried(use: Callable[[Session], R]) -> R:
    session = db.session()
    for left in reversed(range(TRIES)):
        try:
            result = use(session)
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


def _piped(session: Session, use: Callable[[], R]) -> R:
    """The driver would wait for its own BEGIN; in autocommit we send BEGIN and COMMIT ourselves."""
    connection = driver(session)
    if connection.info.transaction_status != TransactionStatus.IDLE:
        return use()  # something was read in this transaction already: go on as `atomic` does
    connection.autocommit = True
    try:
        with connection.pipeline():
            connection.execute("BEGIN", prepare=False)
            result = use()
            connection.execute("COMMIT", prepare=False)
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = False
    return result


def fetch_row(session: Session, statement: Statement) -> DictRow | None:
    """The one row a statement gives, or None, by the driver alone (the ORM costs more than SQL)."""
    sql, values = statement
    with driver(session).cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, values).fetchone()


def send(session: Session, statements: Sequence[Statement]) -> None:
    """Run statements that answer nothing, in order, in a single round trip."""
    connection = driver(session)
    with pipeline(connection):
        for sql, values in statements:
            connection.execute(sql, values)


def pipeline(connection: psycopg.Connection[Any]) -> AbstractContextManager[object]:
    """Several statements without waiting between them; inside `swift` that is so already."""
    piped = connection.pgconn.pipeline_status
    return nullcontext() if piped else connection.pipeline()


def driver(session: Session) -> psycopg.Connection[Any]:
    """The psycopg connection of the session's transaction."""
    return cast("psycopg.Connection[Any]", session.connection().connection.driver_connection)


def _driver_error(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


__all__ = [
    "Base",
    "Session",
    "Statement",
    "atomic",
    "db",
    "driver",
    "fetch_row",
    "pipeline",
    "send",
    "swift",
]
