"""Real stores in a folder of a test: DAGs put into them, and damage done to them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pinfold.core import varint
from pinfold.core.cid import CID
from pinfold.core.codec import Value, encode
from pinfold.core.pin import PinMode
from pinfold.store import Store
from pinfold.store.rows import tag_of_cid
from pinfold.store.writer import NewBlock
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Profile, profile
from tests.support.dags import Blocks, Tree, add_bytes, add_tree

SMALL_CHUNKS = profile("unixfs-v1-2025", chunker="size-1024")
"""Files of more than a KiB have several blocks."""


def put_blocks(store: Store, blocks: Mapping[bytes, bytes]) -> None:
    """Store blocks by binary CID, unpinned."""
    with store.writer() as writer:
        new = []
        for cid, data in blocks.items():
            tag, digest = tag_of_cid(cid)
            new.append(NewBlock(digest, tag, varint.encode(len(cid) + len(data)) + cid, data))
        writer.put(new)
        writer.commit()


def put_file(store: Store, content: bytes, made_by: Profile = SMALL_CHUNKS, metadata: Metadata | None = None) -> CID:
    """Store a file, unpinned."""
    blocks = Blocks()
    built = add_bytes(content, made_by, blocks, metadata)
    put_blocks(store, blocks.stored)
    return CID.from_bytes(built.cid)


def put_tree(store: Store, tree: Tree, made_by: Profile = SMALL_CHUNKS) -> CID:
    """Store a folder of nested dicts, unpinned."""
    blocks = Blocks()
    built = add_tree(tree, made_by, blocks)
    put_blocks(store, blocks.stored)
    return CID.from_bytes(built.cid)


def put_value(store: Store, codec: int, value: Value) -> CID:
    """Store a value as one block, unpinned."""
    data = encode(codec, value)
    cid = CID.of(data, codec=codec)
    put_blocks(store, {cid.bytes: data})
    return cid


def pinned_file(store: Store, content: bytes, name: str = "") -> CID:
    """Store a file and pin it."""
    cid = put_file(store, content)
    store.pin(cid, PinMode.RECURSIVE, name=name)
    return cid


def leaves(store: Store, cid: CID) -> list[CID]:
    """The chunks of a file, in their order."""
    from pinfold.core.codec import links

    return [CID.from_bytes(link) for link in links(cid.codec, store.read(cid.multihash))]


def damage(store: Store, cid: CID, byte: int = 0) -> None:
    """Change one byte of a block where it lies."""
    row = store.row(cid.multihash)
    assert row is not None
    path = Path(store.layout.segment(row.segment))
    with open(path, "r+b") as stream:
        old = os.pread(stream.fileno(), 1, row.offset + byte)
        os.pwrite(stream.fileno(), bytes((old[0] ^ 0xFF,)), row.offset + byte)


def lose(store: Store, cid: CID) -> None:
    """Take a block out of the catalogue, pinned or not, as if it had never been there."""
    store.forget_corrupt(cid.multihash)
