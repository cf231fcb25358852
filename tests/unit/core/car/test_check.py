"""What ``car inspect`` and ``car verify`` find out."""

from __future__ import annotations

import io

import pytest

from pinfold.core import car
from pinfold.core.cid import CID
from pinfold.core.errors import MalformedCar
from tests.support import cars


def test_a_summary_counts_what_is_there() -> None:
    blocks = [*cars.raw_blocks(3, 80), cars.RawBlock(CID.of(b"data", codec=0x70, version=0).bytes, b"data")]
    absent = CID.of(b"not here")
    summary = car.inspect(io.BytesIO(cars.car_v1(blocks, [blocks[0].cid, absent.bytes])))
    assert (summary.version, summary.blocks, summary.block_bytes) == (1, 4, 244)
    assert (summary.min_block_bytes, summary.average_block_bytes, summary.max_block_bytes) == (4, 61.0, 80)
    assert summary.codecs == {"raw": 3, "dag-pb": 1}
    assert summary.hashes == {"sha2-256": 4}
    assert summary.roots == (CID.from_bytes(blocks[0].cid), absent)
    assert summary.missing_roots == (absent,)
    assert not summary.has_roots
    assert summary.characteristics is None
    assert summary.data_size_bytes == len(cars.car_v1(blocks, [blocks[0].cid, absent.bytes]))


def test_a_summary_of_a_car_v2_tells_where_its_parts_are() -> None:
    blocks = cars.raw_blocks(3)
    inner = len(cars.car_v1(blocks))
    summary = car.inspect(io.BytesIO(cars.car_v2(blocks, padding_bytes=9, index=b"index", characteristics=(1, 2))))
    assert (summary.version, summary.characteristics) == (2, (1, 2))
    assert (summary.data_offset, summary.data_size_bytes) == (60, inner)
    assert summary.index_offset == 60 + inner
    assert summary.has_index
    assert summary.has_roots


def test_a_car_without_blocks_has_a_summary_too() -> None:
    summary = car.inspect(io.BytesIO(cars.car_v1([])))
    assert (summary.blocks, summary.average_block_bytes, summary.max_block_bytes) == (0, 0.0, 0)
    assert summary.has_roots


def test_an_identity_root_is_always_there() -> None:
    summary = car.inspect(io.BytesIO(cars.car_v1([], [CID.of(b"tiny", hash_code=0).bytes])))
    assert summary.has_roots


def test_a_summary_of_a_malformed_car_is_refused() -> None:
    with pytest.raises(MalformedCar):
        car.inspect(io.BytesIO(cars.car_v1(cars.raw_blocks(3))[:-1]))


def test_verify_finds_nothing_wrong_with_a_good_car() -> None:
    for data in (cars.car_v1(cars.raw_blocks(9)), cars.car_v2(cars.raw_blocks(9)), cars.car_v1([])):
        assert list(car.verify(io.BytesIO(data))) == []


def test_verify_goes_on_after_a_corrupt_block() -> None:
    good = cars.raw_blocks(3)
    bad = cars.RawBlock(good[0].cid, b"other bytes")
    problems = list(car.verify(io.BytesIO(cars.car_v1([bad, *good, bad, good[0]]))))
    assert [problem.cid for problem in problems] == [bad.cid, bad.cid]
    assert problems[0].offset < problems[1].offset


@pytest.mark.parametrize("kind", cars.UNTRUSTED_KINDS)
def test_verify_names_each_block_that_must_not_count(kind: str) -> None:
    bad = cars.untrusted_cars()[kind]
    (problem,) = car.verify(io.BytesIO(bad.car))
    assert problem.offset == bad.offset
    assert problem.cid is not None


@pytest.mark.parametrize("kind", cars.MALFORMED_KINDS)
def test_verify_ends_with_what_cannot_be_read(kind: str) -> None:
    bad = cars.malformed_cars()[kind]
    (problem,) = car.verify(io.BytesIO(bad.car))
    assert problem.cid is None
    assert f"byte {bad.offset}" in problem.message


def test_verify_tells_corrupt_blocks_before_the_end_of_what_can_be_read() -> None:
    good = cars.raw_blocks(2)
    data = cars.car_v1([cars.RawBlock(good[0].cid, b"other"), good[1]])
    corrupt, structural = car.verify(io.BytesIO(data[:-1]))
    assert corrupt.cid == good[0].cid
    assert structural.cid is None
    assert structural.offset > corrupt.offset
