"""Where content paths lead: names of folders, names of links, keys and numbers inside structured blocks."""

from __future__ import annotations

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of
from pinfold.core.cid import CID, DAG_PB, RAW
from pinfold.core.codec import Value, dag_pb
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import NotADirectory, NotUnixFS, PathNotFound
from pinfold.node.model import Resolved
from pinfold.unixfs import message
from pinfold.unixfs.dag import Get, block_of
from pinfold.unixfs.read import lookup


def as_path(path: str | CID | ContentPath) -> ContentPath:
    """Any spelling of a path as a ``ContentPath``.  Raises: InvalidPath, InsecureHash, IdentityTooLarge."""
    if isinstance(path, ContentPath):
        return path
    return ContentPath(path) if isinstance(path, CID) else ContentPath.parse(path)


def resolve(read: Get, path: ContentPath) -> Resolved:
    """Follow a path to its last block; what goes on inside that block is the remainder.

    A path that ends on a link to another block leads to that block.

    Raises:  PathNotFound, NotADirectory where it goes on behind a file, BlockNotFound, MalformedBlock, UnknownCodec,
             BlockCorrupt.
    """
    cid, names = path.root.bytes, path.names
    at = 0
    while at < len(names):
        if codec_of(cid) in (RAW, DAG_PB):
            cid = _below(cid, names[at], read)
            at += 1
            continue
        value, taken = _inside(codec.decode(codec_of(cid), block_of(cid, read)), path.segments[at:], cid)
        if not isinstance(value, CID):
            return Resolved(CID.from_bytes(cid), path.segments[at:])
        cid = value.bytes
        at += taken
    return Resolved(path.root if not names else CID.from_bytes(cid), ())


def resolve_to_cid(read: Get, path: ContentPath) -> CID:
    """The block that a path leads to.  Raises: as ``resolve``; PathNotFound where it leads into a block."""
    found = resolve(read, path)
    if found.remainder:
        raise PathNotFound(
            f"{path} is no block of its own: it is a value inside block {found.cid}",
            hint="`pinfold dag get` shows it.",
        )
    return found.cid


def value_at(value: Value, segments: tuple[str, ...], cid: CID) -> Value:
    """What a remainder names inside a block.  Raises: PathNotFound."""
    return _inside(value, segments, cid.bytes)[0]


def _below(cid: bytes, name: bytes, read: Get) -> bytes:
    """The CID under a name of a folder, or of any other dag-pb node."""
    if codec_of(cid) == RAW:
        raise NotADirectory(f"{CID.from_bytes(cid)} is a file: there is no {_shown(name)} in it")
    try:
        found = lookup(cid, name, read)
    except NotUnixFS:
        node = dag_pb.decode(block_of(cid, read))
        if _is_unixfs(node.data):  # then it is a block further below that is none
            raise
        found = next((link.cid for link in node.links if link.name == name), None)
    if found is None:
        raise PathNotFound(f"there is no {_shown(name)} under {CID.from_bytes(cid)}")
    return found


def _is_unixfs(data: bytes | None) -> bool:
    try:
        message.decode(data or b"")
    except NotUnixFS:
        return False
    return True


def _inside(value: Value, segments: tuple[str, ...], cid: bytes) -> tuple[Value, int]:
    """The value that the segments lead to, or the first link on the way, and how many segments that took."""
    for taken, segment in enumerate(segments):
        if isinstance(value, CID):
            return value, taken
        if isinstance(value, dict) and segment in value:
            value = value[segment]
        elif isinstance(value, list) and segment.isascii() and segment.isdigit() and _index(segment) < len(value):
            value = value[int(segment)]
        else:
            raise PathNotFound(f"there is no {segment!r} under {CID.from_bytes(cid)}")
    return value, len(segments)


def _index(segment: str) -> int:
    return int(segment) if len(segment) < 10 else 1 << 62  # no block has so many; int() refuses thousands of digits


def _shown(name: bytes) -> str:
    return repr(name.decode("utf-8", "surrogateescape"))
