"""The chart of accounts of a community micro-fund, by the codes settlement posts to."""

CASH = "1001"
RECEIVABLE = "1121"
PREPAID = "2203"
OWNERS_PAYABLE = "220901"
PROPERTY_PAYABLE = "220902"

INCOMES: dict[str, tuple[str, str]] = {
    "parking": ("430101", "停车费"),
    "ebike": ("430102", "电动自行车车位费"),
    "locker": ("430103", "快递柜使用费"),
    "overstay": ("430104", "超时占用费"),
    "electricity": ("430105", "充电电费"),
    "charging-service": ("430106", "充电服务费"),
    "booking": ("430107", "预约取消及爽约费"),
}
"""Income -> its account, for good once it is in the books, and what its charges are called.

Electricity and the service fee of charging are priced, charged and booked apart
(发改办价格〔2024〕537号).
"""

PROPERTY_COMPANY = "company:property"


def household_party(household_id: int) -> str:
    """The party code of a household, as debtor, prepayer or owner alike."""
    return f"household:{household_id}"
