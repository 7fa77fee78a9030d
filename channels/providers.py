"""Which providers this community has set up."""

from functools import lru_cache

from channels.provider import Provider
from channels.wechat import WeChat
from core.config import Settings, WeChatPay
from core.errors import Problem

WECHAT = "wechat"
NOTIFY = "/api/v1/channels/wechat/notify"


def configured(settings: Settings) -> dict[str, Provider]:
    """Every provider whose merchant data the environment gave, by the method's name."""
    if settings.wechat is None:
        return {}
    return {WECHAT: _wechat(settings.wechat, settings.base_url + NOTIFY)}


def provider(settings: Settings, name: str) -> Provider:
    """The one of this name; Problem 422 when it is not set up."""
    found = configured(settings).get(name)
    if found is None:
        rule = f"{name} is not set up here"
        detail = "This way of paying is not set up here."
        raise Problem(422, "not-set-up", detail, errors={"method": [rule]})
    return found


@lru_cache(maxsize=4)
def _wechat(merchant: WeChatPay, notify_url: str) -> WeChat:
    return WeChat(merchant, notify_url)
