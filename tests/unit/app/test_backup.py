"""What docs/store.md says of a backup is enough to go on: the files that it names, and the command."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from pinfold.node import Node
from tests.support.docs import DOCS
from tests.support.platform import platform, run


def _named_files() -> list[str]:
    """What is to be copied while the platform runs, in that order."""
    page = (DOCS / "store.md").read_text(encoding="utf-8")
    (told,) = re.findall(r"\*\*Copying files while it runs:\*\*(.*?) Leave the catalogue out", page, re.DOTALL)
    found = re.findall(r"`([\w.]+/?)`", told)
    assert found[0] == "platform.sqlite3"
    return [name for name in found if name != "pinfold.toml"]


def test_the_files_that_the_page_names_are_a_whole_backup(tmp_path: Path) -> None:
    data_dir, backup = tmp_path / "data", tmp_path / "backup"

    async def use() -> tuple[str, str]:
        async with platform(data_dir, token="") as running:
            record = await running.upload(b"to be kept")
            await running.until(record["cid"], "pinned")
            _copy(data_dir, backup)
            return record["cid"], running.token

    async def go_on(cid: str, token: str) -> None:
        async with platform(backup, token=token) as running:
            await running.until(cid, "pinned")

    cid, token = run(use())
    Node.rebuild(backup)
    run(go_on(cid, token))
    with Node(backup) as node:
        assert [str(pin.cid) for pin in node.pin_ls()] == [cid]


def _copy(data_dir: Path, backup: Path) -> None:
    backup.mkdir()
    for name in _named_files():
        if name.endswith(".sqlite3"):
            with closing(sqlite3.connect(data_dir / name)) as here, closing(sqlite3.connect(backup / name)) as there:
                here.backup(there)
        elif name.endswith("/"):
            shutil.copytree(data_dir / name, backup / name)
        else:
            shutil.copy(data_dir / name, backup)
