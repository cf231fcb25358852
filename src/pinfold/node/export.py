"""A DAG as a CAR: blocks in depth-first order as Kubo writes them, copied in ranges as they lie in the segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.car import encode_header, record_prefix
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import BlockNotFound, DagTooDeep, StoreCorrupt
from pinfold.node.model import Progress
from pinfold.node.output import Output
from pinfold.store import Store
from pinfold.store.rows import BlockRow, tag_of_cid, unpack_block
from pinfold.store.walk import MAX_DEPTH

_LOOKUPS: Final = 4096
_PROGRESS_BLOCKS: Final = 256


class _Ranges:
    """Collects ranges of segments that follow each other, so that a run of blocks is one copy."""

    def __init__(self, store: Store, output: Output) -> None:
        self._store = store
        self._output = output
        self._segment, self._start, self._stop = -1, 0, 0

    def add(self, segment: int, start: int, stop: int) -> None:
        if segment == self._segment and start == self._stop:
            self._stop = stop
            return
        self.flush()
        self._segment, self._start, self._stop = segment, start, stop

    def flush(self) -> None:
        if self._stop > self._start:
            file = self._store.files.file(self._segment)
            try:
                self._output.copy(file.fd, self._start, self._stop - self._start)
            except EOFError:
                raise StoreCorrupt(f"segment {self._segment:08d}.car ends inside a block") from None
        self._segment, self._start, self._stop = -1, 0, 0


def export(store: Store, root: CID, fd: int, *, progress: Callable[[Progress], None] | None = None) -> int:
    """Write the DAG of ``root`` as CARv1 and give the bytes written.

    Shape:   depth first, links in their order, every block once; identity CIDs are not written.
    Raises:  BlockNotFound before anything is written where a block is missing; StoreCorrupt, DagTooDeep.
    """
    order = _order(store, root.bytes)
    output = Output(fd)
    output.write(encode_header([root.bytes]))
    ranges = _Ranges(store, output)
    for done, (cid, row) in enumerate(order):
        tag, multihash = tag_of_cid(cid)
        try:
            _write(store, output, ranges, cid, multihash, tag, row)
        except FileNotFoundError:  # gc moved the segment since we looked
            found = store.row(multihash)
            if found is None:
                raise BlockNotFound(f"block {CID.from_bytes(cid)} was removed while it was exported") from None
            try:
                _write(store, output, ranges, cid, multihash, tag, found)
            except FileNotFoundError:
                raise StoreCorrupt(f"the segment of block {CID.from_bytes(cid)} is missing") from None
        if progress is not None and done % _PROGRESS_BLOCKS == 0:
            progress(Progress(output.written, 0, done, len(order)))
    ranges.flush()
    output.flush()
    return output.written


def _write(
    store: Store, output: Output, ranges: _Ranges, cid: bytes, multihash: bytes, tag: int, row: BlockRow
) -> None:
    store.files.file(row.segment)  # held open from here on, and noticed when it is gone
    if row.tag == tag:
        ranges.add(row.segment, row.record_start(multihash), row.offset + row.length)
    else:  # stored under another CID of the same bytes
        ranges.flush()
        output.write(record_prefix(cid, row.length))
        ranges.add(row.segment, row.offset, row.offset + row.length)


def _order(store: Store, root: bytes) -> list[tuple[bytes, BlockRow]]:
    """Every block under ``root`` in depth-first order.  Raises: BlockNotFound, DagTooDeep, MalformedBlock."""
    order: list[tuple[bytes, BlockRow]] = []
    seen: set[bytes] = set()  # CIDs: the same bytes may be a file under one, and have links under another
    waiting: list[tuple[list[bytes], int]] = [([root], 0)]
    while waiting:
        links, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise DagTooDeep(f"the DAG of {CID.from_bytes(root)} is deeper than {MAX_DEPTH:,} levels")
        for position, cid in enumerate(links):
            if cid in seen:
                continue
            multihash = multihash_of(cid)
            if codec_of(cid) == RAW and multihash[0] != 0:
                position = _take_raw_run(store, links, position, seen, order)
                if position < len(links):
                    waiting.append((links[position:], depth))
                break
            seen.add(cid)
            data = identity_data(cid)
            if data is None:
                row = store.row(multihash)
                if row is None:
                    raise BlockNotFound(f"block {CID.from_bytes(cid)} is not here")
                order.append((cid, row))
                data = store.read_cid(cid) if codec_of(cid) != RAW else b""
            below = codec.links(codec_of(cid), data)
            if position + 1 < len(links):
                waiting.append((links[position + 1 :], depth))
            if below:
                waiting.append((below, depth + 1))
            break
    return order


def _take_raw_run(
    store: Store, links: list[bytes], start: int, seen: set[bytes], order: list[tuple[bytes, BlockRow]]
) -> int:
    """Look up a run of raw leaves in one snapshot; the position behind it."""
    with store.catalogue.read() as txn:
        get, blocks = txn.get, store.catalogue.blocks
        stop = min(len(links), start + _LOOKUPS)
        for position in range(start, stop):
            cid = links[position]
            if cid in seen:
                continue
            multihash = multihash_of(cid)
            if codec_of(cid) != RAW or multihash[0] == 0:
                return position
            row = get(multihash, db=blocks)
            if row is None:
                raise BlockNotFound(f"block {CID.from_bytes(cid)} is not here")
            seen.add(cid)
            order.append((cid, BlockRow(*unpack_block(row))))
    return stop
