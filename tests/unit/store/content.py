"""Blocks and files put into a store, without the node above it."""

from __future__ import annotations

from collections.abc import Mapping

from pinfold.core import varint
from pinfold.core.cid import CID
from pinfold.core.pin import PinMode
from pinfold.store import Store
from pinfold.store.rows import tag_of_cid
from pinfold.store.writer import NewBlock
from pinfold.unixfs.profile import profile
from tests.support.dags import Blocks, add_bytes

SMALL_CHUNKS = profile("unixfs-v1-2025", chunker="size-1024")


def new_block(cid: bytes, data: bytes) -> NewBlock:
    """A block as a writer takes it; the bytes need not match the CID."""
    tag, multihash = tag_of_cid(cid)
    return NewBlock(multihash, tag, varint.encode(len(cid) + len(data)) + cid, data)


def put_blocks(store: Store, blocks: Mapping[bytes, bytes]) -> None:
    """Store blocks by binary CID, unpinned."""
    with store.writer() as writer:
        writer.put([new_block(cid, data) for cid, data in blocks.items()])
        writer.commit()


def put_file(store: Store, data: bytes) -> CID:
    """Store a file in chunks of a KiB, unpinned."""
    blocks = Blocks()
    built = add_bytes(data, SMALL_CHUNKS, blocks)
    put_blocks(store, blocks.stored)
    return CID.from_bytes(built.cid)


def pinned_file(store: Store, data: bytes, name: str = "") -> CID:
    """The same, pinned."""
    cid = put_file(store, data)
    store.pin(cid, PinMode.RECURSIVE, name=name)
    return cid
