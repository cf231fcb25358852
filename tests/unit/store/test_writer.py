"""Sessions of writing: committed, taken back, interrupted, and beside each other."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import BlockPinned, StoreFull
from pinfold.core.pin import PinMode
from pinfold.store import Store, commit
from pinfold.store import writer as writer_module
from pinfold.store.catalogue import Catalogue
from pinfold.store.layout import SEGMENT_HEADER
from pinfold.store.segments import SegmentFiles
from pinfold.store.sessions import Session, protected_ids
from pinfold.store.writer import BlockRun, NewBlock, Root
from tests.support.cars import RawBlock, raw_block, raw_blocks, record
from tests.unit.store.content import new_block, pinned_file, put_blocks


def _new(blocks: list[RawBlock]) -> list[NewBlock]:
    return [new_block(cid, data) for cid, data in blocks]


def _cid(block: RawBlock) -> CID:
    return CID.from_bytes(block.cid)


def _sizes(store: Store) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in store.layout.segments.iterdir()}


def _is_here(store: Store, block: RawBlock) -> bool:
    return store.row(_cid(block).multihash) is not None


def test_a_commit_makes_blocks_known_and_roots_pinned(store: Store) -> None:
    blocks = raw_blocks(20)
    with store.writer() as writer:
        handles = writer.put(_new(blocks))
        assert not _is_here(store, blocks[0])
        writer.commit([Root(_cid(blocks[0]), handles, "name", "profile")])
    assert [store.read(_cid(block).multihash) for block in blocks] == [block.data for block in blocks]
    ((cid, row),) = store.pins.rows()
    assert (cid, row.name, row.profile, len(row.ids)) == (_cid(blocks[0]), "name", "profile", 20)


def test_what_is_not_committed_leaves_nothing(store: Store) -> None:
    put_blocks(store, {block.cid: block.data for block in raw_blocks(2)})
    before = _sizes(store)
    with store.writer() as writer:
        writer.put(_new(raw_blocks(50)))
    assert _sizes(store) == before
    assert store.numbers().blocks == 2


def test_the_first_writer_that_is_taken_back_leaves_no_segment(store: Store) -> None:
    with store.writer() as writer:
        writer.put(_new(raw_blocks(3)))
    assert _sizes(store) == {}


def test_a_block_that_is_stored_is_not_written_again(store: Store) -> None:
    blocks = raw_blocks(10)
    put_blocks(store, {block.cid: block.data for block in blocks})
    before = _sizes(store)
    with store.writer() as writer:
        writer.put(_new([*blocks, *blocks]))
        assert writer.written == 0
        writer.commit()
    assert _sizes(store) == before


@pytest.mark.parametrize("stored", [0, 3])
def test_a_run_with_duplicates_keeps_each_block_once(store: Store, stored: int) -> None:
    blocks = raw_blocks(12)
    put_blocks(store, {block.cid: block.data for block in blocks[:stored]})
    order = [*blocks, *blocks[:5], blocks[11]]
    data, starts, sizes = b"", [], []
    for block in order:
        data += record(block)
        starts.append(len(data) - len(block.data))
        sizes.append(len(record(block)))
    run = BlockRun(
        memoryview(data),
        [_cid(block).multihash for block in order],
        starts,
        [len(block.data) for block in order],
        sizes,
        [0x55] * len(order),
    )
    with store.writer() as writer:
        writer.put_run(run)
        assert writer.written == 12 - stored
        writer.commit()
    assert store.numbers().blocks == 12
    for block in blocks:
        assert store.read(_cid(block).multihash) == block.data


def test_of_two_writers_of_one_block_the_first_to_commit_stays(store: Store) -> None:
    block = raw_block(b"both")
    with store.writer() as first, store.writer() as second:
        first.put(_new([block]))
        handles = second.put(_new([block]))
        first.commit()
        row = store.row(_cid(block).multihash)
        second.commit([Root(_cid(block), handles)])
    assert store.row(_cid(block).multihash) == row
    assert store.numbers().blocks == 1 and store.numbers().dead_bytes == len(record(block))
    assert store.gc().blocks == 0
    assert store.read(_cid(block).multihash) == b"both"


# -- commits that break off ----------------------------------------------------------------------------------------


def _break(monkeypatch: pytest.MonkeyPatch, error: BaseException, *, number: int, committed: bool) -> None:
    """Let the write transaction of this number break off: before it commits, or when it has committed already."""
    real = Catalogue.write
    count = 0

    from contextlib import contextmanager

    @contextmanager
    def write(self: Catalogue):  # type: ignore[no-untyped-def]
        nonlocal count
        count += 1
        mine = count
        with real(self) as txn:
            yield txn
            if mine == number and not committed:
                raise error
        if mine == number:
            raise error

    monkeypatch.setattr(Catalogue, "write", write)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), StoreFull("full")])
@pytest.mark.parametrize("batch", [5, 100])
@pytest.mark.parametrize("number", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("committed", [False, True])
def test_a_commit_that_breaks_off_anywhere_leaves_a_store_that_is_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch, error: BaseException, batch: int, number: int, committed: bool
) -> None:
    monkeypatch.setattr(writer_module, "BATCH_ROWS", batch)
    put_blocks(store, {raw_block(b"before").cid: b"before"})
    blocks = raw_blocks(20)
    with monkeypatch.context() as patch, store.writer() as writer:
        handles = writer.put(_new(blocks))
        _break(patch, error, number=number, committed=committed)
        try:
            writer.commit([Root(_cid(blocks[0]), handles)])
        except (KeyboardInterrupt, StoreFull) as exc:
            assert exc is error
    pinned = {cid for cid, _ in store.pins.rows()}
    for block in blocks:
        if _is_here(store, block):
            assert store.read(_cid(block).multihash) == block.data
        else:
            assert not pinned
    if not pinned:
        assert not any(_is_here(store, block) for block in blocks)
    put_blocks(store, {block.cid: block.data for block in blocks})  # nothing is in the way of the next one
    for block in [*blocks, raw_block(b"before")]:
        assert store.read(_cid(block).multihash) == block.data


def test_a_failed_commit_does_not_take_the_ids_of_somebody_else(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    other = raw_block(b"stored, and never pinned")
    with monkeypatch.context() as patch, store.writer() as writer:
        writer.put(_new(raw_blocks(3)))
        _break(patch, StoreFull("full"), number=1, committed=False)
        with pytest.raises(StoreFull):
            writer.commit()
        patch.undo()
        put_blocks(store, {other.cid: other.data})  # gets the ids that the failed commit would have had
    assert _is_here(store, other)


# -- above the number of blocks that are kept in memory --------------------------------------------------------------


def test_a_long_session_that_is_refused_leaves_no_block(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "_MAX_PENDING", 8)
    blocks = raw_blocks(40)
    with store.writer() as writer:
        for at in range(0, 40, 4):
            writer.put(_new(blocks[at : at + 4]))
            if writer.is_full:
                writer.flush()
        assert store.numbers().blocks >= 32
    assert store.numbers().blocks == 0
    store.gc()
    assert _sizes(store) == {}


def test_what_another_pinned_of_a_refused_session_stays(store: Store) -> None:
    blocks = raw_blocks(10)
    with store.writer() as writer:
        writer.put(_new(blocks))
        writer.flush()
        store.pin(_cid(blocks[3]), PinMode.DIRECT)
        writer.put(_new([raw_block(b"later")]))
    assert store.numbers().blocks == 1
    store.gc()
    assert store.read(_cid(blocks[3]).multihash) == blocks[3].data


def test_a_gc_spares_what_a_running_session_brought_or_relies_on(store: Store) -> None:
    there, mine = raw_block(b"there before"), raw_block(b"brought by the session")
    put_blocks(store, {there.cid: there.data})
    with store.writer() as writer:
        relied, own = writer.put(_new([there, mine]))
        writer.flush()
        assert store.gc().blocks == 0
        with pytest.raises(BlockPinned, match="add or import that runs"):
            store.remove_block(_cid(there).multihash)
        writer.commit()
    assert relied < 0 <= own
    assert store.gc().blocks == 2


def test_a_writer_does_not_rely_on_what_is_being_removed(store: Store) -> None:
    block = raw_block(b"on its way out")
    put_blocks(store, {block.cid: block.data})
    row = store.row(_cid(block).multihash)
    assert row is not None
    with store.catalogue.write() as txn:
        from pyroaring import BitMap

        from pinfold.store.rows import pack_ids

        txn.put(commit.REMOVING, pack_ids(BitMap([row.id])), db=store.catalogue.meta)
    with store.writer() as writer:
        assert writer.handles([_cid(block).multihash]) == [None]
        handles = writer.put(_new([block]))
        with store.catalogue.write() as txn:
            store._forget(txn, _cid(block).multihash, row)  # and there it goes
        writer.commit([Root(_cid(block), handles)])
    assert store.read(_cid(block).multihash) == block.data


# -- sessions ------------------------------------------------------------------------------------------------------


def test_a_session_protects_until_it_is_closed(store: Store) -> None:
    session = Session(store.layout)
    session.protect([(3, 4), (90, 1)])
    session.protect([(200, 2)])
    assert set(protected_ids(store.layout)) == {3, 4, 5, 6, 90, 200, 201}
    session.close()
    session.close()
    assert not protected_ids(store.layout)
    assert not os.listdir(store.layout.sessions)


def test_files_of_dead_sessions_are_swept_away(store: Store) -> None:
    (store.layout.sessions / "1-dead").write_bytes(bytes(8))
    forgotten = store.layout.sessions / ".1-never-begun"
    forgotten.write_bytes(b"")
    os.utime(forgotten, (0, 0))
    assert not protected_ids(store.layout)
    assert not os.listdir(store.layout.sessions)


def test_a_session_on_a_full_disk_says_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    block = raw_block(b"stored")
    put_blocks(store, {block.cid: block.data})
    real, calls = os.write, 0

    def write(fd: int, data: bytes) -> int:
        nonlocal calls
        calls += 1
        if calls == 1:
            return real(fd, data[:3])  # as a disk that fills up does
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, store.writer() as writer:
        patch.setattr(os, "write", write)
        with pytest.raises(StoreFull):
            writer.put(_new([block]))
    assert not os.listdir(store.layout.sessions)


def test_segments_hold_nothing_but_whole_records(store: Store) -> None:
    chance = random.Random(3)
    for _ in range(40):
        with store.writer() as writer:
            writer.put(_new([raw_block(chance.randbytes(chance.randrange(1, 5000))) for _ in range(5)]))
            if chance.random() < 0.6:
                writer.commit()
    numbers = store.numbers()
    stored = sum(Path(store.layout.segment(number)).stat().st_size for number in store.layout.segment_numbers())
    records = sum(len(record(RawBlock(cid, store.read_cid(cid)))) for cid in store.local_cids())
    assert stored == records + numbers.segments * len(SEGMENT_HEADER)


def test_a_session_that_relies_on_what_gc_moves_meanwhile_goes_on(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = pinned_file(store, b"kept" * 1000)
    put_blocks(store, {block.cid: block.data for block in raw_blocks(20)})
    before = store.row(kept.multihash)
    size = SegmentFiles.size

    def look_late(files: SegmentFiles, number: int) -> int:
        monkeypatch.undo()
        assert store.gc().segments_rewritten == 1
        return size(files, number)

    monkeypatch.setattr(SegmentFiles, "size", look_late)
    with store.writer() as writer:
        assert writer.handles([kept.multihash]) != [None]
        writer.commit()
    after = store.row(kept.multihash)
    assert before is not None and after is not None and before.segment != after.segment


def test_what_lies_in_a_cut_segment_is_not_relied_on(store: Store) -> None:
    kept = pinned_file(store, b"kept" * 1000)
    row = store.row(kept.multihash)
    assert row is not None
    os.truncate(store.layout.segment(row.segment), row.offset)
    with store.writer() as writer:
        assert writer.handles([kept.multihash]) == [None]
