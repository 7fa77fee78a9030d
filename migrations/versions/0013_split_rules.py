"""Split rules by lot and version, with cost and vote; whose lot earned; nightly proofs."""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

APP, REPORTER = "huilin_app", "huilin_reporter"

# Heading first; then one account for each income the provider already has.
COST_ACCOUNTS = """
INSERT INTO account (code, name_zh, name_en, type, book, normal_side, active)
VALUES ('6051', '成本补偿', 'Cost recovered', 'income', 'provider', 'credit', false);
INSERT INTO account (code, name_zh, name_en, type, book, normal_side, parent)
SELECT '6051' || right(provider.code, 2), '成本补偿-' || fund.name_zh,
    'Cost recovered: ' || fund.name_en, 'income', 'provider', 'credit', '6051'
FROM account AS provider JOIN account AS fund ON fund.code = '4301' || right(provider.code, 2)
WHERE provider.code ~ '^6001..$';
"""

VERSIONS = """
ALTER TABLE split_rule DISABLE TRIGGER append_only;
UPDATE split_rule SET version = counted.version FROM (
    SELECT id, row_number() OVER (PARTITION BY income, ownership ORDER BY id) AS version
    FROM split_rule
) AS counted WHERE counted.id = split_rule.id;
ALTER TABLE split_rule ENABLE TRIGGER append_only;
"""

# What they split could not be told from what the general rules split.
UNUSED = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM split_rule WHERE lot IS NOT NULL OR cost_permille > 0) THEN
        RAISE EXCEPTION 'there are split rules of a lot, or with cost before shares';
    END IF;
END $$;
"""

CHECKS = {
    "cost": "cost_permille BETWEEN 0 AND 1000",
    "votes": "num_nulls(votes_for, votes_against, votes_abstained) IN (0, 3)",
    "voters": "votes_for >= 0 AND votes_against >= 0 AND votes_abstained >= 0",
    "area": "area_for_permille BETWEEN 0 AND 1000",
}


def upgrade() -> None:
    """Let rules name a lot, a cost and a vote, and charges the lot whose place earned them.

    Charges raised before keep none: they are never edited.
    """
    op.execute(COST_ACCOUNTS)
    for column in _columns():
        op.add_column("split_rule", column)
    op.execute(VERSIONS)
    op.alter_column("split_rule", "version", nullable=False)
    op.create_foreign_key(op.f("fk_split_rule_lot_lot"), "split_rule", "lot", ["lot"], ["code"])
    op.create_unique_constraint(
        op.f("uq_split_rule_income_ownership_lot_version"),
        "split_rule",
        ["income", "ownership", "lot", "version"],
        postgresql_nulls_not_distinct=True,
    )
    for name, rule in CHECKS.items():
        op.create_check_constraint(op.f(f"ck_split_rule_{name}"), "split_rule", rule)
    op.add_column(
        "charge",
        sa.Column(
            "lot",
            sa.String(),
            nullable=True,
            comment="code of the lot whose place earned it; null: no lot's, or not recorded yet",
        ),
    )
    context.script.get_revision("0012").module.keep("charge")

    _create_proofs()


def downgrade() -> None:
    """Take back what `upgrade` did; refused once a rule says what the old ones could not."""
    op.execute(UNUSED)
    op.drop_table("proof_report")
    op.execute("DROP TRIGGER kept ON charge")
    op.drop_column("charge", "lot")
    context.script.get_revision("0012").module.keep("charge")
    for column in _columns():
        op.drop_column("split_rule", column.name)
    op.execute("ALTER TABLE account DISABLE TRIGGER append_only")
    op.execute("DELETE FROM account WHERE code ~ '^6051'")
    op.execute("ALTER TABLE account ENABLE TRIGGER append_only")


def _create_proofs() -> None:
    op.create_table(
        "proof_report",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="of the night, in the community"),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ok", sa.Boolean(), nullable=False),
        sa.Column("checks", JSONB(), nullable=False),
        sa.Column(
            "sides",
            JSONB(),
            nullable=False,
            comment="source rows beside entries, payments beside lines of bills",
        ),
        sa.Column("heads", JSONB(), nullable=False, comment="the newest head of each book"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_proof_report")),
        sa.UniqueConstraint("day", name=op.f("uq_proof_report_day")),
    )
    op.execute("""
        CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON proof_report
            FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse()
    """)
    if _is_there(APP):
        op.execute(f"REVOKE UPDATE, DELETE ON proof_report FROM {APP}")
    if _is_there(REPORTER):
        op.execute(f"GRANT SELECT ON proof_report TO {REPORTER}")


def _is_there(role: str) -> bool:
    found = op.get_bind().exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{role}'")
    return found.first() is not None


def _columns() -> tuple[sa.Column[object], ...]:
    return (
        sa.Column("lot", sa.String(), nullable=True, comment="null: every lot"),
        sa.Column("version", sa.Integer(), nullable=True),
        sa.Column(
            "cost_permille",
            sa.Integer(),
            server_default=sa.text("0"),
            nullable=False,
            comment="of the income, to the provider before shares",
        ),
        sa.Column("decided_on", sa.Date(), nullable=True),
        sa.Column("votes_for", sa.Integer(), nullable=True),
        sa.Column("votes_against", sa.Integer(), nullable=True),
        sa.Column("votes_abstained", sa.Integer(), nullable=True),
        sa.Column(
            "area_for_permille",
            sa.Integer(),
            nullable=True,
            comment="the share of exclusive area that voted for it",
        ),
        sa.Column(
            "reference",
            sa.String(256),
            nullable=True,
            comment="where the minutes and the ballots are kept",
        ),
    )
