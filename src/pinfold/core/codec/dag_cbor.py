"""The codec dag-cbor, strict: every value has exactly one spelling, and no other is read.

libipld reads much faster, but gives links and byte strings as the same type, writes every byte string that looks like a
CID as a link, and reads numbers that are not minimal. So it is believed only where writing its value again gives the
same bytes: then the block is canonical, and its links are exactly the byte strings that libipld writes as links.
Everything else, and every refusal, is judged by ``_read_strictly``.

Source:  ipld.io/specs/codecs/dag-cbor.
"""

from __future__ import annotations

import math
import struct
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import chain
from typing import Any, Final, NoReturn

from pinfold.core.binary_cid import check_cid
from pinfold.core.cid import CID
from pinfold.core.codec.value import MAX_DEPTH, MAX_INT, MIN_INT, Value
from pinfold.core.errors import InvalidCID, InvalidVarint, MalformedBlock, PinfoldError

_FLOAT: Final = struct.Struct(">d")
_UINT, _NEGATIVE, _BYTES, _TEXT, _LIST, _MAP, _TAG = range(7)
_FALSE, _TRUE, _NULL, _DOUBLE = 20, 21, 22, 27
_LINK_TAG: Final = 42
_LINK_HEAD: Final = b"\xd8\x2a"
_LARGE_BYTES: Final = 64 << 10
_large: Final = threading.Lock()
"""Two MiB of empty maps are 150 MB of objects: links of large blocks are looked for in one thread at a time."""
_SMALLEST: Final = {24: 24, 25: 1 << 8, 26: 1 << 16, 27: 1 << 32}  # what needs that many bytes


class _Open:
    """A list or map whose items are still coming."""

    __slots__ = ("container", "key", "left", "previous")

    def __init__(self, container: list[Value] | dict[str, Value], left: int) -> None:
        self.container = container
        self.left = left
        self.key = ""
        self.previous: tuple[int, bytes] = (-1, b"")


def decode(data: bytes) -> Value:
    """The value that ``data`` spells.  Raises: MalformedBlock."""
    return _read(data)[0]


def decode_loosely(data: bytes) -> Value:
    """The value at the start of ``data``, also where keys are out of order, numbers are not in their shortest form, or
    bytes follow.  A key that appears twice is still refused: readers would disagree on its value.

    For what is never hashed, as the header of a CAR.

    Raises:  MalformedBlock.
    """
    return _read_strictly(data, "strict", loose=True)[0]


def links(data: bytes) -> list[bytes]:
    """The binary CIDs in a block, in order.

    Strings that are not UTF-8 do not hide the links beside them: there are chains that have such blocks for good.

    Raises:  MalformedBlock for what else ``decode`` refuses.
    """
    import libipld

    with _large if len(data) > _LARGE_BYTES else nullcontext():
        try:
            value = libipld.decode_dag_cbor(data)
            if libipld.encode_dag_cbor(value) == data:
                # Nothing is nested deeper than there are bytes; most nodes of most DAGs end here.
                return [] if len(data) <= MAX_DEPTH and _LINK_HEAD not in data else _links_in(data, value)
        except (ValueError, OverflowError, RecursionError, PinfoldError):
            pass
        return _read_strictly(data, "surrogateescape")[1]


def _read(data: bytes) -> tuple[Value, list[bytes]]:
    """The value and its links."""
    import libipld  # a compiled module that runs over files and folders never need

    try:
        value = libipld.decode_dag_cbor(data)
        if libipld.encode_dag_cbor(value) == data:
            return _restore_links(data, value)
    except (ValueError, OverflowError, RecursionError, PinfoldError):
        pass
    return _read_strictly(data, "strict")


def _links_in(data: bytes, value: Value) -> list[bytes]:
    """The links in what libipld read, in order."""
    from libipld import encode_dag_cbor

    may_link = _LINK_HEAD in data
    found: list[bytes] = []
    walk: list[Iterator[Value]] = [iter((value,))]
    while walk:
        for item in walk[-1]:
            if isinstance(item, list | dict):
                if len(walk) > MAX_DEPTH:
                    raise MalformedBlock(f"no valid dag-cbor: it is nested deeper than {MAX_DEPTH}")
                if item:
                    walk.append(iter(item.values() if isinstance(item, dict) else item))
                    break
            elif may_link and isinstance(item, bytes) and encode_dag_cbor(item)[:2] == _LINK_HEAD:
                found.append(check_cid(item))
        else:
            walk.pop()
    return found


def _restore_links(data: bytes, value: Value) -> tuple[Value, list[bytes]]:
    """What libipld read, with its links as ``CID`` again, and they in order."""
    from libipld import encode_dag_cbor

    may_link = _LINK_HEAD in data
    found: list[bytes] = []
    top: list[Value] = [value]
    # Each row is a list or map that is being walked, and its items by index or key.
    walk: list[tuple[Any, Iterator[tuple[Any, Value]]]] = [(top, enumerate(top))]
    while walk:
        container, items = walk[-1]
        for key, item in items:
            if isinstance(item, list | dict):
                if len(walk) > MAX_DEPTH:
                    raise MalformedBlock(f"no valid dag-cbor: it is nested deeper than {MAX_DEPTH}")
                walk.append((item, iter(item.items()) if isinstance(item, dict) else enumerate(item)))
                break
            if may_link and isinstance(item, bytes) and encode_dag_cbor(item)[:2] == _LINK_HEAD:
                container[key] = CID.from_bytes(item)
                found.append(item)
        else:
            walk.pop()
    return top[0], found


def _read_strictly(data: bytes, errors: str, *, loose: bool = False) -> tuple[Value, list[bytes]]:
    """The value and its links, in one pass and without recursion.  Raises: MalformedBlock."""
    position, found = 0, []
    open_: list[_Open] = []
    value: Value
    try:
        while True:
            top = open_[-1] if open_ else None
            if top is not None and isinstance(top.container, dict):
                position = _read_key(data, position, top, errors, loose)
            start = position
            major = data[position] >> 5
            argument, position = _head(data, position, loose)
            if major == _UINT:
                value = argument
            elif major == _TEXT:
                value, position = _text(data, position, argument, errors), position + argument
            elif major == _BYTES:
                value, position = _take(data, position, argument), position + argument
            elif major == _NEGATIVE:
                value = -1 - argument
            elif major in (_LIST, _MAP):
                # Each item takes at least a byte (two in a map): no memory for what cannot be there.
                if argument * (major - 3) > len(data) - position:
                    _refuse(start, "it announces more items than there are bytes")
                value = [] if major == _LIST else {}
                if argument:
                    if len(open_) >= MAX_DEPTH:
                        _refuse(start, f"it is nested deeper than {MAX_DEPTH}")
                    open_.append(_Open(value, argument))
                    continue
            elif major == _TAG:
                cid, position = _link(data, start, argument, position, loose)
                found.append(cid)
                value = CID.from_bytes(cid)
            else:
                value = _simple(data, start, argument)
            # A value is whole: put it where it belongs, and close what it completes.
            while open_:
                top = open_[-1]
                if isinstance(top.container, dict):
                    top.container[top.key] = value
                else:
                    top.container.append(value)
                top.left -= 1
                if top.left:
                    break
                value = top.container
                open_.pop()
            if not open_:
                break
    except IndexError:
        _refuse(len(data), "it is cut off")
    if position != len(data) and not loose:
        _refuse(position, "something stands behind the value")
    return value, found


def _head(data: bytes, position: int, loose: bool = False) -> tuple[int, int]:
    """The argument of the item at ``position`` and the offset behind it; for major type 7 a float's bits too."""
    first = data[position]
    info = first & 0x1F
    if info < 24:
        return info, position + 1
    if info > 27:
        _refuse(position, "an indefinite length or a reserved form")
    end = position + 1 + (1 << (info - 24))
    if end > len(data):
        _refuse(position, "it is cut off")
    argument = int.from_bytes(data[position + 1 : end], "big")
    if first < 0xE0 and argument < _SMALLEST[info] and not loose:
        _refuse(position, "a number that is not written in its shortest form")
    return argument, end


def _take(data: bytes, position: int, size: int) -> bytes:
    if position + size > len(data):
        _refuse(position, "it is cut off")
    return data[position : position + size]


def _text(data: bytes, position: int, size: int, errors: str) -> str:
    try:
        return _take(data, position, size).decode("utf-8", errors)
    except UnicodeDecodeError:
        _refuse(position, "a string that is not UTF-8")


def _read_key(data: bytes, position: int, top: _Open, errors: str, loose: bool) -> int:
    """Read the next key of a map; keys come shorter first, then by bytes, none twice."""
    if data[position] >> 5 != _TEXT:
        _refuse(position, "a map key that is no string")
    size, start = _head(data, position, loose)
    top.key = _text(data, start, size, errors)
    order = (size, data[start : start + size])
    if top.key in top.container:
        _refuse(position, f"the map key {top.key!r} twice")
    if order <= top.previous and not loose:
        _refuse(position, f"the map key {top.key!r} is not in its place")
    top.previous = order
    return start + size


def _link(data: bytes, start: int, tag: int, position: int, loose: bool) -> tuple[bytes, int]:
    """The binary CID of a tagged item and the offset behind it."""
    if tag != _LINK_TAG:
        _refuse(start, f"the tag {tag} (only 42, a link, has a meaning)")
    if data[position] >> 5 != _BYTES:
        _refuse(start, "a link that is no byte string")
    size, position = _head(data, position, loose)
    content = _take(data, position, size)
    if content[:1] != b"\0":
        _refuse(start, "a link without the multibase prefix 0x00")
    try:
        return check_cid(content[1:]), position + size
    except (InvalidCID, InvalidVarint) as exc:
        _refuse(start, f"a link without a valid CID: {exc}")


def _simple(data: bytes, start: int, argument: int) -> Value:
    info = data[start] & 0x1F
    if info == _DOUBLE:
        number: float = _FLOAT.unpack_from(data, start + 1)[0]
        if not math.isfinite(number):
            _refuse(start, "a number that is not finite")
        return number
    if info == _NULL:
        return None
    if info in (_TRUE, _FALSE):
        return info == _TRUE
    _refuse(start, "a simple value or a short float that DAG-CBOR does not know")


def _refuse(position: int, why: str) -> NoReturn:
    raise MalformedBlock(f"no valid dag-cbor: {why} (byte {position})")


def encode(value: Value) -> bytes:
    """The one block that spells ``value``.  Raises: MalformedBlock for what DAG-CBOR cannot carry."""
    out = bytearray()
    pending: list[Iterator[Value]] = [iter((value,))]
    while pending:
        for item in pending[-1]:
            if isinstance(item, list | dict):
                if len(pending) > MAX_DEPTH:
                    raise MalformedBlock(f"a value nested deeper than {MAX_DEPTH} is no dag-cbor")
                out += _write_head(_LIST if isinstance(item, list) else _MAP, len(item))
                pending.append(iter(item) if isinstance(item, list) else _in_order(item))
                break
            _write_scalar(out, item)
        else:
            pending.pop()
    return bytes(out)


def _in_order(item: dict[str, Value]) -> Iterator[Value]:
    """The keys and values of a map, one after the other, in DAG-CBOR's order."""
    for key in item:
        if not isinstance(key, str):
            raise MalformedBlock(f"a map key must be a string, not {type(key).__name__}")
    ordered = sorted(item.items(), key=lambda pair: (len(encoded := _utf8(pair[0])), encoded))
    return chain.from_iterable(ordered)


def _utf8(text: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise MalformedBlock(f"the string {text!r} has characters that UTF-8 does not") from None


def _write_scalar(out: bytearray, item: Value) -> None:
    if item is None or isinstance(item, bool):
        out.append(0xE0 | (_NULL if item is None else _TRUE if item else _FALSE))
    elif isinstance(item, int):
        if not MIN_INT <= item <= MAX_INT:
            raise MalformedBlock(f"{item} does not fit into 64 bits")
        out += _write_head(_UINT, item) if item >= 0 else _write_head(_NEGATIVE, -1 - item)
    elif isinstance(item, float):
        if not math.isfinite(item):
            raise MalformedBlock(f"{item} is not finite")
        out.append(0xE0 | _DOUBLE)
        out += _FLOAT.pack(item)
    elif isinstance(item, str):
        text = _utf8(item)
        out += _write_head(_TEXT, len(text)) + text
    elif isinstance(item, bytes):
        out += _write_head(_BYTES, len(item)) + item
    elif isinstance(item, CID):
        out += _write_head(_TAG, _LINK_TAG) + _write_head(_BYTES, len(item.bytes) + 1) + b"\0" + item.bytes
    else:
        raise MalformedBlock(f"the data model has no {type(item).__name__}")


def _write_head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes((major << 5 | argument,))
    for info, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes((major << 5 | info,)) + argument.to_bytes(size, "big")
    raise MalformedBlock("a length over 64 bits")
