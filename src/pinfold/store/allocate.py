"""Which segment a writer appends to: one that nobody holds, with its unfinished tail settled, or a new one."""

from __future__ import annotations

import os
from array import array

from pinfold.store import segments
from pinfold.store.catalogue import Catalogue
from pinfold.store.commit import BATCH_ROWS, PendingBlocks, advance, insert, reserve_ids
from pinfold.store.layout import SEAL_BYTES, SEGMENT_HEADER, Layout
from pinfold.store.rows import SegmentRow, SegmentState
from pinfold.store.segments import HeldSegment

_NEXT_SEGMENT = b"next_segment"


def hold_segment(layout: Layout, catalogue: Catalogue, *, exclude: frozenset[int] = frozenset()) -> HeldSegment:
    """A segment to append to, held by this process alone.  Raises: StoreFull."""
    with catalogue.read() as txn:
        rows = catalogue.all_segments(txn)
    for number in layout.segment_numbers():
        row = rows.get(number)
        if number in exclude or (row is not None and row.state is SegmentState.SEALED):
            continue
        held = segments.try_hold(layout, number)
        if held is not None:
            if settle_tail(catalogue, held) and held.end < SEAL_BYTES:
                return held
            held.release()
    return new_segment(layout, catalogue)


def new_segment(layout: Layout, catalogue: Catalogue) -> HeldSegment:
    """A new segment, held.  Its number was never used before: a late reader must not find other content under it."""
    while True:
        with catalogue.write() as txn:
            numbers = layout.segment_numbers()
            number = max(catalogue.number(txn, _NEXT_SEGMENT), numbers[-1] + 1 if numbers else 1)
            catalogue.put_number(txn, _NEXT_SEGMENT, number + 1)
        held = segments.create(layout, number)
        if held is not None:
            return held


def settle_tail(catalogue: Catalogue, held: HeldSegment) -> bool:
    """Catalogue the whole records that a killed writer left behind the known end, and cut off a torn one.

    False when the segment cannot be appended to: sealed meanwhile, or shorter than the catalogue says.
    """
    with catalogue.read() as txn:
        row = catalogue.segment(txn, held.number) or SegmentRow(0, 0, 0, SegmentState.OPEN)
    if row.state is SegmentState.SEALED or held.end < row.end:
        return False
    if row.end == 0:  # nothing of it is known, so that not even its header need be there
        mend_header(held)
    start = max(row.end, len(SEGMENT_HEADER))
    if held.end == start:
        return True
    blocks, end = PendingBlocks(), start
    for record in segments.scan(held.fd, start, held.end, verify=True):
        if not record.sound:
            break
        blocks.append(
            record.multihash, held.number, record.offset, record.length, record.stop - record.start, record.tag
        )
        end = record.stop
    held.truncate(end)
    held.sync()
    adopt(catalogue, blocks, held.number, end)
    return True


def mend_header(held: HeldSegment) -> None:
    """Write the header once more where a kill or a power cut left none, or a part of it."""
    if os.pread(held.fd, len(SEGMENT_HEADER), 0) != SEGMENT_HEADER:
        held.write_at([SEGMENT_HEADER], 0, len(SEGMENT_HEADER))
        held.end = max(held.end, len(SEGMENT_HEADER))
        held.sync()


def adopt(catalogue: Catalogue, blocks: PendingBlocks, segment: int, end: int) -> None:
    """Catalogue blocks that lie in a segment already, as unpinned ones."""
    order = blocks.order()
    ids = array("I")
    for start in range(0, len(order), BATCH_ROWS):
        with catalogue.write() as txn:
            if start == 0:
                ids = reserve_ids(catalogue, txn, blocks)
            insert(catalogue, txn, blocks, order[start : start + BATCH_ROWS], ids)
    with catalogue.write() as txn:
        advance(catalogue, txn, segment, end, sealed=end >= SEAL_BYTES)
