"""Periods that close and reopen by two people's word, publications, and notes that correct them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None

# A month's status follows from its events. One lock puts events of all months in a row, and lets
# no month appear before one that is being closed: what is posted there would move its opening.
PERIODS = """
CREATE FUNCTION ledger_month_appears() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM period WHERE month = NEW.month) THEN
        RETURN NEW;
    END IF;
    IF NEW.status <> 'open' THEN
        RAISE EXCEPTION 'a month is closed by its events only'
            USING ERRCODE = 'restrict_violation';
    END IF;
    PERFORM pg_advisory_xact_lock_shared('period_event'::regclass::oid::bigint);
    IF EXISTS (SELECT FROM period WHERE month > NEW.month AND status = 'closed') THEN
        NEW.status := 'closed';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION ledger_period_moves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    held period;
    last period_event;
BEGIN
    PERFORM pg_advisory_xact_lock('period_event'::regclass::oid::bigint);
    INSERT INTO period (month) VALUES (NEW.month) ON CONFLICT DO NOTHING;
    SELECT * INTO held FROM period WHERE month = NEW.month FOR NO KEY UPDATE;
    SELECT * INTO last FROM period_event WHERE month = NEW.month ORDER BY id DESC LIMIT 1;
    NEW.id := nextval(pg_get_serial_sequence('period_event', 'id'));
    NEW.asked_by := CASE WHEN NEW.kind IN ('withdrawn', 'closed', 'declined', 'reopened')
        THEN last.person_id END;
    IF (CASE NEW.kind
        WHEN 'closing' THEN held.status <> 'open'
        WHEN 'reopening' THEN held.status <> 'closed' OR last.kind = 'reopening'
        WHEN 'withdrawn' THEN held.status <> 'closing'
        WHEN 'closed' THEN held.status <> 'closing'
        ELSE last.kind IS DISTINCT FROM 'reopening'
    END) THEN
        RAISE EXCEPTION 'month % is %, and its last event %', NEW.month, held.status, last.kind
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.kind = 'closed'
        AND EXISTS (SELECT FROM period WHERE month < NEW.month AND status <> 'closed')
        OR NEW.kind = 'reopened'
        AND EXISTS (SELECT FROM period WHERE month > NEW.month AND status = 'closed')
    THEN
        RAISE EXCEPTION 'months close in order, and reopen in the opposite'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    UPDATE period SET status = CASE NEW.kind WHEN 'closing' THEN 'closing'
            WHEN 'closed' THEN 'closed' ELSE 'open' END
    WHERE month = NEW.month AND NEW.kind NOT IN ('reopening', 'declined');
    RETURN NEW;
END $$;

CREATE TRIGGER appears BEFORE INSERT ON period
    FOR EACH ROW EXECUTE FUNCTION ledger_month_appears();
CREATE TRIGGER only_kept_by_triggers BEFORE UPDATE ON period
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER moves BEFORE INSERT ON period_event
    FOR EACH ROW EXECUTE FUNCTION ledger_period_moves();
"""

# Which published months new entries touch: their own, and that of what they take back.
TOUCHED = """
    SELECT e.id AS entry_id, moved.month, e.recorded_at,
        CASE WHEN e.reverses_id IS NULL THEN 'late' ELSE e.source || ':' || e.source_id END
            AS about,
        reversal.person_id AS reversed_by, coalesce(reversal.reason,
            CASE WHEN e.reverses_id IS NOT NULL THEN e.memo END) AS reason
    FROM added AS e
    LEFT JOIN reversal ON reversal.entry_id = e.reverses_id
    CROSS JOIN LATERAL (
        SELECT date_trunc('month', e.occurred_on::timestamp)::date AS month
        UNION SELECT date_trunc('month', e.posted_on::timestamp)::date
        UNION SELECT date_trunc('month', back.posted_on::timestamp)::date
            FROM journal_entry AS back WHERE back.id = e.reverses_id
        UNION SELECT note.month FROM correction_entry AS of_note
            JOIN correction AS note ON note.id = of_note.correction_id
            WHERE of_note.entry_id = e.reverses_id
    ) AS moved
    WHERE EXISTS (SELECT FROM publication WHERE publication.month = moved.month)
"""

PUBLICATIONS = f"""
CREATE FUNCTION publication_follows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM period WHERE month = NEW.month AND status = 'closed')
        OR NEW.edition <> 1 + (SELECT count(*) FROM publication WHERE month = NEW.month)
    THEN
        RAISE EXCEPTION 'edition % of % follows no close', NEW.edition, NEW.month
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION publication_corrected() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM added WHERE reverses_id IS NOT NULL) AND NOT EXISTS (
        SELECT FROM publication WHERE month >= (
            SELECT date_trunc('month', min(occurred_on)::timestamp)::date FROM added
        )
    ) THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock_shared('correction'::regclass::oid::bigint);
    INSERT INTO correction (month, publication_id, about, reason, reversed_by, drafted_at)
    SELECT DISTINCT ON (month, about) month, (
            SELECT id FROM publication WHERE publication.month = touched.month
            ORDER BY edition DESC LIMIT 1
        ), about, reason, reversed_by, recorded_at
    FROM ({TOUCHED}) AS touched ORDER BY month, about
    ON CONFLICT (month, about) WHERE published_at IS NULL DO NOTHING;
    INSERT INTO correction_entry (correction_id, entry_id)
    SELECT note.id, touched.entry_id FROM ({TOUCHED}) AS touched
    JOIN correction AS note ON (note.month, note.about) = (touched.month, touched.about)
        AND note.published_at IS NULL;
    RETURN NULL;
END $$;

CREATE FUNCTION publication_note_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.published_at IS NOT NULL THEN
        RAISE EXCEPTION 'correction % is published', OLD.id USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER follows BEFORE INSERT ON publication
    FOR EACH ROW EXECUTE FUNCTION publication_follows();
CREATE TRIGGER corrected AFTER INSERT ON journal_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION publication_corrected();
CREATE TRIGGER kept BEFORE UPDATE ON correction
    FOR EACH ROW EXECUTE FUNCTION publication_note_kept();
CREATE TRIGGER identity_kept
    BEFORE UPDATE OF id, month, publication_id, about, reversed_by, drafted_at ON correction
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""  # noqa: S608 - our own text

# As in 0002 and 0010: plans may be made while tables are empty, and what triggers do beside what
# was asked is done with the owner's rights.
STEADY = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
FUNCTIONS = (
    "ledger_month_appears",
    "ledger_period_moves",
    "publication_follows",
    "publication_corrected",
    "publication_note_kept",
)

APP, REPORTER = "huilin_app", "huilin_reporter"
TABLES = ("correction_entry", "correction", "publication", "reversal", "period_event")


def upgrade() -> None:
    """Create events of periods, publications and corrections, and what keeps them."""
    _create_events()
    _create_publications()
    op.execute(PERIODS)
    op.execute(PUBLICATIONS)
    for function in FUNCTIONS:
        op.execute(f"""
            ALTER FUNCTION {function} {STEADY};
            ALTER FUNCTION {function} SECURITY DEFINER SET search_path = public, pg_temp;
            REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC
        """)
    for table in TABLES:
        what = "DELETE OR TRUNCATE" if table == "correction" else "UPDATE OR DELETE OR TRUNCATE"
        op.execute(f"""
            CREATE TRIGGER append_only BEFORE {what} ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
        """)
    for table in ("correction", "correction_entry"):
        op.execute(f"""
            CREATE TRIGGER only_made_by_triggers BEFORE INSERT ON {table}
                FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
                EXECUTE FUNCTION ledger_refuse()
        """)
    _grant()


def downgrade() -> None:
    """Drop what `upgrade` created; months stay as open or closed as they are."""
    op.execute("""
        DROP TRIGGER corrected ON journal_entry;
        DROP TRIGGER only_kept_by_triggers ON period;
        DROP TRIGGER appears ON period
    """)
    if _is_there(APP):
        op.execute(f"GRANT INSERT ON period TO {APP}")
    for table in TABLES:
        op.drop_table(table)
    for function in FUNCTIONS:
        op.execute(f"DROP FUNCTION {function}")


def _grant() -> None:
    """The app adds events, reversals and publications, and publishes notes that are there."""
    names = ", ".join(TABLES)
    if _is_there(APP):
        op.execute(f"""
            REVOKE INSERT, UPDATE, DELETE ON {names} FROM {APP};
            REVOKE INSERT ON period FROM {APP};
            GRANT INSERT ON period_event, reversal, publication TO {APP};
            GRANT UPDATE (reason, figures, published_by, published_at) ON correction TO {APP}
        """)
    if _is_there(REPORTER):
        op.execute(f"GRANT SELECT ON {names} TO {REPORTER}")


def _is_there(role: str) -> bool:
    found = op.get_bind().exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{role}'")
    return found.first() is not None


def _create_events() -> None:
    op.create_table(
        "period_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "asked_by", sa.BigInteger(), nullable=True, comment="whose event this one answers"
        ),
        sa.Column("reason", sa.String(256), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind IN ('closing', 'withdrawn', 'closed', 'reopening', 'declined', 'reopened')",
            name=op.f("ck_period_event_kind"),
        ),
        sa.CheckConstraint(
            "kind NOT IN ('closed', 'reopened') OR asked_by IS NOT NULL AND asked_by <> person_id",
            name=op.f("ck_period_event_second_person"),
        ),
        sa.CheckConstraint(
            "kind NOT IN ('withdrawn', 'reopening', 'declined') OR reason IS NOT NULL",
            name=op.f("ck_period_event_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["month"], ["period.month"], name=op.f("fk_period_event_month_period")
        ),
        _person("period_event", "person_id"),
        _person("period_event", "asked_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_period_event")),
    )
    op.create_index("ix_period_event_month_id", "period_event", ["month", "id"])
    op.create_table(
        "reversal",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_reversal_entry_id_journal_entry")
        ),
        _person("reversal", "person_id"),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_reversal")),
    )


def _create_publications() -> None:
    op.create_table(
        "publication",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column(
            "closed_event_id", sa.BigInteger(), nullable=False, comment="the close that it follows"
        ),
        sa.Column(
            "last_entry_id", sa.BigInteger(), nullable=False, comment="the highest entry included"
        ),
        sa.Column(
            "heads",
            JSONB(),
            nullable=False,
            comment="the newest day of every book, and days before it that were open too",
        ),
        sa.Column(
            "facts",
            JSONB(),
            nullable=False,
            comment="what the pack says besides entries: names, approvers, terms",
        ),
        sa.Column(
            "format", sa.SmallInteger(), nullable=False, comment="by which writer it is rebuilt"
        ),
        sa.Column(
            "sha256", sa.LargeBinary(), nullable=False, comment="of the pack, which is rebuilt"
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("EXTRACT(day FROM month) = 1", name=op.f("ck_publication_month")),
        sa.CheckConstraint("octet_length(sha256) = 32", name=op.f("ck_publication_sha256")),
        sa.ForeignKeyConstraint(
            ["month"], ["period.month"], name=op.f("fk_publication_month_period")
        ),
        sa.ForeignKeyConstraint(
            ["closed_event_id"],
            ["period_event.id"],
            name=op.f("fk_publication_closed_event_id_period_event"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_publication")),
        sa.UniqueConstraint("closed_event_id", name=op.f("uq_publication_closed_event_id")),
        sa.UniqueConstraint("month", "edition", name=op.f("uq_publication_month_edition")),
    )
    op.create_table(
        "correction",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False, comment="the published month it touches"),
        sa.Column(
            "publication_id", sa.BigInteger(), nullable=False, comment="the edition it corrects"
        ),
        sa.Column(
            "about",
            sa.String(64),
            nullable=False,
            comment="the source row that was reversed, or `late` for facts that came late",
        ),
        sa.Column("reason", sa.String(256), nullable=True),
        sa.Column("reversed_by", sa.BigInteger(), nullable=True),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("figures", JSONB(), nullable=True, comment="before and after, as published"),
        sa.Column("published_by", sa.BigInteger(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(published_at IS NULL) = (published_by IS NULL)"
            " AND (published_at IS NULL) = (figures IS NULL)"
            " AND (published_at IS NULL OR reason IS NOT NULL)",
            name=op.f("ck_correction_published"),
        ),
        sa.CheckConstraint("published_by <> reversed_by", name=op.f("ck_correction_second_person")),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            ["publication.id"],
            name=op.f("fk_correction_publication_id_publication"),
        ),
        _person("correction", "reversed_by"),
        _person("correction", "published_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(
        "uq_correction_draft",
        "correction",
        ["month", "about"],
        unique=True,
        postgresql_where=sa.text("published_at IS NULL"),
    )
    op.create_index("ix_correction_month", "correction", ["month"])
    op.create_table(
        "correction_entry",
        sa.Column("correction_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["correction_id"],
            ["correction.id"],
            name=op.f("fk_correction_entry_correction_id_correction"),
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"],
            ["journal_entry.id"],
            name=op.f("fk_correction_entry_entry_id_journal_entry"),
        ),
        sa.PrimaryKeyConstraint("correction_id", "entry_id", name=op.f("pk_correction_entry")),
    )
    op.create_index("ix_correction_entry_entry_id", "correction_entry", ["entry_id"])


def _person(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["person.id"], name=op.f(f"fk_{table}_{column}_person")
    )
