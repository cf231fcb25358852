from __future__ import annotations

import pytest

from pinfold.core.codec import dag_pb
from pinfold.core.codec.dag_pb import PBLink, PBNode
from pinfold.core.errors import DagTooDeep, MalformedBlock, NotUnixFS, UnknownCodec
from pinfold.unixfs import hamt, message
from pinfold.unixfs.dag import namer
from pinfold.unixfs.directory import Entry, build_directory
from pinfold.unixfs.murmur3 import murmur3_64
from pinfold.unixfs.profile import profile
from pinfold.unixfs.read import inspect, list_directory, lookup
from tests.support.dags import Blocks

SOME = bytes.fromhex("01551220") + bytes(32)


def numbered(count: int) -> list[Entry]:
    return [
        Entry(f"file-{number}".encode(), bytes.fromhex("01551220") + number.to_bytes(32, "big"), 7)
        for number in range(count)
    ]


def put_node(blocks: Blocks, links: list[PBLink], data: bytes) -> bytes:
    block = dag_pb.encode(PBNode(links, data))
    cid = namer(profile(), 0x70)(block)
    blocks.emit(cid, block)
    return cid


def shard_data(bits: int, fanout: int = 256, hash_type: int = 0x22) -> bytes:
    packed = bits.to_bytes((bits.bit_length() + 7) // 8, "big")
    return message.encode_hamt(packed, fanout).replace(b"\x28\x22", bytes((0x28, hash_type)))


@pytest.mark.parametrize("fanout", [8, 16, 64, 256, 512, 1024])
@pytest.mark.parametrize("count", [1, 2, 300, 9000])
def test_every_name_is_found_and_listed(fanout: int, count: int) -> None:
    blocks, entries = Blocks(), numbered(count)
    built = build_directory(entries, profile(hamt_threshold=1, hamt_fanout=fanout), blocks.emit)
    assert inspect(built.cid, blocks.get).kind == "hamt"
    assert sorted(list_directory(built.cid, blocks.get)) == sorted(entries)
    for entry in entries[:: max(1, count // 50)]:
        assert lookup(built.cid, entry.name, blocks.get) == entry.cid
    for absent in (b"", b"file", b"file-", b"file--1", b"0", b"zzz"):
        assert lookup(built.cid, absent, blocks.get) is None


def test_names_are_listed_in_the_order_of_their_hashes() -> None:
    blocks = Blocks()
    built = build_directory(numbered(3000), profile(hamt_threshold=1), blocks.emit)
    hashes = [murmur3_64(entry.name) for entry in list_directory(built.cid, blocks.get)]
    assert hashes == sorted(hashes)


def test_a_lookup_reads_only_the_shards_on_its_way() -> None:
    blocks = Blocks()
    built = build_directory(numbered(20_000), profile(), blocks.emit)
    blocks.read.clear()
    lookup(built.cid, b"file-12345", blocks.get)
    assert len(blocks.read) <= 4 < len(blocks.stored)


def test_two_names_with_one_hash_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hamt, "hash_names", lambda names: [7] * len(names))
    with pytest.raises(DagTooDeep, match="'file-0' and 'file-1'"):
        build_directory(numbered(2), profile(hamt_threshold=1), Blocks().emit)


@pytest.mark.parametrize(
    ("links", "data"),
    [
        ([PBLink(SOME, b"00a", 1)], shard_data(0b11)),  # more bits than links
        ([PBLink(SOME, b"00a", 1)], shard_data(0b10)),  # the link is not at its bit
        ([PBLink(SOME, b"", 1)], shard_data(1)),
        ([PBLink(SOME, None, 1)], shard_data(1)),
        ([PBLink(SOME, b"0a", 1)], shard_data(1, fanout=3)),
        ([PBLink(SOME, b"0a", 1)], shard_data(1, fanout=4)),
        ([PBLink(SOME, b"000a", 1)], shard_data(1, fanout=4096)),
        ([PBLink(SOME, b"00a", 1)], shard_data(1, hash_type=0x12)),
        ([PBLink(SOME, b"00a", 1)], shard_data(1 << 256)),
        ([PBLink(SOME, b"00a", 1)], b"\x08\x05\x12\x01\x01"),  # neither hash nor fanout
    ],
)
def test_a_shard_that_contradicts_itself_is_refused(links: list[PBLink], data: bytes) -> None:
    blocks = Blocks()
    cid = put_node(blocks, links, data)
    with pytest.raises(MalformedBlock):
        list(list_directory(cid, blocks.get))
    with pytest.raises(MalformedBlock):
        lookup(cid, b"a", blocks.get)


def test_a_shard_in_two_places_is_refused_before_it_multiplies() -> None:
    blocks = Blocks()
    cid = put_node(blocks, [PBLink(SOME, b"00a", 1)], shard_data(1))
    for _ in range(7):
        every = [PBLink(cid, f"{digit:02X}".encode(), 1) for digit in range(256)]
        cid = put_node(blocks, every, shard_data((1 << 256) - 1))
    with pytest.raises(MalformedBlock, match="two places"):
        list(list_directory(cid, blocks.get))
    assert len(blocks.read) < 20


def test_a_chain_of_shards_longer_than_a_hash_is_refused() -> None:
    blocks = Blocks()
    cid = put_node(blocks, [PBLink(SOME, b"00a", 1)], shard_data(1))
    for _ in range(40):
        cid = put_node(blocks, [PBLink(cid, b"00", 1)], shard_data(1))
    with pytest.raises(DagTooDeep):
        list(list_directory(cid, blocks.get))


@pytest.mark.parametrize(
    ("below", "error"),
    [
        (b"\x08\x01", MalformedBlock),  # a flat folder
        (b"nonsense", NotUnixFS),
    ],
)
def test_a_shard_that_leads_to_something_else_is_refused(below: bytes, error: type[Exception]) -> None:
    blocks = Blocks()
    cid = put_node(blocks, [PBLink(put_node(blocks, [], below), b"00", 1)], shard_data(1))
    with pytest.raises(error):
        list(list_directory(cid, blocks.get))


def test_a_shard_that_leads_to_another_codec_is_refused() -> None:
    blocks = Blocks()
    cid = put_node(blocks, [PBLink(SOME, b"00", 1)], shard_data(1))
    with pytest.raises(UnknownCodec):
        list(list_directory(cid, blocks.get))
