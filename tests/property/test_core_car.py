"""Any blocks come back from a CAR; any mutation of one is read or refused, never anything else."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from pinfold.core import car
from pinfold.core.cid import CID
from pinfold.core.errors import BlockTooLarge, MalformedCar, PinfoldError
from tests.support import cars

blocks = st.lists(
    st.builds(
        lambda data, code, hash_code: cars.RawBlock(CID.of(data, codec=code, hash_code=hash_code).bytes, data),
        st.binary(max_size=128),
        st.sampled_from([0x55, 0x70, 0x71, 0x0129]),
        st.sampled_from([0x12, 0x13, 0xB220, 0x00]),
    ),
    max_size=8,
)


@st.composite
def car_files(draw: st.DrawFn) -> tuple[list[cars.RawBlock], bytes]:
    """Blocks, and a CAR of either version that holds them."""
    held = draw(blocks)
    roots = [block.cid for block in held if draw(st.booleans())]
    if draw(st.booleans()):
        return held, cars.car_v1(held, roots)
    return held, cars.car_v2(held, roots, padding_bytes=draw(st.integers(0, 99)), index=draw(st.binary(max_size=9)))


@given(car_files())
def test_blocks_come_back_from_a_car(made: tuple[list[cars.RawBlock], bytes]) -> None:
    held, data = made
    records = list(car.CarReader(io.BytesIO(data)))
    assert [(record.cid, record.data) for record in records] == held
    assert list(car.verify(io.BytesIO(data))) == []
    for record, block in zip(records, held, strict=True):
        assert data[record.offset :].startswith(cars.record(block))


@st.composite
def mutated_cars(draw: st.DrawFn) -> bytes:
    """A good CAR with a few bytes changed, left out or put in, or cut off."""
    data = bytearray(draw(car_files())[1])
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.integers(0, 40) | st.just(len(data)))
        data[at : at + cut] = draw(st.binary(max_size=12))
    return bytes(data)


@given(mutated_cars() | st.binary(max_size=200))
def test_a_mutated_car_is_read_or_refused(data: bytes) -> None:
    refused = None
    records: list[car.Record] = []
    try:
        records.extend(car.CarReader(io.BytesIO(data)))
    except (MalformedCar, BlockTooLarge) as exc:
        assert "byte" in str(exc)
        refused = str(exc)
    for record in records:
        try:
            car.verify_record(record)
        except PinfoldError as exc:
            assert f"byte {record.offset} " in str(exc)
    problems = list(car.verify(io.BytesIO(data)))
    assert [problem.message for problem in problems if problem.cid is None] == ([refused] if refused else [])
    try:
        summary = car.inspect(io.BytesIO(data))
    except (MalformedCar, BlockTooLarge):
        assert refused
    else:
        assert not refused
        assert summary.blocks == len(records)
