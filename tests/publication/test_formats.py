"""Format 1 is pinned: packs that were published in it have to come out the same for ever.

Who has to change an expectation here needs a new format instead: see publication/publishing.py.
"""

from datetime import UTC, date, datetime
from hashlib import sha256

from publication.detail import Group
from publication.figures import Edition
from publication.models import Publication
from publication.publishing import pack_of
from reports.plain_text import ChartLine
from tests.publication.bureau import files

ACCOUNTS = [
    ("1131", "fund", "应收业主共有资金", "Receivable from owners' money", "asset"),
    ("430101", "fund", "停车收入", "Parking income", "income"),
    ("510102", "fund", "为老服务支出", "Services for the elderly", "expense"),
]
NAMES = ("code", "book", "name_zh", "name_en", "type")
NOTE = {
    "number": 1,
    "edition": 1,
    "about": "charge:5",
    "reason": "录错 <b>",
    "figures": [
        {
            "book": "fund",
            "account": "430101",
            "name_zh": "停车收入",
            "name_en": "Parking income",
            "before_fen": 9000,
            "after_fen": 8440,
        }
    ],
    "entries": [41],
    "published_on": "2026-12-20",
    "approved_by": "阿达",
}


def line(account: int, **fen: object) -> dict[str, object]:
    """A line of income or expense."""
    told = dict(zip(NAMES, ACCOUNTS[account], strict=True))
    return {"account": told.pop("code"), **told, **fen}


def an_edition() -> tuple[Edition, Publication]:
    """An edition made by hand."""
    month = {"month_fen": 8440, "last_year_fen": 0, "year_fen": 8440}
    heads = [{"book": "fund", "day": "2026-12-02", "count": 9, "head": "ab" * 32, "open": True}]
    figures = {
        "format": 1,
        "month": "2026-11",
        "edition": 2,
        "entries": {"last": 42, "of_month": 12},
        "books": [
            {
                "book": "fund",
                "name_zh": "社区微基金账",
                "name_en": "Community micro-fund",
                "opening_fen": 100,
                "closing_fen": 8540,
                "accounts": [line(0, opening_fen=100, moved_fen=8440, closing_fen=8540)],
            }
        ],
        "income": [line(1, **month, by_month={"2026-11": 8440})],
        "expense": [],
        "fund": {
            "opening_fen": 100,
            "income_fen": 8440,
            "expense_fen": 0,
            "closing_fen": 8540,
            "year_income_fen": 8440,
            "last_year_income_fen": 0,
            "target_fen": 10_000_000,
            "target_permille": 0,
        },
        "detail": {"least_payers": 5, "smallest_group": "12"},
        "heads": heads,
        "approvers": [{"name": "范", "did": "asked to close"}, {"name": "阿达", "did": "closed"}],
        "objection": {
            "published_on": "2026-12-21",
            "days": 15,
            "until": "2027-01-05",
            "to": "业委会",
        },
        "corrections": [NOTE],
    }
    first = date(2026, 11, 1)
    group = Group("fund", first, date(2026, 11, 30), 12, set("abcdefghijkl"))
    group.amounts = {"1131": 8440, "430101": -8440}
    row = Publication(
        month=first,
        edition=2,
        last_entry_id=42,
        heads=heads,
        facts={
            "accounts": [dict(zip(NAMES, account, strict=True)) for account in ACCOUNTS],
            "corrections": [NOTE],
            "least_payers": 5,
        },
        format=1,
        recorded_at=datetime(2026, 12, 21, tzinfo=UTC),
    )
    chart = [ChartLine(*(account[place] for place in (0, 1, 2, 3, 4))) for account in ACCOUNTS]
    opening, closing = {"1131": 100, "430101": -100}, {"1131": 8540, "430101": -8540}
    return Edition(figures, [group], chart, opening, closing), row


PINNED = {
    "README": "f3b4cf2a6f2cf3ec",
    "detail.csv": "26492fdf2bb01268",
    "figures.csv": "73792a6b5869c4db",
    "figures.json": "d6b2478f4c7658bb",
    "index.html": "54a1c2c3550eeeef",
    "journal.beancount": "c890237c5aea9fc6",
}
WHOLE = "b9429cb0675e967451d31697167e8b1aa98b7cba20ff6fdf185839d204169114"


def test_format_1_comes_out_the_same_for_ever() -> None:
    pack = pack_of(*an_edition())
    told = {name: sha256(said.encode()).hexdigest()[:16] for name, said in files(pack).items()}
    assert told == PINNED
    assert sha256(pack).hexdigest() == WHOLE
