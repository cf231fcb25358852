"""What a job is: contenders that do the same work, and targets that their figures are held against."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from bench.measure import Sample, elsewhere


class Contender(Protocol):
    """One way to do a job."""

    name: str

    def set_up(self) -> None:
        """Once, before the first run; not measured."""

    def before(self) -> None:
        """Before every run: all as it was; not measured."""

    def run(self) -> Sample:
        """Do the job once."""

    def tear_down(self) -> None:
        """Once, after the last run: leave nothing behind."""


@dataclass(frozen=True, slots=True)
class Results:
    """All runs of one job, by contender, in the order they ran."""

    samples: dict[str, list[Sample]]

    def seconds(self, contender: str) -> float:
        """Median wall clock of one contender."""
        return statistics.median(sample.seconds for sample in self.samples[contender])

    def peak_bytes(self, contender: str) -> int:
        """The worst peak memory of one contender."""
        return max(sample.peak_bytes for sample in self.samples[contender])

    def figure(self, contender: str, name: str) -> float:
        """Median of one more number of one contender."""
        return statistics.median(sample.figures[name] for sample in self.samples[contender])

    def worst(self, contender: str, name: str) -> float:
        """Maximum of one more number of one contender."""
        return max(sample.figures[name] for sample in self.samples[contender])

    def faster_than(self, other: str, contender: str = "pinfold") -> float:
        """How many times faster ``contender`` is than ``other``."""
        return self.seconds(other) / self.seconds(contender)


@dataclass(frozen=True, slots=True)
class Target:
    """A figure and what it should be."""

    text: str
    measure: Callable[[Results], float]
    sense: Literal["at least", "at most"]
    limit: float
    unit: str = "x"

    def met(self, value: float) -> bool:
        """Whether a measured value is good enough."""
        return value >= self.limit if self.sense == "at least" else value <= self.limit

    def missed_by(self, value: float) -> float:
        """How far a value is from the limit, as a part of the limit."""
        return abs(value - self.limit) / self.limit


@dataclass(frozen=True, slots=True)
class Job:
    """Work that several contenders do in turn: A B C A B C …, so that a slow minute hits all of them."""

    name: str
    title: str
    amount: float
    """How much work one run is, in ``unit``."""
    unit: str
    contenders: Sequence[Contender]
    targets: Sequence[Target] = field(default_factory=tuple)
    runs: int = 5
    same_output: bool = False
    """Whether all contenders that print a last line must print the same one (a CID)."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """The folder in which everything happens, with what several jobs share made once."""

    root: Path

    def folder(self, name: str) -> Path:
        """Where a contender of one job may write (not made yet)."""
        return self.root / "runs" / name

    def source(self, name: str, make: Callable[..., None], *arguments: object) -> Path:
        """A file or folder that ``make(path, *arguments)`` writes, once and in a process of its own."""
        path = self.root / "sources" / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            unfinished = path.with_name(path.name + ".unfinished")
            remove(unfinished)
            elsewhere(make, unfinished, *arguments)
            unfinished.rename(path)
        return path


JobMaker = Callable[[Workspace, float], Job]
"""Make a job in a workspace; 1.0 is the full work, 0.01 a hundredth of it."""


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
