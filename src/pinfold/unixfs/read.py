"""Reading files and folders: what a node is, which names it has, where the bytes of a range lie."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pinfold.core.binary_cid import codec_of
from pinfold.core.cid import RAW
from pinfold.core.errors import (
    DagTooDeep,
    InvalidInput,
    NotADirectory,
    NotAFile,
    NotUnixFS,
)
from pinfold.unixfs import hamt, message
from pinfold.unixfs.dag import Entry, Get, block_of, is_identity
from pinfold.unixfs.message import Message
from pinfold.unixfs.node import Node, load_node, refuse

__all__ = ["Entry", "Get", "Info", "Slice", "inspect", "list_directory", "lookup", "slices"]

MAX_DEPTH: Final = 256  # a balanced file of 2**63 one-byte chunks with two links a node has 63 levels
MAX_FILE_BYTES: Final = 2**63 - 1  # what file systems and HTTP ranges can count

Kind = Literal["file", "raw", "directory", "hamt", "symlink"]
_KINDS: Final[dict[int, Kind]] = {
    message.RAW: "file",
    message.FILE: "file",
    message.DIRECTORY: "directory",
    message.HAMT: "hamt",
    message.SYMLINK: "symlink",
}


@dataclass(frozen=True, slots=True)
class Info:
    """What one node says of itself.

    ``size`` is the bytes of a file (of a link's target, of a raw block), ``None`` for folders.  ``tsize`` adds up the
    block and what its links claim; ``links`` counts them; ``block_bytes`` is the block alone.
    """

    kind: Kind
    size: int | None
    block_bytes: int
    tsize: int
    links: int
    mode: int | None = None
    mtime: tuple[int, int] | None = None
    target: bytes | None = None


class Slice(NamedTuple):
    """Part of a file: either the bytes (``data``), or where they lie: ``length`` bytes of a raw block from ``offset``.

    The block was not read then; its reader must refuse one that is shorter than ``offset + length``.
    """

    cid: bytes | None
    offset: int
    length: int
    data: bytes | None


def inspect(cid: bytes, get: Get, *, size_of: Callable[[bytes], int] | None = None) -> Info:
    """What the node of a binary CID is; with ``size_of`` (as in ``slices``) a raw block is not read for it.

    Raises:  NotUnixFS, MalformedBlock, UnknownCodec for codecs other than raw and dag-pb, and what ``get`` raises.
    """
    if codec_of(cid) == RAW:
        length = size_of(cid) if size_of is not None else len(block_of(cid, get))
        return Info("raw", length, length, length, 0)
    block, links, body = node = load_node(cid, get)
    kind = _KINDS.get(body.kind)
    if kind is None:
        refuse(cid, f"is a {message.KIND_NAMES[body.kind]} node, which is neither file nor folder", NotUnixFS)
    size = target = None
    if kind == "file":
        size = _file_size(cid, node)
    elif kind == "symlink":
        target = body.data or b""
        size = len(target)
    tsize = len(block) + sum(link.tsize or 0 for link in links)
    return Info(kind, size, len(block), tsize, len(links), body.mode, body.mtime, target)


def lookup(cid: bytes, name: bytes, get: Get) -> bytes | None:
    """The CID that a folder has under a name, ``None`` where it has none.

    Shape:   of a HAMT only the shards on the way are read.
    Raises:  NotADirectory, NotUnixFS, MalformedBlock, UnknownCodec, and what ``get`` raises.
    """
    node = _load_directory(cid, get)
    if node.body.kind == message.HAMT:
        return hamt.lookup(cid, node, name, get)
    return next((link.cid for link in node.links if (link.name or b"") == name), None)


def list_directory(cid: bytes, get: Get) -> Iterator[Entry]:
    """The entries of a folder: a flat one's as they are written (by name), a HAMT's by the hashes of their names.

    Shape:   lazy; a HAMT's shards are read one at a time.
    Raises:  as ``lookup``, and DagTooDeep; on the first step.
    """
    node = _load_directory(cid, get)
    if node.body.kind == message.HAMT:
        yield from hamt.walk(cid, node, get)
    else:
        for link in node.links:
            yield Entry(link.name or b"", link.cid, link.tsize or 0)


def slices(
    cid: bytes, get: Get, start: int = 0, stop: int | None = None, *, size_of: Callable[[bytes], int] | None = None
) -> Iterator[Slice]:
    """Where the bytes ``start``..``stop`` of a file lie, in file order, reading only the blocks on the way to them.

    Raw leaves are named, not read, so that a caller can send them from disk.  With ``size_of`` (the length of a block
    without reading it) their lengths are checked too, and a file that is one raw block is not read either.

    Units:   byte offsets, half-open; ``stop=None`` and a ``stop`` behind the end are the end.
    Raises:  NotAFile, NotUnixFS, UnknownCodec, MalformedBlock where sizes contradict each other, DagTooDeep,
             InvalidInput for a negative offset, and what ``get`` raises; on the steps that meet them.
    Source:  UnixFS spec, "blocksizes".
    """
    if start < 0 or (stop is not None and stop < 0):
        raise InvalidInput(f"bytes {start} to {stop} of a file cannot be: offsets count from 0")
    root, end = cid, MAX_FILE_BYTES if stop is None else stop
    # What is still to be visited, next one last: CID, place in the file, size that its parent announced, depth.
    waiting: list[tuple[bytes, int, int | None, int]] = [(cid, 0, None, 0)]
    while waiting:
        cid, begin, announced, depth = waiting.pop()
        if depth > MAX_DEPTH:
            refuse(root, f"is a file of more than {MAX_DEPTH} levels of nodes", DagTooDeep)
        if codec_of(cid) == RAW:
            part = _raw_slice(cid, get, start - begin, end - begin, announced, size_of)
            if part is not None:
                yield part
            continue
        node = load_node(cid, get)
        body = node.body
        _check_file(cid, body)
        size = _file_size(cid, node)
        if announced is not None and size != announced:
            refuse(cid, f"has {size} bytes where its parent announced {announced}")
        inner = body.data or b""
        if inner and start < begin + len(inner) and begin < end:
            data = inner[max(start - begin, 0) : end - begin]
            if data:
                yield Slice(None, 0, len(data), data)
        place = begin + len(inner)
        below: list[tuple[bytes, int, int | None, int]] = []
        for link, length in zip(node.links, body.blocksizes, strict=True):
            if length and place < end and start < place + length:
                below.append((link.cid, place, length, depth + 1))
            place += length
        waiting += reversed(below)


def _raw_slice(
    cid: bytes, get: Get, start: int, stop: int, announced: int | None, size_of: Callable[[bytes], int] | None
) -> Slice | None:
    """The part of one raw block; ``start`` and ``stop`` count from its beginning and may lie outside of it."""
    data: bytes | None = None
    if is_identity(cid) or (announced is None and size_of is None):
        data = block_of(cid, get)
        size = len(data)
    else:
        size = size_of(cid) if size_of is not None else announced or 0
    if announced is not None and size != announced:
        refuse(cid, f"has {size} bytes where its parent announced {announced}")
    first, last = max(start, 0), min(stop, size)
    if first >= last:
        return None
    if data is not None:
        return Slice(None, 0, last - first, data[first:last])
    return Slice(cid, first, last - first, None)


def _load_directory(cid: bytes, get: Get) -> Node:
    if codec_of(cid) == RAW:
        refuse(cid, "is a file, not a folder", NotADirectory)
    node = load_node(cid, get)
    if node.body.kind not in (message.DIRECTORY, message.HAMT):
        refuse(cid, f"is a {message.KIND_NAMES[node.body.kind]}, not a folder", NotADirectory)
    return node


def _check_file(cid: bytes, body: Message) -> None:
    if body.kind in (message.DIRECTORY, message.HAMT):
        refuse(cid, "is a folder, not a file", NotAFile)
    if body.kind == message.SYMLINK:
        refuse(cid, "is a symbolic link, not a file", NotAFile)
    if body.kind not in (message.FILE, message.RAW):
        refuse(cid, f"is a {message.KIND_NAMES[body.kind]} node, not a file", NotUnixFS)


def _file_size(cid: bytes, node: Node) -> int:
    """The bytes of a file, once all that its root says of them agrees."""
    body = node.body
    if len(body.blocksizes) != len(node.links):
        refuse(cid, f"announces {len(body.blocksizes)} parts and links to {len(node.links)}")
    size = len(body.data or b"") + sum(body.blocksizes)
    if size > MAX_FILE_BYTES:
        refuse(cid, f"announces {size} bytes, more than any file has")
    if body.filesize is not None and body.filesize != size:
        refuse(cid, f"announces {body.filesize} bytes and its parts add up to {size}")
    return size
