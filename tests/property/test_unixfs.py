"""Files and folders: whatever is built reads back, and whatever is broken is refused in one of the known ways."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pinfold.core import multihash
from pinfold.core.cid import CID, DAG_PB
from pinfold.core.errors import PinfoldError
from pinfold.unixfs.build import build_file
from pinfold.unixfs.chunker import chunks
from pinfold.unixfs.directory import Entry, build_directory
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import PROFILES, Profile, describe, from_description, profile
from pinfold.unixfs.read import inspect, list_directory, lookup, slices
from tests.support.dags import Blocks, add_bytes, noise, read_bytes

hashes = st.sampled_from(["sha2-256", "sha2-512", "sha3-256", "blake2b-256", "blake3"]).map(multihash.code_of)
chunkers = st.one_of(
    st.integers(1, 2000).map(lambda size: f"size-{size}"),
    st.integers(48, 1000).map(lambda average: f"rabin-{average}"),
    st.tuples(st.integers(16, 100), st.integers(1, 300), st.integers(1, 300)).map(
        lambda sizes: f"rabin-{sizes[0]}-{sizes[0] + sizes[1]}-{sizes[0] + sizes[1] + sizes[2]}"
    ),
    st.sampled_from(["rabin", "buzhash"]),
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Any profile that makes small nodes."""
    name = draw(st.sampled_from(sorted(PROFILES)))
    version = draw(st.sampled_from([None, 0, 1]))
    return profile(
        name,
        cid_version=version,
        hash_code=draw(hashes) if version != 0 else None,
        raw_leaves=draw(st.sampled_from([None, True, False])),
        chunker=draw(chunkers),
        max_file_links=draw(st.integers(2, 40)),
        layout=draw(st.sampled_from(["balanced", "trickle"])),
        hamt_threshold=draw(st.sampled_from([0, 1, 500, 5000])),
        hamt_estimation=draw(st.sampled_from(["links", "block"])),
        hamt_fanout=draw(st.sampled_from([8, 16, 64, 256, 1024])),
        inline=draw(st.booleans()),
        inline_limit=draw(st.integers(0, 128)),
    )


metadata = st.one_of(
    st.none(),
    st.builds(
        Metadata,
        st.one_of(st.none(), st.integers(1, 0o7777)),
        st.one_of(st.none(), st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 999_999_999))),
    ),
)
contents = st.one_of(
    st.binary(max_size=300),
    st.tuples(st.integers(0, 99), st.integers(0, 40_000)).map(lambda pair: noise(*pair)),
    st.integers(0, 40_000).map(bytes),
)
names = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in (b".", b"..")
)


@given(
    content=contents, chosen=profiles(), kept=metadata, ends=st.tuples(st.integers(0, 45_000), st.integers(0, 45_000))
)
@settings(max_examples=300, deadline=None)
def test_a_file_of_any_profile_reads_back_whole_and_in_part(
    content: bytes, chosen: Profile, kept: Metadata | None, ends: tuple[int, int]
) -> None:
    blocks = Blocks()
    built = add_bytes(content, chosen, blocks, kept)
    assert built.size == len(content)
    assert read_bytes(built.cid, blocks) == content
    assert read_bytes(built.cid, blocks, *ends) == content[slice(*ends)]
    info = inspect(built.cid, blocks.get)
    assert (info.size, info.tsize) == (len(content), built.tsize)
    if kept is not None:
        assert (info.mode, info.mtime) == kept


@given(content=contents, chosen=profiles())
@settings(max_examples=100, deadline=None)
def test_the_size_of_reads_makes_no_difference(content: bytes, chosen: Profile) -> None:
    stream = io.BytesIO(content)
    dribbled = chunks(lambda size: stream.read(min(size, 1 + len(content) // 3)), chosen.chunker)
    assert build_file(dribbled, chosen, Blocks().emit) == add_bytes(content, chosen, Blocks())


@given(listed=st.sets(names, max_size=150), chosen=profiles(), kept=metadata, absent=names)
@settings(max_examples=200, deadline=None)
def test_a_folder_of_any_profile_gives_every_entry_back(
    listed: set[bytes], chosen: Profile, kept: Metadata | None, absent: bytes
) -> None:
    blocks = Blocks()
    entries = [Entry(name, CID.of(name).bytes, len(name)) for name in sorted(listed)]
    built = build_directory(entries, chosen, blocks.emit, kept)
    assert sorted(list_directory(built.cid, blocks.get)) == entries
    for entry in entries:
        assert lookup(built.cid, entry.name, blocks.get) == entry.cid
    if absent not in listed:
        assert lookup(built.cid, absent, blocks.get) is None
    info = inspect(built.cid, blocks.get)
    assert info.kind in ("directory", "hamt")
    if kept is not None:
        assert (info.mode, info.mtime) == kept


@given(chosen=profiles())
def test_a_profile_survives_its_description(chosen: Profile) -> None:
    assert from_description(describe(chosen)) == chosen


def mutated(block: bytes, data: st.DataObject) -> bytes:
    """The block with a few bytes changed, dropped or put in, or cut off."""
    broken = bytearray(block)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(broken)))
        match data.draw(st.sampled_from(["change", "drop", "insert", "cut", "repeat"])):
            case "change" if place < len(broken):
                broken[place] = data.draw(st.integers(0, 255))
            case "drop":
                del broken[place : place + data.draw(st.integers(1, 40))]
            case "insert":
                broken[place:place] = data.draw(st.binary(min_size=1, max_size=12))
            case "cut":
                del broken[place:]
            case _:
                broken[place:place] = broken[place : place + data.draw(st.integers(1, 60))]
    return bytes(broken)


def read_everything(cid: bytes, blocks: Blocks) -> None:
    """Do all that can be done with a node, as one who trusts nothing does it."""

    def attempt(read: Any) -> None:
        try:
            read()
        except PinfoldError as exc:
            assert str(exc)

    def whole_file() -> None:
        for number, _ in enumerate(slices(cid, blocks.get, 0, 100_000, size_of=lambda each: len(blocks.get(each)))):
            assert number < 100_000

    attempt(lambda: inspect(cid, blocks.get))
    attempt(lambda: lookup(cid, b"7", blocks.get))
    attempt(lambda: list(list_directory(cid, blocks.get)))
    attempt(whole_file)


@given(chosen=profiles(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_a_broken_node_is_refused_in_a_known_way(chosen: Profile, data: st.DataObject) -> None:
    blocks = Blocks()
    if data.draw(st.booleans()):
        root = add_bytes(noise(1, 2000), chosen, blocks, Metadata(0o644, (1, 2))).cid
    else:
        entries = [Entry(str(number).encode(), CID.of(b"x").bytes, 1) for number in range(60)]
        root = build_directory(entries, chosen, blocks.emit).cid
    nodes = [cid for cid in blocks.stored if CID.from_bytes(cid).codec == DAG_PB]
    if not nodes:
        return
    victim = data.draw(st.sampled_from(nodes))
    blocks.stored[victim] = mutated(blocks.stored[victim], data)  # under its old CID, so that its parent leads to it
    read_everything(root, blocks)
    read_everything(victim, blocks)


@given(block=st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_noise_in_place_of_a_node_is_refused_in_a_known_way(block: bytes) -> None:
    blocks = Blocks()
    cid = CID.of(block, codec=DAG_PB).bytes
    blocks.emit(cid, block)
    read_everything(cid, blocks)
