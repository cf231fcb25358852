"""A data folder is its owner's alone, whatever the umask, and whoever made it."""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold.node import Node
from pinfold.store import Store
from pinfold.store.private import tighten


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def rights_of(root: Path) -> dict[str, str]:
    """The rights of everything in a data folder that others could use: none of it, where all is well."""
    paths = [root, *root.rglob("*")]
    return {str(path): oct(path.stat().st_mode) for path in paths if path.stat().st_mode & 0o077}


@pytest.mark.usefixtures("umask")
def test_what_is_made_in_a_data_folder_is_its_owners_alone(tmp_path: Path) -> None:
    root = tmp_path / "above" / "data"
    with Node(root) as node:
        with node.store.writer():
            node.add_stream(io.BytesIO(b"x" * 3_000_000))
            assert rights_of(root) == {}
        node.pin_rm(node.add_bytes(b"gone"))
        node.gc()
    assert rights_of(root) == {}
    Node.rebuild(root)
    assert rights_of(root) == {}
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_folder_of_an_earlier_version_is_tightened_when_it_is_opened(tmp_path: Path) -> None:
    root = tmp_path / "data"
    with Node(root) as node:
        cid = node.add_bytes(b"hello")
    (root / "uploads").mkdir()
    (root / "uploads" / "one").write_bytes(b"")
    (root / "mine.txt").write_text("not ours")
    for path in [root, *root.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    with Node(root) as node:
        assert b"".join(node.cat(cid)) == b"hello"
    assert rights_of(root) == {str(root / "mine.txt"): "0o100644"}  # closed to others by the folder


def test_a_folder_that_somebody_made_for_us_is_tightened(tmp_path: Path) -> None:
    root = tmp_path / "data"
    root.mkdir(mode=0o755)
    Store(root).close()
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_what_belongs_to_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = tmp_path / "data"
    (root / "segments").mkdir(parents=True, mode=0o755)
    before = root.stat().st_mode
    monkeypatch.setattr(os, "geteuid", lambda: root.stat().st_uid + 1)
    tighten(root)
    assert root.stat().st_mode == before
