"""Single blocks and values: put, got, removed."""

from __future__ import annotations

import pytest

from pinfold.core import multihash
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB, RAW
from pinfold.core.errors import (
    BlockCorrupt,
    BlockNotFound,
    BlockPinned,
    BlockTooLarge,
    IdentityTooLarge,
    InsecureHash,
    InvalidCID,
    MalformedBlock,
    PathNotFound,
    PinfoldError,
    UnknownCodec,
)
from pinfold.node.block_ops import block_get, block_put, block_rm, block_stat
from pinfold.node.dag import dag_get, dag_put
from pinfold.node.pinning import pin_ls
from pinfold.store import Store
from tests.support.stores import damage, pinned_file, put_file


@pytest.mark.parametrize("hash_name", ["sha2-256", "sha2-512", "sha3-256", "blake2b-256", "blake3"])
def test_a_block_comes_back_as_it_was_put(store: Store, hash_name: str) -> None:
    cid = block_put(store, b"hello", hash_code=multihash.code_of(hash_name))
    assert cid == CID.of(b"hello", hash_code=multihash.code_of(hash_name))
    assert block_get(store, cid) == b"hello"
    assert block_stat(store, cid) == 5


def test_an_identity_cid_carries_its_block_and_nothing_is_stored(store: Store) -> None:
    cid = block_put(store, b"x" * 128, hash_code=multihash.IDENTITY)
    assert cid.is_identity
    assert (block_get(store, cid), block_stat(store, cid)) == (b"x" * 128, 128)
    assert store.numbers().blocks == 0
    with pytest.raises(IdentityTooLarge):
        block_put(store, b"x" * 129, hash_code=multihash.IDENTITY)


def test_a_block_of_the_largest_size_is_taken_and_one_byte_more_is_not(store: Store) -> None:
    assert block_stat(store, block_put(store, bytes(MAX_BLOCK_BYTES))) == MAX_BLOCK_BYTES
    with pytest.raises(BlockTooLarge):
        block_put(store, bytes(MAX_BLOCK_BYTES + 1))


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (MalformedBlock, {"codec": DAG_PB}),
        (MalformedBlock, {"codec": DAG_CBOR}),
        (MalformedBlock, {"codec": DAG_JSON}),
        (UnknownCodec, {"codec": 0x78}),
        (InvalidCID, {"cid_version": 0}),
        (InsecureHash, {"hash_code": 0xD5}),
    ],
)
def test_what_cannot_be_a_block_is_refused_and_leaves_nothing(
    store: Store, error: type[PinfoldError], options: dict[str, int]
) -> None:
    with pytest.raises(error):
        block_put(store, b"\xff not this", **options)  # type: ignore[arg-type]
    assert store.numbers().blocks == 0


def test_a_version_0_block_is_dag_pb(store: Store) -> None:
    cid = block_put(store, b"", codec=DAG_PB, cid_version=0)
    assert str(cid).startswith("Qm")
    assert block_get(store, cid) == b""


def test_a_block_that_was_put_twice_is_stored_once(store: Store) -> None:
    assert block_put(store, b"x") == block_put(store, b"x")
    assert store.numbers().blocks == 1


def test_a_pinned_block_keeps_what_it_links_to(store: Store) -> None:
    leaf = block_put(store, b"leaf")
    root = dag_put(store, {"to": leaf}, pin=True)
    store.gc()
    assert block_get(store, leaf) == b"leaf"
    assert [(pin.cid, pin.blocks) for pin in pin_ls(store) if pin.blocks] == [(root, 2)]


def test_a_pinned_block_that_lacks_what_it_links_to_leaves_nothing(store: Store) -> None:
    with pytest.raises(BlockNotFound):
        dag_put(store, {"to": CID.of(b"absent")}, pin=True)
    assert store.numbers().blocks == store.numbers().pins == 0


def test_putting_a_pinned_block_again_keeps_the_name_of_its_pin(store: Store) -> None:
    cid = pinned_file(store, b"x", "mine")
    block_put(store, b"x", pin=True)
    assert [pin.name for pin in pin_ls(store, cids=[cid])] == ["mine"]


def test_a_damaged_block_is_not_given(store: Store) -> None:
    cid = block_put(store, b"hello")
    damage(store, cid)
    with pytest.raises(BlockCorrupt):
        block_get(store, cid)


def test_a_block_that_is_not_here_is_named(store: Store) -> None:
    absent = CID.of(b"absent")
    for operation in (block_get, block_stat):
        with pytest.raises(BlockNotFound, match=str(absent)):
            operation(store, absent)
    with pytest.raises(BlockNotFound, match=str(absent)):
        list(block_rm(store, [absent]))
    assert list(block_rm(store, [absent], force=True)) == []


def test_a_block_that_a_pin_needs_is_not_removed(store: Store) -> None:
    kept, loose = pinned_file(store, b"kept"), put_file(store, b"loose")
    with pytest.raises(BlockPinned, match=str(kept)):
        list(block_rm(store, [kept], force=True))
    assert list(block_rm(store, [loose])) == [loose]
    with pytest.raises(BlockNotFound):
        block_get(store, loose)


@pytest.mark.parametrize("codec", [DAG_CBOR, DAG_JSON])
def test_a_value_comes_back_whole_and_in_parts(store: Store, codec: int) -> None:
    leaf = dag_put(store, {"deep": [1, 2.5, "é", b"\x00", None, True]}, codec=codec)
    root = dag_put(store, {"a": {"to": leaf}}, codec=codec)
    assert dag_get(store, root) == {"a": {"to": leaf}}
    assert dag_get(store, f"{root}/a/to/deep/2") == "é"
    assert dag_get(store, f"/ipfs/{root}/a") == {"to": leaf}
    with pytest.raises(PathNotFound, match="nope"):
        dag_get(store, f"{root}/a/nope")


def test_raw_and_dag_pb_values_are_stored(store: Store) -> None:
    raw = dag_put(store, b"bytes", codec=RAW)
    node = dag_put(store, {"Data": b"d", "Links": [{"Hash": raw, "Name": "n", "Tsize": 5}]}, codec=DAG_PB)
    assert dag_get(store, node) == {"Data": b"d", "Links": [{"Hash": raw, "Name": "n", "Tsize": 5}]}
    assert dag_get(store, f"{node}/n") == b"bytes"


def test_a_damaged_value_is_told_as_damage(store: Store) -> None:
    cid = dag_put(store, {"a": 1})
    damage(store, cid)
    with pytest.raises(BlockCorrupt, match=str(cid)):
        dag_get(store, cid)


@pytest.mark.parametrize("value", [b"not a map", {"Links": 1}, 1.5])
def test_a_value_that_its_codec_cannot_say_is_refused(store: Store, value: bytes) -> None:
    with pytest.raises(MalformedBlock):
        dag_put(store, value, codec=DAG_PB)
