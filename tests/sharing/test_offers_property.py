"""Whatever owners do to their windows, what is offered is their sum and nobody is stranded."""

from datetime import date, time, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.orm import Session

from core import app as core_app
from core.db import atomic, db
from sharing import offers
from tariffs.days import DayKind, kind_of
from tests.cast import NOON, Community
from tests.sharing.offering import ZONE, asked, at, book, own, share

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CLOCKS = [f"{hour:02}:{minute:02}" for hour in range(0, 24, 3) for minute in (0, 30)]

WINDOW = st.fixed_dictionaries(
    {
        "weekdays": st.lists(st.integers(1, 7), min_size=1, max_size=7, unique=True),
        "from": st.sampled_from(CLOCKS),
        "to": st.sampled_from(CLOCKS),
        "valid_until": st.sampled_from([None, "2026-11-26", "2026-12-02"]),
        "blocked_days": st.sampled_from([[], ["2026-11-25"]]),
        "on_holidays": st.booleans(),
    }
)
DEED = st.one_of(
    st.tuples(st.just("offer"), WINDOW),
    st.tuples(st.just("change"), WINDOW),
    st.tuples(st.just("withdraw"), st.none()),
    st.tuples(st.just("book"), st.integers(0, 60)),
    st.tuples(st.just("book"), st.integers(0, 60)),
    st.tuples(st.just("sweep"), st.none()),
    st.tuples(st.just("decree"), st.sampled_from(["holiday", "workday"])),
)

LOOK = """
SELECT (SELECT offered FROM space WHERE code = :space) AS offered,
    (SELECT count(*) FROM booking b JOIN space s ON s.id = b.space_id
     WHERE b.status IN ('confirmed', 'checked_in')
       AND NOT coalesce(s.offered @> tstzrange(b.starts_at, b.ends_at), true)) AS stranded
"""


class Owner:
    """Ana, who does things to her windows and remembers what stands."""

    def __init__(self, community: Community, space: str) -> None:
        self.community, self.space = community, space
        self.windows: dict[int, dict[str, Any]] = {}
        self.decreed: dict[date, DayKind] = {}
        self.booked: list[tuple[Any, Any]] = []

    def path(self, window_id: int) -> str:
        return f"spaces/{self.space}/sharing-windows/{window_id}"

    def offer(self, window: dict[str, Any]) -> None:
        status, made = share(self.community, self.space, **window)
        assert status == 201
        self.windows[made["id"]] = made

    def change(self, window: dict[str, Any]) -> None:
        for window_id in list(self.windows)[:1]:
            status, made = asked(self.community, "ana", "PATCH", self.path(window_id), window)
            assert status in {200, 409}
            if status == 200:
                self.windows[window_id] = made

    def withdraw(self, _: None) -> None:
        for window_id in list(self.windows)[:1]:
            status, _said = asked(self.community, "ana", "DELETE", self.path(window_id))
            assert status in {204, 409}
            if status == 204:
                del self.windows[window_id]

    def book(self, first: int) -> None:
        """Bo books the first two hours that are offered and not his yet, from some hour on."""
        for hour in range(first, first + 72):
            starts = at("11-24 00:00") + hour * 60 * MINUTE
            ends = starts + 120 * MINUTE
            taken = any(starts < b and a < ends for a, b in self.booked)
            if not taken and all(self.offers(starts + step * 30 * MINUTE) for step in range(4)):
                shown = [f"{one.astimezone(ZONE):%m-%d %H:%M}" for one in (starts, ends)]
                book(self.community, self.space, shown[0], shown[1])
                self.booked.append((starts, ends))
                return

    def sweep(self, _: None) -> None:
        atomic(offers.refresh_all, NOON, core_app.settings().zone)

    def decree(self, kind: str) -> None:
        body = {"kind": kind, "name": "社区日"}
        status, _said = asked(self.community, "olga", "PUT", "calendar/2026-11-26", body)
        assert status in {200, 409}
        if status == 200:
            self.decreed[date(2026, 11, 26)] = DayKind(kind)

    def offers(self, instant: Any) -> bool:
        """Whether a window that stands covers this instant, by a look at the wall's clock."""
        return any(self._covers(window, instant) for window in self.windows.values())

    def _covers(self, window: dict[str, Any], instant: Any) -> bool:
        shown = instant.astimezone(ZONE)
        begins, ends = (time.fromisoformat(window[name]) for name in ("from", "to"))
        clock = shown.time()
        wraps = ends <= begins
        if wraps and clock < ends:
            return self._holds(window, shown.date() - DAY)
        inside = begins <= clock and (wraps or clock < ends)
        return inside and self._holds(window, shown.date())

    def _holds(self, window: dict[str, Any], day: date) -> bool:
        said = day.isoformat()
        holiday = kind_of(day, self.decreed) is DayKind.HOLIDAY
        return (
            day.isoweekday() in window["weekdays"]
            and window["valid_from"] <= said <= (window["valid_until"] or "9999")
            and said not in window["blocked_days"]
            and (window["on_holidays"] or not holiday)
        )


def a_new_space(community: Community) -> str:
    """Ana's next space, after whatever was booked or decreed before is over."""

    def forget(session: Session) -> int:
        session.execute(text("UPDATE booking SET status = 'cancelled'"))
        session.execute(text("UPDATE space_claim SET live = false"))
        session.execute(text("DELETE FROM calendar_day"))
        return int(session.execute(text("SELECT count(*) FROM space")).scalar_one())

    code = f"P-{atomic(forget)}"
    own(community, code)
    return code


@settings(max_examples=20, suppress_health_check=list(HealthCheck))
@given(WINDOW, st.lists(DEED, min_size=2, max_size=8))
def test_what_is_offered_is_the_sum_of_the_windows(
    community: Community, first: dict[str, Any], deeds: list[tuple[str, Any]]
) -> None:
    owner = Owner(community, a_new_space(community))
    for deed, what in [("offer", first), *deeds]:
        getattr(owner, deed)(what)
        with db.engine.connect() as connection:
            offered, stranded = connection.execute(text(LOOK), {"space": owner.space}).one()
        assert stranded == 0
        for half_hour in range(8 * 48):
            instant = at("11-24 00:00") + half_hour * 30 * MINUTE
            found = any(one.lower <= instant < one.upper for one in offered)
            assert found is owner.offers(instant), (deed, instant)
