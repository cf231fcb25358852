"""Other people's CARs through the whole program: good ones in and out again, bad ones refused without a trace."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.cli.exit_codes import ERROR_CODES
from pinfold.core.car import CarReader
from pinfold.core.cid import CID
from pinfold.core.errors import BlockTooLarge, IncompleteDag, MalformedCar, PinfoldError
from tests.support.cli import Pinfold
from tests.support.data_dirs import state_of
from tests.support.shared import SHARED, shared_path

pytestmark = pytest.mark.shared

# What is wrong, and the byte offset that the message must name.
BAD: dict[str, tuple[type[PinfoldError], int]] = {
    "badheaderlength": (MalformedCar, 0),
    "badsectionlength": (BlockTooLarge, 18),
    "sample-corrupt-pragma": (MalformedCar, 0),
    "sample-rootless-v42": (MalformedCar, 0),
    "sample-v1-tailing-corrupt-section": (MalformedCar, 479518),
    "sample-v1-with-zero-len-section": (MalformedCar, 479907),
    "sample-v1-with-zero-len-section2": (MalformedCar, 20819),
    "sample-v2-corrupt-data-and-index": (MalformedCar, 11),
}
# Roots that are not whole, and a block that is missing.
PARTIAL = {
    "car/simple-unixfs-missing-blocks.car": "QmVKt1VVkgfYcbSZqLD9sxZAkDpbH3L7RM6mJ6LHbkj5Bm",
    "gateway/trustless_gateway_car/file-3k-and-3-blocks-missing-block.car": (
        "QmSNLTo6Wv9dfroVaw7MFYjLqf9ho7PKrgsjdzYDtv8h1W"
    ),
}
GOOD = sorted(
    rel
    for path in (SHARED / "fixtures").rglob("*.car")
    if path.stem not in BAD and (rel := str(path.relative_to(SHARED / "fixtures"))) not in PARTIAL
) or ["car"]


def fixture(rel: str) -> Path:
    """A fixture; without the folder the test says so."""
    return shared_path(f"fixtures/{rel}")


def records(data: bytes) -> dict[bytes, bytes]:
    return {record.cid: bytes(record.data) for record in CarReader(io.BytesIO(data))}


def export(node: Node, root: CID, place: Path) -> bytes:
    with place.open("w+b") as file:
        node.dag_export(root, file.fileno())
    return place.read_bytes()


def test_every_car_is_accounted_for() -> None:
    shared_path("fixtures/car")
    assert len(GOOD) == 8 + 25 and len(list((SHARED / "fixtures" / "car").glob("*.car"))) == 17


@pytest.mark.parametrize("rel", GOOD)
def test_a_good_car_is_pinned_and_comes_out_again(rel: str, tmp_path: Path) -> None:
    data = fixture(rel).read_bytes()
    held = records(data)
    with Node(tmp_path / "data") as node:
        done = node.dag_import(io.BytesIO(data))
        stored = {cid.multihash for cid in map(CID.from_bytes, held) if not cid.is_identity}
        assert (done.pinned, done.new_blocks) == (done.roots, len(stored))
        node.gc()
        out = [export(node, root, tmp_path / "out.car") for root in done.roots]
        for root, car in zip(done.roots, out, strict=True):
            got = records(car)
            assert got.items() <= held.items()
            assert got[root.bytes] == held[root.bytes]
            assert node.stat(root).missing_blocks == 0
            assert node.pin_verify(root).ok
            linked = {ref.cid for ref in node.refs(root, recursive=True, unique=True)}
            assert {cid.bytes for cid in linked if not cid.is_identity} == got.keys() - {root.bytes}
        assert node.verify().ok
    with Node(tmp_path / "other") as other:
        for root, car in zip(done.roots, out, strict=True):
            assert other.dag_import(io.BytesIO(car)).pinned == (root,)
            assert export(other, root, tmp_path / "again.car") == car
        assert other.verify().ok


@pytest.mark.parametrize("rel", ["car/simple-unixfs.car", "car/sample-unixfs-v2.car"])
def test_an_export_has_every_block_of_a_car_of_one_dag(rel: str, tmp_path: Path) -> None:
    data = fixture(rel).read_bytes()
    with Node(tmp_path / "data") as node:
        (root,) = node.dag_import(io.BytesIO(data)).roots
        assert records(export(node, root, tmp_path / "out.car")) == records(data)


@pytest.mark.parametrize("rel", PARTIAL)
def test_a_partial_car_is_refused_unless_nothing_is_to_be_pinned(rel: str, tmp_path: Path) -> None:
    data = fixture(rel).read_bytes()
    pinfold = Pinfold(tmp_path)
    kept = pinfold.add(stdin=b"here before")
    before = state_of(pinfold.data_dir)
    answer = pinfold("dag", "import", "-", stdin=data, code=ERROR_CODES[IncompleteDag])
    assert PARTIAL[rel] in answer.err and "--no-pin-roots" in answer.err
    assert state_of(pinfold.data_dir) == before
    assert pinfold("dag", "import", "--no-pin-roots", "-", stdin=data).out == ""
    assert pinfold("pin", "ls", "-q").lines == [kept]
    local = set(pinfold("refs", "local").lines)
    assert {str(CID.from_bytes(cid)) for cid in records(data)} <= local
    assert pinfold("repo", "verify", "--json").json["ok"]


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("pin", ["--pin-roots", "--no-pin-roots"])
def test_a_bad_car_is_refused_and_leaves_no_trace(name: str, pin: str, tmp_path: Path) -> None:
    path = fixture(f"car/{name}.car")
    error, offset = BAD[name]
    pinfold = Pinfold(tmp_path)
    pinfold.add("--pin-name", "before", stdin=b"here before")
    before = state_of(pinfold.data_dir)
    answer = pinfold("dag", "import", pin, str(path), code=ERROR_CODES[error])
    assert f"byte {offset} " in answer.err
    assert answer.out == ""
    assert state_of(pinfold.data_dir) == before
    assert pinfold("repo", "verify", "--json").json["ok"]


def test_what_is_no_unixfs_is_said_so_and_never_crashes_a_reader(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for rel in GOOD:
        with Node(tmp_path / "data" / rel) as node, fixture(rel).open("rb") as stream:
            for root in node.dag_import(stream).roots:
                for reading in (node.ls, node.cat, node.dag_get, node.stat, node.file_info):
                    with contextlib.suppress(PinfoldError):
                        found = reading(root)
                        if isinstance(found, Iterator):
                            list(found)
                with contextlib.suppress(PinfoldError):
                    node.get(root, out / str(root))
    assert {path.name for path in tmp_path.iterdir()} == {"data", "out"}
