from __future__ import annotations

from pathlib import Path

from sqlalchemy import text
from sqlalchemy.orm import Session

from pinfold.db import Database
from pinfold.db.stamp import Stamp


def touch(session: Session) -> None:
    session.execute(text("UPDATE plans SET window_s = window_s + 1"))


def test_the_stamp_is_the_same_until_somebody_commits_and_another_from_then_on(tmp_path: Path) -> None:
    path = tmp_path / "odd %3f name#1.sqlite3"
    databases = [Database(f"sqlite:///{path}") for _ in range(2)]
    stamp = Stamp(databases[0].engine)
    seen = [stamp.now()]
    for writer in (*databases, *databases):
        writer.everybody.read_now(lambda session: session.scalar(text("SELECT count(*) FROM plans")))
        assert stamp.now() == seen[-1]
        writer.everybody.write_now(touch)
        assert stamp.now() not in seen
        seen.append(stamp.now())
    assert None not in seen
    stamp.close()
    for database in databases:
        database.close()


def test_a_database_that_cannot_be_asked_has_no_stamp(tmp_path: Path, database_url: str) -> None:
    path = tmp_path / "platform.sqlite3"
    database = Database(database_url or f"sqlite:///{path}")
    stamp = Stamp(database.engine)
    assert (stamp.now() is None) is bool(database_url)
    stamp.close()
    database.close()
    if not database_url:
        path.unlink()
        assert stamp.now() is None
        assert not path.exists()
