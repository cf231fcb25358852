"""Multipart forms as a stream: parts as they come, nothing kept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from pinfold.api import part_header
from pinfold.api.part_header import HINT as _HINT
from pinfold.core.content_type import UNKNOWN
from pinfold.core.errors import InvalidInput

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks  # there for type checkers only

FEED_BYTES: Final = 64 * 1024  # smaller pieces cost the parser more than they carry
_MAX_HEADER_BYTES: Final = 4096
_MAX_NAME: Final = 255  # what file systems take
MAX_PARTS: Final = 100_000
"""Parts of one form, files of folders too.  Each costs some 20 µs of the event loop however little it holds."""
MAX_FIELDS: Final = 1_000
"""Parts that are no files: 50 tags, and whatever an upload widget sends beside its file."""
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class PartBegin:
    """A part begins."""

    field: str
    filename: str | None
    """The last name of its path; None for a field that is no file."""
    content_type: str
    """What was sent; empty where none was, or one that says nothing."""
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
        while len(pending) >= FEED_BYTES:
            for event in parser.feed(bytes(pending[:FEED_BYTES])):
                yield event
            del pending[:FEED_BYTES]
            await asyncio.sleep(0)  # parts may be small and many: other requests come between
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
        self._parts = 0
        self._fields = 0
        try:
            self._parser = MultipartParser(boundary, self._callbacks(), max_header_size=_MAX_HEADER_BYTES)
        except FormParserError as exc:
            raise InvalidInput(f"the form cannot be read: {exc}", hint=_HINT) from exc

    def _callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._part_begin,
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

    def _part_begin(self) -> None:
        self._headers.clear()
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise InvalidInput(
                f"the form has more than {MAX_PARTS:,} parts", hint="Send a large folder with `pinfold push PATH`."
            )

    def _header_end(self) -> None:
        self._headers[bytes(self._name).lower()] = bytes(self._value)
        self._name.clear()
        self._value.clear()

    def _headers_finished(self) -> None:
        said = part_header.read(self._headers.get(b"content-disposition", b""))
        if said.filename is None:
            self._fields += 1
            if self._fields > MAX_FIELDS:
                raise InvalidInput(f"the form has more than {MAX_FIELDS:,} fields beside its files", hint=_HINT)
        given = said.filename or ""
        path = folder_path(given) if "/" in given else ()
        name = None if said.filename is None else path[-1] if path else file_name(given)
        content_type = usable_type(self._headers.get(b"content-type", b"").decode("latin-1"))
        self._events.append(PartBegin(said.field, name, content_type, path))

    def _part_end(self) -> None:
        self._flush()
        self._events.append(PartEnd())

    def _end(self) -> None:
        self._complete = True

    def _flush(self) -> None:
        if self._data:
            self._events.append(PartData(bytes(self._data)))
            self._data.clear()


def usable_type(given: str) -> str:
    """The content type that was sent; empty where none, or no usable one, was: then the file itself shows it."""
    given = given.strip()
    is_usable = len(given) <= _MAX_NAME and not _CONTROL.search(given)
    return given if is_usable and given.partition(";")[0].strip().lower() != UNKNOWN else ""


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
    """The name of a plain file, as given; empty where it has none.

    Raises:  InvalidInput for a name that no file can have: it is kept as it was sent, or not at all.
    """
    if given and (given.strip() in ("", ".", "..") or _CONTROL.search(given) or len(given.encode()) > _MAX_NAME):
        raise InvalidInput(
            f"{given[:100]!r} is no name of a file",
            hint=f"Names have 1 to {_MAX_NAME} bytes and no control character, and are not '.' or '..'.",
        )
    return given
