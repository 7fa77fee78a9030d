"""Money out and back: refunds, credits, disbursements, what the fund is given, write-offs."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# code, names, type, book, parent, in use; a heading takes no postings.
ACCOUNTS = (
    ("5202", "共有部分支出", "Costs of the common parts", "expense", "owners", None, False),
    ("520201", "共有部分维修养护", "Upkeep of common parts", "expense", "owners", "5202", True),
    (
        "520202",
        "共有部分水电",
        "Water and power of common parts",
        "expense",
        "owners",
        "5202",
        True,
    ),
    ("520203", "业主大会与业委会工作经费", "Owners' assembly", "expense", "owners", "5202", True),
    ("1011", "微基金库存现金", "Micro-fund's cash on hand", "asset", "fund", None, True),
    ("510105", "社区活动支出", "Community events", "expense", "fund", "5101", True),
    ("510106", "志愿服务支出", "Volunteering", "expense", "fund", "5101", True),
)

# Entries of these rows would stay in the books without the rows behind them.
UNUSED = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM fee_refund) OR EXISTS (SELECT FROM fund_receipt)
        OR EXISTS (SELECT FROM disbursement WHERE status = 'paid')
    THEN
        RAISE EXCEPTION 'money out and back is in the books';
    END IF;
END $$;
"""

# What is refunded was not paid after all; the credit that has to come with it does the rest.
REFUNDED = """
CREATE FUNCTION treasury_refunded() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    debtor text;
BEGIN
    UPDATE receivable SET paid_fen = paid_fen - NEW.amount_fen,
        moved_at = greatest(moved_at, NEW.occurred_at)
    WHERE source = NEW.source AND source_id = NEW.source_id
    RETURNING company INTO debtor;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing was charged for % %', NEW.source, NEW.source_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF debtor IS NOT NULL THEN
        PERFORM ledger_company_owes(debtor, NEW.source, NEW.amount_fen);
    END IF;
    IF NEW.payment_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM payment AS p WHERE p.id = NEW.payment_id AND p.method = NEW.method
            AND (p.source, p.source_id) = (NEW.source, NEW.source_id)
            AND p.amount_fen >= (
                SELECT sum(amount_fen) FROM fee_refund WHERE payment_id = NEW.payment_id
            )
    ) THEN
        RAISE EXCEPTION 'payment % does not cover the refund', NEW.payment_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'refund_of_payment';
    END IF;
    IF NEW.method = 'balance' AND NEW.company IS NOT NULL THEN
        INSERT INTO company_balance (company, amount_fen) VALUES (NEW.company, NEW.amount_fen)
        ON CONFLICT (company)
            DO UPDATE SET amount_fen = company_balance.amount_fen + EXCLUDED.amount_fen;
    ELSIF NEW.method = 'balance' THEN
        INSERT INTO balance (household_id, amount_fen) VALUES (NEW.household_id, NEW.amount_fen)
        ON CONFLICT (household_id)
            DO UPDATE SET amount_fen = balance.amount_fen + EXCLUDED.amount_fen;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER added AFTER INSERT ON fee_refund
    FOR EACH ROW EXECUTE FUNCTION treasury_refunded();
"""

CREDITED = """
CREATE FUNCTION treasury_credited() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE receivable SET credited_fen = credited_fen - NEW.amount_fen
    WHERE source = NEW.source AND source_id = NEW.source_id;
    RETURN NULL;
END $$;
CREATE TRIGGER credited AFTER INSERT ON charge FOR EACH ROW WHEN (NEW.kind = 'credit')
    EXECUTE FUNCTION treasury_credited();

CREATE FUNCTION treasury_has_its_credit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    credited_fen bigint;
BEGIN
    SELECT -charge.amount_fen INTO credited_fen
    FROM credit JOIN charge ON charge.id = credit.charge_id AND charge.kind = 'credit'
    WHERE CASE TG_TABLE_NAME WHEN 'fee_refund' THEN credit.fee_refund_id ELSE credit.write_off_id
        END = NEW.id AND (charge.source, charge.source_id) = (NEW.source, NEW.source_id);
    IF credited_fen IS DISTINCT FROM NEW.amount_fen THEN
        RAISE EXCEPTION '% % comes with a credit of % fen', TG_TABLE_NAME, NEW.id, NEW.amount_fen
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER credited AFTER INSERT ON fee_refund DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION treasury_has_its_credit();
CREATE CONSTRAINT TRIGGER credited AFTER INSERT OR UPDATE ON write_off
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.status = 'approved')
    EXECUTE FUNCTION treasury_has_its_credit();

CREATE FUNCTION treasury_names_a_credit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM charge WHERE id = NEW.charge_id AND kind = 'credit') THEN
        RAISE EXCEPTION 'charge % is no credit', NEW.charge_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER added AFTER INSERT ON credit
    FOR EACH ROW EXECUTE FUNCTION treasury_names_a_credit();
"""

# Each step writes its own columns, once; all others stay as they were.
STEPS = """
CREATE FUNCTION treasury_disbursement_steps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept record;
    step text := OLD.status || '-' || NEW.status;
BEGIN
    kept := OLD;
    kept.status := NEW.status;
    IF step = 'drafted-approved' THEN
        kept.approved_by := NEW.approved_by;
        kept.approved_at := NEW.approved_at;
        IF NEW.kind = 'expense'
            AND NOT EXISTS (SELECT FROM evidence WHERE disbursement_id = NEW.id)
        THEN
            RAISE EXCEPTION 'disbursement % has no evidence', NEW.id
                USING ERRCODE = 'check_violation', CONSTRAINT = 'disbursement_evidence';
        END IF;
    ELSIF step IN ('drafted-rejected', 'approved-rejected') THEN
        kept.rejected_by := NEW.rejected_by;
        kept.rejected_at := NEW.rejected_at;
        kept.rejection := NEW.rejection;
    ELSIF step = 'approved-paid' THEN
        kept.paid_by := NEW.paid_by;
        kept.paid_at := NEW.paid_at;
        kept.recorded_at := NEW.recorded_at;
        kept.method := NEW.method;
        kept.bank_reference := NEW.bank_reference;
    ELSIF step = 'paid-paid' AND (
        OLD.settled_at IS NULL OR NEW.settled_at IS NOT DISTINCT FROM OLD.settled_at
    ) THEN
        kept.settled_at := NEW.settled_at;
        kept.set_aside_reason := NEW.set_aside_reason;
    END IF;
    IF kept *<> NEW OR step NOT IN ('drafted-approved', 'drafted-rejected', 'approved-rejected',
        'approved-paid', 'paid-paid')
    THEN
        RAISE EXCEPTION 'disbursement % does not change like this (%)', OLD.id, step
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER steps BEFORE UPDATE ON disbursement
    FOR EACH ROW EXECUTE FUNCTION treasury_disbursement_steps();

CREATE FUNCTION treasury_write_off_steps() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept record;
BEGIN
    kept := OLD;
    kept.status := NEW.status;
    kept.decided_by := NEW.decided_by;
    kept.decided_at := NEW.decided_at;
    IF kept *<> NEW OR OLD.status <> 'drafted' OR NEW.status = 'drafted' THEN
        RAISE EXCEPTION 'write-off % does not change like this', OLD.id
            USING ERRCODE = 'restrict_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER steps BEFORE UPDATE ON write_off
    FOR EACH ROW EXECUTE FUNCTION treasury_write_off_steps();

CREATE FUNCTION treasury_begins_drafted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a % begins as a draft', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER drafted BEFORE INSERT ON disbursement FOR EACH ROW
    WHEN (NEW.status <> 'drafted') EXECUTE FUNCTION treasury_begins_drafted();
CREATE TRIGGER drafted BEFORE INSERT ON write_off FOR EACH ROW
    WHEN (NEW.status <> 'drafted' AND NEW.rule_id IS NULL)
    EXECUTE FUNCTION treasury_begins_drafted();
"""

# 限定性: what was given for a programme pays for that programme only, whoever races.
RESTRICTED = """
CREATE FUNCTION treasury_of_programme() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT FROM account WHERE code = NEW.programme AND type = 'expense' AND active
            AND book = CASE TG_TABLE_NAME WHEN 'fund_receipt' THEN 'fund'
                ELSE to_jsonb(NEW) ->> 'book' END
    ) THEN
        RAISE EXCEPTION '% is no programme of the book', NEW.programme
            USING ERRCODE = 'check_violation', CONSTRAINT = 'programme_of_book';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER of_programme AFTER INSERT ON disbursement FOR EACH ROW
    WHEN (NEW.programme IS NOT NULL) EXECUTE FUNCTION treasury_of_programme();
CREATE TRIGGER of_programme AFTER INSERT ON fund_receipt FOR EACH ROW
    WHEN (NEW.programme IS NOT NULL) EXECUTE FUNCTION treasury_of_programme();

CREATE FUNCTION treasury_given() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO restricted_money (programme, given_fen, spent_fen)
    VALUES (NEW.programme, NEW.amount_fen, 0)
    ON CONFLICT (programme)
        DO UPDATE SET given_fen = restricted_money.given_fen + EXCLUDED.given_fen;
    RETURN NULL;
END $$;
CREATE TRIGGER given AFTER INSERT ON fund_receipt FOR EACH ROW WHEN (NEW.restricted)
    EXECUTE FUNCTION treasury_given();

CREATE FUNCTION treasury_spent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE restricted_money SET spent_fen = spent_fen
        + CASE WHEN NEW.status = 'approved' THEN NEW.amount_fen
            WHEN OLD.status = 'approved' AND NEW.status = 'rejected' THEN -NEW.amount_fen
            ELSE 0 END
    WHERE programme = NEW.programme;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'nothing was given for %', NEW.programme
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_restricted_money_spent';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER spent AFTER UPDATE OF status ON disbursement FOR EACH ROW
    WHEN (NEW.restricted AND OLD.status <> NEW.status AND 'approved' IN (OLD.status, NEW.status))
    EXECUTE FUNCTION treasury_spent();

CREATE FUNCTION treasury_taken_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.source = 'fund_receipt' THEN
        UPDATE restricted_money AS kept SET given_fen = given_fen - gift.amount_fen
        FROM fund_receipt AS gift
        WHERE gift.id = NEW.source_id AND gift.restricted AND kept.programme = gift.programme;
    ELSE
        UPDATE restricted_money AS kept SET spent_fen = spent_fen - expense.amount_fen
        FROM disbursement AS expense
        WHERE expense.id = NEW.source_id AND expense.restricted
            AND kept.programme = expense.programme;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER taken_back AFTER INSERT ON journal_entry FOR EACH ROW
    WHEN (NEW.reverses_id IS NOT NULL AND NEW.source IN ('fund_receipt', 'expense'))
    EXECUTE FUNCTION treasury_taken_back();
"""

VOUCHERS = """
CREATE FUNCTION treasury_voucher_fits() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    received_fen bigint;
BEGIN
    IF NEW.payment_id IS NULL THEN
        SELECT amount_fen INTO received_fen FROM fund_receipt
        WHERE id = NEW.fund_receipt_id FOR NO KEY UPDATE;
    ELSE
        SELECT amount_fen INTO received_fen FROM payment
        WHERE id = NEW.payment_id FOR NO KEY UPDATE;
    END IF;
    IF NOT (
        SELECT sum(amount_fen) BETWEEN 0 AND received_fen FROM voucher
        WHERE fund_receipt_id = NEW.fund_receipt_id OR payment_id = NEW.payment_id
    ) OR NEW.red_letter_of_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM voucher WHERE id = NEW.red_letter_of_id AND amount_fen = -NEW.amount_fen
            AND (fund_receipt_id = NEW.fund_receipt_id OR payment_id = NEW.payment_id)
    ) THEN
        RAISE EXCEPTION 'voucher % is of more than was received', NEW.number
            USING ERRCODE = 'check_violation', CONSTRAINT = 'voucher_fits';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER fits AFTER INSERT ON voucher
    FOR EACH ROW EXECUTE FUNCTION treasury_voucher_fits();
"""

# What triggers do beside what was asked is done with the owner's rights, as in 0010; the plans
# of those that run often are steady, as in 0002.
AS_OWNER = (
    *("treasury_refunded()", "treasury_credited()", "treasury_has_its_credit()"),
    *("treasury_given()", "treasury_spent()", "treasury_taken_back()"),
    "treasury_voucher_fits()",
)
OTHERS = (
    *("treasury_names_a_credit()", "treasury_disbursement_steps()", "treasury_write_off_steps()"),
    *("treasury_begins_drafted()", "treasury_of_programme()"),
)
STEADY = "SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"

SOURCES = ("fee_refund", "disbursement", "fund_receipt")
HISTORY = ("credit", "evidence", "voucher", "write_off_rule")
NEW_TABLES = (
    *("credit", "write_off", "write_off_rule", "voucher", "fund_receipt", "restricted_money"),
    *("evidence", "disbursement", "fee_refund"),
)

APP, REPORTER = "huilin_app", "huilin_reporter"
SETTLED = "settled_at, set_aside_reason"
# What the app may do beside adding and reading.
APPS_RIGHTS = {
    "fee_refund": f"UPDATE ({SETTLED})",
    "fund_receipt": f"UPDATE ({SETTLED})",
    "disbursement": f"UPDATE (status, approved_by, approved_at, rejected_by, rejected_at,"
    f" rejection, paid_by, paid_at, recorded_at, method, bank_reference, {SETTLED})",
    "write_off": "UPDATE (status, decided_by, decided_at)",
}


def upgrade() -> None:
    """Create money out and back with its guards."""
    names = ("code", "name_zh", "name_en", "type", "book", "parent", "active")
    account = sa.table("account", *map(sa.column, (*names, "normal_side")))
    for row in ACCOUNTS:
        op.bulk_insert(account, [dict(zip(names, row, strict=True)) | {"normal_side": "debit"}])
    op.drop_constraint(op.f("uq_payment_refund_order_id"), "payment_refund")
    op.create_index("ix_payment_refund_order_id", "payment_refund", ["order_id"])
    _count_credits()
    _create_refunds()
    _create_disbursements()
    _create_fund_receipts()
    _create_write_offs()
    _create_credits()
    for guard in (REFUNDED, CREDITED, STEPS, RESTRICTED, VOUCHERS):
        op.execute(guard)
    _guard()
    _grant()


def downgrade() -> None:
    """Take back what `upgrade` did; refused once any of it is in the books."""
    op.execute(UNUSED)
    op.execute("DROP TRIGGER credited ON charge")
    op.execute("DROP TRIGGER taken_back ON journal_entry")
    for table in NEW_TABLES:
        op.drop_table(table)
    for function in (*AS_OWNER, *OTHERS):
        op.execute(f"DROP FUNCTION {function}")
    op.drop_constraint(op.f("ck_receivable_credited"), "receivable")
    op.drop_column("receivable", "credited_fen")
    op.drop_index("ix_payment_refund_order_id", "payment_refund")
    op.create_unique_constraint(op.f("uq_payment_refund_order_id"), "payment_refund", ["order_id"])
    codes = ", ".join(f"'{row[0]}'" for row in reversed(ACCOUNTS))
    op.execute("ALTER TABLE account DISABLE TRIGGER append_only")
    op.execute(f"DELETE FROM account WHERE code IN ({codes})")  # noqa: S608
    op.execute("ALTER TABLE account ENABLE TRIGGER append_only")


def _count_credits() -> None:
    """Keep what credits took off a receivable, so that nobody charges it again."""
    op.add_column(
        "receivable",
        sa.Column(
            "credited_fen",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="taken off charged_fen by credits",
        ),
    )
    op.execute("""
        ALTER TABLE receivable DISABLE TRIGGER USER;
        UPDATE receivable SET credited_fen = credits.fen
        FROM (
            SELECT source, source_id, -sum(amount_fen) AS fen FROM charge
            WHERE kind = 'credit' GROUP BY source, source_id
        ) AS credits
        WHERE (receivable.source, receivable.source_id) = (credits.source, credits.source_id);
        ALTER TABLE receivable ENABLE TRIGGER USER;
    """)
    op.create_check_constraint(op.f("ck_receivable_credited"), "receivable", "credited_fen >= 0")


def _guard() -> None:
    """Nothing vanishes, sources are settled by settlement alone, sums are kept by triggers."""
    for table in NEW_TABLES:
        what = "UPDATE OR DELETE OR TRUNCATE" if table in HISTORY else "DELETE OR TRUNCATE"
        if table != "restricted_money":
            op.execute(f"""
                CREATE TRIGGER append_only BEFORE {what} ON {table}
                    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
            """)
    op.execute("""
        CREATE TRIGGER not_emptied BEFORE TRUNCATE ON restricted_money
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse();
        CREATE TRIGGER only_kept_by_triggers BEFORE INSERT OR UPDATE OR DELETE ON restricted_money
            FOR EACH STATEMENT WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION ledger_refuse()
    """)
    for table in SOURCES:
        op.execute(f"""
            CREATE TRIGGER unsettled BEFORE INSERT ON {table} FOR EACH ROW
                WHEN (NEW.settled_at IS NOT NULL)
                EXECUTE FUNCTION ledger_unsettled_at_birth()
        """)
    for table in ("fee_refund", "fund_receipt"):
        op.execute(f"""
            CREATE TRIGGER kept BEFORE UPDATE ON {table}
                FOR EACH ROW EXECUTE FUNCTION ledger_keep_source()
        """)
    for function in AS_OWNER:
        op.execute(f"ALTER FUNCTION {function} SECURITY DEFINER SET search_path = public, pg_temp")
        op.execute(f"ALTER FUNCTION {function} {STEADY}")
        op.execute(f"REVOKE EXECUTE ON FUNCTION {function} FROM PUBLIC")


def _grant() -> None:
    """As 0010 did: the app adds, and takes the steps there are; it rewrites and deletes nothing."""
    tables = ", ".join(NEW_TABLES)
    if _is_there(APP):
        op.execute(f"REVOKE UPDATE, DELETE ON {tables} FROM {APP}")
        op.execute(f"REVOKE INSERT ON restricted_money FROM {APP}")
        for table, rights in APPS_RIGHTS.items():
            op.execute(f"GRANT {rights} ON {table} TO {APP}")
    if _is_there(REPORTER):
        op.execute(f"GRANT SELECT ON {tables} TO {REPORTER}")


def _is_there(role: str) -> bool:
    found = op.get_bind().exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{role}'")
    return found.first() is not None


def _create_refunds() -> None:
    op.create_table(
        "fee_refund",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column(
            "household_id", sa.BigInteger(), nullable=True, comment="whose money it is, when known"
        ),
        sa.Column("company", sa.String(length=64), nullable=True),
        sa.Column("paid_out_by", sa.BigInteger(), nullable=True, comment="who handed out the cash"),
        sa.Column(
            "payment_id",
            sa.BigInteger(),
            nullable=True,
            comment="of a provider: the payment that it gives back",
        ),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "set_aside_reason",
            sa.String(length=64),
            nullable=True,
            comment="why settlement could not post it",
        ),
        sa.CheckConstraint(
            "(method = 'wechat') = (payment_id IS NOT NULL)", name=op.f("ck_fee_refund_same_way")
        ),
        sa.CheckConstraint(
            "method <> 'balance' OR household_id IS NOT NULL OR company IS NOT NULL",
            name=op.f("ck_fee_refund_balance_payee"),
        ),
        sa.CheckConstraint(
            "method <> 'cash' OR paid_out_by IS NOT NULL", name=op.f("ck_fee_refund_cash_payer")
        ),
        sa.CheckConstraint(
            "method IN ('cash', 'balance', 'wechat')", name=op.f("ck_fee_refund_method")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_fee_refund_amount")),
        sa.CheckConstraint(
            "household_id IS NULL OR company IS NULL", name=op.f("ck_fee_refund_one_payee")
        ),
        sa.CheckConstraint(
            "settled_at IS NULL OR set_aside_reason IS NULL",
            name=op.f("ck_fee_refund_settled_once"),
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["person.id"], name=op.f("fk_fee_refund_asked_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["company"], ["party.code"], name=op.f("fk_fee_refund_company_party")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_fee_refund_household_id_household")
        ),
        sa.ForeignKeyConstraint(
            ["paid_out_by"], ["person.id"], name=op.f("fk_fee_refund_paid_out_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_fee_refund_payment_id_payment")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fee_refund")),
    )
    op.create_index(
        ("ix_fee_refund_household_id"),
        "fee_refund",
        ["household_id"],
        postgresql_where=sa.text("household_id IS NOT NULL"),
    )
    op.create_index(
        ("ix_fee_refund_payment_id"),
        "fee_refund",
        ["payment_id"],
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )
    op.create_index(("ix_fee_refund_source_source_id"), "fee_refund", ["source", "source_id"])
    op.create_index(
        "ix_fee_refund_to_settle",
        "fee_refund",
        ["id"],
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def _create_disbursements() -> None:
    op.create_table(
        "disbursement",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("book", sa.String(length=16), nullable=False),
        sa.Column("month", sa.Date(), nullable=True, comment="whose statement is paid out"),
        sa.Column("party", sa.String(length=64), nullable=True),
        sa.Column(
            "programme",
            sa.String(length=16),
            nullable=True,
            comment="what it is spent on: an expense account of the book",
        ),
        sa.Column(
            "restricted",
            sa.Boolean(),
            server_default=sa.text("false"),
            nullable=False,
            comment="paid from what was given for the programme",
        ),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("payee", sa.String(length=128), nullable=False),
        sa.Column("memo", sa.String(length=128), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="drafted", nullable=False),
        sa.Column("drafted_by", sa.BigInteger(), nullable=False),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.BigInteger(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejected_by", sa.BigInteger(), nullable=True),
        sa.Column("rejected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rejection", sa.String(length=256), nullable=True, comment="why it was rejected"),
        sa.Column("paid_by", sa.BigInteger(), nullable=True),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when somebody said that it was paid",
        ),
        sa.Column("method", sa.String(length=16), nullable=True),
        sa.Column("bank_reference", sa.String(length=64), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "set_aside_reason",
            sa.String(length=64),
            nullable=True,
            comment="why settlement could not post it",
        ),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL) AND (status = 'rejected' OR"
            " (approved_by IS NULL) = (status = 'drafted'))",
            name=op.f("ck_disbursement_approved"),
        ),
        sa.CheckConstraint(
            "(kind = 'expense') = (programme IS NOT NULL)", name=op.f("ck_disbursement_programme")
        ),
        sa.CheckConstraint(
            "CASE WHEN status = 'paid' THEN num_nulls(paid_by, paid_at, recorded_at, method) = 0"
            " ELSE num_nonnulls(paid_by, paid_at, recorded_at, method, bank_reference) = 0 END",
            name=op.f("ck_disbursement_paid"),
        ),
        sa.CheckConstraint(
            "CASE WHEN status = 'rejected' THEN num_nulls(rejected_by, rejected_at,"
            " rejection) = 0 ELSE num_nonnulls(rejected_by, rejected_at, rejection) = 0 END",
            name=op.f("ck_disbursement_rejected"),
        ),
        sa.CheckConstraint(
            "CASE kind WHEN 'payout' THEN party LIKE 'household:%' AND month IS NOT NULL WHEN"
            " 'provider_share' THEN party = 'company:property' ELSE party IS NULL END IS TRUE",
            name=op.f("ck_disbursement_payee"),
        ),
        sa.CheckConstraint(
            "NOT restricted OR book = 'fund'", name=op.f("ck_disbursement_restricted")
        ),
        sa.CheckConstraint(
            "book = 'owners' OR book = 'fund' AND kind IN ('expense', 'cash_deposit')",
            name=op.f("ck_disbursement_book"),
        ),
        sa.CheckConstraint(
            "kind IN ('payout', 'fund_share', 'provider_share', 'expense', 'cash_deposit')",
            name=op.f("ck_disbursement_kind"),
        ),
        sa.CheckConstraint(
            "method IN ('bank', 'cash') AND (method = 'bank') = (bank_reference IS NOT NULL)"
            " AND (method = 'bank' OR kind = 'expense')",
            name=op.f("ck_disbursement_method"),
        ),
        sa.CheckConstraint(
            "settled_at IS NULL OR status = 'paid'", name=op.f("ck_disbursement_settled_when_paid")
        ),
        sa.CheckConstraint(
            "status IN ('drafted', 'approved', 'rejected', 'paid')",
            name=op.f("ck_disbursement_status"),
        ),
        sa.CheckConstraint("EXTRACT(day FROM month) = 1", name=op.f("ck_disbursement_month")),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_disbursement_amount")),
        sa.CheckConstraint("approved_by <> drafted_by", name=op.f("ck_disbursement_second_person")),
        sa.CheckConstraint(
            "settled_at IS NULL OR set_aside_reason IS NULL",
            name=op.f("ck_disbursement_settled_once"),
        ),
        sa.ForeignKeyConstraint(
            ["approved_by"], ["person.id"], name=op.f("fk_disbursement_approved_by_person")
        ),
        sa.ForeignKeyConstraint(["book"], ["book.code"], name=op.f("fk_disbursement_book_book")),
        sa.ForeignKeyConstraint(
            ["drafted_by"], ["person.id"], name=op.f("fk_disbursement_drafted_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["paid_by"], ["person.id"], name=op.f("fk_disbursement_paid_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["party"], ["party.code"], name=op.f("fk_disbursement_party_party")
        ),
        sa.ForeignKeyConstraint(
            ["programme"], ["account.code"], name=op.f("fk_disbursement_programme_account")
        ),
        sa.ForeignKeyConstraint(
            ["rejected_by"], ["person.id"], name=op.f("fk_disbursement_rejected_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_disbursement")),
    )
    op.create_index(("ix_disbursement_status_id"), "disbursement", ["status", "id"])
    op.create_index(
        "ix_disbursement_to_settle",
        "disbursement",
        ["id"],
        postgresql_where=sa.text("settled_at IS NULL AND status = 'paid'"),
    )
    op.create_index(
        "uq_disbursement_payout",
        "disbursement",
        ["party", "month"],
        unique=True,
        postgresql_where=sa.text("kind = 'payout' AND status <> 'rejected'"),
    )
    op.create_table(
        "evidence",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("disbursement_id", sa.BigInteger(), nullable=False),
        sa.Column("filename", sa.String(length=128), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("attached_by", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "media_type IN ('application/pdf', 'image/png', 'image/jpeg', 'application/xml',"
            " 'application/ofd')",
            name=op.f("ck_evidence_media_type"),
        ),
        sa.CheckConstraint(
            "octet_length(content) BETWEEN 1 AND 5242880", name=op.f("ck_evidence_size")
        ),
        sa.CheckConstraint("sha256 = sha256(content)", name=op.f("ck_evidence_sha256")),
        sa.ForeignKeyConstraint(
            ["attached_by"], ["person.id"], name=op.f("fk_evidence_attached_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["disbursement_id"],
            ["disbursement.id"],
            name=op.f("fk_evidence_disbursement_id_disbursement"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint(
            "disbursement_id", "sha256", name=op.f("uq_evidence_disbursement_id_sha256")
        ),
    )
    op.create_table(
        "restricted_money",
        sa.Column("programme", sa.String(length=16), nullable=False),
        sa.Column("given_fen", sa.BigInteger(), nullable=False),
        sa.Column("spent_fen", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "0 <= spent_fen AND spent_fen <= given_fen", name=op.f("ck_restricted_money_spent")
        ),
        sa.ForeignKeyConstraint(
            ["programme"], ["account.code"], name=op.f("fk_restricted_money_programme_account")
        ),
        sa.PrimaryKeyConstraint("programme", name=op.f("pk_restricted_money")),
    )


def _create_fund_receipts() -> None:
    op.create_table(
        "fund_receipt",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("payer", sa.String(length=128), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("restricted", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("programme", sa.String(length=16), nullable=True, comment="what it is given for"),
        sa.Column(
            "in_return",
            sa.String(length=256),
            nullable=True,
            comment="what the payer gets for it; null: a gift",
        ),
        sa.Column("memo", sa.String(length=128), nullable=False),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("bank_reference", sa.String(length=64), nullable=True),
        sa.Column("received_by", sa.BigInteger(), nullable=True),
        sa.Column("voucher_kind", sa.String(length=16), nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "set_aside_reason",
            sa.String(length=64),
            nullable=True,
            comment="why settlement could not post it",
        ),
        sa.CheckConstraint(
            "(in_return IS NULL OR kind <> 'donation')",
            name=op.f("ck_fund_receipt_donation_is_free"),
        ),
        sa.CheckConstraint(
            "(method = 'bank') = (bank_reference IS NOT NULL)",
            name=op.f("ck_fund_receipt_bank_reference"),
        ),
        sa.CheckConstraint(
            "CASE WHEN in_return IS NULL THEN voucher_kind <> 'invoice' ELSE voucher_kind <>"
            " 'donation-receipt' END",
            name=op.f("ck_fund_receipt_price_is_no_gift"),
        ),
        sa.CheckConstraint(
            "NOT restricted OR kind = 'donation' AND programme IS NOT NULL",
            name=op.f("ck_fund_receipt_restricted"),
        ),
        sa.CheckConstraint(
            "in_return IS NOT NULL OR kind <> 'service'",
            name=op.f("ck_fund_receipt_service_has_price"),
        ),
        sa.CheckConstraint(
            "kind IN ('donation', 'business', 'service')", name=op.f("ck_fund_receipt_kind")
        ),
        sa.CheckConstraint(
            "method <> 'cash' OR received_by IS NOT NULL", name=op.f("ck_fund_receipt_cash_taker")
        ),
        sa.CheckConstraint("method IN ('cash', 'bank')", name=op.f("ck_fund_receipt_method")),
        sa.CheckConstraint(
            "voucher_kind IN ('none', 'donation-receipt', 'invoice')",
            name=op.f("ck_fund_receipt_voucher_kind"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_fund_receipt_amount")),
        sa.CheckConstraint(
            "settled_at IS NULL OR set_aside_reason IS NULL",
            name=op.f("ck_fund_receipt_settled_once"),
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_fund_receipt_household_id_household")
        ),
        sa.ForeignKeyConstraint(
            ["programme"], ["account.code"], name=op.f("fk_fund_receipt_programme_account")
        ),
        sa.ForeignKeyConstraint(
            ["received_by"], ["person.id"], name=op.f("fk_fund_receipt_received_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_fund_receipt_recorded_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fund_receipt")),
        sa.UniqueConstraint("id", "voucher_kind", name=op.f("uq_fund_receipt_id_voucher_kind")),
    )
    op.create_index(("ix_fund_receipt_household_id"), "fund_receipt", ["household_id"])
    op.create_index(
        "ix_fund_receipt_to_settle",
        "fund_receipt",
        ["id"],
        postgresql_where=sa.text("settled_at IS NULL"),
    )
    op.create_table(
        "voucher",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("number", sa.String(length=32), nullable=False),
        sa.Column("seller_tax_id", sa.String(length=20), nullable=True),
        sa.Column("fund_receipt_id", sa.BigInteger(), nullable=True),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("red_letter_of_id", sa.BigInteger(), nullable=True),
        sa.Column("issued_on", sa.Date(), nullable=False),
        sa.Column("recorded_by", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "kind <> 'invoice' OR seller_tax_id IS NOT NULL", name=op.f("ck_voucher_seller")
        ),
        sa.CheckConstraint("kind IN ('donation-receipt', 'invoice')", name=op.f("ck_voucher_kind")),
        sa.CheckConstraint(
            "payment_id IS NULL OR kind = 'invoice'", name=op.f("ck_voucher_fee_is_no_gift")
        ),
        sa.CheckConstraint(
            "(fund_receipt_id IS NULL) <> (payment_id IS NULL)", name=op.f("ck_voucher_one_cause")
        ),
        sa.CheckConstraint(
            "amount_fen <> 0 AND (amount_fen < 0) = (red_letter_of_id IS NOT NULL)",
            name=op.f("ck_voucher_amount"),
        ),
        sa.ForeignKeyConstraint(
            ["fund_receipt_id", "kind"],
            ["fund_receipt.id", "fund_receipt.voucher_kind"],
            name=op.f("fk_voucher_fund_receipt_id_fund_receipt"),
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_voucher_payment_id_payment")
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_voucher_recorded_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["red_letter_of_id"], ["voucher.id"], name=op.f("fk_voucher_red_letter_of_id_voucher")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_voucher")),
        sa.UniqueConstraint("kind", "number", name=op.f("uq_voucher_kind_number")),
        sa.UniqueConstraint("red_letter_of_id", name=op.f("uq_voucher_red_letter_of_id")),
    )
    op.create_index(
        ("ix_voucher_fund_receipt_id"),
        "voucher",
        ["fund_receipt_id"],
        postgresql_where=sa.text("fund_receipt_id IS NOT NULL"),
    )
    op.create_index(
        ("ix_voucher_payment_id"),
        "voucher",
        ["payment_id"],
        postgresql_where=sa.text("payment_id IS NOT NULL"),
    )


def _create_write_offs() -> None:
    op.create_table(
        "write_off_rule",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("older_than_days", sa.Integer(), nullable=False),
        sa.Column(
            "at_most_fen",
            sa.BigInteger(),
            nullable=False,
            comment="of one receivable; 0: none at all",
        ),
        sa.Column(
            "decided_by", sa.String(length=256), nullable=False, comment="the vote behind it"
        ),
        sa.Column("recorded_by", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("at_most_fen >= 0", name=op.f("ck_write_off_rule_at_most")),
        sa.CheckConstraint("older_than_days >= 30", name=op.f("ck_write_off_rule_older_than_days")),
        sa.ForeignKeyConstraint(
            ["recorded_by"], ["person.id"], name=op.f("fk_write_off_rule_recorded_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_off_rule")),
    )
    op.create_table(
        "write_off",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("source_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column("rule_id", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=16), server_default="drafted", nullable=False),
        sa.Column("drafted_by", sa.BigInteger(), nullable=True),
        sa.Column("drafted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(decided_at IS NULL) = (status = 'drafted') AND (decided_by IS NOT NULL) ="
            " (status <> 'drafted' AND rule_id IS NULL)",
            name=op.f("ck_write_off_decided"),
        ),
        sa.CheckConstraint(
            "decided_by <> drafted_by OR status = 'rejected'",
            name=op.f("ck_write_off_second_person"),
        ),
        sa.CheckConstraint(
            "rule_id IS NULL OR status = 'approved'", name=op.f("ck_write_off_rule_decides")
        ),
        sa.CheckConstraint(
            "status IN ('drafted', 'approved', 'rejected')", name=op.f("ck_write_off_status")
        ),
        sa.CheckConstraint(
            "(rule_id IS NULL) = (drafted_by IS NOT NULL)",
            name=op.f("ck_write_off_by_rule_or_person"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_write_off_amount")),
        sa.ForeignKeyConstraint(
            ["decided_by"], ["person.id"], name=op.f("fk_write_off_decided_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["drafted_by"], ["person.id"], name=op.f("fk_write_off_drafted_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["write_off_rule.id"], name=op.f("fk_write_off_rule_id_write_off_rule")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_write_off")),
    )
    op.create_index(
        "uq_write_off_drafted",
        "write_off",
        ["source", "source_id"],
        unique=True,
        postgresql_where=sa.text("status = 'drafted'"),
    )


def _create_credits() -> None:
    op.create_table(
        "credit",
        sa.Column("charge_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("reason", sa.String(length=256), nullable=False),
        sa.Column(
            "raised_by", sa.BigInteger(), nullable=True, comment="null: a rule of write-offs"
        ),
        sa.Column("fee_refund_id", sa.BigInteger(), nullable=True),
        sa.Column("write_off_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "fee_refund_id IS NULL OR write_off_id IS NULL", name=op.f("ck_credit_one_cause")
        ),
        sa.CheckConstraint(
            "raised_by IS NOT NULL OR write_off_id IS NOT NULL", name=op.f("ck_credit_raised_by")
        ),
        sa.ForeignKeyConstraint(
            ["charge_id"], ["charge.id"], name=op.f("fk_credit_charge_id_charge")
        ),
        sa.ForeignKeyConstraint(
            ["fee_refund_id"], ["fee_refund.id"], name=op.f("fk_credit_fee_refund_id_fee_refund")
        ),
        sa.ForeignKeyConstraint(
            ["raised_by"], ["person.id"], name=op.f("fk_credit_raised_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["write_off_id"], ["write_off.id"], name=op.f("fk_credit_write_off_id_write_off")
        ),
        sa.PrimaryKeyConstraint("charge_id", name=op.f("pk_credit")),
        sa.UniqueConstraint("fee_refund_id", name=op.f("uq_credit_fee_refund_id")),
        sa.UniqueConstraint("write_off_id", name=op.f("uq_credit_write_off_id")),
    )
