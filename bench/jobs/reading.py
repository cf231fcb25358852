"""Reading: content into a pipe, and every block once to see that it is whole."""

from __future__ import annotations

from bench.jobs.add import GIB, big_file
from bench.jobs.cars import SMALL_BLOCKS, small_blocks
from bench.measure import Sample
from bench.model import Job, Target, Workspace
from bench.programs import KuboRepo, OnFilledRepo, PinfoldRepo, Plain, Repo


def cat_into_a_pipe(space: Workspace, scale: float) -> Job:
    """Cat 1 GiB into a pipe."""
    source = big_file(space, scale)
    roots: dict[str, str] = {}

    def fill(repo: Repo) -> None:
        roots[repo.name] = repo.run("add", "-Q", source, keep_output=True).output

    def cat(repo: Repo) -> Sample:
        return repo.run("cat", roots[repo.name], through_pipe=True)

    name = "cat-1g"
    return Job(
        name=name,
        title="cat 1 GiB into a pipe",
        amount=GIB * scale / (1 << 20),
        unit="MiB",
        contenders=[
            OnFilledRepo(PinfoldRepo(space.folder(f"{name}-pinfold")), cat, fill),
            Plain("cat FILE", 'cat "$1" | cat >/dev/null', space.folder(f"{name}-cat"), (source,)),
            OnFilledRepo(KuboRepo(space.folder(f"{name}-kubo")), cat, fill),
        ],
        targets=[Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", 1.5)],
    )


def verify_small_blocks(space: Workspace, scale: float) -> Job:
    """``repo verify`` of 500,000 blocks of 1 KiB."""
    source = small_blocks(space, scale) / "1.car"

    def fill(repo: Repo) -> None:
        repo.run("dag", "import", source)

    def verify(repo: Repo) -> Sample:
        return repo.run("repo", "verify")

    name = "verify-500k"
    return Job(
        name=name,
        title="repo verify of 500,000 blocks",
        amount=SMALL_BLOCKS * scale,
        unit="blocks",
        contenders=[
            OnFilledRepo(PinfoldRepo(space.folder(f"{name}-pinfold")), verify, fill),
            OnFilledRepo(KuboRepo(space.folder(f"{name}-kubo")), verify, fill),
        ],
        targets=[Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", 2)],
        runs=3,
    )
