"""Structured log lines: people's on a terminal, JSON elsewhere, and never a secret."""

from __future__ import annotations

import logging
import os
import re
import sys
from dataclasses import dataclass
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from pinfold.core.errors import InvalidSetting
from pinfold.telemetry import fields

_MASK: Final = "[not shown]"
_PATTERNS: Final = (
    # What a text must hold for the pattern to be tried, the pattern, and what stands in place of the secret.
    ("pf_", re.compile(r"pf_[A-Za-z0-9_-]{8,}"), f"pf_{_MASK}"),
    ("whsec_", re.compile(r"whsec_[A-Za-z0-9+/=_-]{8,}"), f"whsec_{_MASK}"),
    ("://", re.compile(r"(://[^\s/?#@:\"']*):[^\s/?#\"']*@"), rf"\1:{_MASK}@"),
    ("earer", re.compile(r"\b([Bb]earer)\s+[A-Za-z0-9._~+/=-]{8,}"), rf"\1 {_MASK}"),
    ("asic", re.compile(r"\b([Bb]asic)\s+[A-Za-z0-9+/=]{8,}"), rf"\1 {_MASK}"),
)


@dataclass(frozen=True, slots=True)
class LogFile:
    """A file for log lines, which is renamed and begun anew when it is full."""

    path: Path
    max_bytes: int = 50 << 20
    kept: int = 5
    """Renamed ones that stay, as NAME.1 (the newest), NAME.2 …"""


def configure(
    level: str = "info",
    form: Literal["auto", "human", "json"] = "auto",
    stream: TextIO | None = None,
    file: LogFile | None = None,
) -> None:
    """Set up logging for this process, the libraries' included; called once, by the app.

    Lines go to ``stream``, and as JSON to ``file``.  Raises: InvalidSetting, where the file cannot be written to.
    """
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
    last: Processor = structlog.dev.ConsoleRenderer(colors=out.isatty()) if human else _JSON
    handlers: list[logging.Handler] = [logging.StreamHandler(out)]
    handlers[0].setFormatter(_formatter(shared, last))
    if file is not None:
        handlers.append(_open(file))
        handlers[1].setFormatter(_formatter(shared, _JSON))
    root = logging.getLogger()
    for old in root.handlers:
        if isinstance(old, RotatingFileHandler):
            old.close()
    root.handlers[:] = handlers
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


_JSON: Final = structlog.processors.JSONRenderer()


def _formatter(shared: list[Processor], last: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    )


class _PrivateFile(RotatingFileHandler):
    """Log lines tell who called from where, so that the file is its owner's alone."""

    def _open(self) -> TextIOWrapper:
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        return open(handle, "a", encoding=self.encoding, errors=self.errors)


def _open(file: LogFile) -> RotatingFileHandler:
    try:
        return _PrivateFile(
            file.path, maxBytes=file.max_bytes, backupCount=file.kept, encoding="utf-8", errors="backslashreplace"
        )
    except OSError as exc:
        raise InvalidSetting(f"log_file {file.path} cannot be written to: {exc.strerror}") from exc


def hide_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The event without the values of secret fields, and without what looks like a secret inside of texts.

    Those are our tokens, keys of webhooks, passwords in URLs and what stands in an Authorization header.
    """
    for name, value in event.items():
        event[name] = _MASK if name in fields.SECRET else _without_secrets(value)
    return event


def _without_secrets(value: Any) -> Any:
    if isinstance(value, str):
        for mark, pattern, shown in _PATTERNS:
            if mark in value:
                value = pattern.sub(shown, value)
        return value
    if isinstance(value, dict):
        return {name: _MASK if name in fields.SECRET else _without_secrets(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_without_secrets(one) for one in value]
    return value
