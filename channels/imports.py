"""Taking in bills: each line once, whatever file brings it; its fee becomes a ledger source."""

import hashlib
from datetime import date
from typing import Any

from sqlalchemy.orm import Session

from channels import alipay_bill, bank_bill, wechat_bill
from channels.bills import LONGEST_MEMO, Bill, BillError
from channels.models import BillImport
from core import clock
from core.db import driver
from core.errors import Problem, invalid
from core.logs import mask
from ledger.posting import rows

KINDS = ("wechat", "alipay", "bank")

LINES = """
INSERT INTO bill_line (import_id, channel, type, external_id, reference, provider, amount_fen,
    fee_fen, occurred_at, on_day, memo)
SELECT %(import_id)s, %(channel)s, * FROM unnest(%(types)s::text[], %(externals)s::text[],
    %(references)s::text[], %(providers)s::text[], %(amounts)s::bigint[], %(fees)s::bigint[],
    %(instants)s::timestamptz[], %(days)s::date[], %(memos)s::text[])
ON CONFLICT (channel, external_id, type) DO NOTHING
RETURNING id
"""

# In a statement of its own, so that it sees what another import committed meanwhile.
CHANGED = """
SELECT said.external_id FROM unnest(%(types)s::text[], %(externals)s::text[],
    %(references)s::text[], %(amounts)s::bigint[], %(fees)s::bigint[])
    AS said (type, external_id, reference, amount_fen, fee_fen)
JOIN bill_line AS line USING (type, external_id)
WHERE line.channel = %(channel)s AND (line.reference, line.amount_fen, line.fee_fen)
    <> (said.reference, said.amount_fen, said.fee_fen)
ORDER BY 1 LIMIT 1
"""

MOVES = """
INSERT INTO channel_move (kind, channel, reference, amount_fen, occurred_at, recorded_at)
SELECT 'provider_fee', channel, type || ':' || external_id, fee_fen, occurred_at, %(now)s
FROM bill_line WHERE id = ANY (%(ids)s) AND fee_fen <> 0
UNION ALL
SELECT 'settlement_transfer', provider, channel || ':' || external_id, amount_fen, occurred_at,
    %(now)s
FROM bill_line WHERE id = ANY (%(ids)s) AND type = 'transfer'
ON CONFLICT (kind, channel, reference) DO NOTHING
"""


def parsed(kind: str, file: bytes, columns: bank_bill.Columns) -> Bill:
    """The lines of a file of one of KINDS; Problem 422 naming what is wrong with it."""
    try:
        if kind == "wechat":
            return wechat_bill.parse(file)
        if kind == "alipay":
            return alipay_bill.parse(file)
        return bank_bill.parse(file, columns)
    except BillError as error:
        raise invalid("content", str(error)) from error


def take_in(
    session: Session,
    *,
    kind: str,
    bill: Bill,
    file: bytes,
    filename: str,
    covers: tuple[date, date] | None,
    imported_by: int,
) -> BillImport:
    """Store what is new of a bill. The same file again brings nothing new.

    Problem 422 when nobody says which days it covers; 409 `line-changed` when it contradicts a
    line taken in before: then nothing of it is stored.
    """
    days = covers or bill.covers or _days(bill)
    if days is None:
        raise invalid("from", "the file has no lines: say which days it covers")
    taken = BillImport(
        channel=kind,
        filename=filename,
        sha256=hashlib.sha256(file).hexdigest(),
        covers_from=days[0],
        covers_to=days[1],
        lines=len(bill.lines),
        new_lines=0,
        imported_by=imported_by,
        recorded_at=clock.now(),
    )
    session.add(taken)
    session.flush()
    values = _columns(bill) | {"import_id": taken.id, "channel": kind}
    new = [row["id"] for row in rows(session, LINES, **values)]
    for row in rows(session, CHANGED, **values):
        said = f"{row['external_id']} has another amount, fee or number than in an earlier file"
        raise Problem(409, "line-changed", said)
    driver(session).execute(MOVES, {"ids": new, "now": clock.now()})
    taken.new_lines = len(new)
    session.flush()
    return taken


def _columns(bill: Bill) -> dict[str, list[Any]]:
    ordered = sorted(bill.lines, key=lambda line: (line.external_id, line.type))
    return {
        "types": [line.type for line in ordered],
        "externals": [line.external_id for line in ordered],
        "references": [line.reference for line in ordered],
        "providers": [line.provider for line in ordered],
        "amounts": [line.amount_fen for line in ordered],
        "fees": [line.fee_fen for line in ordered],
        "instants": [line.occurred_at for line in ordered],
        "days": [line.on_day for line in ordered],
        "memos": [mask(line.memo)[:LONGEST_MEMO] for line in ordered],
    }


def _days(bill: Bill) -> tuple[date, date] | None:
    days = [line.on_day for line in bill.lines]
    return (min(days), max(days)) if days else None
