"""The catalogue's environment."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pinfold.node import Node


def test_a_catalogue_that_is_opened_again_serves_many_threads_at_once(tmp_path: Path) -> None:
    """A table's handle must outlive the transaction that it was opened in."""
    with Node(tmp_path / "data") as node:
        cid = node.add_bytes(b"once")
    for _ in range(20):
        with Node(tmp_path / "data") as node, ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda _: node.block_get(cid), range(40))) == [b"once"] * 40
