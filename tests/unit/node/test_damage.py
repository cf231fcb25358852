"""Damage on the disk: no reader gives it out, and whoever brings the right bytes mends it."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, Corrupt, IncompleteDag
from pinfold.node import Node
from pinfold.node.model import AddOptions
from pinfold.store.damage import damaged_ids
from pinfold.store.rows import pack_block
from pinfold.unixfs.profile import profile
from tests.support import cars
from tests.support.dags import noise
from tests.support.stores import damage, leaves

CONTENT = noise(7, 40_000)
OPTIONS = AddOptions(profile=profile("unixfs-v1-2025", chunker="size-16384"))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    with Node(tmp_path / "data") as opened:
        yield opened


@pytest.fixture
def file(node: Node) -> CID:
    """A pinned file of three leaves, which a folder has as well."""
    cid = added(node)
    node.add_tree([(("in", "side"), io.BytesIO(CONTENT))], OPTIONS, name="folder")
    return cid


def added(node: Node) -> CID:
    return node.add_stream(io.BytesIO(CONTENT), OPTIONS).cid


def whole_car(node: Node, root: CID, folder: Path) -> bytes:
    path = folder / "whole.car"
    with open(path, "wb") as stream:
        node.dag_export(root, stream.fileno())
    return path.read_bytes()


def export(node: Node, cid: CID) -> None:
    with open(os.devnull, "wb") as nowhere:
        node.dag_export(cid, nowhere.fileno())


def cat_to(node: Node, cid: CID) -> None:
    with open(os.devnull, "wb") as nowhere:
        node.cat_to(cid, nowhere.fileno())


READERS: dict[str, Callable[[Node, CID, Path], object]] = {
    "cat": lambda node, cid, folder: list(node.cat(cid)),
    "cat_to": lambda node, cid, folder: cat_to(node, cid),
    "get": lambda node, cid, folder: node.get(cid, folder / "out"),
    "archive": lambda node, cid, folder: node.get_archive(cid, io.BytesIO()),
    "export": lambda node, cid, folder: export(node, cid),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS.keys())
@pytest.mark.parametrize("which", ["root", "leaf"])
def test_no_reader_gives_out_a_flipped_bit(
    node: Node, file: CID, tmp_path: Path, read: Callable[[Node, CID, Path], object], which: str
) -> None:
    read(node, file, tmp_path)
    bad = file if which == "root" else leaves(node.store, file)[1]
    damage(node.store, bad, 9)
    with pytest.raises(BlockCorrupt, match=str(bad)):
        read(node, file, tmp_path)
    assert node.store.numbers().damaged_blocks == 1


def test_a_catalogue_row_that_leads_elsewhere_is_noticed(node: Node, file: CID) -> None:
    one, other = leaves(node.store, file)[:2]
    row, wrong = node.store.row(one.multihash), node.store.row(other.multihash)
    assert row and wrong
    with node.store.catalogue.write() as txn:
        txn.put(one.multihash, pack_block(*row._replace(offset=wrong.offset)), db=node.store.catalogue.blocks)
    with pytest.raises(BlockCorrupt, match=str(one)):
        list(node.cat(file))


@pytest.mark.parametrize(("field", "value"), [("length", (1 << 32) - 1), ("offset", 3), ("segment", 77)])
def test_a_catalogue_row_that_is_nonsense_is_an_error_and_takes_no_memory(
    node: Node, file: CID, field: str, value: int
) -> None:
    one = leaves(node.store, file)[0]
    row = node.store.row(one.multihash)
    assert row
    with node.store.catalogue.write() as txn:
        txn.put(one.multihash, pack_block(*row._replace(**{field: value})), db=node.store.catalogue.blocks)
    with pytest.raises(Corrupt):
        node.block_get(one)
    with pytest.raises(Corrupt):
        export(node, file)


def test_a_damaged_record_head_does_not_reach_an_export(node: Node, file: CID, tmp_path: Path) -> None:
    before = whole_car(node, file, tmp_path)
    damage(node.store, leaves(node.store, file)[1], -1)
    assert whole_car(node, file, tmp_path) == before


WAYS: dict[str, Callable[[Node, bytes, CID], object]] = {
    "add": lambda node, car, leaf: added(node),
    "add in a folder": lambda node, car, leaf: node.add_tree([(("x",), io.BytesIO(CONTENT))], OPTIONS, name="y"),
    "dag import": lambda node, car, leaf: node.dag_import(io.BytesIO(car)),
    "dag import without pins": lambda node, car, leaf: node.dag_import(io.BytesIO(car), pin_roots=False),
    "block put": lambda node, car, leaf: node.block_put(CONTENT[16384:32768]),
}
HURTS: dict[str, Callable[[Node, CID], None]] = {
    "a bit of the leaf": lambda node, leaf: damage(node.store, leaf, 100),
    "the head of its record": lambda node, leaf: damage(node.store, leaf, -1),
}


@pytest.mark.parametrize("was_verified", [True, False], ids=["found", "not found yet"])
@pytest.mark.parametrize("hurt", HURTS.values(), ids=HURTS.keys())
@pytest.mark.parametrize("bring", WAYS.values(), ids=WAYS.keys())
def test_the_right_bytes_mend_a_damaged_block(
    node: Node,
    file: CID,
    tmp_path: Path,
    bring: Callable[[Node, bytes, CID], object],
    hurt: Callable[[Node, CID], None],
    was_verified: bool,
) -> None:
    car, leaf = whole_car(node, file, tmp_path), leaves(node.store, file)[1]
    hurt(node, leaf)
    if was_verified:
        assert [problem.cid for problem in node.verify().problems] == [leaf]
    bring(node, car, leaf)
    assert b"".join(node.cat(file)) == CONTENT
    assert node.verify().ok
    assert node.store.numbers().damaged_blocks == 0
    node.gc()
    assert node.verify().ok


@pytest.mark.parametrize("bring", [WAYS["add"], WAYS["dag import"]], ids=["add", "dag import"])
def test_the_right_bytes_mend_what_lay_in_a_segment_that_is_gone(
    node: Node, file: CID, tmp_path: Path, bring: Callable[[Node, bytes, CID], object]
) -> None:
    car = whole_car(node, file, tmp_path)
    leaf = leaves(node.store, file)[1]
    other = node.add_bytes(b"something else that is lost")
    for number in node.store.layout.segment_numbers():
        os.unlink(node.store.layout.segment(number))
    node.store.files.close()
    bring(node, car, leaf)
    assert b"".join(node.cat(file)) == CONTENT
    assert {problem.cid for problem in node.verify().problems} >= {other}
    assert file not in {problem.cid for problem in node.verify().problems}


@pytest.mark.parametrize("bring", WAYS.values(), ids=WAYS.keys())
def test_the_right_bytes_make_pins_whole_again_after_a_rebuild(
    tmp_path: Path, bring: Callable[[Node, bytes, CID], object]
) -> None:
    with Node(tmp_path / "data") as node:
        file = added(node)
        folder = node.add_tree([(("in", "side"), io.BytesIO(CONTENT))], OPTIONS, name="folder").cid
        car, leaf = whole_car(node, file, tmp_path), leaves(node.store, file)[1]
        damage(node.store, leaf, 100)
    assert set(Node.rebuild(tmp_path / "data").lost_pins) == {file, folder}
    with Node(tmp_path / "data") as node:
        assert {problem.cid for problem in node.verify().problems} == {leaf}
        bring(node, car, leaf)
        node.gc()
        assert node.verify().ok
        node.pin_rm(file)  # the folder's pin alone keeps the leaf now
        node.gc()
        assert b"".join(node.cat(f"{folder}/in/side")) == CONTENT
        assert node.verify().ok


def test_what_is_known_to_be_damaged_cannot_complete_a_car(node: Node, file: CID) -> None:
    leaf = leaves(node.store, file)[1]
    damage(node.store, leaf, 5)
    root = cars.RawBlock(file.bytes, node.block_get(file))
    with pytest.raises(IncompleteDag, match=str(leaf)):
        node.dag_import(io.BytesIO(cars.car_v1([root])))
    assert damaged_ids(node.store.catalogue)


def test_a_pin_over_known_damage_is_refused(node: Node, file: CID) -> None:
    damage(node.store, leaves(node.store, file)[1], 5)
    assert not node.verify().ok
    with pytest.raises(BlockCorrupt):
        node.pin_add(file, name="again")


def test_a_later_check_that_finds_a_block_sound_says_so(node: Node, file: CID) -> None:
    leaf = leaves(node.store, file)[1]
    damage(node.store, leaf, 5)
    node.verify()
    assert node.store.numbers().damaged_blocks == 1
    damage(node.store, leaf, 5)  # the same bit again: somebody put the file back
    assert node.verify().ok
    assert node.store.numbers().damaged_blocks == 0


def test_many_damaged_blocks_are_mended_in_few_transactions(node: Node, tmp_path: Path) -> None:
    content = noise(3, 300_000)
    options = AddOptions(profile=profile("unixfs-v1-2025", chunker="size-1024"))
    file = node.add_stream(io.BytesIO(content), options).cid
    car = whole_car(node, file, tmp_path)
    for number in node.store.layout.segment_numbers():
        path = node.store.layout.segment(number)
        size = os.stat(path).st_size
        os.truncate(path, 100)
        os.truncate(path, size)  # zeros now
    with node.store.catalogue.read() as txn:
        before = txn.id()
    node.dag_import(io.BytesIO(car))
    with node.store.catalogue.read() as txn:
        assert txn.id() - before < 20  # for 300 blocks
    assert b"".join(node.cat(file)) == content
    assert node.verify().ok
