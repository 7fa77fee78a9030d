"""Channels that fail, workers that die, sweepers that meet: told at least once, never twice."""

from datetime import datetime, timedelta
from threading import Barrier, Lock, get_ident

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from core import clock
from core.app import settings
from core.db import atomic, driver, send
from identity import deliveries
from identity.channels import INBOX, ChannelError, Message
from identity.deliveries import MOST_TRIES
from identity.notices import cancelled
from parking import privacy
from tests.cast import NOON, Community
from tests.identity.post import (
    DOUBLE,
    HOUR,
    MINUTE,
    PARCEL,
    PHONE,
    Recorder,
    cancel,
    queue,
    registered,
    rows,
    sweep,
    texts,
)
from tests.races.crowd import PATIENCE_SECONDS, at_once
from tests.races.meeting import meanwhile
from workers.tasks import FAILURES_A_SWEEP, SENDS_A_SWEEP, send_out

SECOND = timedelta(seconds=1)
DEAD = "13911112222"
REFUSAL: dict[str | None, Exception] = {DEAD: ChannelError("no such number")}


def claim(at: datetime) -> Message | None:
    """What a worker does before it calls the channel."""
    return atomic(deliveries.claim, DOUBLE, settings().secret_key, at)


class Meeting(Recorder):
    """Keeps the first message of each thread until the other thread has one in its hands too."""

    def __init__(self, sweepers: int) -> None:
        super().__init__()
        self.all_here, self.here, self.lock = Barrier(sweepers), set[int](), Lock()

    def send(self, message: Message) -> None:
        """Wait for the others, once."""
        if get_ident() not in self.here:
            self.here.add(get_ident())
            self.all_here.wait(PATIENCE_SECONDS)
        with self.lock:
            super().send(message)


def test_sweepers_at_once_never_send_one_delivery_twice(
    app: Flask, community: Community, session: Session
) -> None:
    sweepers, messages = 3, 20
    with registered(post := Meeting(sweepers)), clock.at(NOON):
        for number in range(messages):
            queue(None, phone=PHONE, about_id=number)

        def sweeping(_client: FlaskClient) -> int:
            with app.app_context():
                return send_out()

        done = at_once(app, [sweeping] * sweepers)
    assert (sum(done), min(done) > 0) == (messages, True)
    sent = [message.delivery_id for message in post.heard]
    assert sorted(sent) == [id_ for (id_,) in rows(session, "SELECT id FROM delivery ORDER BY id")]
    assert rows(session, "SELECT DISTINCT attempts FROM delivery") == [(1,)]


def test_two_sweepers_show_one_notice_once(app: Flask, community: Community) -> None:
    queue(community.households["ana"], channels=[INBOX])

    def showing(_client: FlaskClient) -> int:
        with app.app_context():
            return atomic(deliveries.show, NOON + SECOND, 10)

    assert meanwhile(app, lambda mine: deliveries.show(mine, NOON, 10), showing) == 0
    assert texts(community, "ana") != []


def test_what_a_dead_worker_had_in_its_hands_is_sent_by_the_next(
    community: Community, session: Session
) -> None:
    queue(None, phone=PHONE)
    with registered(post := Recorder()):
        lost = claim(NOON)
        assert lost is not None
        assert sweep(NOON + MINUTE - SECOND) == 0
        assert sweep(NOON + MINUTE) == 1
    assert [message.delivery_id for message in post.heard] == [lost.delivery_id]
    assert rows(session, "SELECT attempts, sent_at FROM delivery") == [(2, NOON + MINUTE)]


def test_a_refused_message_is_tried_less_and_less_and_then_left_to_operators(
    community: Community, session: Session
) -> None:
    queue(None, phone=DEAD)
    tries = [0, 1, 3, 7, 15, 31, 63, 123, 183, 243]
    with registered(post := Recorder(refuses=dict(REFUSAL))):
        tried = []
        for minute in range(24 * 60):
            before = post.tried
            sweep(NOON + minute * MINUTE)
            tried += [minute] * (post.tried - before)
    assert (tried, len(tried)) == (tries, MOST_TRIES)
    assert rows(session, "SELECT attempts, error FROM delivery") == [(10, "no such number")]


def test_a_message_goes_through_when_its_channel_is_well_again(
    community: Community, session: Session
) -> None:
    queue(None, phone=DEAD)
    with registered(post := Recorder(refuses=dict(REFUSAL))):
        assert sweep() == 0
        post.refuses.clear()
        assert [sweep(NOON + 59 * SECOND), sweep(NOON + MINUTE)] == [0, 1]
    assert len(post.heard) == 1
    assert rows(session, "SELECT attempts, error, sent_at FROM delivery") == [
        (2, None, NOON + MINUTE)
    ]


@pytest.mark.parametrize("trouble", [ChannelError("down"), TimeoutError("no answer")])
def test_a_failing_channel_holds_up_no_other(
    community: Community, session: Session, trouble: Exception
) -> None:
    down, well = Recorder(refuses={PHONE: trouble}), Recorder()
    with registered(down, "a-down"), registered(well, "b-well"):
        for number in range(2 * FAILURES_A_SWEEP):
            queue(None, phone=PHONE, about_id=number, channels=["a-down", "b-well"])
        queue(community.households["ana"], channels=[INBOX])
        assert sweep() == 2 * FAILURES_A_SWEEP + 1
        assert down.tried == FAILURES_A_SWEEP
        sweep(NOON + SECOND)
    assert down.tried == 2 * FAILURES_A_SWEEP
    assert len(well.heard) == 2 * FAILURES_A_SWEEP
    assert texts(community, "ana") != []


def test_a_refused_message_holds_up_none_behind_it(community: Community) -> None:
    with registered(post := Recorder(refuses=dict(REFUSAL))):
        queue(None, phone=DEAD, due_at=NOON - HOUR)
        queue(None, phone=PHONE, about_id=8)
        assert sweep() == 1
    assert [message.phone for message in post.heard] == [PHONE]


def test_a_sweep_leaves_the_rest_to_the_next(community: Community, session: Session) -> None:
    with registered(post := Recorder()):
        for number in range(SENDS_A_SWEEP + 1):
            queue(None, phone=PHONE, about_id=number)
        assert [sweep(), sweep(), sweep()] == [SENDS_A_SWEEP, 1, 0]
    order = [message.delivery_id for message in post.heard]
    assert order == sorted(order)


def test_who_comes_to_cancel_while_a_notice_is_shown_comes_too_late(
    app: Flask, community: Community
) -> None:
    queue(community.households["ana"], channels=[INBOX])

    def cancelling(_client: FlaskClient) -> None:
        with app.app_context():
            cancel()

    meanwhile(app, lambda mine: deliveries.show(mine, NOON, 10), cancelling)
    assert texts(community, "ana") != []


def test_a_sweep_passes_by_what_is_being_cancelled(app: Flask, community: Community) -> None:
    queue(community.households["ana"], channels=[INBOX])

    def showing(_client: FlaskClient) -> int:
        with app.app_context():
            return atomic(deliveries.show, NOON, 10)

    def cancelling(mine: Session) -> None:
        send(driver(mine), [cancelled("parcel", PARCEL, at=NOON)])

    assert meanwhile(app, cancelling, showing) == 0
    assert texts(community, "ana") == []
    assert sweep(NOON + HOUR) == 0


def test_what_was_on_the_wire_when_it_was_cancelled_was_sent(
    community: Community, session: Session
) -> None:
    queue(None, phone=PHONE)
    message = claim(NOON)
    assert message is not None
    cancel(erase_secrets=True)
    atomic(deliveries.sent, message.delivery_id, NOON + SECOND)
    assert rows(session, "SELECT sent_at, cancelled_at FROM delivery") == [(NOON + SECOND, NOON)]


def test_what_failed_when_it_was_cancelled_is_not_tried_again(
    community: Community, session: Session
) -> None:
    queue(None, phone=PHONE)
    message = claim(NOON)
    assert message is not None
    cancel()
    atomic(deliveries.failed, message.delivery_id, "down")
    with registered(post := Recorder()):
        assert sweep(NOON + HOUR) == 0
    assert post.heard == []


def test_a_slow_worker_who_failed_changes_nothing_of_what_another_sent(
    community: Community, session: Session
) -> None:
    queue(None, phone=PHONE)
    slow = claim(NOON)
    assert slow is not None
    with registered(Recorder()):
        sweep(NOON + MINUTE)
    atomic(deliveries.failed, slow.delivery_id, "timed out")
    atomic(deliveries.sent, slow.delivery_id, NOON + HOUR)
    assert rows(session, "SELECT sent_at, error FROM delivery") == [(NOON + MINUTE, None)]


def test_old_notices_are_erased_with_their_deliveries(
    community: Community, session: Session
) -> None:
    with registered(Recorder()):
        queue(community.households["ana"], channels=[INBOX, DOUBLE, "sms"])
        sweep()
    later = NOON + timedelta(days=366)
    queue(community.households["ana"], about_id=8, at=later)
    atomic(privacy.expire_batch, now=later, picture_days=30, plate_days=365, limit=10)
    assert rows(session, "SELECT about_id FROM notice") == [(8,)]
    assert rows(session, "SELECT count(*) FROM delivery") == [(1,)]
