"""What is in a folder, and what a DAG links to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.cid import CID, DAG_PB, RAW
from pinfold.core.codec import dag_pb
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import BlockNotFound, MalformedBlock, UnknownCodec
from pinfold.node.blocks import Reader, reader
from pinfold.node.model import DirEntry, FolderLink, Ref
from pinfold.node.resolver import as_path, resolve_to_cid
from pinfold.store import Store
from pinfold.unixfs.node import load_node
from pinfold.unixfs.read import Entry, inspect, list_directory


def ls(store: Store, path: str | CID | ContentPath) -> Iterator[DirEntry]:
    """The entries of a folder, as it has them; of a file its chunks, without names, as Kubo lists them.

    An entry whose own block is not here, or is no file, folder or link, is ``unknown`` and has the size that its link
    claims.

    Raises:  PathNotFound, BlockNotFound, NotUnixFS, UnknownCodec, MalformedBlock, BlockCorrupt; on the steps.
    """
    read = reader(store)
    cid = resolve_to_cid(read, as_path(path)).bytes
    kind = inspect(cid, read).kind
    if kind in ("directory", "hamt"):
        entries = list_directory(cid, read)
    elif kind == "file":
        entries = (Entry(link.name or b"", link.cid, link.tsize or 0) for link in load_node(cid, read).links)
    else:
        return
    for entry in entries:
        yield _dir_entry(entry, read)


def folder_links(store: Store, cid: CID) -> Iterator[FolderLink]:
    """The names in a folder, as it has them; no block but the folder's own is read.

    Raises:  NotADirectory, BlockNotFound, NotUnixFS, UnknownCodec, MalformedBlock, BlockCorrupt; on the steps.
    """
    read = reader(store)
    for entry in list_directory(cid.bytes, read):
        yield FolderLink(entry.name, entry.cid, entry.tsize)


def describe_links(store: Store, links: Iterable[FolderLink]) -> list[DirEntry]:
    """The entries that links lead to, as ``ls`` has them.  Raises: BlockCorrupt."""
    read = reader(store)
    return [_dir_entry(Entry(*link), read) for link in links]


def _dir_entry(entry: Entry, read: Reader) -> DirEntry:
    name, cid = entry.name.decode("utf-8", "surrogateescape"), CID.from_bytes(entry.cid)
    if cid.codec == RAW:  # one block is one file: what the link claims is its size
        return DirEntry(name, cid, len(cid.identity_data) if cid.is_identity else entry.tsize, "file")
    try:
        info = inspect(entry.cid, read)
    except (BlockNotFound, MalformedBlock, UnknownCodec):
        return DirEntry(name, cid, entry.tsize, "unknown")
    if info.kind in ("directory", "hamt"):
        return DirEntry(name, cid, entry.tsize, "directory")
    return DirEntry(name, cid, info.size or 0, "symlink" if info.kind == "symlink" else "file")


def refs(
    store: Store,
    path: str | CID | ContentPath,
    *,
    recursive: bool = False,
    unique: bool = False,
    max_depth: int | None = None,
) -> Iterator[Ref]:
    """The links of a block or, ``recursive``, of everything below it: depth first, links in their order.

    ``unique`` gives each CID once.  ``max_depth`` counts links from the root; 0 gives none.

    Raises:  BlockNotFound, PathNotFound, MalformedBlock, UnknownCodec, BlockCorrupt; on the steps.
    Source:  Kubo `core/commands/refs.go`.
    """
    read = reader(store)
    root = resolve_to_cid(read, as_path(path))
    limit = 1 if not recursive else max_depth
    seen: dict[bytes, int] = {}  # CID -> least depth that it was met at
    if limit is not None and limit <= 0:
        return
    stack = [(root, iter(_links(root.bytes, read, store)))]
    while stack:
        parent, rest = stack[-1]
        link = next(rest, None)
        if link is None:
            stack.pop()
            continue
        cid, name = link
        depth = len(stack)
        is_new = True
        if unique:
            before = seen.get(cid)
            if before is not None and (limit is None or before <= depth):
                continue
            seen[cid], is_new = depth, before is None
        target = CID.from_bytes(cid)
        if is_new:
            yield Ref(parent, target, name)
        if limit is None or depth < limit:
            stack.append((target, iter(_links(cid, read, store))))


def _links(cid: bytes, read: Reader, store: Store) -> Iterator[tuple[bytes, str]]:
    """Links of one block with their names.  Raises: BlockNotFound, for raw blocks too, though they are not read."""
    kind = codec_of(cid)
    if kind == RAW:
        if identity_data(cid) is None and store.row(multihash_of(cid)) is None:
            raise BlockNotFound(f"block {CID.from_bytes(cid)} is not here")
        return iter(())
    if kind == DAG_PB:
        node = dag_pb.decode(read(cid))
        return iter([(link.cid, (link.name or b"").decode("utf-8", "surrogateescape")) for link in node.links])
    return iter([(link, "") for link in codec.links(kind, read(cid))])


def refs_local(store: Store) -> Iterator[CID]:
    """The CID of every block here, as it was stored."""
    return map(CID.from_bytes, store.local_cids())
