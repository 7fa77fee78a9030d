"""Lockers: cabinets and their compartments."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the locker tables."""
    op.create_table(
        "cabinet",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_cabinet_device_id_device")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cabinet")),
        sa.UniqueConstraint("code", name=op.f("uq_cabinet_code")),
        sa.UniqueConstraint("device_id", name=op.f("uq_cabinet_device_id")),
    )
    op.create_table(
        "compartment",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("cabinet_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("size", sa.String(), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.CheckConstraint("size IN ('S', 'M', 'L')", name=op.f("ck_compartment_size")),
        sa.CheckConstraint('number > 0 AND "row" > 0', name=op.f("ck_compartment_place")),
        sa.ForeignKeyConstraint(
            ["cabinet_id"], ["cabinet.id"], name=op.f("fk_compartment_cabinet_id_cabinet")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compartment")),
        sa.UniqueConstraint("cabinet_id", "number", name=op.f("uq_compartment_cabinet_id_number")),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("compartment")
    op.drop_table("cabinet")
