"""Read a whole catalogue, in a process of its own: damage may end the reader by a signal.

LMDB has no checksums, so what is read is compared with itself: counters with rows, ids with lengths, places with each
other.  With ``--all`` also with segments and journal: then something else than a commit has changed the file.

Run as ``python -m pinfold.store.catalogue_check [--all] ROOT CATALOGUE``; exits 0 when everything agrees.
"""

from __future__ import annotations

import mmap
import os
import struct
import sys
from pathlib import Path
from typing import Any, Final

import lmdb
import numpy as np

from pinfold.core.cid import CID
from pinfold.store.commit import BLOCK_BYTES, NEXT_ID
from pinfold.store.gc import FREED
from pinfold.store.journal import Journal, JournalEntry
from pinfold.store.layout import Layout
from pinfold.store.pins import JOURNAL_END, pin_key
from pinfold.store.row_chunks import prefix_lengths
from pinfold.store.rows import BLOCK_ROW_BYTES, PinRow, SegmentRow, is_sound_pin, unpack_ids

TABLES: Final = (b"blocks", b"pins", b"segments", b"sizes", b"meta")


class _Rows:
    """Every row of every table."""

    def __init__(self, folder: str) -> None:
        with lmdb.open(folder, readonly=True, max_dbs=8, map_size=1 << 38, create=False) as env:
            with open(os.devnull, "wb") as nowhere:
                env.copyfd(nowhere.fileno(), compact=True)  # follows every page, those that are free included
            with env.begin() as txn:
                self.tables = {name: _read(env, txn, name) for name in TABLES}

    def number(self, name: bytes) -> int:
        """A counter."""
        return int.from_bytes(self.meta.get(name, b""), "little")

    @property
    def meta(self) -> dict[bytes, bytes]:
        """Counters and named sets."""
        return dict(zip(*self.tables[b"meta"], strict=True))


class _Damaged(Exception):
    """The catalogue contradicts itself, or what lies beside it."""


def _require(condition: object, what: str) -> None:
    if not condition:
        raise _Damaged(what)


def _read(env: Any, txn: Any, name: bytes) -> tuple[list[bytes], list[bytes]]:
    table = env.open_db(name, txn=txn, create=False)
    entries = txn.stat(table)["entries"]
    keys: list[bytes] = []
    values: list[bytes] = []
    last = b""
    for key, value in txn.cursor(table):
        # Ascending keys also end the walk of a tree that leads back into itself.
        _require(key > last, f"keys of {name!r} are out of order")
        keys.append(key)
        values.append(value)
        last = key
    _require(len(keys) == entries, f"{name!r} has {len(keys)} rows and counts {entries}")
    return keys, values


def check(root: str, folder: str, *, everything: bool) -> None:
    """Raise where the catalogue cannot be trusted."""
    rows = _Rows(folder)
    segments = {
        struct.unpack(">I", key)[0]: SegmentRow.unpack(value)
        for key, value in zip(*rows.tables[b"segments"], strict=True)
    }
    keys, values = rows.tables[b"blocks"]
    _require(all(len(value) == BLOCK_ROW_BYTES for value in values), "a block row has another length")
    table = np.frombuffer(b"".join(values), dtype="<u4").reshape(-1, 5)
    _check_ids(rows, table)
    _check_places(keys, table, segments)
    _require(all(is_sound_pin(value) for value in rows.tables[b"pins"][1]), "a pin's checksum is another")
    pins = {key: PinRow.unpack(value) for key, value in zip(*rows.tables[b"pins"], strict=True)}
    next_id = rows.number(NEXT_ID)
    for row in pins.values():
        ids = row.ids
        _require(not ids or ids.max() < next_id, "a pin has an id that was never given out")
    if everything:
        layout = Layout(Path(root))
        _check_records(layout, keys, table)
        _check_journal(layout, pins, rows.number(JOURNAL_END))


def _check_ids(rows: _Rows, table: Any) -> None:
    ids, lengths = table[:, 0], table[:, 3]
    _require(len(np.unique(ids)) == len(ids), "two blocks have one id")
    _require(not len(ids) or int(ids.max()) < rows.number(NEXT_ID), "a block has an id that was never given out")
    freed = unpack_ids(rows.meta.get(FREED, b"\0"))
    _require(not np.isin(ids, np.array(freed, dtype=np.uint32)).any(), "a block is freed and here")
    _require(int(lengths.sum(dtype=np.uint64)) == rows.number(BLOCK_BYTES), "the sum of lengths is another")
    known = {struct.unpack(">I", key)[0]: value for key, value in zip(*rows.tables[b"sizes"], strict=True)}
    if not len(ids):
        return
    pages = np.zeros((int(ids.max()) // 512 + 1, 512), dtype="<u4")
    for number, value in known.items():
        if number < len(pages):
            pages[number] = np.frombuffer(value, dtype="<u4")
    _require((pages.reshape(-1)[ids] == lengths).all(), "lengths by id are others")


def _check_places(keys: list[bytes], table: Any, segments: dict[int, SegmentRow]) -> None:
    order = np.lexsort((table[:, 2], table[:, 1]))
    placed = table[order]
    hashes = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))[order]
    prefixes = prefix_lengths(hashes, placed[:, 4], placed[:, 3])
    starts = placed[:, 2].astype(np.int64) - prefixes
    stops = placed[:, 2].astype(np.int64) + placed[:, 3]
    same = placed[1:, 1] == placed[:-1, 1]
    _require((starts[1:] >= stops[:-1])[same].all(), "two blocks share bytes")
    _require(not len(starts) or int(starts.min()) > 0, "a block begins before its segment")
    for number, row in segments.items():
        here = placed[:, 1] == number
        live = int((stops - starts)[here].sum())
        _require((row.blocks, row.live) == (int(here.sum()), live), f"segment {number} counts other blocks")
    _require(set(np.unique(placed[:, 1]).tolist()) <= segments.keys(), "a block is in a segment that is not known")


def _check_records(layout: Layout, keys: list[bytes], table: Any) -> None:
    """Each row's key must stand before its payload; segments that are missing or too short are for ``verify``."""
    for number in np.unique(table[:, 1]).tolist():
        try:
            stream = open(layout.segment(number), "rb")
        except OSError:
            continue
        with stream:
            size = os.fstat(stream.fileno()).st_size
            if size == 0:
                continue
            data = mmap.mmap(stream.fileno(), size, access=mmap.ACCESS_READ)
            here = np.flatnonzero(table[:, 1] == number)
            for index, offset in zip(here.tolist(), table[here, 2].tolist(), strict=True):
                key = keys[index]
                _require(offset > size or data[offset - len(key) : offset] == key, "a row names another block's place")


def _check_journal(layout: Layout, pins: dict[bytes, PinRow], end: int) -> None:
    """The journal up to the length that was applied must give these pins; a damaged journal is for ``verify``."""
    standing: dict[bytes, JournalEntry] = {}
    position = 0
    for stop, entry in Journal(layout).read():
        if position >= end:
            break
        if entry is None:
            return
        if entry.mode is None:
            standing.pop(pin_key(entry.cid), None)
        else:
            standing[pin_key(entry.cid)] = entry
        position = stop
    if position != end:
        return
    _require(standing.keys() == pins.keys(), "the pins are others than the journal's")
    for key, row in pins.items():
        cid = CID.from_bytes(key)
        said = JournalEntry(cid if row.version else cid.to_v0(), row.mode, row.name, row.created_at, row.profile)
        _require(standing[key] == said, "a pin is another than the journal's")


def main() -> int:
    """0 when the catalogue can be trusted."""
    *flags, root, folder = sys.argv[1:]
    check(root, folder, everything="--all" in flags)
    return 0


if __name__ == "__main__":
    sys.exit(main())
