"""A damaged block made whole: sound bytes are appended, and its row points to them under the id that pins know."""

from __future__ import annotations

import os
from array import array

from pinfold.core import multihash as mh
from pinfold.core import varint
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, PinfoldError
from pinfold.store.allocate import hold_segment
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.commit import BLOCK_BYTES, GC_GENERATION, advance
from pinfold.store.layout import SEAL_BYTES, Layout
from pinfold.store.rows import BlockRow, SegmentRow, SegmentState, pack_block, prefix_length
from pinfold.store.segments import HeldSegment


def replace_corrupt(layout: Layout, catalogue: Catalogue, multihash: bytes, data: bytes) -> bool:
    """Write the sound bytes of a block and let its row say where they are; False when the block is not catalogued.

    The damaged copy becomes dead bytes, which gc removes.

    Raises:  BlockCorrupt when ``data`` is not what the multihash names, StoreFull.
    """
    with catalogue.read() as txn:
        row = catalogue.block(txn, multihash)
    if row is None:
        return False
    cid = row.cid(multihash)
    if not mh.matches(multihash, data):
        raise BlockCorrupt(f"the bytes given for {CID.from_bytes(cid)} do not match it")
    prefix = varint.encode(len(cid) + len(data)) + cid
    held = hold_segment(layout, catalogue)
    try:
        start = _append(held, [prefix, data])
        with catalogue.write() as txn:
            now = catalogue.block(txn, multihash)
            if now is None or now.id != row.id:  # a gc removed it meanwhile; the next writer settles our copy
                return False
            _leave_segment(layout, catalogue, txn, multihash, now)
            new = BlockRow(now.id, held.number, start + len(prefix), len(data), now.tag)
            _enter_segment(catalogue, txn, multihash, new)
            advance(catalogue, txn, held.number, held.end, sealed=held.end >= SEAL_BYTES)
            catalogue.put_lengths(txn, now.id, array("I", [len(data)]))
            payload = catalogue.number(txn, BLOCK_BYTES) - now.length + len(data)
            catalogue.put_number(txn, BLOCK_BYTES, payload)
            # A gc that has read the old row must look again.
            catalogue.put_number(txn, GC_GENERATION, catalogue.number(txn, GC_GENERATION) + 1)
    finally:
        held.release()
    return True


def _append(held: HeldSegment, parts: list[bytes | memoryview]) -> int:
    """Write a record durably and give its start; a disk that is full leaves nothing of it."""
    start = held.end
    try:
        held.write(parts, sum(map(len, parts)))
        held.sync()
    except PinfoldError:
        held.truncate(start)
        raise
    return start


def _leave_segment(layout: Layout, catalogue: Catalogue, txn: Txn, multihash: bytes, row: BlockRow) -> None:
    """Take a block out of its segment's count; a segment whose file is gone goes with its last block."""
    segment = catalogue.segment(txn, row.segment)
    if segment is None:
        return
    size = row.length + prefix_length(row.tag, len(multihash), row.length)
    segment = segment._replace(live=segment.live - size, blocks=segment.blocks - 1)
    if segment.blocks == 0 and not os.path.exists(layout.segment(row.segment)):
        catalogue.drop_segment(txn, row.segment)
    else:
        catalogue.put_segment(txn, row.segment, segment)


def _enter_segment(catalogue: Catalogue, txn: Txn, multihash: bytes, row: BlockRow) -> None:
    segment = catalogue.segment(txn, row.segment) or SegmentRow(0, 0, 0, SegmentState.OPEN)
    size = row.length + prefix_length(row.tag, len(multihash), row.length)
    catalogue.put_segment(txn, row.segment, segment._replace(live=segment.live + size, blocks=segment.blocks + 1))
    txn.put(multihash, pack_block(*row), db=catalogue.blocks)
