"""The bytes of a file, as pieces or straight to a file descriptor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinfold.core.binary_cid import multihash_of
from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, InvalidInput, StoreCorrupt
from pinfold.node.blocks import reader
from pinfold.node.output import Output
from pinfold.store import Store
from pinfold.store.rows import BlockRow
from pinfold.store.segments import SegmentFile
from pinfold.unixfs.read import Slice, slices

_PIECE_BYTES: Final = 256 << 10  # a client of the gateway that stops reading holds so much
_TRIES: Final = 5  # no gc moves a block so often between two looks; then its segment is gone for good


def cat(store: Store, cid: bytes, offset: int, length: int | None) -> Iterator[bytes]:
    """The bytes of a file in pieces, of raw blocks at most 256 KiB.

    Raises:  NotAFile, BlockNotFound, MalformedBlock, Corrupt.
    """
    for part in _parts(store, cid, offset, length):
        if part.data is not None:
            yield part.data
            continue
        assert part.cid is not None
        for start in range(part.offset, part.offset + part.length, _PIECE_BYTES):
            size = min(_PIECE_BYTES, part.offset + part.length - start)
            yield _read_part(store, part.cid, start, size)


def cat_to(store: Store, cid: bytes, fd: int, offset: int, length: int | None) -> int:
    """Write the bytes of a file to ``fd`` and give their number; raw leaves do not pass through this process."""
    output = Output(fd)
    for part in _parts(store, cid, offset, length):
        if part.data is not None:
            output.write(part.data)
            continue
        assert part.cid is not None
        row, file = _place(store, part.cid)
        _check_length(part.cid, row, part.offset + part.length)
        try:
            output.copy(file.fd, row.offset + part.offset, part.length)
        except EOFError:
            raise StoreCorrupt(f"segment {row.segment:08d}.car ends inside block {CID.from_bytes(part.cid)}") from None
    output.flush()
    return output.written


def _parts(store: Store, cid: bytes, offset: int, length: int | None) -> Iterator[Slice]:
    if length is not None and length < 0:
        raise InvalidInput(f"a length of {length} bytes cannot be")
    stop = None if length is None else offset + length
    return slices(cid, reader(store), offset, stop, size_of=lambda leaf: _row(store, leaf).length)


def _row(store: Store, cid: bytes) -> BlockRow:
    row = store.row(multihash_of(cid))
    if row is None:
        raise BlockNotFound(f"block {CID.from_bytes(cid)} is not here")
    return row


def _place(store: Store, cid: bytes) -> tuple[BlockRow, SegmentFile]:
    for _ in range(_TRIES):
        row = _row(store, cid)
        try:
            return row, store.files.file(row.segment)
        except FileNotFoundError:  # gc moved it since we looked
            continue
    raise StoreCorrupt(f"the segment of block {CID.from_bytes(cid)} is missing")


def _read_part(store: Store, cid: bytes, start: int, size: int) -> bytes:
    for _ in range(_TRIES):
        row = _row(store, cid)
        _check_length(cid, row, start + size)
        try:
            return store.files.read(row.segment, row.offset + start, size)
        except FileNotFoundError:  # gc moved it since we looked
            continue
    raise StoreCorrupt(f"the segment of block {CID.from_bytes(cid)} is missing")


def _check_length(cid: bytes, row: BlockRow, needed: int) -> None:
    if row.length < needed:
        raise StoreCorrupt(f"block {CID.from_bytes(cid)} is shorter than its file says")
