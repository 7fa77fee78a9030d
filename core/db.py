"""The database: one handle, one way to run a transaction, one way to save round trips."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
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
Connection = psycopg.Connection[Any]
Statement = tuple[str, Mapping[str, Any]]
"""SQL with %(name)s places, and its values."""

TRIES = 5

# To plan a look that reads twenty tables costs more than to read them, so it is planned once for
# each connection; without scans of whole tables, because those that were small then have grown.
PLANNED_ONCE = """
SELECT set_config('plan_cache_mode', 'force_generic_plan', true),
    set_config('enable_seqscan', 'off', true)
"""

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

    def attempt() -> R:
        session = db.session()
        try:
            result = fn(session, *args, **kwargs)
            session.commit()
        except BaseException:
            session.rollback()
            raise
        return result

    return _tried(attempt, RETRYABLE)


def swift(fn: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """`atomic` for a use case that speaks plain SQL, where somebody waits at the barrier.

    It gets the driver's connection. BEGIN goes out with its first statement and COMMIT with
    its last, so a look and a write take two round trips. It must be safe to run again even
    when the first run was committed, for it is also tried again when the connection is lost.
    """

    def attempt() -> R:
        pooled = db.engine.raw_connection()
        connection = cast("Connection", pooled.driver_connection)
        try:
            with _begun(connection):
                return fn(connection, *args, **kwargs)
        finally:
            if connection.closed:
                pooled.invalidate()
            pooled.close()

    return _tried(attempt, (*RETRYABLE, psycopg.OperationalError))


def _tried(attempt: Callable[[], R], retryable: tuple[type[psycopg.Error], ...]) -> R:
    for left in reversed(range(TRIES)):
        try:
            return attempt()
        except (DBAPIError, psycopg.Error) as error:
            if not left or not isinstance(_driver_error(error), retryable):
                raise
    raise AssertionError("unreachable: the last try returns or raises")


@contextmanager
def _begun(connection: Connection) -> Iterator[None]:
    """A transaction in a pipeline; the driver's own BEGIN and COMMIT would each be waited for."""
    connection.autocommit = True
    try:
        with connection.pipeline():
            connection.execute("BEGIN", prepare=False)
            connection.execute(PLANNED_ONCE, prepare=True)
            yield
            connection.execute("COMMIT", prepare=False)
    finally:
        if not connection.closed:
            connection.rollback()
            connection.autocommit = False


def snapshot() -> Session:
    """A session of its own that reads all as of one instant; whoever asked for it closes it."""
    return Session(
        db.engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    )


def fetch_row(connection: Connection, statement: Statement) -> DictRow | None:
    """The one row a statement gives, or None, by the driver alone (the ORM costs more than SQL)."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(*statement).fetchone()


def numbered(sql: str) -> tuple[str, tuple[str, ...]]:
    """A statement with $1 for its %(name)s, and the names in that order, for a `RawCursor`.

    The driver reads a long statement anew each time to find its names; this finds them once.
    """
    names: dict[str, str] = {}

    def place(name: re.Match[str]) -> str:
        return names.setdefault(name[1], f"${len(names) + 1}")

    return re.sub(r"%\((\w+)\)s", place, sql), tuple(names)


def send(connection: Connection, statements: Sequence[Statement]) -> None:
    """Run statements that answer nothing, in order, in a single round trip."""
    with pipeline(connection), connection.cursor() as cursor:
        for sql, values in statements:
            cursor.execute(sql, values)


def pipeline(connection: Connection) -> AbstractContextManager[object]:
    """Several statements without waiting between them; inside `swift` that is so already."""
    piped = connection.pgconn.pipeline_status
    return nullcontext() if piped else connection.pipeline()


def driver(session: Session) -> Connection:
    """The psycopg connection of the session's transaction."""
    return cast("Connection", session.connection().connection.driver_connection)


def _driver_error(error: Exception) -> BaseException | None:
    return error.orig if isinstance(error, DBAPIError) else error


__all__ = [
    "Base",
    "Connection",
    "Session",
    "Statement",
    "atomic",
    "db",
    "driver",
    "fetch_row",
    "numbered",
    "pipeline",
    "send",
    "snapshot",
    "swift",
]
