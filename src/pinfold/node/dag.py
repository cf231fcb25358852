"""Values of the IPLD data model, read from blocks and stored as blocks."""

from __future__ import annotations

from pinfold.core import codec as codecs
from pinfold.core import multihash
from pinfold.core.cid import CID, DAG_CBOR
from pinfold.core.codec import Value
from pinfold.core.content_path import ContentPath
from pinfold.node.block_ops import block_put
from pinfold.node.blocks import reader
from pinfold.node.resolver import as_path, resolve, value_at
from pinfold.store import Store


def dag_get(store: Store, path: str | CID | ContentPath) -> Value:
    """The value at a path: a whole block's, or what lies inside of one.

    Raises:  PathNotFound, BlockNotFound, MalformedBlock, UnknownCodec, NotADirectory, BlockCorrupt.
    """
    read = reader(store)
    found = resolve(read, as_path(path))
    value = codecs.decode(found.cid.codec, read(found.cid.bytes))
    return value_at(value, found.remainder, found.cid)


def dag_put(
    store: Store,
    value: Value,
    *,
    codec: int = DAG_CBOR,
    hash_code: int = multihash.SHA2_256,
    pin: bool = False,
) -> CID:
    """Store a value as one block, durably, and give its CID.  Raises: as ``block_put``."""
    return block_put(store, codecs.encode(codec, value), codec=codec, hash_code=hash_code, pin=pin)
