"""CARs: in, verified and pinned, and out again."""

from __future__ import annotations

from pathlib import Path

from bench.measure import Sample
from bench.model import Job, Target, Workspace
from bench.programs import KuboRepo, OnFilledRepo, OnFreshRepo, PinfoldRepo, Plain, Repo
from bench.sources import make_file_car

MIB = 1 << 20
BIG_BLOCKS = 1024
SMALL_BLOCKS = 500_000
SMALL_BYTES = 1024


def big_blocks(space: Workspace, scale: float) -> Path:
    """A folder with ``1.car`` (blocks of 1 MiB, up to 1 GiB) and ``roots``."""
    count = max(1, int(BIG_BLOCKS * scale))
    return space.source(f"car-1m-{count}", make_file_car, 4, count, MIB)


def small_blocks(space: Workspace, scale: float) -> Path:
    """A folder with ``1.car`` (up to 500,000 blocks of 1 KiB) and ``roots``."""
    count = max(1, int(SMALL_BLOCKS * scale))
    return space.source(f"car-1k-{count}", make_file_car, 5, count, SMALL_BYTES)


def root_of(source: Path) -> str:
    """The first root of a generated CAR."""
    return (source / "roots").read_text().split()[0]


def import_big_blocks(space: Workspace, scale: float) -> Job:
    """Import a 1 GiB CAR, verified."""
    source = big_blocks(space, scale) / "1.car"

    def bring(repo: Repo) -> Sample:
        return repo.run("dag", "import", source)

    name = "import-1g"
    return Job(
        name=name,
        title="import a 1 GiB CAR, verified and pinned",
        amount=BIG_BLOCKS * scale,
        unit="MiB",
        contenders=[
            OnFreshRepo(PinfoldRepo(space.folder(f"{name}-pinfold")), bring),
            Plain("cp + sync", 'cp "$1" "$2" && sync "$2"', space.folder(f"{name}-cp"), (source,)),
            OnFreshRepo(KuboRepo(space.folder(f"{name}-kubo")), bring),
            OnFreshRepo(KuboRepo(space.folder(f"{name}-durable"), durable=True), bring),
        ],
        targets=[Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", 2)],
    )


def import_small_blocks(space: Workspace, scale: float) -> Job:
    """Import a CAR of 500,000 blocks of 1 KiB, pinned."""
    source = small_blocks(space, scale) / "1.car"

    def bring(repo: Repo) -> Sample:
        return repo.run("dag", "import", source)

    name = "import-500k"
    return Job(
        name=name,
        title="import a CAR of 500,000 blocks of 1 KiB, pinned",
        amount=SMALL_BLOCKS * scale,
        unit="blocks",
        contenders=[
            OnFreshRepo(PinfoldRepo(space.folder(f"{name}-pinfold")), bring),
            Plain("cp + sync", 'cp "$1" "$2" && sync "$2"', space.folder(f"{name}-cp"), (source,)),
            OnFreshRepo(KuboRepo(space.folder(f"{name}-kubo")), bring),
        ],
        targets=[Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", 6)],
        runs=3,  # Kubo takes about 20 s each time
    )


def export_big_blocks(space: Workspace, scale: float) -> Job:
    """Export a 1 GiB CAR into a file."""
    source = big_blocks(space, scale)
    root = root_of(source)
    car = source / "1.car"
    name = "export-1g"
    out = space.folder(f"{name}-out.car")

    def fill(repo: Repo) -> None:
        repo.run("dag", "import", car)

    def send(repo: Repo) -> Sample:
        sample = repo.run("dag", "export", root, stdout=out)
        sample.figures["bytes"] = out.stat().st_size
        out.unlink()
        return sample

    return Job(
        name=name,
        title="export a 1 GiB CAR into a file",
        amount=BIG_BLOCKS * scale,
        unit="MiB",
        contenders=[
            OnFilledRepo(PinfoldRepo(space.folder(f"{name}-pinfold")), send, fill),
            Plain("cp", 'cp "$1" "$2"', space.folder(f"{name}-cp"), (car,)),
            OnFilledRepo(KuboRepo(space.folder(f"{name}-kubo")), send, fill),
        ],
        targets=[Target("faster than Kubo", lambda r: r.faster_than("kubo"), "at least", 6)],
    )
