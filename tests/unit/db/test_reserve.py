"""On a full disk a delete may use room that is held for it, and nothing else may."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from pinfold.core.errors import StoreFull
from pinfold.db import Database
from pinfold.db.reserve import SIZE_BYTES, Reserve

GROWING = "CREATE TABLE more AS SELECT zeroblob(4000000) AS a"  # more than the pages that migrations left free


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    database.hold_reserve()
    yield database
    database.close()


@pytest.fixture
def held(tmp_path: Path) -> Path:
    return tmp_path / "platform.sqlite3-reserve"


class Growing:
    """A write that SQLite itself refuses, as on a full disk, for as long as the reserve is held."""

    def __init__(self, held: Path) -> None:
        self.held = held
        self.runs = 0

    def __call__(self, session: Session) -> str:
        self.runs += 1
        pages = session.scalar(text("PRAGMA page_count"))
        session.execute(text(f"PRAGMA max_page_count = {pages if self.held.exists() else 1 << 30}"))
        session.execute(text(GROWING))
        return "done"


def test_the_reserve_takes_room_once_and_gives_it_back_once(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "x.sqlite3")
    held = tmp_path / "x.sqlite3-reserve"
    assert held.stat().st_blocks * 512 >= SIZE_BYTES
    assert [path.name for path in tmp_path.iterdir()] == [held.name]
    assert reserve.let_go()
    assert not reserve.let_go()
    Reserve(tmp_path / "x.sqlite3")  # as the next start does
    assert held.exists()


def test_a_delete_on_a_full_disk_is_carried_out_with_the_reserve(database: Database, held: Path) -> None:
    write = Growing(held)
    assert asyncio.run(database.everybody.give_back(write)) == "done"
    assert write.runs == 2
    assert not held.exists()


def test_a_delete_with_room_leaves_the_reserve(database: Database, held: Path) -> None:
    assert asyncio.run(database.everybody.give_back(lambda session: session.scalar(text("SELECT 1")))) == 1
    assert held.exists()


def test_any_other_write_on_a_full_disk_is_refused_and_leaves_the_reserve(database: Database, held: Path) -> None:
    write = Growing(held)
    with pytest.raises(StoreFull):
        asyncio.run(database.everybody.write(write))
    assert write.runs == 1
    assert held.exists()


def test_a_delete_beside_other_writes_on_a_full_disk_is_the_one_that_is_carried_out(
    database: Database, held: Path
) -> None:
    async def both() -> tuple[object, object]:
        other = asyncio.create_task(database.everybody.write(Growing(held)))
        delete = asyncio.create_task(database.everybody.give_back(Growing(held)))
        done = await asyncio.gather(other, delete, return_exceptions=True)
        return done[0], done[1]

    other, delete = asyncio.run(both())
    assert isinstance(other, StoreFull)
    assert delete == "done"


def test_a_second_delete_without_the_reserve_says_that_the_disk_is_full(database: Database, held: Path) -> None:
    def full(session: Session) -> None:
        session.execute(text(f"PRAGMA max_page_count = {session.scalar(text('PRAGMA page_count'))}"))
        session.execute(text(GROWING))

    for _ in range(2):
        with pytest.raises(StoreFull, match="disk is full"):
            asyncio.run(database.everybody.give_back(full))
    assert not held.exists()
