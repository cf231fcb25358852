"""What sets of pins weigh beside other sets: bitmaps joined and subtracted, no DAG walked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, NamedTuple

import libipld
from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.store import Store
from pinfold.store.rows import PinRow, packed_ids_of_row, union_of_packed

_AT_ONCE: Final = 2000  # rows read in one short snapshot


class Weight(NamedTuple):
    """A set of blocks in numbers."""

    blocks: int
    bytes: int


def reached(store: Store, roots: Iterable[str]) -> BitMap:
    """The ids of the blocks that the pins of these roots (CIDv1) keep; what is not pinned here adds nothing."""
    union, some = BitMap(), []
    for root in roots:
        some.append(root)
        if len(some) == _AT_ONCE:
            union |= _reached(store, some)
            some = []
    return union | _reached(store, some)


def _reached(store: Store, roots: list[str]) -> BitMap:
    with store.catalogue.read() as txn:
        rows = [txn.get(key, db=store.catalogue.pins) for key in map(pin_key_of, roots) if key]
    return union_of_packed([packed_ids_of_row(row) for row in rows if row is not None])


def pin_key_of(root: str) -> bytes:
    """The key of the pin of a root (CIDv1); empty for what is none.

    Reading a text as a CID, checked, takes sixty times as long, and there may be millions; these are CIDv1 already.
    """
    try:
        key: bytes = libipld.decode_multibase(root)[1]
        return key
    except ValueError:
        return b""


def weigh(store: Store, ids: BitMap) -> Weight:
    """Blocks and payload bytes of a set of ids."""
    with store.catalogue.read() as txn:
        return Weight(len(ids), store.catalogue.total_bytes(txn, ids))


def pinned_bytes(store: Store, root: CID) -> int:
    """Payload bytes of the blocks that a pinned root reaches, each once, without a walk; 0 where it is not pinned."""
    return weigh(store, reached(store, [str(root.to_v1())])).bytes


def shares(store: Store, names: Iterable[str], reach: Callable[[str], BitMap]) -> Mapping[str, tuple[Weight, Weight]]:
    """Name -> what it reaches alone, and what it reaches together with another of the names."""
    sets = {name: reach(name) for name in names}
    once, twice = BitMap(), BitMap()
    for ids in sets.values():
        twice |= once & ids
        once |= ids
    return {name: (weigh(store, ids - twice), weigh(store, ids & twice)) for name, ids in sets.items()}


def freed(store: Store, roots: Iterable[str], *, beside: Iterable[str], only_named: str) -> Weight:
    """What unpinning these roots (CIDv1) would give back to whom also the roots ``beside`` belong.

    That is what they reach and neither those nor a pin made by other ways does: one that does not bear the name
    ``only_named``.  Other tenants' pins make no difference.
    """
    going: dict[bytes, bytes] = {}
    for key in filter(None, map(pin_key_of, roots)):
        with store.catalogue.read() as txn:
            data = txn.get(key, db=store.catalogue.pins)
        if data is not None and PinRow.unpack(data).name == only_named:
            going[key] = packed_ids_of_row(data)
    ids = union_of_packed(list(going.values())) - reached(store, beside)
    if ids:
        ids -= union_of_packed(
            [packed_ids_of_row(data) for _, data in store.pins.raw_rows() if PinRow.unpack(data).name != only_named]
        )
    return weigh(store, ids)
