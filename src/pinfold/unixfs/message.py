"""The UnixFS ``Data`` message: what a dag-pb node says about the file or folder it stands for.

Written by hand: encoding is exact to the byte (CIDs depend on it), decoding refuses what protobuf would refuse and what
UnixFS leaves no meaning for.  Unknown fields are passed over, as every reader does.

Source:  specs.ipfs.tech/unixfs, "Data"; boxo `ipld/unixfs/pb/unixfs.proto`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple, NoReturn

from pinfold.core import varint
from pinfold.core.errors import NotUnixFS

RAW: Final = 0
DIRECTORY: Final = 1
FILE: Final = 2
METADATA: Final = 3
SYMLINK: Final = 4
HAMT: Final = 5
KIND_NAMES: Final = ("raw", "directory", "file", "metadata", "symlink", "HAMT shard")

HAMT_HASH: Final = 0x22  # murmur3-x64-64
MODE_BITS: Final = 0o7777  # permissions with setuid, setgid and sticky; the rest of the field has no meaning yet
_NANOSECONDS: Final = 1_000_000_000
_UINT64: Final = 2**64


class Metadata(NamedTuple):
    """What a file system knows beside the content; ``mtime`` in seconds since 1970 (also before) and nanoseconds."""

    mode: int | None = None
    mtime: tuple[int, int] | None = None


class Message(NamedTuple):
    """One decoded ``Data`` message; absent fields are ``None``."""

    kind: int
    data: bytes | None
    filesize: int | None
    blocksizes: list[int]
    hash_type: int | None
    fanout: int | None
    mode: int | None
    mtime: tuple[int, int] | None


def encode_file(kind: int, size: int, blocksizes: Iterable[int] = (), metadata: Metadata | None = None) -> bytes:
    """The message of a file node without bytes of its own; ``kind`` is FILE, or RAW for a trickle leaf."""
    sizes = b"".join([b"\x20" + varint.encode(each) for each in blocksizes])
    return bytes((0x08, kind, 0x18)) + varint.encode(size) + sizes + encode_metadata(metadata)


def leaf_frame(kind: int, size: int, metadata: Metadata | None = None) -> tuple[bytes, bytes]:
    """What stands before and behind the ``size`` bytes of a chunk (not none) in the message of its leaf."""
    length = varint.encode(size)
    return bytes((0x08, kind, 0x12)) + length, b"\x18" + length + encode_metadata(metadata)


def encode_directory(metadata: Metadata | None = None) -> bytes:
    """The message of a flat folder."""
    return bytes((0x08, DIRECTORY)) + encode_metadata(metadata)


def encode_hamt(bitfield: bytes, fanout: int, metadata: Metadata | None = None) -> bytes:
    """The message of one shard of a folder."""
    head = bytes((0x08, HAMT, 0x12)) + varint.encode(len(bitfield)) + bitfield
    return head + bytes((0x28, HAMT_HASH, 0x30)) + varint.encode(fanout) + encode_metadata(metadata)


def encode_symlink(target: bytes, metadata: Metadata | None = None) -> bytes:
    """The message of a symbolic link; it has no size field."""
    return bytes((0x08, SYMLINK, 0x12)) + varint.encode(len(target)) + target + encode_metadata(metadata)


def encode_metadata(metadata: Metadata | None) -> bytes:
    """The fields mode and mtime; a mode of 0 and nanoseconds of 0 are not written, as Kubo does not."""
    if metadata is None:
        return b""
    out = b""
    if metadata.mode is not None and (mode := metadata.mode & MODE_BITS):
        out = b"\x38" + varint.encode(mode)
    if metadata.mtime is not None:
        seconds, nanoseconds = metadata.mtime
        stamp = b"\x08" + varint.encode(seconds % _UINT64)  # two's complement, as protobuf writes an int64
        if nanoseconds:
            stamp += b"\x15" + nanoseconds.to_bytes(4, "little")
        out += b"\x42" + varint.encode(len(stamp)) + stamp
    return out


def decode(data: bytes) -> Message:
    """The message that ``data`` spells.

    A modification time that cannot be (nanoseconds outside of a second) counts as absent.

    Raises:  NotUnixFS.
    """
    kind: int | None = None
    body: bytes | None = None
    filesize = hash_type = fanout = mode = None
    mtime: tuple[int, int] | None = None
    blocksizes: list[int] = []
    for field, value in _fields(data):
        if field == 2 or field == 8:
            if not isinstance(value, bytes):
                _refuse(f"field {field} is a number")
            if field == 2:
                body = value
            else:
                mtime = _decode_mtime(value)
        elif field == 4 and isinstance(value, bytes):
            blocksizes += _packed(value)
        elif field > 8:
            continue
        elif not isinstance(value, int):
            _refuse(f"field {field} is no number")
        elif field == 1:
            kind = value
        elif field == 3:
            filesize = value
        elif field == 4:
            blocksizes.append(value)
        elif field == 5:
            hash_type = value
        elif field == 6:
            fanout = value
        else:
            mode = value & MODE_BITS
    if kind is None:
        _refuse("it has no type")
    if kind > HAMT:
        _refuse(f"there is no type {kind}")
    return Message(kind, body, filesize, blocksizes, hash_type, fanout, mode, mtime)


def _decode_mtime(data: bytes) -> tuple[int, int] | None:
    seconds: int | None = None
    nanoseconds = 0
    for field, value in _fields(data):
        if field == 1:
            if not isinstance(value, int):
                _refuse("the seconds are no number")
            seconds = value - _UINT64 if value >= _UINT64 // 2 else value
        elif field == 2:
            if not isinstance(value, bytes) or len(value) != 4:
                _refuse("the nanoseconds are no 32-bit number")
            nanoseconds = int.from_bytes(value, "little")
    if seconds is None:
        _refuse("a modification time without seconds")
    return (seconds, nanoseconds) if nanoseconds < _NANOSECONDS else None


def _fields(data: bytes) -> Iterable[tuple[int, int | bytes]]:
    """Field numbers and values: a number for a varint, bytes for everything else."""
    position, end = 0, len(data)
    while position < end:
        tag, position = _varint(data, position)
        field, wire = tag >> 3, tag & 7
        if field == 0:
            _refuse(f"there is no field 0 (byte {position})")
        if wire == 0:
            number, position = _varint(data, position)
            yield field, number
            continue
        if wire == 2:
            size, position = _varint(data, position)
        elif wire == 1 or wire == 5:
            size = 8 if wire == 1 else 4
        else:
            _refuse(f"there is no wire type {wire} (byte {position})")
        if size > end - position:
            _refuse(f"a field is cut off (byte {position})")
        yield field, data[position : position + size]
        position += size


def _packed(data: bytes) -> list[int]:
    numbers, position = [], 0
    while position < len(data):
        number, position = _varint(data, position)
        numbers.append(number)
    return numbers


def _varint(data: bytes, position: int) -> tuple[int, int]:
    """A protobuf varint: up to ten bytes, need not be minimal."""
    value = shift = 0
    for index in range(position, min(position + 10, len(data))):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value >= _UINT64:
                _refuse(f"a number over 64 bits (byte {position})")
            return value, index + 1
        shift += 7
    _refuse(f"a number is cut off or too long (byte {position})")


def _refuse(why: str) -> NoReturn:
    raise NotUnixFS(f"no UnixFS: {why}")
