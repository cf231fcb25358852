"""Starting: what a person waits for when there is hardly anything to do."""

from __future__ import annotations

import os
from dataclasses import dataclass

from bench.jobs.add import SMALL_BYTES
from bench.measure import Sample
from bench.model import Job, Target, Workspace
from bench.programs import KuboRepo, OnFilledRepo, OnFreshRepo, PinfoldRepo, Repo, nothing
from bench.sources import make_file


@dataclass(slots=True)
class Words:
    """The same question in each program's words."""

    pinfold: tuple[str | os.PathLike[str], ...]
    kubo: tuple[str | os.PathLike[str], ...]

    def ask(self, repo: Repo) -> Sample:
        """Run it."""
        return repo.run(*(self.pinfold if isinstance(repo, PinfoldRepo) else self.kubo))


def version(space: Workspace, scale: float) -> Job:
    """``pinfold --version``."""
    words = Words(("--version",), ("version",))
    return Job(
        name="start",
        title="--version",
        amount=1,
        unit="command",
        contenders=[
            OnFilledRepo(PinfoldRepo(space.folder("start-pinfold")), words.ask, nothing),
            OnFilledRepo(KuboRepo(space.folder("start-kubo")), words.ask, nothing),
        ],
        targets=[Target("whole process", lambda r: r.seconds("pinfold") * 1000, "at most", 120, "ms")],
        runs=11,
    )


def add_one_small_file(space: Workspace, scale: float) -> Job:
    """``pinfold add`` of one small file, into a repository that is there and into none."""
    source = space.source(f"file-{SMALL_BYTES}", make_file, 3, SMALL_BYTES)
    other = space.source("file-100", make_file, 6, 100)
    words = Words(("add", "-Q", source), ("add", "-Q", source))

    def have_something(repo: Repo) -> None:
        repo.run("add", "-Q", other)

    return Job(
        name="start-add",
        title="add one small file",
        amount=1,
        unit="command",
        contenders=[
            OnFreshRepo(PinfoldRepo(space.folder("start-add-pinfold")), words.ask, have_something),
            OnFreshRepo(PinfoldRepo(space.folder("start-add-new")), words.ask, name="pinfold, new data folder"),
            OnFreshRepo(KuboRepo(space.folder("start-add-kubo")), words.ask, have_something),
            OnFreshRepo(KuboRepo(space.folder("start-add-durable"), durable=True), words.ask, have_something),
        ],
        targets=[Target("whole process", lambda r: r.seconds("pinfold") * 1000, "at most", 300, "ms")],
        runs=11,
    )
