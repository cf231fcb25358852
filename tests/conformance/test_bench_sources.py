"""The CARs that the bench makes are what Kubo would make of the same bytes."""

from __future__ import annotations

from pathlib import Path

import pytest
from bench.sources import make_file_car, make_mixed_car, make_root_cars, make_two_cars

from tests.support.kubo import Kubo

# 1,025 leaves take a second level above the first; the other counts stand beside that border and at the least.
COUNTS = [1, 2, 1024, 1025]


@pytest.mark.parametrize("count", COUNTS)
def test_a_generated_car_is_what_kubo_exports_of_the_same_file(kubo: Kubo, tmp_path: Path, count: int) -> None:
    make_file_car(tmp_path / "cars", 100 + count, count, 1024)
    root = (tmp_path / "cars" / "roots").read_text().strip()
    car = tmp_path / "cars" / "1.car"
    kubo.run("dag", "import", car)
    content = kubo.run("cat", root)
    flags = ("--cid-version=1", "--chunker=size-1024", "--max-file-links=1024")
    if count > 1:  # of a single chunk Kubo makes no node above it
        assert kubo.add_bytes(content, *flags) == root
    assert kubo.run("dag", "export", root) == car.read_bytes()


def test_a_mixed_car_holds_the_dags_of_two_cars(kubo: Kubo, tmp_path: Path) -> None:
    make_two_cars(tmp_path / "two", 200, 1500, 1024)
    make_mixed_car(tmp_path / "mixed", 200, 1500, 1024)
    assert (tmp_path / "two" / "roots").read_text() == (tmp_path / "mixed" / "roots").read_text()
    kubo.run("dag", "import", tmp_path / "mixed" / "1.car")
    for number, root in enumerate((tmp_path / "two" / "roots").read_text().split(), 1):
        assert kubo.run("dag", "export", root) == (tmp_path / "two" / f"{number}.car").read_bytes()


def test_every_block_of_a_root_car_is_a_root(kubo: Kubo, tmp_path: Path) -> None:
    make_root_cars(tmp_path / "roots", 300, 50)
    roots = set((tmp_path / "roots" / "roots").read_text().split())
    kubo.run("dag", "import", tmp_path / "roots" / "001.car")
    pinned = set(kubo.text("pin", "ls", "--type=recursive", "-q").split())
    assert len(roots) == 50
    assert roots <= pinned
