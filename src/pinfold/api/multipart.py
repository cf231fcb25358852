"""Multipart forms as a stream: parts as they come, nothing kept."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pinfold.core.errors import InvalidInput

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # there for type checkers only

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
    """The last name of its path; None for a field that is no file."""
    content_type: str
    path: tuple[str, ...] = ()
    """All names of a path with slashes, for a file inside a folder; empty for a plain one."""


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
            self._parser = MultipartParser(boundary, self._callbacks(), max_header_size=_MAX_HEADER_BYTES)
        except FormParserError as exc:
            raise InvalidInput(f"the form cannot be read: {exc}", hint=_HINT) from exc

    def _callbacks(self) -> MultipartCallbacks:
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
        given = None if filename is None else _text(filename)
        path = () if given is None or "/" not in given else folder_path(given)
        name = None if given is None else path[-1] if path else file_name(given)
        content_type = usable_type(self._headers.get(b"content-type", b"").decode("latin-1"), name or "")
        self._events.append(PartBegin(_text(options[b"name"]), name, content_type, path))

    def _part_end(self) -> None:
        self._flush()
        self._events.append(PartEnd())

    def _end(self) -> None:
        self._complete = True

    def _flush(self) -> None:
        if self._data:
            self._events.append(PartData(bytes(self._data)))
            self._data.clear()


def usable_type(given: str, name: str) -> str:
    """The content type that was sent, or the one that the name has where none, or no usable one, was."""
    given = given.strip()
    if given and len(given) <= _MAX_NAME and not _CONTROL.search(given):
        return given
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def folder_path(given: str) -> tuple[str, ...]:
    """The names of a path that leads into a folder, as given.

    Raises:  InvalidInput for an absolute path and for names that no folder can have: a folder is kept whole or not at
             all, so nothing is left out or renamed here.
    """
    names = tuple(given.split("/"))
    for name in names:
        if name in ("", ".", "..") or _CONTROL.search(name) or len(name.encode("utf-8")) > _MAX_NAME:
            raise InvalidInput(
                f"{given[:200]!r} is no path inside a folder",
                hint="Paths have no empty, '.' or '..' part, and do not begin or end with a slash.",
            )
    return names


def file_name(given: str) -> str:
    """The last name of a path in any system's manner, without control characters, at most 255 bytes of UTF-8."""
    name = _CONTROL.sub("", re.split(r"[/\\]", given)[-1]).strip()
    if name in (".", ".."):
        return ""
    return name.encode("utf-8")[:_MAX_NAME].decode("utf-8", "ignore")


def _text(value: bytes) -> str:
    if b"\0" in value:
        raise InvalidInput("a name in the form holds a NUL character", hint=_HINT)
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("a name in the form is not UTF-8", hint=_HINT) from None
