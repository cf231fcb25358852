"""Blocks as readers of DAGs ask for them: from the store, hashed, or from the CID itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Final

from pinfold.core.binary_cid import identity_data, multihash_of
from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, StoreCorrupt
from pinfold.store import Store
from pinfold.store.hashed_reads import SoundBlock
from pinfold.store.walk import Reach, reach
from pinfold.unixfs.dag import block_of

_KEPT_BYTES: Final = 512 << 10  # a reader lives as long as a slow client: more than common nodes have is not kept
_NOTHING: Final = (b"", b"")


class Reader:
    """Reads blocks by binary CID.  For one operation of one thread: it keeps what it read last, hashed once."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._node = self._leaf = _NOTHING
        self._place: tuple[bytes, SoundBlock] | None = None

    def __call__(self, cid: bytes) -> bytes:
        """The block of a binary CID.  Raises: BlockNotFound, BlockCorrupt, StoreCorrupt, IdentityTooLarge."""
        if self._node[0] == cid:  # the root of a file is asked for by each step of a request
            return self._node[1]
        data = block_of(cid, self._store.read_cid)
        if len(data) <= _KEPT_BYTES:
            self._node = (cid, data)
        return data

    def leaf(self, cid: bytes) -> bytes:
        """The same for a raw leaf of a file, of which several parts may be asked for one after the other."""
        if self._leaf[0] != cid:
            self._leaf = _NOTHING  # two leaves are never in memory at once
            self._leaf = (cid, block_of(cid, self._store.read_cid))
        return self._leaf[1]

    def part(self, cid: bytes, offset: int, length: int) -> bytes:
        """Some bytes of a large raw leaf that was hashed as a whole just before; the whole of it is not kept.

        Raises:  BlockNotFound, BlockCorrupt, StoreCorrupt.
        """
        multihash = multihash_of(cid)
        # The row is looked up each time: what gc has moved is hashed again where it is now.
        if self._place is None or self._place[0] != cid or self._place[1].row != self._store.row(multihash):
            self._place = (cid, self._store.sound([multihash])[0])
        block = self._place[1]
        data = os.pread(block.file.fd, length, block.row.offset + offset)
        if len(data) != length:
            raise StoreCorrupt(f"segment {block.row.segment:08d}.car was cut off while it was read")
        return data

    def size_of(self, cid: bytes) -> int:
        """The bytes of a block, without reading it.  Raises: BlockNotFound."""
        carried = identity_data(cid)
        if carried is not None:
            return len(carried)
        row = self._store.row(multihash_of(cid))
        if row is None:
            raise BlockNotFound(f"block {CID.from_bytes(cid)} is not here")
        return row.length


def reader(store: Store) -> Reader:
    """A ``Get`` over the store."""
    return Reader(store)


def walk(store: Store, cid: CID, *, max_missing: int = 1 << 62, progress: Callable[[int], None] | None = None) -> Reach:
    """The ids of what a root reaches, going round what is missing.

    Raises:  DagTooDeep, MalformedBlock, UnknownCodec, BlockCorrupt.
    """
    return reach(store.catalogue, store.read, cid.bytes, max_missing=max_missing, progress=progress)
