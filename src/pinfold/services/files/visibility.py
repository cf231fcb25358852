"""Which blocks are here for an organisation's eyes: those that its own files and pinned requests reach.

Content has no owner in the store.  Whoever could ask it "do you have this block?" would learn what others keep; so
the answer is made from the organisation's roots alone, and the same work is done whether others have the block or not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pyroaring import BitMap

from pinfold.core.cid import CID, RAW
from pinfold.core.errors import InvalidCID
from pinfold.db import Database, roots_kept
from pinfold.node import Node
from pinfold.store.damage import damaged_ids

_MOST_ROOTS: Final = 100_000
"""Roots of each kind that are looked through, the newest first; blocks of older ones are sent once more."""
_PAGE: Final = 5_000


class Visibility:
    """Answers for one node and one database."""

    def __init__(self, database: Database, node: Node) -> None:
        self._database = database
        self._node = node

    def missing(self, organisation_id: str, cids: Sequence[CID], root: CID | None) -> list[CID]:
        """Those of ``cids`` that are not here for the organisation, in their order; for a thread.

        A ``root`` that it keeps is looked into first, which makes a push of what is here already a quick question.
        """
        store = self._node.store
        ids: dict[CID, int] = {}
        for cid in dict.fromkeys(cids):
            row = None if cid.is_identity else store.row(cid.multihash)
            if row is not None:
                ids[cid] = row.id
        wanted = BitMap(ids.values())
        # Blocks that nobody has are looked for as long as those that others have, or the time would tell them apart.
        is_whole = len(ids) == sum(not cid.is_identity for cid in set(cids))
        visible = self.of(organisation_id, wanted, root, may_stop=is_whole)
        damaged = damaged_ids(store.catalogue) & visible
        if damaged:
            # Whoever is told that a node is here asks for nothing below it: so nodes are sent once more, and of the
            # leaves those that are damaged.
            visible -= damaged | BitMap([block_id for cid, block_id in ids.items() if cid.codec != RAW])
        return [cid for cid in dict.fromkeys(cids) if not (cid.is_identity or (cid in ids and ids[cid] in visible))]

    def of(
        self,
        organisation_id: str,
        wanted: BitMap | None = None,
        root: CID | None = None,
        *,
        may_stop: bool = True,
    ) -> BitMap:
        """Ids of the blocks that the organisation's roots reach; of ``wanted`` ones only, where that is given."""
        reached = BitMap()
        if (
            root is not None
            and wanted is not None
            and self._database.of(organisation_id).read_now(roots_kept.keeps, str(root.to_v1()))
        ):
            reached |= self._below([str(root.to_v1())])
            if may_stop and wanted <= reached:
                return reached
        for of_file in (True, False):
            before, looked_at = None, 0
            while looked_at < _MOST_ROOTS:
                page = self._database.of(organisation_id).read_now(roots_kept.newest_before, of_file, before, _PAGE)
                if not page:
                    break
                reached |= self._below([kept for _, kept in page])
                before, looked_at = page[-1][0], looked_at + len(page)
        return reached

    def _below(self, roots: Sequence[str]) -> BitMap:
        store = self._node.store
        reached = BitMap()
        with store.catalogue.read() as txn:
            for text in roots:
                try:
                    row = store.pins.row(txn, CID.parse(text))
                except InvalidCID:
                    continue
                if row is not None:
                    reached |= row.ids
        return reached
