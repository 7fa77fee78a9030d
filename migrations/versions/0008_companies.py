"""Companies as debtors and prepayers; couriers, their companies, rates and site contracts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

ACCOUNTS = (
    ("220302", "预收款-公司余额", "Companies' prepaid balances", "liability"),
    ("430108", "快递投柜费收入", "Courier deposit fee income", "income"),
    ("430109", "场地租金收入", "Site rent income", "income"),
    ("430110", "快递柜分成收入", "Locker commission income", "income"),
)

NEW_TABLES = (
    "courier_statement",
    "accrual",
    "site_contract",
    "deposit_rate",
    "courier",
    "courier_company",
    "company_owed",
    "company_balance",
)

ROLES = "'resident', 'operator', 'finance', 'auditor', 'admin'"

# As account_month: shards, so that who charges one company does not queue.
COMPANY_OWES = """
CREATE FUNCTION ledger_company_owes(debtor text, kind text, more_fen bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO company_owed (company, source, shard, owed_fen)
    VALUES (debtor, kind, pg_backend_pid() % 8, more_fen)
    ON CONFLICT (company, source, shard)
        DO UPDATE SET owed_fen = company_owed.owed_fen + EXCLUDED.owed_fen;
END $$
"""

CHARGE_RAISED = """
CREATE OR REPLACE FUNCTION ledger_charge_raised() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.kind = 'fee' THEN
        INSERT INTO receivable
            (source, source_id, household_id, company, charged_fen, paid_fen, charged_at, moved_at)
        VALUES (NEW.source, NEW.source_id, NEW.household_id, NEW.company, NEW.amount_fen, 0,
            NEW.occurred_at, NEW.occurred_at);
        IF NEW.company IS NOT NULL THEN
            PERFORM ledger_company_owes(NEW.company, NEW.source, NEW.amount_fen);
        END IF;
        RETURN NULL;
    END IF;
    PERFORM 1 FROM charge fee
    WHERE fee.id = NEW.corrects_id AND fee.kind = 'fee'
        AND (fee.source, fee.source_id, fee.income) = (NEW.source, NEW.source_id, NEW.income)
        AND fee.household_id IS NOT DISTINCT FROM NEW.household_id
        AND fee.company IS NOT DISTINCT FROM NEW.company
        AND fee.owner_household_id IS NOT DISTINCT FROM NEW.owner_household_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'a % names the fee of its own source, debtor and owner', NEW.kind
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    UPDATE receivable SET charged_fen = charged_fen + NEW.amount_fen,
        charged_at = greatest(charged_at, NEW.occurred_at),
        moved_at = greatest(moved_at, NEW.occurred_at)
    WHERE source = NEW.source AND source_id = NEW.source_id;
    IF NEW.company IS NOT NULL THEN
        PERFORM ledger_company_owes(NEW.company, NEW.source, NEW.amount_fen);
    END IF;
    RETURN NULL;
END $$
"""

PAYMENT_RECEIVED = """
CREATE OR REPLACE FUNCTION ledger_payment_received() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    debtor text;
BEGIN
    UPDATE receivable SET paid_fen = paid_fen + NEW.amount_fen,
        moved_at = greatest(moved_at, NEW.occurred_at)
    WHERE source = NEW.source AND source_id = NEW.source_id
    RETURNING company INTO debtor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing was charged for % %', NEW.source, NEW.source_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF debtor IS NOT NULL THEN
        PERFORM ledger_company_owes(debtor, NEW.source, -NEW.amount_fen);
    END IF;
    IF NEW.method = 'balance' AND NEW.company IS NOT NULL THEN
        UPDATE company_balance SET amount_fen = amount_fen - NEW.amount_fen
        WHERE company = NEW.company;
        IF NOT FOUND THEN
            RAISE EXCEPTION '% has no balance', NEW.company USING ERRCODE = 'check_violation';
        END IF;
    ELSIF NEW.method = 'balance' THEN
        UPDATE balance SET amount_fen = amount_fen - NEW.amount_fen
        WHERE household_id = NEW.household_id;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'household % has no balance', NEW.household_id
                USING ERRCODE = 'check_violation';
        END IF;
    END IF;
    RETURN NULL;
END $$
"""

TOPPED_UP = """
CREATE OR REPLACE FUNCTION ledger_topped_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.company IS NOT NULL THEN
        INSERT INTO company_balance (company, amount_fen) VALUES (NEW.company, NEW.amount_fen)
        ON CONFLICT (company)
            DO UPDATE SET amount_fen = company_balance.amount_fen + EXCLUDED.amount_fen;
    ELSE
        INSERT INTO balance (household_id, amount_fen) VALUES (NEW.household_id, NEW.amount_fen)
        ON CONFLICT (household_id)
            DO UPDATE SET amount_fen = balance.amount_fen + EXCLUDED.amount_fen;
    END IF;
    RETURN NULL;
END $$
"""

# As of 0002, for the way back.
CHARGE_RAISED_BEFORE = """
CREATE OR REPLACE FUNCTION ledger_charge_raised() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$
"""

PAYMENT_RECEIVED_BEFORE = """
CREATE OR REPLACE FUNCTION ledger_payment_received() RETURNS trigger LANGUAGE plpgsql AS $$
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
END $$
"""

TOPPED_UP_BEFORE = """
CREATE OR REPLACE FUNCTION ledger_topped_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO balance (household_id, amount_fen) VALUES (NEW.household_id, NEW.amount_fen)
    ON CONFLICT (household_id)
        DO UPDATE SET amount_fen = balance.amount_fen + EXCLUDED.amount_fen;
    RETURN NULL;
END $$
"""

FUNCTIONS = ("ledger_charge_raised", "ledger_payment_received", "ledger_topped_up")
# As in 0002: replacing a function forgets its settings.
STEADY = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"

# What a company owes is found by a column of its own, null for everybody else: an index over
# paid_fen itself would keep every payment at a gate from being a heap-only update.
OWED_BY = "CASE WHEN charged_fen > paid_fen THEN company ELSE NULL::character varying END"


def upgrade() -> None:
    """Let companies owe, prepay and pay; create couriers, their companies and contracts."""
    names = ("code", "name_zh", "name_en", "type")
    account = sa.table("account", *map(sa.column, names))
    op.bulk_insert(account, [dict(zip(names, row, strict=True)) for row in ACCOUNTS])
    _allow_roles(ROLES + ", 'courier'")
    _let_companies_owe()
    _create_companies()
    _create_contracts()
    op.execute(COMPANY_OWES)
    op.execute(f"ALTER FUNCTION ledger_company_owes {STEADY}")
    _replace_functions(CHARGE_RAISED, PAYMENT_RECEIVED, TOPPED_UP)
    for table in ("company_balance", "company_owed"):
        op.execute(f"""
            CREATE TRIGGER not_emptied BEFORE TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
            CREATE TRIGGER only_kept_by_triggers BEFORE INSERT OR UPDATE OR DELETE ON {table}
                FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0)
                EXECUTE FUNCTION ledger_refuse()
        """)
    op.execute("""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON accrual
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
    """)


def downgrade() -> None:
    """Take back what `upgrade` did; refused while a company has paid in or a courier signs in."""
    _replace_functions(CHARGE_RAISED_BEFORE, PAYMENT_RECEIVED_BEFORE, TOPPED_UP_BEFORE)
    op.execute("DROP FUNCTION ledger_company_owes")
    for table in NEW_TABLES:
        op.drop_table(table)
    op.drop_index("ix_receivable_owed_by_charged_at", "receivable")
    op.drop_column("receivable", "owed_by")
    op.drop_constraint(op.f("ck_top_up_one_balance"), "top_up")
    op.drop_constraint(op.f("ck_payment_balance_payer"), "payment")
    op.create_check_constraint(
        op.f("ck_payment_balance_payer"),
        "payment",
        "method <> 'balance' OR household_id IS NOT NULL",
    )
    for table in ("charge", "receivable", "payment", "top_up"):
        op.drop_column(table, "company")
    op.alter_column("top_up", "household_id", nullable=False)
    _allow_roles(ROLES)
    op.execute("ALTER TABLE account DISABLE TRIGGER append_only")
    op.execute("DELETE FROM account WHERE code IN ('220302', '430108', '430109', '430110')")
    op.execute("ALTER TABLE account ENABLE TRIGGER append_only")


def _allow_roles(roles: str) -> None:
    op.drop_constraint(op.f("ck_person_role"), "person")
    op.create_check_constraint(op.f("ck_person_role"), "person", f"role IN ({roles})")


def _replace_functions(*definitions: str) -> None:
    for definition in definitions:
        op.execute(definition)
    for function in FUNCTIONS:
        op.execute(f"ALTER FUNCTION {function} {STEADY}")


def _let_companies_owe() -> None:
    for table, comment in (
        ("charge", "the company that owes, instead of a household"),
        ("receivable", None),
        ("payment", "the company whose payment it is, instead of a household"),
        ("top_up", "the company whose cash it is, instead of a household"),
    ):
        op.add_column(table, sa.Column("company", sa.String(64), nullable=True, comment=comment))
        op.create_foreign_key(
            op.f(f"fk_{table}_company_party"), table, "party", ["company"], ["code"]
        )
    for table, name in (
        ("charge", "one_debtor"),
        ("receivable", "one_debtor"),
        ("payment", "one_payer"),
    ):
        op.create_check_constraint(
            op.f(f"ck_{table}_{name}"), table, "household_id IS NULL OR company IS NULL"
        )
    op.drop_constraint(op.f("ck_payment_balance_payer"), "payment")
    op.create_check_constraint(
        op.f("ck_payment_balance_payer"),
        "payment",
        "method <> 'balance' OR household_id IS NOT NULL OR company IS NOT NULL",
    )
    op.alter_column("top_up", "household_id", nullable=True)
    op.create_check_constraint(
        op.f("ck_top_up_one_balance"), "top_up", "(household_id IS NULL) <> (company IS NULL)"
    )
    op.add_column(
        "receivable",
        sa.Column(
            "owed_by",
            sa.String(64),
            sa.Computed(OWED_BY, persisted=True),
            nullable=True,
            comment="the company, while something is unpaid",
        ),
    )
    op.create_index(
        "ix_receivable_owed_by_charged_at",
        "receivable",
        ["owed_by", "charged_at"],
        postgresql_where=sa.text("owed_by IS NOT NULL"),
    )
    for table in ("charge", "payment", "top_up"):
        op.create_index(
            f"ix_{table}_company_occurred_at",
            table,
            ["company", "occurred_at"],
            postgresql_where=sa.text("company IS NOT NULL"),
        )
    op.create_table(
        "company_balance",
        sa.Column("company", sa.String(64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name=op.f("ck_company_balance_amount")),
        sa.ForeignKeyConstraint(
            ["company"], ["party.code"], name=op.f("fk_company_balance_company_party")
        ),
        sa.PrimaryKeyConstraint("company", name=op.f("pk_company_balance")),
    )
    op.create_table(
        "company_owed",
        sa.Column("company", sa.String(64), nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("shard", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("owed_fen", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("company", "source", "shard", name=op.f("pk_company_owed")),
    )


def _create_companies() -> None:
    op.create_table(
        "courier_company",
        _id(),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("party", sa.String(64), nullable=False),
        sa.Column(
            "credit_fen",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="how far unpaid deposit fees may exceed the prepaid balance",
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint(
            "code ~ '^[a-z0-9][a-z0-9-]{0,31}$'", name=op.f("ck_courier_company_code")
        ),
        sa.CheckConstraint("credit_fen >= 0", name=op.f("ck_courier_company_credit")),
        sa.ForeignKeyConstraint(
            ["party"], ["party.code"], name=op.f("fk_courier_company_party_party")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courier_company")),
        sa.UniqueConstraint("code", name=op.f("uq_courier_company_code")),
        sa.UniqueConstraint("party", name=op.f("uq_courier_company_party")),
    )
    op.create_table(
        "courier",
        _id(),
        sa.Column("code", sa.String(64), nullable=False, comment="what cabinets call them"),
        sa.Column("name", sa.String(64), nullable=True),
        sa.Column("phone", sa.String(11), nullable=True),
        sa.Column(
            "company_id",
            sa.BigInteger(),
            nullable=True,
            comment="null: seen at a cabinet, known to nobody yet",
        ),
        sa.Column(
            "person_id", sa.BigInteger(), nullable=True, comment="as whom they sign in, if they do"
        ),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("code <> ''", name=op.f("ck_courier_code")),
        sa.CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name=op.f("ck_courier_phone")),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["courier_company.id"],
            name=op.f("fk_courier_company_id_courier_company"),
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_courier_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courier")),
        sa.UniqueConstraint("code", name=op.f("uq_courier_code")),
        sa.UniqueConstraint("person_id", name=op.f("uq_courier_person_id")),
    )
    op.create_index("ix_courier_company_id", "courier", ["company_id"])
    op.create_table(
        "deposit_rate",
        _id(),
        sa.Column(
            "company_id", sa.BigInteger(), nullable=True, comment="null: of all without their own"
        ),
        sa.Column("size", sa.String(1), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("size IN ('S', 'M', 'L')", name=op.f("ck_deposit_rate_size")),
        sa.CheckConstraint("fee_fen >= 0", name=op.f("ck_deposit_rate_fee")),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["courier_company.id"],
            name=op.f("fk_deposit_rate_company_id_courier_company"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deposit_rate")),
    )
    op.create_index(
        "ix_deposit_rate_company_id_size_valid_from",
        "deposit_rate",
        ["company_id", "size", "valid_from"],
    )


def _create_contracts() -> None:
    op.create_table(
        "site_contract",
        _id(),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column(
            "cabinet_id",
            sa.BigInteger(),
            nullable=True,
            comment="null: wherever the company deposits",
        ),
        sa.Column("annual_fen", sa.BigInteger(), nullable=True, comment="rent for twelve months"),
        sa.Column(
            "per_deposit_fen",
            sa.BigInteger(),
            nullable=True,
            comment="commission for every parcel deposited",
        ),
        sa.Column(
            "share_bp",
            sa.Integer(),
            nullable=True,
            comment="commission of the deposit fees charged, in 1/10000",
        ),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True, comment="the last day"),
        sa.Column(
            "decided_by", sa.String(256), nullable=False, comment="the vote or contract behind it"
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('rent', 'commission')", name=op.f("ck_site_contract_kind")),
        sa.CheckConstraint(
            "(kind = 'rent') = (annual_fen IS NOT NULL) AND (kind = 'commission') ="
            " (per_deposit_fen IS NOT NULL OR share_bp IS NOT NULL)",
            name=op.f("ck_site_contract_price"),
        ),
        sa.CheckConstraint(
            "annual_fen > 0 AND per_deposit_fen >= 0 AND share_bp BETWEEN 0 AND 10000",
            name=op.f("ck_site_contract_fen"),
        ),
        sa.CheckConstraint("starts_on <= ends_on", name=op.f("ck_site_contract_lasts")),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["courier_company.id"],
            name=op.f("fk_site_contract_company_id_courier_company"),
        ),
        sa.ForeignKeyConstraint(
            ["cabinet_id"], ["cabinet.id"], name=op.f("fk_site_contract_cabinet_id_cabinet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_contract")),
    )
    op.create_index("ix_site_contract_company_id", "site_contract", ["company_id"])
    op.create_table(
        "accrual",
        _id(),
        sa.Column("contract_id", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("lines", JSONB(), nullable=False, comment="how the amount came about"),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("amount_fen >= 0", name=op.f("ck_accrual_amount")),
        sa.CheckConstraint("EXTRACT(day FROM month) = 1", name=op.f("ck_accrual_month")),
        sa.ForeignKeyConstraint(
            ["contract_id"], ["site_contract.id"], name=op.f("fk_accrual_contract_id_site_contract")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_accrual")),
        sa.UniqueConstraint("contract_id", "month", name=op.f("uq_accrual_contract_id_month")),
    )
    op.create_table(
        "courier_statement",
        _id(),
        sa.Column("company_id", sa.BigInteger(), nullable=False),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column(
            "sizes",
            JSONB(),
            nullable=False,
            comment="deposits and fen by size as they say and as counted here",
        ),
        sa.Column("agrees", sa.Boolean(), nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("EXTRACT(day FROM month) = 1", name=op.f("ck_courier_statement_month")),
        sa.ForeignKeyConstraint(
            ["company_id"],
            ["courier_company.id"],
            name=op.f("fk_courier_statement_company_id_courier_company"),
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_courier_statement_recorded_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_courier_statement")),
    )
    op.create_index(
        "ix_courier_statement_company_id_month", "courier_statement", ["company_id", "month"]
    )


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False)
