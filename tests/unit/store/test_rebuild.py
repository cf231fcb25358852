"""The catalogue made anew from segments and journal."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from pinfold.core import multihash
from pinfold.core.cid import CID
from pinfold.core.errors import CatalogueLost, StoreInUse, StoreUnreadable
from pinfold.store import Store
from pinfold.store.layout import SEGMENT_HEADER, Layout
from pinfold.store.rebuild import rebuild
from tests.support.cars import RawBlock, raw_block, record
from tests.unit.store.content import pinned_file, put_blocks

HASHES = ("sha2-256", "sha2-512", "sha3-256", "blake2b-256", "blake3")


def _write(folder: Path, data: bytes) -> Layout:
    """A data folder with one segment of these bytes, and no catalogue."""
    Store(folder).close()
    layout = Layout(folder)
    Path(layout.segment(1)).write_bytes(SEGMENT_HEADER + data)
    shutil.rmtree(layout.catalogue)
    return layout


def _blocks(count: int, hash_name: str = "sha2-256") -> list[RawBlock]:
    code = multihash.NAMES[hash_name]
    data = [b"%04d" % number * 100 for number in range(count)]
    return [RawBlock(CID.of(one, hash_code=code).bytes, one) for one in data]


def _known(folder: Path) -> set[bytes]:
    store = Store(folder)
    found = set(store.local_cids())
    for cid in found:
        assert store.is_sound(CID.from_bytes(cid).multihash)
    store.close()
    return found


def test_everything_is_found_again(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    cids = {pinned_file(store, b"%d" % number * 4000, f"name {number}"): f"name {number}" for number in range(5)}
    before = store.numbers()
    store.close()
    shutil.rmtree(store.layout.catalogue)
    with pytest.raises(CatalogueLost):
        Store(tmp_path / "data")
    found = rebuild(store.layout)
    assert (found.blocks, found.pins, found.torn_bytes, found.bad_lines) == (before.blocks, 5, 0, 0)
    store = Store(tmp_path / "data")
    assert {cid: row.name for cid, row in store.pins.rows()} == cids
    after = store.numbers()
    assert after._replace(disk_bytes=0) == before._replace(disk_bytes=0)
    store.close()


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize("garbage", [b"\0" * 700, b"\xff" * 3, b"\x12\x20" * 50, b"\x25\x07" + b"x" * 300])
def test_blocks_behind_garbage_are_found_whatever_their_hash(tmp_path: Path, name: str, garbage: bytes) -> None:
    blocks = _blocks(10, name)
    data = b"".join(map(record, blocks[:5])) + garbage + b"".join(map(record, blocks[5:]))
    found = rebuild(_write(tmp_path, data))
    assert (found.blocks, found.torn_bytes) == (10, len(garbage))
    assert _known(tmp_path) == {block.cid for block in blocks}


@pytest.mark.parametrize("name", HASHES)
@pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 5, 6, 20, 37, 38, 100, 435])
def test_one_damaged_byte_costs_one_block(tmp_path: Path, name: str, at: int) -> None:
    blocks = _blocks(6, name)
    data = bytearray(b"".join(map(record, blocks)))
    data[2 * len(record(blocks[0])) + at] ^= 0x81
    rebuild(_write(tmp_path, bytes(data)))
    lost = {block.cid for block in blocks} - _known(tmp_path)
    assert lost == {blocks[2].cid}


def test_a_torn_end_is_cut_off(tmp_path: Path) -> None:
    blocks = _blocks(4)
    data = b"".join(map(record, blocks))
    found = rebuild(_write(tmp_path, data[:-10]))
    assert (found.blocks, found.torn_bytes) == (3, len(record(blocks[3])) - 10)
    size = os.stat(Layout(tmp_path).segment(1)).st_size
    assert size == len(SEGMENT_HEADER) + sum(len(record(block)) for block in blocks[:3])


def test_a_lost_header_costs_nothing(tmp_path: Path) -> None:
    blocks = _blocks(4)
    layout = _write(tmp_path, b"".join(map(record, blocks)))
    with open(layout.segment(1), "r+b") as stream:
        stream.write(bytes(len(SEGMENT_HEADER)))
    assert rebuild(layout).blocks == 4
    assert Path(layout.segment(1)).read_bytes().startswith(SEGMENT_HEADER)


@pytest.mark.parametrize("size", [0, 7])
def test_a_segment_without_a_header_is_empty(tmp_path: Path, size: int) -> None:
    layout = _write(tmp_path, b"")
    os.truncate(layout.segment(1), size)
    assert rebuild(layout).blocks == 0
    store = Store(tmp_path)
    put_blocks(store, {raw_block(b"x").cid: b"x"})
    store.close()
    assert Path(layout.segment(1)).read_bytes() == SEGMENT_HEADER + record(raw_block(b"x"))


def test_a_pin_with_lost_blocks_stays_and_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    good, bad = pinned_file(store, b"good" * 2000), pinned_file(store, b"bad!" * 2000)
    row = store.row(bad.multihash)
    assert row is not None
    with open(store.layout.segment(row.segment), "r+b") as stream:
        os.pwrite(stream.fileno(), b"\0\0", row.offset + 3)
    store.close()
    shutil.rmtree(store.layout.catalogue)
    assert rebuild(store.layout).incomplete == [bad]
    store = Store(tmp_path / "data")
    assert {cid: row.complete for cid, row in store.pins.rows()} == {good: True, bad: False}
    store.close()


def test_a_damaged_line_costs_one_pin_and_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    cids = [pinned_file(store, b"%d" % number) for number in range(3)]
    store.close()
    lines = store.layout.journal.read_bytes().splitlines(keepends=True)
    store.layout.journal.write_bytes(lines[0] + b"x" + lines[1][1:] + lines[2])
    found = rebuild(store.layout)
    assert (found.pins, found.bad_lines) == (2, 1)
    store = Store(tmp_path / "data")
    assert {cid for cid, _ in store.pins.rows()} == {cids[0], cids[2]}
    store.close()


def test_of_a_backup_segments_and_journal_are_enough(tmp_path: Path) -> None:
    store = Store(tmp_path / "data")
    cid = pinned_file(store, b"kept" * 1000, "kept")
    store.close()
    backup = tmp_path / "backup"
    shutil.copytree(tmp_path / "data" / "segments", backup / "segments")
    shutil.copy(tmp_path / "data" / "pins.journal", backup)
    (backup / "platform.sqlite3").touch()
    (backup / "platform.id").touch()
    found = rebuild(Layout(backup))
    assert (found.pins, found.journal_missing, found.incomplete) == (1, False, [])
    assert (backup / "VERSION").read_text() == "1\n"
    restored = Store(backup)
    assert [pinned for pinned, _ in restored.pins.rows()] == [cid]
    restored.close()


@pytest.mark.parametrize("name", ["", "segments"])
def test_a_folder_without_content_is_not_made_into_a_data_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "empty" / name).mkdir(parents=True)
    with pytest.raises(StoreUnreadable, match="no data folder"):
        rebuild(Layout(tmp_path / "empty"))
    assert os.listdir(tmp_path / "empty") == ([name] if name else [])


def test_nobody_else_may_have_the_folder_open(store: Store) -> None:
    with pytest.raises(StoreInUse):
        rebuild(store.layout)
    assert store.numbers().blocks == 0
