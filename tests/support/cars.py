"""CARs made by code: good ones of both versions, and one of each malformed kind."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from pinfold.core import car, multihash, varint
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.cid import CID
from pinfold.core.codec import dag_cbor
from pinfold.core.codec.value import Value
from pinfold.core.errors import (
    BlockCorrupt,
    BlockTooLarge,
    IdentityTooLarge,
    InsecureHash,
    MalformedCar,
    PinfoldError,
    UnknownHash,
)

PRAGMA = bytes.fromhex("0aa16776657273696f6e02")
V2_DATA_OFFSET = len(PRAGMA) + 40


class RawBlock(NamedTuple):
    """A binary CID and bytes that need not match it."""

    cid: bytes
    data: bytes


class BadCar(NamedTuple):
    """A CAR, the error it must give, and the byte offset that the message must name."""

    car: bytes
    error: type[PinfoldError]
    offset: int


def raw_block(data: bytes) -> RawBlock:
    """A raw block whose CID is right."""
    return RawBlock(CID.of(data).bytes, data)


def raw_blocks(count: int = 5, size_bytes: int = 100) -> list[RawBlock]:
    """Different raw blocks, always the same ones."""
    return [raw_block(b"%08d" % number * (size_bytes // 8)) for number in range(count)]


def record(block: RawBlock) -> bytes:
    """One record as it stands in a CAR."""
    return car.record_prefix(block.cid, len(block.data)) + block.data


def car_v1(blocks: Sequence[RawBlock], roots: Sequence[bytes] | None = None) -> bytes:
    """A CARv1; its root is the first block unless said otherwise."""
    named = [block.cid for block in blocks[:1]] if roots is None else roots
    return car.encode_header(named) + b"".join(record(block) for block in blocks)


def car_v2(
    blocks: Sequence[RawBlock],
    roots: Sequence[bytes] | None = None,
    *,
    padding_bytes: int = 0,
    index: bytes = b"",
    characteristics: tuple[int, int] = (0, 0),
) -> bytes:
    """A CARv2 around the same CARv1, with room before the data and anything as its index."""
    inner = car_v1(blocks, roots)
    data_offset = V2_DATA_OFFSET + padding_bytes
    fields = v2_fields(data_offset, len(inner), data_offset + len(inner) if index else 0, characteristics)
    return PRAGMA + fields + bytes(padding_bytes) + inner + index


def v2_fields(
    data_offset: int, data_size: int, index_offset: int = 0, characteristics: tuple[int, int] = (0, 0)
) -> bytes:
    """The 40 bytes behind the pragma, true or not."""
    return struct.pack("<QQQQQ", *characteristics, data_offset, data_size, index_offset)


def header_of(value: Value) -> bytes:
    """A CAR header that holds any value."""
    body = dag_cbor.encode(value)
    return varint.encode(len(body)) + body


def malformed_cars() -> dict[str, BadCar]:
    """One CAR of each kind that cannot be read to its end, by what is wrong with it."""
    good = raw_blocks(3)
    root = CID.from_bytes(good[0].cid)
    v1 = car_v1(good)
    head = len(car.encode_header([good[0].cid]))
    last = len(v1) - len(record(good[2]))
    v2 = car_v2(good)

    def behind(section: bytes) -> bytes:
        return v1 + section

    end = len(v1)
    rows: dict[str, tuple[bytes, type[PinfoldError], int]] = {
        "empty file": (b"", MalformedCar, 0),
        "header cut off": (v1[: head - 3], MalformedCar, 0),
        "header of length zero": (b"\0" + v1, MalformedCar, 0),
        "header longer than allowed": (varint.encode(2**40) + v1, MalformedCar, 0),
        "header with an over-long varint": (b"\xff" * 12 + v1, MalformedCar, 0),
        "header that is no dag-cbor": (b"\x05hello" + v1, MalformedCar, 0),
        "header that is no map": (header_of([1, 2]), MalformedCar, 0),
        "header without a version": (header_of({"roots": [root]}), MalformedCar, 0),
        "header of version 42": (header_of({"roots": [root], "version": 42}), MalformedCar, 0),
        "header with roots that are a map": (header_of({"roots": {}, "version": 1}), MalformedCar, 0),
        "header with a root that is no CID": (header_of({"roots": [root.bytes], "version": 1}), MalformedCar, 0),
        "header with an unknown field": (header_of({"roots": [], "version": 1, "x": 1}), MalformedCar, 0),
        "record cut off in its length": (behind(b"\xff"), MalformedCar, end),
        "record cut off in its CID": (v1[: last + 10], MalformedCar, last),
        "record cut off in its data": (v1[:-1], MalformedCar, last),
        "record of length zero": (behind(b"\0"), MalformedCar, end),
        "record with a length that is not minimal": (behind(b"\x80\x00"), MalformedCar, end),
        "record with an over-long varint": (behind(b"\xff" * 10), MalformedCar, end),
        "record shorter than its CID": (behind(b"\x05" + good[0].cid), MalformedCar, end),
        "record that begins with no CID": (behind(b"\x28" + b"\x07" * 40), MalformedCar, end),
        "record with an unknown CID version": (behind(b"\x28\x02" + good[0].cid[1:] + b"abcd"), MalformedCar, end),
        "record far too long": (behind(varint.encode(2**40) + good[0].cid), BlockTooLarge, end),
        "block one byte too large": (behind(record(raw_block(bytes(MAX_BLOCK_BYTES + 1)))), BlockTooLarge, end),
        "v2 header cut off": (v2[:30], MalformedCar, 11),
        "v2 data inside the header": (PRAGMA + v2_fields(20, len(v1)) + v1, MalformedCar, 11),
        "v2 never finished": (PRAGMA + v2_fields(V2_DATA_OFFSET, 0) + v1, MalformedCar, 11),
        "v2 data cut off": (v2[:-1], MalformedCar, len(v2) - 1),
        "v2 data behind the end": (PRAGMA + v2_fields(10**12, len(v1)) + v1, MalformedCar, len(v2)),
        "v2 data smaller than its blocks": (
            PRAGMA + v2_fields(V2_DATA_OFFSET, len(v1) - 1) + v1,
            MalformedCar,
            V2_DATA_OFFSET + last,
        ),
        "v2 inside a v2": (PRAGMA + v2_fields(V2_DATA_OFFSET, len(v2)) + v2, MalformedCar, V2_DATA_OFFSET),
    }
    return {name: BadCar(*row) for name, row in rows.items()}


def untrusted_cars() -> dict[str, BadCar]:
    """CARs that can be read to their end, with one block in the middle that must not count."""
    good = raw_blocks(3)
    offset = len(car_v1(good[:2]))
    blocks: dict[str, tuple[RawBlock, type[PinfoldError]]] = {
        "corrupt block": (RawBlock(good[0].cid, b"other bytes"), BlockCorrupt),
        "corrupt dag-pb block": (RawBlock(CID.of(b"", codec=0x70, version=0).bytes, b"x"), BlockCorrupt),
        "shake-128": (_with_hash(0x18, bytes(32)), InsecureHash),
        "digest of 19 bytes": (_with_hash(multihash.SHA2_256, bytes(19)), InsecureHash),
        "unknown hash function": (_with_hash(0x3FFF, bytes(32)), UnknownHash),
        "identity of 129 bytes": (_with_hash(multihash.IDENTITY, bytes(129), bytes(129)), IdentityTooLarge),
        "identity that carries something else": (_with_hash(multihash.IDENTITY, b"a", b"b"), BlockCorrupt),
    }
    return {name: BadCar(car_v1([*good[:2], block, good[2]]), error, offset) for name, (block, error) in blocks.items()}


def _with_hash(code: int, digest: bytes, data: bytes = b"x") -> RawBlock:
    return RawBlock(b"\x01\x55" + multihash.wrap(code, digest), data)


MALFORMED_KINDS = tuple(malformed_cars())
UNTRUSTED_KINDS = tuple(untrusted_cars())
