"""Pins that many threads make at the same time share one write transaction, and its syncs.

1. Each thread walks its own DAG.
2. Whoever gets the turn first writes the pins of all who wait by then; the others find theirs made when they get it.
3. A gc may have swept what was walked over: then that one walks again, and finds it missing.
"""

from __future__ import annotations

import threading
import time

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.pin import PinMode
from pinfold.store.commit import GC_GENERATION
from pinfold.store.gc import FREED
from pinfold.store.pins import NewPin
from pinfold.store.store import Store
from pinfold.store.walk import require_all


class _Waiting:
    """A walk that is over and whose pin is to be made."""

    __slots__ = ("cid", "generation", "ids", "is_made", "is_overtaken", "name")

    def __init__(self, cid: CID, name: str, generation: int, ids: BitMap) -> None:
        self.cid = cid
        self.name = name
        self.generation = generation
        self.ids = ids
        self.is_made = False
        self.is_overtaken = False


class SharedPins:
    """Makes recursive pins in a store."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._turn = threading.Lock()
        self._list = threading.Lock()
        self._waiting: list[_Waiting] = []

    def pin(self, cid: CID, name: str) -> None:
        """Keep the whole DAG below ``cid``, which is here; a recursive pin that is there stays as it is.

        Raises:  BlockNotFound, StoreFull, and what ``walk`` raises.
        """
        while True:
            one = self._walk(cid, name)
            with self._list:
                self._waiting.append(one)
            try:
                with self._turn:
                    if not (one.is_made or one.is_overtaken):
                        self._make_all()
            finally:
                with self._list:
                    if one in self._waiting:  # this turn came to nothing: the others try for themselves
                        self._waiting.remove(one)
            if one.is_made:
                return

    def _walk(self, cid: CID, name: str) -> _Waiting:
        catalogue = self._store.catalogue
        with catalogue.read() as txn:
            generation = catalogue.number(txn, GC_GENERATION)
        ids = require_all(self._store.walk(cid), cid.bytes)
        self._store.require_undamaged(ids)
        return _Waiting(cid, name, generation, ids)

    def _make_all(self) -> None:
        catalogue, pins = self._store.catalogue, self._store.pins
        with self._list:
            batch = list(self._waiting)
        now = time.time()
        overtaken = []
        with catalogue.write() as txn:
            generation, freed = catalogue.number(txn, GC_GENERATION), catalogue.ids(txn, FREED)
            new = []
            for one in batch:
                if one.generation != generation and not one.ids.isdisjoint(freed):
                    overtaken.append(one)
                    continue
                old = pins.row(txn, one.cid)
                if old is None or old.mode is not PinMode.RECURSIVE:
                    kept_name, created_at = (old.name, old.created_at) if old else (one.name, now)
                    new.append(NewPin(one.cid, PinMode.RECURSIVE, kept_name or one.name, created_at, "", one.ids))
            if new:
                pins.put(txn, new)
        with self._list:
            self._waiting = [one for one in self._waiting if one not in batch]
        for one in batch:
            one.is_overtaken = one in overtaken
            one.is_made = not one.is_overtaken
