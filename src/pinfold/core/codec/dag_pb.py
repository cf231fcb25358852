"""The codec dag-pb: the nodes that files and folders are made of.

Two shapes: ``PBNode`` with names as bytes (a file name need not be UTF-8), which the program works on, and the IPLD
data model (``to_value``, ``from_value``), which people see. ``links`` is the hot path: it checks all that ``decode``
checks and makes nothing but the CIDs.

Source:  ipld.io/specs/codecs/dag-pb.
"""

from __future__ import annotations

from typing import Final, NamedTuple, NoReturn

from pinfold.core import varint
from pinfold.core.binary_cid import check_cid
from pinfold.core.cid import CID
from pinfold.core.codec.value import Value
from pinfold.core.errors import InvalidCID, InvalidVarint, MalformedBlock

_MAX_TSIZE: Final = 2**64 - 1
_BYTE: Final = [bytes((number,)) for number in range(0x80)]  # varints of one byte


class PBLink(NamedTuple):
    """One link: a binary CID, the name as bytes, and the size that the link claims."""

    cid: bytes
    name: bytes | None
    tsize: int | None


class PBNode(NamedTuple):
    """One node. ``data=None`` (no field) and ``data=b""`` (an empty one) are different blocks."""

    links: list[PBLink]
    data: bytes | None


def decode(data: bytes) -> PBNode:
    """The node that ``data`` spells.  Raises: MalformedBlock."""
    links: list[PBLink] = []
    body: bytes | None = None
    position, end, gap = 0, len(data), False
    try:
        while position < end:
            tag = data[position]
            size, start = _size(data, position + 1)
            position = start + size
            if position > end:
                _refuse(start, "a field is cut off")
            if tag == 0x12:
                if gap and links:
                    _refuse(start, "links on both sides of the data")
                gap = False
                links.append(_link(data, start, position))
            elif tag == 0x0A:
                if body is not None:
                    _refuse(start, "data twice")
                body, gap = data[start:position], True
            else:
                _refuse(start - 1, f"the field tag {tag:#04x} has no place in a node")
    except IndexError:
        _refuse(end, "a field is cut off")
    return PBNode(links, body)


def links(data: bytes) -> list[bytes]:
    """The binary CIDs that a node links to, in order; refuses exactly what ``decode`` refuses.

    Raises:  MalformedBlock.
    """
    found: list[bytes] = []
    position, end = 0, len(data)
    seen_data = gap = False
    try:
        while position < end:
            tag = data[position]
            size = data[position + 1]
            start = position + 2
            if size >= 0x80:
                size, start = _size(data, position + 1)
            position = start + size
            if position > end:
                _refuse(start, "a field is cut off")
            if tag == 0x12:
                if gap and found:
                    _refuse(start, "links on both sides of the data")
                gap = False
                # What nearly every link looks like: sha2-256, a name under 128 bytes, a size.
                cid_size = data[start + 1] if size > 35 else 0
                if cid_size == 36:
                    cid = data[start + 2 : start + 38]
                    plain = cid[2:4] == b"\x12\x20" and cid[0] == 1 and cid[1] < 0x80
                elif cid_size == 34:
                    cid = data[start + 2 : start + 36]
                    plain = cid[:2] == b"\x12\x20"
                else:
                    cid, plain = b"", False
                at = start + 2 + cid_size
                if plain and data[start] == 0x0A and at + 2 < position and data[at] == 0x12 and data[at + 1] < 0x80:
                    at += 2 + data[at + 1]
                    # A size of up to nine bytes cannot overflow; the long way judges the rest.
                    if 1 < position - at < 11 and data[at] == 0x18 and data[position - 1] < 0x80:
                        at += 1
                        while data[at] >= 0x80:
                            at += 1
                        if at == position - 1:
                            found.append(cid)
                            continue
                found.append(_link(data, start, position).cid)
            elif tag == 0x0A:
                if seen_data:
                    _refuse(start, "data twice")
                seen_data = gap = True
            else:
                _refuse(start - 1, f"the field tag {tag:#04x} has no place in a node")
    except IndexError:
        _refuse(end, "a field is cut off")
    return found


def _link(data: bytes, position: int, end: int) -> PBLink:
    """The link between two offsets; the three fields come in their order, each at most once."""
    cid: bytes | None = None
    name: bytes | None = None
    tsize: int | None = None
    while position < end:
        tag = data[position]
        size, start = _size(data, position + 1)
        if tag == 0x18:
            if tsize is not None:
                _refuse(position, "a link with two sizes")
            if start > end:
                _refuse(position, "a link's size is cut off")
            tsize, position = size, start
            continue
        if start + size > end:
            _refuse(position, "a link's field is cut off")
        if tag == 0x0A:
            if cid is not None:
                _refuse(position, "a link with two CIDs")
            if name is not None or tsize is not None:
                _refuse(position, "a link whose CID does not come first")
            cid = data[start : start + size]
            try:
                check_cid(cid)
            except (InvalidCID, InvalidVarint) as exc:
                _refuse(start, f"a link without a valid CID: {exc}")
        elif tag == 0x12:
            if name is not None:
                _refuse(position, "a link with two names")
            if tsize is not None:
                _refuse(position, "a link whose name comes behind its size")
            name = data[start : start + size]
        else:
            _refuse(position, f"the field tag {tag:#04x} has no place in a link")
        position = start + size
    if cid is None:
        _refuse(position, "a link without a CID")
    return PBLink(cid, name, tsize)


def _size(data: bytes, position: int) -> tuple[int, int]:
    """A protobuf varint of up to 64 bits and the offset behind it; protobuf does not ask that it is minimal."""
    byte = data[position]
    if byte < 0x80:
        return byte, position + 1
    value = shift = 0
    start = position
    while True:
        byte = data[position]
        value |= (byte & 0x7F) << shift
        position += 1
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            _refuse(start, "a number longer than ten bytes")
    if value > _MAX_TSIZE:
        _refuse(start, "a number over 64 bits")
    return value, position


def _refuse(position: int, why: str) -> NoReturn:
    raise MalformedBlock(f"no valid dag-pb: {why} (byte {position})")


def encode(node: PBNode, *, sort: bool = True) -> bytes:
    """The block of a node: links first, then the data.

    ``sort`` orders the links by the bytes of their names, equal names as they came, as every dag-pb writer does.
    ``sort=False`` writes them as they are, for a node that came from elsewhere and must keep its CID.
    """
    links = sorted(node.links, key=_name_of) if sort else node.links
    out = bytearray()
    for cid, name, tsize in links:
        size = len(cid)
        body = b"\x0a" + (_BYTE[size] if size < 0x80 else varint.encode(size)) + cid
        if name is not None:
            size = len(name)
            body += b"\x12" + (_BYTE[size] if size < 0x80 else varint.encode(size)) + name
        if tsize is not None:
            body += b"\x18" + (_BYTE[tsize] if tsize < 0x80 else varint.encode(tsize))
        size = len(body)
        out += b"\x12" + (_BYTE[size] if size < 0x80 else varint.encode(size))
        out += body
    if node.data is not None:
        out += b"\x0a" + varint.encode(len(node.data))
        out += node.data
    return bytes(out)


def _name_of(link: PBLink) -> bytes:
    return link.name or b""


def to_value(node: PBNode) -> Value:
    """The node in the data model: ``{"Data": bytes, "Links": [{"Hash", "Name", "Tsize"}]}``.

    Names that are not UTF-8 carry surrogate escapes.
    """
    links: list[Value] = []
    for cid, name, tsize in node.links:
        link: dict[str, Value] = {"Hash": CID.from_bytes(cid)}
        if name is not None:
            link["Name"] = name.decode("utf-8", "surrogateescape")
        if tsize is not None:
            link["Tsize"] = tsize
        links.append(link)
    return {"Links": links} if node.data is None else {"Data": node.data, "Links": links}


def from_value(value: Value) -> PBNode:
    """The node that a value of the data model describes; nothing is guessed or put in order.

    Raises:  MalformedBlock for any other form, and for links that are not sorted by name.
    """
    if not isinstance(value, dict):
        raise MalformedBlock("a dag-pb node is a map with Links and perhaps Data")
    if extra := value.keys() - {"Data", "Links"}:
        raise MalformedBlock(f"a dag-pb node has no field {min(extra)!r}")
    data = value.get("Data")
    if not isinstance(data, bytes) and "Data" in value:
        raise MalformedBlock("Data of a dag-pb node must be bytes")
    rows = value.get("Links")
    if not isinstance(rows, list):
        raise MalformedBlock("Links of a dag-pb node must be a list")
    links = [_link_from_value(row) for row in rows]
    names = [_name_of(link) for link in links]
    if names != sorted(names):
        raise MalformedBlock("Links of a dag-pb node must be sorted by the bytes of their names")
    return PBNode(links, data if isinstance(data, bytes) else None)


def _link_from_value(row: Value) -> PBLink:
    if not isinstance(row, dict):
        raise MalformedBlock("a dag-pb link is a map with Hash, and perhaps Name and Tsize")
    if extra := row.keys() - {"Hash", "Name", "Tsize"}:
        raise MalformedBlock(f"a dag-pb link has no field {min(extra)!r}")
    cid, name, tsize = row.get("Hash"), row.get("Name"), row.get("Tsize")
    if not isinstance(cid, CID):
        raise MalformedBlock("Hash of a dag-pb link must be there and be a CID")
    encoded: bytes | None = None
    if "Name" in row:
        if not isinstance(name, str):
            raise MalformedBlock("Name of a dag-pb link must be a string")
        try:
            encoded = name.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise MalformedBlock("Name of a dag-pb link has characters that UTF-8 does not") from None
    if "Tsize" not in row:
        return PBLink(cid.bytes, encoded, None)
    if not isinstance(tsize, int) or isinstance(tsize, bool) or not 0 <= tsize <= _MAX_TSIZE:
        raise MalformedBlock("Tsize of a dag-pb link must be a whole number that is not negative")
    return PBLink(cid.bytes, encoded, tsize)
