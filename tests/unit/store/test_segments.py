"""Segments: scanned, held, and settled after a kill."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pinfold.core.cid import CID
from pinfold.store import Store, segments
from pinfold.store.allocate import hold_segment, new_segment, settle_tail
from pinfold.store.layout import SEGMENT_HEADER
from pinfold.store.rows import SegmentState
from pinfold.store.segments import SegmentFiles
from tests.support.cars import RawBlock, raw_block, raw_blocks, record
from tests.unit.store.content import put_blocks


def _segment(folder: Path, data: bytes) -> int:
    path = folder / "segment"
    path.write_bytes(SEGMENT_HEADER + data)
    return os.open(path, os.O_RDONLY)


def _scan(folder: Path, data: bytes) -> list[segments.ScannedRecord]:
    fd = _segment(folder, data)
    try:
        stop = len(SEGMENT_HEADER) + len(data)
        return list(segments.scan(fd, len(SEGMENT_HEADER), stop, verify=True))
    finally:
        os.close(fd)


def test_a_scan_finds_every_record_and_where_it_lies(tmp_path: Path) -> None:
    blocks = raw_blocks(50)
    data = b"".join(map(record, blocks))
    found = _scan(tmp_path, data)
    whole = SEGMENT_HEADER + data
    assert [whole[one.offset : one.stop] for one in found] == [block.data for block in blocks]
    assert all(one.sound for one in found)
    assert [one.start for one in found[1:]] == [one.stop for one in found[:-1]]


def test_a_scan_crosses_its_window_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "MAX_RECORD_BYTES", 700)
    blocks = raw_blocks(60, 160)
    data = b"".join(map(record, blocks))
    for window in range(720, 760):
        monkeypatch.setattr(segments, "_SCAN_BYTES", window)
        assert len(_scan(tmp_path, data)) == 60


@pytest.mark.parametrize("torn", [1, 50, 99, 130, 133])
def test_a_scan_ends_before_a_torn_record(tmp_path: Path, torn: int) -> None:
    data = b"".join(map(record, raw_blocks(3)))
    assert len(_scan(tmp_path, data[:-torn])) == 2


def test_a_record_that_does_not_match_is_not_sound(tmp_path: Path) -> None:
    good = raw_blocks(2)
    found = _scan(tmp_path, record(good[0]) + record(RawBlock(good[1].cid, b"other")))
    assert [one.sound for one in found] == [True, False]


@pytest.mark.parametrize("noise", [b"\0" * 100, b"\xff" * 100, b"\x25\x07" + b"x" * 60])
def test_a_scan_ends_where_there_is_no_record(tmp_path: Path, noise: bytes) -> None:
    assert len(_scan(tmp_path, record(raw_block(b"x")) + noise)) == 1


def test_a_segment_is_held_by_one_at_a_time(store: Store) -> None:
    first = hold_segment(store.layout, store.catalogue)
    assert segments.try_hold(store.layout, first.number) is None
    second = hold_segment(store.layout, store.catalogue)
    assert second.number != first.number
    first.release()
    again = hold_segment(store.layout, store.catalogue)
    assert again.number == first.number
    again.release()
    second.release()


def test_a_segment_that_gc_removed_meanwhile_cannot_be_held(store: Store) -> None:
    held = new_segment(store.layout, store.catalogue)
    os.unlink(store.layout.segment(held.number))
    held.release()
    assert segments.try_hold(store.layout, held.number) is None
    later = new_segment(store.layout, store.catalogue)
    assert later.number > held.number
    later.release()


@pytest.mark.parametrize("lets_go", [True, False])
def test_a_new_segment_that_another_held_first_stays_theirs(
    store: Store, monkeypatch: pytest.MonkeyPatch, lets_go: bool
) -> None:
    """A new file can be seen before its maker has it locked: to write into it then would be to write over a block."""
    number, data = 7, record(raw_block(b"theirs"))
    others: list[segments.HeldSegment] = []

    def open_slowly(*arguments: Any) -> int:
        fd = os.open(*arguments)
        monkeypatch.undo()
        held = segments.try_hold(store.layout, number)
        assert held is not None
        assert settle_tail(store.catalogue, held)
        held.write([data], len(data))
        if lets_go:
            held.release()
        others.append(held)
        return fd

    slow = SimpleNamespace(**{name: getattr(os, name) for name in dir(os) if not name.startswith("__")})
    slow.open = open_slowly
    monkeypatch.setattr(segments, "os", slow)
    assert segments.create(store.layout, number) is None
    others[0].release()
    assert Path(store.layout.segment(number)).read_bytes() == SEGMENT_HEADER + data


def _left_by_a_dead_process(store: Store, data: bytes) -> int:
    """A segment with bytes that the catalogue does not know."""
    held = hold_segment(store.layout, store.catalogue)
    held.write([data], len(data))
    held.release()
    return held.number


def test_whole_records_of_a_dead_process_become_known_and_a_torn_one_goes(store: Store) -> None:
    blocks = raw_blocks(3)
    data = b"".join(map(record, blocks))
    number = _left_by_a_dead_process(store, data[:-1])
    store.settle_tails()
    for block in blocks[:2]:
        assert store.read(CID.from_bytes(block.cid).multihash) == block.data
    assert store.row(CID.from_bytes(blocks[2].cid).multihash) is None
    assert os.stat(store.layout.segment(number)).st_size == len(SEGMENT_HEADER) + len(data) - len(record(blocks[2]))


def test_what_is_known_already_is_dead_bytes_in_a_tail(store: Store) -> None:
    block = raw_block(b"twice")
    put_blocks(store, {block.cid: block.data})
    row = store.row(CID.from_bytes(block.cid).multihash)
    _left_by_a_dead_process(store, record(block))
    store.settle_tails()
    assert store.row(CID.from_bytes(block.cid).multihash) == row
    assert store.numbers().dead_bytes == len(record(block))


@pytest.mark.parametrize("size", [0, 5, len(SEGMENT_HEADER)])
def test_a_segment_without_its_header_gets_it_before_anything_else(store: Store, size: int) -> None:
    held = new_segment(store.layout, store.catalogue)
    held.truncate(size)
    held.release()
    block = raw_block(b"first")
    put_blocks(store, {block.cid: block.data})
    assert Path(store.layout.segment(held.number)).read_bytes() == SEGMENT_HEADER + record(block)


def test_a_header_that_did_not_reach_the_disk_is_written_again(store: Store) -> None:
    number = _left_by_a_dead_process(store, record(raw_block(b"x")))
    with open(store.layout.segment(number), "r+b") as stream:
        stream.write(bytes(len(SEGMENT_HEADER)))
    store.settle_tails()
    assert Path(store.layout.segment(number)).read_bytes() == SEGMENT_HEADER + record(raw_block(b"x"))


def test_a_sealed_or_too_short_segment_takes_no_more(store: Store) -> None:
    block = raw_block(b"x" * 100)
    put_blocks(store, {block.cid: block.data})
    held = segments.try_hold(store.layout, 1)
    assert held is not None
    held.truncate(held.end - 1)
    assert not settle_tail(store.catalogue, held)
    with store.catalogue.write() as txn:
        row = store.catalogue.segment(txn, 1)
        assert row is not None
        store.catalogue.put_segment(txn, 1, row._replace(state=SegmentState.SEALED))
    assert not settle_tail(store.catalogue, held)
    held.release()
    put_blocks(store, {raw_block(b"y").cid: b"y"})
    assert store.layout.segment_numbers() == [1, 2]


def test_a_file_stays_open_while_it_is_used(store: Store) -> None:
    for number in range(1, 4):
        new_segment(store.layout, store.catalogue).release()
        assert Path(store.layout.segment(number)).exists()
    files = SegmentFiles(store.layout)
    file = files.file(1)
    files.close()
    assert os.pread(file.fd, len(SEGMENT_HEADER), 0) == SEGMENT_HEADER
    assert files.file(2) is files.file(2)
    os.unlink(store.layout.segment(2))
    files.forget_removed()
    with pytest.raises(FileNotFoundError):
        files.read(2, 0, 1)
    files.close()
