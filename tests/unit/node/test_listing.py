"""``ls`` and ``refs``."""

from __future__ import annotations

import pytest

from pinfold.core.cid import CID, DAG_CBOR
from pinfold.core.errors import BlockCorrupt, BlockNotFound
from pinfold.node.listing import ls, refs, refs_local
from pinfold.node.model import DirEntry
from pinfold.store import Store
from pinfold.unixfs.profile import profile
from tests.support.dags import Link
from tests.support.stores import damage, leaves, lose, put_file, put_tree, put_value

HAMT = profile("unixfs-v1-2025", hamt_threshold=64)
V0 = profile("unixfs-v0-2015")


def test_a_folder_is_listed_with_kinds_and_sizes(store: Store) -> None:
    root = put_tree(store, {"big": b"x" * 5000, "folder": {"y": b"y"}, "link": Link(b"small"), "small": b"hi\n"})
    assert [(entry.name, entry.kind, entry.size_bytes) for entry in ls(store, root) if entry.kind != "directory"] == [
        ("big", "file", 5000),
        ("link", "symlink", 5),
        ("small", "file", 3),
    ]
    folder = next(entry for entry in ls(store, root) if entry.name == "folder")
    assert folder.kind == "directory"
    assert folder.cid == put_tree(store, {"y": b"y"})


def test_a_sharded_folder_is_listed_by_its_names(store: Store) -> None:
    names = {f"name {number}": b"%d" % number for number in range(300)}
    root = put_tree(store, names, HAMT)
    assert {entry.name: entry.size_bytes for entry in ls(store, root)} == {k: len(v) for k, v in names.items()}


def test_dag_pb_leaves_have_the_size_of_their_content(store: Store) -> None:
    root = put_tree(store, {"a": b"12345"}, V0)
    assert [entry.size_bytes for entry in ls(store, root)] == [5]


def test_a_file_is_listed_by_its_chunks_and_a_single_block_by_nothing(store: Store) -> None:
    file = put_file(store, bytes(1024) + b"b" * 1024 + b"c")
    assert [(entry.name, entry.size_bytes) for entry in ls(store, file)] == [("", 1024), ("", 1024), ("", 1)]
    assert [entry.cid for entry in ls(store, file)] == leaves(store, file)
    assert list(ls(store, put_file(store, b"x"))) == []


def test_what_cannot_be_read_is_listed_as_unknown(store: Store) -> None:
    lost = put_tree(store, {"x": b"x"})
    value = put_value(store, DAG_CBOR, {"a": 1})
    from pinfold.unixfs.directory import Entry, build_directory
    from tests.support.dags import Blocks
    from tests.support.stores import SMALL_CHUNKS, put_blocks

    blocks = Blocks()
    built = build_directory(
        [Entry(b"lost", lost.bytes, 77), Entry(b"value", value.bytes, 9)], SMALL_CHUNKS, blocks.emit
    )
    put_blocks(store, blocks.stored)
    lose(store, lost)
    assert list(ls(store, CID.from_bytes(built.cid))) == [
        DirEntry("lost", lost, 77, "unknown"),
        DirEntry("value", value, 9, "unknown"),
    ]


def test_a_damaged_entry_is_told(store: Store) -> None:
    root = put_tree(store, {"folder": {"x": b"x"}})
    damage(store, put_tree(store, {"x": b"x"}))
    with pytest.raises(BlockCorrupt):
        list(ls(store, root))


def test_refs_are_the_links_of_one_block(store: Store) -> None:
    root = put_tree(store, {"a": b"x", "b": {"c": b"y"}})
    inner = put_tree(store, {"c": b"y"})
    assert [(ref.parent, ref.cid, ref.name) for ref in refs(store, root)] == [
        (root, put_file(store, b"x"), "a"),
        (root, inner, "b"),
    ]


def test_recursive_refs_go_depth_first_and_repeat_what_is_linked_twice(store: Store) -> None:
    root = put_tree(store, {"a": {"same": b"x"}, "b": {"same": b"x"}, "c": b"x"})
    inner, leaf = put_tree(store, {"same": b"x"}), put_file(store, b"x")
    assert [ref.cid for ref in refs(store, root, recursive=True)] == [inner, leaf, inner, leaf, leaf]
    assert [ref.cid for ref in refs(store, root, recursive=True, unique=True)] == [inner, leaf]


def test_max_depth_counts_links_from_the_root(store: Store) -> None:
    root = put_tree(store, {"a": {"b": {"c": b"x"}}})
    counts = [len(list(refs(store, root, recursive=True, max_depth=depth))) for depth in (0, 1, 2, 3, 4)]
    assert counts == [0, 1, 2, 3, 3]


def test_unique_refs_go_deeper_where_a_block_is_met_nearer_to_the_root(store: Store) -> None:
    shared = {"deep": {"leaf": b"x"}}
    root = put_tree(store, {"a": {"far": shared}, "b": shared})
    found = [ref.cid for ref in refs(store, root, recursive=True, unique=True, max_depth=3)]
    assert put_file(store, b"x") in found
    assert len(found) == len(set(found))


def test_a_missing_block_stops_refs_where_it_would_be_read(store: Store) -> None:
    file = put_file(store, b"a" * 1024 + b"b")
    lost = leaves(store, file)[1]
    lose(store, lost)
    assert len(list(refs(store, file))) == 2
    with pytest.raises(BlockNotFound, match=str(lost)):
        list(refs(store, file, recursive=True))


def test_local_refs_are_all_blocks_as_they_were_stored(store: Store) -> None:
    file = put_file(store, b"a" * 1024 + b"b", V0)
    assert set(refs_local(store)) == {file, *leaves(store, file)}
