"""Blocks hashed where they lie, many at a time, for readers that copy them from the segments without touching them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import Final, NamedTuple

from pinfold.core import multihash as mh
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import BlockNotFound
from pinfold.store.catalogue import Catalogue
from pinfold.store.rows import BlockRow, unpack_block
from pinfold.store.segments import SegmentFile, SegmentFiles

_WINDOW_BYTES: Final = 4 << 20  # the largest block has 2 MiB
_GAP_BYTES: Final = 256  # more than the head of a record: neighbours in a segment are read together


class SoundBlock(NamedTuple):
    """Where a block lies whose bytes were hashed a moment ago; ``file`` stays open as long as this is kept."""

    file: SegmentFile
    row: BlockRow
    has_whole_record: bool
    """Whether the length and the CID before the payload are right as well."""


class HashedReads:
    """Hashes blocks of one store; thread-safe, with a buffer of up to 4 MiB for each thread."""

    def __init__(self, catalogue: Catalogue, files: SegmentFiles, read: Callable[[bytes], bytes]) -> None:
        """``read`` reads and hashes one block; it decides where the quick way finds something wrong."""
        self._catalogue = catalogue
        self.files = files
        self._read = read
        self._buffers = threading.local()

    def sound(self, multihashes: Sequence[bytes]) -> list[SoundBlock]:
        """Where these blocks lie, once their bytes were hashed.

        Raises:  BlockNotFound, BlockCorrupt, StoreCorrupt.
        """
        rows = self._rows(multihashes)
        found: list[SoundBlock | None] = []
        for start, stop in runs(rows, _WINDOW_BYTES):
            found += self._check_run(multihashes[start:stop], rows[start:stop])
        return [
            block if block is not None else self._look_again(multihash)
            for multihash, block in zip(multihashes, found, strict=True)
        ]

    def out_of_reach(self, multihashes: Sequence[bytes]) -> set[bytes]:
        """Those whose segment is missing or ends before they do; their bytes are not read."""
        found = set(multihashes)
        for _ in range(2):  # gc may move a block between the catalogue and the file
            sizes: dict[int, int] = {}
            with self._catalogue.read() as txn:
                rows = [(key, self._catalogue.block(txn, key)) for key in found]
            for key, row in rows:
                if row is None:
                    found.discard(key)
                    continue
                if row.segment not in sizes:
                    sizes[row.segment] = self.files.size(row.segment)
                if row.offset + row.length <= sizes[row.segment]:
                    found.discard(key)
            if not found:
                break
        return found

    def _rows(self, multihashes: Sequence[bytes]) -> list[BlockRow]:
        with self._catalogue.read() as txn:
            get, blocks = txn.get, self._catalogue.blocks
            packed = [get(multihash, db=blocks) for multihash in multihashes]
        if None in packed:
            raise BlockNotFound(f"block {CID(1, RAW, multihashes[packed.index(None)])} is not here")
        return [BlockRow(*unpack_block(row)) for row in packed]

    def _check_run(self, multihashes: Sequence[bytes], rows: Sequence[BlockRow]) -> list[SoundBlock | None]:
        """The blocks of one stretch of a segment; None for each that is not what it should be."""
        base = rows[0].record_start(multihashes[0])
        size = rows[-1].offset + rows[-1].length - base
        if base < 0 or size > 2 * _WINDOW_BYTES:  # the catalogue itself is damaged
            return [None] * len(rows)
        try:
            file = self.files.file(rows[0].segment)
        except FileNotFoundError:  # gc moved it, or it is missing
            return [None] * len(rows)
        view = self._buffer(size)
        if os.preadv(file.fd, [view], base) != size:
            return [None] * len(rows)
        found: list[SoundBlock | None] = []
        heads: dict[tuple[int, int, int], bytes] = {}  # length and CID before the multihash: mostly the same ones
        for multihash, row in zip(multihashes, rows, strict=True):
            _, _, offset, length, tag = row
            payload = offset - base
            if _is_sound(multihash, view[payload : payload + length]):
                kind = (tag, length, len(multihash))
                if kind not in heads:
                    heads[kind] = row.head(multihash)[: -len(multihash)]
                head = heads[kind] + multihash
                found.append(SoundBlock(file, row, bytes(view[payload - len(head) : payload]) == head))
            else:
                found.append(None)
        return found

    def _look_again(self, multihash: bytes) -> SoundBlock:
        while True:
            self._read(multihash)  # raises where it is not sound, now that it is looked up anew
            row = self._rows([multihash])[0]
            try:
                return SoundBlock(self.files.file(row.segment), row, has_whole_record=False)
            except FileNotFoundError:  # gc moved it between the two
                continue

    def _buffer(self, size: int) -> memoryview:
        buffer: bytearray | None = getattr(self._buffers, "buffer", None)
        if buffer is None or len(buffer) < size:
            # Kept: memory that is new each time costs a page fault for every 4 KiB.
            buffer = self._buffers.buffer = bytearray(size)
        return memoryview(buffer)[:size]


def _is_sound(multihash: bytes, data: memoryview) -> bool:
    if len(multihash) == 34 and multihash[:2] == mh.SHA2_256_PREFIX:
        return sha256(data).digest() == multihash[2:]
    return mh.matches(multihash, data)


def runs(rows: Sequence[BlockRow], window_bytes: int) -> list[tuple[int, int]]:
    """Stretches of rows that lie one behind the other in one segment and are read together, as indices."""
    starts = [0] if rows else []
    for index, (before, row) in enumerate(pairwise(rows), 1):
        gap = row.offset - before.offset - before.length
        follows = row.segment == before.segment and 0 <= gap <= _GAP_BYTES
        if not follows or row.offset + row.length - rows[starts[-1]].offset > window_bytes:
            starts.append(index)
    return list(pairwise([*starts, len(rows)]))
