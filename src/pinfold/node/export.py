"""A DAG as a CAR: blocks in depth-first order as Kubo writes them, copied in ranges as they lie in the segments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.car import encode_header, record_prefix
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import BlockNotFound, DagTooDeep, StoreCorrupt
from pinfold.node.hash_ahead import HashAhead
from pinfold.node.model import Progress
from pinfold.node.output import Output
from pinfold.store import Store
from pinfold.store.hashed_reads import SoundBlock
from pinfold.store.rows import tag_of_cid, unpack_block
from pinfold.store.segments import SegmentFile
from pinfold.store.walk import MAX_DEPTH

_LOOKUPS: Final = 4096
_PROGRESS_BLOCKS: Final = 256


class _Ranges:
    """Collects ranges of segments that follow each other, so that a run of blocks is one copy."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._file: SegmentFile | None = None
        self._start = self._stop = 0

    def add(self, file: SegmentFile, start: int, stop: int) -> None:
        if file is self._file and start == self._stop:
            self._stop = stop
            return
        self.flush()
        self._file, self._start, self._stop = file, start, stop

    def flush(self) -> None:
        if self._file is not None:
            try:
                self._output.copy(self._file.fd, self._start, self._stop - self._start)
            except EOFError:
                raise StoreCorrupt("a segment was cut off while it was exported") from None
        self._file, self._start, self._stop = None, 0, 0


def export(store: Store, root: CID, fd: int, *, progress: Callable[[Progress], None] | None = None) -> int:
    """Write the DAG of ``root`` as CARv1 and give the bytes written.

    Shape:   depth first, links in their order, every block once, hashed; identity CIDs are not written.
    Raises:  BlockNotFound before anything is written where a block is missing; BlockCorrupt, StoreCorrupt, DagTooDeep.
    """
    order = _order(store, root.bytes)
    output = Output(fd)
    output.write(encode_header([root.bytes]))
    ranges = _Ranges(output)
    with HashAhead(store) as ahead:
        hashed = ahead.through(order, lambda item: multihash_of(item[0]), lambda item: item[1])
        for done, ((cid, _), block) in enumerate(hashed):
            assert block is not None
            _write(output, ranges, cid, block)
            if progress is not None and done % _PROGRESS_BLOCKS == 0:
                progress(Progress(output.written, 0, done, len(order)))
    ranges.flush()
    output.flush()
    return output.written


def _write(output: Output, ranges: _Ranges, cid: bytes, block: SoundBlock) -> None:
    row = block.row
    tag, multihash = tag_of_cid(cid)
    if row.tag == tag and block.has_whole_record:
        ranges.add(block.file, row.record_start(multihash), row.offset + row.length)
    else:  # stored under another CID of the same bytes, or behind a damaged head
        ranges.flush()
        output.write(record_prefix(cid, row.length))
        ranges.add(block.file, row.offset, row.offset + row.length)


def _order(store: Store, root: bytes) -> list[tuple[bytes, int]]:
    """Every block under ``root`` with its length, in depth-first order.

    Raises:  BlockNotFound, BlockCorrupt, DagTooDeep, MalformedBlock.
    """
    order: list[tuple[bytes, int]] = []
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
                order.append((cid, row.length))
                data = store.read_cid(cid) if codec_of(cid) != RAW else b""
            below = codec.links(codec_of(cid), data)
            if position + 1 < len(links):
                waiting.append((links[position + 1 :], depth))
            if below:
                waiting.append((below, depth + 1))
            break
    return order


def _take_raw_run(
    store: Store, links: list[bytes], start: int, seen: set[bytes], order: list[tuple[bytes, int]]
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
            order.append((cid, unpack_block(row)[3]))
    return stop
