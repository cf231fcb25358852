"""Blocks: bytes that were checked against their CID."""

from __future__ import annotations

from typing import Final, NamedTuple

from pinfold.core import multihash
from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, BlockTooLarge

MAX_BLOCK_BYTES: Final = 2 * 1024 * 1024  # what Bitswap carries; larger ones cannot travel


class Block(NamedTuple):
    """A CID and the bytes it names."""

    cid: CID
    data: bytes

    @classmethod
    def verified(cls, cid: CID, data: bytes) -> Block:
        """The block, once its bytes were hashed.

        Raises:  BlockCorrupt, BlockTooLarge, InsecureHash, UnknownHash, IdentityTooLarge.
        """
        if len(data) > MAX_BLOCK_BYTES:
            raise BlockTooLarge(f"a block of {len(data):,} bytes is over the limit of {MAX_BLOCK_BYTES:,}")
        if not multihash.matches(cid.multihash, data):
            raise BlockCorrupt(f"the bytes given for {cid} do not match it")
        return cls(cid, data)
