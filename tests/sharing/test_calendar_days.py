"""The community's calendar: what is published, what is decreed, what each may ask."""

from core.db import db, driver
from sharing.calendar_days import holidays, overrides
from tariffs.days import DayKind
from tests.cast import Community
from tests.sharing.offering import asked, at

MAKEUP = {"kind": "makeup_workday", "name": "调休上班"}


def kinds(community: Community, year: int) -> dict[str, str]:
    _, said = asked(community, "bo", "GET", "calendar", year=year)
    return {day["day"]: day["kind"] for day in said["days"]}


def test_a_year_shows_its_holidays_and_makeup_workdays(community: Community) -> None:
    status, year = asked(community, "bo", "GET", "calendar", year=2026)
    assert (status, year["year"], year["provisional"]) == (200, 2026, False)
    found = {day["day"]: day["kind"] for day in year["days"]}
    assert (found["2026-10-01"], found["2026-10-10"]) == ("holiday", "makeup_workday")
    assert "2026-11-23" not in found
    assert "2026-11-28" not in found
    assert not any(day["decreed"] for day in year["days"])


def test_a_year_not_announced_is_provisional_until_it_is_decreed(community: Community) -> None:
    _, year = asked(community, "bo", "GET", "calendar", year=2040)
    assert year["provisional"]
    assert asked(community, "olga", "PUT", "calendar/2040-10-06", MAKEUP)[0] == 200
    _, year = asked(community, "bo", "GET", "calendar", year=2040)
    assert not year["provisional"]
    assert {"day": "2040-10-06", **MAKEUP, "decreed": True} in year["days"]


def test_a_decree_holds_until_it_is_revoked(community: Community) -> None:
    before = kinds(community, 2026)
    body = {"kind": "holiday", "name": "社区日"}
    status, said = asked(community, "olga", "PUT", "calendar/2026-11-25", body)
    assert (status, said) == (200, {"day": "2026-11-25", **body, "decreed": True})
    assert kinds(community, 2026) == before | {"2026-11-25": "holiday"}
    connection = driver(db.session())
    assert overrides(connection) == {at("11-25 12:00").date(): DayKind.HOLIDAY}
    assert holidays(connection)(at("11-25 12:00").date())
    assert asked(community, "olga", "DELETE", "calendar/2026-11-25")[0] == 204
    assert asked(community, "olga", "DELETE", "calendar/2026-11-25")[0] == 404
    assert kinds(community, 2026) == before


def test_a_decree_said_again_replaces_the_first(community: Community) -> None:
    for kind in ("holiday", "workday"):
        body = {"kind": kind, "name": kind}
        assert asked(community, "ada", "PUT", "calendar/2026-11-28", body)[0] == 200
    assert kinds(community, 2026)["2026-11-28"] == "workday"


def test_a_day_that_is_over_or_none_is_refused(community: Community) -> None:
    for day in ("2026-11-22", "2026-11-31", "tomorrow", "2100-01-01"):
        status, said = asked(community, "olga", "PUT", f"calendar/{day}", MAKEUP)
        assert (status, list(said["errors"])) == (422, ["day"])
    assert asked(community, "olga", "PUT", "calendar/2026-11-23", MAKEUP)[0] == 200
    status, said = asked(community, "olga", "PUT", "calendar/2026-11-24", {"kind": "x"})
    assert (status, set(said["errors"])) == (422, {"kind", "name"})
    late = at("11-24 12:00")
    assert asked(community, "olga", "DELETE", "calendar/2026-11-23", now=late)[0] == 422
    assert asked(community, "bo", "GET", "calendar", year=1999)[0] == 422


def test_only_the_desk_decrees(community: Community) -> None:
    for name in ("bo", "fan", "ava"):
        assert asked(community, name, "PUT", "calendar/2026-11-25", MAKEUP)[0] == 403
