"""Trees of a client have the CIDs that a node gives, and read again only what is still the same."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.client.tree import Total, Tree
from pinfold.core.cid import CID
from pinfold.core.errors import SourceChanged, SourceNotFound
from pinfold.node.model import AddOptions, Progress
from pinfold.unixfs.profile import profile

PROFILES = ("unixfs-v1-2025", "unixfs-v0-2015")


def folder(home: Path) -> Path:
    """A folder with everything that a folder can hold."""
    root = home / "site"
    (root / "sub" / "deeper").mkdir(parents=True)
    seed = random.Random(7)
    (root / "large.bin").write_bytes(seed.randbytes(3_500_000))
    (root / "one chunk.bin").write_bytes(seed.randbytes(1 << 20))
    (root / "empty").write_bytes(b"")
    (root / "sub" / "small.txt").write_text("small")
    (root / "sub" / "same.txt").write_text("small")
    (root / "sub" / "deeper" / "ü.txt").write_text("names of all kinds")
    (root / ".hidden").write_text("not taken")
    os.symlink("sub/small.txt", root / "link")
    return root


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("what", ["", "large.bin", "one chunk.bin", "empty", "sub/small.txt", "link"])
def test_the_root_is_the_one_that_a_node_gives(tmp_path: Path, name: str, what: str) -> None:
    path = folder(tmp_path) / what
    with Node(tmp_path / "data") as node:
        *_, root = node.add([path], AddOptions(profile=profile(name)))
        with Tree.of(path, profile(name)) as tree:
            assert tree.cid == root.cid
            assert tree.name == path.name
            total = node.dag_stat([root.cid])
            assert tree.total() == Total(total.unique_blocks, total.total_bytes)


@pytest.mark.parametrize("name", PROFILES)
def test_every_block_is_given_again_as_its_cid_says(tmp_path: Path, name: str) -> None:
    with Tree.of(folder(tmp_path), profile(name)) as tree:
        waiting, seen = [tree.root], set[bytes]()
        while waiting:
            cid = waiting.pop()
            if cid in seen:
                continue
            seen.add(cid)
            given = CID.from_bytes(cid)
            assert CID.of(tree.block(cid), codec=given.codec).multihash == given.multihash
            waiting += tree.links(cid)
        assert len(seen) == tree.total().blocks


def test_what_changed_since_is_noticed_when_it_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"a" * 100_000)
    with Tree.of(path, profile()) as tree:
        path.write_bytes(b"b" * 100_000)
        with pytest.raises(SourceChanged, match=r"a\.bin has changed"):
            tree.block(tree.root)
        path.write_bytes(b"a" * 99_999)
        with pytest.raises(SourceChanged):
            tree.block(tree.root)
        path.unlink()
        with pytest.raises(SourceNotFound):
            tree.block(tree.root)


def test_hidden_and_ignored_names_are_left_out_as_add_leaves_them_out(tmp_path: Path) -> None:
    path = folder(tmp_path)
    options = AddOptions(hidden=True, ignore=("*.bin",), only_hash=True)
    with Node(tmp_path / "data") as node:
        *_, root = node.add([path], options)
    with Tree.of(path, profile(), hidden=True, ignore=["*.bin"]) as tree:
        assert tree.cid == root.cid


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    path = folder(tmp_path)
    seen: list[Progress] = []
    Tree.of(path, profile(), progress=seen.append).close()
    assert seen[-1].bytes_done == seen[-1].bytes_total == 3_500_000 + (1 << 20) + 5 + 5 + 18
    assert seen[-1].items_done == seen[-1].items_total


def test_wanted_blocks_keep_the_order_in_which_they_were_wanted(tmp_path: Path) -> None:
    with Tree.of(folder(tmp_path), profile()) as tree:
        children = tree.links(tree.root)
        assert tree.want(tree.root)
        assert tree.want(children[2])
        assert tree.want(children[0])
        assert not tree.want(children[2])
        assert [cid for cid, _ in tree.wanted()] == [tree.root, children[2], children[0]]
        tree.want_nothing()
        assert tree.wanted_total() == Total(0, 0)
