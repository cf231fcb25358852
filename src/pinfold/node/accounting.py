"""What content weighs: alone, together, and beside what other pins keep; set arithmetic instead of walks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.content_path import ContentPath
from pinfold.core.errors import NotUnixFS, UnknownCodec
from pinfold.core.pin import PinMode
from pinfold.node.blocks import Reader, reader, walk
from pinfold.node.model import DagStat, DagStats, Stat
from pinfold.node.resolver import as_path, resolve_to_cid
from pinfold.store import Store
from pinfold.store.walk import require_all
from pinfold.unixfs.read import Info, inspect


def stat(store: Store, path: str | CID | ContentPath) -> Stat:
    """Size and blocks of what a path leads to, and how much of it other pins share.

    Blocks that are not here are counted in ``missing_blocks`` alone; only the root must be here.

    Raises:  PathNotFound, BlockNotFound, MalformedBlock, BlockCorrupt, DagTooDeep.
    """
    read = reader(store)
    cid = resolve_to_cid(read, as_path(path))
    kind, info = _kind(cid, read)
    found = walk(store, cid)
    with store.catalogue.read() as txn:
        row = store.pins.row(txn, cid)
        others = store.pins.union(txn, without=cid)
        own = store.catalogue.block(txn, cid.multihash)
        total = store.catalogue.total_bytes(txn, found.ids)
        unique = store.catalogue.total_bytes(txn, found.ids - others)
        freed = store.catalogue.total_bytes(txn, row.ids - others) if row else 0
    pinned = row.mode if row else PinMode.INDIRECT if own and own.id in others else None
    return Stat(
        cid=cid,
        kind=kind,
        size_bytes=(info.size or 0) if info else 0,
        cumulative_bytes=total,
        blocks=len(found.ids),
        unique_bytes=unique,
        shared_bytes=total - unique,
        freed_by_unpin_bytes=freed,
        pinned=pinned,
        missing_blocks=len(set(found.missing)),
        mode=info.mode if info else None,
        mtime=info.mtime if info else None,
    )


_Kind = Literal["file", "directory", "hamt", "symlink", "raw", "dag"]


def _kind(cid: CID, read: Reader) -> tuple[_Kind, Info | None]:
    read(cid.bytes)  # the root must be here, whatever it is
    try:
        info = inspect(cid.bytes, read, size_of=read.size_of)
    except (NotUnixFS, UnknownCodec):
        return "dag", None
    return info.kind, info


def dag_stat(store: Store, paths: Iterable[str | CID | ContentPath]) -> DagStats:
    """Sizes of whole DAGs, each alone and all together.

    Raises:  BlockNotFound, PathNotFound, MalformedBlock, BlockCorrupt, DagTooDeep.
    """
    read = reader(store)
    dags: list[DagStat] = []
    together = BitMap()
    for path in paths:
        cid = resolve_to_cid(read, as_path(path))
        ids = require_all(walk(store, cid, max_missing=1), cid.bytes)
        together |= ids
        with store.catalogue.read() as txn:
            dags.append(DagStat(cid, store.catalogue.total_bytes(txn, ids), len(ids)))
    with store.catalogue.read() as txn:
        total = store.catalogue.total_bytes(txn, together)
    return DagStats(tuple(dags), len(together), total, sum(dag.size_bytes for dag in dags) - total)
