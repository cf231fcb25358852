"""Where content paths lead."""

from __future__ import annotations

import pytest

from pinfold.core.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB
from pinfold.core.errors import BlockCorrupt, BlockNotFound, MalformedBlock, NotADirectory, PathNotFound
from pinfold.node.blocks import reader
from pinfold.node.model import Resolved
from pinfold.node.resolver import as_path, resolve, resolve_to_cid
from pinfold.store import Store
from pinfold.unixfs.profile import profile
from tests.support.dags import Link
from tests.support.stores import damage, lose, put_blocks, put_file, put_tree, put_value

HAMT = profile("unixfs-v1-2025", hamt_threshold=64)


def find(store: Store, path: str) -> Resolved:
    return resolve(reader(store), as_path(path))


def test_a_name_leads_through_flat_folders(store: Store) -> None:
    leaf = put_file(store, b"x")
    root = put_tree(store, {"a": {"b": b"x", "é": b"y"}, "c": b""})
    assert find(store, f"/ipfs/{root}/a/b") == Resolved(leaf, ())
    assert find(store, f"{root}") == Resolved(root, ())
    assert find(store, f"{root}/a/é").cid == put_file(store, b"y")


def test_a_name_leads_through_sharded_folders(store: Store) -> None:
    tree = {f"name {number}": str(number).encode() for number in range(300)}
    root = put_tree(store, {"deep": tree}, HAMT)
    for number in (0, 7, 299):
        assert find(store, f"{root}/deep/name {number}").cid == put_file(store, str(number).encode())
    with pytest.raises(PathNotFound, match="name 300"):
        find(store, f"{root}/deep/name 300")


def test_an_absent_name_is_told_with_its_folder(store: Store) -> None:
    inner = put_tree(store, {"b": b"x"})
    root = put_tree(store, {"a": {"b": b"x"}})
    with pytest.raises(PathNotFound, match=f"'nope' under {inner}"):
        find(store, f"{root}/a/nope")


@pytest.mark.parametrize("content", [b"x", b"x" * 5000], ids=["one block", "several"])
def test_a_path_behind_a_file_is_refused(store: Store, content: bytes) -> None:
    root = put_tree(store, {"file": content, "link": Link(b"file")})
    for name in ("file", "link"):
        with pytest.raises(NotADirectory):
            find(store, f"{root}/{name}/more")


def test_a_plain_dag_pb_node_is_walked_by_link_names(store: Store) -> None:
    leaf = put_file(store, b"x")
    plain = put_value(store, DAG_PB, {"Links": [{"Hash": leaf, "Name": "left", "Tsize": 1}]})
    assert find(store, f"{plain}/left").cid == leaf
    with pytest.raises(PathNotFound, match="right"):
        find(store, f"{plain}/right")


@pytest.mark.parametrize("codec", [DAG_CBOR, DAG_JSON])
def test_keys_and_numbers_lead_through_structured_blocks(store: Store, codec: int) -> None:
    folder = put_tree(store, {"name": b"x"})
    value = put_value(store, codec, {"list": [1, {"to": folder}], "text": "t"})
    assert find(store, f"{value}/list/1/to") == Resolved(folder, ())
    assert find(store, f"{value}/list/1/to/name").cid == put_file(store, b"x")
    assert find(store, f"{value}/list/0") == Resolved(value, ("list", "0"))
    for bad in ("list/2", "list/-1", "list/x", "text/0", "none", "list/" + "9" * 5000):
        with pytest.raises(PathNotFound):
            find(store, f"{value}/{bad}")


def test_a_value_inside_a_block_is_no_block(store: Store) -> None:
    value = put_value(store, DAG_CBOR, {"a": 1})
    with pytest.raises(PathNotFound, match="inside block"):
        resolve_to_cid(reader(store), as_path(f"{value}/a"))


def test_an_identity_root_needs_no_store(store: Store) -> None:
    folder = put_tree(store, {"name": b"x"})
    carried = CID.of(store.read(folder.multihash), codec=DAG_PB, hash_code=0)
    assert find(store, f"{carried}/name").cid == put_file(store, b"x")


def test_a_missing_block_on_the_way_is_named(store: Store) -> None:
    inner = put_tree(store, {"b": b"x"})
    root = put_tree(store, {"a": {"b": b"x"}})
    lose(store, inner)
    with pytest.raises(BlockNotFound, match=str(inner)):
        find(store, f"{root}/a/b")


@pytest.mark.parametrize("what", [b"\x12", b"a\x18", b"\x0a\x02\x08\x01"], ids=["structure", "name", "kind"])
def test_a_damaged_folder_is_told_as_damage_whatever_it_seems_to_say(store: Store, what: bytes) -> None:
    root = put_tree(store, {"a": b"x"})
    place = store.read(root.multihash).index(what)
    damage(store, root, place + len(what) - 1 if len(what) == 4 else place)
    with pytest.raises(BlockCorrupt, match=str(root)):
        find(store, f"{root}/a/b" if what == b"\x12" else f"{root}/a")


def test_a_malformed_block_that_is_sound_is_no_damage(store: Store) -> None:
    cid = CID.of(b"\xff", codec=DAG_PB)
    put_blocks(store, {cid.bytes: b"\xff"})
    with pytest.raises(MalformedBlock):
        find(store, f"{cid}/a")
