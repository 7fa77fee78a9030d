"""Notices to one person or to a phone, with sealed codes; and their deliveries by channel."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# What was told before appeared at once.
SHOWN = "UPDATE notice SET shown_at = recorded_at"

# The tables of before would show these to people whom they were not meant for.
ONLY_HERE = """
DELETE FROM notice
WHERE household_id IS NULL OR person_id IS NOT NULL OR shown_at IS NULL OR cancelled_at IS NOT NULL
"""


def upgrade() -> None:
    """Widen the notices and create the queue of their deliveries."""
    op.add_column("notice", sa.Column("person_id", sa.BigInteger(), nullable=True))
    op.add_column("notice", sa.Column("phone", sa.String(length=11), nullable=True))
    op.add_column("notice", sa.Column("secret", sa.LargeBinary(), nullable=True))
    op.add_column("notice", sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("notice", sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True))
    op.execute(SHOWN)
    op.alter_column("notice", "household_id", existing_type=sa.BigInteger(), nullable=True)
    op.create_foreign_key(
        op.f("fk_notice_person_id_person"), "notice", "person", ["person_id"], ["id"]
    )
    op.create_check_constraint(
        op.f("ck_notice_recipient"), "notice", "household_id IS NOT NULL OR phone IS NOT NULL"
    )
    op.create_check_constraint(
        op.f("ck_notice_person_of_a_household"),
        "notice",
        "person_id IS NULL OR household_id IS NOT NULL",
    )
    op.create_index(op.f("ix_notice_about_about_id"), "notice", ["about", "about_id"])
    op.create_table(
        "delivery",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("notice_id", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(length=16), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("cancelled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(
            ["notice_id"], ["notice.id"], name=op.f("fk_delivery_notice_id_notice")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("notice_id", "channel", name=op.f("uq_delivery_notice_id_channel")),
    )
    op.create_index(
        "ix_delivery_due",
        "delivery",
        ["channel", "due_at"],
        postgresql_where=sa.text("sent_at IS NULL AND cancelled_at IS NULL"),
    )


def downgrade() -> None:
    """Drop the deliveries, and the notices that only this version can tell."""
    op.drop_table("delivery")
    op.execute(ONLY_HERE)
    op.drop_index(op.f("ix_notice_about_about_id"), table_name="notice")
    op.drop_constraint(op.f("ck_notice_person_of_a_household"), "notice", type_="check")
    op.drop_constraint(op.f("ck_notice_recipient"), "notice", type_="check")
    op.drop_constraint(op.f("fk_notice_person_id_person"), "notice", type_="foreignkey")
    op.alter_column("notice", "household_id", existing_type=sa.BigInteger(), nullable=False)
    for column in ("cancelled_at", "shown_at", "secret", "phone", "person_id"):
        op.drop_column("notice", column)
