"""The walk that rabin and buzhash share: cut at the first place the content marks, within a least and a most size."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from typing import Final, TypeAlias

from pinfold.unixfs.chunker.size import Read, read_exactly

READ_BYTES: Final = 1024 * 1024

# Where a window of the buffer ends whose hash marks a cut, rising; the buffer begins one byte short of a window earlier
Marks: TypeAlias = Callable[[memoryview], list[int]]


def split(stream_read: Read, least: int, most: int, window: int, marks: Marks) -> Iterator[memoryview]:
    """Chunks that end at a mark, or at ``most`` bytes, or with the stream.

    A mark depends on the ``window`` bytes before it alone and ``window <= least``, so the hash never has to begin anew
    at a cut, and all marks of a buffer can be found at once.
    """
    buffer, start = b"", 0
    found: list[int] = []
    while block := read_exactly(stream_read, READ_BYTES):
        rest = buffer[start:]
        found = [mark - start for mark in found if mark > start]
        buffer, start = rest + block, 0
        scan_from = max(0, len(rest) - (window - 1))
        view = memoryview(buffer)
        found += [mark + scan_from for mark in marks(view[scan_from:])]
        while (end := _next_cut(found, start, least, most, len(buffer))) is not None:
            yield view[start:end]
            start = end
    if start < len(buffer):
        yield memoryview(buffer)[start:]


def _next_cut(found: list[int], start: int, least: int, most: int, available: int) -> int | None:
    """The end of the chunk that begins at ``start``; ``None`` when the buffer ends before it is known."""
    index = bisect_left(found, start + least)
    if index < len(found) and found[index] <= start + most:
        return found[index]
    return start + most if available >= start + most else None
