"""Multipart forms as a stream: parts as they come, nothing kept."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pinfold.core.errors import InvalidInput

FEED_BYTES: Final = 64 * 1024  # smaller pieces cost the parser more than they carry
_MAX_HEADER_BYTES: Final = 4096
_MAX_NAME: Final = 255  # what file systems take
_HINT: Final = "Send files as multipart/form-data, for example: curl -F file=@photo.jpg …"
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins."""

    field: str
    filename: str | None
    content_type: str


@dataclass(frozen=True, slots=True)
class PartData:
    """The next bytes of the part."""

    data: bytes


@dataclass(frozen=True, slots=True)
class PartEnd:
    """The part is complete."""


Event = PartBegin | PartData | PartEnd


async def parse(content_type: str, body: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Yield what a form holds: for each part its beginning, its bytes, its end.

    Shape:   a part's data comes in pieces of about 64 KiB; nothing is held back but one of them.
    Raises:  InvalidInput for anything that is no complete form, with what was wrong; events before it were true.
    """
    parser = _Parser(_boundary(content_type))
    pending = bytearray()
    async for chunk in body:
        pending += chunk
        if len(pending) >= FEED_BYTES:
            for event in parser.feed(bytes(pending)):
                yield event
            pending.clear()
    for event in parser.feed(bytes(pending)):
        yield event
    parser.check_complete()


def _boundary(content_type: str) -> bytes:
    kind, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data":
        raise InvalidInput("the body is no form", hint=_HINT)
    if not boundary:
        raise InvalidInput("the Content-Type names no boundary", hint=_HINT)
    return boundary


class _Parser:
    """Turns the callbacks of the parser into events."""

    def __init__(self, boundary: bytes) -> None:
        self._events: list[Event] = []
        self._data = bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._name = bytearray()
        self._value = bytearray()
        self._complete = False
        try:
            self._parser = MultipartParser(boundary, self._callbacks(), max_header_size=_MAX_HEADER_BYTES)  # type: ignore[arg-type]
        except FormParserError as exc:
            raise InvalidInput(f"the form cannot be read: {exc}", hint=_HINT) from exc

    def _callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": lambda data, start, end: self._name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": lambda data, start, end: self._data.extend(data[start:end]),
            "on_part_end": self._part_end,
            "on_end": self._end,
        }

    def feed(self, data: bytes) -> list[Event]:
        """What ``data`` completes."""
        try:
            self._parser.write(data)
        except FormParserError as exc:
            raise InvalidInput(f"the form cannot be read: {exc}", hint=_HINT) from exc
        self._flush()
        events, self._events = self._events, []
        return events

    def check_complete(self) -> None:
        """Raises:  InvalidInput where the closing boundary never came."""
        if not self._complete:
            raise InvalidInput("the form ends before its closing boundary; nothing of it was kept", hint=_HINT)

    def _header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if kind != b"form-data" or b"name" not in options:
            raise InvalidInput("a part of the form has no Content-Disposition with a name", hint=_HINT)
        filename = options.get(b"filename")
        name = None if filename is None else file_name(_text(filename))
        content_type = self._headers.get(b"content-type", b"").decode("latin-1").strip()
        if not content_type or len(content_type) > _MAX_NAME or _CONTROL.search(content_type):
            content_type = mimetypes.guess_type(name or "")[0] or "application/octet-stream"
        self._events.append(PartBegin(_text(options[b"name"]), name, content_type))

    def _part_end(self) -> None:
        self._flush()
        self._events.append(PartEnd())

    def _end(self) -> None:
        self._complete = True

    def _flush(self) -> None:
        if self._data:
            self._events.append(PartData(bytes(self._data)))
            self._data.clear()


def file_name(given: str) -> str:
    """The last name of a path in any system's manner, without control characters, at most 255 bytes of UTF-8."""
    name = _CONTROL.sub("", re.split(r"[/\\]", given)[-1]).strip()
    if name in (".", ".."):
        return ""
    return name.encode("utf-8")[:_MAX_NAME].decode("utf-8", "ignore")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("a name in the form is not UTF-8", hint=_HINT) from None
