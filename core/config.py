"""Settings from the environment (12-factor), read once and validated at start."""

from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from environs import Env, EnvError, validate

OBJECTION_TO = "业主委员会 The owners' committee"
"""Whom residents may write to about what was published."""

WECHAT_API = "https://api.mch.weixin.qq.com"


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names it."""


@dataclass(frozen=True, slots=True)
class WeChatPay:
    """What WeChat Pay v3 gave the community as a merchant. Its repr has no secret."""

    mchid: str
    appid: str
    cert_serial: str
    apiv3_key: str = field(repr=False)
    private_key: str = field(repr=False)
    public_key: str = field(repr=False)
    public_key_id: str
    api_url: str = WECHAT_API


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a process needs to know before it serves."""

    database_url: str
    redis_url: str
    secret_key: str
    home: Path
    base_url: str
    zone: ZoneInfo
    max_body_bytes: int = 8 * 1024 * 1024
    retention_days: int = 365
    picture_retention_days: int = 30
    wechat: WeChatPay | None = None
    trusted_proxies: int = 0
    """How many proxies stand before web, each saying in X-Forwarded-For who asked it."""
    objection_days: int = 15
    objection_to: str = OBJECTION_TO
    owner_url: str | None = None
    """Who migrates, when that is another role than the app's."""
    steps_down: bool = False
    """Whether the app goes on with least rights when the database's owner was given to it."""


def settings_from_env() -> Settings:
    """Read the settings; raise SettingsError naming the variable that is missing or wrong."""
    env = Env()
    try:
        return Settings(
            database_url=driver_url(env.str("DATABASE_URL")),
            redis_url=env.str("REDIS_URL"),
            secret_key=env.str("HUILIN_SECRET_KEY"),
            home=Path(env.str("HUILIN_HOME", "./var")).resolve(),
            base_url=env.str("HUILIN_BASE_URL", f"http://127.0.0.1:{env.int('PORT', 8000)}"),
            zone=_zone(env.str("COMMUNITY_TZ", "Asia/Shanghai")),
            retention_days=env.int("HUILIN_RETENTION_DAYS", 365),
            picture_retention_days=env.int("HUILIN_PICTURE_RETENTION_DAYS", 30),
            wechat=_wechat(env),
            trusted_proxies=env.int("HUILIN_TRUSTED_PROXIES", 0, validate=validate.Range(0, 9)),
            objection_days=env.int(
                "HUILIN_OBJECTION_DAYS", 15, validate=validate.Range(min=1, max=366)
            ),
            objection_to=env.str("HUILIN_OBJECTION_TO", OBJECTION_TO),
            owner_url=driver_url(env.str("DATABASE_OWNER_URL", "")) or None,
            steps_down=True,
        )
    except EnvError as error:
        raise SettingsError(str(error)) from error


WECHAT = ("APPID", "CERT_SERIAL", "APIV3_KEY", "PRIVATE_KEY_PATH", "PUBLIC_KEY_PATH")


def _wechat(env: Env) -> WeChatPay | None:
    """None unless WECHAT_MCHID is set; then all of it has to be there and readable.

    WECHAT_PUBLIC_KEY_PATH is the platform's public key, with its WECHAT_PUBLIC_KEY_ID, or a
    platform certificate, whose serial number is its id.
    """
    mchid = env.str("WECHAT_MCHID", "")
    if not mchid:
        return None
    appid, serial, key, private, public = (env.str(f"WECHAT_{name}") for name in WECHAT)
    if len(key.encode()) != 32:
        raise SettingsError("WECHAT_APIV3_KEY: must have 32 bytes")
    return WeChatPay(
        mchid=mchid,
        appid=appid,
        cert_serial=serial,
        apiv3_key=key,
        private_key=_pem(private, "WECHAT_PRIVATE_KEY_PATH"),
        public_key=_pem(public, "WECHAT_PUBLIC_KEY_PATH"),
        public_key_id=env.str("WECHAT_PUBLIC_KEY_ID", ""),
        api_url=env.str("WECHAT_API_URL", WECHAT_API).rstrip("/"),
    )


def _pem(path: str, variable: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except (OSError, ValueError) as error:
        raise SettingsError(f"{variable}: cannot be read: {path}") from error


def driver_url(url: str) -> str:
    """Name the psycopg driver in a plain `postgres://` or `postgresql://` address."""
    scheme, separator, rest = url.partition("://")
    if separator and scheme in {"postgres", "postgresql"}:
        return f"postgresql+psycopg://{rest}"
    return url


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise SettingsError(f"COMMUNITY_TZ: no such time zone: {name}") from error
