"""add, cat, get, ls, refs, resolve, stat: real processes on a real data folder."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
from pathlib import Path

import pytest

from tests.support.cli import Pinfold

HELLO = "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am"
HELLO_V0 = "QmZULkCELmmk5XNfCgTnCyFgAVxBRBXyDHGGMVoLFLiXEN"
FOLDER_OF_HELLO = "bafybeigdcg7pksx2zk5336vrfsktjodlr4rbfz37qr3koc5xboxe5ekv24"


@pytest.fixture
def folder(pinfold: Pinfold) -> str:
    """The CID of a folder with a file, a folder and names in several scripts."""
    pinfold.write("tree/hello.txt", b"hello\n")
    pinfold.write("tree/big.bin", bytes(range(256)) * 12_000)
    pinfold.write("tree/sub/мир.txt", b"peace")
    pinfold.write("tree/sub/two\nlines", b"2")
    pinfold.write("tree/.hidden", b"secret")
    return pinfold.add("tree")


def test_added_files_get_kubos_cids(pinfold: Pinfold) -> None:
    pinfold.write("hello.txt", b"hello\n")
    assert pinfold("add", "hello.txt").out == f"added {HELLO} hello.txt\n"
    assert pinfold("add", "--profile", "unixfs-v0-2015", "hello.txt").out == f"added {HELLO_V0} hello.txt\n"
    wrapped = pinfold("add", "--wrap", "hello.txt").lines
    assert wrapped[0] == f"added {HELLO} hello.txt"
    assert wrapped[-1].split()[1] == FOLDER_OF_HELLO
    assert pinfold("add", "-q", "-w", "hello.txt").lines == [HELLO, FOLDER_OF_HELLO]


@pytest.mark.parametrize("args", [[], ["-"]])
def test_standard_input_is_added(pinfold: Pinfold, args: list[str]) -> None:
    assert pinfold("add", *args, stdin=b"hello\n").out == f"added {HELLO} {HELLO}\n"
    assert pinfold("add", *args, "--stdin-name", "hello.txt", stdin=b"hello\n").out == f"added {HELLO} hello.txt\n"
    assert pinfold("add", "-Q", "-w", *args, "--stdin-name", "hello.txt", stdin=b"hello\n").lines == [FOLDER_OF_HELLO]


def test_several_paths_are_added_and_all_are_pinned(pinfold: Pinfold) -> None:
    pinfold.write("a", b"a")
    pinfold.write("d/b", b"b")
    entries = pinfold("add", "--json", "--pin-name", "n", "a", "d").json_lines
    roots = [entry["cid"] for entry in entries if entry["is_root"]]
    assert [entry["path"] for entry in entries if entry["is_root"]] == ["a", "d"]
    pins = pinfold("pin", "ls", "--type", "recursive", "--json").json_lines
    assert {(pin["cid"], pin["name"]) for pin in pins} == {(root, "n") for root in roots}


def test_only_hash_and_no_pin(pinfold: Pinfold) -> None:
    assert pinfold("add", "-Q", "--only-hash", stdin=b"hello\n").lines == [HELLO]
    assert pinfold("cat", HELLO, code=31).err.startswith("Error: ")
    pinfold("add", "--no-pin", stdin=b"hello\n")
    assert pinfold("cat", HELLO).out == "hello\n"
    assert pinfold("pin", "ls").out == ""


def test_overrides_decide_the_cid(pinfold: Pinfold) -> None:
    data = bytes(range(256)) * 4096
    cids = {
        pinfold.add("-n", *args.split(), stdin=data)
        for args in (
            "",
            "--chunker size-1000",
            "--chunker size-1000 --trickle",
            "--chunker rabin",
            "--chunker buzhash",
            "--chunker size-1000 --max-file-links 20",
            "--hash blake3",
            "--cid-version 0 --no-raw-leaves",
        )
    }
    assert len(cids) == 8


def test_ignored_and_hidden_names_stay_out(pinfold: Pinfold, folder: str) -> None:
    def names(*args: str) -> set[str]:
        return {entry["name"] for entry in pinfold("ls", "--json", pinfold.add(*args, "tree")).json_lines}

    assert names() == {"hello.txt", "big.bin", "sub"}
    assert names("--hidden") == {"hello.txt", "big.bin", "sub", ".hidden"}
    pinfold.write("patterns", b"# a comment\nsub/\n")
    assert names("--ignore", "*.bin", "--ignore-file", "patterns") == {"hello.txt"}


def test_mode_and_mtime_are_kept_when_asked(pinfold: Pinfold) -> None:
    path = pinfold.write("run.sh", b"#!/bin/sh\n")
    path.chmod(0o754)
    os.utime(path, ns=(0, 1_600_000_000_000_000_005))
    cid = pinfold.add("--preserve-mode", "--preserve-mtime", "run.sh")
    stat = pinfold("stat", "--json", cid).json
    assert (stat["mode"] & 0o777, stat["mtime"]) == (0o754, [1_600_000_000, 5])
    pinfold("get", "-o", "back.sh", cid)
    back = (pinfold.work / "back.sh").stat()
    assert (back.st_mode & 0o777, back.st_mtime_ns) == (0o754, 1_600_000_000_000_000_005)


@pytest.mark.parametrize("form", ["{}/sub/мир.txt", "/ipfs/{}/sub/мир.txt", "ipfs://{}/sub/%D0%BC%D0%B8%D1%80.txt"])
def test_every_form_of_path_leads_there(pinfold: Pinfold, folder: str, form: str) -> None:
    path = form.format(folder)
    assert pinfold("cat", path).out == "peace"
    assert pinfold("resolve", path).out.startswith("/ipfs/bafk")


def test_cat_writes_ranges_and_several_files(pinfold: Pinfold, folder: str) -> None:
    data = bytes(range(256)) * 12_000
    big, hello = f"{folder}/big.bin", f"{folder}/hello.txt"
    assert pinfold("cat", big).stdout == data
    assert pinfold("cat", "--offset", "1048570", "--length", "20", big).stdout == data[1048570:1048590]
    assert pinfold("cat", "--offset", str(len(data)), big).stdout == b""
    assert pinfold("cat", hello, big, hello).stdout == b"hello\n" + data + b"hello\n"
    assert pinfold("cat", "-o", "4", "-l", str(len(data) + 3), hello, big, hello).stdout == b"o\n" + data + b"h"


def test_get_writes_trees_and_archives(pinfold: Pinfold, folder: str) -> None:
    assert pinfold("get", folder).out == f"Saving file(s) to {folder}\n"
    assert (pinfold.work / folder / "sub" / "two\nlines").read_bytes() == b"2"
    pinfold("get", "-o", "one.txt", f"{folder}/hello.txt")
    assert (pinfold.work / "one.txt").read_bytes() == b"hello\n"
    (pinfold.work / "into").mkdir()
    pinfold("get", "-o", "into", f"{folder}/hello.txt")
    assert (pinfold.work / "into" / "hello.txt").read_bytes() == b"hello\n"
    pinfold("get", "--archive", "-o", "tree.tar", folder)
    assert _names(pinfold.work / "tree.tar") == {"hello.txt", "big.bin", "sub", "sub/мир.txt", "sub/two\nlines"}
    pinfold("get", "-a", "-C", "-l", "1", "-o", "tree.tar.gz", folder)
    assert _names(pinfold.work / "tree.tar.gz") >= {"hello.txt", "sub/мир.txt"}
    pinfold("get", "-C", "-o", "hello.gz", f"{folder}/hello.txt")
    assert gzip.decompress((pinfold.work / "hello.gz").read_bytes()) == b"hello\n"
    with tarfile.open(fileobj=io.BytesIO(pinfold("get", "-a", "-o", "-", folder).stdout)) as archive:
        assert len(archive.getnames()) >= 5


def _names(path: Path) -> set[str]:
    with tarfile.open(path) as archive:
        return {name.partition("/")[2] for name in archive.getnames()} - {""}


def test_ls_shows_sizes_and_kinds(pinfold: Pinfold, folder: str) -> None:
    lines = pinfold("ls", folder).lines
    assert [line.split()[1:] for line in lines] == [["3072000", "big.bin"], ["6", "hello.txt"], ["-", "sub/"]]
    assert "two\\nlines" in pinfold("ls", f"{folder}/sub").out
    kinds = {entry["name"]: entry["kind"] for entry in pinfold("ls", "--json", folder).json_lines}
    assert kinds == {"big.bin": "file", "hello.txt": "file", "sub": "directory"}


def test_ls_of_a_sharded_folder_shows_every_name(pinfold: Pinfold) -> None:
    for number in range(300):
        pinfold.write(f"many/{number}", b"x")
    cid = pinfold.add("--hamt-threshold", "1KiB", "many")
    assert pinfold("stat", "--json", cid).json["kind"] == "hamt"
    assert [line.split()[2] for line in pinfold("ls", cid).lines] == sorted(map(str, range(300)))
    assert pinfold("cat", f"{cid}/217").out == "x"


def test_refs_follow_links(pinfold: Pinfold, folder: str) -> None:
    direct = pinfold("refs", folder).lines
    assert len(direct) == 3
    everything = pinfold("refs", "-r", "--unique", folder).lines
    assert len(everything) == len(set(everything)) == 7  # three entries, two different chunks, two names in sub
    assert len(pinfold("refs", "-r", "--max-depth", "1", folder).lines) == 3
    edges = pinfold("refs", "-r", "--edges", folder).lines
    assert all(edge.split(" -> ")[1] in everything for edge in edges)
    named = pinfold("refs", "--format", "<linkname>=<dst>", folder).lines
    assert {line.split("=")[0] for line in named} == {"big.bin", "hello.txt", "sub"}
    assert set(pinfold("refs", "local").lines) >= set(everything)


def test_stat_tells_unique_and_shared_bytes(pinfold: Pinfold) -> None:
    pinfold.write("one/shared", b"s" * 1000)
    pinfold.write("one/own", b"o" * 500)
    pinfold.write("two/shared", b"s" * 1000)
    one = pinfold.add("one")
    pinfold.add("two")
    stat = pinfold("stat", "--json", one).json
    assert (stat["blocks"], stat["pinned"], stat["shared_bytes"]) == (3, "recursive", 1000)
    assert stat["unique_bytes"] == stat["freed_by_unpin_bytes"] == stat["cumulative_bytes"] - 1000
    assert "FreedByUnpin:" in pinfold("stat", one).out


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["cat", "nonsense"], 14, "nonsense"),
        (["cat", "/ipns/example.org"], 14, "not supported yet"),
        (["cat", HELLO], 31, HELLO),
        (["cat", "--offset", "-1", HELLO], 2, "--offset"),
        (["add", "missing.txt"], 35, "missing.txt"),
        (["add", "--profile", "nope", "x"], 10, "nope"),
        (["add", "--hash", "md5", "x"], 12, "md5"),
        (["add", "--hash", "nope", "x"], 15, "nope"),
        (["add", "--chunker", "size-0", "x"], 10, "chunk"),
        (["add", "--hamt-threshold", "12parsecs", "x"], 2, "12parsecs"),
        (["get", "-o", "-", HELLO], 2, "archives"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(pinfold: Pinfold, args: list[str], code: int, says: str) -> None:
    pinfold.write("x", b"x")
    answer = pinfold(*args, code=code)
    assert answer.out == ""
    assert "Error: " in answer.err and says in answer.err


def test_paths_that_lead_nowhere_are_told_apart(pinfold: Pinfold, folder: str) -> None:
    assert "nope" in pinfold("cat", f"{folder}/nope", code=32).err
    pinfold("cat", f"{folder}/hello.txt/deeper", code=45)
    pinfold("cat", folder, code=44)
    pinfold("get", f"{folder}/..", code=23)
    assert {path.name for path in pinfold.home.iterdir()} == {"data", "work"}


def test_links_that_loop_and_files_that_cannot_be_read_leave_nothing(pinfold: Pinfold) -> None:
    pinfold.write("d/a", b"a")
    (pinfold.work / "d" / "pipe").touch()
    (pinfold.work / "loop").symlink_to("loop")
    assert pinfold("add", "loop/x", code=None).code in (35, 50, 52)
    if os.geteuid() != 0:  # root reads everything
        (pinfold.work / "d" / "pipe").chmod(0)
        assert "pipe" in pinfold("add", "d", code=50).err
    assert pinfold("pin", "ls").out == ""
