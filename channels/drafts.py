"""What money at a provider becomes in the books, besides payments and top-ups. Pure."""

from datetime import date

from ledger.accounts import BANK, CHANNEL_FEES, CLEARING, OVERPAID, household_party
from ledger.journal import Entry, Line

NAMES = {
    "surplus": "渠道多收待退",
    "refund": "渠道退款",
    "provider_fee": "渠道手续费",
    "settlement_transfer": "渠道结算到账",
}


def of_move(
    move_id: int,
    kind: str,
    channel: str,
    amount_fen: int,
    occurred_on: date,
    *,
    household_id: int | None,
    reference: str,
) -> Entry:
    """The owners' entry of a channel's move; each is clearing against one other account.

    Their book is the one that collects, so it alone has clearing accounts.
    A surplus is owed back until its refund; a fee is an expense; a transfer is now in the bank.
    So clearing is zero once all that came in was passed on, kept as a fee, or given back.
    """
    party = None if household_id is None else household_party(household_id)
    clearing = CLEARING[channel]
    debit, credit = {
        "surplus": ((clearing, None), (OVERPAID, party)),
        "refund": ((OVERPAID, party), (clearing, None)),
        "provider_fee": ((CHANNEL_FEES, None), (clearing, None)),
        "settlement_transfer": ((BANK, None), (clearing, None)),
    }[kind]
    return Entry(
        source=kind,
        source_id=move_id,
        occurred_on=occurred_on,
        memo=f"{NAMES[kind]} {channel} {reference}",
        lines=(Line(*debit, amount_fen), Line(*credit, -amount_fen)),
    )
