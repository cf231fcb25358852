"""Structured log lines: people's on a terminal, JSON elsewhere, and never a secret."""

from __future__ import annotations

import logging
import re
import sys
from typing import Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from pinfold.telemetry import fields

_TOKEN: Final = re.compile(r"pf_[A-Za-z0-9_-]{8,}")
_MASK: Final = "[not shown]"


def configure(
    level: str = "info", form: Literal["auto", "human", "json"] = "auto", stream: TextIO | None = None
) -> None:
    """Set up logging for this process, the libraries' included; called once, by the app."""
    out = sys.stderr if stream is None else stream
    human = form == "human" or (form == "auto" and out.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Plain: a renderer that shows local variables would show tokens.
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    last: Processor = (
        structlog.dev.ConsoleRenderer(colors=out.isatty()) if human else structlog.processors.JSONRenderer()
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "alembic", "httpx", "asyncio"):
        logging.getLogger(name).handlers[:] = []
        logging.getLogger(name).propagate = True
        # Their "info" says what our own lines say already.
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.getLogger("python_multipart").setLevel(logging.ERROR)  # it warns of what clients send, line by line
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(root.level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def logger(room: str) -> FilteringBoundLogger:
    """The log of one room; made before or after ``configure``, it obeys it."""
    lazy: FilteringBoundLogger = structlog.get_logger(f"pinfold.{room}", **{fields.ROOM: room})
    return lazy


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The event without the values of secret fields and without anything that looks like one of our tokens."""
    for name, value in event.items():
        if name in fields.SECRET:
            event[name] = _MASK
        elif isinstance(value, str) and "pf_" in value:
            event[name] = _TOKEN.sub(f"pf_{_MASK}", value)
    return event
