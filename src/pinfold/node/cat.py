"""The bytes of a file, as pieces or straight to a file descriptor; every block is hashed before its bytes go out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pinfold.core.binary_cid import multihash_of
from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput, StoreCorrupt
from pinfold.node.blocks import Reader, reader
from pinfold.node.hash_ahead import HashAhead
from pinfold.node.output import Output
from pinfold.store import Store
from pinfold.unixfs.read import Info, Slice, inspect, slices

_PIECE_BYTES: Final = 256 << 10  # a client of the gateway that stops reading holds so much


class FileReader:
    """One file, read part by part; what two parts share is read and hashed once.  For one thread at a time."""

    def __init__(self, store: Store, cid: CID) -> None:
        self.cid = cid
        self._read = reader(store)

    def info(self) -> Info:
        """What it says of itself, from its root alone.  Raises: as ``inspect``."""
        return inspect(self.cid.bytes, self._read, size_of=self._read.size_of)

    def cat(self, offset: int, length: int | None) -> Iterator[bytes]:
        """Its bytes in pieces of at most 256 KiB, reading only the blocks in which they lie.  Raises: as ``cat``."""
        return _pieces(self._read, self.cid.bytes, offset, length)


def cat(store: Store, cid: bytes, offset: int, length: int | None) -> Iterator[bytes]:
    """The bytes of a file in pieces, of raw blocks at most 256 KiB.

    Raises:  NotAFile, BlockNotFound, MalformedBlock, Corrupt.
    """
    return _pieces(reader(store), cid, offset, length)


def cat_to(store: Store, cid: bytes, fd: int, offset: int, length: int | None) -> int:
    """Write the bytes of a file to ``fd`` and give their number; raw leaves are hashed and then copied by the kernel.

    Raises:  as ``cat``; what lies before the block at fault may be written then.
    """
    output = Output(fd)
    with HashAhead(store) as ahead:
        for part, block in ahead.through(_parts(reader(store), cid, offset, length), _leaf_of, _size_of):
            if part.data is not None:
                output.write(part.data)
                continue
            assert block is not None
            try:
                output.copy(block.file.fd, block.row.offset + part.offset, part.length)
            except EOFError:
                raise StoreCorrupt(f"segment {block.row.segment:08d}.car was cut off while it was read") from None
    output.flush()
    return output.written


def _pieces(read: Reader, cid: bytes, offset: int, length: int | None) -> Iterator[bytes]:
    for part in _parts(read, cid, offset, length):
        if part.data is not None:
            yield part.data
            continue
        assert part.cid is not None
        stop = part.offset + part.length
        if read.size_of(part.cid) <= _PIECE_BYTES:
            yield read.leaf(part.cid)[part.offset : stop]
            continue
        for start in range(part.offset, stop, _PIECE_BYTES):
            yield read.part(part.cid, start, min(_PIECE_BYTES, stop - start))


def _parts(read: Reader, cid: bytes, offset: int, length: int | None) -> Iterator[Slice]:
    if length is not None and length < 0:
        raise InvalidInput(f"a length of {length} bytes cannot be")
    stop = None if length is None else offset + length
    return slices(cid, read, offset, stop, size_of=read.size_of)


def _leaf_of(part: Slice) -> bytes | None:
    return multihash_of(part.cid) if part.cid is not None else None


def _size_of(part: Slice) -> int:
    return part.length
