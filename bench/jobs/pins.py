"""Pinning, unpinning and listing, with ever more pins already there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from bench.measure import Sample
from bench.model import Job, Results, Target, Workspace
from bench.programs import PinfoldRepo
from bench.sources import make_root_cars

NUMBERS = (1_000, 100_000, 1_000_000)
AT_ONCE = 2_000  # CIDs on one command line, so that starting the process can be told from the work


@dataclass(slots=True)
class Pinset:
    """A data folder with ``number`` pins; a run pins 2,000 more, lists everything and unpins the 2,000 again."""

    repo: PinfoldRepo
    pinned: Path
    loose: Path
    number: int
    name: str = ""
    cids: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name = f"{self.number:,} pins"

    def set_up(self) -> None:
        self.repo.fresh()
        self.repo.run("dag", "import", *sorted(self.pinned.glob("*.car")))
        self.repo.run("dag", "import", "--no-pin-roots", *sorted(self.loose.glob("*.car")))
        self.cids = (self.loose / "roots").read_text().split()

    def before(self) -> None:
        pass

    def run(self) -> Sample:
        first, *others = self.cids
        one = self.repo.run("pin", "add", first).seconds
        many = self.repo.run("pin", "add", *others).seconds
        listing = self.repo.run("pin", "ls", "--type", "recursive")
        one_less = self.repo.run("pin", "rm", first).seconds
        many_less = self.repo.run("pin", "rm", *others).seconds
        extra = len(others) - 1
        sample = Sample(one + many + listing.seconds + one_less + many_less, listing.peak_bytes)
        sample.figures = {
            "pin us": max(0.0, many - one) / extra * 1e6,
            "unpin us": max(0.0, many_less - one_less) / extra * 1e6,
            # A short list is all start-up, so that is taken off by the command that only pins one.
            "list us": max(0.0, listing.seconds - min(one, one_less)) / self.number * 1e6,
            "one pin ms": one * 1000,
            "one unpin ms": one_less * 1000,
        }
        return sample

    def tear_down(self) -> None:
        self.repo.remove()


def growth(figure: str, most: int, fewest: int) -> Callable[[Results], float]:
    """How many times more one operation costs with the most pins than with the fewest."""

    def measure(results: Results) -> float:
        return results.figure(f"{most:,} pins", figure) / max(1e-9, results.figure(f"{fewest:,} pins", figure))

    return measure


def at_growing_numbers(space: Workspace, scale: float) -> Job:
    """Pin, unpin and list at 1,000, 100,000 and 1,000,000 pins."""
    numbers = tuple(max(100, int(number * scale)) for number in NUMBERS)
    loose = space.source(f"loose-{AT_ONCE}", make_root_cars, 30, AT_ONCE)
    contenders = []
    for number in numbers:
        pinned = space.source(f"pins-{number}", make_root_cars, 31, number)
        repo = PinfoldRepo(space.folder(f"pins-{number}"))
        contenders.append(Pinset(repo, pinned, loose, number))
    few, more, most = numbers
    what = f"{most:,} pins against {few:,}"
    # To list 1,000 pins is all start-up: there is nothing to divide by.
    listing = f"{most:,} pins against {more:,}"
    return Job(
        name="pins",
        title="pin, unpin and list with ever more pins there",
        amount=numbers[-1],
        unit="pins",
        contenders=contenders,
        targets=[
            Target(f"time to pin one, {what}", growth("pin us", most, few), "at most", 2),
            Target(f"time to unpin one, {what}", growth("unpin us", most, few), "at most", 2),
            Target(f"time to list one, {listing}", growth("list us", most, more), "at most", 2),
            Target(f"`pin add` of one, {what}", growth("one pin ms", most, few), "at most", 2),
            Target(f"`pin rm` of one, {what}", growth("one unpin ms", most, few), "at most", 2),
        ],
        runs=5,
    )
