"""One add or one import: blocks in, then one commit that makes them durable, known and pinned; or a rollback.

1. Blocks are appended to a segment that this writer holds alone.  What is stored already is compared with what came:
   where it is equal it is relied on, where it differs the stored copy is damaged and replaced.
2. Behind every 16 MiB a background thread syncs, so that the last sync is short.
3. ``commit`` syncs, writes the rows in batches, and the pins with the last of them: journal first, then catalogue.
4. ``rollback`` cuts the segment back to where it was.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, Corrupt
from pinfold.core.pin import PinMode
from pinfold.store.allocate import hold_segment, new_segment
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.commit import (
    BATCH_ROWS,
    GC_CONDEMNED,
    GC_GENERATION,
    REMOVING,
    PendingBlocks,
    advance,
    insert,
    reserve_ids,
)
from pinfold.store.damage import damaged_ids
from pinfold.store.hashed_reads import HashedReads
from pinfold.store.layout import SEAL_BYTES, SEGMENT_HEADER, Layout
from pinfold.store.pins import NewPin, Pins
from pinfold.store.rows import unpack_block
from pinfold.store.segments import HeldSegment
from pinfold.store.sessions import Session
from pinfold.store.stored_copies import NewBlock, heal

__all__ = ["BlockRun", "NewBlock", "Root", "Writer"]

_SYNC_BYTES: Final = 16 << 20  # 1 GiB is durable in 0.77 s so, in 0.90 s with 64 MiB, and in 1.18 s with one sync
_BATCH_PINS: Final = 1000  # about 20 ms of a transaction
_PAUSE_SECONDS: Final = 0.001  # LMDB's lock is not fair: without a pause others would wait for all batches
_MAX_HASHED_BYTES: Final = 256 << 20  # 0.2 s: what a client may have hashed by naming blocks that it does not bring
_HASHED_AT_ONCE: Final = 64
_MAX_PENDING: Final = 1 << 18  # blocks remembered by their hash before a flush: about 60 MB


class BlockRun(NamedTuple):
    """Records that follow each other without a gap, as a CAR has them, and where each payload lies in them."""

    data: memoryview
    multihashes: list[bytes]
    starts: list[int]
    lengths: list[int]
    sizes: list[int]
    """Bytes of each whole record."""
    tags: list[int]

    def stops(self, index: int) -> int:
        """Where a payload ends."""
        return self.starts[index] + self.lengths[index]


class Root(NamedTuple):
    """What is to be pinned at the end: a root and every block that it reaches, by handle or by id."""

    cid: CID
    handles: Iterable[int]
    name: str = ""
    profile: str = ""
    keep_name: bool = False
    """Leave the name alone where the root is pinned already."""
    ids: BitMap | None = None


class Writer:
    """A session of writing; thread-safe.  Use ``Store.writer`` to get one."""

    def __init__(
        self,
        layout: Layout,
        catalogue: Catalogue,
        *,
        pins: Pins,
        reads: HashedReads,
        collect: Callable[[BitMap], object],
        exclude: frozenset[int] = frozenset(),
    ) -> None:
        self._layout = layout
        self._catalogue = catalogue
        self._pins = pins
        self._reads = reads
        self._collect = collect
        self._exclude = exclude
        self._session = Session(layout)
        self._lock = threading.RLock()
        self._held: list[HeldSegment] = []  # the last one takes the next block
        self._starts: dict[int, int] = {}  # where each held segment ended before us, or since the last flush
        self._created: set[int] = set()
        self._pending = PendingBlocks()
        self._committing = False  # pending blocks may be catalogued, and then their bytes must stay
        self._seen: dict[bytes, int] = {}  # multihash -> handle: a serial >= 0 of ours, or -1 - id of a stored block
        self._ids: array[int] = array("I")  # serial -> id, once catalogued
        self._written = 0  # blocks whose serials were forgotten
        self._compared = BitMap()  # ids of stored blocks whose bytes were brought here and are equal
        self._hashed_bytes = 0
        self._mine = BitMap()
        self._twice = BitMap()  # ids of blocks that we wrote and another session catalogued first
        self._relied = BitMap()  # ids of stored blocks that the session protects
        self._unsynced = 0
        self._syncer: ThreadPoolExecutor | None = None
        self._syncs: list[Future[None]] = []
        with catalogue.read() as txn:
            self._empty = txn.stat(catalogue.blocks)["entries"] == 0

    # -- blocks in -----------------------------------------------------------------------------------------------

    def handles(self, multihashes: Sequence[bytes], *, hashed: bool = False) -> list[int | None]:
        """A handle for each block that this session wrote or that is stored and will stay until it ends.

        A stored block that is known to be damaged, or whose segment is missing or too short, has none: it must be
        brought.  With ``hashed`` stored blocks are hashed as well, up to 256 MiB of them in one session.
        """
        with self._lock:
            found = list(map(self._seen.get, multihashes))
            if None in found:
                wanted = [key for key, handle in zip(multihashes, found, strict=True) if handle is None]
                self._rely(wanted, hashed=hashed)
                found = list(map(self._seen.get, multihashes))
            return found

    def put(self, blocks: Sequence[NewBlock]) -> list[int]:
        """Append what is not stored yet, in order, and give each block's handle; damaged copies are replaced.

        Raises:  StoreFull; BlockCorrupt where the stored copy differs from bytes that do not match their own hash.
        """
        self._compare(blocks)
        with self._lock:
            seen = self._seen
            parts: list[bytes | memoryview] = []
            size = 0
            handles = []
            fresh: list[NewBlock] = []
            serial = len(self._ids) + len(self._pending)
            for block in blocks:
                handle = seen.get(block[0])
                if handle is None:
                    handle = seen[block[0]] = serial
                    serial += 1
                    fresh.append(block)
                    parts.append(block[2])
                    parts.append(block[3])
                    size += len(block[2]) + len(block[3])
                handles.append(handle)
            if not fresh:
                return handles
            held = self._segment()
            offset = held.reserve(size)
            number, pending = held.number, self._pending
            at = offset
            for multihash, tag, prefix, data in fresh:
                at += len(prefix)
                pending.append(multihash, number, at, len(data), len(prefix) + len(data), tag)
                at += len(data)
            self._note_written(held, size)
        # Outside the lock: large blocks of several threads are hashed and written side by side.
        for start in range(0, len(parts), 1000):  # IOV_MAX is 1024
            some = parts[start : start + 1000]
            length = sum(map(len, some))
            held.write_at(some, offset, length)
            offset += length
        return handles

    def put_run(self, run: BlockRun) -> None:
        """Append records as they lie in ``run.data``; like ``put``, but made for hundreds of thousands of blocks."""
        with self._lock:
            seen = self._seen
            keys = run.multihashes
            plain = len(set(keys)) == len(keys) and seen.keys().isdisjoint(keys)
            if plain and not self._empty:
                plain = not self._any_stored(keys)
            if plain:
                size = len(run.data)
                held = self._segment()
                offset = held.reserve(size)
                pending = self._pending
                serial = len(self._ids) + len(pending)
                seen.update(zip(keys, range(serial, serial + len(keys)), strict=True))
                pending.multihashes += keys
                pending.segments.extend(array("I", [held.number]) * len(keys))
                pending.offsets.extend([start + offset for start in run.starts])
                pending.lengths.extend(run.lengths)
                pending.sizes.extend(run.sizes)
                pending.tags.extend(run.tags)
                self._note_written(held, size)
        if plain:
            held.write_at([run.data], offset, size)
            return
        data = run.data
        for at in range(0, len(keys), 512):
            self.put(
                [
                    NewBlock(
                        keys[i],
                        run.tags[i],
                        bytes(data[run.stops(i) - run.sizes[i] : run.starts[i]]),
                        data[run.starts[i] : run.stops(i)],
                    )
                    for i in range(at, min(at + 512, len(keys)))
                ]
            )

    @property
    def is_full(self) -> bool:
        """Whether so many blocks are remembered that ``flush`` is due; call it when no ``put`` runs."""
        return len(self._seen) >= _MAX_PENDING

    @property
    def written(self) -> int:
        """Blocks that this session brought."""
        return self._written + len(self._ids) + len(self._pending)

    def brought(self, block_id: int) -> bool:
        """Whether this session has written and flushed a block, perhaps just after another session did."""
        return block_id in self._mine or block_id in self._twice

    def _segment(self) -> HeldSegment:
        if self._held and self._held[-1].end < SEAL_BYTES:
            return self._held[-1]
        if self._held:
            held = new_segment(self._layout, self._catalogue)
        else:
            held = hold_segment(self._layout, self._catalogue, exclude=self._exclude)
        if held.end == len(SEGMENT_HEADER):
            self._created.add(held.number)
        self._starts[held.number] = held.end
        self._held.append(held)
        return held

    def _note_written(self, held: HeldSegment, size: int) -> None:
        self._unsynced += size
        # A slow disk gets fewer and longer syncs: the next one begins when the last is done.
        if self._unsynced >= _SYNC_BYTES and (not self._syncs or self._syncs[-1].done()):
            if self._syncer is None:
                self._syncer = ThreadPoolExecutor(1, "pinfold-sync")
            self._syncs.append(self._syncer.submit(held.sync))
            self._unsynced = 0

    def _rely(self, wanted: list[bytes], *, hashed: bool) -> None:
        """Look blocks up whose bytes nobody brings, and rely on those that are sound as far as is known."""
        found = self._stored(wanted)
        if not found:
            return
        damaged = damaged_ids(self._catalogue)
        unsound = {key for key, block_id in found.items() if block_id in damaged}
        unsound |= self._reads.out_of_reach([key for key in found if key not in unsound])
        if hashed:
            ours = self._mine | self._twice | self._compared
            others = [key for key, block_id in found.items() if key not in unsound and block_id not in ours]
            unsound |= self._unsound_by_hash(others)
        for key, block_id in found.items():
            if key not in unsound:
                self._seen[key] = -1 - block_id

    def _unsound_by_hash(self, keys: list[bytes]) -> set[bytes]:
        """Those that do not match their hash, of the first so many bytes that this session relies on."""
        unsound: set[bytes] = set()
        for at in range(0, len(keys), _HASHED_AT_ONCE):
            if self._hashed_bytes >= _MAX_HASHED_BYTES:
                break
            for key in keys[at : at + _HASHED_AT_ONCE]:
                try:
                    self._hashed_bytes += self._reads.sound([key])[0].row.length
                except (Corrupt, BlockNotFound):
                    unsound.add(key)
        return unsound

    def _compare(self, blocks: Sequence[NewBlock]) -> None:
        """Look up what is brought now, and heal the stored copies that differ; what is stored is relied on then."""
        if self._empty:
            return
        with self._lock:
            seen = self._seen
            known = [block for block in blocks if seen.get(block.multihash, 0) < 0]
            known = [block for block in known if -1 - seen[block.multihash] not in self._compared]
            fresh = {block.multihash: block for block in blocks if block.multihash not in seen}
            found = self._stored(list(fresh))
        for_comparison = [*known, *(fresh[key] for key in found)]
        if not for_comparison:
            return
        # Outside the lock: large blocks of several threads are compared side by side.
        heal(self._layout, self._catalogue, self._reads.files, for_comparison)
        with self._lock:
            for key, block_id in found.items():
                self._seen.setdefault(key, -1 - block_id)
            self._compared.update(found.values())
            self._compared.update(-1 - seen[block.multihash] for block in known)

    def _stored(self, wanted: list[bytes]) -> dict[bytes, int]:
        """Ids of the blocks that are stored, kept from being collected from now on (see ``sessions``)."""
        if not wanted:
            return {}
        catalogue = self._catalogue
        with catalogue.read() as txn:
            generation = txn.get(GC_GENERATION, db=catalogue.meta)
            found = self._look_up(txn, wanted)
        if not found:
            return found
        fresh = BitMap(found.values()) - self._relied - self._mine
        self._session.protect(_ranges(fresh))
        self._relied |= fresh
        with catalogue.read() as txn:
            if (
                txn.get(GC_CONDEMNED, db=catalogue.meta) is not None
                or txn.get(GC_GENERATION, db=catalogue.meta) != generation
                or catalogue.ids(txn, REMOVING)
            ):
                found = self._still_there(txn, found)
        return found

    def _look_up(self, txn: Txn, wanted: list[bytes]) -> dict[bytes, int]:
        """Ids of the blocks that are stored."""
        get, db = txn.get, self._catalogue.blocks
        rows = ((key, get(key, db=db)) for key in wanted)
        return {key: unpack_block(row)[0] for key, row in rows if row is not None}

    def _any_stored(self, wanted: list[bytes]) -> bool:
        with self._catalogue.read() as txn:
            return bool(self._look_up(txn, wanted))

    def _still_there(self, txn: Txn, found: dict[bytes, int]) -> dict[bytes, int]:
        condemned = self._catalogue.ids(txn, GC_CONDEMNED) | self._catalogue.ids(txn, REMOVING)
        kept = {}
        for key, block_id in found.items():
            row = self._catalogue.block(txn, key)
            if row is not None and row.id == block_id and block_id not in condemned:
                kept[key] = block_id
        return kept

    # -- the end -------------------------------------------------------------------------------------------------

    def flush(self, *, keep_serials: bool = True) -> None:
        """Make everything so far durable and known, but not pinned; this session keeps it from gc.

        Without ``keep_serials`` the handles >= 0 that were given end here, and so does the memory that they take.
        """
        with self._lock:
            self._catalogue_pending(())
            self._seen.clear()
            if not keep_serials:
                self._written += len(self._ids)
                del self._ids[:]

    def commit(self, roots: Sequence[Root] = ()) -> None:
        """Make everything durable and known, and the roots pinned recursively.

        A root that is pinned already keeps its name where the new one is empty, and its time.
        """
        with self._lock:
            self._catalogue_pending(roots)
            self._close()

    def _pin(self, txn: Txn, roots: Sequence[Root]) -> None:
        now = time.time()
        pins = []
        for root in roots:
            old = self._pins.row(txn, root.cid)
            name = old.name if old and (root.keep_name or not root.name) else root.name
            profile = root.profile or (old.profile if old else "")
            table = self._ids
            ids = BitMap([table[handle] if handle >= 0 else -1 - handle for handle in root.handles])
            if root.ids is not None:
                ids |= root.ids
            created = old.created_at if old else now
            pins.append(NewPin(root.cid, PinMode.RECURSIVE, name, created, profile, ids))
        self._pins.put(txn, pins)

    def _catalogue_pending(self, roots: Sequence[Root]) -> None:
        for sync in self._syncs:
            sync.result()
        self._syncs.clear()
        for held in self._held:
            held.sync()
        catalogue, blocks = self._catalogue, self._pending
        order = blocks.order()
        ids: array[int] = array("I")
        first, base = 0, len(self._ids)
        # The last blocks and the first pins share a transaction: for a small add it is the only one.
        batches = [order[at : at + BATCH_ROWS] for at in range(0, len(order), BATCH_ROWS)]
        pins = [roots[at : at + _BATCH_PINS] for at in range(0, len(roots), _BATCH_PINS)]
        lonely = len(batches) <= 1 and len(pins) == 1  # nobody can see these blocks unpinned
        self._committing = bool(blocks)
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            with catalogue.write() as txn:
                if number == 0:
                    ids = reserve_ids(catalogue, txn, blocks)
                    first = ids[0]
                    if not lonely:
                        self._session.protect([(first, len(ids))])
                theirs = insert(catalogue, txn, blocks, batch, ids)
                self._twice |= theirs
                if theirs and not lonely:
                    self._session.protect((block_id, 1) for block_id in theirs)
                if last:
                    for held in self._held:
                        advance(catalogue, txn, held.number, held.end, sealed=held.end >= SEAL_BYTES)
                    del self._ids[base:]
                    self._ids.extend(ids)
                    if pins:
                        self._pin(txn, pins.pop(0))
            self._mine.add_range(first, first + len(blocks))
            if not last:
                time.sleep(_PAUSE_SECONDS)
        for some in pins:
            with catalogue.write() as txn:
                self._pin(txn, some)
            time.sleep(_PAUSE_SECONDS)
        # First of all: an interrupt behind this line must not cut off what is known now.
        self._starts = {held.number: held.end for held in self._held}
        self._pending = PendingBlocks()
        self._committing = False
        self._empty = self._empty and not blocks
        for held in self._held[:-1]:
            held.release()
        self._held = self._held[-1:]

    def rollback(self) -> None:
        """Leave the store as it was; safe after a commit (it does nothing) and to call twice."""
        with self._lock:
            try:
                if self._held:
                    self._take_back()
            finally:
                self._pending = PendingBlocks()
                self._committing = False
                self._close()

    def _take_back(self) -> None:
        for sync in self._syncs:
            sync.exception()
        self._syncs.clear()
        self._session.close()
        mine = self._mine | self._known_pending()
        if mine:
            self._collect(mine)
        if not self._known_pending():  # else somebody has found and pinned one of ours
            for held in self._held:
                self._cut_back(held)

    def _known_pending(self) -> BitMap:
        """Ids of pending blocks whose rows point to our copies: a commit that broke off may have got that far."""
        found = BitMap()
        if not self._committing:
            return found
        pending, catalogue = self._pending, self._catalogue
        with catalogue.read() as txn:
            for multihash, segment, offset in zip(pending.multihashes, pending.segments, pending.offsets, strict=True):
                row = catalogue.block(txn, multihash)
                if row is not None and (row.segment, row.offset) == (segment, offset):
                    found.add(row.id)
        return found

    def _cut_back(self, held: HeldSegment) -> None:
        start = self._starts[held.number]
        if held.end > start:
            held.truncate(start)
        if held.number in self._created and start == len(SEGMENT_HEADER):
            os.unlink(self._layout.segment(held.number))

    def _close(self) -> None:
        if self._syncer is not None:
            self._syncer.shutdown()
            self._syncer = None
        for held in self._held:
            held.release()
        self._held = []
        self._session.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.rollback()


def _ranges(ids: BitMap) -> Iterator[tuple[int, int]]:
    """The ids as (first, count) of those that follow each other."""
    first = count = 0
    for block_id in ids:
        if count and block_id == first + count:
            count += 1
            continue
        if count:
            yield first, count
        first, count = block_id, 1
    if count:
        yield first, count
