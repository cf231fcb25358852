"""``kill -9`` at random moments: what was acknowledged is whole, and the next command works at once."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core.cid import CID
from tests.support.store_worker import Nursery, content

TASKS = ("add", "import_car", "collect", "turn_over", "any")
KILLS = 45  # of each task: 225 together
SOAK_KILLS = 1000
LIFE_S = 0.12  # the longest life of a worker behind its start
NEXT_COMMAND_S = 5  # far more than it takes, on the slowest machine
GENERATIONS = 12  # workers on one data folder, one after the other


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    found = Nursery()
    yield found
    found.close()


class Oracle:
    """What was acknowledged on one data folder."""

    def __init__(self) -> None:
        self.pinned: dict[str, tuple[str, int, int]] = {}
        self.unpinned: set[str] = set()

    def hear(self, lines: list[str]) -> None:
        """Take note of what a worker said before it died."""
        for line in lines:
            kind, *words = line.split(" ")
            if kind in ("pin", "import"):
                self.pinned[words[0]] = (kind, int(words[1]), int(words[2]))
            elif kind == "!unpin":  # until it is acknowledged, both outcomes are right
                self.pinned.pop(words[0])
            elif kind == "unpin":
                self.unpinned.add(words[0])

    def check(self, node: Node) -> None:
        """Every acknowledged CID is whole, and nothing that was let go of is back."""
        pins = {str(cid) for cid, _ in node._store.pins.rows()}
        assert self.pinned.keys() <= pins
        assert not self.unpinned & pins
        for text, (kind, seed, size) in self.pinned.items():
            if kind == "pin":
                assert b"".join(node.cat(text)) == content(seed, size)
            else:
                assert node.dag_stat([text]).unique_blocks == size + 1
                leaf = content(seed + size - 1, 512)
                assert node.block_get(CID.of(leaf)) == leaf


def _kill_again_and_again(nursery: Nursery, folder: Path, task: str, kills: int) -> None:
    chance = random.Random(f"{task} {kills}")
    oracle, data, acknowledged = Oracle(), folder, 0
    for number in range(kills):
        if number % GENERATIONS == 0:
            oracle, data = Oracle(), folder / str(number)
        nursery.start(data, number + 1, task)
        time.sleep(chance.uniform(0, LIFE_S))
        said = nursery.kill()
        oracle.hear(said)
        acknowledged += len(said)
        begun = time.monotonic()
        with Node(data) as node:
            node.add_bytes(b"the next command, %d" % number)
            assert time.monotonic() - begun < NEXT_COMMAND_S
            oracle.check(node)
            report = node.verify()
            assert report.ok, report.problems
    assert acknowledged > kills // 4  # else the lives were too short to prove anything


@pytest.mark.parametrize("task", TASKS)
def test_what_was_acknowledged_survives_kills(nursery: Nursery, tmp_path: Path, task: str) -> None:
    _kill_again_and_again(nursery, tmp_path, task, KILLS)


@pytest.mark.soak
@pytest.mark.parametrize("task", TASKS)
def test_what_was_acknowledged_survives_thousands_of_kills(nursery: Nursery, tmp_path: Path, task: str) -> None:
    _kill_again_and_again(nursery, tmp_path, task, SOAK_KILLS)
