"""One DAG, hashed block by block on the way down; what is missing or damaged is gone round, not raised."""

from __future__ import annotations

from collections import defaultdict
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core import codec
from pinfold.core.binary_cid import codec_of, identity_data, multihash_of
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import Corrupt, DagTooDeep, MalformedBlock, UnknownCodec
from pinfold.store import Store
from pinfold.store.rows import pack_block
from pinfold.store.verify import BadBlock, check_table, table_of
from pinfold.store.walk import MAX_DEPTH

_BATCH: Final = 50_000


class CheckedDag(NamedTuple):
    """What a check of one DAG found."""

    ids: BitMap
    """Blocks that were reached, damaged ones too."""
    size_bytes: int
    bad: list[BadBlock]
    missing: list[bytes]
    """Binary CIDs, each once."""
    refused: list[tuple[bytes, str]]
    """Binary CIDs of sound blocks whose links cannot be read, and why."""


def check_dag(store: Store, root: CID, *, recursive: bool = True, hashing: bool = True) -> CheckedDag:
    """Hash what a root reaches, the root alone where it is not ``recursive``.

    Without ``hashing`` only blocks with links are hashed, so that the way down is not lost in a damaged one.

    Raises:  DagTooDeep.
    """
    check = _Check(store, hashing)
    level, depth = [root.bytes], 0
    while level:
        level = check.level(level) if recursive else check.level(level)[:0]
        depth += 1
        if depth > MAX_DEPTH:
            raise DagTooDeep(f"the DAG of {root} is deeper than {MAX_DEPTH:,} levels")
    check.hash_leaves()
    return CheckedDag(check.ids, check.bytes, check.bad, list(check.missing), check.refused)


class _Check:
    def __init__(self, store: Store, hashing: bool) -> None:
        self._store = store
        self._hashing = hashing
        self._keys: list[bytes] = []
        self._rows: list[bytes] = []
        self._carried: set[bytes] = set()
        self._followed: defaultdict[int, BitMap] = defaultdict(BitMap)  # by codec: one block may be read as two
        self.ids = BitMap()
        self.bytes = 0
        self.bad: list[BadBlock] = []
        self.missing: dict[bytes, None] = {}
        self.refused: list[tuple[bytes, str]] = []

    def level(self, cids: list[bytes]) -> list[bytes]:
        """Look at blocks and give what they link to."""
        below: list[bytes] = []
        for cid in cids:
            data = self._node(cid)
            if data is not None:
                try:
                    below.extend(codec.links(codec_of(cid), data))
                except (MalformedBlock, UnknownCodec) as exc:
                    self.refused.append((cid, str(exc)))
        return below

    def _node(self, cid: bytes) -> bytes | None:
        """The bytes of a block that may have links and was not met before; None of every other."""
        carried = identity_data(cid)
        if carried is not None:
            if cid in self._carried:
                return None
            self._carried.add(cid)
            return carried
        multihash = multihash_of(cid)
        row = self._store.row(multihash)
        if row is None:
            self.missing[cid] = None
            return None
        kind = codec_of(cid)
        if row.id in self.ids:
            return None if kind == RAW else self._once_more(kind, multihash, row.id)
        self.ids.add(row.id)
        self.bytes += row.length
        self._keys.append(multihash)
        self._rows.append(pack_block(*row))
        self._followed[kind].add(row.id)
        if kind == RAW:
            if not self._hashing:
                self._keys.pop()
                self._rows.pop()
            elif len(self._keys) >= _BATCH:
                self.hash_leaves()
            return None
        try:
            data = self._store.read(multihash)
        except Corrupt:  # reported with the leaves
            return None
        self._keys.pop()
        self._rows.pop()
        return data

    def _once_more(self, kind: int, multihash: bytes, block_id: int) -> bytes | None:
        """A block that was met before, where this is the first time that its links are to be read by this codec."""
        if block_id in self._followed[kind]:
            return None
        self._followed[kind].add(block_id)
        try:
            return self._store.read(multihash)
        except Corrupt:
            return None

    def hash_leaves(self) -> None:
        """Check what waits, in the order of the disk: blocks without links, and nodes that were found damaged."""
        if self._keys:
            table = table_of(self._keys, self._rows)
            self.bad += check_table(self._store.layout, self._store.catalogue, table)
        self._keys, self._rows = [], []
