"""Guards that look once at all rows of a statement, so that large batches are posted fast.

What foreign keys and a trigger per row held, statement triggers hold now; nothing is let go.
"""

import sqlalchemy as sa
from alembic import context, op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ENTRIES_ADDED = """
CREATE OR REPLACE FUNCTION ledger_entry_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed date;
BEGIN
    SELECT min(month) INTO closed FROM lock_months(ARRAY(SELECT DISTINCT posted_on FROM added))
    WHERE status = 'closed';
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'the month of % is closed', closed
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM ledger_rules_exist(ARRAY(SELECT DISTINCT split_rule_id FROM added));
    INSERT INTO unsealed (entry_id) SELECT id FROM added ORDER BY id;
    INSERT INTO unposted (entry_ids) SELECT array_agg(id) FROM added HAVING count(*) > 0;
    RETURN NULL;
END $$;
"""

# It runs at commit, once for each statement that recorded entries.
ENTRIES_COMPLETE = """
CREATE FUNCTION ledger_entries_complete() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bare bigint;
BEGIN
    SELECT min(id) INTO bare FROM unnest(NEW.entry_ids) AS id
    WHERE (SELECT line FROM posting WHERE entry_id = id LIMIT 1) IS NULL;
    IF bare IS NOT NULL THEN
        RAISE EXCEPTION 'entry % has no postings', bare
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    DELETE FROM unposted WHERE id = NEW.id;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entries_complete AFTER INSERT ON unposted
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entries_complete();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON unposted
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER only_kept_by_triggers BEFORE INSERT OR UPDATE OR DELETE ON unposted
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse();
"""

# Every entry is looked at once. Its lines are numbered from 1 in one statement, so one that is
# complete takes no more: its first line is there already. The shard of a rollup is that of the
# connection: of thirty-two, so that sixteen workers started one after the other share none.
POSTINGS_ADDED = """
CREATE OR REPLACE FUNCTION ledger_postings_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad text;
    lowest bigint;
    highest bigint;
BEGIN
    SELECT min(entry_id), max(entry_id) INTO lowest, highest FROM added;
    SELECT concat_ws(' ', 'entry', entry.entry_id, CASE
            WHEN header.id IS NULL THEN 'does not exist'
            WHEN entry.first_line <> 1 OR entry.last_line <> entry.lines
                THEN 'is complete and takes no more postings, or they are not numbered 1, 2, …'
            WHEN entry.total <> 0 THEN 'is not balanced'
            WHEN entry.lines < 2 THEN 'has fewer than two postings'
            WHEN (header.posted_on, header.posted_on) <> (entry.first_day, entry.last_day)
                THEN 'has another date than its postings'
            WHEN entry.unused IS NOT NULL
                THEN format('has postings, but account %s is not in use', entry.unused)
            WHEN (header.book, header.book) <> (entry.book, entry.other_book)
                THEN format('has postings, but account %s is of another book than its entry', (
                    SELECT min(account.code) FROM added JOIN account ON account.code = added.account
                    WHERE added.entry_id = entry.entry_id AND account.book <> header.book
                ))
            ELSE 'does not mirror the entry it reverses'
        END) INTO bad
    FROM (
        SELECT entry_id, sum(amount_fen) AS total, count(*) AS lines,
            min(line) AS first_line, max(line) AS last_line,
            min(posted_on) AS first_day, max(posted_on) AS last_day,
            min(account.book) AS book, max(account.book) AS other_book,
            min(added.account) FILTER (WHERE account.active IS NOT TRUE) AS unused
        FROM added LEFT JOIN account ON account.code = added.account
        GROUP BY entry_id
    ) AS entry
    LEFT JOIN (
        SELECT id, book, posted_on, reverses_id FROM journal_entry
        WHERE id BETWEEN lowest AND highest
    ) AS header ON header.id = entry.entry_id
    WHERE header.id IS NULL OR entry.total <> 0 OR entry.lines < 2
        OR entry.first_line <> 1 OR entry.last_line <> entry.lines
        OR (header.posted_on, header.posted_on) <> (entry.first_day, entry.last_day)
        OR entry.unused IS NOT NULL
        OR (header.book, header.book) <> (entry.book, entry.other_book)
        OR header.reverses_id IS NOT NULL AND NOT ledger_mirrors(header.id, header.reverses_id)
    LIMIT 1;
    IF bad IS NULL THEN
        SELECT concat_ws(' ', 'party', used.party, 'does not exist') INTO bad
        FROM (SELECT DISTINCT party FROM added WHERE party IS NOT NULL) AS used
        WHERE (SELECT code FROM party WHERE code = used.party) IS NULL LIMIT 1;
    END IF;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION '%', bad USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    PERFORM ledger_rules_exist(ARRAY(SELECT DISTINCT split_rule_id FROM added));
    INSERT INTO account_month AS rollup (account, month, shard, debit_fen, credit_fen)
    SELECT account, date_trunc('month', posted_on::timestamp)::date, pg_backend_pid() % 32,
        sum(debit_fen), sum(credit_fen)
    FROM (
        SELECT account, posted_on, sum(greatest(amount_fen, 0)) AS debit_fen,
            sum(greatest(-amount_fen, 0)) AS credit_fen
        FROM added GROUP BY account, posted_on
    ) AS day GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account, month, shard) DO UPDATE SET
        debit_fen = rollup.debit_fen + EXCLUDED.debit_fen,
        credit_fen = rollup.credit_fen + EXCLUDED.credit_fen;
    RETURN NULL;
END $$;
"""

RULES_AND_MIRRORS = """
CREATE FUNCTION ledger_rules_exist(ids bigint[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    unknown bigint;
BEGIN
    SELECT min(id) INTO unknown FROM unnest(ids) AS used (id)
    WHERE id IS NOT NULL AND NOT EXISTS (SELECT FROM split_rule WHERE split_rule.id = used.id);
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'split_rule % does not exist', unknown
            USING ERRCODE = 'foreign_key_violation';
    END IF;
END $$;

CREATE FUNCTION ledger_mirrors(back bigint, there bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT book FROM journal_entry WHERE id = back)
            = (SELECT book FROM journal_entry WHERE id = there)
        AND NOT EXISTS (
            SELECT FROM (SELECT * FROM posting WHERE entry_id = back) AS one
            FULL JOIN (SELECT * FROM posting WHERE entry_id = there) AS other USING (line)
            WHERE (one.account, one.party, one.amount_fen)
                IS DISTINCT FROM (other.account, other.party, -other.amount_fen)
        );
END $$;
COMMENT ON FUNCTION ledger_mirrors IS
    'Whether an entry takes back another: of the same book, every posting on the other side.';
"""

COMPLETE_BY_ROW = """
CREATE FUNCTION ledger_entry_complete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM posting WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'entry % has no postings', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER entry_complete AFTER INSERT ON journal_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_complete();
"""

# A function's plans may be made while the tables are empty, and are kept. Each of these leaves
# the planner one way that stays good: by index and row after row, or, where the rows of a large
# statement meet a range of entries and the chart, by hashing them.
ONE_BY_ONE = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
ALL_AT_ONCE = "SET enable_seqscan = off SET enable_nestloop = off"
PLANNED = {
    "ledger_entry_added()": ONE_BY_ONE,
    "ledger_entries_complete()": ONE_BY_ONE,
    "ledger_postings_added()": ALL_AT_ONCE,
    "ledger_mirrors(bigint, bigint)": ONE_BY_ONE,
    "ledger_rules_exist(bigint[])": ONE_BY_ONE,
}

SOURCES = ("charge", "payment", "top_up", "channel_move")

COLUMNS = """
SELECT quote_ident(column_name) FROM information_schema.columns
WHERE table_schema = current_schema AND table_name = :table
    AND column_name NOT IN ('settled_at', 'set_aside_reason') ORDER BY ordinal_position
"""

APP = "huilin_app"

REFERENCES = (
    ("journal_entry", "book", "book", "code"),
    ("journal_entry", "split_rule_id", "split_rule", "id"),
    ("journal_entry", "reverses_id", "journal_entry", "id"),
    ("posting", "split_rule_id", "split_rule", "id"),
)


def upgrade() -> None:
    """Hold by statement what was held row by row."""
    op.drop_constraint(op.f("uq_journal_entry_reverses_id"), "journal_entry")
    op.create_index(
        "uq_journal_entry_reverses_id",
        "journal_entry",
        ["reverses_id"],
        unique=True,
        postgresql_where="reverses_id IS NOT NULL",
    )
    for table, column, there, _ in REFERENCES:
        op.drop_constraint(op.f(f"fk_{table}_{column}_{there}"), table)
    op.create_table(
        "unposted",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "entry_ids",
            sa.ARRAY(sa.BigInteger()),
            nullable=False,
            comment="that one statement recorded",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unposted")),
    )
    op.execute("DROP TRIGGER entry_complete ON journal_entry")
    op.execute("DROP FUNCTION ledger_entry_complete()")
    for sql in (RULES_AND_MIRRORS, ENTRIES_ADDED, ENTRIES_COMPLETE, POSTINGS_ADDED):
        op.execute(sql)
    for function, settings in PLANNED.items():
        _as_owner(function, settings)
    keep(*SOURCES)
    if _is_there(APP):
        op.execute(f"REVOKE INSERT, UPDATE, DELETE ON unposted FROM {APP}")


def downgrade() -> None:
    """Hold it row by row again, by the functions of 0002 and 0010."""
    for table in SOURCES:
        _keep(table, "")
    op.drop_table("unposted")
    op.execute(COMPLETE_BY_ROW)
    context.script.get_revision("0010").module.hold_by_row()
    for function in ("ledger_entry_added()", "ledger_entry_complete()", "ledger_postings_added()"):
        _as_owner(function, ONE_BY_ONE)
    for function in ("ledger_entries_complete()", "ledger_mirrors(bigint, bigint)"):
        op.execute(f"DROP FUNCTION {function}")
    op.execute("DROP FUNCTION ledger_rules_exist(bigint[])")
    for table, column, there, key in REFERENCES:
        name = op.f(f"fk_{table}_{column}_{there}")
        op.create_foreign_key(name, table, there, [column], [key])
    op.drop_index("uq_journal_entry_reverses_id", "journal_entry")
    op.create_unique_constraint(
        op.f("uq_journal_entry_reverses_id"), "journal_entry", ["reverses_id"]
    )


def _as_owner(function: str, settings: str) -> None:
    op.execute(f"ALTER FUNCTION {function} {settings}")
    op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = public, pg_temp")
    op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")


def keep(*tables: str) -> None:
    """Let source rows change only by settlement; to be called anew for one with a new column.

    Of a row that is just being settled nothing else changes: the function is not called for it.
    """
    for table in tables:
        columns = op.get_bind().execute(sa.text(COLUMNS), {"table": table}).scalars().all()
        old, new = (", ".join(f"{row}.{column}" for column in columns) for row in ("OLD", "NEW"))
        _keep(table, f"WHEN (OLD.settled_at IS NOT NULL OR ({old}) IS DISTINCT FROM ({new}))")


def _keep(table: str, when: str) -> None:
    op.execute(f"""
        CREATE OR REPLACE TRIGGER kept BEFORE UPDATE ON {table}
            FOR EACH ROW {when} EXECUTE FUNCTION ledger_keep_source()
    """)


def _is_there(role: str) -> bool:
    found = op.get_bind().exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{role}'")
    return found.first() is not None
