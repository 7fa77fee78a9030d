"""As whom the app speaks to the database: not as the owner of its tables, if that can be helped.

Who owns a table may drop its triggers. So the owner migrates, and the app has the rights that the
migrations gave to the role `huilin_app`.
"""

from typing import Any

import structlog
from sqlalchemy import Engine, event

log = structlog.get_logger()

APP, REPORTER = "huilin_app", "huilin_reporter"

OWNS_AND_MAY_STEP_DOWN = """
SELECT EXISTS (SELECT FROM pg_tables WHERE schemaname = current_schema() AND tablename = 'charge'
               AND tableowner = current_user)
    AND EXISTS (SELECT FROM pg_roles WHERE rolname = %(app)s
                AND pg_has_role(current_user, oid, 'MEMBER'))
"""


def step_down(engine: Engine) -> None:
    """Let connections of this engine go on as `huilin_app` when their role owns the tables.

    Says so once. Where that role is not there, or not ours to take, they stay what they are.
    """
    told = False

    @event.listens_for(engine, "connect")
    def _step_down(connection: Any, _record: object) -> None:
        nonlocal told
        connection.autocommit = True  # a rollback would bring the owner back
        if connection.execute(OWNS_AND_MAY_STEP_DOWN, {"app": APP}).fetchone()[0]:
            connection.execute(f"SET ROLE {APP}")
            if not told:
                owner = connection.info.user
                log.warning("DATABASE_URL is the owner's", role=owner, going_on_as=APP)
                told = True
        connection.autocommit = False
