"""What a CID's bytes tell without making a ``CID``: for the hot paths that see a million of them."""

from __future__ import annotations

from typing import Final

from pinfold.core import cid as names
from pinfold.core import varint
from pinfold.core.errors import InvalidCID
from pinfold.core.multihash import IDENTITY, SHA2_256_PREFIX, Buffer

_V0_BYTES: Final = 34
_V1_BYTES: Final = 36  # version, a codec below 128, sha2-256


def split_cid(buffer: Buffer, offset: int = 0) -> int:
    """The offset behind the binary CID that begins at ``offset``; its hash is not judged.

    Raises:  InvalidCID where it is no CID or is cut off, InvalidVarint.
    """
    head = bytes(buffer[offset : offset + 4])
    if head[:2] == SHA2_256_PREFIX:
        end = offset + _V0_BYTES
    elif head[:1] == b"\x01" and head[2:] == SHA2_256_PREFIX and head[1] < 0x80:
        end = offset + _V1_BYTES
    else:
        version, position = varint.decode(buffer, offset)
        if version != 1:
            raise InvalidCID(f"there is no CID version {version}")
        _, position = varint.decode(buffer, position)
        _, position = varint.decode(buffer, position)
        size, position = varint.decode(buffer, position)
        end = position + size
    if end > len(buffer):
        raise InvalidCID(f"the CID at byte {offset} is cut off")
    return end


def check_cid(cid: bytes) -> bytes:
    """``cid`` itself, once it is known to be exactly one binary CID.  Raises: InvalidCID, InvalidVarint."""
    if split_cid(cid) != len(cid):
        raise InvalidCID(f"{len(cid) - split_cid(cid)} bytes too many behind a CID")
    return cid


def codec_of(cid: bytes) -> int:
    """The codec that a whole binary CID names."""
    if cid[0] == 0x12:
        return names.DAG_PB
    return cid[1] if cid[1] < 0x80 else varint.decode(cid, 1)[0]


def multihash_of(cid: bytes) -> bytes:
    """The multihash inside a whole binary CID."""
    if cid[0] == 0x12:
        return cid
    return cid[2:] if cid[1] < 0x80 else cid[varint.decode(cid, 1)[1] :]


def identity_data(cid: bytes) -> bytes | None:
    """The bytes that an identity CID carries; ``None`` for every other CID."""
    multihash = multihash_of(cid)
    if multihash[0] != IDENTITY:
        return None
    return multihash[varint.decode(multihash, 1)[1] :]
