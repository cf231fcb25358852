"""Chunkers: where a file is cut, by size or by content."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.errors import InvalidInput
from pinfold.unixfs.chunker import size
from pinfold.unixfs.chunker.size import Read as Read

if TYPE_CHECKING:
    from pinfold.unixfs.profile import Profile

FRAME_BYTES: Final = 256  # room for what a dag-pb leaf adds to its chunk; boxo's ChunkOverheadBudget
MAX_CHUNK_BYTES: Final = MAX_BLOCK_BYTES - FRAME_BYTES
RABIN_DEFAULT_AVERAGE: Final = 256 * 1024
RABIN_LEAST: Final = 16  # the window: a shorter chunk would not fill it


class FixedSize(NamedTuple):
    """Chunks of ``size`` bytes; the last may be shorter."""

    size: int


class Rabin(NamedTuple):
    """Cut by Rabin fingerprint; all in bytes."""

    least: int
    average: int
    most: int


class Buzhash(NamedTuple):
    """Cut by buzhash; it has no parameters."""


Chunker: TypeAlias = FixedSize | Rabin | Buzhash


def parse(text: str) -> Chunker:
    """What ``size-N``, ``rabin``, ``rabin-AVG``, ``rabin-MIN-AVG-MAX`` or ``buzhash`` says.

    Raises:  InvalidInput.
    Source:  boxo `chunker/parse.go`; an average under 48 bytes is refused here, where boxo never cuts at all.
    """
    if text == "buzhash":
        return Buzhash()
    if text == "rabin":
        return _rabin_around(RABIN_DEFAULT_AVERAGE)
    if found := re.fullmatch(r"size-([0-9]{1,18})", text):
        return _fixed(int(found[1]))
    if found := re.fullmatch(r"rabin-([0-9]{1,18})", text):
        return _rabin_around(int(found[1]))
    if found := re.fullmatch(r"rabin-(?:min:)?([0-9]{1,18})-(?:avg:)?([0-9]{1,18})-(?:max:)?([0-9]{1,18})", text):
        return _rabin(int(found[1]), int(found[2]), int(found[3]))
    raise InvalidInput(f"unknown chunker {text!r}; write size-N, rabin, rabin-AVG, rabin-MIN-AVG-MAX or buzhash")


def fixed_size(profile: Profile) -> int | None:
    """The chunk size of a profile that cuts by size; ``None`` where content decides."""
    chunker = parse(profile.chunker)
    return chunker.size if isinstance(chunker, FixedSize) else None


def chunks(stream_read: Read, chunker: str) -> Iterator[bytes | memoryview]:
    """The stream cut into chunks, none of them empty.

    Shape:   ``stream_read(n)`` gives up to ``n`` bytes, and nothing at the end.
    Raises:  InvalidInput for an unknown chunker.
    """
    parsed = parse(chunker)
    if isinstance(parsed, FixedSize):
        return size.split(stream_read, parsed.size)
    if isinstance(parsed, Rabin):
        from pinfold.unixfs.chunker import rabin  # brings numpy, which most runs never need

        return rabin.split(stream_read, *parsed)
    from pinfold.unixfs.chunker import buzhash

    return buzhash.split(stream_read)


def _fixed(bytes_each: int) -> FixedSize:
    if not 0 < bytes_each <= MAX_CHUNK_BYTES:
        raise InvalidInput(f"a chunk has 1 to {MAX_CHUNK_BYTES:,} bytes, not {bytes_each:,}")
    return FixedSize(bytes_each)


def _rabin_around(average: int) -> Rabin:
    return _rabin(average // 3, average, average + average // 2)


def _rabin(least: int, average: int, most: int) -> Rabin:
    if least < RABIN_LEAST:
        raise InvalidInput(f"rabin's least chunk has {RABIN_LEAST} bytes or more, not {least}")
    if not least < average < most:
        raise InvalidInput(f"rabin needs min < avg < max, not {least}-{average}-{most}")
    if most > MAX_CHUNK_BYTES:
        raise InvalidInput(f"a chunk has at most {MAX_CHUNK_BYTES:,} bytes, not {most:,}")
    return Rabin(least, average, most)
