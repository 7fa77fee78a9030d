"""What money out and back becomes in the books. Pure."""

from datetime import date

from ledger.accounts import (
    BANK,
    BUSINESS_CONTRIBUTIONS,
    CASH,
    COMPANIES_PREPAID,
    COMPANY,
    DONATIONS,
    FUND,
    FUND_BANK,
    FUND_CASH,
    FUND_PAYABLE,
    FUND_RECEIVABLE,
    LOW_FEE_SERVICES,
    OVERPAID,
    OWNERS,
    OWNERS_PAYABLE,
    PREPAID,
    PROPERTY_COMPANY,
    PROPERTY_PAYABLE,
    PROVIDER,
    PROVIDER_BANK,
    PROVIDER_RECEIVABLE,
    RECEIVABLE,
    RESTRICTED_DONATIONS,
)
from ledger.journal import SETTLE, SETTLE_FUND, SETTLE_PROVIDER, Entry, Line

FEE_REFUND, FUND_RECEIPT = "fee_refund", "fund_receipt"
"""Sources of entries, besides the kinds of disbursements."""

MONEY = {
    (OWNERS, "cash"): CASH,
    (OWNERS, "bank"): BANK,
    (FUND, "cash"): FUND_CASH,
    (FUND, "bank"): FUND_BANK,
}
"""Where a book has its money in hand and at the bank."""

DRAWN_ON = {
    "payout": "bank",
    "fund_share": "bank",
    "provider_share": "bank",
    "cash_deposit": "cash",
}
"""Where a kind of disbursement takes its money from; an expense, from where it is paid."""

DISBURSED = {
    "payout": "业主分成付款",
    "fund_share": "划转社区微基金",
    "provider_share": "支付物业公司",
    "cash_deposit": "现金送存",
    "expense": "支出",
}
RECEIVED = {"donation": "捐赠", "business": "商户贡献", "service": "低偿服务"}


def of_refund(
    refund_id: int,
    method: str,
    amount_fen: int,
    occurred_on: date,
    *,
    paid_for: str,
    payee: str | None,
    debtor: str | None,
) -> Entry:
    """The payment is undone: debit what is owed again, credit where the money goes.

    Its credit charge then takes back the fee and everybody's share of it. What goes back through
    a provider is owed until the provider has given it back. Payee and debtor are party codes.
    """
    of_company = payee is not None and payee.startswith(COMPANY)
    account, party = {
        "cash": (CASH, None),
        "balance": (COMPANIES_PREPAID if of_company else PREPAID, payee),
        "wechat": (OVERPAID, payee),
    }[method]
    return Entry(
        source=FEE_REFUND,
        source_id=refund_id,
        occurred_on=occurred_on,
        memo=f"退费 {paid_for}",
        lines=(Line(RECEIVABLE, debtor, amount_fen), Line(account, party, -amount_fen)),
    )


def of_disbursement(
    number: int,
    kind: str,
    book: str,
    amount_fen: int,
    occurred_on: date,
    *,
    method: str,
    party: str | None,
    programme: str | None,
    memo: str,
) -> tuple[Entry, ...]:
    """What each book says of money that left: it pays what it owes, or a cost, or its own bank.

    What is passed on to the fund or the provider arrives in their own book in the same moment.
    """
    money = MONEY[book, DRAWN_ON.get(kind, method)]
    spent, arrived = {
        "payout": (Line(OWNERS_PAYABLE, party, amount_fen), None),
        "fund_share": (
            Line(FUND_PAYABLE, None, amount_fen),
            (SETTLE_FUND, FUND, FUND_BANK, FUND_RECEIVABLE),
        ),
        "provider_share": (
            Line(PROPERTY_PAYABLE, PROPERTY_COMPANY, amount_fen),
            (SETTLE_PROVIDER, PROVIDER, PROVIDER_BANK, PROVIDER_RECEIVABLE),
        ),
        "cash_deposit": (Line(MONEY[book, "bank"], None, amount_fen), None),
        "expense": (Line(programme or "", None, amount_fen), None),
    }[kind]
    said = f"{DISBURSED[kind]} {memo}"
    purpose = SETTLE if book == OWNERS else SETTLE_FUND
    lines = (spent, Line(money, None, -amount_fen))
    left = Entry(kind, number, occurred_on, said, lines, purpose=purpose, book=book)
    if arrived is None:
        return (left,)
    purpose, book, debit, credit = arrived
    lines = (Line(debit, None, amount_fen), Line(credit, None, -amount_fen))
    return left, Entry(kind, number, occurred_on, said, lines, purpose=purpose, book=book)


def of_fund_receipt(
    number: int,
    kind: str,
    amount_fen: int,
    occurred_on: date,
    *,
    method: str,
    restricted: bool,
    memo: str,
) -> Entry:
    """The fund's entry of what it was given or earned; restricted money is income of its own."""
    income = {
        "donation": RESTRICTED_DONATIONS if restricted else DONATIONS,
        "business": BUSINESS_CONTRIBUTIONS,
        "service": LOW_FEE_SERVICES,
    }[kind]
    return Entry(
        source=FUND_RECEIPT,
        source_id=number,
        occurred_on=occurred_on,
        memo=f"{RECEIVED[kind]} {memo}",
        lines=(Line(MONEY[FUND, method], None, amount_fen), Line(income, None, -amount_fen)),
        purpose=SETTLE_FUND,
        book=FUND,
    )
