"""Fees made smaller by hand: with a reason, by somebody, and every share undone."""

from tests.ledger.till import ask, postings, vote
from tests.treasury.office import Office


def test_what_is_unpaid_is_forgiven_and_the_reason_kept(office: Office) -> None:
    charge = office.charged(1, 801)
    body = {"charge_id": charge, "amount_fen": 301, "reason": "道闸故障，等候过久"}
    said = office.did("olga", "credits", body)
    assert said["charge"]["amount_fen"] == -301
    assert (said["reason"], said["charge"]["corrects_id"]) == ("道闸故障，等候过久", charge)
    office.did("fan", "credits", {"charge_id": charge, "reason": "其余也免"})
    assert office.balances() == {}
    (olga,) = ask(office.session, "SELECT id FROM person WHERE username = 'olga'")[0]
    listed = office.get("ava", "credits").get_json()
    assert [(row["charge"]["amount_fen"], row["raised_by"] == olga) for row in listed] == [
        (-500, False),
        (-301, True),
    ]


def test_each_income_of_a_fee_is_undone_by_its_own_rule(office: Office) -> None:
    vote(office.session, income="overstay")
    office.session.commit()
    charge = office.charged(1, 800, parts={"parking": 500, "overstay": 300})
    office.did("olga", "credits", {"charge_id": charge, "reason": "误收"})
    assert office.balances() == {}
    (number,) = ask(office.session, "SELECT max(id) FROM charge")[0]
    assert [fen for _, _, fen in postings(office.session, "charge", number)] == [
        -800,
        350,
        150,
        210,
        90,
    ]


def test_only_what_is_unpaid(office: Office) -> None:
    charge = office.charged(1)
    ask_for = {"charge_id": charge, "reason": "减免"}
    assert office.refused("olga", "credits", ask_for | {"amount_fen": 801}) == (
        409,
        "more-than-due",
    )
    office.did("olga", "payments", {"charge_id": charge, "method": "cash"})
    assert office.refused("olga", "credits", ask_for) == (409, "nothing-due")
    assert office.refused("olga", "credits", ask_for | {"charge_id": 99}) == (404, "not-found")
    for bad in ({"amount_fen": 0}, {"amount_fen": 1.5}, {"reason": ""}, {"reason": "x" * 257}):
        assert office.refused("olga", "credits", ask_for | bad) == (422, "invalid")
    assert ask(office.session, "SELECT count(*) FROM credit") == [(0,)]


def test_a_repeat_credits_once(office: Office) -> None:
    body = {"charge_id": office.charged(1), "amount_fen": 100, "reason": "减免"}
    answers = [office.post("olga", "credits", body, key="same") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].get_json() == answers[1].get_json()
    assert ask(office.session, "SELECT charged_fen, credited_fen FROM receivable") == [(700, 100)]


def test_the_database_keeps_reasons_to_credits(office: Office) -> None:
    charge = office.charged(1)
    office.did("olga", "credits", {"charge_id": charge, "amount_fen": 1, "reason": "减免"})
    fee = f"INSERT INTO credit (charge_id, reason, raised_by) VALUES ({charge}, 'x', 1)"
    assert "is no credit" in office.denied(fee)
    assert "only adds" in office.denied("UPDATE credit SET reason = 'other'")
    assert "only adds" in office.denied("DELETE FROM credit")
    found = office.broken("receivable", "UPDATE receivable SET credited_fen = 0")
    assert found == {"receivables": "receivable booking:1 differs; 1 broken in all"}
