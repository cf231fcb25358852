"""Single blocks: put, get, measured, removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pinfold.core import codec as codecs
from pinfold.core import multihash, varint
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import BlockNotFound, BlockTooLarge
from pinfold.core.pin import PinMode
from pinfold.node.blocks import reader
from pinfold.store import Store
from pinfold.store.rows import tag_of_cid
from pinfold.store.writer import NewBlock


def block_put(
    store: Store,
    data: bytes,
    *,
    codec: int = RAW,
    hash_code: int = multihash.SHA2_256,
    cid_version: int = 1,
    pin: bool = False,
) -> CID:
    """Store bytes as one block, durably, and give its CID; an identity CID carries it itself.

    ``pin`` pins it recursively, so everything that it links to must be here.

    Raises:  BlockTooLarge, MalformedBlock, UnknownCodec, UnknownHash, InsecureHash, IdentityTooLarge, InvalidCID for
             a version 0 that cannot be, BlockNotFound, StoreFull; nothing is kept then.
    """
    if len(data) > MAX_BLOCK_BYTES:
        raise BlockTooLarge(f"a block of {len(data):,} bytes is over the limit of {MAX_BLOCK_BYTES:,}")
    codecs.decode(codec, data)
    cid = CID.of(data, codec=codec, hash_code=hash_code, version=cid_version)
    with store.writer() as writer:
        if not cid.is_identity:
            writer.put([new_block(cid, data)])
        if pin:
            writer.flush()  # known, and kept from gc, but taken back where the pin is refused
            store.pin(cid, PinMode.RECURSIVE)
        writer.commit()
    return cid


def new_block(cid: CID, data: bytes) -> NewBlock:
    """A block as the store's writer takes it; ``data`` was hashed."""
    tag, digest = tag_of_cid(cid.bytes)
    return NewBlock(digest, tag, varint.encode(len(cid.bytes) + len(data)) + cid.bytes, data)


def block_get(store: Store, cid: CID) -> bytes:
    """The bytes of one block, hashed.  Raises: BlockNotFound, BlockCorrupt, StoreCorrupt."""
    return reader(store)(cid.bytes)


def block_stat(store: Store, cid: CID) -> int:
    """The size of one block in bytes.  Raises: BlockNotFound."""
    if cid.is_identity:
        return len(cid.identity_data)
    row = store.row(cid.multihash)
    if row is None:
        raise BlockNotFound(f"block {cid} is not here")
    return row.length


def block_rm(store: Store, cids: Iterable[CID], *, force: bool = False) -> Iterator[CID]:
    """Remove blocks that nothing needs, one by one, and give those that went.

    ``force`` passes over blocks that are not here; never over one that a pin needs.

    Raises:  BlockNotFound, BlockPinned; on the steps.
    """
    for cid in cids:
        try:
            store.remove_block(cid.multihash)
        except BlockNotFound:
            if not force:
                raise BlockNotFound(f"block {cid} is not here") from None
            continue
        yield cid
