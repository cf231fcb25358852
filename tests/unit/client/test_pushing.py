"""What a push asks and sends."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pinfold.client import Server, push
from pinfold.client.pushing import find_missing
from pinfold.client.tree import Tree
from pinfold.core.car import CarReader
from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput, QuotaExceeded
from pinfold.unixfs.profile import profile


class Shelf:
    """Answers as a server that has some blocks, and takes CARs."""

    def __init__(self) -> None:
        self.has: set[str] = set()
        self.asked: list[list[str]] = []
        self.cars: list[list[str]] = []
        self.refusals: list[Exception] = []

    def missing(self, cids: list[str], *, root: str) -> list[str]:
        self.asked.append(list(cids))
        return [cid for cid in cids if cid not in self.has]

    def upload_car(self, car: Iterator[bytes], size_bytes: int, query: dict[str, Any]) -> list[dict[str, Any]]:
        data = b"".join(car)
        assert len(data) == size_bytes
        if self.refusals:
            raise self.refusals.pop()
        opened = CarReader(io.BytesIO(data))
        self.cars.append([str(CID.from_bytes(record.cid)) for record in opened])
        self.has |= set(self.cars[-1])
        return [{"id": "1", **query}]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    for folder in range(20):
        (tmp_path / "site" / str(folder)).mkdir(parents=True)
        for file in range(10):
            (tmp_path / "site" / str(folder) / f"{file}.txt").write_text(f"{folder} {file}")
    return tmp_path / "site"


def pushed(shelf: Shelf, path: Path) -> tuple[int, int]:
    with Tree.of(path, profile()) as tree:
        done = push(_as_server(shelf), tree, query={"name": "x"})
        assert done.record["name"] == "x"
        return done.sent.blocks, done.whole.blocks


def _as_server(shelf: Shelf) -> Server:
    return shelf  # type: ignore[return-value]  # two of its calls are all that a push makes


def test_the_first_push_sends_all_and_the_second_nothing(site: Path) -> None:
    shelf = Shelf()
    assert pushed(shelf, site) == (221, 221)
    shelf.asked.clear()
    assert pushed(shelf, site) == (0, 221)
    assert [len(asked) for asked in shelf.asked] == [1]
    assert shelf.cars[-1] == []


def test_after_one_changed_file_only_its_path_is_sent(site: Path) -> None:
    shelf = Shelf()
    pushed(shelf, site)
    (site / "7" / "3.txt").write_text("changed")
    shelf.asked.clear()
    assert pushed(shelf, site) == (3, 221)
    with Tree.of(site, profile()) as tree:
        assert shelf.cars[-1][0] == str(tree.cid)
    assert shelf.cars[-1][-1] == str(CID.of(b"changed"))
    assert sum(map(len, shelf.asked)) == 1 + 20 + 10


def test_a_question_has_at_most_so_many_cids(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.client.pushing.MOST_ASKED", 7)
    asked: list[str] = []

    def ask(cids: list[str]) -> list[str]:
        assert len(cids) <= 7
        asked.extend(cids)
        return cids

    with Tree.of(site, profile()) as tree:
        find_missing(tree, ask)
        assert tree.wanted_total() == tree.total()
    assert len(asked) == 221


def test_an_answer_that_names_what_was_not_asked_changes_nothing(site: Path) -> None:
    with Tree.of(site, profile()) as tree:
        find_missing(tree, lambda cids: [str(CID.of(b"stranger"))])
        assert tree.wanted_total().blocks == 0


def test_what_disappeared_meanwhile_is_asked_for_once_more(site: Path) -> None:
    shelf = Shelf()
    pushed(shelf, site)
    shelf.has.clear()
    shelf.refusals = [InvalidInput("block missing")]
    assert pushed(shelf, site) == (221, 221)


@pytest.mark.parametrize(
    "refusals", [lambda: [InvalidInput("no"), InvalidInput("no")], lambda: [QuotaExceeded("full")]]
)
def test_a_refusal_that_stays_is_the_answer(site: Path, refusals: Callable[[], list[Exception]]) -> None:
    shelf = Shelf()
    shelf.refusals = refusals()
    with pytest.raises((InvalidInput, QuotaExceeded)):
        pushed(shelf, site)
    assert not shelf.cars
