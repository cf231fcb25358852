"""What is stored already, beside the bytes that somebody brings: equal, or replaced by them.

A block that comes in was hashed.  If the stored copy differs from it, the stored copy is damaged.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, NamedTuple

from pinfold.core.multihash import Buffer
from pinfold.store.catalogue import Catalogue
from pinfold.store.hashed_reads import runs
from pinfold.store.layout import Layout
from pinfold.store.mend import replace_damaged
from pinfold.store.rows import BlockRow
from pinfold.store.segments import SegmentFiles

_WINDOW_BYTES: Final = 256 << 10  # small neighbours are compared together, large blocks one by one
_HEAL_BLOCKS: Final = 500  # one write takes 1,024 pieces, two for each block
_HEAL_BYTES: Final = 16 << 20


class NewBlock(NamedTuple):
    """A block on its way in; ``prefix`` is the record's length varint and CID."""

    multihash: bytes
    tag: int
    prefix: bytes
    data: bytes | memoryview


def heal(layout: Layout, catalogue: Catalogue, files: SegmentFiles, blocks: Sequence[NewBlock]) -> None:
    """Replace the stored copies of these blocks that are not what came now; those that are not stored are passed over.

    Raises:  BlockCorrupt where what came does not match its hash, StoreFull.
    """
    group: list[tuple[bytes, Buffer]] = []
    size = 0
    for block in _differing(catalogue, files, blocks):
        group.append((block.multihash, block.data))
        size += len(block.data)
        if len(group) >= _HEAL_BLOCKS or size >= _HEAL_BYTES:
            replace_damaged(layout, catalogue, group)
            group, size = [], 0
    if group:
        replace_damaged(layout, catalogue, group)


def _differing(catalogue: Catalogue, files: SegmentFiles, blocks: Sequence[NewBlock]) -> list[NewBlock]:
    stored = _stored(catalogue, blocks)
    suspects: list[NewBlock] = []
    rows = [row for row, _ in stored]
    for start, stop in runs(rows, _WINDOW_BYTES):
        suspects += _differing_run(files, stored[start:stop])
    # A second look: gc may have moved a block between the catalogue and the file.
    return [block for row, block in _stored(catalogue, suspects) if _differing_run(files, [(row, block)])]


def _stored(catalogue: Catalogue, blocks: Sequence[NewBlock]) -> list[tuple[BlockRow, NewBlock]]:
    found = []
    with catalogue.read() as txn:
        for block in blocks:
            row = catalogue.block(txn, block.multihash)
            if row is not None:
                found.append((row, block))
    return found


def _differing_run(files: SegmentFiles, stored: list[tuple[BlockRow, NewBlock]]) -> list[NewBlock]:
    """Blocks of one stretch of a segment whose records there are not what they should be."""
    records = [row.head(block.multihash) + block.data for row, block in stored]
    first = stored[0][0]
    base = first.record_start(stored[0][1].multihash)
    expected = records[0] if len(records) == 1 else b"".join(records)
    try:
        there = os.pread(files.file(first.segment).fd, len(expected), base)
    except (FileNotFoundError, OSError):  # gc moved it, or it is missing or unreadable
        return [block for _, block in stored]
    if there == expected:
        return []
    if len(stored) == 1:
        return [stored[0][1]]
    return [block for each in stored for block in _differing_run(files, [each])]
