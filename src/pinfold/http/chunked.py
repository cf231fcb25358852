"""A chunked body, decoded strictly, a limited number of chunks at a time (RFC 9112, 7.1)."""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from pinfold.http.refusal import Refusal

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t -~\x80-\xff]*)?")
_FIELD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t -~\x80-\xff]*")
_SIZE_LINE_BYTES: Final = 256  # nobody is known to send extensions; signatures of some object stores take 85
_FREE_BYTES: Final = 16 << 10
_BYTES_PER_DATA_BYTE: Final = 8
"""What is no data may be 16 KiB, and 8 bytes for each byte of data: chunks of one byte take 5."""


class _Expects(Enum):
    SIZE = auto()
    DATA = auto()
    END_OF_DATA = auto()
    TRAILER = auto()
    NOTHING = auto()


class ChunkedBody:
    """The state between two pieces of the stream; it keeps no more than one line that is not whole."""

    def __init__(self, trailer_bytes: int) -> None:
        self._trailer_bytes = trailer_bytes
        self._expects = _Expects.SIZE
        self._line = b""
        self._left = 0
        self._data_bytes = 0
        self._other_bytes = 0

    @property
    def is_complete(self) -> bool:
        """Whether the body and its trailer have ended."""
        return self._expects is _Expects.NOTHING

    def take(self, stream: bytes, most_chunks: int) -> tuple[bytes, int]:
        """The data of at most ``most_chunks`` chunks, and how many bytes of ``stream`` were taken for it.

        Raises:  Refusal.
        """
        parts: list[bytes] = []
        at, chunks = 0, 0
        while at < len(stream) and chunks < most_chunks and self._expects is not _Expects.NOTHING:
            if self._expects is _Expects.DATA:
                part = stream[at : at + self._left]
                at += len(part)
                self._left -= len(part)
                self._data_bytes += len(part)
                parts.append(part)
                if not self._left:
                    self._expects = _Expects.END_OF_DATA
                    chunks += 1
                continue
            line, at = self._read_line(stream, at)
            if line is not None:
                chunks += self._expects is _Expects.TRAILER
                self._take_line(line)
        return parts[0] if len(parts) == 1 else b"".join(parts), at

    def _read_line(self, stream: bytes, at: int) -> tuple[bytes | None, int]:
        """A line without its end, and where the next begins; None where it is not whole yet."""
        most = self._trailer_bytes if self._expects is _Expects.TRAILER else _SIZE_LINE_BYTES
        end = stream.find(b"\n", at, at + most + 2)
        stop = end + 1 if end >= 0 else min(len(stream), at + most + 2)
        line = self._line + stream[at:stop]
        self._other_bytes += stop - at
        if len(line) > most + 2:
            raise _too_much() if self._expects is _Expects.SIZE else _trailer_too_large(most)
        if end < 0:
            self._line = line
            return None, stop
        self._line = b""
        if not line.endswith(b"\r\n"):
            raise _malformed()
        return line[:-2], stop

    def _take_line(self, line: bytes) -> None:
        if self._expects is _Expects.END_OF_DATA:
            if line:
                raise _malformed()
            self._expects = _Expects.SIZE
        elif self._expects is _Expects.SIZE:
            found = _SIZE.fullmatch(line)
            if found is None:
                raise _malformed()
            self._left = int(found[1], 16)
            self._expects = _Expects.DATA if self._left else _Expects.TRAILER
            if self._other_bytes > _FREE_BYTES + _BYTES_PER_DATA_BYTE * self._data_bytes:
                raise _too_much()
            if not self._left:
                self._other_bytes = 0  # from here on, the trailer's
        elif not line:
            self._expects = _Expects.NOTHING
        elif not _FIELD.fullmatch(line):
            raise Refusal(400, "the trailer of the body is malformed", "MALFORMED_REQUEST")
        elif self._other_bytes > self._trailer_bytes:
            raise _trailer_too_large(self._trailer_bytes)


def _malformed() -> Refusal:
    return Refusal(400, "the chunked body is malformed", "MALFORMED_REQUEST")


def _too_much() -> Refusal:
    return Refusal(400, "the chunked body has more framing than data", "MALFORMED_REQUEST")


def _trailer_too_large(most: int) -> Refusal:
    return Refusal(431, f"the trailer of the body is over the limit of {most:,} bytes", "HEADERS_TOO_LARGE")
