"""Which blocks a root reaches, as ids: the walk behind every recursive pin that was not just built here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import BlockNotFound, DagTooDeep
from pinfold.store.catalogue import Catalogue

MAX_DEPTH: Final = 16_384
"""Levels of a DAG; the deepest honest ones (logs that link their last entry) are kept far shorter by their makers."""


class Reach(NamedTuple):
    """What a walk found."""

    ids: BitMap
    missing: list[bytes]
    """Binary CIDs that are linked and not here (at most as many as asked for)."""


def reach(
    catalogue: Catalogue,
    read: Callable[[bytes], bytes],
    root: bytes,
    *,
    max_missing: int = 1,
    progress: Callable[[int], None] | None = None,
) -> Reach:
    """The ids of every block that ``root`` reaches; stops when more than ``max_missing`` are missing.

    Raises:  DagTooDeep, MalformedBlock, UnknownCodec, BlockCorrupt.
    """
    ids: BitMap = BitMap()
    followed: defaultdict[int, BitMap] = defaultdict(BitMap)  # by codec: the same bytes may be a file and a node
    missing: list[bytes] = []
    seen_identity: set[bytes] = set()
    level, depth = [root], 0
    while level:
        below: list[bytes] = []
        for start in range(0, len(level), 4096):  # a snapshot each, so that none is held for long
            inner: list[bytes] = []
            with catalogue.read() as txn:
                get, blocks = txn.get, catalogue.blocks
                for cid in level[start : start + 4096]:
                    multihash = multihash_of(cid)
                    if multihash[0] == 0:
                        if cid not in seen_identity:
                            seen_identity.add(cid)
                            inner.append(cid)
                        continue
                    row = get(multihash, db=blocks)
                    if row is None:
                        missing.append(cid)
                        if len(missing) >= max_missing:
                            return Reach(ids, missing)
                        continue
                    block_id = int.from_bytes(row[:4], "little")
                    ids.add(block_id)
                    kind = codec_of(cid)
                    if kind != RAW and block_id not in followed[kind]:
                        followed[kind].add(block_id)
                        inner.append(cid)
            for cid in inner:
                data = identity_data(cid)
                below.extend(codec.links(codec_of(cid), read(multihash_of(cid)) if data is None else data))
            if progress is not None:
                progress(len(ids))
        level, depth = below, depth + 1
        if depth > MAX_DEPTH:
            raise DagTooDeep(f"the DAG of {CID.from_bytes(root)} is deeper than {MAX_DEPTH:,} levels")
    return Reach(ids, missing)


def require_all(found: Reach, root: bytes) -> BitMap:
    """The ids, once nothing is missing.  Raises: BlockNotFound."""
    if found.missing:
        raise BlockNotFound(
            f"{CID.from_bytes(root)} is not complete here: block {CID.from_bytes(found.missing[0])} is missing"
        )
    return found.ids
