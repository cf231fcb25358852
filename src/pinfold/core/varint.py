"""Unsigned varints as multiformats use them: little-endian base 128, minimal, at most nine bytes."""

from __future__ import annotations

from pinfold.core.errors import InvalidVarint

MAX_VARINT_BYTES = 9  # the multiformats limit: 63 bits


def encode(value: int) -> bytes:
    """The varint of ``value`` (0 … 2**63 - 1)."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode(buffer: bytes | bytearray | memoryview, offset: int = 0) -> tuple[int, int]:
    """The value at ``offset`` and the offset behind it.

    Raises:  InvalidVarint when it is cut off, longer than nine bytes or not minimal.
    Source:  multiformats/unsigned-varint.
    """
    value = shift = 0
    end = len(buffer)
    for position in range(offset, offset + MAX_VARINT_BYTES):
        if position >= end:
            raise InvalidVarint(f"the varint at byte {offset} is cut off")
        byte = buffer[position]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0 and position > offset:
                raise InvalidVarint(f"the varint at byte {offset} is not minimal")
            return value, position + 1
        shift += 7
    raise InvalidVarint(f"the varint at byte {offset} is longer than {MAX_VARINT_BYTES} bytes")
