"""A data folder and a database that do not belong together are refused: nothing kept is taken for forgotten."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pinfold.app.belonging import FILE_NAME
from pinfold.core.errors import WrongDatabase
from tests.support.platform import platform, run


def _start(data_dir: Path, *, upload: bool = False, database_url: str = "", token: str = "x") -> None:
    async def story() -> None:
        async with platform(data_dir, token=token, database_url=database_url) as running:
            if upload:
                record = await running.upload(b"to be kept")
                await running.until(record["cid"], "pinned")

    run(story())


def _used(data_dir: Path) -> Path:
    _start(data_dir, upload=True, token="")
    return data_dir


def test_the_two_that_belong_together_go_on_together(tmp_path: Path) -> None:
    _used(tmp_path / "data")
    _start(tmp_path / "data")


def test_a_new_database_beside_a_folder_that_keeps_content_is_refused(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    with pytest.raises(WrongDatabase, match="belongs to another database"):
        _start(data_dir, database_url=f"sqlite:///{tmp_path / 'new.sqlite3'}")
    _start(data_dir)


def test_a_database_with_pins_beside_another_folder_is_refused(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    with pytest.raises(WrongDatabase, match="belongs to another data folder"):
        _start(tmp_path / "other", database_url=f"sqlite:///{data_dir / 'platform.sqlite3'}")


def test_two_that_were_used_with_others_are_refused(tmp_path: Path) -> None:
    data_dir, other = _used(tmp_path / "data"), _used(tmp_path / "other")
    with pytest.raises(WrongDatabase, match="do not belong together"):
        _start(data_dir, database_url=f"sqlite:///{other / 'platform.sqlite3'}")


def test_whoever_removes_the_folder_s_id_begins_anew(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    (data_dir / FILE_NAME).unlink()
    _start(data_dir, database_url=f"sqlite:///{tmp_path / 'new.sqlite3'}", token="")


def test_a_start_that_was_killed_between_the_two_marks_is_gone_on_with(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    with sqlite3.connect(data_dir / "platform.sqlite3") as connection:
        connection.execute("DELETE FROM data_folders")
    connection.close()
    _start(data_dir)
    with pytest.raises(WrongDatabase):
        _start(data_dir, database_url=f"sqlite:///{tmp_path / 'new.sqlite3'}")
