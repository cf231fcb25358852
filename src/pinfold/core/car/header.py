"""The headers of a CAR: the CARv1 header, and the pragma and fixed header that CARv2 wraps around a CARv1.

Source:  ipld.io/specs/transport/car/carv1 and carv2.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from pinfold.core import varint
from pinfold.core.cid import CID
from pinfold.core.codec import dag_cbor
from pinfold.core.errors import InvalidVarint, MalformedBlock, MalformedCar
from pinfold.core.multihash import Buffer

MAX_HEADER_BYTES: Final = 1024 * 1024  # about 28,000 roots; what a hostile length may make us hold
V2_PRAGMA: Final = bytes.fromhex("0aa16776657273696f6e02")  # a CARv1 header that says version 2 and no more
_V2_FIELDS: Final = struct.Struct("<QQQQQ")
V2_HEADER_BYTES: Final = _V2_FIELDS.size
_LONGEST_FILE: Final = (1 << 63) - 1  # offsets in files are signed 64-bit numbers


class Header(NamedTuple):
    """The version that a CAR says it has, and its roots as binary CIDs (a CARv2's stand in its inner header)."""

    version: int
    roots: list[bytes]


class V2Header(NamedTuple):
    """Where the parts of a CARv2 are.

    Units:   byte offsets from the start of the file; ``index_offset`` 0 is no index. ``characteristics`` is the
             128-bit field as two 64-bit numbers.
    """

    characteristics: tuple[int, int]
    data_offset: int
    data_size: int
    index_offset: int


def encode_header(roots: Sequence[bytes]) -> bytes:
    """The CARv1 header, length included, that names ``roots`` (binary CIDs; none is fine)."""
    body = dag_cbor.encode({"roots": [CID.from_bytes(root) for root in roots], "version": 1})
    return varint.encode(len(body)) + body


def header_length(buffer: Buffer, offset: int = 0) -> tuple[int, int]:
    """How many bytes the header at ``offset`` has behind its length, and where they begin.  Raises: MalformedCar."""
    try:
        size, start = varint.decode(buffer, offset)
    except InvalidVarint as exc:
        raise MalformedCar(f"no CAR header at byte {offset}: {exc}") from None
    if size > MAX_HEADER_BYTES:
        raise MalformedCar(
            f"the CAR header at byte {offset} says that it has {size:,} bytes; at most {MAX_HEADER_BYTES:,} are read"
        )
    if size == 0:
        raise MalformedCar(f"the CAR header at byte {offset} is empty")
    return size, start


def parse_header(buffer: Buffer, offset: int = 0) -> tuple[Header, int]:
    """The header at ``offset`` and the offset behind it; the pragma of a CARv2 is a header of version 2 without roots.

    What Kubo reads is read: keys in any order, numbers not in their shortest form, ``roots`` null or absent, bytes
    behind the map.  An unknown field is refused, as Kubo does, and a field that appears twice, which Kubo takes.

    Raises:  MalformedCar.
    """
    size, start = header_length(buffer, offset)
    end = start + size
    if end > len(buffer):
        raise MalformedCar(f"the CAR header at byte {offset} is cut off at byte {len(buffer)}")
    try:
        value = dag_cbor.decode_loosely(bytes(buffer[start:end]))
    except MalformedBlock as exc:
        raise MalformedCar(f"the CAR header at byte {offset} cannot be read: {exc}") from None
    if not isinstance(value, dict):
        raise MalformedCar(f"the CAR header at byte {offset} is no map")
    version = value.get("version")
    if not isinstance(version, int) or isinstance(version, bool):
        raise MalformedCar(f"the CAR header at byte {offset} has no version")
    if version == 2 and len(value) == 1:
        return Header(2, []), end
    if version != 1:
        raise MalformedCar(f"the CAR header at byte {offset} has version {version}; known are 1 and 2")
    if extra := value.keys() - {"version", "roots"}:
        raise MalformedCar(f"the CAR header at byte {offset} has an unknown field {min(extra)!r}")
    roots = value.get("roots")
    if roots is None:  # null or absent: Kubo reads both as no roots
        roots = []
    if not isinstance(roots, list):
        raise MalformedCar(f"the CAR header at byte {offset} has roots that are no list")
    cids = [root.bytes for root in roots if isinstance(root, CID)]
    if len(cids) != len(roots):
        raise MalformedCar(f"the CAR header at byte {offset} has a root that is no CID")
    return Header(1, cids), end


def parse_v2_header(buffer: Buffer) -> V2Header:
    """What stands in the 40 bytes behind the pragma.  Raises: MalformedCar where no file can look like that."""
    start = len(V2_PRAGMA)
    if len(buffer) < V2_HEADER_BYTES:
        raise MalformedCar(f"the CARv2 header at byte {start} is cut off at byte {start + len(buffer)}")
    high, low, data_offset, data_size, index_offset = _V2_FIELDS.unpack_from(buffer)
    if data_offset < start + V2_HEADER_BYTES:
        raise MalformedCar(f"the CARv2 header at byte {start} puts its data at byte {data_offset}, inside of itself")
    if data_offset + data_size > _LONGEST_FILE:
        raise MalformedCar(
            f"the CARv2 header at byte {start} puts its data at bytes where no file reaches: {data_offset}"
        )
    if data_size == 0:
        raise MalformedCar(f"the CARv2 header at byte {start} says that there is no data; it was never finished")
    # The index is never read, so its offset may be anything.
    return V2Header((high, low), data_offset, data_size, index_offset)
