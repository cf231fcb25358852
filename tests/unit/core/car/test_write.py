"""CARs that are written, and the headers of them."""

from __future__ import annotations

import io

import pytest

from pinfold.core import car
from pinfold.core.cid import CID
from pinfold.core.errors import MalformedCar
from tests.support import cars


def test_what_is_written_is_read_again() -> None:
    blocks = cars.raw_blocks(50, 2000)
    stream = io.BytesIO()
    writer = car.CarWriter(stream, [blocks[1].cid, blocks[2].cid])
    for block in blocks:
        writer.write(block.cid, memoryview(block.data))
    assert writer.offset == len(stream.getvalue())
    reader = car.CarReader(io.BytesIO(stream.getvalue()))
    assert reader.header.roots == [blocks[1].cid, blocks[2].cid]
    assert [(record.cid, record.data) for record in reader] == blocks


def test_a_header_without_roots_has_the_bytes_that_everyone_writes() -> None:
    assert car.encode_header([]) == bytes.fromhex("11a265726f6f7473806776657273696f6e01")


def test_a_header_is_parsed_from_the_middle_of_a_buffer() -> None:
    roots = [CID.of(bytes([number])).bytes for number in range(3)]
    data = b"before" + car.encode_header(roots) + b"behind"
    header, end = car.parse_header(memoryview(data), 6)
    assert header == car.Header(1, roots)
    assert data[end:] == b"behind"


def test_the_pragma_is_a_header_of_version_two() -> None:
    assert car.parse_header(cars.PRAGMA) == (car.Header(2, []), len(cars.PRAGMA))


def test_a_header_over_the_limit_is_refused() -> None:
    many = [CID.of(b"").bytes] * 30_000
    with pytest.raises(MalformedCar, match="at most 1,048,576"):
        car.parse_header(car.encode_header(many))


def test_a_prefix_counts_the_cid_and_the_data() -> None:
    cid = CID.of(b"x").bytes
    assert car.record_prefix(cid, 1) == bytes([37]) + cid
    assert car.record_prefix(cid, 1000) == bytes([0x8C, 0x08]) + cid
