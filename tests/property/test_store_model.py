"""Any interleaving of add, import, pin, unpin, gc and block rm, of several processes, keeps what was acknowledged."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pinfold import Node
from pinfold.core.cid import CID
from tests.support.model_worker import Model

PROCESSES = 3
OPERATIONS = 120
SOAK_OPERATIONS = 5000
REPOSITORY = Path(__file__).parents[2]


def _require_the_sum(folder: Path, pins: dict[CID, list[int]]) -> None:
    """Everything pinned is here, everything agrees, and after a last gc nothing else is here."""
    with Node(folder) as node:
        assert {cid for cid, _ in node._store.pins.rows()} == pins.keys()
        for cid, chunks in pins.items():
            Model.require(node, cid, chunks)
        report = node.verify()
        assert report.ok, report.problems
        node.gc()
        wanted = {cid.multihash for cid in pins}
        for cid in pins:
            wanted |= {ref.cid.multihash for ref in node.refs(cid, recursive=True)}
        assert {cid.multihash for cid in node.refs_local()} == wanted
        report = node.verify()
        assert report.ok, report.problems
        assert node.repo_stat().segments <= PROCESSES + 2
    rebuilt = Node.rebuild(folder)
    assert rebuilt.pins == len(pins) and not rebuilt.lost_pins
    with Node(folder) as node:
        node.gc()  # dead bytes that no gc found worth a copy were found again
        assert {cid.multihash for cid in node.refs_local()} == wanted


def _run_processes(folder: Path, seed: int, operations: int) -> None:
    Node(folder).close()
    command = [sys.executable, "-m", "tests.support.model_worker", str(folder)]
    processes = [
        subprocess.Popen([*command, str(seed * 100 + number), str(operations)], stdout=subprocess.PIPE, cwd=REPOSITORY)
        for number in range(PROCESSES)
    ]
    pins: dict[CID, list[int]] = {}
    for process in processes:
        out, _ = process.communicate()
        assert process.returncode == 0
        for line in out.decode().splitlines():
            text, *chunks = line.split(" ")
            pins[CID.parse(text)] = [int(number) for number in chunks]
    _require_the_sum(folder, pins)


@pytest.mark.parametrize("seed", range(4))
def test_processes_side_by_side_lose_nothing(tmp_path: Path, seed: int) -> None:
    _run_processes(tmp_path / "data", seed, OPERATIONS)


@pytest.mark.parametrize("seed", range(4))
def test_threads_side_by_side_lose_nothing(tmp_path: Path, seed: int) -> None:
    failures: list[BaseException] = []
    with Node(tmp_path / "data") as node:
        models = [Model(node, seed * 100 + number) for number in range(PROCESSES)]

        def work(model: Model) -> None:
            try:
                for _ in range(OPERATIONS):
                    model.step()
            except BaseException as exc:  # noqa: BLE001 - told by the test itself
                failures.append(exc)

        threads = [threading.Thread(target=work, args=(model,)) for model in models]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not failures, failures
    _require_the_sum(tmp_path / "data", {cid: chunks for model in models for cid, chunks in model.pinned.items()})


@pytest.mark.parametrize("seed", range(20))
def test_one_after_the_other_leaves_just_what_the_model_says(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    models: list[Model] = []
    for number in range(3):
        with Node(tmp_path / "data") as node:  # opened again and again
            models.append(Model(node, seed * 100 + number))
            for _ in range(chance.randrange(40)):
                models[-1].step()
    _require_the_sum(tmp_path / "data", {cid: chunks for model in models for cid, chunks in model.pinned.items()})


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(4, 8))
def test_processes_side_by_side_for_long_lose_nothing(tmp_path: Path, seed: int) -> None:
    _run_processes(tmp_path / "data", seed, SOAK_OPERATIONS)
