"""CARs and blocks mutated by the thousand: read or refused, never anything else; what is refused leaves no trace."""

from __future__ import annotations

import io
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core import car, codec
from pinfold.core.binary_cid import codec_of
from pinfold.core.cid import CID, DAG_CBOR, DAG_JSON, DAG_PB
from pinfold.core.errors import PinfoldError
from pinfold.node.model import AddOptions
from pinfold.unixfs.profile import profile
from pinfold.unixfs.read import inspect, list_directory, lookup, slices
from tests.support import cars
from tests.support.dags import Blocks, Link, Tree, add_tree, noise
from tests.support.data_dirs import state_of

SEEDS = range(4)


def mutated(data: bytes, chance: random.Random) -> bytes:
    """The bytes with a few places changed, cut out, put in, doubled, or the end cut off."""
    made = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(made) + 1)
        kind = chance.randrange(7)
        if kind == 0:
            del made[at:]
        elif kind == 1:
            del made[at : at + chance.randrange(1, 40)]
        elif kind == 2:
            made[at:at] = chance.randbytes(chance.randrange(1, 12))
        elif kind == 3:
            length = chance.randrange(1, 60)
            made[at:at] = made[at : at + length]
        elif made and kind == 4:
            made[at % len(made)] = chance.choice((0x00, 0x01, 0x7F, 0x80, 0xFF))
        elif made:
            made[at % len(made)] ^= 1 << chance.randrange(8)
    return bytes(made)


def good_cars() -> list[bytes]:
    """CARs of both versions: plain blocks, and a tree with a sharded folder, in depth and with links between codecs."""
    blocks = Blocks()
    tree: Tree = {"a": noise(1, 3000), "sub": {f"{number}": b"%d" % number for number in range(40)}, "link": Link(b"a")}
    chosen = profile(chunker="size-500", max_file_links=3, hamt_threshold=300)
    root = add_tree(tree, chosen, blocks).cid
    held = [cars.RawBlock(cid, data) for cid, data in blocks.stored.items()]
    above = codec.encode(DAG_CBOR, {"tree": CID.from_bytes(root), "n": [1, None, "x"]})
    linked = [cars.RawBlock(CID.of(above, codec=DAG_CBOR).bytes, above), *reversed(held)]
    plain = cars.raw_blocks(30, 40)
    return [cars.car_v1(plain, [plain[3].cid]), cars.car_v1(linked), cars.car_v2(linked, index=b"\x81\x08abc")]


def mutated_car(chance: random.Random, originals: list[bytes]) -> bytes:
    """A CAR with bytes that changed, or with records that were dropped, doubled or put elsewhere."""
    data = chance.choice(originals)
    if chance.random() < 0.7:
        return mutated(data, chance)
    reader = car.CarReader(io.BytesIO(data))
    records = [cars.RawBlock(record.cid, record.data) for record in reader]
    kind = chance.randrange(3)
    if kind == 0:
        chance.shuffle(records)
    elif kind == 1:
        records += chance.choices(records, k=5)
    else:
        records.remove(chance.choice(records))
    return cars.car_v1(records, reader.header.roots)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_mutated_car_is_taken_exactly_when_every_record_of_it_is_right(tmp_path: Path, seed: int) -> None:
    chance, originals = random.Random(seed), good_cars()
    taken = refused = 0
    with Node(tmp_path / "data") as node:
        here = node.add_bytes(b"here before")
        before = node.repo_stat()
        for turn in range(200):
            data = mutated_car(chance, originals)
            wrong = list(car.verify(io.BytesIO(data)))
            pin = chance.random() < 0.7
            try:
                done = node.dag_import(io.BytesIO(data), pin_roots=pin)
            except PinfoldError as exc:
                refused += 1
                assert wrong or pin, exc
            else:
                taken += 1
                assert not wrong
                for root in done.pinned:
                    assert node.stat(root).missing_blocks == 0
                    node.pin_rm(root)
                if turn % 10 == 0:
                    assert node.verify().ok
                node.gc()
            now = node.repo_stat()
            assert (now.blocks, now.block_bytes, now.pins) == (before.blocks, before.block_bytes, before.pins)
        assert node.verify().ok
        assert b"".join(node.cat(here)) == b"here before"
    assert taken > 10 and refused > 50


def test_cars_that_are_refused_leave_the_very_same_bytes(tmp_path: Path) -> None:
    chance, originals = random.Random(99), good_cars()
    with Node(tmp_path / "data") as node:
        node.add_bytes(b"here before")
    before = state_of(tmp_path / "data")
    bad = [data for _ in range(400) if list(car.verify(io.BytesIO(data := mutated_car(chance, originals))))]
    with Node(tmp_path / "data") as node:
        for data in bad:
            with pytest.raises(PinfoldError):
                node.dag_import(io.BytesIO(data), pin_roots=chance.random() < 0.5)
    assert len(bad) > 100
    assert state_of(tmp_path / "data") == before


def dags() -> dict[str, tuple[bytes, dict[bytes, bytes]]]:
    """Roots of files and folders of every kind, with their blocks."""
    made = {}
    tree: Tree = {"a": noise(1, 2000), "b": {"c": b"c", "d": Link(b"../a")}, "e": b""}
    tree = {**tree, **{f"n{number}": b"x" for number in range(30)}}
    for name, chosen in {
        "flat": profile(chunker="size-300", max_file_links=2),
        "2015": profile("unixfs-v0-2015", chunker="size-300", max_file_links=2),
        "sharded": profile(hamt_threshold=1, hamt_fanout=8, raw_leaves=False),
        "trickle": profile("unixfs-v0-2015", chunker="size-100", max_file_links=2, layout="trickle"),
    }.items():
        blocks = Blocks()
        made[name] = (add_tree(tree, chosen, blocks).cid, blocks.stored)
    return made


DAGS = dags()


def read_everything(cid: bytes, get: Callable[[bytes], bytes], budget: int = 300) -> None:
    """Ask everything of a node and of what is below it, as far as the budget goes."""
    waiting = [cid]
    while waiting and budget:
        budget -= 1
        cid = waiting.pop()
        for asked in (
            lambda cid=cid: inspect(cid, get),
            lambda cid=cid: sum(part.length for part, _ in zip(slices(cid, get, 0, 5000), range(100), strict=False)),
            lambda cid=cid: list(slices(cid, get, 150, 151)),
            lambda cid=cid: lookup(cid, b"n7", get),
            lambda cid=cid: codec.links(codec_of(cid), get(cid)),
            lambda cid=cid: codec.decode(codec_of(cid), get(cid)),
        ):
            try:
                asked()
            except PinfoldError as exc:
                assert str(exc)
        try:
            waiting += [entry.cid for entry, _ in zip(list_directory(cid, get), range(50), strict=False)]
        except PinfoldError as exc:
            assert str(exc)


@pytest.mark.parametrize("name", DAGS)
@pytest.mark.parametrize("seed", SEEDS)
def test_readers_of_mutated_blocks_refuse_or_read(name: str, seed: int) -> None:
    """As if a block had another content than its CID says: the readers must hold on their own."""
    root, stored = DAGS[name]
    chance = random.Random(seed)
    nodes = sorted(cid for cid in stored if codec_of(cid) == DAG_PB)
    for _ in range(150):
        blocks = dict(stored)
        for _ in range(chance.choice((1, 1, 3))):
            victim = chance.choice([root, chance.choice(nodes)])
            blocks[victim] = mutated(blocks[victim], chance)

        def get(cid: bytes, blocks: dict[bytes, bytes] = blocks) -> bytes:
            try:
                return blocks[cid]
            except KeyError:
                raise PinfoldError("absent") from None

        read_everything(root, get)


def values(chance: random.Random) -> Iterator[tuple[int, bytes]]:
    """Blocks of every codec."""
    link = CID.of(b"x")
    value: codec.Value = {"a": [1, -5, 2.5, None, True, "ä", b"\x00\xff", link], "b": {"c": {"d": [[], {}]}}}
    yield DAG_CBOR, codec.encode(DAG_CBOR, value)
    yield DAG_JSON, codec.encode(DAG_JSON, value)
    for _, stored in DAGS.values():
        yield DAG_PB, stored[chance.choice([cid for cid in stored if codec_of(cid) == DAG_PB])]


@pytest.mark.parametrize("seed", SEEDS)
def test_mutated_blocks_that_have_their_own_cid_go_through_the_whole_node(tmp_path: Path, seed: int) -> None:
    """Somebody may well have made them so: every verb reads them or says what is wrong."""
    chance = random.Random(seed)
    with Node(tmp_path / "data") as node:
        node.add_bytes(noise(1, 1000), AddOptions(profile=profile(chunker="size-100")))
        made = 0
        for turn in range(40):
            for code, block in values(chance):
                data = mutated(block, chance)
                cid = CID.of(data, codec=code)
                with_root = cars.car_v1([cars.RawBlock(cid.bytes, data)])
                node.dag_import(io.BytesIO(with_root), pin_roots=False)
                made += 1
                target = tmp_path / "out" / f"{turn}-{made}"
                target.parent.mkdir(exist_ok=True)
                for asked in (
                    lambda cid=cid: b"".join(node.cat(cid)),
                    lambda cid=cid: list(node.ls(cid)),
                    lambda cid=cid, target=target: node.get(cid, target),
                    lambda cid=cid: node.get_archive(cid, io.BytesIO()),
                    lambda cid=cid: list(node.refs(cid, recursive=True)),
                    lambda cid=cid: node.stat(cid),
                    lambda cid=cid: node.dag_get(cid),
                    lambda cid=cid: node.resolve(f"{cid}/a/0"),
                    lambda cid=cid: node.pin_add(cid),
                    lambda cid=cid, data=data, code=code: node.block_put(data, codec=code),
                ):
                    try:
                        asked()
                    except PinfoldError as exc:
                        assert str(exc)
        assert node.verify().ok
    assert {path.name for path in tmp_path.iterdir()} <= {"data", "out"}
