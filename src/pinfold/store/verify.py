"""Everything re-hashed: what the catalogue says is compared with what the segments hold."""

from __future__ import annotations

import gc
import os
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pyroaring import BitMap

from pinfold.core import multihash as mh
from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.damage import note_checked
from pinfold.store.layout import Layout
from pinfold.store.rows import cid_of, prefix_length

_WINDOW_BYTES: Final = 8 << 20
_SLICE_ROWS: Final = 50_000
_FORK_ROWS: Final = 100_000  # below that, starting processes costs more than they give
_ROW: Final = np.dtype([(name, "<u4") for name in ("id", "segment", "offset", "length", "tag")])  # as in ``rows``
_LARGE_BYTES: Final = 16 << 10  # from here on hashlib lets go of the interpreter for long enough that threads help

Rows: TypeAlias = NDArray[Any]
_Row: TypeAlias = tuple[int, int, int, int, int, bytes]  # segment, offset, length, id, tag, multihash


class BadBlock(NamedTuple):
    """A block whose bytes are not what they should be."""

    id: int
    cid: bytes
    message: str


class Checked(NamedTuple):
    """What a check of blocks found."""

    blocks: int
    bytes: int
    ids: BitMap
    bad: list[BadBlock]


class BlockTable(NamedTuple):
    """Rows of blocks as columns, in the order of the disk; half a million are read in a third of a second."""

    rows: Rows
    """id, segment, offset, length and tag of each block."""
    multihashes: list[bytes]

    def part(self, start: int, stop: int) -> list[_Row]:
        """Some of the rows, one by one."""
        some = self.rows[start:stop]
        columns = (some[name].tolist() for name in ("segment", "offset", "length", "id", "tag"))
        return list(zip(*columns, self.multihashes[start:stop], strict=True))


def read_table(catalogue: Catalogue, txn: Txn, *, only: BitMap | None = None) -> BlockTable:
    """Every block of a snapshot, or those in ``only``."""
    keys: list[bytes] = []
    values: list[bytes] = []
    for key, value in txn.cursor(catalogue.blocks):
        keys.append(key)
        values.append(value)
    return table_of(keys, values, only=only)


def table_of(multihashes: list[bytes], values: list[bytes], *, only: BitMap | None = None) -> BlockTable:
    """Packed rows and their keys as a table."""
    rows = np.frombuffer(b"".join(values), dtype=_ROW)
    order = np.lexsort((rows["offset"], rows["segment"]))
    if only is not None:
        order = order[np.isin(rows["id"][order], np.array(only, dtype=np.uint32))]
    return BlockTable(rows[order], [multihashes[index] for index in order.tolist()])


def check_blocks(
    layout: Layout,
    catalogue: Catalogue,
    *,
    only: BitMap | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Checked:
    """Hash every catalogued block (or those in ``only``) where it lies.

    Blocks are taken in the order of the disk.  ``progress`` gets blocks done and in all.
    """
    with catalogue.read() as txn:
        table = read_table(catalogue, txn, only=only)
    bad = check_table(layout, catalogue, table, progress=progress)
    rows = table.rows
    return Checked(len(rows), int(rows["length"].sum(dtype=np.uint64)), BitMap(rows["id"]), bad)


def check_table(
    layout: Layout,
    catalogue: Catalogue,
    table: BlockTable,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> list[BadBlock]:
    """Hash the blocks of a table where they lie; those that a gc moved or removed meanwhile are not bad."""
    count = len(table.multihashes)
    total = int(table.rows["length"].sum(dtype=np.uint64))
    bounds = [(at, min(at + _SLICE_ROWS, count)) for at in range(0, count, _SLICE_ROWS)]
    bad: list[BadBlock] = []
    for (_, stop), found in zip(bounds, _check_slices(layout, table, bounds, total), strict=True):
        bad.extend(found)
        if progress is not None:
            progress(stop, count)
    bad = _still_bad(layout, catalogue, bad)
    damaged = BitMap([block.id for block in bad])
    note_checked(catalogue, BitMap(table.rows["id"]) - damaged, damaged)
    return bad


def _check_slices(
    layout: Layout, table: BlockTable, bounds: list[tuple[int, int]], total: int
) -> Iterator[list[BadBlock]]:
    rows = len(table.multihashes)
    workers = min(os.cpu_count() or 1, 8)
    if workers > 1 and rows >= _FORK_ROWS and total < rows * _LARGE_BYTES and _may_fork():
        yield from _in_children(layout, table, bounds, workers)
    elif workers > 1 and total >= rows * _LARGE_BYTES and rows > 1:
        # Finer slices, so that each thread has its share and memory stays at a window each.
        with ThreadPoolExecutor(workers, "pinfold-verify") as pool:
            for start, stop in bounds:
                part = table.part(start, stop)
                step = max(1, len(part) // (workers * 4))
                fine = [part[at : at + step] for at in range(0, len(part), step)]
                yield [bad for found in pool.map(lambda some: _check_slice(layout, some), fine) for bad in found]
    else:
        for start, stop in bounds:
            yield _check_slice(layout, table.part(start, stop))


def _may_fork() -> bool:
    """Whether a child can go on with our memory: not with other threads about, whose locks it would inherit."""
    return sys.platform == "linux" and threading.active_count() == 1


def _in_children(
    layout: Layout, table: BlockTable, bounds: list[tuple[int, int]], workers: int
) -> Iterator[list[BadBlock]]:
    """The same work in forked children, which only read segments and hash: they never touch the catalogue."""
    children = []
    for number in range(workers):
        read_end, write_end = os.pipe()
        with warnings.catch_warnings():
            # Python 3.12 warns of threads; those are numpy's, which the child never calls for.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.close(read_end)
                _run_child(layout, table, bounds[number::workers], write_end)
                status = 0
            finally:
                os._exit(status)
        os.close(write_end)
        children.append((pid, open(read_end, "rb")))
    try:
        for index, (start, stop) in enumerate(bounds):
            _, stream = children[index % workers]
            head = stream.read(4)
            if len(head) < 4:  # the child died: do its share here
                yield _check_slice(layout, table.part(start, stop))
                continue
            yield [
                _read_bad(stream.read(struct.unpack("<I", stream.read(4))[0]))
                for _ in range(struct.unpack("<I", head)[0])
            ]
    finally:
        for pid, stream in children:
            stream.close()
            os.waitpid(pid, 0)


def _run_child(layout: Layout, table: BlockTable, bounds: list[tuple[int, int]], fd: int) -> None:
    gc.disable()  # a collection would touch, and so copy, every page that we share with the parent
    with open(fd, "wb") as stream:
        for start, stop in bounds:
            found = _check_slice(layout, table.part(start, stop))
            stream.write(struct.pack("<I", len(found)))
            for bad in found:
                data = struct.pack("<IH", bad.id, len(bad.cid)) + bad.cid + bad.message.encode()
                stream.write(struct.pack("<I", len(data)) + data)
            stream.flush()


def _read_bad(data: bytes) -> BadBlock:
    block_id, size = struct.unpack_from("<IH", data)
    return BadBlock(block_id, data[6 : 6 + size], data[6 + size :].decode())


def _check_slice(layout: Layout, rows: list[_Row]) -> list[BadBlock]:
    bad: list[BadBlock] = []
    fd, open_segment = -1, -1
    window, data = 0, memoryview(b"")
    try:
        for row in rows:
            segment, offset, length, _, tag, multihash = row
            if segment != open_segment:
                if fd >= 0:
                    os.close(fd)
                fd, open_segment, window, data = -1, segment, 0, memoryview(b"")
                try:
                    fd = os.open(layout.segment(segment), os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    fd = -1
            if fd < 0:
                bad.append(_bad(row, f"segment {segment:08d}.car is missing"))
                continue
            prefix = prefix_length(tag, len(multihash), length)
            start = offset - prefix - window
            if start < 0 or start + prefix + length > len(data):
                window = offset - prefix
                try:
                    data = memoryview(os.pread(fd, max(_WINDOW_BYTES, prefix + length), window))
                except OSError as exc:
                    data = memoryview(b"")
                    bad.append(_bad(row, f"segment {segment:08d}.car cannot be read at byte {offset}: {exc.strerror}"))
                    continue
                start = 0
            payload = data[start + prefix : start + prefix + length]
            if len(multihash) == 34 and multihash[:2] == mh.SHA2_256_PREFIX:
                sound = sha256(payload).digest() == multihash[2:]
            else:
                sound = _matches(multihash, payload)
            if len(payload) != length:
                bad.append(_bad(row, f"segment {segment:08d}.car ends inside it"))
            elif not sound:
                bad.append(_bad(row, f"its bytes at {offset} of segment {segment:08d}.car do not match its CID"))
            elif bytes(data[start + prefix - len(multihash) : start + prefix]) != multihash:
                bad.append(_bad(row, f"its record at {offset} of segment {segment:08d}.car carries another CID"))
    finally:
        if fd >= 0:
            os.close(fd)
    return bad


def _matches(multihash: bytes, payload: memoryview) -> bool:
    try:
        return mh.matches(multihash, payload)
    except InvalidInput:
        return False


def _bad(row: _Row, message: str) -> BadBlock:
    _, _, _, block_id, tag, multihash = row
    cid = cid_of(tag, multihash)
    return BadBlock(block_id, cid, f"block {CID.from_bytes(cid)}: {message}")


def _still_bad(layout: Layout, catalogue: Catalogue, bad: list[BadBlock]) -> list[BadBlock]:
    """Those that are bad at a second look: gc may have moved or removed one while we read."""
    again = []
    for block in bad:
        multihash = block.cid if block.cid[0] == 0x12 else CID.from_bytes(block.cid).multihash
        with catalogue.read() as txn:
            row = catalogue.block(txn, multihash)
        if row is not None:
            again.extend(_check_slice(layout, [(row.segment, row.offset, row.length, row.id, row.tag, multihash)]))
    return again
