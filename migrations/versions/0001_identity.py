"""Households, people, sign-ins, and the requests that must not be carried out twice."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables of `identity` and of `core.idempotency`."""
    op.create_table(
        "household",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("code", sa.String(32), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_household"),
        sa.UniqueConstraint("code", name="uq_household_code"),
    )
    op.create_table(
        "person",
        sa.Column("id", sa.BigInteger(), sa.Identity(), nullable=False),
        sa.Column("username", sa.String(64), nullable=False),
        sa.Column("password_hash", sa.String(256), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("phone", sa.String(11), nullable=True),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=True),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint(
            "username ~ '^[a-z0-9][a-z0-9._@+-]{1,63}$'", name=op.f("ck_person_username")
        ),
        sa.CheckConstraint("phone ~ '^1[3-9][0-9]{9}$'", name=op.f("ck_person_phone")),
        sa.CheckConstraint(
            "role IN ('resident', 'operator', 'finance', 'auditor', 'admin')",
            name=op.f("ck_person_role"),
        ),
        sa.CheckConstraint(
            "(role = 'resident') = (household_id IS NOT NULL)",
            name=op.f("ck_person_residents_have_a_household"),
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name="fk_person_household_id_household"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_person"),
        sa.UniqueConstraint("username", name="uq_person_username"),
    )
    op.create_index("ix_person_phone", "person", ["phone"])
    op.create_index("ix_person_household_id", "person", ["household_id"])
    op.create_table(
        "auth_session",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("refresh_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name="fk_auth_session_person_id_person"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_auth_session"),
    )
    op.create_index("ix_auth_session_person_id", "auth_session", ["person_id"])
    op.create_table(
        "idempotent_request",
        sa.Column("caller", sa.String(), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", JSONB(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.func.now(),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("caller", "key", name="pk_idempotent_request"),
    )
    op.create_index("ix_idempotent_request_recorded_at", "idempotent_request", ["recorded_at"])


def downgrade() -> None:
    """Drop what `upgrade` created."""
    for table in ("idempotent_request", "auth_session", "person", "household"):
        op.drop_table(table)
