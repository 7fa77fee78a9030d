"""Structured logs on standard output, with plates, phones and secrets masked."""

import logging
import re
import sys
from collections.abc import MutableMapping
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
SECRET = re.compile(
    r'("(?:password|pass_wd|(?:access_|refresh_)?token|authorization|secret)": )'
    r'(?:"(?:[^"\\]|\\.)*"|[^",}\]]+)',
    re.IGNORECASE,
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
    ]
    structlog.configure(
        processors=[*shared, _masked_line],
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
                _masked_line,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)


_render = structlog.processors.JSONRenderer(ensure_ascii=False)


def _masked_line(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    """The line as JSON, masked as a whole: cheaper than value by value, and nothing slips by."""
    return mask(SECRET.sub(r'\1"***"', str(_render(logger, method, event))))
