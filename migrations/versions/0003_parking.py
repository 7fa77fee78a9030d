"""Devices and parking: who stands at the gate, what was seen, who holds which space."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = [
    "space_claim",
    "exception_case",
    "stay",
    "blocked_plate",
    "permit",
    "vehicle",
    "tariff",
    "space",
    "device_event",
    "device",
    "lane",
    "lot",
]

# What was observed or priced is history. Only personal data may leave it, when it expires.
GUARDS = """
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: it is history', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER device_event_fixed BEFORE UPDATE ON device_event FOR EACH ROW
    WHEN (
        ROW(OLD.device_id, OLD.event_key, OLD.type, OLD.occurred_at, OLD.recorded_at, OLD.history)
            IS DISTINCT FROM
        ROW(NEW.device_id, NEW.event_key, NEW.type, NEW.occurred_at, NEW.recorded_at, NEW.history)
        OR (NEW.raw IS NOT NULL AND NEW.raw IS DISTINCT FROM OLD.raw)
        OR (NEW.data IS NOT NULL AND NEW.data IS DISTINCT FROM OLD.data)
        OR (NEW.answer IS NOT NULL AND NEW.answer IS DISTINCT FROM OLD.answer)
    )
    EXECUTE FUNCTION refuse_rewriting();

CREATE TRIGGER tariff_fixed BEFORE UPDATE ON tariff FOR EACH ROW
    EXECUTE FUNCTION refuse_rewriting();

CREATE TRIGGER stay_fixed BEFORE UPDATE ON stay FOR EACH ROW
    WHEN (
        OLD.status = 'closed' AND
        (ROW(OLD.lot_id, OLD.status, OLD.entered_at, OLD.exited_at, OLD."right", OLD.space_id,
             OLD.permit_id, OLD.household_id, OLD.tariff_id, OLD.fee_fen)
            IS DISTINCT FROM
         ROW(NEW.lot_id, NEW.status, NEW.entered_at, NEW.exited_at, NEW."right", NEW.space_id,
             NEW.permit_id, NEW.household_id, NEW.tariff_id, NEW.fee_fen)
         OR (NEW.plate <> OLD.plate AND NEW.plate <> '已过期'))
    )
    EXECUTE FUNCTION refuse_rewriting();

"""

KEPT = ("device_event", "exception_case", "stay", "space_claim", "tariff")


def upgrade() -> None:
    op.create_table(
        "blocked_plate",
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("plate", name=op.f("pk_blocked_plate")),
    )
    op.create_table(
        "lot",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("takes_walk_ins", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.CheckConstraint("kind IN ('car', 'ebike')", name=op.f("ck_lot_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lot")),
        sa.UniqueConstraint("code", name=op.f("uq_lot_code")),
    )
    op.create_table(
        "lane",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("direction IN ('entry', 'exit')", name=op.f("ck_lane_direction")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_lane_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lane")),
        sa.UniqueConstraint("code", name=op.f("uq_lane_code")),
    )
    op.create_table(
        "space",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("owner_household_id", sa.BigInteger(), nullable=True),
        sa.Column("in_service", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_space_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["owner_household_id"],
            ["household.id"],
            name=op.f("fk_space_owner_household_id_household"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space")),
        sa.UniqueConstraint("code", name=op.f("uq_space_code")),
    )
    op.create_index(op.f("ix_space_lot_id_id"), "space", ["lot_id", "id"], unique=False)
    op.create_table(
        "tariff",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rules", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint("version > 0", name=op.f("ck_tariff_version")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_tariff_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tariff")),
        sa.UniqueConstraint("lot_id", "valid_from", name=op.f("uq_tariff_lot_id_valid_from")),
        sa.UniqueConstraint("lot_id", "version", name=op.f("uq_tariff_lot_id_version")),
    )
    op.create_table(
        "vehicle",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("plate_color", sa.String(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_vehicle_household_id_household")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_vehicle")),
        sa.UniqueConstraint("plate", "plate_color", name=op.f("uq_vehicle_plate_plate_color")),
    )
    op.create_index(op.f("ix_vehicle_household_id"), "vehicle", ["household_id"], unique=False)
    op.create_table(
        "device",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("lane_id", sa.BigInteger(), nullable=True),
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("previous_token_digest", sa.LargeBinary(), nullable=True),
        sa.Column("previous_token_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("display", sa.String(), server_default="none", nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("last_seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "clock_off_seconds",
            sa.Integer(),
            nullable=True,
            comment="how far its clock is behind ours, when beyond tolerance",
        ),
        sa.CheckConstraint("display IN ('none', 'led-485', 'tts')", name=op.f("ck_device_display")),
        sa.CheckConstraint("kind IN ('camera', 'dock', 'cabinet')", name=op.f("ck_device_kind")),
        sa.CheckConstraint(
            "(previous_token_digest IS NULL) = (previous_token_until IS NULL)",
            name=op.f("ck_device_grace"),
        ),
        sa.ForeignKeyConstraint(["lane_id"], ["lane.id"], name=op.f("fk_device_lane_id_lane")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device")),
        sa.UniqueConstraint("code", name=op.f("uq_device_code")),
        sa.UniqueConstraint("previous_token_digest", name=op.f("uq_device_previous_token_digest")),
        sa.UniqueConstraint("serial", name=op.f("uq_device_serial")),
        sa.UniqueConstraint("token_digest", name=op.f("uq_device_token_digest")),
    )
    op.create_table(
        "permit",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("plate_color", sa.String(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('resident', 'monthly', 'staff')", name=op.f("ck_permit_kind")),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_permit_order")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_permit_lot_id_lot")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_permit_space_id_space")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permit")),
    )
    op.create_index(op.f("ix_permit_lot_id_plate"), "permit", ["lot_id", "plate"], unique=False)
    op.create_table(
        "device_event",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.Column("event_key", sa.String(), nullable=False),
        sa.Column("type", sa.String(), nullable=False),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "history",
            sa.Boolean(),
            nullable=False,
            comment="replayed or stale: booked, never obeyed",
        ),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("data", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("answer", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_device_event_device_id_device")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_device_event")),
        sa.UniqueConstraint(
            "device_id", "event_key", name=op.f("uq_device_event_device_id_event_key")
        ),
    )
    op.create_index("ix_device_event_recorded_at", "device_event", ["recorded_at"], unique=False)
    op.create_table(
        "exception_case",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("device_id", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("plate", sa.String(), nullable=True),
        sa.Column(
            "raised_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by", sa.BigInteger(), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolution IS NULL)",
            name=op.f("ck_exception_case_resolved_with_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["device_id"], ["device.id"], name=op.f("fk_exception_case_device_id_device")
        ),
        sa.ForeignKeyConstraint(
            ["event_id"], ["device_event.id"], name=op.f("fk_exception_case_event_id_device_event")
        ),
        sa.ForeignKeyConstraint(
            ["resolved_by"], ["person.id"], name=op.f("fk_exception_case_resolved_by_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_exception_case")),
        sa.UniqueConstraint("event_id", "reason", name=op.f("uq_exception_case_event_id_reason")),
    )
    op.create_index(
        "ix_exception_case_open",
        "exception_case",
        ["raised_at"],
        unique=False,
        postgresql_where=sa.text("resolved_at IS NULL"),
    )
    op.create_table(
        "stay",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("plate_color", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("right", sa.String(), nullable=False),
        sa.Column("entered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exited_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("entry_event_id", sa.BigInteger(), nullable=True),
        sa.Column("exit_event_id", sa.BigInteger(), nullable=True),
        sa.Column("space_id", sa.BigInteger(), nullable=True),
        sa.Column("permit_id", sa.BigInteger(), nullable=True),
        sa.Column("tariff_id", sa.BigInteger(), nullable=True),
        sa.Column("household_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "closed_by",
            sa.BigInteger(),
            nullable=True,
            comment="the operator, when no camera saw the exit",
        ),
        sa.Column("close_reason", sa.String(), nullable=True),
        sa.Column("fee_fen", sa.BigInteger(), nullable=True, comment="final fee, once closed"),
        sa.CheckConstraint(
            "(status = 'closed') = (fee_fen IS NOT NULL)", name=op.f("ck_stay_closed_has_fee")
        ),
        sa.CheckConstraint(
            "(status = 'open' AND entered_at IS NOT NULL AND exited_at IS NULL)"
            " OR (status = 'closed' AND entered_at IS NOT NULL AND exited_at IS NOT NULL)"
            " OR (status = 'entry-missing' AND entered_at IS NULL AND exited_at IS NOT NULL)"
            " OR (status = 'exit-missing' AND entered_at IS NOT NULL AND exited_at IS NULL)",
            name=op.f("ck_stay_status"),
        ),
        sa.CheckConstraint(
            "\"right\" IN ('walk-in', 'permit', 'booking')", name=op.f("ck_stay_right")
        ),
        sa.CheckConstraint("entered_at <= exited_at", name=op.f("ck_stay_order")),
        sa.CheckConstraint("fee_fen >= 0", name=op.f("ck_stay_fee")),
        sa.CheckConstraint(
            "(closed_by IS NULL) = (close_reason IS NULL)",
            name=op.f("ck_stay_closed_by_hand_with_reason"),
        ),
        sa.ForeignKeyConstraint(
            ["closed_by"], ["person.id"], name=op.f("fk_stay_closed_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["entry_event_id"],
            ["device_event.id"],
            name=op.f("fk_stay_entry_event_id_device_event"),
        ),
        sa.ForeignKeyConstraint(
            ["exit_event_id"], ["device_event.id"], name=op.f("fk_stay_exit_event_id_device_event")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_stay_household_id_household")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_stay_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["permit_id"], ["permit.id"], name=op.f("fk_stay_permit_id_permit")
        ),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_stay_space_id_space")),
        sa.ForeignKeyConstraint(
            ["tariff_id"], ["tariff.id"], name=op.f("fk_stay_tariff_id_tariff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stay")),
    )
    op.create_index(op.f("ix_stay_household_id"), "stay", ["household_id"], unique=False)
    op.create_index("ix_stay_plate_entered_at", "stay", ["plate", "entered_at"], unique=False)
    op.create_index("ix_stay_plate_exited_at", "stay", ["plate", "exited_at"], unique=False)
    op.create_index(
        "uq_stay_open",
        "stay",
        ["lot_id", "plate", "plate_color"],
        unique=True,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_table(
        "space_claim",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("during", postgresql.TSTZRANGE(), nullable=False),
        sa.Column("stay_id", sa.BigInteger(), nullable=False),
        sa.Column("live", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        postgresql.ExcludeConstraint(
            (sa.text("int8range(space_id, space_id, '[]')"), "&&"),
            (sa.column("during"), "&&"),
            where=sa.text("live"),
            using="gist",
            name="ex_space_claim_one_at_a_time",
        ),
        sa.CheckConstraint("NOT isempty(during)", name=op.f("ck_space_claim_during")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_space_claim_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_space_claim_space_id_space")
        ),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_space_claim_stay_id_stay")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_claim")),
        sa.UniqueConstraint("stay_id", name=op.f("uq_space_claim_stay_id")),
    )
    op.create_index(
        "ix_space_claim_live",
        "space_claim",
        ["lot_id", "space_id"],
        unique=False,
        postgresql_where=sa.text("live"),
    )
    # ### end Alembic commands ###

    op.execute(GUARDS)
    for table in KEPT:
        op.execute(f"""
            CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
        """)


def downgrade() -> None:
    for table in TABLES:
        op.drop_table(table)
    op.execute("DROP FUNCTION refuse_rewriting()")
