"""The ledger: charges, payments, journal, and the triggers that hold its invariants."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = (
    "journal_seal",
    "account_month",
    "posting",
    "journal_entry",
    "period",
    "split_rule",
    "balance",
    "top_up",
    "payment",
    "receivable",
    "charge",
    "party",
    "account",
)

ACCOUNTS = (
    ("1001", "库存现金", "Cash on hand", "asset"),
    ("1002", "银行存款", "Cash at bank", "asset"),
    ("1121", "应收使用费", "Fees receivable", "asset"),
    ("2203", "预收款-居民余额", "Residents' prepaid balances", "liability"),
    ("220901", "应付业主分成", "Payable to owners of spaces", "liability"),
    ("220902", "应付物业公司", "Payable to the property company", "liability"),
    ("3101", "非限定性净资产", "Unrestricted net assets", "equity"),
    ("3102", "限定性净资产", "Restricted net assets", "equity"),
    ("430101", "停车收入", "Parking income", "income"),
    ("430102", "电动自行车车位收入", "E-bike spot income", "income"),
    ("430103", "快递柜收入", "Parcel locker income", "income"),
    ("430104", "超时占用收入", "Overstay income", "income"),
    ("510101", "项目支出", "Programme expenses", "expense"),
)

GUARDS = """
CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: the ledger only adds', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION ledger_keep_source() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    settled record;
BEGIN
    settled := OLD;
    settled.settled_at := NEW.settled_at;
    settled.set_aside_reason := NEW.set_aside_reason;
    IF settled *<> NEW
        OR (OLD.settled_at IS NOT NULL AND NEW.settled_at IS DISTINCT FROM OLD.settled_at)
    THEN
        RAISE EXCEPTION '% % is never edited', TG_TABLE_NAME, OLD.id
            USING ERRCODE = 'restrict_violation', HINT = 'Correct it by a row that names it.';
    END IF;
    RETURN NEW;
END $$;
"""

SOURCES = """
CREATE FUNCTION ledger_unsettled_at_birth() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'only settlement settles a %', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION ledger_charge_raised() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'fee' THEN
        INSERT INTO receivable
            (source, source_id, household_id, charged_fen, paid_fen, charged_at, moved_at)
        VALUES (NEW.source, NEW.source_id, NEW.household_id, NEW.amount_fen, 0,
            NEW.occurred_at, NEW.occurred_at);
        RETURN NULL;
    END IF;
    PERFORM 1 FROM charge fee
    WHERE fee.id = NEW.corrects_id AND fee.kind = 'fee'
        AND (fee.source, fee.source_id, fee.income) = (NEW.source, NEW.source_id, NEW.income)
        AND fee.household_id IS NOT DISTINCT FROM NEW.household_id
        AND fee.owner_household_id IS NOT DISTINCT FROM NEW.owner_household_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a % names the fee of its own source, debtor and owner', NEW.kind
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    UPDATE receivable SET charged_fen = charged_fen + NEW.amount_fen,
        charged_at = greatest(charged_at, NEW.occurred_at),
        moved_at = greatest(moved_at, NEW.occurred_at)
    WHERE source = NEW.source AND source_id = NEW.source_id;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_payment_received() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE receivable SET paid_fen = paid_fen + NEW.amount_fen,
        moved_at = greatest(moved_at, NEW.occurred_at)
    WHERE source = NEW.source AND source_id = NEW.source_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing was charged for % %', NEW.source, NEW.source_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF NEW.method = 'balance' THEN
        UPDATE balance SET amount_fen = amount_fen - NEW.amount_fen
        WHERE household_id = NEW.household_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'household % has no balance', NEW.household_id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_topped_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO balance (household_id, amount_fen) VALUES (NEW.household_id, NEW.amount_fen)
    ON CONFLICT (household_id)
        DO UPDATE SET amount_fen = balance.amount_fen + EXCLUDED.amount_fen;
    RETURN NULL;
END $$;
"""

JOURNAL = """
CREATE FUNCTION lock_months(days date[]) RETURNS SETOF period LANGUAGE plpgsql AS $$
DECLARE
    months date[] := ARRAY(
        SELECT DISTINCT date_trunc('month', day::timestamp)::date
        FROM unnest(days) AS day ORDER BY 1
    );
BEGIN
    INSERT INTO period (month) SELECT unnest(months) ON CONFLICT DO NOTHING;
    RETURN QUERY SELECT * FROM period WHERE month = ANY (months) ORDER BY month FOR SHARE;
END $$;
COMMENT ON FUNCTION lock_months IS
    'The months of these days, held so that none can close before this transaction ends.';

CREATE FUNCTION ledger_entry_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    closed date;
BEGIN
    SELECT min(month) INTO closed FROM lock_months(ARRAY(SELECT occurred_on FROM added))
    WHERE status = 'closed';
    IF closed IS NOT NULL THEN
        RAISE EXCEPTION 'the month of % is closed', closed
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_entry_complete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM posting WHERE entry_id = NEW.id) THEN
        RAISE EXCEPTION 'entry % has no postings', NEW.id
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION ledger_postings_added() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad text;
BEGIN
    SELECT concat_ws(' ', 'entry', entry.entry_id, CASE
            WHEN header.id IS NULL THEN 'does not exist'
            WHEN entry.total <> 0 THEN 'is not balanced'
            WHEN entry.lines < 2 THEN 'has fewer than two postings'
            WHEN (header.occurred_on, header.occurred_on) <> (entry.first_day, entry.last_day)
                THEN 'has another date than its postings'
            ELSE 'is complete and takes no more postings'
        END) INTO bad
    FROM (
        SELECT entry_id, sum(amount_fen) AS total, count(*) AS lines,
            min(occurred_on) AS first_day, max(occurred_on) AS last_day
        FROM added GROUP BY entry_id
    ) AS entry
    LEFT JOIN journal_entry AS header ON header.id = entry.entry_id
    WHERE header.id IS NULL OR entry.total <> 0 OR entry.lines < 2
        OR (header.occurred_on, header.occurred_on) <> (entry.first_day, entry.last_day)
        OR entry.lines <> (SELECT count(*) FROM posting WHERE posting.entry_id = entry.entry_id)
    LIMIT 1;
    IF bad IS NULL THEN
        SELECT concat_ws(' ', 'account', used.account, 'is not in use') INTO bad
        FROM (SELECT DISTINCT account FROM added) AS used
        LEFT JOIN account ON account.code = used.account
        WHERE account.active IS NOT TRUE LIMIT 1;
    END IF;
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
    SELECT account, date_trunc('month', occurred_on::timestamp)::date, pg_backend_pid() % 8,
        sum(greatest(amount_fen, 0)), sum(greatest(-amount_fen, 0))
    FROM added GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (account, month, shard) DO UPDATE SET
        debit_fen = rollup.debit_fen + EXCLUDED.debit_fen,
        credit_fen = rollup.credit_fen + EXCLUDED.credit_fen;
    RETURN NULL;
END $$;

CREATE TRIGGER entry_added AFTER INSERT ON journal_entry REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_entry_added();
CREATE CONSTRAINT TRIGGER entry_complete AFTER INSERT ON journal_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_entry_complete();
CREATE TRIGGER postings_added AFTER INSERT ON posting REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_postings_added();
"""

# A function's plans stay with the connection that made them, perhaps while the tables were
# empty; these settings leave the planner nothing but the indexes, whatever it believed.
STEADY = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
PLANNED = (
    "ledger_charge_raised",
    "ledger_payment_received",
    "ledger_topped_up",
    "ledger_entry_added",
    "ledger_entry_complete",
    "ledger_postings_added",
)
TRIGGERED = (*PLANNED, "ledger_refuse", "ledger_keep_source", "ledger_unsettled_at_birth")


def upgrade() -> None:
    """Create the ledger's tables, chart of accounts and guards."""
    _create_chart()
    _create_sources()
    _create_journal()
    op.execute(GUARDS)
    op.execute(SOURCES)
    op.execute(JOURNAL)
    for function in (*PLANNED, "lock_months"):
        op.execute(f"ALTER FUNCTION {function} {STEADY}")
    for table, added in (
        ("charge", "ledger_charge_raised"),
        ("payment", "ledger_payment_received"),
        ("top_up", "ledger_topped_up"),
    ):
        op.execute(f"""
            CREATE TRIGGER added AFTER INSERT ON {table}
                FOR EACH ROW EXECUTE FUNCTION {added}();
            CREATE TRIGGER unsettled BEFORE INSERT ON {table} FOR EACH ROW
                WHEN (NEW.settled_at IS NOT NULL)
                EXECUTE FUNCTION ledger_unsettled_at_birth();
            CREATE TRIGGER kept BEFORE UPDATE ON {table}
                FOR EACH ROW EXECUTE FUNCTION ledger_keep_source();
        """)
    _refuse("DELETE OR TRUNCATE", "charge", "payment", "top_up", "period", "party", "account")
    _refuse("UPDATE OF code, type", "account", name="identity_kept")
    _refuse("UPDATE", "party", name="identity_kept")
    _refuse("UPDATE OF month", "period", name="identity_kept")
    _refuse(
        "UPDATE OR DELETE OR TRUNCATE", "split_rule", "journal_entry", "posting", "journal_seal"
    )
    for table in ("receivable", "balance", "account_month"):
        _refuse("TRUNCATE", table, name="not_emptied")
        op.execute(f"""
            CREATE TRIGGER only_kept_by_triggers BEFORE INSERT OR UPDATE OR DELETE ON {table}
                FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
                EXECUTE FUNCTION ledger_refuse()
        """)


def downgrade() -> None:
    """Drop what `upgrade` created."""
    op.execute("DROP FUNCTION lock_months")
    for table in TABLES:
        op.drop_table(table)
    for function in TRIGGERED:
        op.execute(f"DROP FUNCTION {function}")


def _refuse(what: str, *tables: str, name: str = "append_only") -> None:
    for table in tables:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {what} ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()"
        )


def _create_chart() -> None:
    account = op.create_table(
        "account",
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("name_zh", sa.String(64), nullable=False),
        sa.Column("name_en", sa.String(64), nullable=False),
        sa.Column("type", sa.String(16), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint(
            "type IN ('asset', 'liability', 'equity', 'income', 'expense')",
            name=op.f("ck_account_type"),
        ),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_account")),
    )
    names = ("code", "name_zh", "name_en", "type")
    op.bulk_insert(account, [dict(zip(names, row, strict=True)) for row in ACCOUNTS])
    party = op.create_table(
        "party",
        sa.Column("code", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "name", sa.String(64), nullable=True, comment="of a company; a household has its own"
        ),
        sa.CheckConstraint("kind IN ('household', 'company')", name=op.f("ck_party_kind")),
        sa.CheckConstraint(
            "(kind = 'household') = (household_id IS NOT NULL)", name=op.f("ck_party_household")
        ),
        sa.CheckConstraint("(kind = 'company') = (name IS NOT NULL)", name=op.f("ck_party_name")),
        _to_household("party"),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_party")),
        sa.UniqueConstraint("household_id", name=op.f("uq_party_household_id")),
    )
    company = {"code": "company:property", "kind": "company", "name": "物业公司"}
    op.bulk_insert(party, [company])
    op.create_table(
        "split_rule",
        _id(),
        sa.Column("income", sa.String(32), nullable=False),
        sa.Column("ownership", sa.String(16), nullable=False),
        sa.Column("micro_fund", sa.Integer(), nullable=False),
        sa.Column("property", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column(
            "decided_by", sa.String(256), nullable=False, comment="the vote or contract behind it"
        ),
        _instant("recorded_at"),
        sa.CheckConstraint(
            "ownership IN ('community', 'private')", name=op.f("ck_split_rule_ownership")
        ),
        sa.CheckConstraint(
            "micro_fund >= 0 AND property >= 0 AND owner >= 0",
            name=op.f("ck_split_rule_weights"),
        ),
        sa.CheckConstraint(
            "micro_fund + property + owner > 0",
            name=op.f("ck_split_rule_whole"),
        ),
        sa.CheckConstraint("owner = 0 OR ownership = 'private'", name=op.f("ck_split_rule_owner")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_split_rule")),
    )
    op.create_table(
        "period",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("status", sa.String(16), server_default="open", nullable=False),
        sa.CheckConstraint(
            "status IN ('open', 'closing', 'closed')", name=op.f("ck_period_status")
        ),
        sa.CheckConstraint("EXTRACT(day FROM month) = 1", name=op.f("ck_period_month")),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_period")),
    )


def _create_sources() -> None:
    op.create_table(
        "charge",
        _id(),
        sa.Column("kind", sa.String(16), nullable=False),
        *_source_columns(),
        sa.Column("income", sa.String(32), nullable=False),
        _household("who owes, when known"),
        sa.Column(
            "owner_household_id",
            sa.BigInteger(),
            nullable=True,
            comment="who owns the place; null: the community",
        ),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("corrects_id", sa.BigInteger(), nullable=True),
        _instant("occurred_at"),
        _instant("recorded_at"),
        sa.Column("lines", JSONB(), nullable=False, comment="how the amount came about"),
        *_settled_columns(),
        sa.CheckConstraint("kind IN ('fee', 'supplement', 'credit')", name=op.f("ck_charge_kind")),
        sa.CheckConstraint(
            "amount_fen <> 0 AND (amount_fen < 0) = (kind = 'credit')",
            name=op.f("ck_charge_amount"),
        ),
        sa.CheckConstraint(
            "(kind = 'fee') = (corrects_id IS NULL)", name=op.f("ck_charge_corrects")
        ),
        _settled_once("charge"),
        _to_household("charge"),
        _to_household("charge", "owner_household_id"),
        sa.ForeignKeyConstraint(
            ["corrects_id"], ["charge.id"], name=op.f("fk_charge_corrects_id_charge")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge")),
    )
    op.create_index(
        "uq_charge_fee",
        "charge",
        ["source", "source_id"],
        unique=True,
        postgresql_where=sa.text("kind = 'fee'"),
    )
    op.create_index(
        "ix_charge_corrects_id",
        "charge",
        ["corrects_id"],
        postgresql_where=sa.text("kind <> 'fee'"),
    )
    op.create_table(
        "receivable",
        *_source_columns(),
        _household(None),
        sa.Column("charged_fen", sa.BigInteger(), nullable=False),
        sa.Column("paid_fen", sa.BigInteger(), nullable=False),
        _instant("charged_at", comment="the newest charge"),
        _instant("moved_at", comment="the newest charge or payment"),
        sa.CheckConstraint(
            "0 <= paid_fen AND paid_fen <= charged_fen", name=op.f("ck_receivable_paid")
        ),
        _to_household("receivable"),
        sa.PrimaryKeyConstraint("source", "source_id", name=op.f("pk_receivable")),
    )
    op.create_table(
        "payment",
        _id(),
        *_source_columns(),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        _household("whose payment it is, when known"),
        sa.Column("received_by", sa.BigInteger(), nullable=True, comment="who took the cash"),
        sa.Column("status", sa.String(16), server_default="succeeded", nullable=False),
        _instant("occurred_at"),
        _instant("recorded_at"),
        *_settled_columns(),
        sa.CheckConstraint("method IN ('cash', 'balance')", name=op.f("ck_payment_method")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payment_amount")),
        sa.CheckConstraint("status = 'succeeded'", name=op.f("ck_payment_status")),
        sa.CheckConstraint(
            "method <> 'balance' OR household_id IS NOT NULL",
            name=op.f("ck_payment_balance_payer"),
        ),
        sa.CheckConstraint(
            "method <> 'cash' OR received_by IS NOT NULL", name=op.f("ck_payment_cash_taker")
        ),
        _settled_once("payment"),
        _to_household("payment"),
        sa.ForeignKeyConstraint(
            ["received_by"], ["person.id"], name=op.f("fk_payment_received_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment")),
    )
    op.create_index("ix_payment_source_source_id", "payment", ["source", "source_id"])
    op.create_table(
        "top_up",
        _id(),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("received_by", sa.BigInteger(), nullable=False),
        _instant("occurred_at"),
        _instant("recorded_at"),
        *_settled_columns(),
        sa.CheckConstraint("method = 'cash'", name=op.f("ck_top_up_method")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_top_up_amount")),
        _settled_once("top_up"),
        _to_household("top_up"),
        sa.ForeignKeyConstraint(
            ["received_by"], ["person.id"], name=op.f("fk_top_up_received_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_top_up")),
    )
    op.create_index("ix_top_up_household_id", "top_up", ["household_id"])
    op.create_table(
        "balance",
        sa.Column("household_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name=op.f("ck_balance_amount")),
        _to_household("balance"),
        sa.PrimaryKeyConstraint("household_id", name=op.f("pk_balance")),
    )
    for table in ("charge", "payment", "top_up"):
        op.create_index(
            f"ix_{table}_to_settle",
            table,
            ["id"],
            postgresql_where=sa.text("settled_at IS NULL"),
        )
    for table in ("charge", "receivable", "payment"):
        op.create_index(
            f"ix_{table}_household_id",
            table,
            ["household_id"],
            postgresql_where=sa.text("household_id IS NOT NULL"),
        )


def _create_journal() -> None:
    op.create_table(
        "journal_entry",
        _id(),
        *_source_columns(),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column(
            "fingerprint",
            sa.LargeBinary(),
            nullable=False,
            comment="SHA-256 of the content, to tell a repeat from a contradiction",
        ),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        _instant("recorded_at"),
        sa.Column("memo", sa.String(256), nullable=False),
        sa.Column("split_rule_id", sa.BigInteger(), nullable=True),
        sa.Column("reverses_id", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(
            ["split_rule_id"],
            ["split_rule.id"],
            name=op.f("fk_journal_entry_split_rule_id_split_rule"),
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"],
            ["journal_entry.id"],
            name=op.f("fk_journal_entry_reverses_id_journal_entry"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_journal_entry")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_journal_entry_reverses_id")),
        sa.UniqueConstraint(
            "source",
            "source_id",
            "purpose",
            name=op.f("uq_journal_entry_source_source_id_purpose"),
        ),
    )
    op.create_index("ix_journal_entry_occurred_on", "journal_entry", ["occurred_on"])
    op.create_table(
        "posting",
        sa.Column("entry_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("party", sa.String(64), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("occurred_on", sa.Date(), nullable=False),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_posting_amount")),
        sa.PrimaryKeyConstraint("entry_id", "line", name=op.f("pk_posting")),
    )
    op.create_index(
        "ix_posting_account_occurred_on",
        "posting",
        ["account", "occurred_on"],
        postgresql_include=["amount_fen"],
    )
    op.create_index(
        "ix_posting_party_occurred_on",
        "posting",
        ["party", "occurred_on"],
        postgresql_where=sa.text("party IS NOT NULL"),
    )
    op.create_table(
        "account_month",
        sa.Column("account", sa.String(16), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("debit_fen", sa.BigInteger(), nullable=False),
        sa.Column("credit_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account", "month", "shard", name=op.f("pk_account_month")),
    )
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


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)


def _instant(name: str, *, nullable: bool = False, comment: str | None = None) -> sa.Column[object]:
    return sa.Column(name, sa.DateTime(timezone=True), nullable=nullable, comment=comment)


def _source_columns() -> tuple[sa.Column[str], sa.Column[int]]:
    return (
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, nullable=False),
    )


def _household(comment: str | None) -> sa.Column[int]:
    return sa.Column("household_id", sa.BigInteger(), nullable=True, comment=comment)


def _settled_columns() -> tuple[sa.Column[object], sa.Column[str]]:
    return (
        _instant("settled_at", nullable=True),
        sa.Column(
            "set_aside_reason",
            sa.String(64),
            nullable=True,
            comment="why settlement could not post it",
        ),
    )


def _settled_once(table: str) -> sa.CheckConstraint:
    return sa.CheckConstraint(
        "settled_at IS NULL OR set_aside_reason IS NULL", name=op.f(f"ck_{table}_settled_once")
    )


def _to_household(table: str, column: str = "household_id") -> sa.ForeignKeyConstraint:
    name = op.f(f"fk_{table}_{column}_household")
    return sa.ForeignKeyConstraint([column], ["household.id"], name=name)
