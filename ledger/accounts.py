"""The books of a community and the accounts settlement posts to; a code is of one book only."""

OWNERS, FUND, PROVIDER = "owners", "fund", "provider"
"""Whose money a book keeps: the owners' in common, which collects, the micro-fund's, and that of
whoever runs the place. They never mix (民法典 §282)."""

CASH = "1001"
BANK = "1002"
CLEARING = {"wechat": "101201", "alipay": "101202"}
"""待清算: what a provider took for us and has not passed on yet, by its channel."""

RECEIVABLE = "1121"
PREPAID = "2203"
COMPANIES_PREPAID = "220302"
OWNERS_PAYABLE = "220901"
PROPERTY_PAYABLE = "220902"
FUND_PAYABLE = "220903"
FUND_RECEIVABLE = "1131"
PROVIDER_RECEIVABLE = "1141"
OVERPAID = "224101"
CHANNEL_FEES = "520101"

INCOMES: dict[str, tuple[str, str]] = {
    "parking": ("430101", "停车费"),
    "ebike": ("430102", "电动自行车车位费"),
    "locker": ("430103", "快递柜使用费"),
    "overstay": ("430104", "超时占用费"),
    "electricity": ("430105", "充电电费"),
    "charging-service": ("430106", "充电服务费"),
    "booking": ("430107", "预约取消及爽约费"),
    "locker-deposit": ("430108", "快递投柜费"),
    "site-rent": ("430109", "场地租金"),
    "locker-commission": ("430110", "快递柜分成"),
}
"""Income -> its account in the fund, for good once booked, and what its charges are called.

Electricity and the service fee of charging are priced, charged and booked apart
(发改办价格〔2024〕537号).
"""

PROVIDER_INCOMES = {income: "6001" + account[4:] for income, (account, _) in INCOMES.items()}
"""Income -> its account in the provider's book."""

PROVIDER_COSTS = {income: "6051" + account[4:] for income, (account, _) in INCOMES.items()}
"""Income -> where the provider's book shows the cost it recovers of it, before shares.

民法典 §282: what the owners' common parts earn is theirs "扣除合理成本之后".
"""

COMPANY = "company:"
"""How the party code of a company begins."""

PROPERTY_COMPANY = COMPANY + "property"


def household_party(household_id: int) -> str:
    """The party code of a household, as debtor, prepayer or owner alike."""
    return f"household:{household_id}"


def company_party(code: str) -> str:
    """The party code of a company that others call `code`."""
    return COMPANY + code


def party_of(household_id: int | None, company: str | None) -> str | None:
    """The party code of whoever a row names: a household's id, a company's party, or nobody."""
    return company if household_id is None else household_party(household_id)
