"""The app closes, publishes and corrects without owning anything; a reporter only reads."""

from core import clock
from ledger import periods, reversals, seals
from ledger.periods import month_of
from publication import corrections, publishing
from tests.ledger.test_roles import acting_as, denied
from tests.ledger.till import ask
from tests.publication.bureau import DECEMBER, MONTH, Bureau

NOVEMBER = month_of(MONTH)


def test_the_app_closes_publishes_and_corrects(bureau: Bureau) -> None:
    people = "SELECT id FROM person WHERE username IN ('fan', 'ada') ORDER BY username"
    [(ada,), (fan,)] = ask(bureau.session, people)
    with clock.at(DECEMBER), acting_as("huilin_app") as app:
        periods.ask_to_close(app, NOVEMBER, fan, None)
        app.commit()
        edition = publishing.close_and_publish(app, NOVEMBER, ada, None)
        app.commit()
        reversals.reverse(app, 2, "录错", fan)
        app.commit()
        assert seals.seal_batch(app, clock.now(), delay=-seals.DELAY) == 3
        corrections.publish(app, 1, ada, None)
        app.commit()
        assert publishing.rebuilt(app, edition) == bureau.pack()
        periods.ask_to_reopen(app, NOVEMBER, fan, "漏记")
        periods.decline(app, NOVEMBER, ada, "不必")
        app.commit()
        for attack in (
            "UPDATE period SET month = '2026-07-01'",
            "INSERT INTO period VALUES ('2026-07-01', 'closed')",
            "UPDATE period_event SET person_id = 1",
            "DELETE FROM period_event",
            "UPDATE publication SET sha256 = ''",
            "DELETE FROM publication",
            "INSERT INTO correction SELECT * FROM correction",
            "INSERT INTO correction_entry VALUES (1, 1)",
            "UPDATE correction SET reversed_by = NULL",
            "DELETE FROM correction_entry",
            "UPDATE reversal SET person_id = 1",
            "ALTER TABLE journal_entry DISABLE TRIGGER corrected",
        ):
            denied(app, attack)


def test_a_reporter_reads_what_was_published(bureau: Bureau) -> None:
    bureau.closes()
    with acting_as("huilin_reporter") as reporter:
        assert ask(
            reporter, "SELECT count(*) FROM publication JOIN period_event USING (month)"
        ) == [(2,)]
        for attack in ("DELETE FROM publication", "UPDATE correction SET reason = ''"):
            denied(reporter, attack)
