"""The catalogue: an LMDB environment that says where every block is and what every pin reaches.

It is a cache of the segments and the pin journal, so damage is never fatal: it is noticed at open and said as
``CatalogueLost``, and ``rebuild`` makes a new one.  LMDB maps its file into memory and trusts it, so a damaged file
could end the process; therefore a stamp of the file (time and size) is kept after each commit, and a file that does
not match it is checked by a child process before this one touches it.
"""

from __future__ import annotations

import errno
import os
import struct
import subprocess
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

import lmdb
from pyroaring import BitMap

from pinfold.core.errors import CatalogueLost, StoreError, StoreFull, StoreUnreadable
from pinfold.store.layout import Layout
from pinfold.store.private import FILE_MODE
from pinfold.store.rows import BlockRow, SegmentRow, unpack_block, unpack_ids

Txn: TypeAlias = Any  # py-lmdb's stubs say bytes or memoryview everywhere; we never ask for memoryviews

_MAP_SIZES: Final = (1 << 38, 1 << 35, 1 << 32)  # address space, not disk; smaller ones for limited machines
_MAX_READERS: Final = 1024
_STAMP: Final = struct.Struct("<qqQQ")
_STAMP_TRIES: Final = 5
_STAMP_SECONDS: Final = 0.002
_SIZES_SHIFT: Final = 9  # 512 lengths a row: 2 KiB, which fits a page without overflowing it
_SIZES_ROW: Final = 1 << _SIZES_SHIFT
_EMPTY_SIZES: Final = bytes(4 * _SIZES_ROW)
NO_IDS: Final = b"\0"  # an empty set of ids, packed


class Catalogue:
    """One open catalogue.  A process opens each folder once; ``Store`` sees to that."""

    def __init__(self, layout: Layout, *, may_be_new: bool = True) -> None:
        """Open the catalogue, making it where it ``may_be_new``.  Raises: CatalogueLost, StoreFull, StoreUnreadable."""
        self._layout = layout
        self._undo: list[Callable[[Txn], None]] = []  # of the one write transaction that there can be
        self._env = _open_environment(layout)
        try:
            self._check_stamp(may_be_new=may_be_new)
            self.blocks, self.pins, self.segments, self.sizes, self.meta = self._open_tables(may_be_new=may_be_new)
            self._env.reader_check()  # slots of processes that were killed
        except lmdb.Error as exc:
            self._env.close()
            if _is_full(exc):
                raise StoreFull(f"no space left for the catalogue of {layout.root}") from exc
            raise CatalogueLost(f"the catalogue of {layout.root} is damaged: {exc}") from exc
        except BaseException:
            self._env.close()
            raise

    def _open_tables(self, *, may_be_new: bool) -> list[Any]:
        names = (b"blocks", b"pins", b"segments", b"sizes", b"meta")
        made = False
        # A write transaction, because the binding forgets tables that were opened in another; one for all of them.
        with self._env.begin(write=True) as txn:
            try:
                tables = [self._env.open_db(name, txn=txn, create=False) for name in names]
            except lmdb.NotFoundError as exc:
                if not may_be_new:
                    raise CatalogueLost(f"the catalogue of {self._layout.root} is damaged: {exc}") from exc
                made = True
                tables = [self._env.open_db(name, txn=txn) for name in names]
        if made:
            with self._env.begin(write=True):  # no commit is under way that this stamp would speak for
                self._write_stamp()
        return tables

    @property
    def folder(self) -> Path:
        """The store's folder, for temporary files of its size."""
        return self._layout.root

    def close(self) -> None:
        """Let go of the environment."""
        self._env.close()

    @contextmanager
    def read(self) -> Iterator[Txn]:
        """A snapshot.  Keep it short: pages that it can see are not reused."""
        try:
            with self._env.begin() as txn:
                yield txn
        except lmdb.ReadersFullError as exc:
            raise StoreError(f"more than {_MAX_READERS} readers at once on {self._layout.root}") from exc
        except lmdb.Error as exc:
            raise _translate(exc, self._layout) from exc

    @contextmanager
    def write(self) -> Iterator[Txn]:
        """The one write transaction there is at a time, committed and synced at the end; keep it under 100 ms.

        Raises:  StoreFull, CatalogueLost; nothing of it is kept then.
        """
        undo: list[Callable[[Txn], None]] = []
        try:
            with self._env.begin(write=True) as txn:
                self._undo = undo
                self._mark_stamp()
                yield txn
        except lmdb.Error as exc:
            self._run_undo(undo)
            raise _translate(exc, self._layout) from exc
        except BaseException:
            self._run_undo(undo)
            raise
        finally:
            self._write_stamp()

    def on_abort(self, undo: Callable[[Txn], None]) -> None:
        """Have ``undo`` called, in a transaction of its own, should the running write transaction come to nothing."""
        self._undo.append(undo)

    def _run_undo(self, undo: list[Callable[[Txn], None]]) -> None:
        if undo:
            with self._env.begin(write=True) as txn:
                for action in undo:
                    action(txn)

    # -- single rows ---------------------------------------------------------------------------------------------

    def block(self, txn: Txn, multihash: bytes) -> BlockRow | None:
        """Where a block is, or None."""
        row = txn.get(multihash, db=self.blocks)
        return BlockRow(*unpack_block(row)) if row is not None else None

    def segment(self, txn: Txn, number: int) -> SegmentRow | None:
        """What is known of a segment, or None."""
        row = txn.get(struct.pack(">I", number), db=self.segments)
        return SegmentRow.unpack(row) if row is not None else None

    def put_segment(self, txn: Txn, number: int, row: SegmentRow) -> None:
        """Write what is known of a segment."""
        txn.put(struct.pack(">I", number), row.pack(), db=self.segments)

    def drop_segment(self, txn: Txn, number: int) -> None:
        """Forget a segment."""
        txn.delete(struct.pack(">I", number), db=self.segments)

    def all_segments(self, txn: Txn) -> dict[int, SegmentRow]:
        """Every segment by its number."""
        rows = txn.cursor(self.segments)
        return {struct.unpack(">I", key)[0]: SegmentRow.unpack(value) for key, value in rows}

    def number(self, txn: Txn, name: bytes) -> int:
        """A counter; 0 where it was never written."""
        value = txn.get(name, db=self.meta)
        return int.from_bytes(value, "little") if value is not None else 0

    def put_number(self, txn: Txn, name: bytes, value: int) -> None:
        """Write a counter."""
        txn.put(name, value.to_bytes(8, "little"), db=self.meta)

    def ids(self, txn: Txn, name: bytes) -> BitMap:
        """A named set of ids; empty where it was never written."""
        return unpack_ids(txn.get(name, db=self.meta) or NO_IDS)

    # -- sizes by id: what makes accounting a matter of set arithmetic -------------------------------------------

    def put_lengths(self, txn: Txn, first_id: int, lengths: array[int]) -> None:
        """Remember the payload lengths of ids ``first_id``, ``first_id + 1``, …"""
        position = 0
        while position < len(lengths):
            block_id = first_id + position
            row, start = block_id >> _SIZES_SHIFT, block_id & (_SIZES_ROW - 1)
            part = lengths[position : position + _SIZES_ROW - start]
            key = struct.pack(">I", row)
            old = txn.get(key, db=self.sizes) or _EMPTY_SIZES
            new = old[: 4 * start] + struct.pack(f"<{len(part)}I", *part) + old[4 * (start + len(part)) :]
            txn.put(key, new, db=self.sizes)
            position += len(part)

    def total_bytes(self, txn: Txn, ids: BitMap) -> int:
        """Payload bytes of a set of ids together."""
        total = 0
        if len(ids) <= 64:
            for block_id in ids:
                row = txn.get(struct.pack(">I", block_id >> _SIZES_SHIFT), db=self.sizes) or _EMPTY_SIZES
                total += struct.unpack_from("<I", row, 4 * (block_id & (_SIZES_ROW - 1)))[0]
            return total
        import numpy as np  # loaded late: only accounting of large DAGs needs it

        wanted = np.array(ids, dtype=np.uint32)
        rows = wanted >> _SIZES_SHIFT
        starts = np.flatnonzero(np.diff(rows, prepend=-1))
        for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(wanted)], strict=True):
            data = txn.get(struct.pack(">I", int(rows[start])), db=self.sizes) or _EMPTY_SIZES
            lengths = np.frombuffer(data, dtype="<u4")
            total += int(lengths[wanted[start:stop] & (_SIZES_ROW - 1)].sum(dtype=np.uint64))
        return total

    # -- the stamp -----------------------------------------------------------------------------------------------

    def _state(self) -> _Stamp:
        """What the file looks like now, and how many transactions it has seen."""
        stat = os.stat(self._layout.catalogue_data)
        return _Stamp(stat.st_mtime_ns, stat.st_size, stat.st_ino, self._env.info()["last_txnid"])

    def _write_stamp(self) -> None:
        with suppress(FileNotFoundError):  # the folder is gone: the next open says so
            self._put_stamp(self._state())

    def _mark_stamp(self) -> None:
        """Say that a commit is under way: whoever finds this later knows why the file is not as it was stamped."""
        self._put_stamp(_Stamp(0, 0, 0, self._env.info()["last_txnid"]))

    def _put_stamp(self, stamp: _Stamp) -> None:
        try:
            fd = os.open(self._layout.stamp, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
            try:
                os.pwrite(fd, _STAMP.pack(*stamp), 0)
            finally:
                os.close(fd)
        except OSError as exc:
            # Without room for 32 bytes, or with the folder gone, the next open checks the catalogue: nothing is lost.
            if exc.errno not in (errno.ENOSPC, errno.EDQUOT, errno.ENOENT):
                raise

    def _read_stamp(self) -> _Stamp | None:
        try:
            return _Stamp(*_STAMP.unpack(self._layout.stamp.read_bytes()))
        except (FileNotFoundError, struct.error):
            return None

    def _check_stamp(self, *, may_be_new: bool) -> None:
        """Refuse a catalogue file that was changed by anything else than a commit.  Raises: CatalogueLost."""
        if self._read_stamp() == self._state():
            return
        with self._env.begin(write=True):  # no commit is under way while we hold this
            for _ in range(_STAMP_TRIES):  # but the last one's stamp may be
                stamp, now = self._read_stamp(), self._state()
                if stamp == now:
                    return
                time.sleep(_STAMP_SECONDS)
        if may_be_new and now.transactions == 0:
            return
        if stamp is not None and stamp.transactions > now.transactions:
            raise CatalogueLost(f"the catalogue of {self._layout.root} was put back to an older one")
        # A killed writer leaves its mark, and a whole catalogue; without a mark, everything is in doubt.
        killed = stamp is not None and stamp.modified_ns == 0
        if not _child_believes(self._layout, everything=not killed):
            raise CatalogueLost(f"the catalogue of {self._layout.root} is damaged")
        with self._env.begin(write=True):
            self._write_stamp()


class _Stamp(NamedTuple):
    modified_ns: int
    """0 while a commit is under way."""
    size: int
    inode: int
    transactions: int


def _child_believes(layout: Layout, *, everything: bool) -> bool:
    """Whether a process of its own can read and believe the catalogue: a damaged one may end it by a signal."""
    flags = ["--all"] if everything else []
    command = [sys.executable, "-m", "pinfold.store.catalogue_check", *flags, str(layout.root), str(layout.catalogue)]
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0


def _allocate_lock_file(layout: Layout) -> None:
    """Give LMDB's table of readers its blocks: a hole in it that cannot be filled on a full disk ends the process.

    Only before this process has it open: closing a file lets go of every lock that the process has on it.
    """
    size = (_MAX_READERS + 4) * 64
    with suppress(OSError):
        fd = os.open(layout.catalogue / "lock.mdb", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            if os.fstat(fd).st_blocks * 512 < size and hasattr(os, "posix_fallocate"):
                os.posix_fallocate(fd, 0, size)
        finally:
            os.close(fd)


def _open_environment(layout: Layout) -> lmdb.Environment:
    _allocate_lock_file(layout)
    for size in _MAP_SIZES:
        try:
            return lmdb.open(
                str(layout.catalogue), map_size=size, max_dbs=8, max_readers=_MAX_READERS, create=True, mode=FILE_MODE
            )
        except (lmdb.MemoryError, MemoryError):
            continue
        except lmdb.Error as exc:
            if "Permission denied" in str(exc) or "Read-only" in str(exc):
                raise StoreUnreadable(f"cannot open the catalogue of {layout.root}: {exc}") from exc
            if "No space left" in str(exc):
                raise StoreFull(f"no space left for the catalogue of {layout.root}") from exc
            raise CatalogueLost(f"the catalogue of {layout.root} is damaged: {exc}") from exc
    raise StoreError(f"this process may not map {_MAP_SIZES[-1] >> 30} GiB of address space for its catalogue")


def _translate(exc: lmdb.Error, layout: Layout) -> StoreError:
    if _is_full(exc):
        return StoreFull(f"no space left on the disk of {layout.root}")
    return CatalogueLost(f"the catalogue of {layout.root} cannot be used: {exc}")


def _is_full(exc: lmdb.Error) -> bool:
    return isinstance(exc, lmdb.MapFullError) or "No space left" in str(exc) or "quota" in str(exc)


class Registry:
    """One catalogue per folder and process: LMDB must not be opened twice in one process, nor kept over a fork."""

    def __init__(self) -> None:
        self._open: dict[tuple[int, str], tuple[Catalogue, int]] = {}
        self._lock = threading.Lock()

    def open(self, layout: Layout, *, may_be_new: bool) -> Catalogue:
        """The catalogue of a folder, shared by everyone in this process who asked for it."""
        key = (os.getpid(), os.path.realpath(layout.root))
        with self._lock:
            catalogue, users = self._open.get(key) or (Catalogue(layout, may_be_new=may_be_new), 0)
            self._open[key] = catalogue, users + 1
        return catalogue

    def close(self, layout: Layout) -> None:
        """Give one share back."""
        key = (os.getpid(), os.path.realpath(layout.root))
        with self._lock:
            catalogue, users = self._open.pop(key)
            if users > 1:
                self._open[key] = catalogue, users - 1
            else:
                catalogue.close()


REGISTRY: Final = Registry()
