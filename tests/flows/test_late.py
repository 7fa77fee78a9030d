"""Late movements through HTTP that the timeline's own tests do not reach: spaces and privacy."""

from datetime import timedelta

from sqlalchemy import text
from sqlalchemy.orm import Session

from core import clock
from core.db import atomic
from parking import privacy
from tests.cast import NOON, Community

VISITOR = "川C33333"
HOURS = timedelta(hours=1)


def test_a_stay_that_supersedes_an_open_one_takes_over_its_space(community: Community) -> None:
    community.knock("entry", VISITOR, NOON, replayed=True)
    community.knock("entry", VISITOR, NOON + HOURS, now=NOON + 2 * HOURS, replayed=True)
    lost, inside = community.stays(VISITOR)
    assert (lost["status"], inside["status"]) == ("exit-missing", "open")
    assert inside["space"] == "B2-001"
    with clock.at(NOON + 2 * HOURS):
        [lot] = community.client.get("/api/v1/lots", headers=community.as_person("olga")).get_json()
    assert lot["free_now"] == 4


def test_pictures_go_after_a_month_and_plates_after_a_year_but_not_debts(
    community: Community, session: Session
) -> None:
    for plate in (VISITOR, "川D44444"):
        community.knock("entry", plate, NOON)
    community.knock("exit", VISITOR, NOON + timedelta(minutes=5))
    community.knock("exit", "川D44444", NOON + 3 * HOURS, now=NOON + 4 * HOURS)

    def expire(days: int) -> int:
        now = NOON + timedelta(days=days)
        return atomic(privacy.expire_batch, now=now, picture_days=30, plate_days=365, limit=100)

    def left(column: str) -> int:
        return int(session.execute(text(f"SELECT count({column}) FROM device_event")).scalar_one())

    assert expire(29) == 0
    assert expire(31) == 4
    assert (left("raw"), left("data")) == (0, 4)
    assert expire(366) == 5  # four events, and the one stay that owes nothing
    assert left("data") == 0
    assert [stay["plate"] for stay in community.stays()] == [privacy.ERASED, "川D44444"]
    assert expire(366) == 0
