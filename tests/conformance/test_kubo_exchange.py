"""Content goes to a real Kubo and comes back: as CARs, as trees on disk, as listings, as single nodes."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import NamedTuple

import pytest

from pinfold import Node
from pinfold.core.car import CarReader
from pinfold.core.cid import CID, CODEC_CODES
from pinfold.core.codec import dag_cbor, dag_json
from tests.support import cars
from tests.support.cli import Pinfold
from tests.support.dags import noise
from tests.support.kubo import IPFS, WHERE_FROM, Kubo
from tests.support.trees import seen, write, write_everything, write_metadata

pytestmark = pytest.mark.kubo

V0 = "unixfs-v0-2015"
V1 = "unixfs-v1-2025"


class Side(NamedTuple):
    """One Pinfold and one Kubo that start empty."""

    pinfold: Pinfold
    kubo: Kubo


@pytest.fixture
def side(tmp_path: Path) -> Side:
    if not IPFS.exists():
        pytest.skip(WHERE_FROM)
    kubo = Kubo(tmp_path / "kubo")
    kubo.run("pin", "rm", *kubo.text("pin", "ls", "-q").split())  # the empty folder of its MFS
    return Side(Pinfold(tmp_path), kubo)


ADDS: dict[str, list[str]] = {
    "2025": [],
    "2015": ["--profile", V0],
    "sharded": ["--hamt-threshold", "1"],
    "trickle and small chunks": ["--trickle", "--chunker", "size-1000", "--max-file-links", "5"],
    "inline": ["--inline", "--inline-limit", "128"],
    "blake3": ["--hash", "blake3"],
    "metadata": ["--preserve-mode", "--preserve-mtime"],
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    tree = write_everything(tmp_path / "tree")
    write_metadata(tree)
    return tree


def inlined(side: Side, root: str) -> list[bytes]:
    """What the identity CIDs of a DAG carry: Kubo counts, lists and exports them as blocks, and we do not."""
    cids = [CID.parse(line) for line in side.kubo.text("refs", "-r", "--unique", root).splitlines()]
    return [cid.identity_data for cid in cids if cid.is_identity]


def without_inlined(data: bytes) -> bytes:
    """A CAR of Kubo's without the records whose CIDs carry their bytes."""
    reader = CarReader(io.BytesIO(data))
    kept = [cars.RawBlock(cid, block) for cid, block, _ in reader if not CID.from_bytes(cid).is_identity]
    return cars.car_v1(kept, reader.header.roots)


@pytest.mark.parametrize("how", ADDS)
def test_kubo_takes_our_car_and_has_the_same_tree(side: Side, tree: Path, tmp_path: Path, how: str) -> None:
    root = side.pinfold.add("--hidden", *ADDS[how], str(tree))
    car = side.pinfold("dag", "export", root).stdout
    assert f"Pinned root\t{root}\tsuccess" in side.kubo.text("dag", "import", input=car)
    assert root in side.kubo.text("pin", "ls", "--type=recursive", "--quiet")
    side.kubo.run("get", "-o", tmp_path / "theirs", root)
    side.pinfold("get", "-o", str(tmp_path / "ours"), root)
    assert seen(tmp_path / "ours") == seen(tree)
    assert seen(tmp_path / "theirs") == seen(tree)
    ours = side.pinfold("dag", "stat", "--json", root).json["dags"][0]
    theirs = json.loads(side.kubo.run("dag", "stat", "--enc=json", "--progress=false", root))["DagStats"][0]
    carried = inlined(side, root)
    assert ours["blocks"] == theirs["NumBlocks"] - len(carried)
    assert ours["size_bytes"] == theirs["Size"] - sum(map(len, carried))
    assert without_inlined(side.kubo.run("dag", "export", root)) == car


@pytest.mark.parametrize(
    "flags",
    [
        [],
        ["--cid-version=1"],
        ["--trickle", "--chunker=size-1000"],
        ["--inline"],
        ["--hash=sha3-256"],
        ["--chunker=buzhash"],
        ["--preserve-mode", "--preserve-mtime"],
    ],
    ids=" ".join,
)
def test_we_take_kubos_car_and_have_the_same_tree(side: Side, tree: Path, tmp_path: Path, flags: list[str]) -> None:
    root = side.kubo.add(tree, "--hidden", *flags)
    car = side.kubo.run("dag", "export", root)
    assert side.pinfold("dag", "import", stdin=car).lines == [f"Pinned root\t{root}\tsuccess"]
    assert side.pinfold("pin", "ls", "-q", "--type", "recursive").lines == [root]
    side.pinfold("get", "-o", str(tmp_path / "ours"), root)
    assert seen(tmp_path / "ours") == seen(tree)
    assert side.pinfold("cat", f"{root}/large").stdout == noise(1, 300_000)
    assert side.pinfold("dag", "export", root).stdout == without_inlined(car)
    assert side.pinfold("repo", "verify", "--json").json["ok"]


def test_modes_and_times_come_back_as_from_kubo(side: Side, tree: Path, tmp_path: Path) -> None:
    root = side.pinfold.add("--hidden", "--preserve-mode", "--preserve-mtime", str(tree))
    side.kubo.run("dag", "import", input=side.pinfold("dag", "export", root).stdout)
    side.kubo.run("get", "-o", tmp_path / "theirs", root)
    side.pinfold("get", "-o", str(tmp_path / "ours"), root)
    ours, theirs = (seen(tmp_path / name, metadata=True) for name in ("ours", "theirs"))
    assert ours == seen(tree, metadata=True)
    changed = {path for path in ours if ours[path] != theirs[path]}
    # Kubo sets a folder's time before it writes what is in it, and not that of links to nothing.
    assert {ours[path].kind for path in changed} <= {"folder", "link"}


def test_a_sharded_folder_of_20_000_goes_both_ways(side: Side, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(20_000):
        (many / f"{number:05} 名 {number % 7}").write_bytes(b"%d" % (number % 100))
    root = side.pinfold.add("--profile", V0, str(many))
    car = side.pinfold("dag", "export", root).stdout
    side.kubo.run("dag", "import", input=car)
    assert side.kubo.run("ls", root) == side.pinfold("ls", root).stdout
    assert side.kubo.run("dag", "export", root) == car
    other = Pinfold(tmp_path / "other")
    other("dag", "import", stdin=car)
    assert other("cat", f"{root}/12345 名 4").out == "45"


@pytest.mark.parametrize("how", ["2015", "sharded", "inline", "metadata"])
def test_listings_print_what_kubo_prints(side: Side, tree: Path, how: str) -> None:
    root = side.pinfold.add("--hidden", *ADDS[how], str(tree))
    side.kubo.run("dag", "import", input=side.pinfold("dag", "export", root).stdout)
    for words in (
        ["ls", root],
        ["ls", f"{root}/a"],
        ["refs", "-r", root],
        ["refs", "-r", "--unique", "--max-depth=3", "--edges", root],
        ["refs", "--format=<src> <dst> <linkname>", root],
        ["block", "stat", root],
        ["pin", "ls", "--type=recursive"],
        ["resolve", f"/ipfs/{root}/a/b"],
        ["dag", "get", f"{root}/a"],
    ):
        assert as_printed(side.pinfold(*words).stdout) == as_printed(side.kubo.run(*words)), words
    indirect = side.pinfold("pin", "ls", "--type=indirect", "-q").lines
    theirs = [CID.parse(line) for line in side.kubo.text("pin", "ls", "--type=indirect", "-q").splitlines()]
    assert set(indirect) == {str(cid) for cid in theirs if not cid.is_identity}


def as_printed(out: bytes) -> str:
    """Kubo mostly prints bytes that are no text as they are; we escape them."""
    return out.decode("utf-8", "backslashreplace")


def test_several_dags_weigh_as_in_kubo(side: Side, tmp_path: Path) -> None:
    write(tmp_path / "one" / "x", noise(1, 600_000))
    write(tmp_path / "two" / "x", noise(1, 600_000))
    write(tmp_path / "two" / "y", noise(2, 300_000))
    roots = [side.pinfold.add("--profile", V0, str(tmp_path / name)) for name in ("one", "two")]
    assert roots == [side.kubo.add(tmp_path / name) for name in ("one", "two")]
    ours = side.pinfold("dag", "stat", "--json", *roots).json
    theirs = json.loads(side.kubo.run("dag", "stat", "--enc=json", "--progress=false", *roots))
    assert ours["unique_blocks"] == theirs["UniqueBlocks"]
    assert ours["total_bytes"] == theirs["TotalSize"]
    assert ours["redundant_bytes"] == sum(dag["Size"] for dag in theirs["DagStats"]) - theirs["TotalSize"]


VALUES = [
    "null",
    "true",
    "0",
    "-1",
    "-9223372036854775808",
    "1.5",
    "-1e-300",
    '"мир 世界 🦊 \\u0000"',
    "[]",
    "{}",
    '{"b": 1, "a": [null, {"deep": {"/": {"bytes": "AAEC"}}}], "": 2, "aaa": 3}',
    '{"to": {"/": "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am"}}',
    '[{"/": "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"}, {"/": {"bytes": ""}}]',
]
PB_VALUES = [
    '{"Links": []}',
    '{"Data": {"/": {"bytes": "CAE"}}, "Links": []}',
    '{"Links": [{"Hash": {"/": "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n"}, "Name": "n", "Tsize": 4}]}',
]


@pytest.mark.parametrize("codec", ["dag-cbor", "dag-json"])
def test_values_get_kubos_cids_and_read_alike(side: Side, codec: str) -> None:
    with Node(side.pinfold.data_dir) as node:
        for text in VALUES:
            value = dag_json.decode(text.encode())
            cid = node.dag_put(value, store_codec=CODEC_CODES[codec])
            assert str(cid) == side.kubo.text("dag", "put", f"--store-codec={codec}", input=text.encode()), text
            assert node.dag_get(cid) == value == dag_json.decode(side.kubo.run("dag", "get", str(cid)))


def test_other_inputs_and_hashes_get_kubos_cids(side: Side) -> None:
    for value in PB_VALUES:
        words = ["dag", "put", "--store-codec=dag-pb"]
        assert side.pinfold(*words, stdin=value.encode()).out.strip() == side.kubo.text(*words, input=value.encode())
    cbor = dag_cbor.encode({"x": [1, b"two"], "longer": None})
    for words, data in (
        (["--input-codec=dag-cbor"], cbor),
        (["--input-codec=dag-cbor", "--store-codec=dag-json"], cbor),
        (["--input-codec=raw", "--store-codec=raw"], b"raw bytes"),
        (["--input-codec=dag-pb", "--store-codec=dag-pb"], b"\x0a\x02\x08\x01"),
        (["--hash=sha2-512"], b'{"x": 1}'),
        (["--hash=blake3"], b'{"x": 1}'),
    ):
        assert side.pinfold("dag", "put", *words, stdin=data).out.strip() == side.kubo.text(
            "dag", "put", *words, input=data
        )
    for words in (["--cid-codec=dag-cbor"], ["--mhtype=sha3-512"], ["--cid-codec=dag-pb", "--mhtype=sha2-256"]):
        data = b"\xa0" if "dag-cbor" in words[0] else b"\x0a\x02\x08\x01"
        ours = side.pinfold("block", "put", *words, stdin=data).out.strip()
        assert ours == side.kubo.text("block", "put", *words, input=data)


def test_a_car_of_many_roots_goes_both_ways(side: Side, tmp_path: Path) -> None:
    """Kubo exports one root at a time; of several it takes what we take."""
    blocks = cars.raw_blocks(6)
    for data in (
        cars.car_v1(blocks, [block.cid for block in blocks[:3]]),
        cars.car_v2(blocks, [block.cid for block in blocks[:3]], padding_bytes=3, index=b"\x81\x08"),
    ):
        theirs = side.kubo.text("dag", "import", input=data)  # in an order of its own
        assert sorted(side.pinfold("dag", "import", stdin=data).lines) == sorted(theirs.splitlines())
    assert set(side.pinfold("refs", "local").lines) <= set(side.kubo.text("refs", "local").splitlines())
