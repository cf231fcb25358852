"""What builders and readers of DAGs share: how blocks are named and handed on, and how links are written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import NamedTuple, TypeAlias

from pinfold.core import multihash, varint
from pinfold.core.binary_cid import identity_data
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.cid import DAG_PB
from pinfold.core.errors import BlockTooLarge, IdentityTooLarge
from pinfold.core.multihash import Buffer
from pinfold.unixfs.profile import Profile

# Takes a binary CID and its block; children come before their parents, identity CIDs never
Emit: TypeAlias = Callable[[bytes, bytes], None]
# Gives the block of a binary CID or raises BlockNotFound; never asked for identity CIDs
Get: TypeAlias = Callable[[bytes], bytes]


class Built(NamedTuple):
    """A finished node: its binary CID, the bytes of all blocks under it (itself included), the bytes of the file."""

    cid: bytes
    tsize: int
    size: int


class Entry(NamedTuple):
    """One name in a folder; ``tsize`` as in ``Built``."""

    name: bytes
    cid: bytes
    tsize: int


def namer(profile: Profile, codec: int) -> Callable[[Buffer], bytes]:
    """The function from a block's bytes to its binary CID under a profile.

    Raw blocks are CIDv1 even in a profile of CIDv0, and so is what is small enough to be inlined.
    """
    version = profile.cid_version if codec == DAG_PB else 1
    return _namer(version, codec, profile.hash_code, profile.inline_limit if profile.inline else -1)


@lru_cache(maxsize=64)
def _namer(version: int, codec: int, hash_code: int, inline_limit: int) -> Callable[[Buffer], bytes]:
    digest = multihash.hasher(hash_code)
    v1 = b"\x01" + varint.encode(codec)

    def named(block: Buffer) -> bytes:
        if len(block) <= inline_limit:
            return v1 + multihash.wrap(multihash.IDENTITY, bytes(block))
        return digest(block) if version == 0 else v1 + digest(block)

    return named


def put(profile: Profile, codec: int, block: bytes, emit: Emit) -> bytes:
    """Name a block and hand it on, unless its CID already carries it.  Raises: BlockTooLarge."""
    if len(block) > MAX_BLOCK_BYTES:
        raise BlockTooLarge(f"a node of {len(block):,} bytes is over the limit of {MAX_BLOCK_BYTES:,}")
    cid = namer(profile, codec)(block)
    if not (profile.inline and is_identity(cid)):
        emit(cid, block)
    return cid


def is_identity(cid: bytes) -> bool:
    """Whether a binary CID carries its block in itself."""
    return cid[0] != 0x12 and identity_data(cid) is not None


def block_of(cid: bytes, get: Get) -> bytes:
    """The block of a CID, from the CID itself where that carries it.  Raises: IdentityTooLarge; what ``get`` raises."""
    carried = None if cid[0] == 0x12 else identity_data(cid)
    if carried is None:
        return get(cid)
    if len(carried) > multihash.MAX_IDENTITY_BYTES:
        raise IdentityTooLarge(
            f"an identity CID of {len(carried)} bytes is over the limit of {multihash.MAX_IDENTITY_BYTES}"
        )
    return carried


def encode_links(links: Iterable[tuple[bytes, bytes, int]]) -> bytes:
    """The dag-pb fields of links (name, binary CID, tsize), in the order given; the caller sorts.

    Hot: a folder of 20,000 files spends its time here, so the bytes around a name are made once per length.
    """
    parts: list[bytes] = []
    tails: dict[int, bytes] = {}
    heads: dict[int, tuple[bytes, bytes]] = {}
    for name, cid, tsize in links:
        tail = tails.get(tsize)
        if tail is None:
            tail = tails[tsize] = b"\x18" + varint.encode(tsize)
        shape = len(name) << 24 | len(cid) << 8 | len(tail)
        head = heads.get(shape)
        if head is None:
            head = heads[shape] = _around_name(len(name), len(cid), len(tail))
        parts += (head[0], cid, head[1], name, tail)
    return b"".join(parts)


def _around_name(name_size: int, cid_size: int, tail_size: int) -> tuple[bytes, bytes]:
    before_cid = b"\x0a" + varint.encode(cid_size)
    before_name = b"\x12" + varint.encode(name_size)
    whole = len(before_cid) + cid_size + len(before_name) + name_size + tail_size
    return b"\x12" + varint.encode(whole) + before_cid, before_name


def encode_data(message: bytes) -> bytes:
    """The dag-pb field of a node's data."""
    return b"\x0a" + varint.encode(len(message)) + message
