"""Blocks that other tenants keep: a pin request may not rely on them, or its outcome would reveal that they are here.

A request counts as pinned when its organisation has shown that the content can be had without them: all blocks are the
organisation's own, or pinned by the operator at the node, or came from a source while the request was carried out.
"""

from __future__ import annotations

import threading
import time
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.pin import PLATFORM_PIN_NAME
from pinfold.db import Database, roots_kept
from pinfold.node import Node
from pinfold.node.footprint import pin_key_of
from pinfold.store.rows import PinRow, union_of_packed

_FRESH_S: Final = 2.0
_SHARE: Final = 10
"""A set is kept for ten times as long as it took to compute (a second for a million pins), and for 2 s at least: so
computing them takes a tenth of one core at most, whatever is asked."""


class _Hidden(NamedTuple):
    """What is hidden from one organisation, and until when that is relied on."""

    ids: BitMap
    until: float


class ForeignBlocks:
    """What one node keeps for other organisations only.  For threads; thread-safe."""

    def __init__(self, database: Database, node: Node) -> None:
        self._database = database
        self._node = node
        self._lock = threading.Lock()
        self._known: dict[str, _Hidden] = {}

    def hidden_from(self, organisation_id: str) -> BitMap:
        """Ids of the blocks that only other organisations keep."""
        with self._lock:  # one computation for many requests
            now = time.monotonic()
            self._known = {one: known for one, known in self._known.items() if known.until > now}
            if (known := self._known.get(organisation_id)) is None:
                ids = self._compute(organisation_id)
                done = time.monotonic()
                known = _Hidden(ids, done + max(_FRESH_S, _SHARE * (done - now)))
                self._known[organisation_id] = known
            return known.ids

    def holds_some_of(self, cid: CID, organisation_id: str) -> bool:
        """Whether some of the DAG of ``cid``, as far as it is here, is hidden from the organisation.

        Raises:  what walking a DAG raises: BlockCorrupt, MalformedBlock, UnknownCodec, DagTooDeep.
        """
        hidden = self.hidden_from(organisation_id)
        if not hidden:
            return False
        store = self._node.store
        with store.catalogue.read() as txn:
            row = store.pins.row(txn, cid)
        ids = row.ids if row is not None else store.walk(cid).ids
        return not ids.isdisjoint(hidden)

    def _compute(self, organisation_id: str) -> BitMap:
        if not self._database.everybody.read_now(roots_kept.has_others, organisation_id):
            return BitMap()
        own = set(map(pin_key_of, self._database.of(organisation_id).read_now(roots_kept.all_kept)))
        visible: list[bytes] = []
        foreign: list[bytes] = []
        for key, data in self._node.store.pins.raw_rows():
            row = PinRow.unpack(data)
            is_foreign = row.name == PLATFORM_PIN_NAME and key not in own
            (foreign if is_foreign else visible).append(row.ids_packed)
        return union_of_packed(foreign) - union_of_packed(visible) if foreign else BitMap()
