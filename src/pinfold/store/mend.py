"""Damaged blocks made whole: sound bytes are appended, and their rows point to them under the ids that pins know."""

from __future__ import annotations

import os
from array import array
from collections.abc import Sequence

from pyroaring import BitMap

from pinfold.core import multihash as mh
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, PinfoldError
from pinfold.core.multihash import Buffer
from pinfold.store.allocate import hold_segment
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.commit import BLOCK_BYTES, GC_GENERATION, advance
from pinfold.store.damage import forget_damage
from pinfold.store.layout import SEAL_BYTES, Layout
from pinfold.store.rows import BlockRow, SegmentRow, SegmentState, pack_block
from pinfold.store.segments import HeldSegment


def replace_damaged(layout: Layout, catalogue: Catalogue, blocks: Sequence[tuple[bytes, Buffer]]) -> set[bytes]:
    """Write the sound bytes of blocks, by multihash, and let their rows say where these are.

    Gives the multihashes of those that were replaced; one that is not catalogued is not.  The damaged copies become
    dead bytes, which gc removes.  At most 500 blocks at a time: one write takes no more.

    Raises:  BlockCorrupt where bytes are not what their multihash names, StoreFull; nothing has changed then.
    """
    with catalogue.read() as txn:
        rows = {multihash: catalogue.block(txn, multihash) for multihash, _ in blocks}
    parts: list[Buffer] = []
    places: list[tuple[bytes, BlockRow, int, int]] = []  # multihash, row before, payload from the start, length
    size = 0
    for multihash, data in dict(blocks).items():
        row = rows[multihash]
        if row is None:
            continue
        if not mh.matches(multihash, data):
            raise BlockCorrupt(f"the bytes given for {CID.from_bytes(row.cid(multihash))} do not match it")
        head = row._replace(length=len(data)).head(multihash)
        places.append((multihash, row, size + len(head), len(data)))
        parts += (head, data)
        size += len(head) + len(data)
    if not places:
        return set()
    held = hold_segment(layout, catalogue)
    try:
        start = _append(held, parts, size)
        with catalogue.write() as txn:
            replaced = _point_to(layout, catalogue, txn, held, start, places)
    finally:
        held.release()
    return replaced


def _append(held: HeldSegment, parts: list[Buffer], size: int) -> int:
    """Write records durably and give their start; a disk that is full leaves nothing of them."""
    start = held.end
    try:
        held.write(parts, size)
        held.sync()
    except PinfoldError:
        held.truncate(start)
        raise
    return start


def _point_to(
    layout: Layout,
    catalogue: Catalogue,
    txn: Txn,
    held: HeldSegment,
    start: int,
    places: list[tuple[bytes, BlockRow, int, int]],
) -> set[bytes]:
    replaced: set[bytes] = set()
    ids = BitMap()
    payload = catalogue.number(txn, BLOCK_BYTES)
    for multihash, before, at, length in places:
        now = catalogue.block(txn, multihash)
        if now is None or now.id != before.id:  # a gc removed it meanwhile: our copy is dead bytes
            continue
        _leave_segment(layout, catalogue, txn, multihash, now)
        _enter_segment(catalogue, txn, multihash, BlockRow(now.id, held.number, start + at, length, now.tag))
        catalogue.put_lengths(txn, now.id, array("I", [length]))
        payload += length - now.length
        replaced.add(multihash)
        ids.add(now.id)
    advance(catalogue, txn, held.number, held.end, sealed=held.end >= SEAL_BYTES)
    catalogue.put_number(txn, BLOCK_BYTES, payload)
    # A gc that has read an old row must look again.
    catalogue.put_number(txn, GC_GENERATION, catalogue.number(txn, GC_GENERATION) + 1)
    forget_damage(catalogue, txn, ids)
    return replaced


def _leave_segment(layout: Layout, catalogue: Catalogue, txn: Txn, multihash: bytes, row: BlockRow) -> None:
    """Take a block out of its segment's count; a segment whose file is gone goes with its last block."""
    segment = catalogue.segment(txn, row.segment)
    if segment is None:
        return
    size = row.length + len(row.head(multihash))
    segment = segment._replace(live=segment.live - size, blocks=segment.blocks - 1)
    if segment.blocks == 0 and not os.path.exists(layout.segment(row.segment)):
        catalogue.drop_segment(txn, row.segment)
    else:
        catalogue.put_segment(txn, row.segment, segment)


def _enter_segment(catalogue: Catalogue, txn: Txn, multihash: bytes, row: BlockRow) -> None:
    segment = catalogue.segment(txn, row.segment) or SegmentRow(0, 0, 0, SegmentState.OPEN)
    size = row.length + len(row.head(multihash))
    catalogue.put_segment(txn, row.segment, segment._replace(live=segment.live + size, blocks=segment.blocks + 1))
    txn.put(multihash, pack_block(*row), db=catalogue.blocks)
