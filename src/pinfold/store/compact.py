"""Space back from segments: dead ones are removed, partly dead ones rewritten, none while a writer holds it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pinfold.core.errors import PinfoldError, StoreCorrupt, StoreFull
from pinfold.store import segments
from pinfold.store.allocate import hold_segment, new_segment, settle_tail
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.commit import GC_GENERATION, advance
from pinfold.store.layout import SEAL_BYTES, SEGMENT_HEADER, Layout
from pinfold.store.pace import paced
from pinfold.store.rows import BLOCK_ROW_BYTES, SegmentRow, SegmentState
from pinfold.store.segments import HeldSegment

if TYPE_CHECKING:
    import numpy as np

    from pinfold.store.row_chunks import Column

_DEAD_SHARE: Final = 8  # rewritten when an eighth is dead: reading and writing 7/8 GiB is a second's work
_COPY_BYTES_PER_SECOND: Final = 1 << 30  # leaves a disk room for those who wait for it
_PIECE_BYTES: Final = 1 << 20  # a quarter of the reserve, which may be all the room there is
_WINDOW_BYTES: Final = 4 << 20
_GROUP_ROWS: Final = 2_000_000  # rows in memory at once: about 300 MB


class Compacted(NamedTuple):
    """What became of the segments."""

    freed_bytes: int
    removed: int
    rewritten: int


def compact_segments(layout: Layout, catalogue: Catalogue) -> Compacted:
    """Remove and rewrite segments as far as it pays.  Called with gc's lock held."""
    with catalogue.read() as txn:
        rows = catalogue.all_segments(txn)
    held: dict[int, HeldSegment] = {}
    freed = removed = 0
    try:
        for number, row in rows.items():
            if not pays(row):
                continue
            segment = segments.try_hold(layout, number)
            if segment is None:
                continue
            held[number] = segment
            if row.state is SegmentState.OPEN and not settle_tail(catalogue, segment):
                held.pop(number).release()
        for number, segment in list(held.items()):
            if _remove_if_dead(layout, catalogue, segment):
                freed += segment.end
                removed += 1
                held.pop(number).release()
        rewritten = len(held)
        if held:
            freed += _rewrite(layout, catalogue, held)
    finally:
        for segment in held.values():
            segment.release()
    return Compacted(freed, removed, rewritten)


def pays(row: SegmentRow) -> bool:
    """Whether enough of a segment is dead."""
    dead = row.end - len(SEGMENT_HEADER) - row.live
    return dead > 0 and dead * _DEAD_SHARE >= row.end


def _remove_if_dead(layout: Layout, catalogue: Catalogue, segment: HeldSegment) -> bool:
    with catalogue.write() as txn:
        row = catalogue.segment(txn, segment.number)
        if row is None or row.blocks:
            return False
        catalogue.drop_segment(txn, segment.number)
    os.unlink(layout.segment(segment.number))
    return True


def _rewrite(layout: Layout, catalogue: Catalogue, sources: dict[int, HeldSegment]) -> int:
    """Copy what lives in ``sources`` elsewhere and remove them; the bytes that gave back.

    The catalogue is read once for as many segments as fit into memory together.
    """
    freed = 0
    with catalogue.read() as txn:
        counts = {number: row.blocks for number, row in catalogue.all_segments(txn).items() if number in sources}
    target: HeldSegment | None = None
    try:
        while counts:
            group: list[int] = []
            while counts and (not group or sum(counts.get(number, 0) for number in group) < _GROUP_ROWS):
                group.append(next(iter(counts)))
                counts.pop(group[-1])
            living = _living_rows(catalogue, group)
            for number in group:
                source = sources[number]
                if target is None:
                    target = hold_segment(layout, catalogue, exclude=frozenset(sources))
                elif target.end >= SEAL_BYTES:
                    target.release()
                    target = new_segment(layout, catalogue)
                base, size = target.end, source.end
                rows = living.pop(number)
                if len(rows.starts) and rows.starts[-1] + rows.sizes[-1] > size:
                    continue  # the file is shorter than its rows say: they stay where they are, and verify tells
                try:
                    _move(catalogue, source, target, rows)
                except StoreFull:
                    _move_by_and_by(catalogue, source, target, rows)
                if _remove_if_dead(layout, catalogue, source):
                    freed += size - (target.end - base)
    finally:
        if target is not None:
            target.release()
    return freed


def _move(catalogue: Catalogue, source: HeldSegment, target: HeldSegment, rows: _Living) -> None:
    """Copy records and let their rows follow.  Raises: StoreFull, and nothing has moved."""
    base = target.end
    try:
        starts = _copy(source, target, rows)
        target.sync()
    except PinfoldError:
        target.truncate(base)
        raise
    _point_to(catalogue, source.number, target, rows, starts)


def _move_by_and_by(catalogue: Catalogue, source: HeldSegment, target: HeldSegment, rows: _Living) -> None:
    """The same where the disk has no room for a whole copy: from the end, cutting the source off as it empties.

    Raises:  StoreFull; what has moved until then stays moved.
    """
    stop = len(rows.starts)
    while stop:
        begin = stop - 1
        while begin and int(rows.starts[stop - 1] - rows.starts[begin - 1]) <= _PIECE_BYTES:
            begin -= 1
        _move(catalogue, source, target, rows.part(begin, stop))
        with catalogue.write() as txn:
            row = catalogue.segment(txn, source.number)
            if row is not None:
                end = int(rows.starts[begin])
                catalogue.put_segment(txn, source.number, row._replace(end=end, state=SegmentState.OPEN))
        source.truncate(int(rows.starts[begin]))
        stop = begin


class _Living(NamedTuple):
    """What lives in one segment, in the order of the file; ``generation`` as of the first row that was read."""

    generation: int
    multihashes: list[bytes]
    table: np.ndarray[Any, np.dtype[np.uint32]]
    sizes: Column
    starts: Column

    def part(self, begin: int, stop: int) -> _Living:
        """Some of them."""
        some = slice(begin, stop)
        return _Living(self.generation, self.multihashes[some], self.table[some], self.sizes[some], self.starts[some])


def _living_rows(catalogue: Catalogue, numbers: list[int]) -> dict[int, _Living]:
    import numpy as np

    from pinfold.store.row_chunks import row_chunks

    parts: dict[int, list[tuple[list[bytes], Any, Any, Any]]] = {number: [] for number in numbers}
    generation: int | None = None
    for chunk in row_chunks(catalogue):
        generation = chunk.generation if generation is None else generation
        inside = np.isin(chunk.table[:, 1], numbers)
        if not inside.any():
            continue
        prefixes = chunk.prefixes()
        for number in np.unique(chunk.table[inside, 1]).tolist():
            here = np.flatnonzero(chunk.table[:, 1] == number)
            table = chunk.table[here]
            keys = [chunk.multihashes[index] for index in here.tolist()]
            starts = table[:, 2].astype(np.int64) - prefixes[here]
            parts[number].append((keys, table, prefixes[here] + table[:, 3], starts))
    living = {}
    for number, found in parts.items():
        keys = [key for part in found for key in part[0]]
        table = np.concatenate([part[1] for part in found]) if found else np.zeros((0, 5), dtype=np.uint32)
        sizes = np.concatenate([part[2] for part in found]) if found else np.zeros(0, dtype=np.int64)
        starts = np.concatenate([part[3] for part in found]) if found else np.zeros(0, dtype=np.int64)
        order = np.argsort(starts, kind="stable")
        keys = [keys[index] for index in order.tolist()]
        living[number] = _Living(generation or 0, keys, table[order], sizes[order], starts[order])
    return living


def _copy(source: HeldSegment, target: HeldSegment, rows: _Living) -> Column:
    """Append records to ``target`` in their order, neighbours together; where each begins there."""
    import numpy as np

    if not len(rows.starts):
        return rows.starts
    stops = rows.starts + rows.sizes
    first = np.concatenate(([True], rows.starts[1:] != stops[:-1]))  # the first record of each run
    run_starts = rows.starts[first]
    run_stops = stops[np.concatenate((np.flatnonzero(first)[1:] - 1, [len(stops) - 1]))]
    begin = target.end
    begun, copied = time.monotonic(), 0
    for parts, size in _windows(source, run_starts.tolist(), run_stops.tolist()):
        target.write(parts, size)
        copied += size
        ahead = copied / _COPY_BYTES_PER_SECOND - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)
    return begin + np.cumsum(rows.sizes) - rows.sizes


def _windows(
    source: HeldSegment, starts: list[int], stops: list[int]
) -> Iterator[tuple[list[bytes | memoryview], int]]:
    """The bytes of many ranges in pieces that one write takes.  Raises: StoreCorrupt where the file is shorter."""
    parts: list[bytes | memoryview] = []
    size = window = 0
    data = memoryview(b"")
    for start, stop in zip(starts, stops, strict=True):
        at = start
        while at < stop:
            if not window <= at < window + len(data):
                if parts:
                    yield parts, size
                    parts, size = [], 0
                window, data = at, memoryview(os.pread(source.fd, _WINDOW_BYTES, at))
                if not data:
                    raise StoreCorrupt(f"segment {source.number:08d}.car ends at byte {at}, inside a block")
            piece = data[at - window : min(stop - window, len(data))]
            parts.append(piece)
            size += len(piece)
            at += len(piece)
            if len(parts) == 1000:  # IOV_MAX is 1024
                yield parts, size
                parts, size = [], 0
    if parts:
        yield parts, size


def _point_to(catalogue: Catalogue, source: int, target: HeldSegment, rows: _Living, starts: Column) -> None:
    """Let the rows say where their blocks are now."""
    moved = rows.table.copy()
    moved[:, 1] = target.number
    moved[:, 2] = rows.table[:, 2] + (starts - rows.starts)
    old, new, sizes = rows.table.tobytes(), moved.tobytes(), rows.sizes.tolist()
    keys, width = rows.multihashes, BLOCK_ROW_BYTES
    order = sorted(range(len(keys)), key=keys.__getitem__)
    for part in paced(max(len(order), 1)):
        some = order[part]
        with catalogue.write() as txn:
            if catalogue.number(txn, GC_GENERATION) != rows.generation:
                # Rows that were removed meanwhile stay removed: their copies are dead bytes.
                get, db = txn.get, catalogue.blocks
                some = [index for index in some if get(keys[index], db=db) == old[width * index : width * (index + 1)]]
            items = [(keys[index], new[width * index : width * (index + 1)]) for index in some]
            txn.cursor(catalogue.blocks).putmulti(items, overwrite=True)
            size = sum([sizes[index] for index in some])
            _transfer(catalogue, txn, source, target.number, size, len(some))
            if part.stop >= len(order):
                advance(catalogue, txn, target.number, target.end, sealed=target.end >= SEAL_BYTES)


def _transfer(catalogue: Catalogue, txn: Txn, source: int, target: int, size: int, count: int) -> None:
    for number, sign in ((source, -1), (target, 1)):
        row = catalogue.segment(txn, number) or SegmentRow(0, 0, 0, SegmentState.OPEN)
        catalogue.put_segment(txn, number, row._replace(live=row.live + sign * size, blocks=row.blocks + sign * count))
