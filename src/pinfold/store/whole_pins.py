"""Pins that lack blocks, as a rebuild may leave them: what came since is kept for them, and they are whole again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, Corrupt, InvalidInput, StoreFull
from pinfold.core.pin import PinMode
from pinfold.store.catalogue import Catalogue
from pinfold.store.commit import GC_GENERATION
from pinfold.store.gc import FREED
from pinfold.store.pins import INCOMPLETE, NewPin, Pins
from pinfold.store.walk import Reach, reach

_ALL: Final = 1 << 62  # missing blocks: the walk goes round every one


def settle_pins(catalogue: Catalogue, pins: Pins, read: Callable[[bytes], bytes]) -> None:
    """Let each pin that is marked incomplete keep what is here of its DAG now.

    Where no pin was ever incomplete since the last call, this is one look-up.  Raises: StoreFull.
    """
    with catalogue.read() as txn:
        is_known = txn.get(INCOMPLETE, db=catalogue.meta) is not None  # else an earlier version made this catalogue
        count = catalogue.number(txn, INCOMPLETE)
    if is_known and not count:
        return
    lacking = [cid for cid, row in pins.rows() if not row.complete]
    left = [cid for cid in lacking if not _settle(catalogue, pins, read, cid)]
    if not left:
        # On a full disk it is not remembered, and the next call looks again.
        with suppress(StoreFull), catalogue.write() as txn:
            if catalogue.number(txn, INCOMPLETE) == count:  # else there is another one since
                catalogue.put_number(txn, INCOMPLETE, 0)


def _settle(catalogue: Catalogue, pins: Pins, read: Callable[[bytes], bytes], cid: CID) -> bool:
    """Whether a pin is complete, or gone, now."""
    while True:
        with catalogue.read() as txn:
            generation = catalogue.number(txn, GC_GENERATION)
            row = pins.row(txn, cid)
        if row is None or row.complete:
            return True
        try:
            found = _reach(catalogue, read, cid, row.mode)
        except (BlockNotFound, Corrupt, InvalidInput):  # damaged on the way: repair goes round that
            return False
        with catalogue.write() as txn:
            row = pins.row(txn, cid)
            if row is None or row.complete:
                return True
            freed = catalogue.ids(txn, FREED)
            if catalogue.number(txn, GC_GENERATION) != generation and not found.ids.isdisjoint(freed):
                continue  # a gc swept what we walked over
            ids, complete = found.ids | (row.ids - freed), not found.missing
            if (ids, complete) != (row.ids, row.complete):
                # Under the CID as it was pinned: the caller's has the version that the row says.
                pins.put(txn, [NewPin(cid, row.mode, row.name, row.created_at, row.profile, ids, complete)])
        return complete


def _reach(catalogue: Catalogue, read: Callable[[bytes], bytes], cid: CID, mode: PinMode) -> Reach:
    if mode is PinMode.RECURSIVE:
        return reach(catalogue, read, cid.bytes, max_missing=_ALL)
    with catalogue.read() as txn:
        row = catalogue.block(txn, cid.multihash)
    return Reach(BitMap([row.id] if row else []), [] if row or cid.is_identity else [cid.bytes])
