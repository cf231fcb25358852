"""A data folder and a database that do not belong together are refused: nothing kept is taken for forgotten."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from pinfold.app.belonging import FILE_NAME
from pinfold.core.errors import WrongDatabase
from pinfold.node import Node
from tests.support.platform import platform, run


def _start(
    data_dir: Path,
    *,
    upload: bool = False,
    database_url: str = "",
    token: str = "x",
    content: bytes = b"to be kept",
) -> None:
    async def story() -> None:
        async with platform(data_dir, token=token, database_url=database_url) as running:
            if upload:
                record = await running.upload(content)
                await running.until(record["cid"], "pinned")

    run(story())


def _used(data_dir: Path) -> Path:
    _start(data_dir, upload=True, token="")
    return data_dir


def _forget_folder(data_dir: Path) -> None:
    """Make the database as one that was never told which folder it belongs to."""
    with sqlite3.connect(data_dir / "platform.sqlite3") as connection:
        connection.execute("DELETE FROM data_folders")
    connection.close()


def _kept(data_dir: Path) -> set[str]:
    with Node(data_dir) as node:
        return {str(pin.cid) for pin in node.pin_ls()}


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


def test_a_new_database_beside_a_folder_whose_id_is_lost_is_refused_and_nothing_is_unpinned(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    before = _kept(data_dir)
    (data_dir / FILE_NAME).unlink()
    for _ in range(2):
        with pytest.raises(WrongDatabase, match="belongs to another database"):
            _start(data_dir, database_url=f"sqlite:///{tmp_path / 'new.sqlite3'}", token="")
    assert _kept(data_dir) == before != set()
    _start(data_dir)


def test_a_database_that_was_used_and_is_empty_beside_a_folder_whose_id_is_lost_is_refused(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    (data_dir / FILE_NAME).unlink()
    _start(tmp_path / "other", token="")
    with pytest.raises(WrongDatabase, match="belongs to another database"):
        _start(data_dir, database_url=f"sqlite:///{tmp_path / 'other' / 'platform.sqlite3'}")


def test_a_database_that_knows_other_pins_and_bears_no_id_is_refused(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    other = tmp_path / "other"
    _start(other, upload=True, token="", content=b"something else")
    _forget_folder(other)
    with pytest.raises(WrongDatabase, match="belongs to another database"):
        _start(data_dir, database_url=f"sqlite:///{other / 'platform.sqlite3'}")


def test_a_folder_of_a_version_without_ids_goes_on_with_its_database(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    (data_dir / FILE_NAME).unlink()
    _forget_folder(data_dir)
    before = _kept(data_dir)
    _start(data_dir)
    assert _kept(data_dir) == before != set()
    assert (data_dir / FILE_NAME).exists()


def test_a_copy_without_the_id_goes_on_with_the_copy_of_its_database(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    said = (data_dir / FILE_NAME).read_text()
    (data_dir / FILE_NAME).unlink()
    _start(data_dir)
    assert (data_dir / FILE_NAME).read_text() == said


def test_whoever_writes_that_they_begin_anew_does(tmp_path: Path) -> None:
    data_dir, new = _used(tmp_path / "data"), f"sqlite:///{tmp_path / 'new.sqlite3'}"
    (data_dir / FILE_NAME).write_text("anew\n")
    _start(data_dir, database_url=new, token="")
    assert (data_dir / FILE_NAME).read_text() != "anew\n"
    _start(data_dir, database_url=new)
    with pytest.raises(WrongDatabase):
        _start(data_dir)


def test_a_beginning_that_was_killed_before_the_folder_bore_its_id_is_gone_on_with(tmp_path: Path) -> None:
    data_dir, other = _used(tmp_path / "data"), tmp_path / "other"
    _start(other, token="")
    (data_dir / FILE_NAME).write_text("anew\n")
    _start(data_dir, database_url=f"sqlite:///{other / 'platform.sqlite3'}")
    assert (data_dir / FILE_NAME).read_text() == (other / FILE_NAME).read_text()


def test_a_database_with_pins_of_another_folder_is_refused_even_to_begin_anew(tmp_path: Path) -> None:
    data_dir, other = _used(tmp_path / "data"), _used(tmp_path / "other")
    (data_dir / FILE_NAME).write_text("anew\n")
    with pytest.raises(WrongDatabase, match="belongs to another data folder"):
        _start(data_dir, database_url=f"sqlite:///{other / 'platform.sqlite3'}")


def test_a_start_that_was_killed_between_the_two_marks_is_gone_on_with(tmp_path: Path) -> None:
    data_dir = _used(tmp_path / "data")
    _forget_folder(data_dir)
    _start(data_dir)
    with pytest.raises(WrongDatabase):
        _start(data_dir, database_url=f"sqlite:///{tmp_path / 'new.sqlite3'}")
