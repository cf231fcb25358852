"""The CAR fixtures of ipld/go-car and ipld/ipld: good ones to the last block, bad ones up to a clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pinfold.core import car, codec
from pinfold.core.binary_cid import codec_of
from pinfold.core.cid import CID, DAG_JSON
from pinfold.core.errors import BlockTooLarge, MalformedCar, PinfoldError
from tests.support.shared import shared_names, shared_path

pytestmark = pytest.mark.shared

GOOD = {
    "simple-unixfs.car": 22,
    "sample-v1.car": 1049,
    "sample-v2-indexless.car": 1049,
    "sample-wrapped-v2.car": 1049,
    "sample-unixfs-v2.car": 3,
    "sample-rw-bs-v2.car": 3,
    "carv1-basic.car": 8,
    "carv2-basic.car": 5,
}

# What is wrong, and the byte offset that the message must name.
BAD: dict[str, tuple[type[PinfoldError], int]] = {
    "badheaderlength.car": (MalformedCar, 0),
    "badsectionlength.car": (BlockTooLarge, 18),
    "sample-corrupt-pragma.car": (MalformedCar, 0),
    "sample-rootless-v42.car": (MalformedCar, 0),
    "sample-v1-tailing-corrupt-section.car": (MalformedCar, 479518),
    "sample-v1-with-zero-len-section.car": (MalformedCar, 479907),
    "sample-v1-with-zero-len-section2.car": (MalformedCar, 20819),
    "sample-v2-corrupt-data-and-index.car": (MalformedCar, 11),
}


def test_every_fixture_is_in_a_table_here() -> None:
    shared_path("fixtures/car")
    assert set(shared_names("fixtures/car", "*.car")) == GOOD.keys() | BAD.keys() | {"simple-unixfs-missing-blocks.car"}


@pytest.mark.parametrize("name", GOOD)
def test_a_good_car_is_read_whole_and_every_block_is_right(name: str) -> None:
    with shared_path(f"fixtures/car/{name}").open("rb") as stream:
        assert list(car.verify(stream)) == []
        stream.seek(0)
        summary = car.inspect(stream)
    assert summary.blocks == GOOD[name]
    assert summary.has_roots
    assert summary.version == (2 if "v2" in name or name == "sample-wrapped-v2.car" else 1)


@pytest.mark.parametrize("name", ["carv1-basic", "carv2-basic"])
def test_every_block_is_where_its_description_says(name: str) -> None:
    described = json.loads(shared_path(f"fixtures/car/{name}.json").read_text())
    with shared_path(f"fixtures/car/{name}.car").open("rb") as stream:
        reader = car.CarReader(stream)
        records = list(reader)
    base = reader.v2.data_offset if reader.v2 else 0
    assert [str(CID.from_bytes(root)) for root in reader.header.roots] == [
        root["/"] for root in described["header"]["roots"]
    ]
    assert len(records) == len(described["blocks"])
    for record, row in zip(records, described["blocks"], strict=True):
        assert str(CID.from_bytes(record.cid)) == row["cid"]["/"]
        assert len(record.data) == row["blockLength"]
        assert record.offset == row["offset"]
        assert codec.decode(codec_of(record.cid), record.data) == content_of(row)
    if reader.v2:
        header = described["header"]
        assert base == header["dataOffset"]
        assert reader.v2 == (
            tuple(header["characteristics"]),
            header["dataOffset"],
            header["dataSize"],
            header["indexOffset"],
        )


def content_of(row: dict[str, Any]) -> codec.Value:
    return codec.decode(DAG_JSON, json.dumps(row["content"]).encode())


def test_both_versions_of_one_car_hold_the_same_blocks() -> None:
    held = []
    for name in ("sample-v1.car", "sample-v2-indexless.car", "sample-wrapped-v2.car"):
        with shared_path(f"fixtures/car/{name}").open("rb") as stream:
            held.append([(record.cid, record.data) for record in car.CarReader(stream)])
    assert held[0] == held[1] == held[2]


def test_a_partial_car_is_whole_in_itself() -> None:
    with shared_path("fixtures/car/simple-unixfs-missing-blocks.car").open("rb") as stream:
        assert list(car.verify(stream)) == []
        stream.seek(0)
        present = {record.cid: record.data for record in car.CarReader(stream)}
    linked = {link for cid, data in present.items() for link in codec.links(codec_of(cid), data)}
    assert linked - present.keys()


@pytest.mark.parametrize("name", BAD)
def test_a_bad_car_is_refused_with_the_offset(name: str) -> None:
    error, offset = BAD[name]
    path = shared_path(f"fixtures/car/{name}")
    with path.open("rb") as stream, pytest.raises(error, match=rf"\bbyte {offset}\b"):
        list(car.CarReader(stream))
    with path.open("rb") as stream:
        assert f"byte {offset}" in list(car.verify(stream))[-1].message


@pytest.mark.parametrize("name", ["sample-v1.car", "simple-unixfs.car", "carv1-basic.car"])
def test_a_car_that_is_written_again_has_the_same_bytes(name: str) -> None:
    data = shared_path(f"fixtures/car/{name}").read_bytes()
    header, offset = car.parse_header(data)
    with shared_path(f"fixtures/car/{name}").open("rb") as stream:
        records = list(car.CarReader(stream))
    again = car.encode_header(header.roots) + b"".join(
        car.record_prefix(record.cid, len(record.data)) + record.data for record in records
    )
    assert again == data
    assert records[0].offset == offset
