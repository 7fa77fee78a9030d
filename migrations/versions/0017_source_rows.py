"""One view of all that settlement posts, whatever table it lies in."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = ("charge", "payment", "top_up", "channel_move", "fee_refund", "fund_receipt")
ROWS = " UNION ALL ".join(
    f"SELECT '{table}' AS of_table, id, amount_fen, occurred_at, recorded_at, settled_at,"  # noqa: S608
    f" set_aside_reason FROM {table}"
    for table in TABLES
)
# What was only drafted or approved moves no money yet.
PAID = """
SELECT 'disbursement', id, amount_fen, paid_at, recorded_at, settled_at, set_aside_reason
FROM disbursement WHERE status = 'paid'
"""
READERS = ("huilin_app", "huilin_reporter")


def upgrade() -> None:
    """Create the view, and let those read it who may read its tables."""
    op.execute(f"CREATE VIEW source_row AS {ROWS} UNION ALL {PAID}")
    for role in READERS:
        if op.get_bind().exec_driver_sql(f"SELECT FROM pg_roles WHERE rolname = '{role}'").first():
            op.execute(f"REVOKE ALL ON source_row FROM {role}")
            op.execute(f"GRANT SELECT ON source_row TO {role}")


def downgrade() -> None:
    """Drop it; nothing lies in it."""
    op.execute("DROP VIEW source_row")
