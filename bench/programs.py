"""The programs that are compared: how each is called and how it gets a fresh repository."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.kubo import Kubo

from bench.measure import Sample, run
from bench.model import remove

PINFOLD = Path(sys.executable).parent / "pinfold"


@dataclass(slots=True)
class PinfoldRepo:
    """Pinfold with a data folder of its own."""

    home: Path
    name: str = "pinfold"

    def fresh(self) -> None:
        """An empty data folder."""
        remove(self.home)
        self.home.parent.mkdir(parents=True, exist_ok=True)

    def remove(self) -> None:
        """Nothing left of it."""
        remove(self.home)

    def run(
        self,
        *words: str | os.PathLike[str],
        stdout: Path | None = None,
        through_pipe: bool = False,
        keep_output: bool = False,
    ) -> Sample:
        """One measured ``pinfold`` command."""
        environment = dict(os.environ, PINFOLD_DATA_DIR=str(self.home))
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed program has its modules compiled
        return run(
            [PINFOLD, *words],
            environment=environment,
            stdout=stdout,
            through_pipe=through_pipe,
            keep_output=keep_output,
        )


@dataclass(slots=True)
class KuboRepo:
    """Kubo with a repository of its own: as it comes, or durable (every block synced before it counts).

    Imports follow unixfs-v1-2025 in both, so that the work and the CIDs are Pinfold's.
    """

    home: Path
    durable: bool = False
    name: str = ""
    node: Kubo | None = None

    def __post_init__(self) -> None:
        self.name = self.name or ("kubo durable" if self.durable else "kubo")

    def fresh(self) -> None:
        """An empty repository."""
        self.remove()
        self.node = Kubo(self.home)
        self.node.run("config", "profile", "apply", "unixfs-v1-2025")
        if self.durable:
            self.node.sync_blocks()

    def remove(self) -> None:
        """Nothing left of it; a daemon of it ends."""
        if self.node is not None:
            self.node.stop()
            self.node = None
        remove(self.home)

    def run(
        self,
        *words: str | os.PathLike[str],
        stdout: Path | None = None,
        through_pipe: bool = False,
        keep_output: bool = False,
    ) -> Sample:
        """One measured ``ipfs`` command."""
        assert self.node is not None, "fresh() first"
        return run(
            [self.node.ipfs, *words],
            environment=self.node.environment,
            stdout=stdout,
            through_pipe=through_pipe,
            keep_output=keep_output,
        )


Repo = PinfoldRepo | KuboRepo


def nothing(repo: Repo) -> None:
    """Prepare nothing."""


@dataclass(slots=True)
class OnFreshRepo:
    """A contender whose every run begins with an empty repository (and ``prepare``)."""

    repo: Repo
    work: Callable[[Repo], Sample]
    prepare: Callable[[Repo], None] = nothing
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or self.repo.name

    def set_up(self) -> None:
        pass

    def before(self) -> None:
        self.repo.fresh()
        self.prepare(self.repo)

    def run(self) -> Sample:
        return self.work(self.repo)

    def tear_down(self) -> None:
        self.repo.remove()


@dataclass(slots=True)
class OnFilledRepo:
    """A contender whose runs only read, from a repository that was filled once."""

    repo: Repo
    work: Callable[[Repo], Sample]
    fill: Callable[[Repo], None]
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or self.repo.name

    def set_up(self) -> None:
        self.repo.fresh()
        self.fill(self.repo)

    def before(self) -> None:
        pass

    def run(self) -> Sample:
        return self.work(self.repo)

    def tear_down(self) -> None:
        self.repo.remove()


@dataclass(slots=True)
class Plain:
    """A contender that is a shell line: what the machine can do at all.  ``{out}`` is a path of its own."""

    name: str
    line: str
    out: Path
    words: tuple[str | os.PathLike[str], ...] = field(default_factory=tuple)

    def set_up(self) -> None:
        self.out.parent.mkdir(parents=True, exist_ok=True)

    def before(self) -> None:
        remove(self.out)

    def run(self) -> Sample:
        return run(["sh", "-c", self.line, "sh", *self.words, self.out])

    def tear_down(self) -> None:
        remove(self.out)
