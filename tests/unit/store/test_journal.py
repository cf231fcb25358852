"""The pin journal."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import StoreFull
from pinfold.core.pin import PinMode
from pinfold.store import Store
from pinfold.store import journal as journal_module
from pinfold.store.journal import Journal, JournalEntry
from pinfold.store.layout import Layout
from pinfold.store.pins import JOURNAL_END, NewPin
from tests.unit.store.content import pinned_file, put_file

CIDS = [CID.of(b"%d" % number) for number in range(5)]
PLUS = [JournalEntry(cid, PinMode.RECURSIVE, "a\tname\n\u20ac", 12.5, "unixfs-v1-2025") for cid in CIDS]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(Layout(tmp_path))


def test_entries_come_back_as_they_were(journal: Journal) -> None:
    entries = [*PLUS, JournalEntry(CIDS[0], None)]
    end = journal.append(entries[:3], 0)
    end = journal.append(entries[3:], end)
    assert [entry for _, entry in journal.read()] == entries
    assert journal.size() == end == list(journal.read())[-1][0]


def test_a_line_that_is_torn_or_changed_anywhere_is_none() -> None:
    line = PLUS[0].line()
    assert JournalEntry.parse(line) == PLUS[0]
    for at in range(len(line)):
        assert JournalEntry.parse(line[:at]) is None
        assert JournalEntry.parse(line[:at] + bytes([line[at] ^ 4]) + line[at + 1 :]) is None


def test_append_takes_the_place_of_what_nobody_applied(journal: Journal) -> None:
    end = journal.append(PLUS[:1], 0)
    journal.append(PLUS[1:3], end)
    journal.append(PLUS[3:4], end)
    assert [entry for _, entry in journal.read()] == [PLUS[0], PLUS[3]]
    journal.cut(end)
    assert [entry for _, entry in journal.read()] == [PLUS[0]]


def test_a_disk_that_is_full_keeps_the_journal_as_it_was(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    end = journal.append(PLUS[:2], 0)

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(journal_module, "fdatasync", refuse)
        with pytest.raises(StoreFull):
            journal.append(PLUS[2:], end)
    assert journal.size() == end
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreFull):
            journal.rewrite(PLUS[3:])
    assert [entry for _, entry in journal.read()] == PLUS[:2]


def test_a_replacement_takes_over_what_came_meanwhile(journal: Journal) -> None:
    end = journal.append(PLUS[:3], 0)
    partial = journal.prepare(PLUS[1:2])
    stop = journal.append(PLUS[4:], end)
    size = journal.replace(partial, start=end, stop=stop)
    assert [entry for _, entry in journal.read()] == [PLUS[1], PLUS[4]]
    assert journal.size() == size


# -- what a process left that died between its lines and its commit -----------------------------------------------


def _die_with(store: Store, entries: list[JournalEntry]) -> int:
    """Write lines as a process does that is killed before its commit; the end that the catalogue knows."""
    with store.catalogue.read() as txn:
        end = store.catalogue.number(txn, JOURNAL_END)
    Journal(store.layout).append(entries, end)
    return end


def _pins(store: Store) -> dict[CID, str]:
    return {cid: row.name for cid, row in store.pins.rows()}


def test_whole_lines_of_a_dead_process_are_applied_at_the_next_open(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    old, new = pinned_file(store, b"old" * 900, "old"), put_file(store, b"new" * 900)
    _die_with(store, [JournalEntry(new, PinMode.RECURSIVE, "new", 1.0, ""), JournalEntry(old, None)])
    store.close()
    store = Store(tmp_path / "data")
    assert _pins(store) == {new: "new"}
    store.close()


@pytest.mark.parametrize("torn", [1, 40, 100])
def test_a_change_that_is_torn_is_undone_as_a_whole(tmp_path: Path, torn: int) -> None:
    store = Store(tmp_path / "data")
    old, new = pinned_file(store, b"old" * 900, "old"), put_file(store, b"new" * 900)
    end = _die_with(store, [JournalEntry(new, PinMode.RECURSIVE, "new", 1.0, ""), JournalEntry(old, None)])
    os.truncate(store.layout.journal, store.layout.journal.stat().st_size - torn)
    store.close()
    store = Store(tmp_path / "data")
    assert _pins(store) == {old: "old"}
    assert store.layout.journal.stat().st_size == end
    store.close()


def test_a_pin_of_what_is_not_here_is_not_taken_from_a_dead_process(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    old = pinned_file(store, b"old" * 900, "old")
    _die_with(store, [JournalEntry(CIDS[0], PinMode.RECURSIVE, "", 1.0, ""), JournalEntry(old, None)])
    store.close()
    store = Store(tmp_path / "data")
    assert _pins(store) == {old: "old"}
    store.close()


def test_gc_settles_a_dead_process_before_it_collects_its_blocks(store: Store) -> None:
    cid = put_file(store, b"synced, and written to the journal" * 100)
    _die_with(store, [JournalEntry(cid, PinMode.RECURSIVE, "kept", 1.0, "")])
    store.gc()
    assert _pins(store) == {cid: "kept"}
    assert store.read(cid.multihash)


def test_lines_of_a_transaction_that_came_to_nothing_are_cut_off(store: Store) -> None:
    cid = put_file(store, b"not to be pinned" * 200)
    before = store.layout.journal.stat().st_size if store.layout.journal.exists() else 0
    with pytest.raises(KeyError), store.catalogue.write() as txn:
        store.pins.put(txn, [NewPin(cid, PinMode.RECURSIVE, "", 1.0, "", store.walk(cid).ids)])
        raise KeyError
    assert store.layout.journal.stat().st_size == before
    assert not _pins(store)


def test_compaction_keeps_what_is_pinned_and_nothing_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from pinfold.store import pins

    monkeypatch.setattr(pins, "_COMPACT_BYTES", 100)
    kept = pinned_file(store, b"kept" * 900, "kept")
    for number in range(30):
        store.unpin([pinned_file(store, b"%d" % number)])
    long = store.layout.journal.stat().st_size
    store.pins.compact()
    assert store.layout.journal.stat().st_size < long / 10
    assert [entry.cid for _, entry in Journal(store.layout).read() if entry] == [kept]
    store.unpin([kept])
    assert len(list(Journal(store.layout).read())) == 2
