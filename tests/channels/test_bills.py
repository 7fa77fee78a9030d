"""Reading what WeChat, Alipay and banks write; refusing what is cut off, wrong or no bill."""

import base64
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import alipay_bill, bank_bill, wechat_bill
from channels.bank_bill import Columns
from channels.bills import BillError, content, fen
from channels.passing_on import Transfer, overdue, passed_on
from simulation.papers import Deal, alipay, bank, wechat

NUMBERS = st.integers(1, 10**9).map(lambda n: f"hl{n}")


@pytest.mark.parametrize("encoding", ["gbk", "utf-8-sig", "utf-8"])
def test_a_wechat_bill(encoding: str) -> None:
    file = wechat(Deal("hl1", 800, 5), Deal("hl2", 300, -2, refund="rhl2")).encode(encoding)
    paid, back = wechat_bill.parse(file).lines
    assert (paid.type, paid.external_id, paid.reference) == ("payment", "4200hl1", "hl1")
    assert (paid.amount_fen, paid.fee_fen, paid.memo) == (800, 5, "停车费, 含超时 1")
    assert paid.occurred_at.isoformat() == "2026-11-23T12:00:00+08:00"
    assert (back.type, back.external_id, back.reference) == ("refund", "50rhl2", "rhl2")
    assert (back.amount_fen, back.fee_fen) == (300, -2)


def test_a_refund_that_failed_is_none() -> None:
    failed = Deal("hl2", 0, 0, refund="rhl2", status="FAIL")
    assert len(wechat_bill.parse(wechat(Deal("hl1", 800), failed).encode()).lines) == 1


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda text: text.split("总交易单数")[0], "cut off"),
        (lambda text: text.replace("`8.00,`0.00,`0,", "`9.00,`0.00,`0,", 1), "not the sum"),
        (lambda text: text.replace("`1,`8.00", "`2,`8.00"), "lines"),
        (lambda text: text.replace("`SUCCESS", "`USERPAYING"), "交易状态"),
        (lambda text: text.replace("手续费,", "服务费,"), "手续费"),
        (lambda text: text.replace("12:00:00", "25:00:00"), "no time"),
        (lambda text: text.replace("2026-", "0001-"), "no time"),
        (lambda text: text.replace("`8.00", "`8.005"), "whole fen"),
        (lambda text: text.replace("`8.00", "`eight"), "no amount"),
        (lambda text: text.replace("`hl1", "`"), "商户订单号"),
        (lambda text: "<html>" + text, "账单"),
        (lambda _text: "", "账单"),
        (lambda text: text.replace("停车费", "停\x00费"), "NUL"),
    ],
)
def test_a_spoilt_wechat_bill_is_refused(spoil, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(BillError, match=says):
        wechat_bill.parse(spoil(wechat(Deal("hl1", 800, 5))).encode())


def test_one_number_twice_is_refused() -> None:
    with pytest.raises(BillError, match="twice"):
        wechat_bill.parse(wechat(Deal("hl1", 800), Deal("hl1", 800)).encode())


def test_an_alipay_bill() -> None:
    text = alipay(Deal("a1", 1000, 6), Deal("a1", 400, 2, refund="ra1"))
    bill = alipay_bill.parse(text.encode("gbk"))
    assert bill.covers == (date(2026, 11, 23), date(2026, 11, 23))
    paid, back = bill.lines
    assert (paid.type, paid.reference, paid.amount_fen, paid.fee_fen) == ("payment", "a1", 1000, 6)
    assert (back.type, back.reference, back.amount_fen, back.fee_fen) == ("refund", "ra1", 400, -2)
    with pytest.raises(BillError, match="cut off"):
        alipay_bill.parse(text.split("#-----------------------------业务明细列表结束")[0].encode())


def test_a_bank_statement() -> None:
    text = bank(
        ("2026-11-24", "7.95", "", "B1", "财付通支付科技有限公司"),
        ("20261124", "", "1,200.00".replace(",", ""), "B2", "电梯维保公司"),
    )
    passed, spent = bank_bill.parse(text.encode("gbk"), Columns()).lines
    assert (passed.type, passed.provider, passed.amount_fen) == ("transfer", "wechat", 795)
    assert (spent.type, spent.provider, spent.amount_fen) == ("other", None, -120000)
    renamed = text.replace("交易日期", "Date").replace("流水号", "Ref")
    with pytest.raises(BillError, match="交易日期"):
        bank_bill.parse(renamed.encode(), Columns())
    assert len(bank_bill.parse(renamed.encode(), Columns(date="Date", reference="Ref")).lines) == 2


def test_a_file_comes_as_text_or_in_base64() -> None:
    text = wechat(Deal("hl1", 800))
    assert content(text) == text.encode()
    assert content(base64.encodebytes(text.encode("gbk")).decode()) == text.encode("gbk")
    with pytest.raises(BillError):
        content("abcde")


@given(st.integers(-(10**12), 10**12))
def test_yuan_are_read_as_written(amount: int) -> None:
    sign = "-" if amount < 0 else ""
    said = f"{sign}{abs(amount) // 100:,}.{abs(amount) % 100:02d}"
    assert fen(said, "") == fen(f"¥{said}000" if amount >= 0 else said, "") == amount


@given(st.dictionaries(NUMBERS, st.tuples(st.integers(1, 10**7), st.integers(0, 999)), max_size=9))
def test_every_bill_is_read_back(deals: dict[str, tuple[int, int]]) -> None:
    told = [Deal(number, amount, fee) for number, (amount, fee) in deals.items()]
    for file in (wechat(*told).encode("gbk"), wechat(*told).encode("utf-8-sig")):
        read = [(x.reference, (x.amount_fen, x.fee_fen)) for x in wechat_bill.parse(file).lines]
        assert dict(read) == deals
    read_too = alipay_bill.parse(alipay(*told).encode("gbk")).lines
    assert {x.reference: (x.amount_fen, x.fee_fen) for x in read_too} == deals


FRIDAY = date(2026, 11, 20)
DAYS = [FRIDAY + timedelta(days=n) for n in range(5)]


def test_a_weekend_comes_in_one_transfer() -> None:
    nets = dict(zip(DAYS, [100, 200, 0, 300, 70], strict=True))
    found = passed_on(nets, [Transfer("B1", DAYS[3], 600), Transfer("B2", DAYS[4], 71)])
    assert found.days == {"B1": (DAYS[0], DAYS[1], DAYS[3])}
    assert (found.unpaid, found.unexplained) == ((DAYS[4],), ("B2",))
    assert overdue(found.unpaid, DAYS[4] + timedelta(days=4)) == []
    assert overdue(found.unpaid, DAYS[4] + timedelta(days=5)) == [DAYS[4]]


@given(st.lists(st.integers(-50, 500), max_size=12), st.data())
def test_no_day_is_paid_twice(nets: list[int], data: st.DataObject) -> None:
    days = {FRIDAY + timedelta(days=n): net for n, net in enumerate(nets)}
    transfers = [
        Transfer(str(n), FRIDAY + timedelta(days=data.draw(st.integers(0, 20))), fen_)
        for n, fen_ in enumerate(data.draw(st.lists(st.sampled_from([*nets, 7]), max_size=12)))
    ]
    found = passed_on(days, transfers)
    paid = [day for run in found.days.values() for day in run]
    assert len(paid) == len(set(paid))
    assert sorted([*paid, *found.unpaid]) == [day for day, net in days.items() if net]
    assert {*found.days, *found.unexplained} == {transfer.id for transfer in transfers}
    for transfer in transfers:
        run = found.days.get(transfer.id, ())
        assert not run or sum(days[day] for day in run) == transfer.fen
        assert all(day <= transfer.on for day in run)
