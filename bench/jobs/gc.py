"""Collecting garbage while small adds go on beside it."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.jobs.cars import SMALL_BYTES
from bench.measure import BenchFailed, Sample
from bench.model import Job, Results, Target, Workspace, remove
from bench.programs import KuboRepo, PinfoldRepo, Repo
from bench.sources import make_mixed_car, make_two_cars

HALF = 500_000  # blocks that stay, and as many that go
IDLE_ADDS = 5


class Adder:
    """Small adds, one after the other, each with content of its own."""

    def __init__(self, repo: Repo, folder: Path) -> None:
        self._repo = repo
        self._folder = folder
        self._made = 0
        self.waits: list[float] = []
        self.failures: list[str] = []
        remove(folder)
        folder.mkdir(parents=True)

    def add(self) -> float:
        """Seconds that one add took."""
        self._made += 1
        source = self._folder / f"{self._made}.txt"
        source.write_text(f"small add {self._made} of {time.time_ns()}\n")
        return self._repo.run("add", "-Q", source).seconds

    def until(self, done: threading.Event) -> None:
        """Add until ``done``, noting every wait."""
        while not done.is_set():
            try:
                self.waits.append(self.add())
            except BenchFailed as exc:
                self.failures.append(str(exc))
                return


@dataclass(slots=True)
class Collector:
    """``repo gc`` of a repository in which half of all blocks lost their pin."""

    repo: Repo
    source: Path
    beside: bool
    """Whether adds go on meanwhile.  Kubo then runs as a daemon: its commands alone refuse to run side by side."""
    name: str = ""
    adder: Adder | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.name = self.name or self.repo.name

    def set_up(self) -> None:
        pass

    def before(self) -> None:
        self.repo.fresh()
        for car in sorted(self.source.glob("*.car")):
            self.repo.run("dag", "import", car)
        _, garbage = (self.source / "roots").read_text().split()
        self.repo.run("pin", "rm", garbage)
        self.adder = Adder(self.repo, self.repo.home.with_name(self.repo.home.name + "-adds"))
        if self.beside and isinstance(self.repo, KuboRepo) and self.repo.node is not None:
            self.repo.node.start_daemon("--offline")

    def run(self) -> Sample:
        assert self.adder is not None
        words = ("repo", "gc", "--silent") if isinstance(self.repo, KuboRepo) else ("repo", "gc")
        if not self.beside:
            return self.repo.run(*words)
        idle = [self.adder.add() for _ in range(IDLE_ADDS)]
        done = threading.Event()
        thread = threading.Thread(target=self.adder.until, args=(done,))
        thread.start()
        try:
            sample = self.repo.run(*words)
        finally:
            done.set()
            thread.join()
        if self.adder.failures:
            raise BenchFailed(f"an add beside gc failed: {self.adder.failures[0]}")
        sample.figures["adds"] = len(self.adder.waits)
        sample.figures["idle add ms"] = statistics.median(idle) * 1000
        sample.figures["median add ms"] = statistics.median(self.adder.waits) * 1000
        sample.figures["longest add ms"] = max(self.adder.waits) * 1000
        return sample

    def tear_down(self) -> None:
        self.repo.remove()
        remove(self.repo.home.with_name(self.repo.home.name + "-adds"))


def collecting(space: Workspace, name: str, title: str, source: Path, amount: int, times: float) -> Job:
    """A gc job over generated CARs."""

    def longest_extra_wait(results: Results) -> float:
        return results.worst("pinfold", "longest add ms") - results.figure("pinfold", "idle add ms")

    return Job(
        name=name,
        title=title,
        amount=amount,
        unit="blocks",
        contenders=[
            Collector(PinfoldRepo(space.folder(f"{name}-pinfold")), source, beside=True),
            Collector(PinfoldRepo(space.folder(f"{name}-quiet")), source, beside=False, name="pinfold, no adds"),
            Collector(KuboRepo(space.folder(f"{name}-kubo")), source, beside=False, name="kubo, no adds"),
            Collector(KuboRepo(space.folder(f"{name}-daemon")), source, beside=True, name="kubo daemon"),
        ],
        targets=[
            Target(
                "faster than Kubo (which has no adds beside it)",
                lambda r: r.faster_than("kubo, no adds"),
                "at least",
                times,
            ),
            Target("longest wait of an add for gc", longest_extra_wait, "at most", 250, "ms"),
        ],
        runs=3,  # a million blocks go into each of four repositories before every round
    )


def garbage_together(space: Workspace, scale: float) -> Job:
    """Half of 1,000,000 blocks is garbage, and lies together."""
    count = max(1, int(HALF * scale))
    source = space.source(f"gc-two-{count}", make_two_cars, 10, count, SMALL_BYTES)
    title = "gc of 1,000,000 blocks, half garbage, lying together, adds beside it"
    return collecting(space, "gc-together", title, source, 2 * count, 10)


def garbage_mixed(space: Workspace, scale: float) -> Job:
    """Half of 1,000,000 blocks is garbage, every other one."""
    count = max(1, int(HALF * scale))
    source = space.source(f"gc-mixed-{count}", make_mixed_car, 20, count, SMALL_BYTES)
    title = "gc of 1,000,000 blocks, half garbage, mixed block by block, adds beside it"
    return collecting(space, "gc-mixed", title, source, 2 * count, 3)
