"""Adding: one large file, and many small ones."""

from __future__ import annotations

from pathlib import Path

from bench.measure import Sample
from bench.model import Job, Results, Target, Workspace
from bench.programs import KuboRepo, OnFreshRepo, PinfoldRepo, Plain, Repo
from bench.sources import make_file, make_folder

GIB = 1 << 30
SMALL_FILES = 20_000
SMALL_BYTES = 4096
PER_FOLDER = 200


def big_file(space: Workspace, scale: float) -> Path:
    """A file of up to 1 GiB."""
    size = int(GIB * scale)
    return space.source(f"file-{size}", make_file, 1, size)


def one_big_file(space: Workspace, scale: float) -> Job:
    """Add one 1 GiB file, durable."""
    source = big_file(space, scale)

    def add(repo: Repo) -> Sample:
        return repo.run("add", "-Q", source, keep_output=True)

    name = "add-1g"
    return Job(
        name=name,
        title="add one 1 GiB file",
        amount=GIB * scale / (1 << 20),
        unit="MiB",
        contenders=[
            OnFreshRepo(PinfoldRepo(space.folder(f"{name}-pinfold")), add),
            Plain("cp + sync", 'cp "$1" "$2" && sync "$2"', space.folder(f"{name}-cp"), (source,)),
            OnFreshRepo(KuboRepo(space.folder(f"{name}-kubo")), add),
            OnFreshRepo(KuboRepo(space.folder(f"{name}-durable"), durable=True), add),
        ],
        targets=[
            Target("time of cp + sync", lambda r: r.seconds("pinfold") / r.seconds("cp + sync"), "at most", 1.25),
            Target("faster than durable Kubo", lambda r: r.faster_than("kubo durable"), "at least", 2.5),
            Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", 1.3),
            Target("peak memory", lambda r: r.peak_bytes("pinfold") / (1 << 20), "at most", 150, "MiB"),
        ],
        same_output=True,
    )


def many_small_files(space: Workspace, scale: float) -> Job:
    """Add 20,000 files of 4 KiB in folders of 200, catalogue included."""
    count = max(1, int(SMALL_FILES * scale))
    source = space.source(f"folder-{count}", make_folder, 2, count, SMALL_BYTES, PER_FOLDER)
    one = space.source(f"file-{SMALL_BYTES}", make_file, 3, SMALL_BYTES)

    def add(repo: Repo) -> Sample:
        return repo.run("add", "-r", "-Q", source, keep_output=True)

    def add_one(repo: Repo) -> Sample:
        return repo.run("add", "-Q", one)

    def files_per_second(results: Results) -> float:
        # Starting Python is measured by a job of its own; what one file costs is taken off as start-up here.
        # (Of a small part of the work it would be nearly all, or more: then a tenth is taken for the work.)
        whole = results.seconds("pinfold")
        return count / max(whole / 10, whole - results.seconds("pinfold, one file"))

    name = "add-20k"
    return Job(
        name=name,
        title="add 20,000 files of 4 KiB",
        amount=count,
        unit="files",
        contenders=[
            OnFreshRepo(PinfoldRepo(space.folder(f"{name}-pinfold")), add),
            OnFreshRepo(PinfoldRepo(space.folder(f"{name}-one")), add_one, name="pinfold, one file"),
            Plain("cp -r + sync", 'cp -r "$1" "$2" && sync -f "$2"', space.folder(f"{name}-cp"), (source,)),
            OnFreshRepo(KuboRepo(space.folder(f"{name}-kubo")), add),
            OnFreshRepo(KuboRepo(space.folder(f"{name}-durable"), durable=True), add),
        ],
        targets=[
            Target("files a second, start-up taken off", files_per_second, "at least", 40_000, "files/s"),
            Target("faster than durable Kubo", lambda r: r.faster_than("kubo durable"), "at least", 20),
            Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", 4),
        ],
        same_output=True,
    )
