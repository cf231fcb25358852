"""Garbage collection and compaction."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pyroaring import BitMap

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound, BlockPinned, PinConflict, PinNotFound, StoreFull
from pinfold.core.pin import PinMode
from pinfold.store import Store, compact, pace
from pinfold.store.commit import GC_CONDEMNED, GC_SPARED
from pinfold.store.pins import Pins
from pinfold.store.rows import SegmentState, pack_ids
from pinfold.store.segments import HeldSegment
from tests.unit.store.content import pinned_file, put_file


def _content(number: int, size: int = 5000) -> bytes:
    return b"%08d" % number * (size // 8)


def _fill(store: Store, count: int = 20) -> tuple[list[CID], list[CID]]:
    """Files, every second one pinned."""
    kept, garbage = [], []
    for number in range(count):
        if number % 2:
            kept.append(pinned_file(store, _content(number)))
        else:
            garbage.append(put_file(store, _content(number)))
    return kept, garbage


def _require(store: Store, kept: list[CID], garbage: list[CID]) -> None:
    for cid in kept:
        found = store.walk(cid)
        assert not found.missing
        assert store.is_sound(cid.multihash)
    assert all(store.row(cid.multihash) is None for cid in garbage)


def test_what_no_pin_keeps_goes_and_its_space_comes_back(store: Store) -> None:
    kept, garbage = _fill(store)
    before = store.numbers()
    forecast = store.gc(dry_run=True)
    assert store.numbers() == before
    done = store.gc()
    _require(store, kept, garbage)
    after = store.numbers()
    assert (done.blocks, done.bytes) == (forecast.blocks, forecast.bytes)
    assert done.blocks == before.blocks - after.blocks and done.bytes == before.block_bytes - after.block_bytes
    assert done.freed_bytes > 0 and after.dead_bytes == 0
    assert store.gc().blocks == 0


def test_a_store_without_pins_is_emptied(store: Store) -> None:
    for number in range(5):
        put_file(store, _content(number))
    assert store.gc().segments_removed == 1
    assert store.numbers().blocks == store.numbers().segments == 0


def test_a_pin_that_lands_while_gc_marks_wins(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, garbage = _fill(store)
    late = garbage.pop()
    real = Pins.union

    def union(self: Pins, txn: object, **others: object) -> BitMap:
        found = real(self, txn, **others)  # type: ignore[arg-type]
        store.pin(late, PinMode.RECURSIVE)  # gc has looked at the pins, and this one was not there
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Pins, "union", union)
        store.gc()
    _require(store, [*kept, late], garbage)


def test_a_pin_that_lands_while_gc_sweeps_wins_or_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, garbage = _fill(store)
    late = list(garbage)
    won: list[CID] = []

    def progress(*_: int) -> None:
        if late:
            cid = late.pop()
            try:
                store.pin(cid, PinMode.RECURSIVE)
                won.append(cid)
            except BlockNotFound:
                pass

    for name in ("_FIRST_ROWS", "_LEAST_ROWS", "_MOST_ROWS"):
        monkeypatch.setattr(pace, name, 7)
    store.gc(progress=progress)
    _require(store, [*kept, *won], [cid for cid in garbage if cid not in won and cid not in late])
    for cid in won:
        assert store.walk(cid).missing == []


def test_what_a_killed_gc_left_harms_nobody(store: Store) -> None:
    kept, garbage = _fill(store)
    row = store.row(kept[0].multihash)
    assert row is not None
    with store.catalogue.write() as txn:
        for name in (GC_CONDEMNED, GC_SPARED):
            txn.put(name, pack_ids(BitMap([row.id, 1, 2, 3])), db=store.catalogue.meta)
    again = pinned_file(store, _content(1))
    store.gc()
    _require(store, [*kept, again], garbage)


def test_a_segment_that_somebody_writes_is_left_alone(store: Store) -> None:
    kept, garbage = _fill(store)
    with store.writer() as writer:
        from tests.support.cars import raw_block
        from tests.unit.store.content import new_block

        writer.put([new_block(*raw_block(b"under way"))])
        store.gc()
        writer.commit()
    _require(store, kept, garbage)
    assert store.read(CID.of(b"under way").multihash) == b"under way"


def test_a_copy_that_has_no_room_is_taken_back_and_then_made_in_pieces(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, garbage = _fill(store, 40)
    monkeypatch.setattr(compact, "_PIECE_BYTES", 20_000)
    real = HeldSegment.write

    def write(self: HeldSegment, parts: list[bytes | memoryview], size: int) -> int:
        if size > 30_000:
            raise StoreFull("no space left")
        return real(self, parts, size)

    with monkeypatch.context() as patch:
        patch.setattr(HeldSegment, "write", write)
        done = store.gc()
    assert done.segments_rewritten == 1
    _require(store, kept, garbage)
    assert store.numbers().dead_bytes == 0 and store.numbers().segments == 1


def test_a_copy_that_stops_halfway_leaves_every_block_where_it_can_be_read(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, garbage = _fill(store, 40)
    monkeypatch.setattr(compact, "_PIECE_BYTES", 10_000)
    left = 6
    real = HeldSegment.write

    def write(self: HeldSegment, parts: list[bytes | memoryview], size: int) -> int:
        nonlocal left
        left -= 1
        if size > 30_000 or left < 0:
            raise StoreFull("no space left")
        return real(self, parts, size)

    with monkeypatch.context() as patch, pytest.raises(StoreFull):
        patch.setattr(HeldSegment, "write", write)
        os.unlink(store.layout.reserve)
        store.gc()
    _require(store, kept, garbage)
    store.gc()
    _require(store, kept, garbage)
    assert store.numbers().dead_bytes == 0


def test_a_segment_that_is_shorter_than_its_rows_stays_as_it_is(store: Store) -> None:
    kept, _ = _fill(store)
    path = Path(store.layout.segment(1))
    os.truncate(path, path.stat().st_size - 100)
    store.gc()
    assert path.exists()
    assert store.is_sound(kept[0].multihash)


def test_a_moved_block_is_found_by_who_has_just_looked_for_it(store: Store) -> None:
    kept, _ = _fill(store)
    row = store.row(kept[0].multihash)
    data = store.read(kept[0].multihash)
    store.gc()
    assert store.row(kept[0].multihash) != row
    assert store.read(kept[0].multihash) == data
    with store.catalogue.read() as txn:
        assert all(found.state is SegmentState.OPEN for found in store.catalogue.all_segments(txn).values())


# -- pins, and single blocks ---------------------------------------------------------------------------------------


def test_unpin_removes_all_or_none(store: Store) -> None:
    cids = [pinned_file(store, _content(number)) for number in range(3)]
    with pytest.raises(PinNotFound):
        store.unpin([cids[0], CID.of(b"unknown"), cids[1]])
    assert {cid for cid, _ in store.pins.rows()} == set(cids)
    store.unpin(cids)
    assert not list(store.pins.rows())


def test_a_recursive_pin_is_not_made_less(store: Store) -> None:
    cid = pinned_file(store, _content(1), "name")
    with pytest.raises(PinConflict):
        store.pin(cid, PinMode.DIRECT)
    other = put_file(store, _content(2))
    store.pin(other, PinMode.DIRECT)
    store.gc()
    assert store.walk(other).missing
    store.pin(cid, PinMode.RECURSIVE)
    assert dict(store.pins.rows())[cid].name == "name"


def test_a_root_that_is_not_all_here_cannot_be_pinned(store: Store) -> None:
    cid = put_file(store, _content(1))
    from pinfold.core.codec import links

    store.remove_block(CID.from_bytes(links(cid.codec, store.read(cid.multihash))[0]).multihash)
    with pytest.raises(BlockNotFound):
        store.pin(cid, PinMode.RECURSIVE)
    assert not list(store.pins.rows())


def test_only_a_block_that_nothing_needs_can_be_removed(store: Store) -> None:
    kept, garbage = _fill(store, 4)
    with pytest.raises(BlockPinned):
        store.remove_block(kept[0].multihash)
    before = store.numbers()
    store.remove_block(garbage[0].multihash)
    assert store.numbers().blocks == before.blocks - 1
    with pytest.raises(BlockNotFound):
        store.remove_block(garbage[0].multihash)
    assert store.numbers().dead_bytes > before.dead_bytes


def test_the_reserve_is_used_once_the_disk_is_full_and_made_again(store: Store) -> None:
    cid = pinned_file(store, _content(1))
    assert store.layout.reserve.exists()
    calls = []

    def action() -> None:
        calls.append(store.layout.reserve.exists())
        if len(calls) == 1:
            raise StoreFull("no space left")

    store._with_reserve(action)
    assert calls == [True, False]
    with pytest.raises(StoreFull, match="not even to remove"):
        store._with_reserve(lambda: (_ for _ in ()).throw(StoreFull("no space left")))
    store.unpin([cid])
    store.gc()
    assert store.layout.reserve.exists()
