"""Settings from the environment (12-factor), read once and validated at start."""

from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from environs import Env, EnvError


class SettingsError(ValueError):
    """A setting is missing or wrong; the message names it."""


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
        )
    except EnvError as error:
        raise SettingsError(str(error)) from error


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
