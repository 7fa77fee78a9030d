"""Books that keep their owners' money apart, late facts, and sealing off the hot path.

Every entry follows from a source row, so the journal is posted anew into its books and sealed
anew; the numbers of old entries and the old chain are gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BOOKS = (
    ("owners", "业主共有资金账", "Owners' common money", "owners"),
    ("fund", "社区微基金账", "Community micro-fund", "nonprofit"),
    ("provider", "服务方账", "Service provider", "enterprise"),
)

# code, names, type, book, parent, restricted; a heading is not in use and takes no postings.
HEADINGS = (
    ("2209", "其他应付款", "Other payables", "liability", "owners"),
    ("4101", "捐赠收入", "Donation income", "income", "fund"),
    ("4301", "提供服务收入", "Service income", "income", "fund"),
    ("5101", "业务活动成本", "Programme costs", "expense", "fund"),
    ("6001", "主营业务收入", "Main operating income", "income", "provider"),
)
ACCOUNTS = (
    ("220903", "应付社区微基金", "Payable to the micro-fund", "liability", "owners", "2209", False),
    ("3201", "业主共有结余", "Owners' common surplus", "equity", "owners", None, False),
    ("1012", "微基金银行存款", "Micro-fund's cash at bank", "asset", "fund", None, False),
    ("1131", "应收业主共有资金", "Receivable from owners' money", "asset", "fund", None, False),
    ("410101", "非限定性捐赠收入", "Unrestricted donations", "income", "fund", "4101", False),
    ("410102", "限定性捐赠收入", "Restricted donations", "income", "fund", "4101", True),
    ("410201", "商户贡献收入", "Business contributions", "income", "fund", None, False),
    ("430201", "低偿服务收入", "Low-fee service income", "income", "fund", None, False),
    ("510102", "为老服务支出", "Services for the elderly", "expense", "fund", "5101", False),
    ("510103", "儿童与家庭支出", "Children and families", "expense", "fund", "5101", False),
    ("510104", "环境与安全支出", "Environment and safety", "expense", "fund", "5101", False),
    ("1022", "服务方银行存款", "Provider's cash at bank", "asset", "provider", None, False),
    ("1141", "应收业主共有资金", "Receivable from owners' money", "asset", "provider", None, False),
    ("3301", "服务方权益", "Provider's equity", "equity", "provider", None, False),
)

CHART = """
UPDATE account SET
    book = CASE WHEN code ~ '^[345]' THEN 'fund' ELSE 'owners' END,
    normal_side = CASE WHEN type IN ('asset', 'expense') THEN 'debit' ELSE 'credit' END,
    restricted = code = '3102',
    parent = CASE WHEN code ~ '^(2209|4301|5101)..$' THEN left(code, 4)
        WHEN code = '220302' THEN '2203' END
WHERE code NOT IN ('2209', '4301', '5101');
INSERT INTO account (code, name_zh, name_en, type, book, normal_side, restricted, parent)
SELECT '6001' || right(code, 2), '服务方' || name_zh, 'Provider''s ' || name_en, 'income',
    'provider', 'credit', false, '6001'
FROM account WHERE code ~ '^4301..$';
"""

ANEW = """
ALTER TABLE charge DISABLE TRIGGER USER;
ALTER TABLE payment DISABLE TRIGGER USER;
ALTER TABLE top_up DISABLE TRIGGER USER;
UPDATE charge SET settled_at = NULL WHERE settled_at IS NOT NULL;
UPDATE payment SET settled_at = NULL WHERE settled_at IS NOT NULL;
UPDATE top_up SET settled_at = NULL WHERE settled_at IS NOT NULL;
ALTER TABLE charge ENABLE TRIGGER USER;
ALTER TABLE payment ENABLE TRIGGER USER;
ALTER TABLE top_up ENABLE TRIGGER USER;
ALTER TABLE journal_entry DISABLE TRIGGER USER;
ALTER TABLE posting DISABLE TRIGGER USER;
ALTER TABLE account_month DISABLE TRIGGER USER;
TRUNCATE {tables} RESTART IDENTITY;
ALTER TABLE journal_entry ENABLE TRIGGER USER;
ALTER TABLE posting ENABLE TRIGGER USER;
ALTER TABLE account_month ENABLE TRIGGER USER;
"""

ENTRY_ADDED = """
CREATE OR REPLACE FUNCTION ledger_entry_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed date;
BEGIN
    SELECT min(month) INTO closed FROM lock_months(ARRAY(SELECT {date} FROM added))
    WHERE status = 'closed';
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'the month of % is closed', closed
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;{queue}
    RETURN NULL;
END $$;
"""
QUEUE = """
    INSERT INTO unsealed (entry_id) SELECT id FROM added ORDER BY id;"""

POSTINGS_ADDED = """
CREATE OR REPLACE FUNCTION ledger_postings_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad text;
BEGIN
    SELECT concat_ws(' ', 'entry', entry.entry_id, CASE
            WHEN header.id IS NULL THEN 'does not exist'
            WHEN entry.total <> 0 THEN 'is not balanced'
            WHEN entry.lines < 2 THEN 'has fewer than two postings'
            WHEN (header.{date}, header.{date}) <> (entry.first_day, entry.last_day)
                THEN 'has another date than its postings'
            ELSE 'is complete and takes no more postings'
        END) INTO bad
    FROM (
        SELECT entry_id, sum(amount_fen) AS total, count(*) AS lines,
            min({date}) AS first_day, max({date}) AS last_day
        FROM added GROUP BY entry_id
    ) AS entry
    LEFT JOIN journal_entry AS header ON header.id = entry.entry_id
    WHERE header.id IS NULL OR entry.total <> 0 OR entry.lines < 2
        OR (header.{date}, header.{date}) <> (entry.first_day, entry.last_day)
        OR entry.lines <> (SELECT count(*) FROM posting WHERE posting.entry_id = entry.entry_id)
    LIMIT 1;
    IF bad IS NULL THEN
        SELECT concat_ws(' ', 'account', used.account, 'is not in use') INTO bad
        FROM (SELECT DISTINCT account FROM added) AS used
        LEFT JOIN account ON account.code = used.account
        WHERE account.active IS NOT TRUE LIMIT 1;
    END IF;{more}
    IF bad IS NULL THEN
        SELECT concat_ws(' ', 'party', used.party, 'does not exist') INTO bad
        FROM (SELECT DISTINCT party FROM added WHERE party IS NOT NULL) AS used
        LEFT JOIN party ON party.code = used.party
        WHERE party.code IS NULL LIMIT 1;
    END IF;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION '%', bad USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    INSERT INTO account_month AS rollup (account, month, shard, debit_fen, credit_fen)
    SELECT account, date_trunc('month', {date}::timestamp)::date, pg_backend_pid() % 8,
        sum(greatest(amount_fen, 0)), sum(greatest(-amount_fen, 0))
    FROM added GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account, month, shard) DO UPDATE SET
        debit_fen = rollup.debit_fen + EXCLUDED.debit_fen,
        credit_fen = rollup.credit_fen + EXCLUDED.credit_fen;
    RETURN NULL;
END $$;
"""
OF_ONE_BOOK = """
    IF bad IS NULL THEN
        SELECT concat_ws(' ', 'account', used.account, 'is of another book than its entry')
        INTO bad
        FROM (
            SELECT DISTINCT added.account, header.book
            FROM added JOIN journal_entry AS header ON header.id = added.entry_id
        ) AS used
        JOIN account ON account.code = used.account
        WHERE account.book <> used.book LIMIT 1;
    END IF;"""
MIRRORED = """
    IF bad IS NULL THEN
        SELECT concat_ws(' ', 'entry', header.id, 'does not mirror the entry it reverses')
        INTO bad
        FROM (SELECT DISTINCT entry_id FROM added) AS entry
        JOIN journal_entry AS header ON header.id = entry.entry_id
        JOIN journal_entry AS reversed ON reversed.id = header.reverses_id
        WHERE header.book <> reversed.book OR EXISTS (
            SELECT FROM (SELECT * FROM posting WHERE entry_id = header.id) AS back
            FULL JOIN (SELECT * FROM posting WHERE entry_id = reversed.id) AS there USING (line)
            WHERE (back.account, back.party, back.amount_fen)
                IS DISTINCT FROM (there.account, there.party, -there.amount_fen)
        ) LIMIT 1;
    END IF;"""

SEALED = """
CREATE FUNCTION ledger_sealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM unsealed USING added WHERE unsealed.entry_id = added.entry_id;
    RETURN NULL;
END $$;
CREATE TRIGGER sealed AFTER INSERT ON entry_leaf REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_sealed();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON entry_leaf
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON day_seal
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON book
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON unsealed
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
CREATE TRIGGER only_kept_by_triggers BEFORE INSERT OR UPDATE OR DELETE ON unsealed
    FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse();
DROP TRIGGER identity_kept ON account;
CREATE TRIGGER identity_kept BEFORE UPDATE OF code, type, book, normal_side, restricted, parent
    ON account FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
"""

# What triggers do beside what was asked is done with the owner's rights: nobody else has them.
AS_OWNER = (
    "lock_months(date[])",
    "ledger_entry_added()",
    "ledger_entry_complete()",
    "ledger_postings_added()",
    "ledger_charge_raised()",
    "ledger_payment_received()",
    "ledger_topped_up()",
    "ledger_company_owes(text, text, bigint)",
    "ledger_sealed()",
)

APP, REPORTER = "huilin_app", "huilin_reporter"
ROLES = f"""
DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['{APP}', '{REPORTER}'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
                EXECUTE format('GRANT %I TO %I', wanted, current_user);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN
                    RAISE NOTICE 'role % is not there, and % may not create it', wanted,
                        current_user;
            END;
        END IF;
    END LOOP;
END $$;
"""
LEDGER = (
    *("book", "account", "period", "split_rule", "journal_entry", "posting", "account_month"),
    *("unsealed", "entry_leaf", "day_seal", "charge", "payment", "top_up", "receivable"),
    *("balance", "company_balance", "company_owed", "party", "accrual"),
)
# What of the ledger the app may do besides reading; FOR UPDATE needs the right to some column.
APPS_RIGHTS = {
    "journal_entry": "INSERT",
    "posting": "INSERT",
    "entry_leaf": "INSERT",
    "day_seal": "INSERT",
    "split_rule": "INSERT",
    "party": "INSERT",
    "accrual": "INSERT",
    "period": "INSERT, UPDATE (status)",
    "account": "UPDATE (active)",
    "charge": "INSERT, UPDATE (settled_at, set_aside_reason)",
    "payment": "INSERT, UPDATE (settled_at, set_aside_reason)",
    "top_up": "INSERT, UPDATE (settled_at, set_aside_reason)",
    "receivable": "UPDATE (moved_at)",
    "balance": "UPDATE (amount_fen)",
    "company_balance": "UPDATE (amount_fen)",
}

# As in 0002: a function's plans may be made while the tables are empty.
STEADY = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"


def upgrade() -> None:
    """Create books and their charts, queue entries for sealing, and post the journal anew."""
    op.drop_table("journal_seal")
    op.execute(ANEW.format(tables="posting, journal_entry, account_month"))
    _create_books()
    _create_chart()
    _change_journal()
    _create_seals()
    hold_by_row()
    op.execute(SEALED)
    op.execute(f"ALTER FUNCTION ledger_sealed() {STEADY}")
    for function in AS_OWNER:
        op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = public, pg_temp")
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")
    op.execute(ROLES)
    _grant()


def downgrade() -> None:
    """Take back what `upgrade` did; the journal is posted anew as it was before.

    The roles stay: other databases of the server may use them.
    """
    _revoke()
    for function in AS_OWNER:
        op.execute(f"ALTER FUNCTION {function} SECURITY INVOKER RESET search_path")
        op.execute(f"GRANT EXECUTE ON FUNCTION {function} TO PUBLIC")
    for table in ("day_seal", "entry_leaf", "unsealed"):
        op.drop_table(table)
    op.execute("DROP FUNCTION ledger_sealed()")
    op.execute(ANEW.format(tables="posting, journal_entry, account_month"))
    _replace(date="occurred_on", queue="", more="")
    op.drop_index("ix_journal_entry_posted_on", "journal_entry")
    op.create_index("ix_journal_entry_occurred_on", "journal_entry", ["occurred_on"])
    op.drop_column("journal_entry", "posted_on")
    op.drop_column("journal_entry", "book")
    _rename_date("posted_on", "occurred_on")
    op.execute("DROP TRIGGER identity_kept ON account")
    op.execute("ALTER TABLE account DISABLE TRIGGER USER")
    op.drop_constraint(op.f("fk_account_parent_account"), "account")
    codes = ", ".join(f"'{row[0]}'" for row in (*HEADINGS, *ACCOUNTS))
    op.execute(f"DELETE FROM account WHERE code IN ({codes}) OR book = 'provider'")  # noqa: S608
    op.execute("ALTER TABLE account ENABLE TRIGGER USER")
    for column in ("parent", "restricted", "normal_side", "book"):
        op.drop_column("account", column)
    op.execute("""
        CREATE TRIGGER identity_kept BEFORE UPDATE OF code, type ON account
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
    """)
    op.drop_table("book")
    op.create_table(
        "journal_seal",
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("entry_id", sa.BigInteger(), nullable=False),
        sa.Column("previous_hash", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_journal_seal_entry_id_journal_entry")
        ),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_journal_seal")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_journal_seal_entry_id")),
    )
    op.execute("""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal_seal
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
    """)


# A table of one's own may carry triggers, and what triggers do is not refused to them.
NO_TEMPORARY_TABLES = """
DO $$
BEGIN
    EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database());
EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'only the owner of the database may forbid temporary tables';
END $$
"""


def _grant() -> None:
    """Give the roles that are there the least that they need; the ledger's tables come last."""
    ledger = ", ".join(LEDGER)
    op.execute(NO_TEMPORARY_TABLES)
    if _is_there(APP):
        op.execute(f"""
            GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {APP};
            REVOKE INSERT, UPDATE, DELETE ON {ledger} FROM {APP};
            GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP};
            GRANT EXECUTE ON FUNCTION lock_months(date[]) TO {APP};
            ALTER DEFAULT PRIVILEGES IN SCHEMA public
                GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {APP};
            ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO {APP}
        """)
        for table, rights in APPS_RIGHTS.items():
            op.execute(f"GRANT {rights} ON {table} TO {APP}")
        op.execute(f"REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM {APP}")
    if _is_there(REPORTER):
        op.execute(f"GRANT SELECT ON {ledger} TO {REPORTER}")


def _is_there(role: str) -> bool:
    found = op.get_bind().exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{role}'")
    return found.first() is not None


def _revoke() -> None:
    if _is_there(APP):
        op.execute(f"""
            ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM {APP};
            ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {APP};
            REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {APP};
            REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM {APP};
            REVOKE ALL ON FUNCTION lock_months(date[]) FROM {APP}
        """)
    if _is_there(REPORTER):
        op.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {REPORTER}")


def hold_by_row() -> None:
    """Guard entries and postings as books of their own need it."""
    _replace(date="posted_on", queue=QUEUE, more=OF_ONE_BOOK + MIRRORED)


def _replace(*, date: str, queue: str, more: str) -> None:
    op.execute(ENTRY_ADDED.format(date=date, queue=queue))
    op.execute(POSTINGS_ADDED.format(date=date, more=more))
    for function in ("ledger_entry_added", "ledger_postings_added"):
        op.execute(f"ALTER FUNCTION {function} {STEADY}")


def _create_books() -> None:
    book = op.create_table(
        "book",
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("name_zh", sa.String(64), nullable=False),
        sa.Column("name_en", sa.String(64), nullable=False),
        sa.Column(
            "regime", sa.String(16), nullable=False, comment="by which accounting rules it is kept"
        ),
        sa.CheckConstraint(
            "regime IN ('owners', 'nonprofit', 'enterprise')", name=op.f("ck_book_regime")
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_book")),
    )
    names = ("code", "name_zh", "name_en", "regime")
    op.bulk_insert(book, [dict(zip(names, row, strict=True)) for row in BOOKS])


def _create_chart() -> None:
    op.add_column("account", sa.Column("book", sa.String(16), nullable=True))
    op.add_column(
        "account",
        sa.Column(
            "normal_side", sa.String(8), nullable=True, comment="the side its balance falls on"
        ),
    )
    op.add_column(
        "account",
        sa.Column(
            "restricted",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="given for a purpose only",
        ),
    )
    op.add_column("account", sa.Column("parent", sa.String(16), nullable=True))
    op.bulk_insert(
        _account_table(), [_account(*row, None, False, active=False) for row in HEADINGS]
    )
    op.execute(CHART)
    op.bulk_insert(_account_table(), [_account(*row) for row in ACCOUNTS])
    op.alter_column("account", "book", nullable=False)
    op.alter_column("account", "normal_side", nullable=False)
    op.create_foreign_key(op.f("fk_account_book_book"), "account", "book", ["book"], ["code"])
    op.create_foreign_key(
        op.f("fk_account_parent_account"), "account", "account", ["parent"], ["code"]
    )
    op.create_check_constraint(
        op.f("ck_account_normal_side"), "account", "normal_side IN ('debit', 'credit')"
    )


def _account_table() -> sa.TableClause:
    names = "code name_zh name_en type book parent restricted normal_side active"
    return sa.table("account", *map(sa.column, names.split()))


def _account(
    code: str,
    zh: str,
    en: str,
    type_: str,
    book: str,
    parent: str | None,
    restricted: bool,
    *,
    active: bool = True,
) -> dict[str, object]:
    return {
        "code": code,
        "name_zh": zh,
        "name_en": en,
        "type": type_,
        "book": book,
        "parent": parent,
        "restricted": restricted,
        "normal_side": "debit" if type_ in {"asset", "expense"} else "credit",
        "active": active,
    }


def _change_journal() -> None:
    op.add_column("journal_entry", sa.Column("book", sa.String(16), nullable=False))
    op.add_column(
        "journal_entry",
        sa.Column(
            "posted_on",
            sa.Date(),
            nullable=False,
            comment="the accounting date: later than occurred_on when that month was closed",
        ),
    )
    op.create_foreign_key(
        op.f("fk_journal_entry_book_book"), "journal_entry", "book", ["book"], ["code"]
    )
    op.create_check_constraint(
        op.f("ck_journal_entry_posted_on"), "journal_entry", "posted_on >= occurred_on"
    )
    op.drop_index("ix_journal_entry_occurred_on", "journal_entry")
    op.create_index("ix_journal_entry_posted_on", "journal_entry", ["posted_on"])
    _rename_date("occurred_on", "posted_on")


def _rename_date(old: str, new: str) -> None:
    op.alter_column("posting", old, new_column_name=new)
    for column in ("account", "party"):
        op.execute(f"ALTER INDEX ix_posting_{column}_{old} RENAME TO ix_posting_{column}_{new}")


def _create_seals() -> None:
    op.create_table(
        "unsealed",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_unsealed")),
    )
    op.create_table(
        "entry_leaf",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("book", sa.String(16), nullable=False),
        sa.Column(
            "day",
            sa.Date(),
            nullable=False,
            comment="of recording, in UTC; the next open one when that was sealed",
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("leaf", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["journal_entry.id"], name=op.f("fk_entry_leaf_entry_id_journal_entry")
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_entry_leaf")),
        sa.UniqueConstraint(
            "book", "day", "position", name=op.f("uq_entry_leaf_book_day_position")
        ),
    )
    op.create_table(
        "day_seal",
        sa.Column("book", sa.String(16), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("previous", sa.LargeBinary(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["book"], ["book.code"], name=op.f("fk_day_seal_book_book")),
        sa.PrimaryKeyConstraint("book", "day", name=op.f("pk_day_seal")),
    )
