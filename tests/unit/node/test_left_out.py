"""What is left out of a folder though no pattern names it is counted and reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from pinfold.client.tree import Tree
from pinfold.node import Node
from pinfold.node.model import AddOptions


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a page, three names that begin with a dot, and a node's data folder two levels down."""
    site = tmp_path / "site"
    (site / ".git").mkdir(parents=True)
    (site / ".git" / "config").write_text("below a folder that is left out")
    (site / "a").mkdir()
    for name in ("index.html", ".env", "a/.hidden"):
        (site / name).write_text(name)
    Node(site / "a" / "data").close()
    return site


SAID = [
    "left out 3 names that begin with a dot; --hidden adds them",
    "left out site/a/data, which is the data folder of a node",
]


@pytest.mark.parametrize("shows_progress", [False, True])
def test_add_and_push_leave_out_the_same_and_say_so_once(tmp_path: Path, site: Path, shows_progress: bool) -> None:
    report = (lambda *_: None) if shows_progress else None
    said: list[str] = []
    with Node(tmp_path / "node") as node:
        added = list(node.add([site], progress=report, left_out=said.extend))
    with Tree.of(site, AddOptions().profile, progress=report) as tree:
        assert (said, tree.left_out) == (SAID, SAID)
        assert tree.cid == added[-1].cid
    assert {one.path for one in added} == {"site/index.html", "site/a", "site"}


def test_with_hidden_names_only_the_data_folder_is_left_out(tmp_path: Path, site: Path) -> None:
    said: list[str] = []
    with Node(tmp_path / "node") as node:
        added = [one.path for one in node.add([site], AddOptions(hidden=True), left_out=said.extend)]
    assert said == SAID[1:]
    assert "site/.git/config" in added and not any("data" in path for path in added)


def test_a_folder_that_is_named_itself_is_added(tmp_path: Path, site: Path) -> None:
    said: list[str] = []
    with Node(tmp_path / "node") as node:
        list(node.add([site / ".git", site / "index.html"], left_out=said.extend))
    assert said == []
