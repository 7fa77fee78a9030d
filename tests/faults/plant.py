"""Real workers and beats on the test's database."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.processes import Running, celery


@dataclass
class Plant:
    """Starts workers and beats on the test's database, and looks into it."""

    database_url: str
    redis_url: str
    folder: Path

    def worker(self, name: str) -> AbstractContextManager[Running]:
        """A prefork worker like the one `make run` starts."""
        arguments = ("worker", "--concurrency", "2", "--without-mingle", "--without-gossip")
        return self._celery(*arguments, "--hostname", f"{name}@%h", name=name)

    def beat(self, name: str) -> AbstractContextManager[Running]:
        """A beat with its own schedule file."""
        schedule = str(self.folder / f"{name}.schedule")
        return self._celery("beat", "--schedule", schedule, name=name)

    def _celery(self, *arguments: str, name: str) -> AbstractContextManager[Running]:
        return celery(
            *arguments,
            database_url=self.database_url,
            redis_url=self.redis_url,
            folder=self.folder,
            name=name,
        )

    def connect(self) -> psycopg.Connection[tuple[int]]:
        """A look into the database from outside the app."""
        return psycopg.connect(self.database_url.replace("+psycopg", ""), autocommit=True)

    def count(self, sql: str) -> int:
        """The one number a query gives."""
        with self.connect() as connection:
            row = connection.execute(sql).fetchone()
        assert row is not None
        return row[0]

    def all_settled(self) -> bool:
        """Whether no charge and no payment waits for settlement any more."""
        waiting = "SELECT (SELECT count(*) FROM charge WHERE settled_at IS NULL) + "
        waiting += "(SELECT count(*) FROM payment WHERE settled_at IS NULL)"
        return self.count(waiting) == 0
