"""What command lines ask of the node, and how its answers are printed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pinfold.core.cid import CID, DAG_PB
from pinfold.core.errors import BlockNotFound, BlockPinned
from pinfold.core.pin import Pin, PinMode
from pinfold.node.model import (
    Added,
    DagStat,
    DagStats,
    DirEntry,
    GCReport,
    Imported,
    Problem,
    ProblemKind,
    Ref,
    RepairReport,
    RepoStat,
    Resolved,
    Stat,
    VerifyReport,
)
from tests.unit.cli.conftest import Run

A, B, C = (CID.of(name) for name in (b"a", b"b", b"c"))


def entries(*_: Any, **__: Any) -> Iterator[Added]:
    yield Added("photos/a\nb", A, 10, "file", False, 9)
    yield Added("photos", B, 60, "directory", True, 9)


def test_add_prints_entries_as_kubo_does(run: Run) -> None:
    assert run("add", "photos", add=entries).out == f"added {A} photos/a\\nb\nadded {B} photos\n"


@pytest.mark.parametrize(("flag", "out"), [("-q", f"{A}\n{B}\n"), ("-Q", f"{B}\n")])
def test_add_prints_cids_only_when_asked(run: Run, flag: str, out: str) -> None:
    assert run("add", flag, "photos", add=entries).out == out


def test_add_prints_json_lines(run: Run) -> None:
    lines = [json.loads(line) for line in run("add", "--json", "-r", "photos", add=entries).out.splitlines()]
    assert lines[1] == {
        "path": "photos",
        "cid": str(B),
        "size_bytes": 60,
        "file_bytes": 9,
        "kind": "directory",
        "is_root": True,
    }


def test_every_flag_of_add_reaches_the_node(run: Run) -> None:
    words = (
        "add --profile unixfs-v0-2015 --cid-version 1 --no-raw-leaves --chunker size-1024 --trickle "
        "--max-file-links 20 --hamt-threshold 1KiB --hash blake3 --inline --inline-limit 20 --only-hash "
        "--no-pin --pin-name n --wrap --hidden --ignore x --ignore y --ignore-file f "
        "--preserve-mode --preserve-mtime here"
    )
    result = run(*words.split(), add=entries)
    ((_, (paths, options), _),) = result.node.calls
    assert paths == [Path("here")]
    profile = options.profile
    assert (profile.name, profile.cid_version, profile.raw_leaves) == ("unixfs-v0-2015", 1, False)
    assert (profile.chunker, profile.layout, profile.max_file_links) == ("size-1024", "trickle", 20)
    assert (profile.hamt_threshold, profile.hash_code) == (1024, 0x1E)
    assert (profile.inline, profile.inline_limit) == (True, 20)
    assert (options.only_hash, options.pin, options.pin_name, options.wrap, options.hidden) == (
        True,
        False,
        "n",
        True,
        True,
    )
    assert (options.ignore, options.ignore_files) == (("x", "y"), ("f",))
    assert (options.preserve_mode, options.preserve_mtime) == (True, True)


def test_flags_may_be_written_as_kubo_writes_them(run: Run) -> None:
    result = run("add", "--pin=false", "--raw-leaves=true", "-w=false", "-r=true", "here", add=entries)
    options = result.node.calls[0][1][1]
    assert (options.pin, options.profile.raw_leaves, options.wrap) == (False, True, False)


@pytest.mark.parametrize("args", [(), ("-",)])
def test_add_reads_standard_input(run: Run, args: tuple[str, ...]) -> None:
    def add_stream(stream: Any, options: Any, *, name: str, progress: Any) -> Added:
        data = stream.read()
        return Added(name, CID.of(data), len(data), "file", True, len(data))

    result = run("add", *args, "--stdin-name", "hi.txt", stdin=b"hello\n", add_stream=add_stream)
    assert result.out == f"added {CID.of(b'hello' + bytes([10]))} hi.txt\n"


def test_add_refuses_to_mix_standard_input_with_paths(run: Run) -> None:
    result = run("add", "a", "-", add=entries)
    assert (result.code, result.node.calls) == (2, [])
    assert result.err.endswith("Error: standard input (-) cannot be added together with paths\n")


@pytest.mark.parametrize(
    "args", [("--data-dir", "/d", "pin", "ls"), ("pin", "--data-dir", "/d", "ls"), ("pin", "ls", "--data-dir", "/d")]
)
def test_the_data_folder_may_be_named_anywhere(run: Run, args: tuple[str, ...]) -> None:
    assert run(*args, pin_ls=[]).node.data_dir == Path("/d")


def test_the_data_folder_nearest_to_the_command_counts(run: Run) -> None:
    assert run("--data-dir", "/far", "pin", "ls", "--data-dir", "/near", pin_ls=[]).node.data_dir == Path("/near")


def test_no_data_folder_leaves_the_choice_to_the_node(run: Run) -> None:
    assert run("pin", "ls", pin_ls=[]).node.data_dir is None


def test_cat_counts_offset_and_length_through_all_files(run: Run) -> None:
    sizes = {"p": 10, "q": 10, "r": 10}
    result = run(
        "cat", "p", "q", "r", "--offset", "15", "--length", "8",
        file_info=lambda path: SimpleNamespace(size=sizes[path]),
        cat_to=lambda path, fd, offset, length: min(sizes[path] - offset, length),
    )  # fmt: skip
    read = [(args[0], kwargs) for name, args, kwargs in result.node.calls if name == "cat_to"]
    assert read == [("q", {"offset": 5, "length": 8}), ("r", {"offset": 0, "length": 3})]


def test_ls_marks_folders_and_aligns_sizes(run: Run) -> None:
    listing = [DirEntry("b.txt", A, 1234, "file"), DirEntry("sub", B, 99, "directory")]
    assert run("ls", str(C), ls=listing).out == f"{A} 1234 b.txt\n{B} -    sub/\n"
    assert run("ls", "-v", "--size=false", str(C), ls=listing).out.splitlines()[0].split() == ["Hash", "Name"]
    assert run("ls", "x", "y", ls=listing[:1]).out == f"x:\n{A} 1234 b.txt\n\ny:\n{A} 1234 b.txt\n"
    assert run("ls", "-s", str(C), ls=listing).out == f"{A} 1234 b.txt\n{B} - sub/\n"
    assert [json.loads(line)["kind"] for line in run("ls", "--json", "x", ls=listing).out.splitlines()] == [
        "file",
        "directory",
    ]


def test_refs_prints_edges_and_formats(run: Run) -> None:
    refs = [Ref(A, B, "n")]
    assert run("refs", "x", refs=refs).out == f"{B}\n"
    assert run("refs", "-e", "x", refs=refs).out == f"{A} -> {B}\n"
    assert run("refs", "--format", "<linkname>:<dst>", "x", refs=refs).out == f"n:{B}\n"
    assert json.loads(run("refs", "--json", "x", refs=refs).out) == {"parent": str(A), "cid": str(B), "name": "n"}
    assert run("refs", "-e", "--format", "x", "y", refs=refs).code == 2


def test_refs_passes_depth_and_uniqueness_on(run: Run) -> None:
    result = run("refs", "-r", "-u", "--max-depth", "2", "x", refs=[])
    assert result.node.calls[0][2] == {"recursive": True, "unique": True, "max_depth": 2}
    assert run("refs", "-r", "x", refs=[]).node.calls[0][2]["max_depth"] is None


def test_unique_refs_are_unique_over_all_paths(run: Run) -> None:
    assert run("refs", "-u", "x", "y", refs=[Ref(A, B, "n")]).out == f"{B}\n"


def test_refs_local_lists_blocks(run: Run) -> None:
    assert run("refs", "local", refs_local=[A, B]).out == f"{A}\n{B}\n"


def test_resolve_prints_a_content_path(run: Run) -> None:
    assert run("resolve", "x", resolve=Resolved(A, ("b", "c"))).out == f"/ipfs/{A}/b/c\n"
    assert json.loads(run("resolve", "x", "--json", resolve=Resolved(A, ())).out) == {"cid": str(A), "remainder": []}


def test_stat_tells_what_unpinning_frees(run: Run) -> None:
    stat = Stat(A, "file", 2048, 2100, 3, 2000, 100, 2000, PinMode.RECURSIVE, mode=0o644, mtime=(0, 5))
    lines = [line.split(None, 1) for line in run("stat", "x", stat=stat).out.splitlines()]
    shown = {key.rstrip(":"): value for key, value in lines}
    assert shown["Size"] == "2048 (2.0 KiB)"
    assert shown["FreedByUnpin"] == "2000 (2.0 KiB)"
    assert (shown["Pinned"], shown["Mode"], shown["Mtime"]) == (
        "recursive",
        "0644",
        "1970-01-01T00:00:00.000000005Z",
    )
    assert json.loads(run("stat", "x", "--json", stat=stat).out)["freed_by_unpin_bytes"] == 2000


def test_pins_are_added_listed_moved_and_removed_in_kubos_words(run: Run) -> None:
    assert run("pin", "add", "x", pin_add=A).out == f"pinned {A} recursively\n"
    assert run("pin", "add", "--recursive=false", "x", pin_add=A).out == f"pinned {A} directly\n"
    assert run("pin", "rm", "x", pin_rm=A).out == f"unpinned {A}\n"
    assert run("pin", "update", "x", "y", pin_update=(A, B)).out == f"updated {A} to {B}\n"
    pins = [Pin(A, PinMode.RECURSIVE, "trip"), Pin(B, PinMode.INDIRECT)]
    assert run("pin", "ls", pin_ls=pins).out == f"{A} recursive trip\n{B} indirect\n"
    assert run("pin", "ls", "-q", pin_ls=pins).out == f"{A}\n{B}\n"


def test_pin_ls_fails_for_what_is_not_pinned(run: Run) -> None:
    result = run("pin", "ls", "x", resolve=Resolved(B, ()), pin_ls=[])
    assert (result.code, result.err.splitlines()[0]) == (33, f"Error: {B} is not pinned")


def test_pin_ls_json_has_times_in_utc(run: Run) -> None:
    pin = Pin(A, PinMode.DIRECT, "n", 1_700_000_000.0, "unixfs-v1-2025", 1)
    assert json.loads(run("pin", "ls", "--json", pin_ls=[pin]).out) == {
        "cid": str(A),
        "mode": "direct",
        "name": "n",
        "created_at": "2023-11-14T22:13:20+00:00",
        "profile": "unixfs-v1-2025",
        "blocks": 1,
    }


BAD = VerifyReport(2, 20, 1, (Problem(ProblemKind.MISSING_BLOCK, f"{B} is missing", B, (A,)),))
GOOD = VerifyReport(2, 20, 1, ())


def test_pin_verify_tells_broken_pins_and_fails(run: Run) -> None:
    good = run("pin", "verify", "x", resolve=Resolved(A, ()), pin_verify=GOOD)
    assert (good.code, good.out) == (0, f"{A} ok\n")
    bad = run("pin", "verify", "x", resolve=Resolved(A, ()), pin_verify=BAD)
    assert (bad.code, bad.out) == (63, f"{A} broken\n  {B} is missing\n")
    quiet = run("pin", "verify", "-q", "x", resolve=Resolved(A, ()), pin_verify=BAD)
    assert quiet.out == f"{A}\n"


def test_repo_verify_lists_problems_and_fails(run: Run) -> None:
    assert run("repo", "verify", verify=GOOD).code == 0
    bad = run("repo", "verify", verify=BAD)
    assert (bad.code, bad.out) == (63, f"missing-block: {B} is missing\n  needed by pin {A}\n")
    as_json = json.loads(run("repo", "verify", "--json", verify=BAD).out)
    assert (as_json["ok"], as_json["problems"][0]["kind"]) == (False, "missing-block")


def test_repo_repair_fails_while_something_is_still_bad(run: Run) -> None:
    report = RepairReport((A,), BAD.problems)
    result = run("repo", "repair", "--from", "http://one", "--from", "http://two", repair=report)
    assert result.code == 63
    assert result.out.startswith(f"repaired {A}\nmissing-block: ")
    assert result.node.calls[0][1] == (["http://one", "http://two"],)
    assert run("repo", "repair", "--from", "http://one", repair=RepairReport((), ())).out == "nothing to repair\n"
    assert run("repo", "repair").code == 2


def test_repo_stat_has_the_promised_fields(run: Run) -> None:
    stat = RepoStat(3, 4096, 3000, 10, 1, 2, "/d", 1)
    assert json.loads(run("repo", "stat", "--json", repo_stat=stat).out) == {
        "blocks": 3,
        "size_bytes": 4096,
        "block_bytes": 3000,
        "dead_bytes": 10,
        "pins": 1,
        "segments": 2,
        "path": "/d",
        "version": 1,
    }
    assert "RepoSize:   4.0 KiB\n" in run("repo", "stat", "-H", repo_stat=stat).out
    assert run("repo", "stat", "-s", repo_stat=stat).out == "RepoSize: 4096\n"


def test_gc_that_freed_nothing_says_when_the_bytes_go(run: Run) -> None:
    result = run("repo", "gc", gc=GCReport(1, 41, 0, 0, 0, False))
    assert result.out == "removed 1 block (41 B), freed 0 B on disk\n"
    assert "when the segment that they lie in is rewritten" in result.err
    assert run("repo", "gc", gc=GCReport(0, 0, 0, 0, 0, False)).err == ""


def test_gc_says_what_went(run: Run) -> None:
    report = GCReport(2, 2048, 1024, 1, 0, False)
    assert run("repo", "gc", gc=report).out == (
        "removed 2 blocks (2.0 KiB), freed 1.0 KiB on disk\n1 segment removed, 0 rewritten\n"
    )
    assert run("repo", "gc", "-q", gc=report).out == ""
    assert run("repo", "gc", "--dry-run", gc=report).node.calls[0][2]["dry_run"] is True


def test_dag_import_prints_pinned_roots(run: Run, tmp_path: Path) -> None:
    car = tmp_path / "x.car"
    car.write_bytes(b"car")
    imported = Imported((A, B), (A, B), 5, 4, 500)
    result = run("dag", "import", "--stats", str(car), "-", stdin=b"more", dag_import=imported)
    pinned = f"Pinned root\t{A}\tsuccess\nPinned root\t{B}\tsuccess\n"
    assert result.out == pinned + pinned + "Imported 10 blocks (1000 bytes)\n"
    assert run("dag", "import", "--silent", str(car), dag_import=imported).out == ""
    assert json.loads(run("dag", "import", "--json", str(car), dag_import=imported).out)["new_blocks"] == 4


@pytest.mark.parametrize("command", [("dag", "import"), ("car", "verify"), ("block", "put"), ("dag", "put")])
def test_a_file_that_is_not_there_is_a_sentence(run: Run, command: tuple[str, ...], tmp_path: Path) -> None:
    result = run(*command, str(tmp_path / "none"))
    assert (result.code, result.err) == (35, f"Error: {tmp_path / 'none'}: there is no such file\n")


def test_an_export_that_fails_leaves_no_file(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "x.car"
    assert run("dag", "export", "x", "-o", str(out), dag_export=BlockNotFound("gone")).code == 31
    assert list(tmp_path.iterdir()) == []


def test_dag_put_and_get_speak_dag_json(run: Run) -> None:
    put = run("dag", "put", stdin=b'{"b": 1, "a": [2]}', dag_put=lambda value, **_: CID.of(repr(value).encode()))
    assert put.node.calls[0][1] == ({"a": [2], "b": 1},)
    assert run("dag", "get", "x", dag_get={"a": [2], "link": A}).out == f'{{"a":[2],"link":{{"/":"{A}"}}}}'


def test_dag_put_refuses_what_is_no_dag_json(run: Run) -> None:
    assert run("dag", "put", stdin=b"{nope").code == 18


def test_dag_stat_sums_up_as_kubo_does(run: Run) -> None:
    stats = DagStats((DagStat(A, 60, 2), DagStat(B, 40, 1)), 2, 60, 40)
    lines = run("dag", "stat", "x", "y", dag_stat=stats).out.splitlines()
    assert lines[1].split() == ["CID", "Blocks", "Size"]
    assert lines[2].split() == [str(A), "2", "60"]
    assert "Total Size: 60" in lines and "Shared Size: 40" in lines and "Ratio: 1.666667" in lines


def test_blocks_are_put_and_told_in_kubos_words(run: Run) -> None:
    put = run("block", "put", "--cid-codec", "dag-pb", "--cid-version", "0", "--pin", stdin=b"x", block_put=A)
    assert put.out == f"{A}\n"
    assert put.node.calls[0][2] == {"codec": DAG_PB, "hash_code": 0x12, "cid_version": 0, "pin": True}
    assert run("block", "stat", str(A), resolve=Resolved(A, ()), block_stat=7).out == f"Key: {A}\nSize: 7\n"
    assert run("block", "put", "--cid-codec", "nope", stdin=b"x").code == 16


def test_a_block_that_cannot_go_does_not_keep_the_others(run: Run) -> None:
    def block_rm(cids: list[CID], *, force: bool) -> list[CID]:
        if cids == [A]:
            raise BlockPinned("a pin needs it")
        return cids

    result = run("block", "rm", str(A), str(B), block_rm=block_rm)
    assert (result.code, result.out) == (42, f"removed {B}\n")
    assert result.err.startswith(f"cannot remove {A}: a pin needs it\nError: a pin needs it\n")
    assert run("block", "rm", str(A), block_rm=block_rm).err.startswith("Error: a pin needs it\n")


def test_a_bad_cid_is_refused_before_the_store_is_touched(run: Run) -> None:
    result = run("block", "rm", "nonsense")
    assert (result.code, result.node.calls) == (11, [])


def test_get_refuses_names_that_lead_elsewhere(run: Run) -> None:
    result = run("get", f"{A}/..", file_info=None, get=0)
    assert result.code == 23
    assert not any(name == "get" for name, _, _ in result.node.calls)
