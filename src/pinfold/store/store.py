"""The store as its users hold it: blocks by multihash, pins by root, upkeep; safe between threads and processes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

from pyroaring import BitMap

from pinfold.core.binary_cid import multihash_of
from pinfold.core.cid import CID, RAW
from pinfold.core.errors import (
    BlockCorrupt,
    BlockNotFound,
    BlockPinned,
    CatalogueLost,
    Corrupt,
    PinConflict,
    PinNotFound,
    StoreCorrupt,
    StoreFull,
)
from pinfold.core.multihash import matches
from pinfold.core.pin import PinMode
from pinfold.store import segments
from pinfold.store.allocate import settle_tail
from pinfold.store.catalogue import REGISTRY, Txn
from pinfold.store.commit import BLOCK_BYTES, GC_GENERATION, REMOVING
from pinfold.store.damage import DAMAGED, damaged_ids, note_checked
from pinfold.store.gc import FREED, Collected, collect
from pinfold.store.hashed_reads import HashedReads, SoundBlock
from pinfold.store.layout import SEGMENT_HEADER, Layout
from pinfold.store.locks import open_presence
from pinfold.store.mend import replace_damaged
from pinfold.store.pins import NewPin, Pins
from pinfold.store.private import FILE_MODE, make_folder
from pinfold.store.rows import BlockRow, SegmentState, pack_ids, prefix_length, unpack_block
from pinfold.store.segments import SegmentFiles
from pinfold.store.sessions import protected_ids
from pinfold.store.walk import Reach, reach, require_all
from pinfold.store.whole_pins import settle_pins
from pinfold.store.writer import Writer

_RESERVE_BYTES: Final = 4 << 20
_REFRESH_SECONDS: Final = 2.0
_T = TypeVar("_T")


class StoreNumbers(NamedTuple):
    """The store in numbers; bytes as in ``RepoStat``."""

    blocks: int
    block_bytes: int
    dead_bytes: int
    disk_bytes: int
    pins: int
    segments: int
    damaged_blocks: int
    """Blocks that a read or a check found damaged, and that nothing has mended since."""


class Store:
    """One data folder, open."""

    def __init__(self, root: Path, *, create: bool = True) -> None:
        """Open the folder, making it where it is new.

        Raises:  StoreNewer, StoreInUse, StoreUnreadable, StoreFull, CatalogueLost.
        """
        self.layout = Layout(root)
        fresh = self.layout.prepare(create=create)
        self._presence = open_presence(self.layout)
        try:
            has_content = not fresh and self._has_content()  # looked at first: another process may just be making it
            if has_content and not self._has_catalogue():
                raise CatalogueLost(f"the catalogue of {root} is missing")
            make_folder(self.layout.catalogue)
            self.catalogue = REGISTRY.open(self.layout, may_be_new=not has_content)
        except BaseException:
            self._presence.release()
            raise
        self.pins = Pins(self.layout, self.catalogue)
        self.files = SegmentFiles(self.layout)
        self._hashed = HashedReads(self.catalogue, self.files, self.read)
        self._refreshed = time.monotonic()
        try:
            self._recover()
            self._make_reserve()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the folder."""
        self.files.close()
        REGISTRY.close(self.layout)
        self._presence.release()

    def _has_catalogue(self) -> bool:
        try:
            return os.stat(self.layout.catalogue_data).st_size > 0
        except (FileNotFoundError, NotADirectoryError):
            return False

    def _has_content(self) -> bool:
        return self.layout.journal.exists() or bool(self.layout.segment_numbers())

    def _recover(self) -> None:
        """Settle what a process left that died between its journal line and its commit."""
        with self.catalogue.read() as txn:
            if not self.pins.is_behind(txn):
                return
        with self.catalogue.write() as txn:  # waits for a commit that is under way
            if not self.pins.is_behind(txn):
                return
        self.settle_tails()
        with self.catalogue.write() as txn:
            if self.pins.is_behind(txn):
                # Reads that note damage would wait for the write lock that is held here.
                self.pins.recover(
                    txn, lambda cid: reach(self.catalogue, self._read_hashed, cid.bytes, max_missing=1 << 62)
                )

    def _settle(self) -> None:
        """Before a gc: what a dead process has pinned and not committed is pinned, then its other blocks are known."""
        self._recover()
        self.settle_tails()
        self.settle_pins()

    def settle_pins(self) -> None:
        """Let pins that lacked blocks keep those that came since.  Raises: StoreFull."""
        settle_pins(self.catalogue, self.pins, self.read)

    def settle_tails(self) -> None:
        """Catalogue, or cut off, what killed writers left at the ends of segments."""
        with self.catalogue.read() as txn:
            rows = self.catalogue.all_segments(txn)
        for number in self.layout.segment_numbers():
            row = rows.get(number)
            if row is not None and row.state is SegmentState.SEALED:
                continue
            held = segments.try_hold(self.layout, number)
            if held is not None:
                try:
                    settle_tail(self.catalogue, held)
                finally:
                    held.release()

    # -- blocks ----------------------------------------------------------------------------------------------------

    def row(self, multihash: bytes) -> BlockRow | None:
        """Where a block is, or None."""
        with self.catalogue.read() as txn:
            return self.catalogue.block(txn, multihash)

    def read(self, multihash: bytes) -> bytes:
        """A block's bytes, hashed; a block that is damaged is remembered as such.  Not inside a write transaction.

        Raises:  BlockNotFound, BlockCorrupt, StoreCorrupt where its segment is missing or too short.
        """
        try:
            return self._read_hashed(multihash)
        except Corrupt:
            row = self.row(multihash)
            if row is not None:
                note_checked(self.catalogue, BitMap(), BitMap([row.id]))
            raise

    def _read_hashed(self, multihash: bytes) -> bytes:
        before = None
        while True:
            row = self.row(multihash)
            if row is None:
                raise BlockNotFound(f"block {CID(1, RAW, multihash)} is not here")
            try:
                data = self.files.read(row.segment, row.offset, row.length)
                if matches(multihash, data):
                    return data
                if row == before:
                    cid = CID.from_bytes(row.cid(multihash))
                    raise BlockCorrupt(f"block {cid} is corrupt: its bytes do not match it")
            except FileNotFoundError as exc:
                if row == before:  # else gc moved it between the two looks
                    raise StoreCorrupt(f"segment {self.layout.segment(row.segment)} is missing") from exc
            except StoreCorrupt:  # the same, on a full disk: there gc cuts off what it has moved
                if row == before:
                    raise
            before = row

    def read_cid(self, cid: bytes) -> bytes:
        """The same by binary CID.  Raises: BlockNotFound, BlockCorrupt, StoreCorrupt."""
        try:
            return self.read(multihash_of(cid))
        except BlockNotFound:
            raise BlockNotFound(f"block {CID.from_bytes(cid)} is not here") from None

    def sound(self, multihashes: Sequence[bytes]) -> list[SoundBlock]:
        """Where blocks lie that were hashed just now, for a reader that copies them from the segments.

        Raises:  BlockNotFound, BlockCorrupt, StoreCorrupt.
        """
        return self._hashed.sound(multihashes)

    def is_sound(self, multihash: bytes) -> bool:
        """Whether a block's bytes match its hash now.  Raises: BlockNotFound."""
        try:
            self.read(multihash)
        except Corrupt:
            return False
        return True

    def local_cids(self) -> Iterator[bytes]:
        """The binary CID of every block, in short snapshots."""
        last = b""
        while True:
            with self.catalogue.read() as txn:
                cursor = txn.cursor(self.catalogue.blocks)
                page = []
                if cursor.set_range(last + b"\0") if last else cursor.first():
                    for key, value in cursor.iternext():
                        page.append((key, value))
                        if len(page) == 5000:
                            break
            if not page:
                return
            for key, value in page:
                yield BlockRow(*unpack_block(value)).cid(key)
            last = page[-1][0]

    def writer(self) -> Writer:
        """A session of writing; use it as a context manager: what is not committed is rolled back."""
        return Writer(
            self.layout,
            self.catalogue,
            pins=self.pins,
            reads=self._hashed,
            collect=lambda ids: self._with_reserve(lambda: collect(self.layout, self.catalogue, self.pins, only=ids)),
        )

    def remove_block(self, multihash: bytes) -> None:
        """Remove one block that nothing needs.  Raises: BlockNotFound, BlockPinned, StoreFull."""
        catalogue = self.catalogue
        with catalogue.write() as txn:  # say so first: a writer that looks from now on does not rely on it
            wanted = catalogue.block(txn, multihash)
            if wanted is None:
                raise BlockNotFound(f"block {CID(1, RAW, multihash)} is not here")
            self._require_unpinned(txn, multihash, wanted)
            ids = catalogue.ids(txn, REMOVING) | BitMap([wanted.id])
            txn.put(REMOVING, pack_ids(ids), db=catalogue.meta)
        refusal: BlockPinned | None = None
        with catalogue.write() as txn:
            txn.put(REMOVING, pack_ids(catalogue.ids(txn, REMOVING) - BitMap([wanted.id])), db=catalogue.meta)
            row = catalogue.block(txn, multihash)
            try:
                if row is not None and row.id == wanted.id:
                    self._require_unpinned(txn, multihash, row)
                    if row.id in protected_ids(self.layout):
                        cid = CID.from_bytes(row.cid(multihash))
                        raise BlockPinned(f"{cid} is needed by an add or import that runs now")
                    self._forget(txn, multihash, row)
            except BlockPinned as exc:
                refusal = exc
        if refusal is not None:
            raise refusal

    def _require_unpinned(self, txn: Txn, multihash: bytes, row: BlockRow) -> None:
        if row.id in self.pins.union(txn):
            keeper = self.pins.keeping(BitMap([row.id]), 1)
            cid = CID.from_bytes(row.cid(multihash))
            raise BlockPinned(f"{cid} is needed by the pin of {keeper[0] if keeper else 'another root'}")

    def _forget(self, txn: Txn, multihash: bytes, row: BlockRow) -> None:
        catalogue = self.catalogue
        txn.delete(multihash, db=catalogue.blocks)
        segment = catalogue.segment(txn, row.segment)
        if segment is not None:
            size = row.length + prefix_length(row.tag, len(multihash), row.length)
            catalogue.put_segment(
                txn, row.segment, segment._replace(live=segment.live - size, blocks=segment.blocks - 1)
            )
        txn.put(FREED, pack_ids(catalogue.ids(txn, FREED) | BitMap([row.id])), db=catalogue.meta)
        catalogue.put_number(txn, BLOCK_BYTES, catalogue.number(txn, BLOCK_BYTES) - row.length)
        catalogue.put_number(txn, GC_GENERATION, catalogue.number(txn, GC_GENERATION) + 1)

    def forget_corrupt(self, multihash: bytes) -> None:
        """Remove a corrupt block's row, pins or not, so that a sound copy can be written in its place."""
        with self.catalogue.write() as txn:
            row = self.catalogue.block(txn, multihash)
            if row is not None:
                self._forget(txn, multihash, row)

    def replace_corrupt(self, multihash: bytes, data: bytes) -> bool:
        """Put sound bytes in the place of a damaged block, which keeps its id and its pins; False when it is gone.

        Raises:  BlockCorrupt when ``data`` does not match, StoreFull.
        """
        return bool(replace_damaged(self.layout, self.catalogue, [(multihash, data)]))

    def require_undamaged(self, ids: BitMap) -> None:
        """Refuse blocks that are known to be damaged.  Raises: BlockCorrupt."""
        damaged = damaged_ids(self.catalogue) & ids
        if damaged:
            raise BlockCorrupt(f"{len(damaged):,} of its blocks are known to be damaged")

    # -- pins ------------------------------------------------------------------------------------------------------

    def walk(self, cid: CID, *, max_missing: int = 1, progress: Callable[[int], None] | None = None) -> Reach:
        """The ids of what a root reaches.  Raises: DagTooDeep, MalformedBlock, UnknownCodec, BlockCorrupt."""
        return reach(self.catalogue, self.read, cid.bytes, max_missing=max_missing, progress=progress)

    def pin(
        self,
        cid: CID,
        mode: PinMode,
        *,
        name: str = "",
        profile: str = "",
        now: float | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        """Pin what is here.  Pinning again changes the name; a direct pin becomes recursive, never the reverse.

        Raises:  BlockNotFound, PinConflict, StoreFull, and what ``walk`` raises.
        """
        while True:
            with self.catalogue.read() as txn:
                generation = self.catalogue.number(txn, GC_GENERATION)
            if mode is PinMode.DIRECT:
                row = self.row(cid.multihash)
                if row is None and not cid.is_identity:
                    raise BlockNotFound(f"block {cid} is not here")
                ids = BitMap([row.id] if row else [])
            else:
                ids = require_all(self.walk(cid, progress=progress), cid.bytes)
                self.require_undamaged(ids)
            with self.catalogue.write() as txn:
                # A gc may have swept what we walked over: then walk again, and find it missing.
                if self.catalogue.number(txn, GC_GENERATION) != generation and not ids.isdisjoint(
                    self.catalogue.ids(txn, FREED)
                ):
                    continue
                old = self.pins.row(txn, cid)
                if old is not None and old.mode is PinMode.RECURSIVE and mode is PinMode.DIRECT:
                    raise PinConflict(f"{cid} is pinned recursively already, which keeps more than a direct pin")
                kept_name = name or (old.name if old else "")
                created = old.created_at if old else (now if now is not None else time.time())
                kept_profile = profile or (old.profile if old else "")
                self.pins.put(txn, [NewPin(cid, mode, kept_name, created, kept_profile, ids)])
            return

    def unpin(self, cids: Iterable[CID]) -> None:
        """Remove pins, all of them or none.  Raises: PinNotFound."""
        cids = list(cids)

        def remove() -> None:
            with self.catalogue.write() as txn:
                for cid in cids:
                    if self.pins.row(txn, cid) is None:
                        raise PinNotFound(f"{cid} is not pinned")
                self.pins.remove(txn, cids)

        self._with_reserve(remove)

    # -- upkeep ----------------------------------------------------------------------------------------------------

    def gc(self, *, dry_run: bool = False, progress: Callable[[int, int], None] | None = None) -> Collected:
        """Remove what no pin keeps (see ``gc``); readers and writers go on."""
        if not dry_run:
            self._with_reserve(self._settle)
        done = self._with_reserve(
            lambda: collect(self.layout, self.catalogue, self.pins, dry_run=dry_run, progress=progress)
        )
        self.refresh(force=True)
        self._make_reserve()
        return done

    def refresh(self, *, force: bool = False) -> None:
        """Close segments that a gc elsewhere removed, so that their space comes back; a long-running owner calls it."""
        now = time.monotonic()
        if force or now - self._refreshed > _REFRESH_SECONDS:
            self._refreshed = now
            self.files.forget_removed()

    def numbers(self) -> StoreNumbers:
        """The store in numbers."""
        with self.catalogue.read() as txn:
            rows = self.catalogue.all_segments(txn)
            blocks = int(txn.stat(self.catalogue.blocks)["entries"])
            block_bytes = self.catalogue.number(txn, BLOCK_BYTES)
            pins = self.pins.count(txn)
            damaged = len(self.catalogue.ids(txn, DAMAGED) - self.catalogue.ids(txn, FREED))
        disk = 0
        for folder, _, names in os.walk(self.layout.root):
            if Path(folder) in (self.layout.segments, self.layout.catalogue):
                for name in names:
                    with suppress(FileNotFoundError):
                        disk += os.stat(f"{folder}/{name}").st_blocks * 512
        with suppress(FileNotFoundError):
            disk += os.stat(self.layout.journal).st_size
        dead = sum(max(0, row.end - len(SEGMENT_HEADER) - row.live) for row in rows.values())
        return StoreNumbers(blocks, block_bytes, dead, disk, pins, len(self.layout.segment_numbers()), damaged)

    def _with_reserve(self, action: Callable[[], _T]) -> _T:
        """Do what gives space back, by means of the reserve where the disk is full."""
        try:
            return action()
        except StoreFull:
            try:
                os.unlink(self.layout.reserve)
            except FileNotFoundError:
                raise StoreFull(
                    f"no space left on the disk of {self.layout.root}, not even to remove something",
                    hint="Free a few MB on that disk by other means, then try again.",
                ) from None
            return action()

    def _make_reserve(self) -> None:
        if self.layout.reserve.exists():
            return
        partial = self.layout.root / f".reserve.{os.getpid()}"
        try:
            fd = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(fd, 0, _RESERVE_BYTES)
                else:
                    os.write(fd, bytes(_RESERVE_BYTES))
            finally:
                os.close(fd)
            os.rename(partial, self.layout.reserve)
        except OSError:  # no room for it now: the next gc tries again
            with suppress(FileNotFoundError):
                os.unlink(partial)
