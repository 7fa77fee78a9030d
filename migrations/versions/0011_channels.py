"""Payment channels: WeChat payments and top-ups, orders, refunds, bills, what differs."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

# code, names, type, normal side; all of the owners' book, which is the one that collects.
ACCOUNTS = (
    ("101201", "其他货币资金-待清算微信", "WeChat Pay clearing", "asset", "debit"),
    ("101202", "其他货币资金-待清算支付宝", "Alipay clearing", "asset", "debit"),
    ("224101", "待退款项", "Overpayments to be refunded", "liability", "credit"),
    ("520101", "支付渠道手续费", "Payment provider fees", "expense", "debit"),
)

# Entries of moves would stay in the books without the rows behind them.
UNUSED = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM channel_move) THEN
        RAISE EXCEPTION 'channel moves are in the books';
    END IF;
END $$;
"""

APP, REPORTER = "huilin_app", "huilin_reporter"

NEW_TABLES = (
    "reconciliation_task",
    "bill_line",
    "bill_import",
    "channel_move",
    "payment_refund",
    "payment_order",
)

# What a row is about never changes; only what became of it does.
IDENTITY = {
    "payment_order": (
        "out_trade_no, provider, trade_type, openid, source, source_id, household_id, asked_by,"
        " amount_fen, recorded_at, expires_at"
    ),
    "payment_refund": "out_refund_no, order_id, amount_fen, reason, recorded_at",
    "bill_import": "channel, sha256, covers_from, covers_to, lines, imported_by, recorded_at",
    "bill_line": (
        "import_id, channel, type, external_id, reference, provider, amount_fen, fee_fen,"
        " occurred_at, on_day, memo"
    ),
    "reconciliation_task": "kind, channel, type, reference, recorded_at",
}


def upgrade() -> None:
    """Let money come through WeChat, and keep what providers say beside what we say."""
    names = ("code", "name_zh", "name_en", "type", "normal_side", "book")
    account = sa.table("account", *map(sa.column, names))
    op.bulk_insert(account, [dict(zip(names, (*row, "owners"), strict=True)) for row in ACCOUNTS])
    _allow_methods("method IN ('cash', 'balance', 'wechat')", "method IN ('cash', 'wechat')")
    op.alter_column("top_up", "received_by", nullable=True)
    op.create_check_constraint(
        op.f("ck_top_up_cash_taker"), "top_up", "method <> 'cash' OR received_by IS NOT NULL"
    )
    _create_orders()
    _create_moves()
    _create_bills()
    _guard()
    _grant()


def downgrade() -> None:
    """Take back what `upgrade` did; refused once money came, or a fee was kept, that way."""
    op.execute(UNUSED)
    for table in NEW_TABLES:
        op.drop_table(table)
    op.drop_constraint(op.f("ck_top_up_cash_taker"), "top_up")
    op.alter_column("top_up", "received_by", nullable=False)
    _allow_methods("method IN ('cash', 'balance')", "method = 'cash'")
    op.execute("ALTER TABLE account DISABLE TRIGGER append_only")
    op.execute("DELETE FROM account WHERE code IN ('101201', '101202', '224101', '520101')")
    op.execute("ALTER TABLE account ENABLE TRIGGER append_only")


def _allow_methods(of_payments: str, of_top_ups: str) -> None:
    for table, methods in (("payment", of_payments), ("top_up", of_top_ups)):
        op.drop_constraint(op.f(f"ck_{table}_method"), table)
        op.create_check_constraint(op.f(f"ck_{table}_method"), table, methods)


def _guard() -> None:
    """As the ledger's other source rows: nothing is edited, nothing vanishes."""
    op.execute("""
        CREATE TRIGGER unsettled BEFORE INSERT ON channel_move FOR EACH ROW
            WHEN (NEW.settled_at IS NOT NULL)
            EXECUTE FUNCTION ledger_unsettled_at_birth();
        CREATE TRIGGER kept BEFORE UPDATE ON channel_move
            FOR EACH ROW EXECUTE FUNCTION ledger_keep_source();
    """)
    for table in NEW_TABLES:
        op.execute(f"""
            CREATE TRIGGER append_only BEFORE DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
        """)
    for table, columns in IDENTITY.items():
        op.execute(f"""
            CREATE TRIGGER identity_kept BEFORE UPDATE OF {columns} ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
        """)


def _grant() -> None:
    """As 0010 did: the app may add and settle moves, and delete nothing; 0010 gave it all."""
    if _is_there(APP):
        op.execute(f"REVOKE DELETE ON {', '.join(NEW_TABLES)} FROM {APP}")
        op.execute(f"REVOKE UPDATE ON channel_move FROM {APP}")
        op.execute(f"GRANT UPDATE (settled_at, set_aside_reason) ON channel_move TO {APP}")
    if _is_there(REPORTER):
        op.execute(f"GRANT SELECT ON channel_move TO {REPORTER}")


def _is_there(role: str) -> bool:
    found = op.get_bind().exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{role}'")
    return found.first() is not None


def _create_orders() -> None:
    op.create_table(
        "payment_order",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column(
            "out_trade_no",
            sa.String(length=32),
            nullable=False,
            comment="our name for it, which the provider repeats",
        ),
        sa.Column("provider", sa.String(length=16), nullable=False),
        sa.Column("trade_type", sa.String(length=16), nullable=False),
        sa.Column("openid", sa.String(length=128), nullable=True, comment="who pays inside WeChat"),
        sa.Column(
            "source",
            sa.String(length=32),
            nullable=True,
            comment="what is paid; null: a household's balance",
        ),
        sa.Column("source_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "household_id",
            sa.BigInteger(),
            nullable=True,
            comment="whose payment it is, when known",
        ),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("description", sa.String(length=64), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="created", nullable=False),
        sa.Column(
            "code_url", sa.String(length=512), nullable=True, comment="what the QR code says"
        ),
        sa.Column("prepay_id", sa.String(length=128), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("placed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "expires_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="as the provider was told",
        ),
        sa.Column(
            "close_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="when we close it if still unpaid",
        ),
        sa.Column("paid_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "transaction_id",
            sa.String(length=64),
            nullable=True,
            comment="the provider's name for the money",
        ),
        sa.Column("payment_id", sa.BigInteger(), nullable=True),
        sa.Column("top_up_id", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.String(length=256), nullable=True),
        sa.Column(
            "raw", JSONB(), nullable=True, comment="what the provider said of it, without the payer"
        ),
        sa.CheckConstraint(
            "(status IN ('paid', 'refunding', 'refunded')) = (transaction_id IS NOT NULL)",
            name=op.f("ck_payment_order_transaction"),
        ),
        sa.CheckConstraint(
            "(trade_type = 'jsapi') = (openid IS NOT NULL)", name=op.f("ck_payment_order_openid")
        ),
        sa.CheckConstraint("provider IN ('wechat')", name=op.f("ck_payment_order_provider")),
        sa.CheckConstraint(
            "status IN ('created', 'pending', 'paid', 'closed', 'refunding', 'refunded', 'failed')",
            name=op.f("ck_payment_order_status"),
        ),
        sa.CheckConstraint(
            "trade_type IN ('native', 'jsapi')", name=op.f("ck_payment_order_trade_type")
        ),
        sa.CheckConstraint(
            "(source IS NULL) = (source_id IS NULL)", name=op.f("ck_payment_order_source")
        ),
        sa.CheckConstraint(
            "(transaction_id IS NULL) = (paid_at IS NULL)", name=op.f("ck_payment_order_paid_at")
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payment_order_amount")),
        sa.CheckConstraint(
            "payment_id IS NULL OR top_up_id IS NULL", name=op.f("ck_payment_order_one_effect")
        ),
        sa.CheckConstraint(
            "source IS NOT NULL OR household_id IS NOT NULL", name=op.f("ck_payment_order_purpose")
        ),
        sa.CheckConstraint(
            "transaction_id IS NOT NULL OR (payment_id IS NULL AND top_up_id IS NULL)",
            name=op.f("ck_payment_order_money"),
        ),
        sa.ForeignKeyConstraint(
            ["asked_by"], ["person.id"], name=op.f("fk_payment_order_asked_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_payment_order_household_id_household")
        ),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payment.id"], name=op.f("fk_payment_order_payment_id_payment")
        ),
        sa.ForeignKeyConstraint(
            ["top_up_id"], ["top_up.id"], name=op.f("fk_payment_order_top_up_id_top_up")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_order")),
        sa.UniqueConstraint("out_trade_no", name=op.f("uq_payment_order_out_trade_no")),
        sa.UniqueConstraint("payment_id", name=op.f("uq_payment_order_payment_id")),
        sa.UniqueConstraint("top_up_id", name=op.f("uq_payment_order_top_up_id")),
        sa.UniqueConstraint("transaction_id", name=op.f("uq_payment_order_transaction_id")),
    )
    op.create_index(
        "ix_payment_order_household_id",
        "payment_order",
        ["household_id"],
        unique=False,
        postgresql_where="household_id IS NOT NULL",
    )
    op.create_index(
        "ix_payment_order_next_try_at",
        "payment_order",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('created', 'pending')"),
    )
    op.create_index(
        "ix_payment_order_paid_at",
        "payment_order",
        ["paid_at"],
        unique=False,
        postgresql_where="paid_at IS NOT NULL",
    )
    op.create_index("ix_payment_order_source_source_id", "payment_order", ["source", "source_id"])
    op.create_table(
        "payment_refund",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("out_refund_no", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.BigInteger(), nullable=False),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(length=80), nullable=False),
        sa.Column("status", sa.String(length=16), server_default="created", nullable=False),
        sa.Column(
            "refund_id", sa.String(length=64), nullable=True, comment="the provider's name for it"
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.String(length=256), nullable=True),
        sa.Column("raw", JSONB(), nullable=True),
        sa.CheckConstraint(
            "(status = 'succeeded') = (succeeded_at IS NOT NULL)",
            name=op.f("ck_payment_refund_succeeded"),
        ),
        sa.CheckConstraint(
            "status IN ('created', 'processing', 'succeeded', 'failed')",
            name=op.f("ck_payment_refund_status"),
        ),
        sa.CheckConstraint("amount_fen > 0", name=op.f("ck_payment_refund_amount")),
        sa.ForeignKeyConstraint(
            ["order_id"],
            ["payment_order.id"],
            name=op.f("fk_payment_refund_order_id_payment_order"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payment_refund")),
        sa.UniqueConstraint("order_id", name=op.f("uq_payment_refund_order_id")),
        sa.UniqueConstraint("out_refund_no", name=op.f("uq_payment_refund_out_refund_no")),
        sa.UniqueConstraint("refund_id", name=op.f("uq_payment_refund_refund_id")),
    )
    op.create_index(
        "ix_payment_refund_next_try_at",
        "payment_refund",
        ["next_try_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('created', 'processing')"),
    )
    op.create_index(
        "ix_payment_refund_succeeded_at",
        "payment_refund",
        ["succeeded_at"],
        unique=False,
        postgresql_where="succeeded_at IS NOT NULL",
    )


def _create_moves() -> None:
    op.create_table(
        "channel_move",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column(
            "reference",
            sa.String(length=96),
            nullable=False,
            comment="its cause: our number of the order or refund, or a bill's line",
        ),
        sa.Column(
            "amount_fen",
            sa.BigInteger(),
            nullable=False,
            comment="negative: a fee or a transfer that came back",
        ),
        sa.Column(
            "household_id", sa.BigInteger(), nullable=True, comment="whose money it is, when known"
        ),
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
            "amount_fen > 0 OR kind NOT IN ('surplus', 'refund')", name=op.f("ck_channel_move_sign")
        ),
        sa.CheckConstraint("channel IN ('wechat', 'alipay')", name=op.f("ck_channel_move_channel")),
        sa.CheckConstraint(
            "kind IN ('surplus', 'refund', 'provider_fee', 'settlement_transfer')",
            name=op.f("ck_channel_move_kind"),
        ),
        sa.CheckConstraint("amount_fen <> 0", name=op.f("ck_channel_move_amount")),
        sa.CheckConstraint(
            "settled_at IS NULL OR set_aside_reason IS NULL",
            name=op.f("ck_channel_move_settled_once"),
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_channel_move_household_id_household")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_move")),
        sa.UniqueConstraint(
            "kind", "channel", "reference", name=op.f("uq_channel_move_kind_channel_reference")
        ),
    )
    op.create_index(
        "ix_channel_move_to_settle",
        "channel_move",
        ["id"],
        unique=False,
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def _create_bills() -> None:
    op.create_table(
        "bill_import",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("filename", sa.String(length=128), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("covers_from", sa.Date(), nullable=False),
        sa.Column("covers_to", sa.Date(), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("new_lines", sa.Integer(), nullable=False),
        sa.Column("imported_by", sa.BigInteger(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "channel IN ('wechat', 'alipay', 'bank')", name=op.f("ck_bill_import_channel")
        ),
        sa.CheckConstraint("covers_from <= covers_to", name=op.f("ck_bill_import_covers")),
        sa.ForeignKeyConstraint(
            ["imported_by"], ["person.id"], name=op.f("fk_bill_import_imported_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_import")),
    )
    op.create_index(
        "ix_bill_import_channel_covers_from_covers_to",
        "bill_import",
        ["channel", "covers_from", "covers_to"],
    )
    op.create_table(
        "bill_line",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column(
            "external_id",
            sa.String(length=64),
            nullable=False,
            comment="the provider's name for it",
        ),
        sa.Column(
            "reference",
            sa.String(length=64),
            nullable=False,
            comment="our name for it, if it says one",
        ),
        sa.Column(
            "provider",
            sa.String(length=16),
            nullable=True,
            comment="of a bank's line: the provider that paid us",
        ),
        sa.Column("amount_fen", sa.BigInteger(), nullable=False),
        sa.Column("fee_fen", sa.BigInteger(), nullable=False, comment="negative: given back"),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("memo", sa.String(length=128), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=True),
        sa.CheckConstraint(
            "channel IN ('wechat', 'alipay', 'bank')", name=op.f("ck_bill_line_channel")
        ),
        sa.CheckConstraint(
            "type IN ('payment', 'refund', 'transfer', 'other')", name=op.f("ck_bill_line_type")
        ),
        sa.CheckConstraint(
            "verdict IN ('matched', 'missing_here', 'amount_differs')",
            name=op.f("ck_bill_line_verdict"),
        ),
        sa.ForeignKeyConstraint(
            ["import_id"], ["bill_import.id"], name=op.f("fk_bill_line_import_id_bill_import")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bill_line")),
        sa.UniqueConstraint(
            "channel", "external_id", "type", name=op.f("uq_bill_line_channel_external_id_type")
        ),
    )
    op.create_index("ix_bill_line_channel_on_day", "bill_line", ["channel", "on_day"])
    op.create_index("ix_bill_line_type_reference", "bill_line", ["type", "reference"])
    op.create_table(
        "reconciliation_task",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column(
            "reference",
            sa.String(length=64),
            nullable=False,
            comment="our name for it, else theirs",
        ),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("ours_fen", sa.BigInteger(), nullable=True),
        sa.Column("theirs_fen", sa.BigInteger(), nullable=True),
        sa.Column("status", sa.String(length=16), server_default="open", nullable=False),
        sa.Column("reason", sa.String(length=256), nullable=True),
        sa.Column(
            "resolved_by", sa.BigInteger(), nullable=True, comment="null: it came right by itself"
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'resolved') = (resolved_at IS NOT NULL AND reason IS NOT NULL)",
            name=op.f("ck_reconciliation_task_resolved"),
        ),
        sa.CheckConstraint(
            "kind IN ('missing_here', 'missing_there', 'amount_differs')",
            name=op.f("ck_reconciliation_task_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('open', 'resolved')", name=op.f("ck_reconciliation_task_status")
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["person.id"], name=op.f("fk_reconciliation_task_resolved_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reconciliation_task")),
        sa.UniqueConstraint(
            "channel",
            "type",
            "reference",
            "kind",
            name=op.f("uq_reconciliation_task_channel_type_reference_kind"),
        ),
    )
    op.create_index(
        "ix_reconciliation_task_status_on_day", "reconciliation_task", ["status", "on_day"]
    )
