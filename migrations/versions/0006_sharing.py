"""Sharing: windows, bookings, waitlist, e-bike groups and charging; and what holds them true."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# A private space is offered when its owner says so, at first never; a community space always,
# less what fixed-space permits reserve.
OFFERED = """
UPDATE space SET offered = CASE WHEN owner_household_id IS NOT NULL THEN '{}' ELSE (
    SELECT tstzmultirange(tstzrange(NULL, NULL))
           - range_agg(tstzrange(p.starts_at, p.ends_at))
    FROM permit p WHERE p.space_id = space.id
) END
WHERE owner_household_id IS NOT NULL OR id IN (SELECT space_id FROM permit)
"""

GUARDS = """
CREATE FUNCTION booking_is_offered() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    place record;
BEGIN
    SELECT lot_id, in_service, offered INTO place FROM space
    WHERE id = NEW.space_id FOR KEY SHARE;
    IF place.offered IS NOT NULL THEN
        SELECT lot_id, in_service, offered INTO place FROM space WHERE id = NEW.space_id FOR SHARE;
    END IF;
    IF place.lot_id <> NEW.lot_id OR NOT place.in_service
            OR NOT coalesce(place.offered @> tstzrange(NEW.starts_at, NEW.ends_at), true) THEN
        RAISE EXCEPTION 'space % is not offered for this booking', NEW.space_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'booking_is_offered';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER booking_is_offered
    BEFORE INSERT OR UPDATE OF lot_id, space_id, starts_at, ends_at ON booking FOR EACH ROW
    WHEN (NEW.status IN ('confirmed', 'checked_in')) EXECUTE FUNCTION booking_is_offered();

CREATE FUNCTION offer_keeps_bookings() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM booking b
               WHERE b.space_id = NEW.id AND b.status IN ('confirmed', 'checked_in')
                 AND NOT NEW.offered @> tstzrange(b.starts_at, b.ends_at)) THEN
        RAISE EXCEPTION 'space % has bookings outside of what would be offered', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'offer_keeps_bookings';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER offer_keeps_bookings AFTER UPDATE OF offered ON space FOR EACH ROW
    WHEN (NEW.offered IS DISTINCT FROM OLD.offered) EXECUTE FUNCTION offer_keeps_bookings();

-- The most claims of a group that hold at one instant of a span.
CREATE FUNCTION group_peak(wanted_group bigint, span tstzrange, except_claim bigint DEFAULT NULL)
RETURNS bigint LANGUAGE sql STABLE AS $$
    WITH held AS (
        SELECT c.during FROM space_claim c
        WHERE c.live AND c.group_id = wanted_group AND c.during && span
          AND c.id IS DISTINCT FROM except_claim
    ), instants AS (
        SELECT lower(span) AS instant
        UNION SELECT lower(during) FROM held WHERE lower(during) > lower(span)
    )
    SELECT coalesce(max(together), 0) FROM (
        SELECT count(*) AS together FROM instants JOIN held ON held.during @> instants.instant
        GROUP BY instants.instant
    ) counted
$$;

CREATE FUNCTION group_has_room() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    room integer;
BEGIN
    SELECT capacity INTO room FROM space_group WHERE id = NEW.group_id FOR UPDATE;
    IF group_peak(NEW.group_id, NEW.during, NEW.id) >= room THEN
        RAISE EXCEPTION 'group % is full', NEW.group_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'group_has_room';
    END IF;
    RETURN NEW;
END $$;

CREATE TRIGGER group_has_room BEFORE INSERT OR UPDATE OF during, live, group_id ON space_claim
    FOR EACH ROW WHEN (NEW.live AND NEW.group_id IS NOT NULL) EXECUTE FUNCTION group_has_room();

-- Claims the first of these spaces that is still free, best first, and says which; null when
-- none is. Those that somebody else is claiming this instant are tried last, and waited for.
CREATE FUNCTION claim_space(spaces bigint[], wanted tstzrange, booking bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    place bigint;
    taken bigint;
    passed bigint[] := '{}';
BEGIN
    FOREACH place IN ARRAY spaces LOOP
        IF pg_try_advisory_xact_lock(hashtextextended('space ' || place, 0)) THEN
            taken := claim_one_space(place, wanted, booking);
            IF taken IS NOT NULL THEN
                RETURN taken;
            END IF;
        ELSE
            passed := passed || place;
        END IF;
    END LOOP;
    FOREACH place IN ARRAY passed LOOP
        taken := claim_one_space(place, wanted, booking);
        IF taken IS NOT NULL THEN
            RETURN taken;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;

CREATE FUNCTION claim_one_space(place bigint, wanted tstzrange, booking bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    taken bigint;
    full_group bigint;
    refused text;
BEGIN
    SELECT group_id INTO full_group FROM space WHERE id = place;
    IF full_group IS NULL THEN
        INSERT INTO space_claim (lot_id, space_id, during, booking_id)
        SELECT lot_id, id, wanted, booking FROM space WHERE id = place
        ON CONFLICT DO NOTHING RETURNING space_id INTO taken;
        RETURN taken;
    END IF;
    BEGIN
        INSERT INTO space_claim (lot_id, space_id, group_id, during, booking_id)
        SELECT lot_id, id, group_id, wanted, booking FROM space WHERE id = place
        ON CONFLICT DO NOTHING RETURNING space_id INTO taken;
    EXCEPTION WHEN check_violation THEN
        GET STACKED DIAGNOSTICS refused = CONSTRAINT_NAME;
        IF refused <> 'group_has_room' THEN
            RAISE;
        END IF;
    END;
    RETURN taken;
END $$;

DROP TRIGGER stay_fixed ON stay;
CREATE TRIGGER stay_fixed BEFORE UPDATE ON stay FOR EACH ROW
    WHEN (
        OLD.status = 'closed' AND
        (ROW(OLD.lot_id, OLD.status, OLD.entered_at, OLD.exited_at, OLD."right", OLD.space_id,
             OLD.permit_id, OLD.booking_id, OLD.household_id, OLD.tariff_id, OLD.fee_fen,
             OLD.vehicle_class, OLD.new_energy, OLD.left_before_at, OLD.swap_until)
            IS DISTINCT FROM
         ROW(NEW.lot_id, NEW.status, NEW.entered_at, NEW.exited_at, NEW."right", NEW.space_id,
             NEW.permit_id, NEW.booking_id, NEW.household_id, NEW.tariff_id, NEW.fee_fen,
             NEW.vehicle_class, NEW.new_energy, NEW.left_before_at, NEW.swap_until)
         OR (NEW.plate <> OLD.plate AND NEW.plate <> '已过期'))
    )
    EXECUTE FUNCTION refuse_rewriting();

CREATE TRIGGER booking_fixed BEFORE UPDATE ON booking FOR EACH ROW
    WHEN (
        ROW(OLD.kind, OLD.lot_id, OLD.household_id, OLD.tariff_id, OLD.terms_id, OLD.quote_id)
            IS DISTINCT FROM
        ROW(NEW.kind, NEW.lot_id, NEW.household_id, NEW.tariff_id, NEW.terms_id, NEW.quote_id)
        OR (OLD.status NOT IN ('confirmed', 'checked_in') AND
            (ROW(OLD.status, OLD.space_id, OLD.starts_at, OLD.ends_at, OLD.total_fen)
                IS DISTINCT FROM
             ROW(NEW.status, NEW.space_id, NEW.starts_at, NEW.ends_at, NEW.total_fen)
             OR (NEW.plate <> OLD.plate AND NEW.plate <> '已过期')))
    )
    EXECUTE FUNCTION refuse_rewriting();

CREATE TRIGGER quote_fixed BEFORE UPDATE ON quote FOR EACH ROW
    EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER booking_terms_fixed BEFORE UPDATE ON booking_terms FOR EACH ROW
    EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER draw_fixed BEFORE UPDATE ON draw FOR EACH ROW
    EXECUTE FUNCTION refuse_rewriting();
"""

KEPT = ("booking", "quote", "booking_terms", "draw", "charging", "sharing_window")


def upgrade() -> None:
    """Create what sharing needs."""
    op.create_table(
        "calendar_day",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "kind IN ('workday', 'weekend', 'holiday', 'makeup_workday')",
            name=op.f("ck_calendar_day_kind"),
        ),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_calendar_day")),
    )
    op.create_table(
        "booking_terms",
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
        sa.CheckConstraint("version > 0", name=op.f("ck_booking_terms_version")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_booking_terms_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking_terms")),
        sa.UniqueConstraint(
            "lot_id", "valid_from", name=op.f("uq_booking_terms_lot_id_valid_from")
        ),
        sa.UniqueConstraint("lot_id", "version", name=op.f("uq_booking_terms_lot_id_version")),
    )
    op.create_table(
        "draw",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("drawn_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seed", sa.String(), nullable=False),
        sa.Column(
            "waiting",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="entry, household's minutes this month; in the order served",
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_draw_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draw")),
    )
    op.create_index(op.f("ix_draw_lot_id"), "draw", ["lot_id"], unique=False)
    op.create_table(
        "notice",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column(
            "about", sa.String(length=32), nullable=True, comment="what it is about: booking, …"
        ),
        sa.Column("about_id", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_notice_household_id_household")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    op.create_index(
        op.f("ix_notice_household_id_id"), "notice", ["household_id", "id"], unique=False
    )
    op.create_table(
        "space_group",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.CheckConstraint("capacity BETWEEN 1 AND 25", name=op.f("ck_space_group_capacity")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_space_group_lot_id_lot")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_space_group")),
        sa.UniqueConstraint("lot_id", "code", name=op.f("uq_space_group_lot_id_code")),
    )
    op.create_table(
        "quote",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("vehicle_class", sa.String(), server_default="small", nullable=False),
        sa.Column("new_energy", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("tariff_id", sa.BigInteger(), nullable=False),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column("lines", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_quote_order")),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_quote_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_quote_person_id_person")
        ),
        sa.ForeignKeyConstraint(
            ["tariff_id"], ["tariff.id"], name=op.f("fk_quote_tariff_id_tariff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_quote")),
    )
    op.create_table(
        "sharing_window",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("weekdays", sa.ARRAY(sa.SmallInteger()), nullable=False),
        sa.Column("begins", sa.Time(), nullable=False),
        sa.Column("ends", sa.Time(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("blocked", sa.ARRAY(sa.Date()), server_default="{}", nullable=False),
        sa.Column("on_holidays", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("offered_by", sa.BigInteger(), nullable=False),
        sa.Column(
            "recorded_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column("withdrawn_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "weekdays <@ '{1,2,3,4,5,6,7}' AND weekdays <> '{}'",
            name=op.f("ck_sharing_window_weekdays"),
        ),
        sa.CheckConstraint("valid_from <= valid_until", name=op.f("ck_sharing_window_order")),
        sa.ForeignKeyConstraint(
            ["offered_by"], ["person.id"], name=op.f("fk_sharing_window_offered_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_sharing_window_space_id_space")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sharing_window")),
    )
    op.create_index(
        "ix_sharing_window_space",
        "sharing_window",
        ["space_id"],
        unique=False,
        postgresql_where="withdrawn_at IS NULL",
    )
    op.create_table(
        "booking",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("kind", sa.String(), server_default="guest", nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "booked_by",
            sa.BigInteger(),
            nullable=True,
            comment="null: the community itself, for a replacement",
        ),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("plate_color", sa.String(), nullable=False),
        sa.Column("vehicle_class", sa.String(), server_default="small", nullable=False),
        sa.Column("new_energy", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), server_default="confirmed", nullable=False),
        sa.Column("tariff_id", sa.BigInteger(), nullable=True),
        sa.Column("terms_id", sa.BigInteger(), nullable=True),
        sa.Column("quote_id", sa.BigInteger(), nullable=True),
        sa.Column(
            "instead_of_id",
            sa.BigInteger(),
            nullable=True,
            comment="the permit whose fixed space is taken",
        ),
        sa.Column("total_fen", sa.BigInteger(), nullable=False),
        sa.Column(
            "shortened_from_fen",
            sa.BigInteger(),
            nullable=True,
            comment="the price before it was shortened when cancelling was free no more",
        ),
        sa.Column(
            "wish", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_reason", sa.String(), nullable=True),
        postgresql.ExcludeConstraint(
            (
                sa.text("int8range(hashtextextended(plate, 0), hashtextextended(plate, 0), '[]')"),
                "&&",
            ),
            (sa.text("tstzrange(starts_at, ends_at)"), "&&"),
            where=sa.text("status IN ('confirmed', 'checked_in') AND kind = 'guest'"),
            using="gist",
            name="ex_booking_one_place_a_plate",
        ),
        sa.CheckConstraint(
            "(kind = 'guest') = (tariff_id IS NOT NULL)", name=op.f("ck_booking_guests_pay")
        ),
        sa.CheckConstraint(
            "(kind = 'replacement') = (instead_of_id IS NOT NULL)", name=op.f("ck_booking_instead")
        ),
        sa.CheckConstraint("kind IN ('guest', 'replacement')", name=op.f("ck_booking_kind")),
        sa.CheckConstraint(
            "status IN ('confirmed', 'checked_in', 'fulfilled', 'cancelled', 'no_show')",
            name=op.f("ck_booking_status"),
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_booking_order")),
        sa.CheckConstraint("total_fen >= 0", name=op.f("ck_booking_total")),
        sa.ForeignKeyConstraint(
            ["booked_by"], ["person.id"], name=op.f("fk_booking_booked_by_person")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"], ["household.id"], name=op.f("fk_booking_household_id_household")
        ),
        sa.ForeignKeyConstraint(
            ["instead_of_id"], ["permit.id"], name=op.f("fk_booking_instead_of_id_permit")
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_booking_lot_id_lot")),
        sa.ForeignKeyConstraint(["quote_id"], ["quote.id"], name=op.f("fk_booking_quote_id_quote")),
        sa.ForeignKeyConstraint(["space_id"], ["space.id"], name=op.f("fk_booking_space_id_space")),
        sa.ForeignKeyConstraint(
            ["tariff_id"], ["tariff.id"], name=op.f("fk_booking_tariff_id_tariff")
        ),
        sa.ForeignKeyConstraint(
            ["terms_id"], ["booking_terms.id"], name=op.f("fk_booking_terms_id_booking_terms")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_booking")),
    )
    op.create_index(
        "ix_booking_active",
        "booking",
        ["lot_id", "starts_at"],
        unique=False,
        postgresql_where=sa.text("status IN ('confirmed', 'checked_in')"),
    )
    op.create_index("ix_booking_household", "booking", ["household_id", "starts_at"], unique=False)
    op.create_index("ix_booking_plate", "booking", ["plate", "starts_at"], unique=False)
    op.create_index(
        "ix_booking_space",
        "booking",
        ["space_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('confirmed', 'checked_in')"),
    )
    op.create_table(
        "permit_plate",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("permit_id", sa.BigInteger(), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("plate_color", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["permit_id"],
            ["permit.id"],
            name=op.f("fk_permit_plate_permit_id_permit"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_permit_plate")),
        sa.UniqueConstraint("permit_id", "plate", name=op.f("uq_permit_plate_permit_id_plate")),
    )
    op.create_index(op.f("ix_permit_plate_plate"), "permit_plate", ["plate"], unique=False)
    op.create_table(
        "waitlist_entry",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("household_id", sa.BigInteger(), nullable=False),
        sa.Column("person_id", sa.BigInteger(), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.Column("plate_color", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "wish", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False
        ),
        sa.Column("status", sa.String(), server_default="waiting", nullable=False),
        sa.Column("booking_id", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(status = 'booked') = (booking_id IS NOT NULL)", name=op.f("ck_waitlist_entry_booked")
        ),
        sa.CheckConstraint(
            "status IN ('waiting', 'booked', 'expired', 'withdrawn')",
            name=op.f("ck_waitlist_entry_status"),
        ),
        sa.CheckConstraint("starts_at < ends_at", name=op.f("ck_waitlist_entry_order")),
        sa.ForeignKeyConstraint(
            ["booking_id"], ["booking.id"], name=op.f("fk_waitlist_entry_booking_id_booking")
        ),
        sa.ForeignKeyConstraint(
            ["household_id"],
            ["household.id"],
            name=op.f("fk_waitlist_entry_household_id_household"),
        ),
        sa.ForeignKeyConstraint(["lot_id"], ["lot.id"], name=op.f("fk_waitlist_entry_lot_id_lot")),
        sa.ForeignKeyConstraint(
            ["person_id"], ["person.id"], name=op.f("fk_waitlist_entry_person_id_person")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waitlist_entry")),
    )
    op.create_index("ix_waitlist_entry_household", "waitlist_entry", ["household_id"], unique=False)
    op.create_index(
        "ix_waitlist_entry_waiting",
        "waitlist_entry",
        ["lot_id", "id"],
        unique=False,
        postgresql_where="status = 'waiting'",
    )
    op.create_table(
        "charging",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("stay_id", sa.BigInteger(), nullable=False),
        sa.Column("space_id", sa.BigInteger(), nullable=False),
        sa.Column("tariff_id", sa.BigInteger(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("energy_wh", sa.BigInteger(), nullable=True),
        sa.Column("seconds", sa.Integer(), nullable=True),
        sa.Column("stop_reason", sa.String(), nullable=True),
        sa.CheckConstraint(
            "(ended_at IS NULL) = (energy_wh IS NULL)", name=op.f("ck_charging_ended_with_energy")
        ),
        sa.CheckConstraint("energy_wh >= 0 AND seconds >= 0", name=op.f("ck_charging_measured")),
        sa.CheckConstraint("started_at <= ended_at", name=op.f("ck_charging_order")),
        sa.ForeignKeyConstraint(
            ["space_id"], ["space.id"], name=op.f("fk_charging_space_id_space")
        ),
        sa.ForeignKeyConstraint(["stay_id"], ["stay.id"], name=op.f("fk_charging_stay_id_stay")),
        sa.ForeignKeyConstraint(
            ["tariff_id"], ["tariff.id"], name=op.f("fk_charging_tariff_id_tariff")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charging")),
    )
    op.create_index(op.f("ix_charging_stay_id"), "charging", ["stay_id"], unique=False)
    op.create_index(
        "uq_charging_open",
        "charging",
        ["space_id"],
        unique=True,
        postgresql_where="ended_at IS NULL",
    )
    op.add_column("exception_case", sa.Column("subject", sa.String(), nullable=True))
    op.add_column("exception_case", sa.Column("subject_id", sa.BigInteger(), nullable=True))
    op.alter_column("exception_case", "event_id", existing_type=sa.BIGINT(), nullable=True)
    op.alter_column("exception_case", "device_id", existing_type=sa.BIGINT(), nullable=True)
    op.create_unique_constraint(
        op.f("uq_exception_case_subject_subject_id_reason"),
        "exception_case",
        ["subject", "subject_id", "reason"],
    )
    op.create_check_constraint(
        op.f("ck_exception_case_subject"),
        "exception_case",
        "(subject IS NULL) = (subject_id IS NULL)",
    )
    op.create_check_constraint(
        op.f("ck_exception_case_about_something"),
        "exception_case",
        "event_id IS NOT NULL OR subject IS NOT NULL",
    )
    op.add_column(
        "permit",
        sa.Column(
            "hours", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True
        ),
    )
    op.add_column(
        "permit", sa.Column("places", sa.Integer(), server_default=sa.text("1"), nullable=False)
    )
    op.add_column(
        "permit",
        sa.Column("swap_minutes", sa.Integer(), server_default=sa.text("0"), nullable=False),
    )
    op.create_check_constraint(op.f("ck_permit_places"), "permit", "places BETWEEN 1 AND 1000")
    op.create_check_constraint(
        op.f("ck_permit_one_space_one_place"), "permit", "space_id IS NULL OR places = 1"
    )
    op.create_check_constraint(op.f("ck_permit_swap"), "permit", "swap_minutes BETWEEN 0 AND 1440")
    op.execute(
        "INSERT INTO permit_plate (permit_id, plate, plate_color)"
        " SELECT id, plate, plate_color FROM permit"
    )
    op.drop_index(op.f("ix_permit_lot_id_plate"), table_name="permit")
    op.create_index(
        "ix_permit_floating",
        "permit",
        ["lot_id"],
        unique=False,
        postgresql_where=sa.text("space_id IS NULL"),
    )
    op.create_index(
        "ix_permit_space_id",
        "permit",
        ["space_id"],
        unique=False,
        postgresql_where=sa.text("space_id IS NOT NULL"),
    )
    op.drop_column("permit", "plate_color")
    op.drop_column("permit", "plate")
    op.add_column("space", sa.Column("offered", postgresql.TSTZMULTIRANGE(), nullable=True))
    op.execute(OFFERED)
    op.create_check_constraint(
        op.f("ck_space_owner_offers"), "space", "owner_household_id IS NULL OR offered IS NOT NULL"
    )
    op.add_column(
        "space",
        sa.Column("charging", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "space",
        sa.Column("accessible", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "space",
        sa.Column("building", sa.String(), nullable=True, comment="the building it is near"),
    )
    op.add_column(
        "space", sa.Column("compartment", sa.String(), nullable=True, comment="fire compartment")
    )
    op.add_column("space", sa.Column("group_id", sa.BigInteger(), nullable=True))
    op.create_index(
        op.f("ix_space_owner_household_id"), "space", ["owner_household_id"], unique=False
    )
    op.create_foreign_key(
        op.f("fk_space_group_id_space_group"), "space", "space_group", ["group_id"], ["id"]
    )
    op.add_column("space_claim", sa.Column("group_id", sa.BigInteger(), nullable=True))
    op.add_column("space_claim", sa.Column("booking_id", sa.BigInteger(), nullable=True))
    op.alter_column("space_claim", "stay_id", existing_type=sa.BIGINT(), nullable=True)
    op.create_check_constraint(
        op.f("ck_space_claim_held_by"), "space_claim", "num_nonnulls(stay_id, booking_id) > 0"
    )
    op.create_index(
        "ix_space_claim_lot_during",
        "space_claim",
        [sa.literal_column("int8range(lot_id, lot_id, '[]')"), "during"],
        unique=False,
        postgresql_using="gist",
        postgresql_where=sa.text("live"),
    )
    op.create_unique_constraint(op.f("uq_space_claim_booking_id"), "space_claim", ["booking_id"])
    op.create_foreign_key(
        op.f("fk_space_claim_booking_id_booking"),
        "space_claim",
        "booking",
        ["booking_id"],
        ["id"],
        initially="DEFERRED",
        deferrable=True,
    )
    op.create_foreign_key(
        op.f("fk_space_claim_group_id_space_group"),
        "space_claim",
        "space_group",
        ["group_id"],
        ["id"],
    )
    op.add_column("stay", sa.Column("booking_id", sa.BigInteger(), nullable=True))
    op.add_column(
        "stay", sa.Column("vehicle_class", sa.String(), server_default="small", nullable=False)
    )
    op.add_column(
        "stay",
        sa.Column("new_energy", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    )
    op.add_column(
        "stay",
        sa.Column(
            "left_before_at",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="when this vehicle last left the lot; tariffs may ask",
        ),
    )
    op.add_column(
        "stay",
        sa.Column(
            "swap_until",
            sa.DateTime(timezone=True),
            nullable=True,
            comment="came while its permit's places were taken; covered until then",
        ),
    )
    op.create_index(
        "ix_stay_permit_id",
        "stay",
        ["permit_id"],
        unique=False,
        postgresql_where=sa.text("permit_id IS NOT NULL"),
    )
    op.create_index(
        "ix_stay_permit_open",
        "stay",
        ["permit_id"],
        unique=False,
        postgresql_where=sa.text("status = 'open'"),
    )
    op.create_index("ix_charge_source", "charge", ["source", "source_id"])
    op.create_index("uq_stay_booking_id", "stay", ["booking_id"], unique=True)
    op.create_foreign_key(
        op.f("fk_stay_booking_id_booking"), "stay", "booking", ["booking_id"], ["id"]
    )
    op.add_column(
        "vehicle",
        sa.Column("vehicle_class", sa.String(), nullable=True, comment="null: by the plate"),
    )
    op.execute(GUARDS)
    for table in KEPT:
        op.execute(f"""
            CREATE TRIGGER {table}_kept BEFORE DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_rewriting()
        """)


def downgrade() -> None:
    """Bookings are history and permits have many plates by now: there is no way back."""
    raise RuntimeError("bookings cannot be undone: restore a backup from before 0006")
