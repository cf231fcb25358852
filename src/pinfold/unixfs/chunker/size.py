"""Chunks of one size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeAlias

Read: TypeAlias = Callable[[int], bytes]


def read_exactly(stream_read: Read, size: int) -> bytes:
    """``size`` bytes, or fewer at the end of the stream only (pipes give less at a time)."""
    first = stream_read(size)
    if len(first) == size or not first:
        return first
    parts, missing = [first], size - len(first)
    while missing and (more := stream_read(missing)):
        parts.append(more)
        missing -= len(more)
    return b"".join(parts)


def split(stream_read: Read, size: int) -> Iterator[bytes]:
    """The stream in chunks of ``size`` bytes; the last may be shorter."""
    while chunk := read_exactly(stream_read, size):
        yield chunk
        if len(chunk) < size:
            return
