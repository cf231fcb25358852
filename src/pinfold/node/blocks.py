"""Blocks as readers of DAGs ask for them: from the store or from the CID; damage is told from malformed input."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from pinfold.core import multihash as mh
from pinfold.core.binary_cid import multihash_of
from pinfold.core.cid import CID
from pinfold.core.errors import (
    BlockCorrupt,
    IdentityTooLarge,
    InvalidInput,
    NotADirectory,
    NotAFile,
    NotFound,
    StoreCorrupt,
)
from pinfold.store import Store
from pinfold.store.walk import Reach, reach
from pinfold.unixfs.dag import Get, block_of

_RECENT: Final = 16  # a HAMT of a million names has four levels; what misled its reader is among these
# What a reader says when the bytes make no sense: they may be wrong, or may have become so on the disk.
_SUSPICIOUS: Final = (InvalidInput, NotFound, NotADirectory, NotAFile)


class Reader:
    """Reads blocks by binary CID, and remembers which ones came last.  For one operation of one thread.

    A block is not hashed when it is read; only when what it says is refused, ``check_recent`` does so.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._recent: deque[bytes] = deque(maxlen=_RECENT)

    def __call__(self, cid: bytes) -> bytes:
        """The block of a binary CID.  Raises: BlockNotFound, StoreCorrupt, IdentityTooLarge."""
        return block_of(cid, self._stored)

    def _stored(self, cid: bytes) -> bytes:
        data = self._store.read_cid(cid)
        self._recent.append(multihash_of(cid))
        return data

    def by_multihash(self, multihash: bytes) -> bytes:
        """The block of a multihash.  Raises: BlockNotFound, StoreCorrupt."""
        data = self._store.read(multihash)
        self._recent.append(multihash)
        return data

    def check_recent(self) -> None:
        """Hash what was read last.  Raises: BlockCorrupt."""
        for multihash in reversed(self._recent):
            row = self._store.row(multihash)
            if row is not None and not mh.matches(multihash, self._store.read(multihash)):
                raise BlockCorrupt(f"block {CID.from_bytes(row.cid(multihash))} is corrupt: its bytes do not match it")


def reader(store: Store) -> Reader:
    """A ``Get`` over the store."""
    return Reader(store)


@contextmanager
def damage_told(read: Get) -> Iterator[None]:
    """Raise BlockCorrupt instead of a refusal that a damaged block of this store caused."""
    try:
        yield
    except (IdentityTooLarge, StoreCorrupt):
        raise
    except _SUSPICIOUS as exc:
        if isinstance(read, Reader):
            try:
                read.check_recent()
            except BlockCorrupt as corrupt:
                raise corrupt from exc
        raise


def walk(store: Store, cid: CID, *, max_missing: int = 1 << 62, progress: Callable[[int], None] | None = None) -> Reach:
    """The ids of what a root reaches, going round what is missing.

    Raises:  DagTooDeep, MalformedBlock, UnknownCodec; BlockCorrupt where one of those comes from damage.
    """
    read = reader(store)
    with damage_told(read):
        return reach(store.catalogue, read.by_multihash, cid.bytes, max_missing=max_missing, progress=progress)
