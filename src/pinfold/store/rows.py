"""The catalogue's rows as bytes: where a block is, what a segment holds, what a pin reaches."""

from __future__ import annotations

import struct
import zlib
from enum import IntEnum
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core import varint
from pinfold.core.cid import DAG_PB
from pinfold.core.errors import StoreCorrupt
from pinfold.core.pin import PinMode

_BLOCK: Final = struct.Struct("<IIIII")
_SEGMENT: Final = struct.Struct("<QQQB")
_PIN: Final = struct.Struct("<BBdHBI")  # the last is the CRC-32 of all else: losing an id here loses a block
_V0: Final = 1 << 31  # in the codec field: the block was stored under a CIDv0
BLOCK_ROW_BYTES: Final = _BLOCK.size
MAX_BLOCK_ID: Final = (1 << 32) - 1

pack_block = _BLOCK.pack  # (id, segment, payload offset, payload length, tag): the hot path calls it bare
unpack_block = _BLOCK.unpack


class BlockRow(NamedTuple):
    """Where one block is.

    Units:  ``offset`` and ``length`` are of the payload, in bytes of the segment file.
    """

    id: int
    segment: int
    offset: int
    length: int
    tag: int

    @property
    def codec(self) -> int:
        """The codec of the CID that it was stored under."""
        return self.tag & ~_V0

    def cid(self, multihash: bytes) -> bytes:
        """The binary CID that it was stored under."""
        return cid_of(self.tag, multihash)

    def head(self, multihash: bytes) -> bytes:
        """What stands before its payload in the segment: the record's length and the CID."""
        cid = cid_of(self.tag, multihash)
        return varint.encode(len(cid) + self.length) + cid

    def record_start(self, multihash: bytes) -> int:
        """Where its record (length, CID, payload) begins in the segment."""
        return self.offset - prefix_length(self.tag, len(multihash), self.length)


def tag_of(version: int, codec: int) -> int:
    """The codec and CID version of a block in one number."""
    return codec if version else DAG_PB | _V0


def tag_of_cid(cid: bytes) -> tuple[int, bytes]:
    """The tag and the multihash of a binary CID that is known to be well formed."""
    if cid[0] == 0x12:
        return DAG_PB | _V0, cid
    if cid[1] < 0x80:
        return cid[1], cid[2:]
    codec, position = varint.decode(cid, 1)
    return codec, cid[position:]


def cid_of(tag: int, multihash: bytes) -> bytes:
    """The binary CID that a tag and a multihash say."""
    if tag & _V0:
        return multihash
    return b"\x01" + varint.encode(tag) + multihash


def prefix_length(tag: int, multihash_length: int, payload_length: int) -> int:
    """Bytes of a record before its payload."""
    cid_length = (
        multihash_length if tag & _V0 else 1 + (1 if tag < 0x80 else 2 if tag < 0x4000 else 3) + multihash_length
    )
    total = cid_length + payload_length
    return cid_length + (1 if total < 0x80 else 2 if total < 0x4000 else 3 if total < 0x200000 else 4)


class SegmentState(IntEnum):
    """The life of a segment."""

    OPEN = 0
    """Takes blocks from whoever holds its lock."""
    SEALED = 1
    """Full: read only."""


class SegmentRow(NamedTuple):
    """What the catalogue knows of one segment file.

    Units:  bytes of the file; ``end`` is where the catalogued part stops, ``live`` counts whole records of
            catalogued blocks, ``blocks`` counts them.
    """

    end: int
    live: int
    blocks: int
    state: SegmentState

    def pack(self) -> bytes:
        """The row as bytes."""
        return _SEGMENT.pack(self.end, self.live, self.blocks, self.state)

    @classmethod
    def unpack(cls, data: bytes) -> SegmentRow:
        """The row from bytes."""
        end, live, blocks, state = _SEGMENT.unpack(data)
        return cls(end, live, blocks, SegmentState(state))


_MODES: Final = (PinMode.RECURSIVE, PinMode.DIRECT)
_SMALL: Final = 16  # up to this many ids a plain list is shorter than a bitmap, and quicker to read


class PinRow(NamedTuple):
    """One pin as the catalogue keeps it: what is asked, and the ids that it reaches."""

    mode: PinMode
    name: str
    created_at: float
    profile: str
    version: int
    """The CID version that it was pinned under."""
    complete: bool
    """False when some of its blocks were not here at the time; only a rebuild makes such."""
    ids_packed: bytes

    @property
    def ids(self) -> BitMap:
        """Ids of the blocks that it keeps."""
        return unpack_ids(self.ids_packed)

    def pack(self) -> bytes:
        """The row as bytes."""
        name, profile = self.name.encode(), self.profile.encode()
        flags = _MODES.index(self.mode) | self.version << 1 | (not self.complete) << 2
        head = (1, flags, self.created_at, len(name), len(profile))
        rest = name + profile + self.ids_packed
        return _PIN.pack(*head, zlib.crc32(rest, zlib.crc32(_PIN.pack(*head, 0)))) + rest

    @classmethod
    def unpack(cls, data: bytes) -> PinRow:
        """The row from bytes."""
        kind, flags, created_at, name_length, profile_length, _ = _PIN.unpack_from(data)
        if kind != 1:
            raise StoreCorrupt(f"a pin row of unknown kind {kind}")
        position = _PIN.size + name_length
        return cls(
            mode=_MODES[flags & 1],
            name=data[_PIN.size : position].decode(),
            created_at=created_at,
            profile=data[position : position + profile_length].decode(),
            version=flags >> 1 & 1,
            complete=not flags >> 2 & 1,
            ids_packed=data[position + profile_length :],
        )


def is_sound_pin(data: bytes) -> bool:
    """Whether the bytes of a pin row are those that were written."""
    if len(data) < _PIN.size:
        return False
    *head, checksum = _PIN.unpack_from(data)
    return bool(zlib.crc32(data[_PIN.size :], zlib.crc32(_PIN.pack(*head, 0))) == checksum)


def packed_ids_of_row(data: bytes) -> bytes:
    """Only the packed ids of a pin row: what marking a million pins needs of each."""
    _, _, _, name_length, profile_length, _ = _PIN.unpack_from(data)
    return data[_PIN.size + name_length + profile_length :]


def pack_ids(ids: BitMap) -> bytes:
    """A set of ids as bytes: a list where they are few, a Roaring bitmap otherwise."""
    count = len(ids)
    if count <= _SMALL:
        return b"\0" + struct.pack(f"<{count}I", *ids)
    ids.run_optimize()
    return b"\1" + ids.serialize()


def unpack_ids(packed: bytes) -> BitMap:
    """The set of ids that ``pack_ids`` wrote."""
    if packed[0] == 0:
        return BitMap(struct.unpack(f"<{(len(packed) - 1) // 4}I", packed[1:]))
    return BitMap.deserialize(packed[1:])


def union_of_packed(rows: list[bytes]) -> BitMap:
    """All ids of many packed sets together, quickly."""
    small = b"".join(row[1:] for row in rows if row[0] == 0)
    result = BitMap(struct.unpack(f"<{len(small) // 4}I", small))
    large = [BitMap.deserialize(row[1:]) for row in rows if row[0]]
    return result | BitMap.union(*large) if large else result
