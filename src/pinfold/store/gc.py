"""Garbage collection beside readers and writers: nothing waits for more than one short transaction.

1. Announce: from now on every pin that lands adds its blocks to the ``spared`` set.
2. Mark, in one snapshot: garbage is every id given out so far that no pin keeps.
3. Publish it as ``condemned``; from now on writers do not rely on these blocks any more.
4. Read what running sessions rely on (see ``sessions``): whoever looked before the publication is listed there.
5. Sweep the rows in short transactions, each of which leaves out what was spared meanwhile.
6. Remove segments that are dead, and rewrite those that are partly so; both only where no writer holds them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pyroaring import BitMap

from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.commit import BLOCK_BYTES, GC_CONDEMNED, GC_GENERATION, GC_SPARED, NEXT_ID
from pinfold.store.compact import compact_segments, pays
from pinfold.store.layout import SEGMENT_HEADER, Layout
from pinfold.store.locks import FileLock
from pinfold.store.pace import paced
from pinfold.store.pins import Pins
from pinfold.store.rows import pack_ids
from pinfold.store.sessions import protected_ids

if TYPE_CHECKING:
    import numpy as np

    from pinfold.store.row_chunks import Column

FREED: Final = b"freed"


class Rows(NamedTuple):
    """Some rows of the catalogue, by column; ``sizes`` are of whole records."""

    multihashes: list[bytes]
    table: np.ndarray[Any, np.dtype[np.uint32]]
    sizes: Column


class Collected(NamedTuple):
    """What was, or would be, removed."""

    blocks: int
    bytes: int
    freed_bytes: int
    segments_removed: int
    segments_rewritten: int


def collect(
    layout: Layout,
    catalogue: Catalogue,
    pins: Pins,
    *,
    only: BitMap | None = None,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Collected:
    """Remove every block that no pin keeps and no session relies on; with ``only``, of just those ids.

    A second collection waits for the first.  ``progress`` gets blocks removed so far and in all.
    """
    with FileLock(layout.locks / "gc"):
        if dry_run:
            return _forecast(layout, catalogue, pins)
        with catalogue.write() as txn:
            txn.put(GC_SPARED, pack_ids(BitMap()), db=catalogue.meta)
            limit = catalogue.number(txn, NEXT_ID)
        with catalogue.read() as txn:
            garbage = _garbage(catalogue, txn, pins, limit)
        if only is not None:
            garbage &= only
        with catalogue.write() as txn:
            garbage -= catalogue.ids(txn, GC_SPARED)
            txn.put(GC_CONDEMNED, pack_ids(garbage), db=catalogue.meta)
        garbage -= protected_ids(layout)
        removed, size = _sweep(catalogue, garbage, progress) if garbage else (0, 0)
        with catalogue.write() as txn:
            txn.delete(GC_CONDEMNED, db=catalogue.meta)
            txn.delete(GC_SPARED, db=catalogue.meta)
        done = compact_segments(layout, catalogue) if only is None else None
        if only is None:
            pins.compact()
    return Collected(
        removed,
        size,
        done.freed_bytes if done else 0,
        done.removed if done else 0,
        done.rewritten if done else 0,
    )


def _garbage(catalogue: Catalogue, txn: Txn, pins: Pins, limit: int) -> BitMap:
    garbage: BitMap = BitMap()
    garbage.add_range(0, limit)
    garbage -= catalogue.ids(txn, FREED)
    garbage -= pins.union(txn)
    return garbage


def _forecast(layout: Layout, catalogue: Catalogue, pins: Pins) -> Collected:
    import numpy as np

    from pinfold.store.row_chunks import IdSet, row_chunks

    with catalogue.read() as txn:
        garbage = IdSet(_garbage(catalogue, txn, pins, catalogue.number(txn, NEXT_ID)) - protected_ids(layout))
        rows = catalogue.all_segments(txn)
    removed = size = 0
    lost: dict[int, int] = {}
    for chunk in row_chunks(catalogue):
        gone = garbage.has(chunk.table[:, 0])
        removed += int(gone.sum())
        size += int(chunk.table[gone, 3].sum(dtype=np.int64))
        for number in np.unique(chunk.table[gone, 1]).tolist():
            there = gone & (chunk.table[:, 1] == number)
            lost[number] = lost.get(number, 0) + int(chunk.sizes()[there].sum())
    freed = removable = rewritable = 0
    for number, row in rows.items():
        left = row._replace(live=row.live - lost.get(number, 0))
        if left.live == 0 and row.end > len(SEGMENT_HEADER):
            removable += 1
            freed += row.end
        elif pays(left):
            rewritable += 1
            freed += row.end - len(SEGMENT_HEADER) - left.live
    return Collected(removed, size, freed, removable, rewritable)


def _sweep(catalogue: Catalogue, garbage: BitMap, progress: Callable[[int, int], None] | None) -> tuple[int, int]:
    from pinfold.store.row_chunks import IdSet, row_chunks  # brings numpy, which only large work pays for

    removed = size = 0
    total = len(garbage)
    wanted = IdSet(garbage)
    for chunk in row_chunks(catalogue):
        gone = wanted.has(chunk.table[:, 0])
        if not gone.any():
            continue
        keys = [key for key, dead in zip(chunk.multihashes, gone.tolist(), strict=True) if dead]
        rows = Rows(keys, chunk.table[gone], chunk.sizes()[gone])
        generation = chunk.generation
        for some in paced(len(keys)):
            part = Rows(keys[some], rows.table[some], rows.sizes[some])
            with catalogue.write() as txn:
                count, length = _delete(catalogue, txn, part, generation)
                generation += 1 if count else 0
            removed += count
            size += length
            if progress is not None:
                progress(removed, total)
    return removed, size


def _delete(catalogue: Catalogue, txn: Txn, rows: Rows, generation: int) -> tuple[int, int]:
    """Remove rows that still say what they said when they were read, and are not spared; rows and bytes removed."""
    import numpy as np

    if catalogue.number(txn, GC_GENERATION) != generation or len(catalogue.ids(txn, GC_SPARED)):
        rows = _unchanged(catalogue, txn, rows)
    if not rows.multihashes:
        return 0, 0
    for key in rows.multihashes:
        txn.delete(key, db=catalogue.blocks)
    numbers = rows.table[:, 1]
    for number in np.unique(numbers).tolist():
        there = numbers == number
        found = catalogue.segment(txn, number)
        if found is not None:
            live, blocks = found.live - int(rows.sizes[there].sum()), found.blocks - int(there.sum())
            catalogue.put_segment(txn, number, found._replace(live=live, blocks=blocks))
    gone = BitMap(rows.table[:, 0].tolist())
    payload = int(rows.table[:, 3].sum(dtype=np.int64))
    txn.put(FREED, pack_ids(catalogue.ids(txn, FREED) | gone), db=catalogue.meta)
    catalogue.put_number(txn, BLOCK_BYTES, catalogue.number(txn, BLOCK_BYTES) - payload)
    catalogue.put_number(txn, GC_GENERATION, catalogue.number(txn, GC_GENERATION) + 1)
    return len(gone), payload


def _unchanged(catalogue: Catalogue, txn: Txn, rows: Rows) -> Rows:
    """The rows that are as they were read and are not spared, looked at one by one."""
    spared = catalogue.ids(txn, GC_SPARED)
    kept = [
        index
        for index, (key, line) in enumerate(zip(rows.multihashes, rows.table, strict=True))
        if int(line[0]) not in spared and txn.get(key, db=catalogue.blocks) == line.tobytes()
    ]
    return Rows([rows.multihashes[index] for index in kept], rows.table[kept], rows.sizes[kept])
