"""CARs that are read: good ones to the last byte, bad ones up to a clear error."""

from __future__ import annotations

import io
import os
import threading

import pytest

from pinfold.core import car
from pinfold.core.block import MAX_BLOCK_BYTES
from pinfold.core.cid import CID
from pinfold.core.errors import BlockTooLarge, PinfoldError
from tests.support import cars

MALFORMED = cars.malformed_cars()
UNTRUSTED = cars.untrusted_cars()


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time, as a slow pipe does."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step
        self.taken = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        part = self._data.read(min(self._step, size) if size >= 0 else self._step)
        self.taken += len(part)
        return part


def read(data: bytes) -> list[tuple[bytes, bytes]]:
    return [(record.cid, record.data) for record in car.CarReader(io.BytesIO(data))]


def test_a_car_v1_gives_its_roots_and_blocks_in_order() -> None:
    blocks = cars.raw_blocks(20)
    reader = car.CarReader(io.BytesIO(cars.car_v1(blocks, [blocks[3].cid, blocks[0].cid])))
    assert reader.header == car.Header(1, [blocks[3].cid, blocks[0].cid])
    assert [(record.cid, record.data) for record in reader] == blocks


def test_a_car_v2_gives_what_the_car_v1_inside_gives() -> None:
    blocks = cars.raw_blocks(20)
    for data in (
        cars.car_v2(blocks),
        cars.car_v2(blocks, padding_bytes=1413),
        cars.car_v2(blocks, index=b"no index of any kind"),
    ):
        reader = car.CarReader(io.BytesIO(data))
        assert reader.header == car.Header(2, [blocks[0].cid])
        assert [(record.cid, record.data) for record in reader] == blocks


def test_a_car_may_have_no_roots_and_no_blocks() -> None:
    reader = car.CarReader(io.BytesIO(cars.car_v1([])))
    assert reader.header.roots == []
    assert list(reader) == []


def test_an_offset_is_where_the_record_begins_in_the_stream() -> None:
    blocks = cars.raw_blocks(2000, 1024)
    for data in (cars.car_v1(blocks), cars.car_v2(blocks, padding_bytes=7)):
        offsets = [record.offset for record in car.CarReader(io.BytesIO(data))]
        assert len(offsets) == 2000
        for offset, block in zip(offsets, blocks, strict=True):
            assert data[offset:].startswith(cars.record(block))


@pytest.mark.parametrize("step", [1, 7, 100, 4096])
def test_a_stream_may_give_as_few_bytes_at_a_time_as_it_likes(step: int) -> None:
    blocks = cars.raw_blocks(8, 400)
    for data in (cars.car_v1(blocks), cars.car_v2(blocks, padding_bytes=99, index=b"index")):
        reader = car.CarReader(Trickle(data, step))  # type: ignore[arg-type]
        assert [(record.cid, record.data) for record in reader] == blocks


def test_a_pipe_is_read_to_its_end() -> None:
    blocks = cars.raw_blocks(300, 8000)
    source, sink = os.pipe()

    def write() -> None:
        with open(sink, "wb") as stream:
            stream.write(cars.car_v2(blocks))

    writer = threading.Thread(target=write)
    writer.start()
    with open(source, "rb") as stream:
        assert [(record.cid, record.data) for record in car.CarReader(stream)] == blocks
    writer.join()


def test_every_kind_of_cid_is_told_from_the_bytes_behind_it() -> None:
    cids = [
        CID.of(b"data", codec=0x70, version=0),
        CID.of(b"data"),
        CID.of(b"data", codec=0x0129),
        CID.of(b"data", hash_code=0xB220),
        CID.of(b"data", hash_code=0x13),
        CID.of(b"data", hash_code=0),
    ]
    blocks = [cars.RawBlock(cid.bytes, b"data") for cid in cids] + [cars.RawBlock(CID.of(b"").bytes, b"")]
    assert read(cars.car_v1(blocks)) == blocks
    for record in car.CarReader(io.BytesIO(cars.car_v1(blocks))):
        car.verify_record(record)


def test_a_block_of_two_mebibytes_is_read_and_one_byte_more_is_not() -> None:
    largest = cars.raw_block(bytes(MAX_BLOCK_BYTES))
    assert read(cars.car_v1([largest])) == [largest]
    with pytest.raises(BlockTooLarge, match="at byte 59 "):
        read(cars.car_v1([cars.raw_block(bytes(MAX_BLOCK_BYTES + 1))]))


def test_a_record_that_is_too_long_is_refused_before_it_is_read() -> None:
    bad = MALFORMED["record far too long"]
    stream = Trickle(bad.car + bytes(8 * 1024 * 1024), 4096)
    with pytest.raises(BlockTooLarge):
        list(car.CarReader(stream))  # type: ignore[arg-type]
    assert stream.taken < 64 * 1024


@pytest.mark.parametrize("kind", MALFORMED)
@pytest.mark.parametrize("step", [1, 2**20])
def test_a_malformed_car_is_refused_with_its_offset(kind: str, step: int) -> None:
    if step == 1 and len(MALFORMED[kind].car) > 2**16:
        step = 2**16
    bad = MALFORMED[kind]
    with pytest.raises(bad.error, match=rf"\bbyte {bad.offset}\b"):
        list(car.CarReader(Trickle(bad.car, step)))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", UNTRUSTED)
def test_a_block_that_must_not_count_is_named_by_cid_and_offset(kind: str) -> None:
    bad = UNTRUSTED[kind]
    refused: list[PinfoldError] = []
    for record in car.CarReader(io.BytesIO(bad.car)):
        try:
            car.verify_record(record)
        except PinfoldError as exc:
            refused.append(exc)
            assert f"byte {bad.offset} " in str(exc)
            assert str(CID.from_bytes(record.cid)) in str(exc)
    assert [type(exc) for exc in refused] == [bad.error]


def test_a_car_cut_anywhere_is_refused_unless_it_ends_between_records() -> None:
    blocks = cars.raw_blocks(4, 40)
    data = cars.car_v1(blocks)
    whole = {len(cars.car_v1(blocks[:count], [blocks[0].cid])) for count in range(5)}
    for cut in range(len(data) + 1):
        if cut in whole:
            read(data[:cut])
        else:
            with pytest.raises(PinfoldError, match="byte"):
                read(data[:cut])


def test_a_car_v2_cut_anywhere_before_its_data_ends_is_refused() -> None:
    data = cars.car_v2(cars.raw_blocks(4, 40))
    for cut in range(len(data)):
        with pytest.raises(PinfoldError, match="byte"):
            read(data[:cut])
