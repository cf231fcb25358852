"""The pinset as people ask for it: listed, removed, moved, checked."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Final

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.errors import PinConflict, PinNotFound
from pinfold.core.pin import PLATFORM_PIN_NAME, Pin, PinMode
from pinfold.node.model import Problem, ProblemKind, VerifyReport
from pinfold.store import Store
from pinfold.store.commit import GC_GENERATION
from pinfold.store.gc import FREED
from pinfold.store.pins import NewPin, as_pin
from pinfold.store.rows import BlockRow, PinRow, unpack_block
from pinfold.store.walk import require_all

_PAGE: Final = 5000  # rows read in one snapshot


def pin_ls(
    store: Store, *, mode: PinMode | None = None, name: str | None = None, cids: Sequence[CID] = ()
) -> Iterator[Pin]:
    """Pins of one mode, or of all; only those with ``name`` in their name where that is given.

    Indirect pins are the blocks that recursive pins reach and that are not pinned themselves; they have no names and
    come last.  With ``cids``: how each of these is pinned; an indirect one names a root that keeps it in ``via``.

    Raises:  PinNotFound for one of ``cids`` that is not pinned, or not in this mode and under this name.
    """
    if cids:
        for cid in cids:
            yield _pin_of(store, cid, mode, name)
        return
    with_indirect = mode in (None, PinMode.INDIRECT) and not name
    reached, roots = BitMap(), BitMap()
    for cid, row in store.pins.rows():
        if with_indirect:
            _count_in(store, cid, row, reached, roots)
        if mode in (None, row.mode) and (not name or name in row.name):
            yield as_pin(cid, row)
    below = reached - roots
    if below:
        for key, value in _block_pages(store):
            block = BlockRow(*unpack_block(value))
            if block.id in below:
                yield Pin(CID.from_bytes(block.cid(key)), PinMode.INDIRECT)


def _count_in(store: Store, cid: CID, row: PinRow, reached: BitMap, roots: BitMap) -> None:
    """Add a pin's blocks to ``reached`` and its root to ``roots``; most pins have one block, which is the root."""
    ids = row.ids
    if len(ids) == 1 and not cid.is_identity and row.complete:
        roots |= ids  # no look-up needed
        return
    block = store.row(cid.multihash)
    if block is not None:
        roots.add(block.id)
    if row.mode is PinMode.RECURSIVE:
        reached |= ids


def _block_pages(store: Store) -> Iterator[tuple[bytes, bytes]]:
    """Every block's key and packed row, in short snapshots."""
    last = b""
    while True:
        page: list[tuple[bytes, bytes]] = []
        with store.catalogue.read() as txn:
            cursor = txn.cursor(store.catalogue.blocks)
            if cursor.set_range(last + b"\0") if last else cursor.first():
                for item in cursor.iternext():
                    page.append(item)
                    if len(page) == _PAGE:
                        break
        if not page:
            return
        yield from page
        last = page[-1][0]


def _pin_of(store: Store, cid: CID, mode: PinMode | None, name: str | None) -> Pin:
    with store.catalogue.read() as txn:
        row = store.pins.row(txn, cid)
    if row is not None:
        found = as_pin(cid, row)
    else:
        via = _keeper(store, cid)
        if via is None:
            raise PinNotFound(f"{cid} is not pinned")
        found = Pin(cid, PinMode.INDIRECT, via=via)
    if mode not in (None, found.mode):
        raise PinNotFound(f"{cid} is not pinned as {mode}: it is {found.mode}")
    if name and name not in found.name:
        raise PinNotFound(f"{cid} is not pinned under a name with {name!r} in it")
    return found


def _keeper(store: Store, cid: CID) -> CID | None:
    """A root whose pin reaches a block, or None."""
    block = store.row(cid.multihash)
    return next(iter(store.pins.keeping(BitMap([block.id]), 1)), None) if block is not None else None


def pin_rm(store: Store, cid: CID, *, recursive: bool = True, spare_platform: bool = False) -> CID:
    """Remove the pin of a root; without ``recursive`` only a direct one.

    Raises:  PinNotFound, which names the root where an indirect pin was meant; PinConflict for a recursive pin, and
             with ``spare_platform`` for one that the platform keeps.
    """
    with store.catalogue.read() as txn:
        row = store.pins.row(txn, cid)
    if row is None:
        via = _keeper(store, cid)
        if via is None:
            raise PinNotFound(f"{cid} is not pinned")
        raise PinNotFound(f"{cid} is not pinned itself: it is kept by the pin of {via}")
    if row.mode is PinMode.RECURSIVE and not recursive:
        raise PinConflict(f"{cid} is pinned recursively, and only a direct pin was to be removed")
    if spare_platform and row.name == PLATFORM_PIN_NAME:
        raise PinConflict(
            f"{cid} is pinned for a file of the API, which would not learn of it",
            hint="Delete the file itself (`pinfold file rm`), or say --force.",
        )
    store.unpin([cid])
    return cid


def pin_update(store: Store, old: CID, new: CID, *, unpin: bool = True) -> tuple[CID, CID]:
    """Pin ``new`` recursively in the place of ``old``, in one step; it keeps the name of ``old`` if it has none.

    Raises:  PinNotFound when ``old`` is not pinned recursively, BlockNotFound when ``new`` is not all here, StoreFull.
    """
    pins, catalogue = store.pins, store.catalogue
    while True:
        with catalogue.read() as txn:
            before = pins.row(txn, old)
            generation = catalogue.number(txn, GC_GENERATION)
        if before is None or before.mode is not PinMode.RECURSIVE:
            raise PinNotFound(f"{old} is not pinned recursively")
        ids = require_all(store.walk(new), new.bytes)
        if old.to_v1() == new.to_v1():
            return old, new
        with catalogue.write() as txn:
            if catalogue.number(txn, GC_GENERATION) != generation and not ids.isdisjoint(catalogue.ids(txn, FREED)):
                continue  # a gc swept what we walked over: walk again, and find it missing
            now = pins.row(txn, old)
            if now is None or now.mode is not PinMode.RECURSIVE:
                raise PinNotFound(f"{old} is not pinned recursively any more")
            there = pins.row(txn, new)
            name = there.name if there and there.name else now.name
            created_at = there.created_at if there else time.time()
            pin = NewPin(new, PinMode.RECURSIVE, name, created_at, there.profile if there else "", ids)
            if unpin:
                pins.replace(txn, old, pin)
            else:
                pins.put(txn, [pin])
        return old, new


def pin_verify(store: Store, cid: CID) -> VerifyReport:
    """Hash every block of one pin again, and say which ones are missing or corrupt.

    Raises:  PinNotFound.
    """
    from pinfold.node.soundness import check_dag  # these bring numpy, for which a list of pins need not wait
    from pinfold.store.verify import check_blocks

    with store.catalogue.read() as txn:
        row = store.pins.row(txn, cid)
    if row is None:
        raise PinNotFound(f"{cid} is not pinned")
    found = check_dag(store, cid, recursive=row.mode is PinMode.RECURSIVE)
    problems = [Problem(ProblemKind.CORRUPT_BLOCK, bad.message, CID.from_bytes(bad.cid), (cid,)) for bad in found.bad]
    problems += [
        Problem(ProblemKind.MISSING_BLOCK, f"block {CID.from_bytes(lost)} is missing", CID.from_bytes(lost), (cid,))
        for lost in found.missing
    ]
    blocks, size = len(found.ids), found.size_bytes
    hidden = row.ids - found.ids  # below a damaged or missing block, where no walk comes
    if hidden:
        rest = check_blocks(store.layout, store.catalogue, only=hidden)
        blocks, size = blocks + rest.blocks, size + rest.bytes
        problems += [
            Problem(ProblemKind.CORRUPT_BLOCK, bad.message, CID.from_bytes(bad.cid), (cid,)) for bad in rest.bad
        ]
    problems += [
        Problem(ProblemKind.CORRUPT_BLOCK, f"block {CID.from_bytes(node)}: {why}", CID.from_bytes(node), (cid,))
        for node, why in found.refused
    ]
    if not problems and not found.ids <= row.ids:
        message = f"the catalogue does not say all that the pin of {cid} keeps; gc could remove some of it"
        problems.append(Problem(ProblemKind.BAD_CATALOGUE, message, cid, (cid,)))
    return VerifyReport(blocks, size, 1, tuple(problems))
