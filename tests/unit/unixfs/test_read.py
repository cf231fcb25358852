from __future__ import annotations

import pytest

from pinfold.core.cid import CID, DAG_CBOR, DAG_PB, RAW
from pinfold.core.codec import dag_pb
from pinfold.core.codec.dag_pb import PBLink, PBNode
from pinfold.core.errors import (
    BlockNotFound,
    DagTooDeep,
    IdentityTooLarge,
    InvalidInput,
    MalformedBlock,
    NotADirectory,
    NotAFile,
    NotUnixFS,
    UnknownCodec,
)
from pinfold.unixfs import message
from pinfold.unixfs.dag import Built
from pinfold.unixfs.directory import Entry, build_directory, build_symlink
from pinfold.unixfs.profile import profile
from pinfold.unixfs.read import MAX_DEPTH, Slice, inspect, list_directory, lookup, slices
from tests.support.dags import Blocks, add_bytes, noise, read_bytes

SMALL = profile(chunker="size-10", max_file_links=3)


def put(blocks: Blocks, block: bytes, codec: int = DAG_PB) -> bytes:
    cid = CID.of(block, codec=codec).bytes
    blocks.emit(cid, block)
    return cid


def put_file(
    blocks: Blocks, children: list[bytes], sizes: list[int], inner: bytes = b"", total: int | None = None
) -> bytes:
    """A file node that says what it is told to say."""
    data = b"\x08\x02" + (b"\x12" + bytes((len(inner),)) + inner if inner else b"")
    size = sum(sizes) + len(inner) if total is None else total
    data += message.encode_file(message.FILE, size % 2**64, sizes)[2:]
    return put(blocks, dag_pb.encode(PBNode([PBLink(cid, b"", 0) for cid in children], data)))


def folder(blocks: Blocks) -> Built:
    return build_directory([Entry(b"a", CID.of(b"x").bytes, 1)], profile(), blocks.emit)


def test_a_range_reads_only_the_nodes_on_its_way_and_no_raw_leaf() -> None:
    blocks, content = Blocks(), noise(0, 1000)
    built = add_bytes(content, SMALL, blocks)
    blocks.read.clear()
    (part,) = slices(built.cid, blocks.get, 505, 508)
    assert (part.offset, part.length, part.data) == (5, 3, None)
    assert part.cid is not None and blocks.stored[part.cid][5:8] == content[505:508]
    assert len(blocks.read) == 5  # one node on each of the five levels above 100 leaves in threes
    assert all(CID.from_bytes(cid).codec == DAG_PB for cid in blocks.read)


@pytest.mark.parametrize("raw", [True, False])
def test_ranges_at_every_edge_give_the_bytes_of_the_range(raw: bool) -> None:
    blocks, content = Blocks(), noise(1, 95)
    built = add_bytes(content, profile(chunker="size-10", max_file_links=3, raw_leaves=raw), blocks)
    edges = [0, 1, 9, 10, 11, 29, 30, 31, 89, 90, 94, 95, 96, 1000]
    for start in edges:
        assert read_bytes(built.cid, blocks, start) == content[start:]
        for stop in edges:
            assert read_bytes(built.cid, blocks, start, stop) == content[start:stop]


@pytest.mark.parametrize(("start", "stop"), [(-1, None), (0, -1)])
def test_offsets_before_the_file_are_refused(start: int, stop: int | None) -> None:
    with pytest.raises(InvalidInput):
        list(slices(CID.of(b"").bytes, Blocks().get, start, stop))


def test_a_file_of_one_raw_block_is_read_or_with_its_size_only_named() -> None:
    blocks = Blocks()
    built = add_bytes(b"hello", profile(), blocks)
    assert list(slices(built.cid, blocks.get, 1)) == [Slice(None, 0, 4, b"ello")]
    blocks.read.clear()
    named = slices(built.cid, blocks.get, 1, size_of=lambda cid: len(blocks.stored[cid]))
    assert list(named) == [Slice(built.cid, 1, 4, None)]
    assert blocks.read == []


def test_a_node_may_have_bytes_of_its_own_before_its_links() -> None:
    blocks = Blocks()
    cid = put_file(blocks, [put(blocks, b"world", RAW)], [5], inner=b"hello ")
    assert read_bytes(cid, blocks) == b"hello world"
    assert read_bytes(cid, blocks, 4, 8) == b"o wo"


def test_identity_leaves_are_read_from_their_cids() -> None:
    blocks = Blocks()
    built = add_bytes(b"0123456789" * 20, profile(chunker="size-10", inline=True), blocks)
    assert len(blocks.stored) == 1
    assert read_bytes(built.cid, blocks, 15, 27) == b"567890123456"


def test_an_identity_cid_that_carries_too_much_is_refused() -> None:
    cid = b"\x01\x55\x00\x81\x01" + bytes(129)
    with pytest.raises(IdentityTooLarge):
        inspect(cid, Blocks().get)


def test_sizes_that_contradict_each_other_are_refused() -> None:
    blocks = Blocks()
    five = put(blocks, b"12345", RAW)
    inner = put_file(blocks, [five], [5])
    for cid in (
        put_file(blocks, [five], [5], total=6),  # the whole and its parts
        put_file(blocks, [five], [5, 1]),  # more sizes than links
        put_file(blocks, [five, five], [5]),  # fewer
        put_file(blocks, [inner], [6]),  # a node shorter than announced
        put_file(blocks, [inner], [4]),  # and longer
        put_file(blocks, [five, five], [2**63, 2**63 - 1]),  # more than any file has
        put_file(blocks, [b"\x01\x55\x00\x02hi"], [3]),  # an identity leaf
    ):
        with pytest.raises(MalformedBlock):
            list(slices(cid, blocks.get))


def test_a_raw_leaf_of_another_length_is_refused_where_lengths_are_known() -> None:
    blocks = Blocks()
    cid = put_file(blocks, [put(blocks, b"12345", RAW)], [4])
    with pytest.raises(MalformedBlock, match="announced 4"):
        list(slices(cid, blocks.get, size_of=lambda each: len(blocks.stored[each])))


def test_a_chain_of_nodes_is_followed_so_far_and_no_further() -> None:
    blocks = Blocks()
    cid = put(blocks, b"x", RAW)
    for _ in range(MAX_DEPTH):
        cid = put_file(blocks, [cid], [1])
    assert read_bytes(cid, blocks) == b"x"
    cid = put_file(blocks, [cid], [1])
    with pytest.raises(DagTooDeep):
        read_bytes(cid, blocks)


def test_parts_without_bytes_are_not_followed_however_many_there_are() -> None:
    blocks = Blocks()
    cid = put_file(blocks, [], [])
    for _ in range(20):
        cid = put_file(blocks, [cid] * 1000, [0] * 1000)
    blocks.read.clear()
    assert read_bytes(cid, blocks) == b""
    assert len(blocks.read) == 1


def test_a_small_dag_of_enormous_size_is_read_where_it_is_asked() -> None:
    blocks = Blocks()
    cid, size = put(blocks, b"ab", RAW), 2
    for _ in range(6):
        cid, size = put_file(blocks, [cid] * 1000, [size] * 1000), size * 1000
    blocks.read.clear()
    assert inspect(cid, blocks.get).size == 2 * 10**18
    assert read_bytes(cid, blocks, 10**18 + 1, 10**18 + 4) == b"bab"
    assert len(blocks.read) < 20


def test_a_missing_block_is_said_when_it_is_met() -> None:
    blocks = Blocks()
    built = add_bytes(noise(3, 1000), profile(chunker="size-10", max_file_links=3, raw_leaves=False), blocks)
    parts = list(slices(built.cid, blocks.get))
    assert len(parts) == 100
    missing = blocks.read[-1]
    del blocks.stored[missing]
    assert len(read_bytes(built.cid, blocks, 0, 990)) == 990
    with pytest.raises(BlockNotFound, match=str(CID.from_bytes(missing))):
        read_bytes(built.cid, blocks)


def test_what_is_no_file_is_not_read_as_one() -> None:
    blocks = Blocks()
    for cid in (folder(blocks).cid, build_symlink(b"a", profile(), blocks.emit).cid):
        with pytest.raises(NotAFile):
            list(slices(cid, blocks.get))


def test_what_is_no_folder_is_not_listed_as_one() -> None:
    blocks = Blocks()
    for cid in (
        add_bytes(b"raw", profile(), blocks).cid,
        add_bytes(b"file", profile("unixfs-v0-2015"), blocks).cid,
        build_symlink(b"a", profile(), blocks.emit).cid,
    ):
        with pytest.raises(NotADirectory):
            lookup(cid, b"a", blocks.get)
        with pytest.raises(NotADirectory):
            list(list_directory(cid, blocks.get))


def test_other_codecs_are_refused_by_name() -> None:
    blocks = Blocks()
    cid = put(blocks, b"\xa0", DAG_CBOR)
    for read in (
        lambda: inspect(cid, blocks.get),
        lambda: lookup(cid, b"a", blocks.get),
        lambda: list(slices(cid, blocks.get)),
    ):
        with pytest.raises(UnknownCodec, match="dag-cbor"):
            read()


@pytest.mark.parametrize("data", [None, b"", b"not unixfs", b"\x08\x03"])
def test_dag_pb_that_is_no_unixfs_is_refused_with_its_cid(data: bytes | None) -> None:
    blocks = Blocks()
    cid = put(blocks, dag_pb.encode(PBNode([], data)))
    with pytest.raises(NotUnixFS, match=str(CID.from_bytes(cid))):
        inspect(cid, blocks.get)
    with pytest.raises(NotUnixFS):
        list(slices(cid, blocks.get))


def test_a_block_that_is_no_dag_pb_is_refused_with_its_cid() -> None:
    blocks = Blocks()
    cid = put(blocks, b"\xff\xff")
    with pytest.raises(MalformedBlock, match=str(CID.from_bytes(cid))):
        inspect(cid, blocks.get)


def test_a_raw_block_says_its_length() -> None:
    blocks = Blocks()
    info = inspect(add_bytes(b"hello", profile(), blocks).cid, blocks.get)
    assert (info.kind, info.size, info.tsize, info.links) == ("raw", 5, 5, 0)


def test_a_name_in_a_flat_folder_is_found_and_another_is_not() -> None:
    blocks = Blocks()
    built = folder(blocks)
    assert lookup(built.cid, b"a", blocks.get) == CID.of(b"x").bytes
    assert lookup(built.cid, b"b", blocks.get) is None


def test_a_file_whose_size_field_is_missing_is_as_long_as_its_parts() -> None:
    blocks = Blocks()
    cid = put(blocks, dag_pb.encode(PBNode([], b"\x08\x02\x12\x02hi")))
    assert inspect(cid, blocks.get).size == 2
    assert read_bytes(cid, blocks) == b"hi"
