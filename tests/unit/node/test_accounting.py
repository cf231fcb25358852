"""What content weighs, alone and beside what other pins keep."""

from __future__ import annotations

import pytest

from pinfold.core.cid import CID, DAG_CBOR
from pinfold.core.errors import BlockNotFound
from pinfold.core.pin import PinMode
from pinfold.node.accounting import dag_stat, stat
from pinfold.store import Store
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import profile
from tests.support.dags import Link
from tests.support.stores import leaves, lose, pinned_file, put_file, put_tree, put_value

A, B, C = b"a" * 1024, b"b" * 1024, b"c" * 1024


def block_bytes(store: Store, *cids: CID) -> int:
    return sum(len(store.read(cid.multihash)) for cid in cids)


def test_a_file_that_nobody_pins_is_all_its_own(store: Store) -> None:
    file = put_file(store, A + B)
    found = stat(store, file)
    assert (found.kind, found.size_bytes, found.blocks, found.pinned) == ("file", 2048, 3, None)
    assert found.cumulative_bytes == found.unique_bytes == block_bytes(store, file, *leaves(store, file))
    assert found.shared_bytes == found.freed_by_unpin_bytes == found.missing_blocks == 0


def test_what_two_pins_keep_is_shared_and_not_freed(store: Store) -> None:
    one, two = pinned_file(store, A + B), pinned_file(store, A + C)
    found = stat(store, one)
    assert (found.pinned, found.shared_bytes) == (PinMode.RECURSIVE, 1024)
    assert found.unique_bytes == found.freed_by_unpin_bytes == 1024 + block_bytes(store, one)
    before = store.numbers().block_bytes
    store.unpin([one])
    store.gc()
    assert before - store.numbers().block_bytes == found.freed_by_unpin_bytes
    assert stat(store, two).shared_bytes == 0


def test_a_direct_pin_frees_its_own_block_alone(store: Store) -> None:
    file = put_file(store, A + B)
    store.pin(file, PinMode.DIRECT)
    found = stat(store, file)
    assert (found.pinned, found.freed_by_unpin_bytes) == (PinMode.DIRECT, block_bytes(store, file))
    assert found.unique_bytes == found.cumulative_bytes


def test_what_another_pin_reaches_is_pinned_indirectly(store: Store) -> None:
    root = put_tree(store, {"file": A + B})
    store.pin(root, PinMode.RECURSIVE)
    found = stat(store, f"{root}/file")
    assert (found.pinned, found.unique_bytes, found.freed_by_unpin_bytes) == (PinMode.INDIRECT, 0, 0)


def test_repeated_blocks_count_once(store: Store) -> None:
    found = stat(store, put_file(store, A + A + A))
    assert (found.size_bytes, found.blocks) == (3072, 2)


def test_missing_blocks_are_counted_and_not_raised(store: Store) -> None:
    file = put_file(store, A + B + C)
    for cid in leaves(store, file)[:2]:
        lose(store, cid)
    found = stat(store, file)
    assert (found.missing_blocks, found.blocks) == (2, 2)


def test_a_root_that_is_not_here_is_an_error(store: Store) -> None:
    for absent in (CID.of(b"absent"), CID.of(b"absent", codec=DAG_CBOR)):
        with pytest.raises(BlockNotFound):
            stat(store, absent)


def test_every_kind_has_its_name(store: Store) -> None:
    sharded = profile("unixfs-v1-2025", hamt_threshold=10)
    names = {"folder": put_tree(store, {}), "raw": put_file(store, b"x"), "link": put_tree(store, {"l": Link(b"x")})}
    assert stat(store, names["folder"]).kind == "directory"
    assert stat(store, names["raw"]).kind == "raw"
    assert stat(store, f"{names['link']}/l").kind == "symlink"
    assert stat(store, put_tree(store, {"n" * 20: b"x"}, sharded)).kind == "hamt"
    assert stat(store, put_value(store, DAG_CBOR, {"a": 1})).kind == "dag"


def test_mode_and_time_are_told(store: Store) -> None:
    found = stat(store, put_file(store, b"x", metadata=Metadata(0o640, (5, 7))))
    assert (found.mode, found.mtime) == (0o640, (5, 7))


def test_dags_together_count_what_they_share_once(store: Store) -> None:
    one, two = put_file(store, A + B), put_file(store, A + C)
    found = dag_stat(store, [one, str(two), f"/ipfs/{two}"])
    assert [dag.blocks for dag in found.dags] == [3, 3, 3]
    assert found.unique_blocks == 5
    assert found.total_bytes == block_bytes(store, one, two) + 3072
    assert found.redundant_bytes == block_bytes(store, two) + 3072


def test_sizes_of_a_dag_that_is_not_all_here_are_refused(store: Store) -> None:
    file = put_file(store, A + B)
    lose(store, leaves(store, file)[0])
    with pytest.raises(BlockNotFound):
        dag_stat(store, [file])
