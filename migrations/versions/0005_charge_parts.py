"""Charges of several incomes: how the amount divides, and which rule split which part of it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACCOUNTS = (
    ("430105", "充电电费收入", "Charging electricity income", "income"),
    ("430106", "充电服务费收入", "Charging service fee income", "income"),
    ("430107", "预约取消及爽约费收入", "Booking cancellation and no-show income", "income"),
)

# jsonb keeps the digits of a number: 5.0 stays 5.0 and is no whole number of fen.
GUARD = """
CREATE FUNCTION ledger_charge_divided() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad text;
BEGIN
    bad := CASE
        WHEN jsonb_typeof(NEW.parts) <> 'object' THEN 'are no object of incomes'
        WHEN NEW.parts = '{}' THEN 'are empty'
        WHEN EXISTS (
            SELECT FROM jsonb_each(NEW.parts) AS part
            WHERE jsonb_typeof(part.value) <> 'number' OR part.value::text !~ '^-?[0-9]{1,18}$'
        ) THEN 'are not whole fen'
        WHEN (SELECT sum(value::numeric) FROM jsonb_each_text(NEW.parts)) <> NEW.amount_fen
            THEN 'do not sum to ' || NEW.amount_fen || ' fen'
    END;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'the parts of a charge %', bad
            USING ERRCODE = 'check_violation', CONSTRAINT = 'charge_divided', TABLE = 'charge';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER divided BEFORE INSERT ON charge FOR EACH ROW WHEN (NEW.parts IS NOT NULL)
    EXECUTE FUNCTION ledger_charge_divided();
"""


def upgrade() -> None:
    """Add the parts of charges, their guard, the rule behind a posting, and new incomes."""
    op.add_column(
        "charge",
        sa.Column(
            "parts",
            JSONB(),
            nullable=True,
            comment="fen by income, summing to the amount; null: all of it is the income",
        ),
    )
    op.add_column(
        "posting",
        sa.Column(
            "split_rule_id",
            sa.BigInteger(),
            nullable=True,
            comment="the rule that split this income, where the entry has several",
        ),
    )
    op.create_foreign_key(
        op.f("fk_posting_split_rule_id_split_rule"),
        "posting",
        "split_rule",
        ["split_rule_id"],
        ["id"],
    )
    op.execute(GUARD)
    names = ("code", "name_zh", "name_en", "type")
    account = sa.table("account", *map(sa.column, names))
    op.bulk_insert(account, [dict(zip(names, row, strict=True)) for row in ACCOUNTS])


def downgrade() -> None:
    """Take back what `upgrade` added."""
    op.execute("ALTER TABLE account DISABLE TRIGGER append_only")
    op.execute("DELETE FROM account WHERE code IN ('430105', '430106', '430107')")
    op.execute("ALTER TABLE account ENABLE TRIGGER append_only")
    op.execute("DROP TRIGGER divided ON charge")
    op.execute("DROP FUNCTION ledger_charge_divided")
    op.drop_column("posting", "split_rule_id")
    op.drop_column("charge", "parts")
