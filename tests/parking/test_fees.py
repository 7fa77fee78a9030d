"""What a stay owes between entering, paying and leaving, for any tariff."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import assume, given
from hypothesis import strategies as st

from parking.fees import Bill, Booked, Owed, owed
from parking.permits import Right
from tariffs.rules import Overstay
from tariffs.tariff import CapPer, Rules, Tariff, price
from tests.cast import NOON

ZONE = ZoneInfo("Asia/Shanghai")
SPANS = st.integers(0, 400_000).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """Any tariff that parse_rules takes."""
    first_minutes = draw(st.integers(0, 180))
    first_fen = draw(st.integers(0, 2_000)) if first_minutes else 0
    unit_fen = draw(st.integers(0, 1_000))
    cap = st.none() | st.integers(max(first_fen, unit_fen), 10_000)
    rules = Rules(
        free_minutes=draw(st.integers(0, 120)),
        free_deducted=draw(st.booleans()),
        first_minutes=first_minutes,
        first_fen=first_fen,
        unit_minutes=draw(st.integers(1, 120)),
        unit_fen=unit_fen,
        cap_fen=draw(cap),
        cap_per=draw(st.sampled_from(CapPer)),
        leave_within_minutes=draw(st.integers(0, 60)),
    )
    return Tariff(1, 1, ZONE, rules)


def until(span: timedelta) -> Right:
    """A permit that ends a while after noon."""
    return Right(NOON - timedelta(days=1), NOON + span)


@st.composite
def bills(draw: st.DrawFn) -> Bill:
    """A stay as it may stand: charged never, or once, and paid as much as was charged or less."""
    rights = draw(st.just(()) | SPANS.map(lambda span: (until(span),)))
    bill = Bill(NOON, draw(tariffs()), rights=rights)
    priced_at = NOON + draw(SPANS)
    charged = owed(bill, priced_at).total_fen
    if not charged or draw(st.booleans()):
        return bill
    paid = draw(st.integers(0, charged))
    moved_at = priced_at + (draw(SPANS) if paid else timedelta(0))
    return replace(
        bill, charged_fen=charged, paid_fen=paid, charged_at=priced_at, moved_at=moved_at
    )


def charged(bill: Bill, at: datetime) -> Bill:
    """The bill after a charge at an instant; the receivable moves only when money does."""
    fee = owed(bill, at)
    if not fee.to_charge_fen:
        return bill
    return replace(bill, charged_fen=fee.total_fen, charged_at=at, moved_at=at)


def paid(bill: Bill, at: datetime) -> Bill:
    """The bill after everything due was paid at an instant."""
    bill = charged(bill, at)
    if bill.paid_fen == bill.charged_fen:
        return bill
    return replace(bill, paid_fen=bill.charged_fen, moved_at=at)


def leave_within(bill: Bill) -> timedelta:
    assert bill.tariff
    return timedelta(minutes=bill.tariff.rules.leave_within_minutes)


@given(bills(), SPANS)
def test_nothing_owed_is_ever_negative(bill: Bill, span: timedelta) -> None:
    fee = owed(bill, NOON + span)
    assert fee.total_fen >= fee.due_fen >= 0
    assert fee.to_charge_fen >= 0
    assert fee.total_fen >= bill.charged_fen


@given(bills(), SPANS, SPANS)
def test_staying_longer_never_costs_less(bill: Bill, one: timedelta, other: timedelta) -> None:
    sooner, later = sorted((one, other))
    assert owed(bill, NOON + sooner).total_fen <= owed(bill, NOON + later).total_fen


@given(bills(), SPANS, st.floats(0, 1))
def test_whoever_pays_and_leaves_in_time_owes_nothing_more(
    bill: Bill, span: timedelta, part: float
) -> None:
    at = NOON + span
    settled = paid(bill, at)
    assume(settled.moved_at == at)
    fee = owed(settled, at + leave_within(bill) * part)
    assert (fee.due_fen, fee.to_charge_fen) == (0, 0)
    assert fee.total_fen == settled.charged_fen


@given(tariffs(), SPANS, SPANS)
def test_whoever_stays_on_owes_exactly_the_difference(
    tariff: Tariff, span: timedelta, more: timedelta
) -> None:
    settled = paid(Bill(NOON, tariff), NOON + span)
    assume(settled.moved_at)
    late = NOON + span + leave_within(settled) + timedelta(seconds=1) + more
    whole = price(tariff, NOON, late).total_fen
    fee = owed(settled, late)
    assert (fee.total_fen, fee.due_fen) == (whole, whole - settled.charged_fen)


@given(tariffs(), st.lists(SPANS, min_size=1, max_size=6))
def test_charge_and_supplements_sum_to_one_price(tariff: Tariff, spans: list[timedelta]) -> None:
    bill, at = Bill(NOON, tariff), NOON
    for span in spans:
        at += span
        bill = charged(bill, at)
    assert bill.charged_fen <= price(tariff, NOON, at).total_fen
    end = max(at, (bill.moved_at or at) + leave_within(bill) + timedelta(seconds=1))
    assert charged(bill, end).charged_fen == price(tariff, NOON, end).total_fen


@given(bills(), SPANS)
def test_the_lines_of_a_charge_sum_to_it(bill: Bill, span: timedelta) -> None:
    fee = owed(bill, NOON + span)
    amounts = [line["amount_fen"] for line in fee.lines_to_charge()]
    assert sum(amount for amount in amounts if isinstance(amount, int)) == fee.to_charge_fen


@given(tariffs(), SPANS, st.lists(SPANS, max_size=4))
def test_the_lines_explain_the_total_while_paying_and_leaving(
    tariff: Tariff, span: timedelta, spans: list[timedelta]
) -> None:
    bill, at = charged(Bill(NOON, tariff), NOON + span), NOON + span
    for more in spans:
        at += more
        bill = paid(bill, at)
        fee = owed(bill, at)
        assert sum(line.amount_fen for line in fee.lines) == fee.total_fen


@given(tariffs(), SPANS, SPANS)
def test_a_permit_covers_what_lies_before_its_end(
    tariff: Tariff, covered: timedelta, span: timedelta
) -> None:
    fee = owed(Bill(NOON, tariff, rights=(until(covered),)), NOON + span)
    if span <= covered:
        assert fee == Owed(0, 0, 0, ())
    else:
        later, all_of_it = (
            price(tariff, NOON + covered, NOON + span),
            price(tariff, NOON, NOON + span),
        )
        assert fee.total_fen == min(later.total_fen, all_of_it.total_fen)  # never dearer for it


@given(tariffs(), st.integers(30, 5_000), st.integers(-60, 60), SPANS, st.integers(0, 30))
def test_a_booked_stay_costs_its_quote_until_the_late_allowance_ends(
    tariff: Tariff, length: int, early: int, span: timedelta, late: int
) -> None:
    ends = NOON + timedelta(minutes=length)
    entered = NOON - timedelta(minutes=early)
    bill = Bill(entered, tariff, booked=Booked(NOON, ends, late))
    quote = price(tariff, NOON, ends).total_fen
    assert owed(bill, ends).total_fen == quote
    assert owed(bill, ends + timedelta(minutes=late)).total_fen == quote
    assert owed(bill, NOON + span).total_fen >= 0
    if NOON + span <= ends:
        assert owed(bill, NOON + span).total_fen == price(tariff, NOON, NOON + span).total_fen


@given(tariffs(), st.integers(30, 5_000), SPANS)
def test_an_overstay_is_an_income_of_its_own_beside_the_quote(
    tariff: Tariff, length: int, over: timedelta
) -> None:
    ends = NOON + timedelta(minutes=length)
    tariff = replace(tariff, rules=replace(tariff.rules, overstay=Overstay(300, None)))
    fee = owed(Bill(NOON, tariff, booked=Booked(NOON, ends, 0)), ends + over)
    parts = fee.parts_to_charge("parking") or {"parking": fee.to_charge_fen}
    assert sum(parts.values()) == fee.to_charge_fen
    assert parts.get("parking", 0) == price(tariff, NOON, ends).total_fen
    assert parts.get("overstay", 0) >= 0


@given(bills(), SPANS)
def test_before_the_entry_there_is_no_fee_but_what_was_charged(bill: Bill, span: timedelta) -> None:
    fresh = replace(bill, charged_fen=0, paid_fen=0, charged_at=None, moved_at=None)
    before = owed(fresh, NOON - span)
    assert before.total_fen == owed(fresh, NOON).total_fen


def test_without_a_tariff_nothing_is_due() -> None:
    assert owed(Bill(NOON, None), NOON + timedelta(days=9)).as_json() == {
        "total_fen": 0,
        "due_fen": 0,
        "lines": [],
    }
