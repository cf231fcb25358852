"""Files and folders written to a disk; nothing outside of where they belong."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from pinfold.core.cid import CID, DAG_CBOR, DAG_PB
from pinfold.core.codec import dag_pb
from pinfold.core.errors import (
    BlockNotFound,
    Conflict,
    DagTooDeep,
    PinfoldError,
    SourceUnreadable,
    StoreFull,
    UnknownCodec,
    UnsafeName,
)
from pinfold.node.get import get
from pinfold.node.model import Progress
from pinfold.store import Store
from pinfold.unixfs import message
from pinfold.unixfs.directory import build_directory, build_symlink
from pinfold.unixfs.message import Metadata
from pinfold.unixfs.profile import profile
from tests.support.dags import Blocks, Link, noise
from tests.support.stores import SMALL_CHUNKS, leaves, lose, put_blocks, put_file, put_tree, put_value

HAMT = profile("unixfs-v1-2025", hamt_threshold=64)


def tree_of(folder: Path) -> dict[str, bytes | str]:
    """Relative path -> content, or the target of a link."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = "-> " + os.readlink(path)
        elif path.is_file():
            found[name] = path.read_bytes()
    return found


def folder_block(entries: list[tuple[bytes, CID]]) -> tuple[CID, bytes]:
    """A folder with names that no honest builder makes."""
    links = [dag_pb.PBLink(cid.bytes, name, 1) for name, cid in entries]
    data = dag_pb.encode(dag_pb.PBNode(links, message.encode_directory()), sort=False)
    return CID.of(data, codec=DAG_PB), data


def crafted(store: Store, entries: list[tuple[bytes, CID]]) -> CID:
    """The same, stored."""
    cid, data = folder_block(entries)
    put_blocks(store, {cid.bytes: data})
    return cid


def symlink(store: Store, target: bytes) -> CID:
    blocks = Blocks()
    built = build_symlink(target, SMALL_CHUNKS, blocks.emit)
    put_blocks(store, blocks.stored)
    return CID.from_bytes(built.cid)


def test_a_file_is_written_whole(store: Store, tmp_path: Path) -> None:
    content = noise(1, 10_000)
    seen: list[Progress] = []
    assert get(store, put_file(store, content), tmp_path / "out", seen.append) == 10_000
    assert (tmp_path / "out").read_bytes() == content
    assert seen[-1] == Progress(10_000, 10_000, 1, 0)


def test_a_folder_is_written_with_everything_in_it(store: Store, tmp_path: Path) -> None:
    root = put_tree(store, {"a": b"x" * 3000, "b": {"c": b"y", "empty": {}}, "link": Link(b"a"), "é": b""})
    get(store, root, tmp_path / "out")
    assert tree_of(tmp_path / "out") == {"a": b"x" * 3000, "b/c": b"y", "link": "-> a", "é": b""}
    assert (tmp_path / "out/b/empty").is_dir()


def test_a_sharded_folder_is_written(store: Store, tmp_path: Path) -> None:
    names = {f"name {number}": b"%d" % number for number in range(100)}
    get(store, put_tree(store, names, HAMT), tmp_path / "out")
    assert tree_of(tmp_path / "out") == names


def test_names_that_are_no_utf8_are_written_as_they_are(store: Store, tmp_path: Path) -> None:
    get(store, crafted(store, [(b"\xff\xfe", put_file(store, b"x"))]), tmp_path / "out")
    assert os.listdir(os.fsencode(tmp_path / "out")) == [b"\xff\xfe"]


def test_getting_again_replaces_files_and_keeps_what_else_is_there(store: Store, tmp_path: Path) -> None:
    root = put_tree(store, {"a": b"new", "b": {"c": b"y"}})
    (tmp_path / "out/b").mkdir(parents=True)
    (tmp_path / "out/a").write_bytes(b"old and longer")
    (tmp_path / "out/b/mine").write_bytes(b"kept")
    get(store, root, tmp_path / "out")
    assert tree_of(tmp_path / "out") == {"a": b"new", "b/c": b"y", "b/mine": b"kept"}


def test_mode_and_time_are_restored(store: Store, tmp_path: Path) -> None:
    file = put_file(store, b"x", metadata=Metadata(0o640, (1_000_000_000, 123_456_789)))
    blocks = Blocks()
    built = build_directory([], SMALL_CHUNKS, blocks.emit, Metadata(0o500, (5, 0)))
    put_blocks(store, blocks.stored)
    root = crafted(store, [(b"file", file), (b"folder", CID.from_bytes(built.cid))])
    get(store, root, tmp_path / "out")
    found = os.stat(tmp_path / "out/file")
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o640, 1_000_000_000_123_456_789)
    found = os.stat(tmp_path / "out/folder")
    assert (stat.S_IMODE(found.st_mode), found.st_mtime_ns) == (0o500, 5_000_000_000)


def test_a_read_only_folder_gets_its_files_first(store: Store, tmp_path: Path) -> None:
    from pinfold.unixfs.dag import Entry

    blocks = Blocks()
    leaf = put_file(store, b"x")
    built = build_directory([Entry(b"a", leaf.bytes, 1)], SMALL_CHUNKS, blocks.emit, Metadata(0o555, (7, 0)))
    put_blocks(store, blocks.stored)
    get(store, CID.from_bytes(built.cid), tmp_path / "out")
    assert (tmp_path / "out/a").read_bytes() == b"x"
    assert os.stat(tmp_path / "out").st_mtime == 7


def test_nobody_gets_a_set_uid_program(store: Store, tmp_path: Path) -> None:
    get(store, put_file(store, b"x", metadata=Metadata(0o4755)), tmp_path / "out")
    assert stat.S_IMODE(os.stat(tmp_path / "out").st_mode) == 0o755


def test_a_time_that_no_disk_can_keep_is_left_out(store: Store, tmp_path: Path) -> None:
    get(store, put_file(store, b"x", metadata=Metadata(mtime=(2**62, 0))), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"x"


@pytest.mark.parametrize("name", [b"", b".", b"..", b"/etc/passwd", b"a/b", b"../up", b"nul\0", b"a/", b"/"])
def test_a_name_that_leads_elsewhere_is_refused(store: Store, tmp_path: Path, name: bytes) -> None:
    root = crafted(store, [(name, put_file(store, b"evil"))])
    (tmp_path / "in").mkdir()
    with pytest.raises(UnsafeName):
        get(store, root, tmp_path / "in/out")
    assert tree_of(tmp_path / "in") == {}


def test_a_name_that_comes_twice_is_refused(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    folder = put_tree(store, {"passwd": b"evil"})
    root = crafted(store, [(b"x", symlink(store, os.fsencode(outside))), (b"x", folder)])
    with pytest.raises(UnsafeName, match="two entries"):
        get(store, root, tmp_path / "out")
    assert list(outside.iterdir()) == []


def test_no_link_is_followed_to_write_a_folder(store: Store, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    get(store, crafted(store, [(b"x", symlink(store, os.fsencode(outside)))]), tmp_path / "out")
    with pytest.raises(Conflict):
        get(store, put_tree(store, {"x": {"passwd": b"evil"}}), tmp_path / "out")
    assert list(outside.iterdir()) == []


def test_no_link_is_followed_to_write_a_file(store: Store, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    get(store, crafted(store, [(b"x", symlink(store, os.fsencode(victim)))]), tmp_path / "out")
    get(store, put_tree(store, {"x": b"new"}), tmp_path / "out")
    assert victim.read_bytes() == b"mine"
    assert tree_of(tmp_path / "out") == {"x": b"new"}


def test_a_folder_in_the_way_of_a_file_stays(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out/a").mkdir(parents=True)
    (tmp_path / "out/a/mine").write_bytes(b"kept")
    with pytest.raises(Conflict):
        get(store, put_tree(store, {"a": b"x"}), tmp_path / "out")
    assert tree_of(tmp_path / "out") == {"a/mine": b"kept"}


def test_a_file_in_the_way_of_a_folder_stays(store: Store, tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"kept")
    with pytest.raises(Conflict):
        get(store, put_tree(store, {"a": b"x"}), tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"kept"


def test_a_file_that_is_not_all_here_leaves_nothing(store: Store, tmp_path: Path) -> None:
    file = put_file(store, b"a" * 1024 + b"b" * 1024)
    lose(store, leaves(store, file)[1])
    (tmp_path / "in").mkdir()
    with pytest.raises(BlockNotFound):
        get(store, file, tmp_path / "in/out")
    assert os.listdir(tmp_path / "in") == []


@pytest.mark.parametrize("target", [b"", b"a\0b"])
def test_a_link_that_no_disk_can_hold_is_refused(store: Store, tmp_path: Path, target: bytes) -> None:
    with pytest.raises(PinfoldError):
        get(store, symlink(store, target), tmp_path / "out")


def test_a_full_disk_is_said_plainly(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = put_file(store, b"x" * 3000)
    (tmp_path / "in").mkdir()

    def full(fd: int, data: memoryview) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pinfold.node.get.os.write", full)
    with pytest.raises(StoreFull, match="no space left on the disk of"):
        get(store, file, tmp_path / "in/out")
    assert os.listdir(tmp_path / "in") == []


def test_a_folder_that_is_not_there_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="No such file"):
        get(store, put_file(store, b"x"), tmp_path / "absent/out")


def test_a_name_too_long_for_the_disk_is_said(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable):
        get(store, crafted(store, [(b"n" * 300, put_file(store, b"x"))]), tmp_path / "out")


def test_folders_inside_each_other_have_an_end(store: Store, tmp_path: Path) -> None:
    cid = put_tree(store, {})
    blocks: dict[bytes, bytes] = {}
    for _ in range(520):
        cid, data = folder_block([(b"d", cid)])
        blocks[cid.bytes] = data
    put_blocks(store, blocks)
    with pytest.raises(DagTooDeep):
        get(store, cid, tmp_path / "out")


def test_what_is_no_file_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UnknownCodec):
        get(store, put_value(store, DAG_CBOR, {"a": 1}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_pipe_is_not_replaced(store: Store, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(Conflict, match="pipe"):
        get(store, put_file(store, b"content"), pipe)
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_nothing_is_written_into_the_data_folder_itself(store: Store) -> None:
    version = store.layout.version.read_bytes()
    with pytest.raises(Conflict, match="data folder"):
        get(store, put_file(store, b"content"), store.layout.version)
    assert store.layout.version.read_bytes() == version
