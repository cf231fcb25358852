"""Files on disk get the DAG that their content has, or are refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pinfold.core.errors import PinfoldError, SourceChanged
from pinfold.node.add import Adder
from pinfold.node.model import AddOptions
from pinfold.store import Store
from pinfold.unixfs.profile import profile
from tests.support.dags import Blocks, add_bytes, noise, text


def added(store: Store, path: Path, **choices: Any) -> str:
    *_, root = Adder(store, AddOptions(profile=profile(**choices)), None).paths([path])
    return str(root.cid)


@pytest.mark.parametrize("layout", ["balanced", "trickle"])
@pytest.mark.parametrize("raw_leaves", [False, True])
@pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 99_999, 100_000, 100_001, 250_000])
def test_a_file_is_cut_as_its_bytes_would_be(
    store: Store, tmp_path: Path, layout: str, raw_leaves: bool, size: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(noise(size, size))
    chosen: dict[str, Any] = {"layout": layout, "raw_leaves": raw_leaves, "chunker": "size-100000"}
    assert added(store, path, **chosen) == text(add_bytes(noise(size, size), profile(**chosen), Blocks()))


def test_a_file_that_gives_itself_in_short_pieces_is_never_cut_short(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As files of /proc do, and some network file systems."""
    path = tmp_path / "file"
    path.write_bytes(noise(1, 5000))
    whole = added(store, path)
    real = os.read
    monkeypatch.setattr("pinfold.node.add.os.read", lambda fd, size: real(fd, min(size, 100)))
    assert added(store, path) == whole


@pytest.mark.parametrize("size", [1, 5000, 70_000, 3_000_000])
@pytest.mark.parametrize("choices", [{}, {"layout": "trickle"}, {"chunker": "buzhash"}, {"raw_leaves": False}])
def test_a_file_with_more_bytes_than_its_size_is_refused(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, choices: dict[str, Any]
) -> None:
    """Files of /proc say that they are empty."""
    path = tmp_path / "file"
    path.write_bytes(noise(size, size))
    real_read, real_stat = os.read, os.fstat

    def empty(fd: int) -> os.stat_result:
        found = list(real_stat(fd))
        found[6] = 0
        return os.stat_result(found)

    monkeypatch.setattr("pinfold.node.add.os.fstat", empty)
    monkeypatch.setattr("pinfold.node.add.os.read", lambda fd, wanted: real_read(fd, min(wanted, 600)))
    if size <= 600 and "chunker" not in choices:  # one read had all of it
        added(store, path, **choices)
        return
    with pytest.raises(SourceChanged, match="file"):
        added(store, path, **choices)


def test_a_file_that_never_ends_is_refused(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(noise(1, 100_000))
    monkeypatch.setattr("pinfold.node.add.os.read", lambda fd, size: bytes(size))
    for choices in ({"chunker": "buzhash"}, {"layout": "trickle"}, {"raw_leaves": False}):
        with pytest.raises(PinfoldError, match="file"):
            added(store, path, **choices)
