from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.cid import CID, DAG_PB, RAW
from pinfold.core.codec import dag_pb
from pinfold.core.errors import BlockTooLarge
from pinfold.unixfs.build import build_file, layout_file, leaf, leaf_frame
from pinfold.unixfs.dag import Built, is_identity
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import Layout, profile
from pinfold.unixfs.read import inspect
from tests.support.dags import Blocks, add_bytes, noise, read_bytes

V0 = "unixfs-v0-2015"
KEPT = Metadata(0o640, (1604320482, 7))


def whole_size(cid: bytes, blocks: Blocks) -> int:
    """The bytes of all blocks under a root, each occurrence counted."""
    block = CID.from_bytes(cid).identity_data if is_identity(cid) else blocks.stored[cid]
    below = dag_pb.links(block) if CID.from_bytes(cid).codec == DAG_PB else []
    return len(block) + sum(whole_size(each, blocks) for each in below)


@pytest.mark.parametrize("layout", ["balanced", "trickle"])
@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 30, 31, 90, 91, 270, 271, 1000])
def test_a_file_reads_back_and_its_sizes_add_up(layout: Layout, raw: bool, length: int) -> None:
    chosen = profile(layout=layout, raw_leaves=raw, chunker="size-10", max_file_links=3)
    content, blocks = noise(length, length), Blocks()
    built = add_bytes(content, chosen, blocks)
    assert read_bytes(built.cid, blocks) == content
    assert built.size == length
    assert built.tsize == whole_size(built.cid, blocks)
    assert inspect(built.cid, blocks.get).size == length


def test_a_sole_raw_leaf_is_its_own_root() -> None:
    blocks = Blocks()
    built = add_bytes(b"hello", profile(), blocks)
    assert blocks.stored == {built.cid: b"hello"}
    assert CID.from_bytes(built.cid).codec == RAW


def test_raw_leaves_are_cidv1_under_a_root_of_cidv0() -> None:
    blocks = Blocks()
    built = add_bytes(b"hello world", profile(V0, raw_leaves=True, chunker="size-6"), blocks)
    assert CID.from_bytes(built.cid).version == 0
    assert [CID.from_bytes(cid).version for cid in dag_pb.links(blocks.stored[built.cid])] == [1, 1]


@pytest.mark.parametrize("content", [b"", b"hello", b"hello world, this is more than one"])
@pytest.mark.parametrize("choices", [{}, {"raw_leaves": False}, {"layout": "trickle"}, {"inline": True}])
def test_metadata_stands_in_the_root_and_content_stays(content: bytes, choices: dict[str, Any]) -> None:
    blocks = Blocks()
    built = add_bytes(content, profile(chunker="size-10", **choices), blocks, KEPT)
    info = inspect(built.cid, blocks.get)
    assert (info.kind, info.mode, info.mtime, info.size) == ("file", KEPT.mode, KEPT.mtime, len(content))
    assert read_bytes(built.cid, blocks) == content


def test_a_sole_raw_leaf_with_metadata_gets_a_node_above_it() -> None:
    blocks = Blocks()
    built = add_bytes(b"hello", profile(), blocks, KEPT)
    (below,) = dag_pb.links(blocks.stored[built.cid])
    assert blocks.stored[below] == b"hello"


def test_metadata_that_says_nothing_changes_nothing() -> None:
    assert add_bytes(b"hello", profile(), Blocks(), Metadata()) == add_bytes(b"hello", profile(), Blocks())


def test_inlined_blocks_are_not_emitted() -> None:
    blocks = Blocks()
    built = add_bytes(b"0123456789" * 3, profile(chunker="size-10", inline=True), blocks)
    assert list(blocks.stored) == [built.cid]
    assert read_bytes(built.cid, blocks) == b"0123456789" * 3


def test_children_are_emitted_before_their_parents_and_the_root_last() -> None:
    emitted: list[bytes] = []
    seen: dict[bytes, bytes] = {}

    def emit(cid: bytes, block: bytes) -> None:
        emitted.append(cid)
        seen[cid] = block

    chunks = (bytes((number,)) * 4 for number in range(40))
    built = build_file(chunks, profile(max_file_links=3), emit)
    assert emitted[-1] == built.cid
    place = {cid: index for index, cid in enumerate(emitted)}
    for cid, block in seen.items():
        if CID.from_bytes(cid).codec == DAG_PB:
            assert all(place[child] < place[cid] for child in dag_pb.links(block))


def test_leaves_made_elsewhere_give_the_same_root() -> None:
    for chosen in (profile(), profile(V0), profile(V0, layout="trickle")):
        chunks = [noise(number, 50) for number in range(400)]
        whole = build_file(chunks, chosen, Blocks().emit)
        ready = [leaf(chosen, chunk)[0] for chunk in chunks]
        assert layout_file(ready, chosen, Blocks().emit) == whole


@pytest.mark.parametrize("choices", [{}, {"raw_leaves": False}, {"raw_leaves": False, "layout": "trickle"}])
def test_a_leaf_is_its_chunk_between_its_frame(choices: dict[str, Any]) -> None:
    chosen = profile(**choices)
    before, behind = leaf_frame(chosen, 5, KEPT)
    assert leaf(chosen, b"hello", sole=True, metadata=KEPT)[1] == before + b"hello" + behind


def test_a_sole_dag_pb_leaf_carries_its_metadata_through_layout() -> None:
    chosen = profile(V0)
    made, _ = leaf(chosen, b"hello", sole=True, metadata=KEPT)
    assert layout_file([made], chosen, Blocks().emit, KEPT) == made == add_bytes(b"hello", chosen, Blocks(), KEPT)


def test_empty_chunks_count_for_nothing() -> None:
    assert build_file([b"", b"a", b""], profile(), Blocks().emit) == build_file([b"a"], profile(), Blocks().emit)


def test_chunks_may_be_views_of_a_buffer_that_is_used_again() -> None:
    buffer = bytearray(8)

    def views() -> Any:
        for number in range(5):
            buffer[:] = bytes((number,)) * 8
            yield bytes(buffer) if number % 2 else memoryview(bytes(buffer))

    blocks = Blocks()
    built = build_file(views(), profile(), blocks.emit)
    assert read_bytes(built.cid, blocks) == b"".join(bytes((number,)) * 8 for number in range(5))


def test_a_node_over_the_limit_is_refused() -> None:
    many = [Built(bytes.fromhex("01551220") + bytes(32), 1, 1)] * (MAX_BLOCK_BYTES // 40)
    with pytest.raises(BlockTooLarge):
        layout_file(many, profile(max_file_links=len(many)), Blocks().emit)


def test_every_level_of_a_balanced_file_is_full_but_for_its_end() -> None:
    blocks = Blocks()
    built = add_bytes(noise(0, 1000), profile(chunker="size-10", max_file_links=4), blocks)
    widths, level = [], [built.cid]
    while all(CID.from_bytes(cid).codec == DAG_PB for cid in level):
        nodes = [dag_pb.links(blocks.stored[cid]) for cid in level]
        widths.append([len(node) for node in nodes])
        level = [cid for node in nodes for cid in node]
    assert [len(width) for width in widths] == [1, 2, 7, 25]
    assert all(width == 4 for level_widths in widths for width, _ in pairwise(level_widths))
