"""Blocks that lie in segments become known: the one place where rows of blocks are written.

The blocks of one commit are kept as columns, not as objects: an import brings half a million of them, and what is done
per block in Python is what it waits for.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from pyroaring import BitMap

from pinfold.core.errors import StoreError
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.rows import BLOCK_ROW_BYTES, MAX_BLOCK_ID, SegmentRow, SegmentState, pack_ids, unpack_block

BATCH_ROWS: Final = 16_384
"""Rows a transaction: about 30 ms with its sync, so that others who wait for the lock hardly notice."""

GC_CONDEMNED: Final = b"condemned"
GC_SPARED: Final = b"spared"
GC_GENERATION: Final = b"gc_generation"
REMOVING: Final = b"removing"
"""Ids that are being removed one by one; like those that gc condemns, writers do not rely on them."""
NEXT_ID: Final = b"next_id"
BLOCK_BYTES: Final = b"block_bytes"

_NUMPY_ROWS: Final = 65_536  # from here on sorting by numpy pays for loading it


class PendingBlocks:
    """Blocks that lie in segments and are not catalogued yet, column by column.

    Units:  ``offsets`` and ``lengths`` are of payloads; ``sizes`` are of whole records.
    """

    __slots__ = ("lengths", "multihashes", "offsets", "segments", "sizes", "tags")

    def __init__(self) -> None:
        self.multihashes: list[bytes] = []
        self.segments = array("I")
        self.offsets = array("I")
        self.lengths = array("I")
        self.sizes = array("I")
        self.tags = array("I")

    def __len__(self) -> int:
        return len(self.multihashes)

    def append(self, multihash: bytes, segment: int, offset: int, length: int, size: int, tag: int) -> None:
        """One more block."""
        self.multihashes.append(multihash)
        self.segments.append(segment)
        self.offsets.append(offset)
        self.lengths.append(length)
        self.sizes.append(size)
        self.tags.append(tag)

    def order(self) -> list[int]:
        """Indices by multihash: the order in which LMDB's pages are filled with the fewest touched."""
        keys = self.multihashes
        if len(keys) < _NUMPY_ROWS:
            return sorted(range(len(keys)), key=keys.__getitem__)
        import numpy as np

        heads = b"".join([key[2:10].ljust(8, b"\0") for key in keys])  # the digest's first bytes tell nearly all apart
        order: list[int] = np.argsort(np.frombuffer(heads, dtype=">u8"), kind="stable").tolist()
        return order


def reserve_ids(catalogue: Catalogue, txn: Txn, blocks: PendingBlocks) -> array[int]:
    """As many fresh ids as there are blocks, in a row, with the blocks' lengths remembered."""
    first = catalogue.number(txn, NEXT_ID)
    if first + len(blocks) > MAX_BLOCK_ID:
        raise StoreError("all 4,294,967,295 block ids are used up", hint="`pinfold repo rebuild` numbers them anew.")
    catalogue.put_number(txn, NEXT_ID, first + len(blocks))
    catalogue.put_lengths(txn, first, blocks.lengths)
    return array("I", range(first, first + len(blocks)))


def insert(catalogue: Catalogue, txn: Txn, blocks: PendingBlocks, order: Sequence[int], ids: array[int]) -> BitMap:
    """Write the rows of the blocks at the indices ``order`` (ascending multihashes), with ``ids`` as their ids.

    Where somebody else was first, theirs stays: ``ids[i]`` becomes their id, spared from a running gc, and our copy is
    dead bytes in its segment.  Gives those ids.
    """
    if not order:
        return BitMap()
    pick = itemgetter(*order) if len(order) > 1 else lambda column: (column[order[0]],)
    keys = pick(blocks.multihashes)
    segments, sizes, lengths = pick(blocks.segments), pick(blocks.sizes), pick(blocks.lengths)
    table = array("I", bytes(BLOCK_ROW_BYTES * len(order)))
    for column, values in enumerate((pick(ids), segments, pick(blocks.offsets), lengths, pick(blocks.tags))):
        table[column::5] = array("I", values)
    packed, width = table.tobytes(), BLOCK_ROW_BYTES
    rows = [packed[at : at + width] for at in range(0, len(packed), width)]
    _, added = txn.cursor(catalogue.blocks).putmulti(list(zip(keys, rows, strict=True)), overwrite=False)
    gained: dict[int, list[int]] = {}
    if added == len(order) and segments.count(segments[0]) == len(segments):
        gained[segments[0]] = [sum(sizes), len(sizes), sum(lengths)]
        theirs: BitMap = BitMap()
    else:
        lost, theirs = (
            _settle_conflicts(catalogue, txn, blocks, order, ids) if added < len(order) else (set(), BitMap())
        )
        for index, segment, size, length in zip(order, segments, sizes, lengths, strict=True):
            if index not in lost:
                totals = gained.setdefault(segment, [0, 0, 0])
                totals[0] += size
                totals[1] += 1
                totals[2] += length
    payload = 0
    for segment, (live, count, length) in gained.items():
        old = catalogue.segment(txn, segment) or SegmentRow(0, 0, 0, SegmentState.OPEN)
        catalogue.put_segment(txn, segment, old._replace(live=old.live + live, blocks=old.blocks + count))
        payload += length
    catalogue.put_number(txn, BLOCK_BYTES, catalogue.number(txn, BLOCK_BYTES) + payload)
    return theirs


def _settle_conflicts(
    catalogue: Catalogue, txn: Txn, blocks: PendingBlocks, order: Sequence[int], ids: array[int]
) -> tuple[set[int], BitMap]:
    lost = set()
    theirs: BitMap = BitMap()
    for index in order:
        block_id = unpack_block(txn.get(blocks.multihashes[index], db=catalogue.blocks))[0]
        if block_id != ids[index]:
            lost.add(index)
            ids[index] = block_id
            theirs.add(block_id)
    spare(catalogue, txn, theirs)
    return lost, theirs


def spare(catalogue: Catalogue, txn: Txn, ids: BitMap) -> None:
    """Keep ids from a gc that is running: what lands meanwhile wins."""
    if ids and txn.get(GC_SPARED, db=catalogue.meta) is not None:
        txn.put(GC_SPARED, pack_ids(catalogue.ids(txn, GC_SPARED) | ids), db=catalogue.meta)


def advance(catalogue: Catalogue, txn: Txn, segment: int, end: int, *, sealed: bool) -> None:
    """Say that a segment is catalogued up to ``end``."""
    old = catalogue.segment(txn, segment) or SegmentRow(0, 0, 0, SegmentState.OPEN)
    state = SegmentState.SEALED if sealed else old.state
    catalogue.put_segment(txn, segment, old._replace(end=max(end, old.end), state=state))
