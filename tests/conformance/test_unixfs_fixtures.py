"""Files and folders that other programs wrote: all are read, and a folder built anew from its entries has its CID."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pinfold.core.binary_cid import codec_of
from pinfold.core.car.read import CarReader
from pinfold.core.cid import CID, DAG_PB, RAW
from pinfold.core.errors import BlockNotFound, UnsafeName
from pinfold.unixfs.directory import build_directory
from pinfold.unixfs.profile import profile
from pinfold.unixfs.read import inspect, list_directory, lookup
from tests.support.dags import Blocks, read_bytes
from tests.support.shared import SHARED, shared_path

pytestmark = pytest.mark.shared

CARS = sorted(str(path.relative_to(SHARED)) for path in (SHARED / "fixtures").rglob("*.car"))
NO_UNIXFS = (
    "path_gateway_dag/plain-",
    "-traversal.car",
    "carv1-basic",
    "carv2-basic",
    "sample-v1",
    "sample-v2-indexless",
)
BAD = ("bad", "corrupt", "rootless-v42", "zero-len", "sample-wrapped-v2")
HOSTILE = ("path_gateway_tar/inside-root", "path_gateway_tar/outside-root")  # folders with names like ../foo
MISSING = ("simple-unixfs-missing-blocks", "missing-block.car")
OTHERS = (*NO_UNIXFS, *BAD, *HOSTILE, *MISSING)


def cars(*parts: str, others: bool = False) -> list[str]:
    """The CARs whose path has one of the parts, or none of them; where there are none, a path that says so."""
    return [rel for rel in CARS if any(part in rel for part in parts) != others] or ["fixtures/car"]


def load(rel: str) -> tuple[list[bytes], Blocks]:
    blocks = Blocks()
    with shared_path(rel).open("rb") as stream:
        reader = CarReader(stream)
        for record in reader:
            blocks.stored[record.cid] = bytes(record.data)
        return reader.header.roots, blocks


def walk(cid: bytes, blocks: Blocks) -> Iterator[bytes]:
    """Every file and folder under a root that is UnixFS at all, the root first; files are read whole."""
    if codec_of(cid) not in (RAW, DAG_PB):
        return
    yield cid
    info = inspect(cid, blocks.get)
    if info.kind in ("file", "raw"):
        assert len(read_bytes(cid, blocks)) == info.size
    elif info.kind in ("directory", "hamt"):
        for entry in list_directory(cid, blocks.get):
            assert lookup(cid, entry.name, blocks.get) == entry.cid
            yield from walk(entry.cid, blocks)


@pytest.mark.parametrize("rel", cars(*OTHERS, others=True))
def test_what_others_wrote_is_read_and_rebuilt(rel: str) -> None:
    roots, blocks = load(rel)
    met = [cid for root in roots for cid in walk(root, blocks)]
    assert met
    for cid in met:
        kind = inspect(cid, blocks.get).kind
        if kind in ("directory", "hamt"):
            chosen = profile(cid_version=CID.from_bytes(cid).version, hamt_threshold=1 if kind == "hamt" else 0)
            assert build_directory(list_directory(cid, blocks.get), chosen, Blocks().emit).cid == cid


@pytest.mark.parametrize("rel", cars(*HOSTILE))
def test_names_that_lead_out_of_a_folder_are_listed_but_never_built(rel: str) -> None:
    roots, blocks = load(rel)
    folders = [cid for root in roots for cid in walk(root, blocks) if inspect(cid, blocks.get).kind == "directory"]
    with pytest.raises(UnsafeName):
        for cid in folders:
            build_directory(list_directory(cid, blocks.get), profile(), Blocks().emit)


@pytest.mark.parametrize("rel", cars(*MISSING))
def test_a_block_that_is_missing_is_said_to_be(rel: str) -> None:
    roots, blocks = load(rel)
    with pytest.raises(BlockNotFound):
        for root in roots:
            list(walk(root, blocks))
