from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pinfold.core.errors import InvalidSetting, StoreNewer, StoreUnreadable
from pinfold.db import Database, files, pins, reconciliations, replicas, tokens
from pinfold.db.files import NewFile
from pinfold.db.identifiers import new_id
from pinfold.db.models import Base, PinRow
from pinfold.db.replicas import Observed

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "platform.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


def new(cid: str = "bafy", name: str = "a.txt") -> NewFile:
    return NewFile(cid, cid, name, 3, "text/plain", "unixfs-v1-2025")


def test_migrations_make_exactly_the_tables_of_the_models(database: Database, path: Path) -> None:
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_opening_again_keeps_what_is_there(path: Path) -> None:
    for expected in (True, False):
        database = Database(f"sqlite:///{path}")
        assert database.run(tokens.insert_first, True, "owner", b"x" * 32, NOW) is expected
        database.close()


def test_a_commit_is_synced_and_foreign_keys_hold(database: Database) -> None:
    def pragmas(session: Session) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [session.scalar(text(f"PRAGMA {name}")) for name in names]

    assert database.run(pragmas, False) == ["wal", 2, 1]
    with pytest.raises(IntegrityError):
        database.run(_orphan, True)


def _orphan(session: Session) -> None:
    ((file, _),) = files.insert(session, [new()], NOW)
    file.pin_id = "no such pin"


def test_a_failed_query_leaves_nothing(database: Database) -> None:
    def fail(session: Session) -> None:
        files.insert(session, [new()], NOW)
        raise ValueError

    with pytest.raises(ValueError):
        database.run(fail, True)
    assert database.run(files.page, False, 0, 10) == ([], 0)


def test_a_database_of_a_newer_version_is_not_touched(path: Path) -> None:
    Database(f"sqlite:///{path}").close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StoreNewer, match="9999"):
        Database(f"sqlite:///{path}")


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "postgresql://x/y"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting, match="database_url"):
        Database(url)


def test_a_file_that_is_no_database_is_refused_plainly(path: Path) -> None:
    path.write_bytes(b"this is no database, only text that is long enough" * 40)
    with pytest.raises(StoreUnreadable):
        Database(f"sqlite:///{path}")


def test_times_come_back_in_utc_with_their_fractions(database: Database) -> None:
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    row = database.run(pins.insert, True, "bafy", "bafy", "", there)
    (read,) = database.run(pins.of_root, False, "bafy")
    assert read.created_at == NOW
    assert read.created_at.tzinfo is UTC
    assert row.id == read.id


def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    with pytest.raises(Exception, match="zone"):
        database.run(pins.insert, True, "bafy", "bafy", "", NOW.replace(tzinfo=None))


def test_ids_sort_by_their_creation() -> None:
    ids = [new_id() for _ in range(50)]
    assert len(set(ids)) == 50
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
    assert all(one[14] == "7" and one[19] in "89ab" for one in ids)


def test_reads_and_writes_run_beside_each_other(database: Database) -> None:
    async def work() -> int:
        writes = [database.write(files.insert, [new(f"bafy{number}")], NOW) for number in range(20)]
        reads = [database.read(files.page, 0, 100) for _ in range(20)]
        await asyncio.gather(*writes, *reads)
        return (await database.read(files.page, 0, 100))[1]

    assert asyncio.run(work()) == 20


def test_only_the_first_token_is_ever_taken(database: Database) -> None:
    assert database.run(tokens.insert_first, True, "owner", b"a" * 32, NOW)
    assert not database.run(tokens.insert_first, True, "other", b"b" * 32, NOW)
    assert database.run(tokens.by_hash, False, b"b" * 32) is None


def test_files_come_newest_first_in_pages(database: Database) -> None:
    for number in range(5):
        database.run(files.insert, True, [new(name=str(number))], NOW)
    rows, total = database.run(files.page, False, 2, 2)
    assert total == 5
    names = [file.name for file, _ in database.run(files.page, False, 0, 10)[0]]
    assert [file.name for file, _ in rows] == names[2:4]
    assert sorted(names) == list("01234")


def test_removing_a_file_takes_its_request_and_marks_its_root(database: Database) -> None:
    ((file, pin),) = database.run(files.insert, True, [new()], NOW)
    assert database.run(reconciliations.lease, True, "me", 9, NOW, NOW + SECOND)
    assert database.run(reconciliations.settle, True, "me", "bafy", 1)
    assert database.run(files.remove, True, file.id, NOW)
    assert not database.run(files.remove, True, file.id, NOW)
    assert not database.run(pins.is_wanted, False, pin.root)
    assert database.run(reconciliations.of_root, False, "bafy") is not None


def test_the_same_wish_again_is_the_same_request(database: Database) -> None:
    first = database.run(pins.ask_again, True, "Qm", "bafy", "x", NOW)
    assert database.run(pins.ask_again, True, "bafy", "bafy", "x", NOW).id == first.id
    assert database.run(pins.ask_again, True, "bafy", "bafy", "y", NOW).id != first.id


def test_a_file_s_request_is_not_taken_for_a_wish(database: Database) -> None:
    ((_, pin),) = database.run(files.insert, True, [new(name="x")], NOW)
    assert database.run(pins.ask_again, True, "bafy", "bafy", "x", NOW).id != pin.id


def test_a_leased_root_is_nobody_else_s_until_the_lease_runs_out(database: Database) -> None:
    database.run(pins.insert, True, "bafy", "bafy", "", NOW)
    assert len(database.run(reconciliations.lease, True, "a", 9, NOW, NOW + SECOND)) == 1
    assert not database.run(reconciliations.lease, True, "b", 9, NOW, NOW + SECOND)
    later = NOW + 2 * SECOND
    assert len(database.run(reconciliations.lease, True, "b", 9, later, later + SECOND)) == 1
    assert not database.run(reconciliations.settle, True, "a", "bafy", 1)


def test_a_change_during_the_work_makes_the_root_due_again(database: Database) -> None:
    database.run(pins.insert, True, "bafy", "bafy", "", NOW)
    (row,) = database.run(reconciliations.lease, True, "a", 9, NOW, NOW + SECOND)
    database.run(reconciliations.mark_due, True, "bafy", NOW)
    assert not database.run(reconciliations.settle, True, "a", "bafy", row.generation)
    assert len(database.run(reconciliations.lease, True, "b", 9, NOW, NOW + SECOND)) == 1


def test_a_retry_waits_and_counts(database: Database) -> None:
    database.run(pins.insert, True, "bafy", "bafy", "", NOW)
    (row,) = database.run(reconciliations.lease, True, "a", 9, NOW, NOW + SECOND)
    assert database.run(reconciliations.retry, True, "a", "bafy", row.generation, NOW + SECOND)
    assert not database.run(reconciliations.lease, True, "a", 9, NOW, NOW + SECOND)
    assert database.run(reconciliations.next_due, False) == NOW + SECOND
    (again,) = database.run(reconciliations.lease, True, "a", 9, NOW + SECOND, NOW + 2 * SECOND)
    assert again.attempts == 1


def test_a_claim_keeps_the_time_it_was_first_made(database: Database) -> None:
    pinned = Observed("p", "peer", "pinned", None, True)
    database.run(replicas.replace, True, "bafy", [pinned], NOW)
    database.run(replicas.replace, True, "bafy", [pinned], NOW + SECOND)
    (row,) = database.run(replicas.of_root, False, "bafy")
    assert (row.claimed_at, row.seen_at) == (NOW, NOW + SECOND)
    database.run(replicas.replace, True, "bafy", [], NOW)
    assert not database.run(replicas.of_root, False, "bafy")


def test_an_unknown_status_cannot_be_written(database: Database) -> None:
    def write(session: Session) -> None:
        session.add(PinRow(cid="b", root="b", name="", status="done", created_at=NOW, updated_at=NOW))

    with pytest.raises(IntegrityError):
        database.run(write, True)


def test_wanted_roots_are_paged_once_each(database: Database) -> None:
    for root in ("b", "a", "b", "c"):
        database.run(pins.insert, True, root, root, "", NOW)
    assert database.run(pins.wanted_after, False, "", 2) == ["a", "b"]
    assert database.run(pins.wanted_after, False, "b", 2) == ["c"]
