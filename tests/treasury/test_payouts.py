"""What owners of spaces earned, saw on their statements, and were paid; what was passed on."""

from datetime import UTC, datetime

import pytest

from core import clock
from tests.ledger.till import ask, postings, shut
from tests.treasury.office import Office

OCTOBER = datetime(2026, 10, 10, 4, 0, tzinfo=UTC)


@pytest.fixture
def october(office: Office) -> Office:
    """In October Bo's space earned 20 yuan and Ana's 5, a community one 10; all is at the bank."""
    community = office.community.households
    with clock.at(OCTOBER):
        for number, (fen, owner) in enumerate(
            ((1200, "bo"), (800, "bo"), (500, "ana"), (1000, None)), start=1
        ):
            owner_id = community[owner] if owner else None
            changes = {"household_id": None, "occurred_at": OCTOBER}
            office.paid(number, fen, owner_household_id=owner_id, **changes)
    office.balances()
    office.deposited(3500)
    office.balances()
    return office


def test_an_owner_reads_their_own_statement(october: Office) -> None:
    ana, bo = (october.community.households[name] for name in ("ana", "bo"))
    (mine,) = october.get("bo", "owner-statements/2026-10").get_json()
    assert mine == {
        "month": "2026-10",
        "household_id": bo,
        "household": "2-202",
        "opening_fen": 0,
        "gross_fen": 2000,
        "fund_fen": 400,
        "provider_fen": 200,
        "earned_fen": 1400,
        "paid_out_fen": 0,
        "closing_fen": 1400,
    }
    whole = october.get("bo", f"owner-statements/2026-10/{bo}").get_json()
    assert [
        (line["source_id"], line["gross_fen"], line["owner_fen"]) for line in whole["lines"]
    ] == [
        (1, 1200, 840),
        (2, 800, 560),
    ]
    assert october.get("bo", f"owner-statements/2026-10/{ana}").status_code == 404
    everybody = october.get("ava", "owner-statements/2026-10").get_json()
    assert [row["closing_fen"] for row in everybody] == [350, 1400]
    assert october.get("olga", "owner-statements/2026-10").status_code == 403
    for wrong in ("2026-13", "2026-1", "10-2026", "２０26-10"):
        assert october.get("ava", f"owner-statements/{wrong}").status_code == 404
    november = october.get("bo", f"owner-statements/2026-11/{bo}").get_json()
    assert (november["opening_fen"], november["gross_fen"], november["lines"]) == (1400, 0, [])


def test_a_month_is_paid_out_once_from_a_minimum_on(october: Office) -> None:
    bo = october.community.households["bo"]
    wanted = {"month": "2026-10", "minimum_fen": 1000}
    (draft,) = october.did("fan", "disbursements/payouts", wanted)["drafted"]
    assert (draft["party"], draft["amount_fen"], draft["month"]) == (
        f"household:{bo}",
        1400,
        "2026-10",
    )
    assert october.did("fay", "disbursements/payouts", wanted) == {"drafted": []}
    (small,) = october.did("fan", "disbursements/payouts", {"month": "2026-10"})["drafted"]
    assert small["amount_fen"] == 350
    path = f"disbursements/{draft['id']}"
    assert october.refused("fan", f"{path}/approve") == (409, "second-person-needed")
    october.did("fay", f"{path}/approve")
    assert october.refused("fan", f"{path}/pay", {"method": "cash"}) == (422, "invalid")
    october.did("fan", f"{path}/pay", {"bank_reference": "ICBC-1"})
    assert october.balances("220901", "1002") == {"220901": -350, "1002": 2100}
    assert postings(october.session, "payout", draft["id"]) == [
        ("220901", f"household:{bo}", 1400),
        ("1002", None, -1400),
    ]
    november = october.get("bo", f"owner-statements/2026-11/{bo}").get_json()
    assert (november["opening_fen"], november["paid_out_fen"], november["closing_fen"]) == (
        1400,
        1400,
        0,
    )
    assert [line["owner_fen"] for line in november["lines"]] == [-1400]


def test_what_was_credited_since_is_not_paid_out(october: Office) -> None:
    refund = {"charge_id": 2, "method": "cash", "reason": "车位不可用"}
    october.did("olga", "refunds", refund)
    october.balances()
    drafted = october.did("fan", "disbursements/payouts", {"month": "2026-10"})["drafted"]
    assert [row["amount_fen"] for row in drafted] == [350, 840]


def test_what_is_refunded_meanwhile_is_not_paid_out_either(october: Office) -> None:
    october.balances()
    bo, _ = october.did("fan", "disbursements/payouts", {"month": "2026-10"})["drafted"][::-1]
    october.did("olga", "refunds", {"charge_id": 2, "method": "cash", "reason": "车位不可用"})
    october.balances()
    answer = october.post("fay", f"disbursements/{bo['id']}/approve")
    assert (answer.status_code, answer.get_json()["code"]) == (409, "more-than-due")
    assert answer.get_json()["due_fen"] == 840


def test_a_rejected_payout_can_be_drafted_again(october: Office) -> None:
    wanted = {"month": "2026-10", "minimum_fen": 1000}
    (draft,) = october.did("fan", "disbursements/payouts", wanted)["drafted"]
    october.did("fay", f"disbursements/{draft['id']}/reject", {"reason": "账号不对"})
    (again,) = october.did("fan", "disbursements/payouts", wanted)["drafted"]
    assert again["amount_fen"] == 1400


def test_only_a_month_that_is_over(october: Office) -> None:
    for month in ("2026-11", "2027-01"):
        answer = october.refused("fan", "disbursements/payouts", {"month": month})
        assert answer == (422, "invalid")
    with clock.at(datetime(2026, 11, 30, 15, 59, tzinfo=UTC)):
        assert october.refused("fan", "disbursements/payouts", {"month": "2026-11"})[0] == 422
    with clock.at(datetime(2026, 11, 30, 16, 0, tzinfo=UTC)):
        october.did("fan", "disbursements/payouts", {"month": "2026-11"})


def test_sixteen_draft_the_same_month(october: Office) -> None:
    october.at_once([("fan", "disbursements/payouts", {"month": "2026-10"})] * 16)
    sql = "SELECT count(*), sum(amount_fen)::int FROM disbursement"
    assert ask(october.session, f"{sql} WHERE kind = 'payout'") == [(2, 1750)]


def test_what_is_owed_is_passed_on_in_both_books(october: Office) -> None:
    owed = october.balances("220902", "220903", "1131", "1141")
    assert owed == {"220902": -550, "220903": -1200, "1131": 1200, "1141": 550}
    fund = october.did("fan", "disbursements/shares", {"kind": "fund_share", "amount_fen": 1000})
    rest = october.did("fan", "disbursements/shares", {"kind": "fund_share"})
    assert rest["amount_fen"] == 200
    again = {"kind": "fund_share"}
    assert october.refused("fan", "disbursements/shares", again) == (409, "nothing-due")
    provider = {"kind": "provider_share", "amount_fen": 551}
    assert october.refused("fan", "disbursements/shares", provider) == (409, "more-than-due")
    provider_share = october.did("fan", "disbursements/shares", {"kind": "provider_share"})
    for draft in (fund, provider_share):
        path = f"disbursements/{draft['id']}"
        october.did("fay", f"{path}/approve")
        october.did("fay", f"{path}/pay", {"bank_reference": path})
    assert october.balances("220902", "220903", "1131", "1141", "1012", "1022", "1002") == {
        "220902": 0,
        "220903": -200,
        "1131": 200,
        "1141": 0,
        "1012": 1000,
        "1022": 550,
        "1002": 1950,
    }
    assert postings(october.session, "fund_share", fund["id"], "fund") == [
        ("1012", None, 1000),
        ("1131", None, -1000),
    ]
    assert postings(october.session, "provider_share", provider_share["id"], "owners") == [
        ("220902", "company:property", 550),
        ("1002", None, -550),
    ]


def test_one_book_without_the_other_is_found(october: Office) -> None:
    draft = october.did("fan", "disbursements/shares", {"kind": "fund_share"})
    october.did("fay", f"disbursements/{draft['id']}/approve")
    october.did("fay", f"disbursements/{draft['id']}/pay", {"bank_reference": "B"})
    october.balances()
    gone = """
        DELETE FROM posting WHERE entry_id IN (
            SELECT id FROM journal_entry WHERE source = 'fund_share' AND book = 'fund')
    """
    found = october.broken("posting", gone)
    assert found["treasury"] == f"fund_share:{draft['id']} is booked otherwise; 1 broken in all"
    rolled = "UPDATE account_month SET debit_fen = debit_fen + 1 WHERE account = '1131'"
    assert october.broken("account_month", rolled)["mirrors"].startswith(
        "the owners' book and the fund's differ by"
    )


def test_not_more_than_the_book_has(october: Office) -> None:
    """The bank has 35 yuan: 14 go to Bo, and then not so much is left for the fund."""
    (bo,) = october.did("fan", "disbursements/payouts", {"month": "2026-10", "minimum_fen": 1000})[
        "drafted"
    ]
    october.charged(9, 9000)
    october.balances()
    fund = october.did("fan", "disbursements/shares", {"kind": "fund_share"})
    october.did("fay", f"disbursements/{bo['id']}/approve")
    answer = october.post("fay", f"disbursements/{fund['id']}/approve")
    assert (answer.status_code, answer.get_json()["available_fen"]) == (409, 2100)


def test_a_late_fee_of_a_closed_month_stands_where_it_was_posted(october: Office) -> None:
    bo = october.community.households["bo"]
    shut(october.session, "2026-10-01")
    october.session.commit()
    changes = {"household_id": None, "occurred_at": OCTOBER}
    october.charged(9, 100, owner_household_id=bo, **changes)
    october.balances()
    (before,) = october.get("bo", "owner-statements/2026-10").get_json()
    assert before["closing_fen"] == 1400
    whole = october.get("bo", f"owner-statements/2026-11/{bo}").get_json()
    assert (whole["earned_fen"], whole["closing_fen"]) == (70, 1470)
    assert [(line["occurred_on"], line["source_id"]) for line in whole["lines"]] == [
        ("2026-10-10", 9)
    ]


def test_a_statement_adds_up_with_credits_and_payouts(october: Office) -> None:
    bo = october.community.households["bo"]
    (draft,) = october.did(
        "fan", "disbursements/payouts", {"month": "2026-10", "minimum_fen": 1000}
    )["drafted"]
    october.did("fay", f"disbursements/{draft['id']}/approve")
    october.did("fay", f"disbursements/{draft['id']}/pay", {"bank_reference": "B"})
    october.did("olga", "refunds", {"charge_id": 1, "method": "cash", "reason": "车位不可用"})
    october.balances()
    whole = october.get("ava", f"owner-statements/2026-11/{bo}").get_json()
    assert (whole["opening_fen"], whole["earned_fen"], whole["paid_out_fen"]) == (1400, -840, 1400)
    assert whole["closing_fen"] == -840, "next month's share makes up for it"
    assert whole["gross_fen"] == -1200
    assert sum(line["owner_fen"] for line in whole["lines"]) == -840 - 1400
