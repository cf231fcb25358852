"""dag, block, car: archives and single blocks, good and bad."""

from __future__ import annotations

import json

import pytest

from pinfold.cli.exit_codes import ERROR_CODES
from pinfold.core.cid import CID
from tests.support import cars
from tests.support.cli import Pinfold

HELLO = "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am"
GREETING = "bafyreigkmd6bh55atcglqabsktynwbc7yiw5jrccuze7qk24gkjhtcblpa"


def test_what_is_exported_can_be_imported(pinfold: Pinfold, tmp_path_factory: pytest.TempPathFactory) -> None:
    pinfold.write("d/a", b"a" * 3_000_000)
    pinfold.write("d/b", b"b")
    root = pinfold.add("d")
    piped = pinfold("dag", "export", root).stdout
    assert pinfold("dag", "export", "-o", "d.car", root).out == ""
    assert (pinfold.work / "d.car").read_bytes() == piped
    other = Pinfold(tmp_path_factory.mktemp("other"))
    imported = other("dag", "import", "--stats", str(pinfold.work / "d.car"))
    assert imported.lines[0] == f"Pinned root\t{root}\tsuccess"
    assert imported.lines[1].startswith("Imported 5 blocks")  # equal chunks are one block
    assert other("cat", f"{root}/a").stdout == b"a" * 3_000_000
    assert other("dag", "export", root).stdout == piped
    again = other("dag", "import", "--json", "--pin-name", "n", "-", stdin=piped).json
    assert (again["roots"], again["pinned"], again["new_blocks"]) == ([root], [root], 0)


def test_cars_with_many_roots_or_none_are_imported(pinfold: Pinfold) -> None:
    blocks = cars.raw_blocks(4)
    pinfold.write("many.car", cars.car_v2(blocks, [block.cid for block in blocks[:2]]))
    pinfold.write("none.car", cars.car_v1(blocks, []))
    many, none = pinfold("dag", "import", "--json", "many.car", "none.car").json_lines
    assert many["pinned"] == [str(CID.from_bytes(block.cid)) for block in blocks[:2]]
    assert (none["roots"], none["blocks"], none["new_blocks"]) == ([], 4, 0)


def test_roots_are_not_pinned_when_not_asked(pinfold: Pinfold) -> None:
    pinfold.write("x.car", cars.car_v1(cars.raw_blocks(2)))
    assert pinfold("dag", "import", "--pin-roots=false", "x.car").out == ""
    assert pinfold("pin", "ls").out == ""
    assert len(pinfold("refs", "local").lines) == 2


def test_a_car_that_is_refused_leaves_no_block_behind(pinfold: Pinfold) -> None:
    bad = {**cars.malformed_cars(), **cars.untrusted_cars()}
    chosen = [
        "empty file", "header cut off", "record cut off in its data", "record of length zero", "v2 data cut off",
        "record far too long", "block one byte too large", "corrupt block", "shake-128", "digest of 19 bytes",
        "unknown hash function", "identity of 129 bytes",
    ]  # fmt: skip
    for name in chosen:
        case = bad[name]
        answer = pinfold("dag", "import", "-", stdin=case.car, code=None)
        assert answer.code == ERROR_CODES[case.error], (name, answer)
        assert str(case.offset) in answer.err.replace(",", ""), (name, answer.err)
        assert answer.out == ""
    assert pinfold("repo", "stat", "--json").json["blocks"] == 0
    assert pinfold("refs", "local").out == ""
    assert pinfold("pin", "ls").out == ""


def test_of_several_files_those_before_a_bad_one_count(pinfold: Pinfold) -> None:
    pinfold.write("good.car", cars.car_v1(cars.raw_blocks(2)))
    pinfold.write("bad.car", cars.malformed_cars()["record cut off in its data"].car)
    answer = pinfold("dag", "import", "good.car", "bad.car", code=20)
    assert answer.out.startswith("Pinned root\t")
    assert len(pinfold("refs", "local").lines) == 2


def test_car_inspect_and_verify_read_files_and_pipes(pinfold: Pinfold) -> None:
    good = cars.car_v1(cars.raw_blocks(5))
    pinfold.write("x.car", good)
    assert "Blocks:    5\n" in pinfold("car", "inspect", "x.car").out
    summary = pinfold("car", "inspect", "--json", "-", stdin=cars.car_v2(cars.raw_blocks(5), index=b"i")).json
    assert (summary["version"], summary["blocks"], summary["codecs"]) == (2, 5, {"raw": 5})
    assert summary["index_offset"] > 0
    assert pinfold("car", "verify", "x.car").out == "x.car: every block matches its CID\n"
    case = cars.untrusted_cars()["corrupt block"]
    found = pinfold("car", "verify", "--json", "-", stdin=case.car, code=63)
    assert [row["offset"] for row in found.json_lines] == [case.offset]
    cut = pinfold("car", "verify", "-", stdin=good[:-1], code=63)
    assert cut.out.startswith("byte ")
    pinfold("car", "inspect", "-", stdin=good[:-1], code=20)
    assert not pinfold.data_dir.exists()


def test_nodes_go_in_and_come_out(pinfold: Pinfold) -> None:
    assert pinfold("dag", "put", stdin=b'{"greeting": "hello"}').out == f"{GREETING}\n"
    assert pinfold("dag", "get", GREETING).json == {"greeting": "hello"}
    assert pinfold("dag", "get", f"{GREETING}/greeting").out == '"hello"'
    assert pinfold("dag", "get", "--output-codec", "dag-cbor", GREETING).stdout == b"\xa1hgreetingehello"
    link = json.dumps({"to": {"/": GREETING}}).encode()
    linking = pinfold("dag", "put", "--pin", "--store-codec", "dag-json", stdin=link).lines[0]
    assert pinfold("dag", "get", f"{linking}/to/greeting").out == '"hello"'
    assert pinfold("resolve", f"{linking}/to/greeting").out == f"/ipfs/{GREETING}/greeting\n"
    assert set(pinfold("pin", "ls", "-q").lines) == {linking, GREETING}
    raw = pinfold("dag", "put", "--input-codec", "raw", "--store-codec", "raw", stdin=b"hello\n").lines
    assert raw == [HELLO]
    pinfold("dag", "put", stdin=b"{nope", code=18)
    pinfold("dag", "get", f"{GREETING}/nope", code=32)


def test_a_folder_is_a_node_too(pinfold: Pinfold) -> None:
    pinfold.write("hello.txt", b"hello\n")
    root = pinfold.add("--wrap", "hello.txt")
    node = pinfold("dag", "get", root).json
    assert node["Links"] == [{"Hash": {"/": HELLO}, "Name": "hello.txt", "Tsize": 6}]


def test_dag_stat_counts_shared_blocks_once(pinfold: Pinfold) -> None:
    pinfold.write("one/x", b"x" * 100)
    pinfold.write("two/x", b"x" * 100)
    pinfold.write("two/y", b"y")
    one, two = pinfold.add("one"), pinfold.add("two")
    stats = pinfold("dag", "stat", "--json", one, two).json
    assert [dag["blocks"] for dag in stats["dags"]] == [2, 3]
    assert (stats["unique_blocks"], stats["redundant_bytes"]) == (4, 100)
    assert stats["total_bytes"] + 100 == sum(dag["size_bytes"] for dag in stats["dags"])
    assert "Unique Blocks: 4" in pinfold("dag", "stat", one, two).lines


def test_blocks_go_in_come_out_and_are_removed(pinfold: Pinfold) -> None:
    assert pinfold("block", "put", stdin=b"hello\n").out == f"{HELLO}\n"
    assert pinfold("block", "get", HELLO).stdout == b"hello\n"
    assert pinfold("block", "stat", HELLO).out == f"Key: {HELLO}\nSize: 6\n"
    assert pinfold("block", "stat", "--json", HELLO).json == {"cid": HELLO, "size_bytes": 6}
    pinned = pinfold("block", "put", "--pin", "--mhtype", "blake3", stdin=b"kept").lines[0]
    kept = pinfold("block", "rm", pinned, HELLO, code=42)
    assert kept.out == f"removed {HELLO}\n" and f"cannot remove {pinned}: " in kept.err
    assert pinfold("block", "get", pinned).stdout == b"kept"
    pinfold("block", "rm", HELLO, code=31)
    assert pinfold("block", "rm", "--force", HELLO).err == ""
    pinfold("block", "stat", HELLO, code=31)


@pytest.mark.parametrize(
    ("args", "data", "code"),
    [
        (["--cid-codec", "dag-pb"], b"\xff\xff", 18),
        (["--cid-codec", "dag-cbor"], b"\xff", 18),
        (["--cid-codec", "nope"], b"x", 16),
        (["--mhtype", "shake-128"], b"x", 12),
        ([], bytes(2 * 1024 * 1024 + 1), 21),
        (["--cid-version", "0"], b"x", 11),
    ],
)
def test_blocks_that_cannot_be_are_refused(pinfold: Pinfold, args: list[str], data: bytes, code: int) -> None:
    assert pinfold("block", "put", *args, stdin=data, code=code).out == ""
    assert pinfold("refs", "local").out == ""


def test_a_dag_that_is_not_whole_cannot_be_pinned_or_exported(pinfold: Pinfold) -> None:
    pinfold.write("d/a", b"a")
    pinfold.write("d/b", b"b")
    root = pinfold.add("--no-pin", "d")
    missing = pinfold("resolve", "--json", f"{root}/b").json["cid"]
    pinfold("block", "rm", missing)
    assert missing in pinfold("pin", "add", root, code=31).err
    assert missing in pinfold("dag", "export", "-o", "d.car", root, code=31).err
    assert [path.name for path in pinfold.work.iterdir()] == ["d"]
    assert pinfold("stat", "--json", root).json["missing_blocks"] == 1


def test_a_dag_pb_node_that_is_no_unixfs_is_told_apart(pinfold: Pinfold) -> None:
    cid = pinfold("block", "put", "--cid-codec", "dag-pb", stdin=b"\x0a\x03abc").lines[0]
    answer = pinfold("cat", cid, code=19)
    assert "Hint: `pinfold dag get`" in answer.err
    assert pinfold("dag", "get", cid).json == {"Data": {"/": {"bytes": "YWJj"}}, "Links": []}
