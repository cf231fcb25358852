"""Rows of the catalogue as bytes."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from pinfold.core import varint
from pinfold.core.cid import CID, DAG_CBOR, DAG_PB, RAW
from pinfold.core.pin import PinMode
from pinfold.store import rows
from pinfold.store.row_chunks import prefix_lengths
from pinfold.store.rows import BlockRow, PinRow, SegmentRow, SegmentState


@pytest.mark.parametrize("codec", [RAW, DAG_PB, DAG_CBOR, 0x0129, 0x0200])
@pytest.mark.parametrize("length", [0, 1, 90, 91, 92, 127, 128, 16_000, 16_383, 16_384, 2_097_151, 2_097_152])
def test_the_prefix_of_a_record_is_as_long_as_it_is_written(codec: int, length: int) -> None:
    cid = b"\x01" + varint.encode(codec) + b"\x12\x20" + bytes(32)
    written = len(varint.encode(len(cid) + length)) + len(cid)
    tag, multihash = rows.tag_of_cid(cid)
    assert rows.prefix_length(tag, len(multihash), length) == written
    columns = (np.array([34], dtype=np.int64), np.array([tag], dtype=np.uint32), np.array([length], dtype=np.uint32))
    assert prefix_lengths(*columns).tolist() == [written]


def test_a_tag_gives_the_very_cid_that_a_block_was_stored_under() -> None:
    for cid in (
        CID.of(b"x"),
        CID.of(b"", codec=DAG_PB, version=0),
        CID.of(b"", codec=DAG_PB),
        CID.of(b"", codec=0x129),
    ):
        tag, multihash = rows.tag_of_cid(cid.bytes)
        assert rows.cid_of(tag, multihash) == cid.bytes
        assert BlockRow(1, 2, 3, 4, tag).codec == cid.codec


@given(st.sets(st.integers(0, 2**32 - 1), max_size=60))
def test_sets_of_ids_come_back_as_they_were(ids: set[int]) -> None:
    assert set(rows.unpack_ids(rows.pack_ids(BitMap(ids)))) == ids


@given(st.lists(st.sets(st.integers(0, 5000), max_size=40), max_size=8))
def test_the_union_of_packed_sets_is_their_union(sets: list[set[int]]) -> None:
    packed = [rows.pack_ids(BitMap(ids)) for ids in sets]
    assert set(rows.union_of_packed(packed)) == set().union(*sets)


@given(
    st.sampled_from([PinMode.RECURSIVE, PinMode.DIRECT]),
    st.text(max_size=50),
    st.floats(0, 1e12),
    st.sampled_from(["", "unixfs-v1-2025"]),
    st.sampled_from([0, 1]),
    st.booleans(),
    st.sets(st.integers(0, 2**32 - 1), max_size=40),
)
def test_pins_come_back_as_they_were(
    mode: PinMode, name: str, created: float, profile: str, version: int, complete: bool, ids: set[int]
) -> None:
    row = PinRow(mode, name, created, profile, version, complete, rows.pack_ids(BitMap(ids)))
    data = row.pack()
    assert PinRow.unpack(data) == row and set(row.ids) == ids
    assert rows.packed_ids_of_row(data) == row.ids_packed
    assert rows.is_sound_pin(data)


def test_any_changed_byte_of_a_pin_is_noticed() -> None:
    data = PinRow(PinMode.RECURSIVE, "name", 1.5, "", 1, True, rows.pack_ids(BitMap(range(0, 900, 7)))).pack()
    chance = random.Random(1)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= chance.randrange(1, 256)
        assert not rows.is_sound_pin(bytes(changed))
    assert not rows.is_sound_pin(data[:-1]) and not rows.is_sound_pin(data[:5])


def test_segments_come_back_as_they_were() -> None:
    row = SegmentRow(1 << 40, 1 << 39, 77, SegmentState.SEALED)
    assert SegmentRow.unpack(row.pack()) == row
