"""Damaged blocks replaced under the id that pins know."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, StoreFull
from pinfold.node.checks import verify
from pinfold.store import Store
from pinfold.store.rows import SegmentState
from tests.support.stores import damage, pinned_file, put_file


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with_blocks = Store(tmp_path / "data")
    yield with_blocks
    with_blocks.close()


def test_a_replaced_block_is_sound_and_keeps_its_id(store: Store) -> None:
    file = pinned_file(store, b"content")
    before = store.row(file.multihash)
    damage(store, file)
    assert store.replace_corrupt(file.multihash, b"content")
    after = store.row(file.multihash)
    assert before and after and (before.id, before.tag) == (after.id, after.tag)
    assert store.read(file.multihash) == b"content"
    assert verify(store).ok


def test_gc_removes_the_damaged_copy(store: Store) -> None:
    file = pinned_file(store, b"content" * 100)
    damage(store, file)
    store.replace_corrupt(file.multihash, b"content" * 100)
    assert store.numbers().dead_bytes > 700
    store.gc()
    assert store.numbers().dead_bytes == 0
    assert store.read(file.multihash) == b"content" * 100
    assert verify(store).ok


def test_a_block_of_a_segment_that_is_gone_takes_its_row_along(store: Store) -> None:
    file = pinned_file(store, b"content")
    (number,) = store.layout.segment_numbers()
    with store.catalogue.write() as txn:
        row = store.catalogue.segment(txn, number)
        assert row is not None
        store.catalogue.put_segment(txn, number, row._replace(state=SegmentState.SEALED))
    os.unlink(store.layout.segment(number))
    store.files.close()
    assert store.replace_corrupt(file.multihash, b"content")
    assert verify(store).ok


def test_bytes_that_do_not_match_are_refused(store: Store) -> None:
    file = pinned_file(store, b"content")
    with pytest.raises(BlockCorrupt):
        store.replace_corrupt(file.multihash, b"other")
    assert verify(store).ok


def test_a_block_that_is_not_catalogued_is_not_written(store: Store) -> None:
    put_file(store, b"content")
    assert not store.replace_corrupt(CID.of(b"absent").multihash, b"absent")
    assert store.numbers().dead_bytes == 0


def test_a_full_disk_leaves_the_store_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    file = pinned_file(store, b"content")
    size = store.numbers().disk_bytes
    row = store.row(file.multihash)

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pinfold.store.segments.os.pwritev", full)
        with pytest.raises(StoreFull):
            store.replace_corrupt(file.multihash, b"content")
    assert store.row(file.multihash) == row
    assert store.numbers().disk_bytes == size
    assert verify(store).ok
