"""The blocks that are known to be damaged, as a set of ids in the catalogue.

A block gets into the set when a read or a check finds that its bytes do not match its CID, or that they are missing; it
leaves the set when sound bytes took their place, or when a later check finds it sound.  Ids that gc frees may stay in
it: they are never given out again.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from pyroaring import BitMap

from pinfold.core.errors import StoreError
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.rows import pack_ids

DAMAGED: Final = b"damaged"


def damaged_ids(catalogue: Catalogue) -> BitMap:
    """Ids of the blocks that are known to be damaged."""
    with catalogue.read() as txn:
        return catalogue.ids(txn, DAMAGED)


def note_checked(catalogue: Catalogue, sound: BitMap, damaged: BitMap) -> None:
    """Remember what a check found; not from inside a write transaction.

    A disk that is full, or a catalogue that cannot be written, does not matter: the next read finds the damage again.
    """
    before = damaged_ids(catalogue)
    if damaged <= before and before.isdisjoint(sound):
        return
    with suppress(StoreError), catalogue.write() as txn:
        _put(catalogue, txn, (catalogue.ids(txn, DAMAGED) - sound) | damaged)


def forget_damage(catalogue: Catalogue, txn: Txn, ids: BitMap) -> None:
    """Take ids out of the set, inside a write transaction: sound bytes took the place of what was damaged."""
    before = catalogue.ids(txn, DAMAGED)
    if not before.isdisjoint(ids):
        _put(catalogue, txn, before - ids)


def _put(catalogue: Catalogue, txn: Txn, ids: BitMap) -> None:
    txn.put(DAMAGED, pack_ids(ids), db=catalogue.meta)
