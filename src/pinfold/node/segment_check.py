"""Segments and counters: what the catalogue says of them, beside what its rows add up to and what the files are."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pinfold.node.model import Problem, ProblemKind
from pinfold.node.snapshot import Snapshot
from pinfold.store import Store, segments
from pinfold.store.allocate import settle_tail
from pinfold.store.layout import SEGMENT_HEADER
from pinfold.store.rows import SegmentRow, SegmentState

_V0: Final = 1 << 31  # in a tag: stored under a CIDv0, which is the multihash alone
_VARINT_STEPS: Final = (0x80, 0x4000, 0x200000)


def check_totals(snapshot: Snapshot) -> list[Problem]:
    """Counters that differ from what the rows of one and the same snapshot add up to."""
    problems: list[Problem] = []
    rows = snapshot.table.rows
    if len(snapshot.ids) != len(rows):
        problems.append(_bad_catalogue(f"{len(rows) - len(snapshot.ids)} blocks have the id of another block"))
    if snapshot.block_bytes != snapshot.total_bytes:
        problems.append(
            _bad_catalogue(f"it counts {snapshot.block_bytes} bytes of blocks, and its rows {snapshot.total_bytes}")
        )
    sizes = _record_sizes(snapshot)
    numbers, starts = np.unique(rows["segment"], return_index=True)  # rows come in the order of segments
    bounds = [*starts.tolist(), len(rows)]
    counted = dict(zip(numbers.tolist(), pairwise(bounds), strict=True))
    for number in sorted(counted.keys() | snapshot.segments.keys()):
        start, stop = counted.get(number, (0, 0))
        live = int(sizes[start:stop].sum(dtype=np.uint64))
        row = snapshot.segments.get(number)
        if row is None:
            problems.append(_bad_catalogue(f"it has {stop - start} blocks in segment {number:08d} and no row of that"))
            continue
        if (row.blocks, row.live) != (stop - start, live):
            problems.append(
                _bad_catalogue(
                    f"it counts {row.blocks} blocks ({row.live} bytes) in segment {number:08d}, "
                    f"and its rows {stop - start} ({live} bytes)"
                )
            )
        if stop > start and int(rows["offset"][stop - 1]) + int(rows["length"][stop - 1]) > row.end:
            problems.append(_bad_catalogue(f"it has a block behind byte {row.end}, the end of segment {number:08d}"))
    return problems


def _record_sizes(snapshot: Snapshot) -> NDArray[Any]:
    """Bytes of each record, prefix included: ``rows.prefix_length`` for all rows at once."""
    rows = snapshot.table.rows
    tags, lengths = rows["tag"], rows["length"].astype(np.uint64)
    hashes = np.fromiter(map(len, snapshot.table.multihashes), dtype=np.uint64, count=len(rows))
    codec_bytes = 1 + (tags >= 0x80).astype(np.uint64) + (tags >= 0x4000)
    cids = np.where(tags >= _V0, hashes, 1 + codec_bytes + hashes)
    totals = cids + lengths
    sizes: NDArray[Any] = totals + 1
    for step in _VARINT_STEPS:
        sizes += totals >= step
    return sizes


def check_segments(store: Store, snapshot: Snapshot) -> list[Problem]:
    """Segments that are missing, too short, without their header, or have bytes behind their last record."""
    numbers = sorted(snapshot.segments.keys() | set(store.layout.segment_numbers()))
    return [problem for number in numbers if (problem := _check_segment(store, number)) is not None]


def _check_segment(store: Store, number: int) -> Problem | None:
    """What is wrong with one segment now, whatever it was in the snapshot."""
    name = f"segment {number:08d}.car"
    row = _row_now(store, number)
    try:
        with open(store.layout.segment(number), "rb") as stream:
            header, size = stream.read(len(SEGMENT_HEADER)), os.fstat(stream.fileno()).st_size
    except FileNotFoundError:
        # A writer's new one that was taken back, or one that gc removed just now: its row goes before its file.
        row = _row_now(store, number)
        return _bad_segment(f"{name} is missing; it had {row.blocks} blocks") if row and row.end else None
    except OSError as exc:
        return _bad_segment(f"{name} cannot be read: {exc.strerror}")
    if row is not None and size < row.end:
        return _bad_segment(f"{name} has {size} bytes; the catalogue knows {row.end}")
    if header != SEGMENT_HEADER and (row is not None or not SEGMENT_HEADER.startswith(header)):
        return _bad_segment(f"{name} does not begin with the header of a CAR; its blocks are not affected")
    if size > max(row.end if row else 0, len(SEGMENT_HEADER)):
        return _check_tail(store, number, name)
    return None


def _check_tail(store: Store, number: int, name: str) -> Problem | None:
    """Bytes behind the known end: those of a writer that runs now, of one that died, or of nobody."""
    held = segments.try_hold(store.layout, number)
    if held is None:
        return None
    try:
        row = _row_now(store, number)
        if row is None or row.state is not SegmentState.SEALED:
            settle_tail(store.catalogue, held)
            row = _row_now(store, number)
        end = max(row.end if row else 0, len(SEGMENT_HEADER))
        return _bad_segment(f"{name} has {held.end - end} bytes behind its last record") if held.end > end else None
    finally:
        held.release()


def _row_now(store: Store, number: int) -> SegmentRow | None:
    with store.catalogue.read() as txn:
        return store.catalogue.segment(txn, number)


def _bad_catalogue(what: str) -> Problem:
    return Problem(ProblemKind.BAD_CATALOGUE, f"the catalogue contradicts itself: {what}; `repo rebuild` makes it anew")


def _bad_segment(message: str) -> Problem:
    return Problem(ProblemKind.BAD_SEGMENT, message)
