"""Power cuts, simulated: unsynced writes dropped, torn and reordered; what was acknowledged is whole all the same."""

from __future__ import annotations

import io
import random
import shutil
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core.cid import CID
from pinfold.store import allocate, catalogue, compact, pace, pins, writer
from pinfold.store.layout import Layout
from tests.support.power import Recorder, Said, after_the_cut
from tests.support.store_worker import CHUNKED, car_of, content

CUTS = 80  # of each life: 240 together
SOAK_CUTS = 1500


class Life:
    """A node at work, recorded."""

    def __init__(self, folder: Path, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.chance = random.Random(seed)
        self.seed = seed * 1_000_000
        self.pinned: list[CID] = []
        with Node(folder) as node:
            node.pin_rm(node.add_bytes(b"before", CHUNKED))
            self.recorder = Recorder(folder)
            with patch.context() as small, self.recorder.recording(patch):
                for module, name, value in (
                    (writer, "BATCH_ROWS", 40),
                    (allocate, "BATCH_ROWS", 40),
                    (pace, "_FIRST_ROWS", 40),
                    (pace, "_LEAST_ROWS", 40),
                    (pace, "_MOST_ROWS", 40),
                    (writer, "_SYNC_BYTES", 100_000),
                    (writer, "_MAX_PENDING", 120),
                    (writer, "SEAL_BYTES", 400_000),
                    (compact, "SEAL_BYTES", 400_000),
                    (allocate, "SEAL_BYTES", 400_000),
                    (pins, "_COMPACT_BYTES", 2000),
                ):
                    small.setattr(module, name, value)
                for _ in range(35):
                    self.chance.choice((self.add, self.add, self.add, self.take, self.let_go, self.collect))(node)
                if seed == 0:  # gc counts names, so the journal is made anew only where there is much history
                    small.setattr(pins, "_LINE_BYTES", 1)
                self.collect(node)

    def add(self, node: Node) -> None:
        self.seed += 1
        size = self.chance.choice((50, 700, 20_000, 150_000))
        cid = node.add_bytes(content(self.seed, size), CHUNKED)
        self.recorder.say("pin", cid, self.seed, size)
        self.pinned.append(cid)

    def take(self, node: Node) -> None:
        self.seed += 1000
        blocks = self.chance.choice((2, 50, 300))
        root, data = car_of(self.seed, blocks)
        node.dag_import(io.BytesIO(data))
        self.recorder.say("import", root, self.seed, blocks)
        self.pinned.append(root)

    def let_go(self, node: Node) -> None:
        if self.pinned:
            cid = self.pinned.pop(self.chance.randrange(len(self.pinned)))
            self.recorder.say("!unpin", cid)
            node.pin_rm(cid)
            self.recorder.say("unpin", cid)

    def collect(self, node: Node) -> None:
        node.gc()


def _check(folder: Path, said: list[Said]) -> None:
    whole: dict[CID, tuple[str, int, int]] = {}
    gone = set()
    for (words,) in said:
        kind, cid, *rest = words
        if kind in ("pin", "import"):
            whole[cid] = (kind, *rest)
        elif kind == "!unpin":
            whole.pop(cid)
        else:
            gone.add(cid)
    with Node(folder) as node:
        here = {cid for cid, _ in node._store.pins.rows()}
        assert whole.keys() <= here
        assert not gone & here
        report = node.verify()
        assert report.ok, report.problems
        for cid, (kind, seed, size) in whole.items():
            if kind == "pin":
                assert b"".join(node.cat(cid)) == content(seed, size)
            else:
                assert node.dag_stat([cid]).unique_blocks == size + 1
        node.gc()
        node.add_bytes(b"life goes on")
        report = node.verify()
        assert report.ok, report.problems


def _cut_again_and_again(tmp_path: Path, patch: pytest.MonkeyPatch, seed: int, cuts: int) -> None:
    life = Life(tmp_path / "life", seed, patch)
    first = next(at for at, entry in enumerate(life.recorder.log) if isinstance(entry, Said))
    for number in range(cuts):
        chance = random.Random(f"{seed} {number}")
        at = chance.randrange(first, len(life.recorder.log) + 1)
        folder = tmp_path / "cut"
        said = after_the_cut(life.recorder, at, chance, folder)
        if number % 10:  # the disk kept the stamp; else the catalogue is checked by a child process
            _stamp(folder, patch)
        try:
            _check(folder, said)
        except BaseException as exc:
            exc.add_note(f"life {seed}, cut {number} after {at} operations: {life.recorder.log[at - 3 : at]!r:.2000}")
            raise
        shutil.rmtree(folder)


def _stamp(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Stamp the catalogue as it is."""
    with patch.context() as trusting:
        trusting.setattr(catalogue, "_child_believes", lambda *args, **others: True)
        catalogue.Catalogue(Layout(folder)).close()


@pytest.mark.parametrize("life", range(3))
def test_a_power_cut_loses_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: int
) -> None:
    _cut_again_and_again(tmp_path, monkeypatch, life, CUTS)


@pytest.mark.soak
@pytest.mark.parametrize("life", range(3, 9))
def test_thousands_of_power_cuts_lose_nothing_that_was_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, life: int
) -> None:
    _cut_again_and_again(tmp_path, monkeypatch, life, SOAK_CUTS)
