"""What the provider and the bank write down of a month, with differences planted on purpose."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from core.money import yuan
from simulation import papers
from simulation.papers import Deal
from simulation.tenpay import Tenpay

FEE_PERMILLE = 6
DAY = timedelta(days=1)
STRANGE = "hl0000000000000000000000000000"
"""The number of a payment that nobody here ever asked for."""


@dataclass(frozen=True, slots=True)
class Planted:
    """A difference that the reconciliation has to find."""

    kind: str
    reference: str
    ours_fen: int | None
    theirs_fen: int | None


@dataclass(frozen=True, slots=True)
class Papers:
    """A provider's bill and the bank's statement of the same days, and what is wrong with them."""

    wechat: str
    bank: str
    planted: tuple[Planted, ...]


def of_month(tenpay: Tenpay, month: date) -> Papers:
    """The papers of what was paid in the month that begins on `month`.

    One payment is missing there, one is of another amount, one is of nobody here.
    """
    truth = [deal for deal in map(_deal, _paid(tenpay)) if deal.at[:7] == f"{month:%Y-%m}"]
    if len(truth) < 3:
        raise ValueError("too few paid by phone to plant differences")
    lost, wrong, *kept = sorted(truth, key=lambda deal: deal.number)
    more = _with_fee(replace(wrong, fen=wrong.fen + 100))
    strange = _with_fee(replace(kept[0], number=STRANGE, fen=500))
    deals = sorted([*kept, more, strange], key=lambda deal: (deal.at, deal.number))
    planted = (
        Planted("missing_there", lost.number, lost.fen, None),
        Planted("amount_differs", wrong.number, wrong.fen, more.fen),
        Planted("missing_here", STRANGE, None, strange.fen),
    )
    return Papers(papers.wechat(*deals), papers.bank(*_passed_on(deals)), planted)


def _paid(tenpay: Tenpay) -> Iterable[Mapping[str, Any]]:
    return (order for order in tenpay.orders.values() if order["trade_state"] == "SUCCESS")


def _deal(order: Mapping[str, Any]) -> Deal:
    at = datetime.fromisoformat(order["success_time"])
    return _with_fee(
        Deal(
            number=order["out_trade_no"],
            fen=order["amount"]["total"],
            at=f"{at.astimezone(papers.CHINA):%Y-%m-%d %H:%M:%S}",
            what=order["description"],
        )
    )


def _with_fee(deal: Deal) -> Deal:
    return replace(deal, fee_fen=(deal.fen * FEE_PERMILLE + 500) // 1000)


def _passed_on(deals: Iterable[Deal]) -> list[tuple[str, ...]]:
    """What came of each day reached the bank on the next."""
    nets: defaultdict[date, int] = defaultdict(int)
    for deal in deals:
        nets[date.fromisoformat(deal.at[:10])] += deal.fen - deal.fee_fen
    return [
        (f"{day + DAY}", yuan(net), "", f"TF{day:%Y%m%d}", "财付通支付科技有限公司")
        for day, net in sorted(nets.items())
    ]
