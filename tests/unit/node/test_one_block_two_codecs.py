"""The same bytes may be a file under one CID and a node with links under another: both count."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from pinfold.core import codec
from pinfold.core.car import CarReader
from pinfold.core.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB, RAW
from pinfold.core.pin import PinMode
from pinfold.node.accounting import stat
from pinfold.node.block_ops import block_put
from pinfold.node.car_import import import_car
from pinfold.node.checks import verify
from pinfold.node.export import export
from pinfold.node.pinning import pin_verify
from pinfold.store import Store
from tests.support import cars

LEAF = CID.of(b"only the node links to this")
NODE = codec.encode(DAG_PB, {"Links": [{"Hash": LEAF, "Name": "leaf", "Tsize": 27}]})
AS_FILE, AS_NODE = CID.of(NODE), CID.of(NODE, codec=DAG_PB)


def root_block(first: CID, second: CID, *, deep: bool) -> list[tuple[CID, bytes]]:
    """A root that links to both, at one level or at two."""
    blocks = []
    if deep:
        between = codec.encode(DAG_CBOR, [second])
        second = CID.of(between, codec=DAG_CBOR)
        blocks.append((second, between))
    root = codec.encode(DAG_CBOR, [first, second])
    return [(CID.of(root, codec=DAG_CBOR), root), *blocks]


SHAPES = [(first, second, deep) for first, second in ((AS_FILE, AS_NODE), (AS_NODE, AS_FILE)) for deep in (False, True)]


@pytest.fixture(params=SHAPES, ids=["file, node", "file, deep node", "node, file", "node, deep file"])
def blocks(request: pytest.FixtureRequest) -> list[tuple[CID, bytes]]:
    """Every block of the DAG, its root first."""
    first, second, deep = request.param
    return [*root_block(first, second, deep=deep), (AS_NODE, NODE), (LEAF, b"only the node links to this")]


def exported(store: Store, root: CID, place: Path) -> bytes:
    with place.open("w+b") as file:
        export(store, root, file.fileno())
        return os.pread(file.fileno(), 1 << 20, 0)


def test_a_pin_keeps_what_only_one_of_them_links_to(store: Store, blocks: list[tuple[CID, bytes]]) -> None:
    for cid, data in reversed(blocks):
        block_put(store, data, codec=cid.codec)
    root = blocks[0][0]
    store.pin(root, PinMode.RECURSIVE)
    store.gc()
    assert store.read(LEAF.multihash)
    assert stat(store, root).blocks == len(blocks)
    assert pin_verify(store, root).blocks == len(blocks)


def test_an_export_has_it_and_an_import_keeps_it(store: Store, blocks: list[tuple[CID, bytes]], tmp_path: Path) -> None:
    for cid, data in reversed(blocks):
        block_put(store, data, codec=cid.codec)
    root = blocks[0][0]
    data = exported(store, root, tmp_path / "x.car")
    held = [CID.from_bytes(record.cid) for record in CarReader(io.BytesIO(data))]
    assert {AS_FILE, AS_NODE, LEAF} < set(held)  # each CID once, as Kubo writes it
    assert len(set(held)) == len(held)
    other = Store(tmp_path / "other")
    import_car(other, io.BytesIO(data))
    other.gc()
    assert exported(other, root, tmp_path / "again.car") == data
    assert verify(other).ok
    other.close()


@pytest.mark.parametrize("named", [RAW, DAG_JSON, DAG_PB])
def test_a_car_may_hold_a_block_under_another_codec(store: Store, blocks: list[tuple[CID, bytes]], named: int) -> None:
    records = [
        cars.RawBlock((CID.of(NODE, codec=named) if cid == AS_NODE else cid).bytes, data) for cid, data in blocks
    ]
    if named == DAG_JSON:  # it is none, but nothing links to it as one
        import_car(store, io.BytesIO(cars.car_v1(records)), pin_roots=False)
        store.pin(blocks[0][0], PinMode.RECURSIVE)
    else:
        import_car(store, io.BytesIO(cars.car_v1(records)))
    store.gc()
    assert store.read(LEAF.multihash)
    assert verify(store).ok
