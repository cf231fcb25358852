"""Whatever is given: a clear sentence, the documented exit code, no traceback, and a store exactly as it was."""

from __future__ import annotations

import fcntl
import json
import os
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from pinfold import Node
from pinfold.cli.exit_codes import ERROR_CODES
from pinfold.core import codec, multihash
from pinfold.core.cid import CID, DAG_PB
from pinfold.core.errors import (
    BlockCorrupt,
    BlockNotFound,
    BlockTooLarge,
    Conflict,
    DagTooDeep,
    IdentityTooLarge,
    InsecureHash,
    InvalidCID,
    InvalidVarint,
    MalformedBlock,
    NotUnixFS,
    PinfoldError,
    SourceChanged,
    SourceNotFound,
    SourceUnreadable,
    StoreInUse,
    StoreNewer,
    StoreUnreadable,
    SymlinkLoop,
    UnknownCodec,
    UnknownHash,
    UnsafeName,
)
from pinfold.node.model import AddOptions, Progress
from pinfold.unixfs.profile import profile
from tests.support import cars
from tests.support.cli import Answer, Pinfold
from tests.support.dags import noise
from tests.support.data_dirs import state_of


def refused(pinfold: Pinfold, error: type[PinfoldError], *args: str, stdin: bytes = b"") -> Answer:
    """The answer to a command that must fail in this way, without printing anything or changing the store."""
    before = state_of(pinfold.data_dir)
    answer = pinfold(*args, stdin=stdin, code=None)
    assert answer.code == ERROR_CODES[error], (args, answer)
    assert answer.err.startswith("Error: ") and answer.out == "", answer
    assert state_of(pinfold.data_dir) == before
    return answer


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Pinfold:
    """A store with something in it, for what must not change anything."""
    pinfold = Pinfold(tmp_path_factory.mktemp("used"))
    pinfold.write("d/a", b"a" * 3_000_000)
    pinfold.write("d/b", b"b")
    pinfold.add("--pin-name", "kept", "d")
    pinfold.add("--no-pin", stdin=b"loose")
    return pinfold


# -- CARs ------------------------------------------------------------------------------------------------------------

BAD_CARS = {**cars.malformed_cars(), **cars.untrusted_cars()}


@pytest.mark.parametrize("kind", BAD_CARS)
def test_a_bad_car_is_refused_with_the_byte(used: Pinfold, kind: str) -> None:
    case = BAD_CARS[kind]
    answer = refused(used, case.error, "dag", "import", stdin=case.car)
    assert re.search(rf"\bbyte {case.offset}\b", answer.err.replace(",", ""))


@pytest.mark.parametrize("kind", BAD_CARS)
def test_a_bad_car_is_refused_without_pinning_too(used: Pinfold, kind: str) -> None:
    case = BAD_CARS[kind]
    before = state_of(used.data_dir)
    with Node(used.data_dir) as node, pytest.raises(case.error), _stream(used.home, case.car) as stream:
        node.dag_import(stream, pin_roots=False)
    assert state_of(used.data_dir) == before


@contextmanager
def _stream(home: Path, data: bytes) -> Iterator[BinaryIO]:
    path = home / "bad.car"
    path.write_bytes(data)
    with path.open("rb") as stream:
        yield stream


def test_a_car_with_thousands_of_blocks_is_taken_back_whole(used: Pinfold) -> None:
    blocks = cars.raw_blocks(5000)
    bad = cars.RawBlock(blocks[0].cid, b"other bytes")
    answer = refused(used, BlockCorrupt, "dag", "import", stdin=cars.car_v1([*blocks[1:], bad]))
    assert str(CID.from_bytes(bad.cid)) in answer.err


# -- CIDs and blocks -------------------------------------------------------------------------------------------------


def text_of(binary: bytes) -> str:
    """Any bytes as if they were a CID, in base16."""
    return "f" + binary.hex()


SHA = multihash.wrap(multihash.SHA2_256, bytes(32))
BAD_CIDS: dict[str, tuple[str, type[PinfoldError], str]] = {
    "no CID": ("nonsense", PinfoldError, "nonsense"),
    "an over-long varint": (text_of(b"\x01" + b"\xff" * 11 + SHA), InvalidVarint, "varint"),
    "a varint that is not minimal": (text_of(b"\x01\xd5\x00" + SHA), InvalidVarint, "varint"),
    "version 2": (text_of(b"\x02\x55" + SHA), InvalidCID, "version"),
    "shake-128": (text_of(b"\x01\x55" + multihash.wrap(0x18, bytes(32))), InsecureHash, "shake-128"),
    "a digest of 19 bytes": (text_of(b"\x01\x55\x12\x13" + bytes(19)), InsecureHash, "19"),
    "an identity of 129 bytes": (text_of(b"\x01\x55\x00\x81\x01" + bytes(129)), IdentityTooLarge, "129"),
    "bytes behind the digest": (text_of(b"\x01\x55" + SHA + b"x"), InvalidCID, ""),
    "a digest cut off": (text_of(b"\x01\x55" + SHA[:-1]), InvalidCID, ""),
}


@pytest.mark.parametrize("kind", BAD_CIDS)
def test_a_bad_cid_is_refused(used: Pinfold, kind: str) -> None:
    cid, error, word = BAD_CIDS[kind]
    before = state_of(used.data_dir)
    for verb in (["cat"], ["pin", "add"], ["block", "stat"]):
        answer = used(*verb, cid, code=None)
        family = {code for known, code in ERROR_CODES.items() if issubclass(known, error)}
        # A path that begins with no CID may be said to be no path.
        assert answer.code in family | {ERROR_CODES[error], 14}, (verb, answer)
        assert word in answer.err and answer.out == ""
    assert state_of(used.data_dir) == before


@pytest.mark.parametrize(
    ("args", "data", "error", "word"),
    [
        (["block", "put"], bytes(2 * 1024 * 1024 + 1), BlockTooLarge, "2,097,153"),
        (["block", "put", "--cid-codec", "dag-pb"], b"\xff\xff", MalformedBlock, "dag-pb"),
        (["block", "put", "--cid-codec", "nope"], b"x", UnknownCodec, "nope"),
        (["block", "put", "--mhtype", "nope"], b"x", UnknownHash, "nope"),
        (["block", "put", "--mhtype", "shake-128"], b"x", InsecureHash, "shake-128"),
        (["block", "put", "--mhtype", "identity"], bytes(129), IdentityTooLarge, "129"),
        (["dag", "put"], b'{"/": "no CID"}', MalformedBlock, "dag-json"),
        (["dag", "put"], b"[" * 100_000, MalformedBlock, "nested"),
        (["dag", "put", "--store-codec", "dag-pb"], b'{"x": 1}', MalformedBlock, "dag-pb"),
        (["dag", "put", "--input-codec", "dag-cbor"], b"\x9f", MalformedBlock, "dag-cbor"),
        (["add", "--hash", "md5"], b"x", InsecureHash, "md5"),
        (["add", "--chunker", "size-3000000"], bytes(5_000_000), PinfoldError, "3"),
    ],
)
def test_a_block_that_cannot_be_is_refused(
    used: Pinfold, args: list[str], data: bytes, error: type[PinfoldError], word: str
) -> None:
    before = state_of(used.data_dir)
    answer = used(*args, stdin=data, code=None)
    assert answer.code in {code for known, code in ERROR_CODES.items() if issubclass(known, error)} - {1}, answer
    assert word in answer.err and answer.out == ""
    assert state_of(used.data_dir) == before


def test_a_node_that_is_no_unixfs_is_told_by_its_cid(used: Pinfold) -> None:
    cid = used("block", "put", "--cid-codec", "dag-pb", stdin=b"\x0a\x03abc").lines[0]
    folder = used("dag", "put", "--store-codec", "dag-pb", stdin=_folder(("inside", cid))).lines[0]
    for path in (cid, f"{folder}/inside"):
        for verb in (["cat"], ["ls"], ["get"], ["get", "--archive"]):
            answer = refused(used, NotUnixFS, *verb, path)
            assert cid in answer.err
    assert cid in refused(used, NotUnixFS, "get", folder).err
    assert "inside" in used("ls", folder).out
    refused(used, UnknownCodec, "cat", used("dag", "put", stdin=b'{"x": 1}').lines[0])


def _folder(*entries: tuple[str, str]) -> bytes:
    """A folder as dag-json, with any names."""
    links = [{"Hash": {"/": cid}, "Name": name, "Tsize": 1} for name, cid in entries]
    return json.dumps({"Data": {"/": {"bytes": "CAE"}}, "Links": links}).encode()


# -- DAGs ------------------------------------------------------------------------------------------------------------

DEPTH = 20_000


@pytest.mark.parametrize("kind", ["dag-cbor", "folders", "file"])
def test_an_absurdly_deep_dag_never_overflows(tmp_path: Path, kind: str) -> None:
    below = CID.of(b"end")
    blocks = [cars.RawBlock(below.bytes, b"end")]
    for _ in range(DEPTH):
        if kind == "dag-cbor":
            below, data = _node(codec.encode(0x71, [below]), 0x71)
        else:
            body = b"\x08\x01" if kind == "folders" else b"\x08\x02\x18\x03\x20\x03"
            link: codec.Value = {"Hash": below, "Name": "x" if kind == "folders" else "", "Tsize": 1}
            below, data = _node(codec.encode(DAG_PB, {"Data": body, "Links": [link]}), DAG_PB)
        blocks.append(cars.RawBlock(below.bytes, data))
    pinfold = Pinfold(tmp_path)
    pinfold.add(stdin=b"here before")
    car = cars.car_v1(blocks[::-1])
    assert str(below) in refused(pinfold, DagTooDeep, "dag", "import", stdin=car).err
    pinfold("dag", "import", "--no-pin-roots", stdin=car)
    root = str(below)
    for verb in (["pin", "add"], ["dag", "export"], ["dag", "stat"], ["stat"]):
        assert root in refused(pinfold, DagTooDeep, *verb, root).err
    assert len(pinfold("refs", "-r", root).lines) == DEPTH
    if kind == "dag-cbor":
        for verb in (["cat"], ["ls"], ["get"]):
            refused(pinfold, UnknownCodec, *verb, root)
        assert pinfold("resolve", root + "/0" * DEPTH).out == f"/ipfs/{CID.of(b'end')}\n"
    else:
        pinfold("ls", root)
        refused(pinfold, DagTooDeep, "get", "-o", "out", root)
        refused(pinfold, DagTooDeep, "get", "--archive", "-o", "out.tar", root)
        assert not (pinfold.work / "out.tar").exists()
        if kind == "file":
            assert root in refused(pinfold, DagTooDeep, "cat", root).err
    assert pinfold("repo", "verify", "--json").json["ok"]


def _node(data: bytes, code: int) -> tuple[CID, bytes]:
    return CID.of(data, codec=code), data


def test_every_reading_verb_names_the_block_that_is_missing(tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    pinfold.write("d/big", noise(1, 3_000_000))
    pinfold.write("d/sub/x", b"x")
    root = pinfold.add("--no-pin", "d")
    chunk = pinfold("refs", f"{root}/big").lines[1]
    sub = pinfold("resolve", f"{root}/sub").lines[0].removeprefix("/ipfs/")
    pinfold("block", "rm", chunk, sub)
    for verb, named in (
        (["cat", f"{root}/big"], chunk),
        (["get", f"{root}/big"], chunk),
        (["get", "--archive", f"{root}/big"], chunk),
        (["block", "get", chunk], chunk),
        (["block", "stat", chunk], chunk),
        (["block", "rm", chunk], chunk),
        (["dag", "get", sub], sub),
        (["ls", f"{root}/sub"], sub),
        (["ls", sub], sub),
        (["resolve", f"{root}/sub/x"], sub),
        (["stat", sub], sub),
        (["refs", sub], sub),
        (["dag", "export", root], ""),
        (["dag", "stat", root], ""),
        (["pin", "add", root], ""),
        (["pin", "add", chunk], chunk),
    ):
        before = state_of(pinfold.data_dir)
        answer = pinfold(*verb, code=ERROR_CODES[BlockNotFound])
        assert named in answer.err and (chunk in answer.err or sub in answer.err), (verb, answer.err)
        assert state_of(pinfold.data_dir) == before
    assert list(pinfold.work.iterdir()) == [pinfold.work / "d"]  # no half of a file
    assert pinfold("stat", "--json", root).json["missing_blocks"] == 2


def test_a_damaged_block_is_told_from_a_malformed_one(tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    pinfold.write("d/name of the file", b"content")
    root = pinfold.add("d")
    pinfold.damage(b"\x12\x10name of the file")
    for verb in (["block", "get", root], ["cat", f"{root}/name of the file"]):
        assert root in refused(pinfold, BlockCorrupt, *verb).err


# -- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["..", ".", "", "/etc/passwd", "a/b", "../out", "nul\0", "a/../../out", "/"])
def test_names_that_lead_elsewhere_are_never_written(tmp_path: Path, name: str) -> None:
    pinfold = Pinfold(tmp_path)
    file = pinfold.add(stdin=b"attack")
    root = pinfold("dag", "put", "--store-codec", "dag-pb", stdin=_folder((name, file))).lines[0]
    above = pinfold("dag", "put", "--store-codec", "dag-pb", stdin=_folder(("fine", root))).lines[0]
    for cid in (root, above):
        refused(pinfold, UnsafeName, "get", "-o", "out", cid)
        refused(pinfold, UnsafeName, "get", "--archive", "-o", "out.tar", cid)
    assert {path.name for path in pinfold.home.iterdir()} == {"data", "work"}
    assert [path for path in pinfold.work.rglob("*") if not path.is_dir()] == []


def test_a_link_never_leads_a_file_elsewhere(tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "passwd").write_bytes(b"safe")
    (pinfold.work / "link").symlink_to(outside)
    link = pinfold.add("link")
    file = pinfold.add(stdin=b"attack")
    folder = pinfold("dag", "put", "--store-codec", "dag-pb", stdin=_folder(("passwd", file))).lines[0]
    twice = pinfold("dag", "put", "--store-codec", "dag-pb", stdin=_folder(("x", link), ("x", folder))).lines[0]
    refused(pinfold, UnsafeName, "get", "-o", "twice", twice)
    # A link that stood there before: a folder of its name is refused, and a file takes its place.
    with_folder = pinfold("dag", "put", "--store-codec", "dag-pb", stdin=_folder(("x", folder))).lines[0]
    (pinfold.work / "into").mkdir()
    (pinfold.work / "into" / "x").symlink_to(outside)
    refused(pinfold, Conflict, "get", "-o", "into", with_folder)
    with_file = pinfold("dag", "put", "--store-codec", "dag-pb", stdin=_folder(("x", file))).lines[0]
    (pinfold.work / "into" / "x").unlink()
    (pinfold.work / "into" / "x").symlink_to(outside / "passwd")
    pinfold("get", "-o", "into", with_file)
    assert (pinfold.work / "into" / "x").read_bytes() == b"attack"
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"passwd": b"safe"}


# -- files of this machine -------------------------------------------------------------------------------------------


def test_links_that_lead_back_to_themselves(used: Pinfold) -> None:
    (used.work / "loop").symlink_to("loop")
    (used.work / "ring").mkdir(exist_ok=True)
    (used.work / "ring" / "back").symlink_to("../ring")
    try:
        assert "loop/x" in refused(used, SymlinkLoop, "add", "loop/x").err
        with Node(used.data_dir) as node, pytest.raises(SymlinkLoop, match="loop/"):
            list(node.add([f"{used.work}/loop/"]))
        used("add", "--only-hash", "loop", "ring")  # a link itself is content like any other
    finally:
        (used.work / "loop").unlink()


def test_what_is_no_file_is_named_and_can_be_left_out(used: Pinfold) -> None:
    tree = used.work / "odd"
    for kind in ("pipe", "socket", "device"):
        tree.mkdir()
        (tree / "fine").write_bytes(b"fine")
        odd = tree / "sub" / kind
        odd.parent.mkdir()
        if kind == "pipe":
            os.mkfifo(odd)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as listening:
                home = os.open(odd.parent, os.O_RDONLY)
                listening.bind(f"/proc/self/fd/{home}/{kind}")  # the whole path may be too long for a socket
                os.close(home)
        elif os.geteuid() == 0:
            os.mknod(odd, 0o600 | 0o020000, os.makedev(1, 3))
        else:
            odd = Path("/dev/null")
        named = [str(odd)] if odd == Path("/dev/null") else ["odd", str(odd)]
        for path in named:
            answer = refused(used, SourceUnreadable, "add", "-Q", path)
            assert str(odd.name) in answer.err and f"a {kind}" in answer.err and "--ignore" in answer.err
        used("add", "--only-hash", "--ignore", kind, "odd")
        for path_below in sorted(tree.rglob("*"), reverse=True):
            path_below.rmdir() if path_below.is_dir() else path_below.unlink()
        tree.rmdir()


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="only Linux has a file that root cannot read")
def test_a_file_that_cannot_be_read(used: Pinfold) -> None:
    assert "/proc/self/mem" in refused(used, SourceUnreadable, "add", "/proc/self/mem").err
    assert "/proc/self/mem" in refused(used, SourceUnreadable, "add", "-Q", "d", "/proc/self/mem").err
    assert "absent" in refused(used, SourceNotFound, "add", "d", "absent").err


@pytest.mark.parametrize("size", [100, 70_000, 3_000_000])
@pytest.mark.parametrize("choices", [{}, {"chunker": "buzhash"}, {"raw_leaves": False}])
def test_a_disk_that_fails_in_the_middle(
    used: Pinfold, size: int, choices: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = used.write("failing/file", noise(size, size))
    used.write("failing/a file before it", b"x" * 5000)
    before = state_of(used.data_dir)

    def fail(*_: object) -> bytes:
        raise OSError(5, "Input/output error")

    with Node(used.data_dir) as node:
        with monkeypatch.context() as patch:
            patch.setattr("pinfold.node.add.os.read", fail)
            patch.setattr("pinfold.node.leaves.os.preadv", fail)
            with pytest.raises(SourceUnreadable, match=r"file.*cannot be read: Input/output error"):
                list(node.add([path.parent], AddOptions(profile=profile(**choices))))  # type: ignore[arg-type]
    assert state_of(used.data_dir) == before


@pytest.mark.parametrize("change", ["append", "truncate", "overwrite", "replace", "remove"])
def test_a_file_that_changes_while_it_is_read(used: Pinfold, change: str) -> None:
    path = used.write("changing/file", noise(1, 8_000_000))
    before = state_of(used.data_dir)
    done: list[Progress] = []

    def meddle(progress: Progress) -> None:
        if done:
            return
        done.append(progress)
        if change == "append":
            with path.open("ab") as file:
                file.write(b"more")
        elif change == "truncate":
            os.truncate(path, 1000)
        elif change == "overwrite":
            with path.open("r+b") as file:
                file.write(b"other")
            os.utime(path)
        elif change == "replace":
            path.with_name("new").write_bytes(b"new")
            os.replace(path.with_name("new"), path)
        else:
            path.unlink()

    with Node(used.data_dir) as node:
        if change in ("replace", "remove"):  # the file that was opened is still the same
            *_, root = node.add([path], AddOptions(only_hash=True), progress=meddle)
            assert root.file_bytes == 8_000_000
        else:
            with pytest.raises(SourceChanged, match="changing/file"):
                list(node.add([path], progress=meddle))
    assert done
    assert state_of(used.data_dir) == before


@pytest.mark.parametrize("flags", [[], ["--chunker", "buzhash"], ["--trickle"]], ids=" ".join)
def test_a_file_that_somebody_goes_on_writing_to(used: Pinfold, flags: list[str]) -> None:
    path = used.write("growing", noise(2, 64_000_000))
    stop = threading.Event()

    def write() -> None:
        with path.open("ab") as file:
            while not stop.wait(0.001):
                file.write(b"more")
                file.flush()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert "growing" in refused(used, SourceChanged, "add", *flags, "growing").err
    finally:
        stop.set()
        writer.join()
        path.unlink()


# -- the data folder -------------------------------------------------------------------------------------------------


def test_a_folder_of_a_newer_version_is_left_alone(tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    cid = pinfold.add(stdin=b"x")
    (pinfold.data_dir / "VERSION").write_text("99\n")
    held = {path: path.read_bytes() for path in pinfold.data_dir.rglob("*") if path.is_file()}
    for args in (["cat", cid], ["add"], ["repo", "stat"], ["repo", "rebuild"], ["repo", "gc"]):
        answer = pinfold(*args, stdin=b"y", code=ERROR_CODES[StoreNewer])
        assert "99" in answer.err and "Upgrade" in answer.err
    assert {path: path.read_bytes() for path in pinfold.data_dir.rglob("*") if path.is_file()} == held
    (pinfold.data_dir / "VERSION").write_text("what?\n")
    assert "VERSION" in pinfold("cat", cid, code=ERROR_CODES[StoreUnreadable]).err


def test_a_folder_on_which_another_major_version_runs_is_left_alone(tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    cid = pinfold.add(stdin=b"x")
    other = os.open(pinfold.data_dir / "locks" / "major-2", os.O_RDWR | os.O_CREAT)
    fcntl.flock(other, fcntl.LOCK_SH)
    for args in (["cat", cid], ["add"], ["repo", "rebuild"]):
        assert "another major version" in pinfold(*args, stdin=b"y", code=ERROR_CODES[StoreInUse]).err
    os.close(other)
    assert pinfold("cat", cid).out == "x"


def test_a_path_that_can_be_no_data_folder_is_said_to_be_none(tmp_path: Path) -> None:
    pinfold = Pinfold(tmp_path)
    file = tmp_path / "file"
    file.write_bytes(b"a file")
    foreign = tmp_path / "photos"
    foreign.mkdir()
    (foreign / "cat.jpg").write_bytes(b"meow")
    nowhere = "/proc/nowhere" if Path("/proc/self").exists() else "/dev/null/nowhere"
    for place, word in ((file, "file"), (file / "below", "file"), (foreign, "cat.jpg"), (Path(nowhere), nowhere)):
        answer = pinfold("--data-dir", str(place), "add", stdin=b"x", code=ERROR_CODES[StoreUnreadable])
        assert word in answer.err
    assert file.read_bytes() == b"a file"
    assert [path.name for path in foreign.iterdir()] == ["cat.jpg"]
