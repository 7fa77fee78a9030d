"""Structured logs on standard output, with plates, phones and secrets masked."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

PLATE = re.compile(
    r"([\u4e00-\u9fff][A-Za-z]|WJ[\u4e00-\u9fff]?|使)"
    r"[·. ]?[A-Za-z0-9]{3,5}([A-Za-z0-9\u4e00-\u9fff])(?![A-Za-z0-9])"
)
FORCES = re.compile(r"\b([A-Z]{2})[A-Z0-9]\d{3}(\d)\b|\b(\d)\d{4}(\d[使领])")
ESCAPED = re.compile(r"(?:%[0-9A-F]{2}){3,}[A-Z0-9%]*", re.IGNORECASE)
PHONE = re.compile(r"(?<!\d)(1[3-9]\d)\d{4}(\d{4})(?!\d)")
DEVICE_TOKEN = re.compile(r"(/d/)[^/\s\"']+")
BEARER = re.compile(r"(Bearer\s+)[\w.~+/=-]+", re.IGNORECASE)
SECRETS = frozenset(
    {"password", "pass_wd", "token", "access_token", "refresh_token", "authorization", "secret"}
)


def mask(text: str) -> str:
    """Hide the middle of every plate and phone, and whole credentials, in a text."""
    text = ESCAPED.sub("%***", text)
    text = PLATE.sub(r"\1***\2", text)
    text = FORCES.sub(r"\1\3***\2\4", text)
    text = PHONE.sub(r"\1****\2", text)
    text = DEVICE_TOKEN.sub(r"\1***", text)
    return BEARER.sub(r"\1***", text)


def start_logging(level: str = "INFO") -> None:
    """Send structlog and the standard library's loggers through the same masking JSON line."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _mask_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer(ensure_ascii=False)],
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


def _mask_event(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for key, value in event.items():
        event[key] = "***" if key.lower() in SECRETS else _masked(value)
    return event


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Mapping):
        return {k: "***" if str(k).lower() in SECRETS else _masked(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_masked(item) for item in value]
    return value
