"""What can happen to a large file while it is read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core.errors import SourceChanged


def test_a_file_that_becomes_shorter_is_told_as_such_and_nothing_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(os.urandom(1 << 20) * 20)
    with Node(tmp_path / "data") as node:
        with pytest.raises(SourceChanged, match="big became shorter while it was read"):
            list(node.add([path], progress=lambda _: os.truncate(path, 5)))
        assert list(node.refs_local()) == []
        assert list(node.pin_ls()) == []


def test_a_file_is_closed_once_when_an_add_fails(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(20 << 20))
    before = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    with Node(tmp_path / "data") as node:
        with pytest.raises(KeyboardInterrupt):  # and no "bad file descriptor" in its place
            list(node.add([path], progress=interrupt))
    after = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    assert after == before
