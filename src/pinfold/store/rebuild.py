"""A new catalogue from the segments and the pin journal, for when the old one is lost or damaged.

1. Nobody else may have the folder open.
2. Every record of every segment is hashed; sound ones become rows.  Behind bytes that are no record the search goes
   on at the next thing that looks like one; what is torn at the very end of a segment is cut off.
3. The journal is read to its end, and each pin that stands is walked.  A pin with missing blocks stays, marked.
4. The new catalogue takes the old one's place by a rename.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from pinfold.core.cid import CID
from pinfold.store import segments
from pinfold.store.allocate import adopt, mend_header
from pinfold.store.catalogue import Catalogue
from pinfold.store.commit import PendingBlocks
from pinfold.store.journal import Journal, JournalEntry
from pinfold.store.layout import SEGMENT_HEADER, Layout, sync_path
from pinfold.store.locks import open_presence
from pinfold.store.pins import JOURNAL_END, Pins, pin_key
from pinfold.store.private import make_folder
from pinfold.store.segments import HeldSegment, ScannedRecord, SegmentFiles
from pinfold.store.walk import Reach, reach

_BATCH: Final = 262_144
_SEARCH_BYTES: Final = 4 << 20
_MULTIHASH_HEADS: Final = re.compile(  # the codes and lengths of every hash function that is known
    rb"\x12\x20|\x11\x14|[\x13\x14\x19]\x40|[\x15\x20]\x30|[\x16\x1e\x56]\x20|\x17\x1c|\x93\x20\x1c"
    rb"|[\x94-\xe0]\xe4\x02[\x14-\x40]"
)
_MAX_MISSING: Final = 1 << 62  # all of them: the walk goes round what is not here


class Rebuilt(NamedTuple):
    """What was found."""

    blocks: int
    pins: int
    segments: int
    incomplete: list[CID]
    torn_bytes: int
    bad_lines: int
    """Lines of the journal that could not be read."""
    journal_missing: bool


def rebuild(layout: Layout, *, progress: Callable[[int, int], None] | None = None) -> Rebuilt:
    """Make the catalogue anew.  ``progress`` gets segment bytes read so far and in all.

    Of a backup segments or journal are enough: what else makes a data folder is made again.

    Raises:  StoreInUse, StoreNewer, StoreUnreadable, StoreFull.
    """
    layout.prepare(create=layout.has_content())
    for folder in (layout.locks, layout.segments, layout.sessions):
        make_folder(folder)
    presence = open_presence(layout, exclusive=True)
    journal_missing = not layout.journal.exists()
    new = Layout(layout.root)
    new.catalogue = layout.root / "catalogue.new"
    new.catalogue_data = new.catalogue / "data.mdb"
    new.stamp = new.catalogue / "stamp"
    try:
        shutil.rmtree(new.catalogue, ignore_errors=True)
        make_folder(new.catalogue)
        catalogue = Catalogue(new)
        try:
            torn = _scan_segments(new, catalogue, progress)
            incomplete, bad_lines = _replay_journal(new, catalogue)
            with catalogue.read() as txn:
                blocks = int(txn.stat(catalogue.blocks)["entries"])
                pins = int(txn.stat(catalogue.pins)["entries"])
                number = len(catalogue.all_segments(txn))
        finally:
            catalogue.close()
        _swap(layout, new.catalogue)
    finally:
        presence.release()
    return Rebuilt(blocks, pins, number, incomplete, torn, bad_lines, journal_missing)


def _scan_segments(layout: Layout, catalogue: Catalogue, progress: Callable[[int, int], None] | None) -> int:
    numbers = layout.segment_numbers()
    total = sum(os.stat(layout.segment(number)).st_size for number in numbers)
    done = torn = 0
    for number in numbers:
        held = segments.try_hold(layout, number)
        if held is None:
            continue
        try:
            torn += _scan_segment(catalogue, held)
            done += held.end
        finally:
            held.release()
        if progress is not None:
            progress(done, total)
    return torn


def _scan_segment(catalogue: Catalogue, held: HeldSegment) -> int:
    mend_header(held)
    size, position = held.end, len(SEGMENT_HEADER)
    blocks = PendingBlocks()
    lost = 0
    while position < size:
        for record in segments.scan(held.fd, position, size, verify=True):
            if not record.sound and not _is_followed_by_a_record(held, record.stop, size):
                break  # its length may be as wrong as its bytes
            position = record.stop
            if record.sound:
                length = record.stop - record.start
                blocks.append(record.multihash, held.number, record.offset, record.length, length, record.tag)
                if len(blocks) >= _BATCH:
                    adopt(catalogue, blocks, held.number, position)
                    blocks = PendingBlocks()
        if position < size:
            found = _next_record(held, position, size)
            lost += (found if found is not None else size) - position
            if found is None:
                break
            position = found
    if position < size:
        held.truncate(position)
        held.sync()
    adopt(catalogue, blocks, held.number, held.end)
    return lost


def _is_followed_by_a_record(held: HeldSegment, stop: int, size: int) -> bool:
    if stop == size:
        return True
    record = _first(held, stop, size)
    return record is not None and record.sound


def _next_record(held: HeldSegment, start: int, size: int) -> int | None:
    """Where the next sound record begins behind bytes that are none, or None."""
    position = start + 1
    while position < size:
        data = os.pread(held.fd, _SEARCH_BYTES, position)
        for match in _MULTIHASH_HEADS.finditer(data):
            found = _record_with_hash_at(held, position + match.start(), start, size)
            if found is not None:
                return found
        if position + len(data) >= size:
            return None
        position += len(data) - 3  # a head may lie across two pieces
    return None


def _record_with_hash_at(held: HeldSegment, multihash_at: int, low: int, size: int) -> int | None:
    """The start of a sound record whose multihash begins at this byte, or None."""
    for cid_bytes in (2, 0, 3):  # a CIDv1 with a short codec, a CIDv0, a CIDv1 with a long codec
        for varint_bytes in (3, 2, 1, 4):
            at = multihash_at - cid_bytes - varint_bytes
            if at <= low:
                continue
            record = _first(held, at, size)
            if record is not None and record.sound and record.offset - len(record.multihash) == multihash_at:
                return at
    return None


def _first(held: HeldSegment, at: int, size: int) -> ScannedRecord | None:
    head = os.pread(held.fd, 1, at)
    if not head or head == b"\0":
        return None
    return next(segments.scan(held.fd, at, size, verify=True), None)


def _replay_journal(layout: Layout, catalogue: Catalogue) -> tuple[list[CID], int]:
    journal, pins, files = Journal(layout), Pins(layout, catalogue), SegmentFiles(layout)
    standing: dict[bytes, JournalEntry] = {}
    bad_lines = 0
    for _, entry in journal.read():
        if entry is None:
            bad_lines += 1
        elif entry.mode is None:
            standing.pop(pin_key(entry.cid), None)
        else:
            standing[pin_key(entry.cid)] = entry

    def read(multihash: bytes) -> bytes:
        with catalogue.read() as txn:
            row = catalogue.block(txn, multihash)
        assert row is not None  # the walk has just seen it, and nobody else is here
        return files.read(row.segment, row.offset, row.length)

    def walk(cid: CID) -> Reach:
        return reach(catalogue, read, cid.bytes, max_missing=_MAX_MISSING)

    incomplete = []
    entries = list(standing.values())
    for start in range(0, len(entries), 1000):
        with catalogue.write() as txn:
            for entry in entries[start : start + 1000]:
                found = pins.replay(txn, entry, walk)
                if found is not None and found.missing:
                    incomplete.append(entry.cid)
    with catalogue.write() as txn:
        catalogue.put_number(txn, JOURNAL_END, journal.rewrite(entries))
    files.close()
    return incomplete, bad_lines


def _swap(layout: Layout, new: Path) -> None:
    sync_path(new)
    shutil.rmtree(layout.catalogue, ignore_errors=True)
    if layout.catalogue.exists():  # a file in its place
        layout.catalogue.unlink()
    new.rename(layout.catalogue)
    sync_path(layout.root)
