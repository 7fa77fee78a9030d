"""Money at providers is the owners': whose book has it, who may touch it, and taking it back."""

from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from channels import moves
from channels.drafts import of_move
from ledger import journal, posting, proof, settlement
from tests.cast import NOON
from tests.channels.counter import Counter
from tests.ledger.test_roles import acting_as
from tests.ledger.till import ask, settle_all

MOVES = (
    ("surplus", 800, [("101201", 800), ("224101", -800)]),
    ("refund", 800, [("101201", -800), ("224101", 800)]),
    ("provider_fee", 5, [("101201", -5), ("520101", 5)]),
    ("settlement_transfer", 795, [("1002", 795), ("101201", -795)]),
)


@pytest.fixture
def moved(counter: Counter) -> Counter:
    """One move of every kind, settled."""
    for kind, amount_fen, _ in MOVES:
        moves.note(counter.session, kind, "wechat", f"n-{kind}", amount_fen, NOON)
    counter.session.commit()
    settle_all()
    return counter


def broken(counter: Counter) -> dict[str, str]:
    """What the proof of the books finds wrong; nothing was ordered, so the refund has no order."""
    checks = proof.verify(counter.session).checks.items()
    return {name: said.detail for name, said in checks if not said.ok and name != "channels"}


def test_the_collecting_book_has_them_and_no_other(moved: Counter) -> None:
    for kind, _, said in MOVES:
        sql = """
            SELECT p.account, p.amount_fen::int FROM posting AS p
            JOIN journal_entry AS e ON e.id = p.entry_id
            WHERE e.source = :kind AND e.book = 'owners' ORDER BY p.account
        """
        assert ask(moved.session, sql, kind=kind) == said
    chart = "SELECT code, book, type, normal_side, restricted FROM account WHERE code = ANY (:new)"
    new = ["101201", "101202", "224101", "520101"]
    assert sorted(ask(moved.session, chart, new=new)) == [
        ("101201", "owners", "asset", "debit", False),
        ("101202", "owners", "asset", "debit", False),
        ("224101", "owners", "liability", "credit", False),
        ("520101", "owners", "expense", "debit", False),
    ]
    assert ask(moved.session, "SELECT DISTINCT book FROM journal_entry") == [("owners",)]


def test_a_move_that_was_taken_back_is_proved(moved: Counter) -> None:
    (number, move_id), *_ = ask(
        moved.session, "SELECT id, source_id FROM journal_entry WHERE source = 'surplus'"
    )
    entry = of_move(
        move_id, "surplus", "wechat", 800, NOON.date(), household_id=None, reference="n-surplus"
    )
    back = journal.reversal(number, entry, NOON.date() + timedelta(days=1), "录错")
    posting.post(moved.session, [back], NOON + timedelta(days=1))
    moved.session.commit()
    assert broken(moved) == {}
    assert proof.verify(moved.session).checks["sources"].detail == "1 reversed; 3 settled"


def test_a_move_of_another_amount_than_its_row_is_found(moved: Counter) -> None:
    moved.session.execute(text("ALTER TABLE channel_move DISABLE TRIGGER kept"))
    moved.session.execute(text("UPDATE channel_move SET amount_fen = 6 WHERE amount_fen = 5"))
    assert broken(moved).keys() == {"sources", "subledgers"}


def test_the_app_adds_and_settles_moves_but_rewrites_none(moved: Counter) -> None:
    with acting_as("huilin_app") as app:
        moves.note(app, "provider_fee", "alipay", "n-2", 3, NOON)
        app.commit()
        assert settlement.settle_batch(app) == 1
        app.commit()
        for attack in (
            "UPDATE channel_move SET amount_fen = 1",
            "UPDATE account SET book = 'fund'",
            "DELETE FROM channel_move",
            "DELETE FROM payment_order",
            "DELETE FROM bill_line",
            "TRUNCATE channel_move",
        ):
            with pytest.raises(ProgrammingError, match="permission denied"):
                app.execute(text(attack))
            app.rollback()
