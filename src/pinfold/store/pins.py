"""The pinset: journal first, then catalogue, in one write transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from pyroaring import BitMap

from pinfold.core.binary_cid import multihash_of
from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, Corrupt, InvalidInput
from pinfold.core.pin import Pin, PinMode
from pinfold.store.catalogue import Catalogue, Txn
from pinfold.store.commit import spare
from pinfold.store.journal import Journal, JournalEntry
from pinfold.store.layout import Layout
from pinfold.store.rows import PinRow, pack_ids, packed_ids_of_row, union_of_packed
from pinfold.store.walk import Reach

JOURNAL_END: Final = b"journal_end"
INCOMPLETE: Final = b"incomplete_pins"
"""How often a pin was written that lacks blocks, since it was known that there is none."""
_PAGE: Final = 2000  # rows read in one snapshot
_COMPACT_BYTES: Final = 1 << 20
_LINE_BYTES: Final = 200  # a journal line, generously


class NewPin(NamedTuple):
    """A pin on its way in."""

    cid: CID
    mode: PinMode
    name: str
    created_at: float
    profile: str
    ids: BitMap
    complete: bool = True


def pin_key(cid: CID) -> bytes:
    """The key of a pin: Qm… and bafy… of one root are one pin."""
    return cid.to_v1().bytes


class Pins:
    """The pinset of one store."""

    def __init__(self, layout: Layout, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._journal = Journal(layout)

    # -- reading -------------------------------------------------------------------------------------------------

    def row(self, txn: Txn, cid: CID) -> PinRow | None:
        """The pin of one root, or None."""
        data = txn.get(pin_key(cid), db=self._catalogue.pins)
        return PinRow.unpack(data) if data is not None else None

    def count(self, txn: Txn) -> int:
        """How many pins there are."""
        return int(txn.stat(self._catalogue.pins)["entries"])

    def rows(self) -> Iterator[tuple[CID, PinRow]]:
        """Every pin, in short snapshots: one that comes or goes meanwhile may or may not be seen."""
        for key, data in self.raw_rows():
            row = PinRow.unpack(data)
            cid = CID.from_bytes(key)
            yield (cid if row.version else cid.to_v0()), row

    def raw_rows(self) -> Iterator[tuple[bytes, bytes]]:
        """``rows`` as bytes, keys as ``pin_key`` makes them: for arithmetic over all of very many."""
        last: bytes | None = None
        while True:
            with self._catalogue.read() as txn:
                cursor = txn.cursor(self._catalogue.pins)
                found = cursor.first() if last is None else cursor.set_range(last)
                if found and last is not None and cursor.key() == last:
                    found = cursor.next()
                page = []
                if found:
                    for item in cursor.iternext():
                        page.append(item)
                        if len(page) == _PAGE:
                            break
            if not page:
                return
            yield from page
            last = page[-1][0]

    def union(self, txn: Txn, *, without: CID | None = None) -> BitMap:
        """The ids of every block that any pin keeps."""
        skip = pin_key(without) if without is not None else None
        packed = [packed_ids_of_row(data) for key, data in txn.cursor(self._catalogue.pins) if key != skip]
        return union_of_packed(packed)

    def keeping(self, ids: BitMap, limit: int = 5) -> list[CID]:
        """Some pins that keep at least one of these blocks."""
        found = []
        for cid, row in self.rows():
            if not row.ids.isdisjoint(ids):
                found.append(cid)
                if len(found) == limit:
                    break
        return found

    # -- changing: always inside a write transaction ---------------------------------------------------------------

    def put(self, txn: Txn, pins: list[NewPin]) -> None:
        """Add or replace pins; their blocks must be catalogued in this transaction or before.  Raises: StoreFull."""
        entries = [JournalEntry(pin.cid, pin.mode, pin.name, pin.created_at, pin.profile) for pin in pins]
        self._log(txn, entries)
        for pin in pins:
            self._write(txn, pin)

    def _write(self, txn: Txn, pin: NewPin) -> None:
        spare(self._catalogue, txn, pin.ids)
        row = PinRow(pin.mode, pin.name, pin.created_at, pin.profile, pin.cid.version, pin.complete, pack_ids(pin.ids))
        txn.put(pin_key(pin.cid), row.pack(), db=self._catalogue.pins)
        if not pin.complete:
            self._catalogue.put_number(txn, INCOMPLETE, self._catalogue.number(txn, INCOMPLETE) + 1)

    def remove(self, txn: Txn, cids: Iterable[CID]) -> None:
        """Remove pins.  Raises: StoreFull."""
        cids = list(cids)
        self._log(txn, [JournalEntry(cid, None) for cid in cids])
        for cid in cids:
            txn.delete(pin_key(cid), db=self._catalogue.pins)

    def replace(self, txn: Txn, old: CID, new: NewPin) -> None:
        """Put one pin in the place of another, in one piece of the journal.  Raises: StoreFull."""
        entry = JournalEntry(new.cid, new.mode, new.name, new.created_at, new.profile)
        self._log(txn, [entry, JournalEntry(old, None)])
        self._write(txn, new)
        txn.delete(pin_key(old), db=self._catalogue.pins)

    def _log(self, txn: Txn, entries: list[JournalEntry]) -> None:
        end = self._catalogue.number(txn, JOURNAL_END)
        self._catalogue.on_abort(self._cut_journal)
        if self._journal.size() < end:  # somebody cut or removed it: the catalogue still knows every pin
            end = self._journal.rewrite(self._entries(txn))
        self._catalogue.put_number(txn, JOURNAL_END, self._journal.append(entries, end))

    def _cut_journal(self, txn: Txn) -> None:
        """Take back the lines of a transaction that came to nothing: whoever asked was told so."""
        self._journal.cut(self._catalogue.number(txn, JOURNAL_END))

    def _entries(self, txn: Txn) -> Iterator[JournalEntry]:
        for key, data in txn.cursor(self._catalogue.pins):
            yield _entry(key, PinRow.unpack(data))

    # -- settling ------------------------------------------------------------------------------------------------

    def is_behind(self, txn: Txn) -> bool:
        """Whether the journal and the catalogue differ in length: true for a moment in every commit of others."""
        return self._journal.size() != self._catalogue.number(txn, JOURNAL_END)

    def recover(self, txn: Txn, walk: Callable[[CID], Reach]) -> None:
        """Settle the lines behind the known end, which a process wrote that died before its commit.

        They are of one transaction, and nobody was answered: they are applied where all of them can be, and cut off
        where one is torn, or pins a block that is not here.
        """
        end = self._catalogue.number(txn, JOURNAL_END)
        entries, stop = self._unapplied(end)
        last = {pin_key(entry.cid): entry for entry in entries}
        if entries and all(self._can_apply(txn, entry, walk) for entry in last.values()):
            for entry in last.values():
                self.replay(txn, entry, walk)
            end = stop
        if self._journal.size() < end:
            end = self._journal.rewrite(self._entries(txn))
        else:
            self._journal.append([], end)  # cuts a torn line off
        self._catalogue.put_number(txn, JOURNAL_END, end)

    def _unapplied(self, end: int) -> tuple[list[JournalEntry], int]:
        """The lines behind byte ``end`` and where they stop; none where one of them cannot be read."""
        entries = []
        for stop, entry in self._journal.read(end):
            if entry is None:
                return [], end
            entries.append(entry)
            end = stop
        return entries, end

    def _can_apply(self, txn: Txn, entry: JournalEntry, walk: Callable[[CID], Reach]) -> bool:
        """Whether all that a line pins is here and can be read."""
        if entry.mode is None:
            return True
        if entry.mode is PinMode.DIRECT:
            return entry.cid.is_identity or self._catalogue.block(txn, entry.cid.multihash) is not None
        try:
            return not walk(entry.cid).missing
        except (BlockNotFound, Corrupt, InvalidInput):
            return False

    def replay(self, txn: Txn, entry: JournalEntry, walk: Callable[[CID], Reach]) -> Reach | None:
        """Do once more what a journal line says, without writing it again."""
        if entry.mode is None:
            txn.delete(pin_key(entry.cid), db=self._catalogue.pins)
            return None
        if entry.mode is PinMode.DIRECT:
            row = self._catalogue.block(txn, multihash_of(entry.cid.bytes))
            found = Reach(BitMap([row.id] if row else []), [] if row or entry.cid.is_identity else [entry.cid.bytes])
        else:
            found = walk(entry.cid)
        pin = NewPin(entry.cid, entry.mode, entry.name, entry.created_at, entry.profile, found.ids, not found.missing)
        self._write(txn, pin)
        return found

    def compact(self) -> None:
        """Rewrite a journal that is mostly history; writers wait only for the lines added meanwhile."""
        with self._catalogue.read() as txn:
            count, end = self.count(txn), self._catalogue.number(txn, JOURNAL_END)
        if end < _COMPACT_BYTES or end < 3 * _LINE_BYTES * count:
            return
        with self._catalogue.read() as txn:
            begun = self._catalogue.number(txn, JOURNAL_END)
            partial = self._journal.prepare(self._entries(txn))
        with self._catalogue.write() as txn:
            end = self._catalogue.number(txn, JOURNAL_END)
            if end < begun or self._journal.size() < end:  # somebody made it anew meanwhile
                partial.unlink()
                return
            self._catalogue.put_number(txn, JOURNAL_END, self._journal.replace(partial, start=begun, stop=end))


def _entry(key: bytes, row: PinRow) -> JournalEntry:
    cid = CID.from_bytes(key)
    return JournalEntry(cid if row.version else cid.to_v0(), row.mode, row.name, row.created_at, row.profile)


def as_pin(cid: CID, row: PinRow) -> Pin:
    """A pin as its users see it."""
    return Pin(cid, row.mode, row.name, row.created_at, row.profile, len(row.ids))
