"""A code in a notice: its reader sees it, nobody else does, and a used one is gone."""

import pytest
from sqlalchemy.orm import Session

from core.sealing import seal
from identity import channels
from identity.channels import INBOX, ChannelError
from identity.deliveries import why
from identity.notices import HIDDEN, cancelled, queued
from tests.cast import NOON, Community
from tests.identity.post import (
    CODE,
    DOUBLE,
    HOUR,
    PARCEL,
    PHONE,
    READY,
    TEXT,
    Recorder,
    cancel,
    queue,
    registered,
    rows,
    sweep,
    texts,
    write,
)

FULL, STARRED = TEXT.replace("{code}", CODE), TEXT.replace("{code}", HIDDEN)


def test_no_row_holds_the_code(community: Community, session: Session) -> None:
    with registered(Recorder()):
        queue(community.households["ana"], channels=[INBOX, DOUBLE])
        sweep()
    stored = rows(
        session, "SELECT n::text, encode(n.secret, 'escape'), d::text FROM notice n, delivery d"
    )
    assert stored != []
    assert CODE not in str(stored)


def test_a_used_code_vanishes_from_what_was_read_before(community: Community) -> None:
    queue(community.households["ana"], channels=[INBOX])
    sweep()
    assert texts(community, "ana") == [FULL]
    cancel(erase_secrets=True)
    assert texts(community, "ana") == [STARRED]


def test_a_used_code_vanishes_from_every_notice_about_its_parcel_and_no_other(
    community: Community,
) -> None:
    household = community.households["ana"]
    queue(household, channels=[INBOX])
    queue(household, channels=[INBOX], kind="parcel-overdue")
    queue(household, channels=[INBOX], about_id=8)
    sweep()
    cancel(erase_secrets=True, kinds=[READY])
    assert texts(community, "ana") == [FULL, STARRED, STARRED]


def test_a_code_sealed_with_a_lost_key_is_stars_and_nothing_breaks(community: Community) -> None:
    household, secret = community.households["ana"], seal("the key of before", CODE)
    write(queued(household, READY, TEXT, secret=secret, at=NOON, due_at=NOON, channels=[INBOX]))
    sweep()
    assert texts(community, "ana") == [STARRED]


def test_a_text_without_a_place_for_it_shows_no_code(community: Community) -> None:
    queue(community.households["ana"], said="明天 12:00 前免费。", channels=[INBOX])
    sweep()
    assert texts(community, "ana") == ["明天 12:00 前免费。"]


def test_a_channel_gets_the_code_and_its_logs_do_not(community: Community) -> None:
    with registered(post := Recorder()):
        queue(None, phone=PHONE)
        sweep()
    [message] = post.heard
    assert (message.text, message.code, message.text_masked) == (FULL, CODE, STARRED)
    assert CODE not in repr(message)
    assert PHONE not in repr(message)


@pytest.mark.parametrize(
    "error",
    [
        ChannelError(f"rejected: {FULL} to {PHONE}"),
        RuntimeError(f"POST /send?code={CODE}&to=86{PHONE}"),
        ChannelError(f"a NUL \x00, a half \ud800, and much more: {CODE * 100}"),
    ],
)
def test_what_a_provider_says_is_kept_without_code_and_phone(
    community: Community, session: Session, error: Exception
) -> None:
    with registered(Recorder(refuses={PHONE: error})):
        queue(None, phone=PHONE)
        assert sweep() == 0
    [(said,)] = rows(session, "SELECT error FROM delivery")
    assert HIDDEN in said
    assert CODE not in said
    assert PHONE not in said


def test_a_phone_of_any_shape_is_masked(community: Community) -> None:
    assert channels.masked_phone("02886543210") == "028****3210"
    assert channels.masked_phone(None) is None
    with registered(post := Recorder()):
        queue(None, phone="02886543210")
        sweep()
    [message] = post.heard
    assert why(message, ChannelError("02886543210 is no mobile")) == "028****3210 is no mobile"


def test_a_cancelled_notice_is_neither_shown_nor_sent(community: Community) -> None:
    with registered(post := Recorder()):
        queue(community.households["ana"], channels=[INBOX, DOUBLE], due_at=NOON + HOUR)
        cancel()
        assert sweep(NOON + HOUR) == 0
    assert post.texts == texts(community, "ana") == []


def test_only_the_kinds_that_are_named_are_cancelled(community: Community) -> None:
    household = community.households["ana"]
    queue(household, said="取件", channels=[INBOX])
    queue(household, said="将超时", kind="parcel-reminder", channels=[INBOX], due_at=NOON + HOUR)
    queue(household, said="已超时", kind="parcel-overdue", channels=[INBOX], due_at=NOON + HOUR)
    cancel(kinds=["parcel-reminder", "parcel-daily"])
    cancel(kinds=[])
    sweep(NOON + HOUR)
    assert texts(community, "ana") == ["已超时", "取件"]


def test_what_was_shown_stays_when_the_rest_is_cancelled(
    community: Community, session: Session
) -> None:
    queue(community.households["ana"], channels=[INBOX, "sms"])
    sweep()
    cancel()
    assert texts(community, "ana") == [FULL]
    left = "SELECT channel, sent_at IS NULL, cancelled_at IS NULL FROM delivery ORDER BY channel"
    assert rows(session, left) == [("inbox", False, True), ("sms", True, False)]


def test_a_new_code_can_be_queued_in_the_round_trip_that_kills_the_old(
    community: Community,
) -> None:
    household = community.households["ana"]
    queue(household, channels=[INBOX], due_at=NOON + HOUR)
    cancel(erase_secrets=True)
    queue(household, channels=[INBOX], kind="code-reissued", code="000111")
    sweep(NOON + HOUR)
    assert texts(community, "ana") == [TEXT.replace("{code}", "000111")]


def test_a_notice_that_is_cancelled_twice_was_cancelled_the_first_time(
    community: Community, session: Session
) -> None:
    queue(community.households["ana"], channels=[INBOX], due_at=NOON + HOUR)
    cancel()
    when = "SELECT cancelled_at FROM notice UNION ALL SELECT cancelled_at FROM delivery"
    write(cancelled("parcel", PARCEL, at=NOON + HOUR))
    assert rows(session, when) == [(NOON,), (NOON,)]
