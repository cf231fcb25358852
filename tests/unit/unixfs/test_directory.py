from __future__ import annotations

import random

import pytest

from pinfold.core.cid import CID
from pinfold.core.codec import dag_pb
from pinfold.core.errors import BlockTooLarge, Conflict, UnsafeName
from pinfold.unixfs.directory import Entry, build_directory, build_symlink
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import profile
from pinfold.unixfs.read import inspect, list_directory
from tests.support.dags import Blocks

V0 = "unixfs-v0-2015"
SOME = bytes.fromhex("01551220") + bytes(32)


def named(*names: bytes) -> list[Entry]:
    return [Entry(name, SOME, 1) for name in names]


def test_entries_are_sorted_by_the_bytes_of_their_names() -> None:
    blocks = Blocks()
    names = [b"b", "é".encode(), b"B", b"a", b"\xff", "中".encode(), b"a b", b"-"]
    built = build_directory(named(*names), profile(), blocks.emit)
    assert [entry.name for entry in list_directory(built.cid, blocks.get)] == sorted(names)


def test_the_order_they_come_in_makes_no_difference() -> None:
    entries = named(*(str(number).encode() for number in range(500)))
    shuffled = random.Random(0).sample(entries, len(entries))
    for threshold in (1, 0):
        chosen = profile(hamt_threshold=threshold)
        assert build_directory(entries, chosen, Blocks().emit) == build_directory(shuffled, chosen, Blocks().emit)


def test_tsize_counts_the_block_and_what_is_under_it() -> None:
    blocks = Blocks()
    built = build_directory([Entry(b"a", SOME, 1000), Entry(b"b", SOME, 2**40)], profile(), blocks.emit)
    assert built.tsize == len(blocks.stored[built.cid]) + 1000 + 2**40 == inspect(built.cid, blocks.get).tsize


def test_a_name_that_comes_twice_is_refused() -> None:
    with pytest.raises(Conflict, match="'a' comes twice"):
        build_directory(named(b"b", b"a", b"a"), profile(), Blocks().emit)


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"a\0b"])
def test_a_name_that_no_folder_can_have_is_refused(name: bytes) -> None:
    with pytest.raises(UnsafeName):
        build_directory(named(b"fine", name), profile(), Blocks().emit)


@pytest.mark.parametrize(("over", "kind"), [(0, "directory"), (1, "hamt")])
def test_a_folder_becomes_a_hamt_above_the_threshold_not_at_it(over: int, kind: str) -> None:
    entries = named(*(f"{number:04}".encode() for number in range(100)))
    blocks = Blocks()
    flat = build_directory(entries, profile(hamt_threshold=0), blocks.emit)
    by_block = profile(hamt_threshold=len(blocks.stored[flat.cid]) - over)
    by_links = profile(hamt_threshold=100 * (4 + len(SOME)) - over, hamt_estimation="links")
    for chosen in (by_block, by_links):
        built = build_directory(entries, chosen, blocks.emit)
        assert inspect(built.cid, blocks.get).kind == kind


def test_metadata_counts_for_the_threshold_of_blocks() -> None:
    entries = named(*(f"{number:04}".encode() for number in range(100)))
    blocks = Blocks()
    flat = build_directory(entries, profile(hamt_threshold=0), blocks.emit)
    chosen = profile(hamt_threshold=len(blocks.stored[flat.cid]))
    kept = build_directory(entries, chosen, blocks.emit, Metadata(0o755, (1, 0)))
    info = inspect(kept.cid, blocks.get)
    assert (info.kind, info.mode, info.mtime) == ("hamt", 0o755, (1, 0))


def test_an_empty_folder_is_never_sharded() -> None:
    blocks = Blocks()
    built = build_directory([], profile(hamt_threshold=1), blocks.emit, Metadata(0o755, (1, 0)))
    assert inspect(built.cid, blocks.get).kind == "directory"


def test_a_threshold_of_zero_never_shards() -> None:
    entries = named(*(str(number).encode() for number in range(20_000)))
    blocks = Blocks()
    built = build_directory(entries, profile(hamt_threshold=0), blocks.emit)
    assert inspect(built.cid, blocks.get).kind == "directory"


def test_a_flat_folder_over_the_block_limit_is_refused() -> None:
    entries = named(*(str(number).encode() for number in range(50_000)))
    with pytest.raises(BlockTooLarge):
        build_directory(entries, profile(hamt_threshold=0), Blocks().emit)


def test_a_folder_keeps_its_mode_and_mtime() -> None:
    blocks = Blocks()
    built = build_directory([], profile(V0), blocks.emit, Metadata(0o1777, (-5, 9)))
    info = inspect(built.cid, blocks.get)
    assert (info.kind, info.size, info.mode, info.mtime) == ("directory", None, 0o1777, (-5, 9))


def test_a_symbolic_link_keeps_its_target_and_mtime_and_no_mode() -> None:
    blocks = Blocks()
    built = build_symlink(b"../else\xff", profile(), blocks.emit, Metadata(0o777, (3, 0)))
    info = inspect(built.cid, blocks.get)
    assert (info.kind, info.target, info.size, info.mode, info.mtime) == ("symlink", b"../else\xff", 8, None, (3, 0))


def test_a_written_folder_is_what_the_codec_would_write() -> None:
    blocks = Blocks()
    entries = [Entry(bytes((65 + number,)) * (number * 20 + 1), SOME, 1 << number * 4) for number in range(12)]
    long = CID.of(b"x", hash_code=0x13).bytes
    built = build_directory([*entries, Entry(b"long", long, 0)], profile(), blocks.emit)
    block = blocks.stored[built.cid]
    assert dag_pb.encode(dag_pb.decode(block)) == block
