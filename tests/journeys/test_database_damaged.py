"""A damaged SQLite file: said as such to operators, to nobody else, and not well from then on."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pinfold.services.files import Intake
from tests.support.cli import Pinfold
from tests.support.platform import platform, run


def damage(path: Path, table: str) -> None:
    """Overwrite the first page of a table, and nothing else."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    connection.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)


def test_requests_are_503_and_the_process_is_not_well(tmp_path: Path) -> None:
    async def go() -> None:
        async with platform(tmp_path) as at:
            token = at.token
            await at.upload(b"hello")
        damage(tmp_path / "platform.sqlite3", "files")
        async with platform(tmp_path, token=token) as at:
            with capture_logs() as lines:
                answer = await at.api.get("/api/v1/files")
            assert (answer.status_code, answer.json()["code"]) == (503, "DATABASE_DAMAGED"), answer.text
            assert "sqlite" not in answer.text
            assert not [line for line in lines if line.get("exc_info")]
            for path in ("/health", "/ready"):
                well = await at.api.get(path)
                assert well.status_code == 503
                assert "damaged" in well.json()["data"]["checks"]["database"]

    run(go())


def test_a_start_on_it_says_what_to_do(pinfold: Pinfold) -> None:
    pinfold("db", "upgrade")
    damage(pinfold.data_dir / "platform.sqlite3", "alembic_version")
    ended = pinfold("up", code=64, env={"PINFOLD_API_ADDRESS": "127.0.0.1:0", "PINFOLD_GATEWAY_ADDRESS": "127.0.0.1:0"})
    assert "platform.sqlite3 is damaged" in ended.err
    assert "backup" in ended.err
    assert ".recover" in ended.err


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EROFS])
def test_what_the_system_refuses_is_503_and_one_line_of_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object, **__: object) -> object:
        raise OSError(number, "refused", str(tmp_path))

    async def go() -> None:
        async with platform(tmp_path) as at:
            monkeypatch.setattr(Intake, "_run", refuse)
            with capture_logs() as lines:
                answer = await at.api.put("/api/v1/files/a.txt", content=b"hello")
            assert (answer.status_code, answer.headers.get("retry-after")) == (503, "2"), answer.text
            assert answer.json()["code"] == "SYSTEM_UNAVAILABLE"
            assert str(tmp_path) not in answer.text
            failed = [line for line in lines if line["event"] == "request failed"]
            assert len(failed) == 1
            assert not failed[0].get("exc_info")

    run(go())
