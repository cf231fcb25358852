"""Which blocks a root reaches, as ids: the walk behind every recursive pin that was not just built here.

Memory does not grow with the DAG, whatever its shape: what was met is a bitmap of ids, what is still to be looked into
is a queue that goes to disk, and the links held are those of one node and of one lookup.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import BlockNotFound, DagTooDeep
from pinfold.store.catalogue import Catalogue
from pinfold.store.cid_queue import CidQueue

MAX_DEPTH: Final = 16_384
"""Levels of a DAG; the deepest honest ones (logs that link their last entry) are kept far shorter by their makers."""
LOOKUPS: Final = 4096
"""Links looked up in one snapshot, so that none is held for long."""


class Reach(NamedTuple):
    """What a walk found."""

    ids: BitMap
    missing: list[bytes]
    """Binary CIDs that are linked and not here (at most as many as asked for)."""


class _EnoughMissing(Exception):
    pass


def follow(
    root: bytes,
    resolve: Callable[[list[bytes]], list[bytes]],
    links: Callable[[bytes], list[bytes]],
    folder: Path,
) -> None:
    """Walk a DAG level by level: ``resolve`` takes linked CIDs and gives those whose ``links`` are wanted.

    An identity CID may be given each time it is met: it holds what it links to, so repeating it cannot multiply.
    Raises:  DagTooDeep, StoreFull, and what the two callables raise.
    """
    level, levels = CidQueue(folder), 1
    try:
        level.put(resolve([root]))
        while level:
            below = CidQueue(folder)
            try:
                if _follow_level(level, below, resolve, links):
                    levels += 1
            except BaseException:
                below.close()
                raise
            level.close()
            level = below
            if levels > MAX_DEPTH:
                raise DagTooDeep(f"the DAG of {CID.from_bytes(root)} is deeper than {MAX_DEPTH:,} levels")
    finally:
        level.close()


def _follow_level(
    level: CidQueue,
    below: CidQueue,
    resolve: Callable[[list[bytes]], list[bytes]],
    links: Callable[[bytes], list[bytes]],
) -> bool:
    """Fill ``below`` with what ``level`` links to; whether it links to anything."""
    waiting: list[bytes] = []
    any_links = False
    for cid in level:
        waiting += links(cid)
        if len(waiting) >= LOOKUPS:
            any_links = True
            below.put(resolve(waiting))
            waiting = []
    if waiting:
        below.put(resolve(waiting))
    return any_links or bool(waiting)


def reach(
    catalogue: Catalogue,
    read: Callable[[bytes], bytes],
    root: bytes,
    *,
    max_missing: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Reach:
    """The ids of every block that ``root`` reaches; stops when more than ``max_missing`` are missing.

    Raises:  DagTooDeep, MalformedBlock, UnknownCodec, BlockCorrupt, StoreFull.
    """
    ids: BitMap = BitMap()
    followed: defaultdict[int, BitMap] = defaultdict(BitMap)  # by codec: the same bytes may be a file and a node
    missing: list[bytes] = []

    def resolve(cids: list[bytes]) -> list[bytes]:
        inner: list[bytes] = []
        for start in range(0, len(cids), LOOKUPS):
            with catalogue.read() as txn:
                get, blocks = txn.get, catalogue.blocks
                for cid in cids[start : start + LOOKUPS]:
                    multihash = multihash_of(cid)
                    kind = codec_of(cid)
                    if multihash[0] == 0:
                        if kind != RAW:
                            inner.append(cid)
                        continue
                    row = get(multihash, db=blocks)
                    if row is None:
                        missing.append(cid)
                        if len(missing) >= max_missing:
                            raise _EnoughMissing
                        continue
                    block_id = int.from_bytes(row[:4], "little")
                    ids.add(block_id)
                    if kind != RAW and block_id not in followed[kind]:
                        followed[kind].add(block_id)
                        inner.append(cid)
        if progress is not None:
            progress(len(ids))
        return inner

    def links(cid: bytes) -> list[bytes]:
        data = identity_data(cid)
        return codec.links(codec_of(cid), read(multihash_of(cid)) if data is None else data)

    try:
        follow(root, resolve, links, catalogue.folder)
    except _EnoughMissing:
        pass
    return Reach(ids, missing)


def require_all(found: Reach, root: bytes) -> BitMap:
    """The ids, once nothing is missing.  Raises: BlockNotFound."""
    if found.missing:
        raise BlockNotFound(
            f"{CID.from_bytes(root)} is not complete here: block {CID.from_bytes(found.missing[0])} is missing"
        )
    return found.ids
