"""Folders and symbolic links: entries in, blocks out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import itemgetter
from typing import Final

from pinfold.core.cid import DAG_PB
from pinfold.core.errors import Conflict, UnsafeName
from pinfold.unixfs import hamt, message
from pinfold.unixfs.dag import Built, Emit, Entry, encode_data, encode_links, put
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Profile

__all__ = ["Built", "Emit", "Entry", "Metadata", "build_directory", "build_symlink"]

_NO_NAMES: Final = frozenset((b"", b".", b".."))


def build_directory(entries: Iterable[Entry], profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """The folder of the entries, in any order: one node, or a HAMT when that node would be over the threshold.

    The threshold is compared with ">": a folder of exactly so many bytes stays flat.

    Raises:  UnsafeName for a name that no folder can have, Conflict for one that comes twice, BlockTooLarge.
    Source:  IPIP-499; boxo `ipld/unixfs/io/directory.go`.
    """
    ordered = sorted(entries, key=itemgetter(0))
    names = [entry[0] for entry in ordered]
    _check_names(names)
    threshold = profile.hamt_threshold if ordered else 0  # an empty folder is flat, whatever its metadata weighs
    if threshold and sum(map(len, names)) + sum(len(entry[1]) for entry in ordered) > threshold:
        # Above the threshold by either estimation: links count just these bytes, a block has them and more.
        return hamt.build_shards(ordered, profile, emit, metadata)
    links = encode_links(ordered)
    block = links + encode_data(message.encode_directory(metadata))
    if threshold and profile.hamt_estimation == "block" and len(block) > threshold:
        return hamt.build_shards(ordered, profile, emit, metadata)
    return Built(put(profile, DAG_PB, block, emit), len(block) + sum(entry[2] for entry in ordered), 0)


def build_symlink(target: bytes, profile: Profile, emit: Emit, metadata: Metadata | None = None) -> Built:
    """A symbolic link.  It keeps its mtime and no mode, as Kubo's do."""
    kept = None if metadata is None else Metadata(mtime=metadata.mtime)
    block = encode_data(message.encode_symlink(target, kept))
    return Built(put(profile, DAG_PB, block, emit), len(block), len(target))


def _check_names(names: Sequence[bytes]) -> None:
    """Refuse names that no folder can have, and names that come twice.  ``names`` is sorted."""
    unique = set(names)
    joined = b"".join(names)
    if not unique.isdisjoint(_NO_NAMES) or b"/" in joined or b"\0" in joined:
        bad = next(name for name in names if name in _NO_NAMES or b"/" in name or b"\0" in name)
        raise UnsafeName(f"{bad.decode('utf-8', 'backslashreplace')!r} is no name that a folder can have")
    if len(unique) != len(names):
        twice = next(name for name, following in pairwise(names) if name == following)
        raise Conflict(f"{twice.decode('utf-8', 'backslashreplace')!r} comes twice in one folder")
