"""What is SQLite's own, and what needs no database at all; the rest of ``db`` is tried on both in ``contract``."""

from __future__ import annotations

import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from pinfold.core.errors import InvalidSetting, StoreFull, StoreUnreadable
from pinfold.db import Database, dialect, tokens
from pinfold.db.asks import Ask, tell
from pinfold.db.identifiers import new_id
from pinfold.db.lanes import MOST_TOGETHER, PATIENCE_S, PATIENT, PAUSE_S, Lanes
from pinfold.db.models import FileRow
from tests.support.rows import NOW, add_pin, names
from tests.support.tenants import make_organisation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "platform.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@pytest.fixture
def ours(database: Database) -> str:
    return database.everybody.write_now(make_organisation, "ours")


def ask(name: str = "") -> Ask:
    return Ask(name, lambda session: None, Future())


def test_a_commit_is_synced_and_foreign_keys_hold(database: Database, ours: str) -> None:
    def pragmas(session: Session) -> list[object]:
        return [session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "synchronous", "foreign_keys")]

    def orphan(session: Session) -> None:
        texts = {"cid": "b", "root": "b", "name": "x", "content_type": "text/plain", "profile": "unixfs-v1-2025"}
        session.add(FileRow(pin_id="no such pin", size_bytes=1, created_at=NOW, updated_at=NOW, **texts))

    assert database.everybody.write_now(pragmas) == ["wal", 2, 1]
    with pytest.raises(IntegrityError):
        database.of(ours).write_now(orphan)


def test_a_full_disk_is_told_plainly_and_leaves_nothing(database: Database, ours: str) -> None:
    def fill(session: Session) -> None:
        pages = session.connection().exec_driver_sql("PRAGMA page_count").scalar_one()
        session.connection().exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        add_pin(session, "x" * 1_000_000)

    def make_room(session: Session) -> None:
        session.connection().exec_driver_sql("PRAGMA max_page_count = 1073741823")

    with pytest.raises(StoreFull):
        database.of(ours).write_now(fill)
    database.of(ours).write_now(make_room)
    assert database.of(ours).read_now(names) == []
    assert database.of(ours).write_now(add_pin) == 1


@pytest.mark.parametrize("url", ["nonsense", "sqlite://", "sqlite:///:memory:", "mysql://x/y"])
def test_a_url_that_cannot_be_used_is_refused(url: str) -> None:
    with pytest.raises(InvalidSetting, match="database_url"):
        Database(url)


def test_the_name_that_hosts_of_postgresql_give_out_is_taken() -> None:
    engine = dialect.connect("postgres://db.example.org/pinfold")  # it connects when it is first asked
    assert engine.url.set(query={}).render_as_string() == "postgresql+psycopg://db.example.org/pinfold"
    engine.dispose()


def test_a_file_that_is_no_database_is_refused_plainly(path: Path) -> None:
    path.write_bytes(b"this is no database, only text that is long enough" * 40)
    with pytest.raises(StoreUnreadable):
        Database(f"sqlite:///{path}")


def test_a_writer_of_another_process_is_waited_for(database: Database, ours: str, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.2, other.execute, ["ROLLBACK"]).start()
    assert database.of(ours).write_now(add_pin) == 1
    other.close()


def test_ids_sort_by_their_creation() -> None:
    ids = [new_id() for _ in range(50)]
    assert len(set(ids)) == 50
    assert [one[:13] for one in ids] == sorted(one[:13] for one in ids)
    assert all(one[14] == "7" and one[19] in "89ab" for one in ids)


def test_a_lane_is_given_out_in_order_and_to_one_at_a_time() -> None:
    lanes, asks = Lanes(), [ask() for _ in range(MOST_TOGETHER + 2)]
    for one in asks:
        assert lanes.put("a", one)
    other = ask()
    lanes.put("b", other)
    assert lanes.take() == ("a", asks[:MOST_TOGETHER])
    assert lanes.take() == ("b", [other])
    lanes.release("a")
    assert lanes.take() == ("a", asks[MOST_TOGETHER:])


def test_closed_lanes_give_out_what_waits_and_take_nothing() -> None:
    lanes, first, second = Lanes(), ask(), ask()
    lanes.put("a", first)
    assert lanes.take() == ("a", [first])
    lanes.put("a", second)
    lanes.close()
    assert not lanes.put("a", ask())
    lanes.release("a")
    assert lanes.take() == ("a", [second])
    lanes.release("a")
    assert lanes.take() is None


def test_the_patient_lane_lets_others_go_first_but_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("pinfold.db.lanes.time.monotonic", lambda: now)
    lanes, patient, ours, theirs = Lanes(), ask(), ask(), ask()
    lanes.put(PATIENT, patient)
    lanes.put("a", ours)
    lanes.put("b", theirs)
    assert lanes.take() == ("a", [ours])
    assert lanes.take() == ("b", [theirs])
    lanes.put("a", ours)
    lanes.release("a")
    now += PATIENCE_S + 0.01
    assert lanes.take() == (PATIENT, [patient])
    assert lanes.take() == ("a", [ours])


def test_the_patient_lane_waits_for_a_pause_of_the_others_and_for_nothing_else() -> None:
    lanes, patient, ours = Lanes(), ask(), ask()
    lanes.put(PATIENT, patient)
    assert lanes.take() == (PATIENT, [patient])
    lanes.release(PATIENT)
    lanes.put("a", ours)
    assert lanes.take() == ("a", [ours])
    lanes.put(PATIENT, patient)
    began = time.monotonic()
    lanes.release("a")
    assert lanes.take() == (PATIENT, [patient])
    assert time.monotonic() - began > PAUSE_S - 0.005


def test_an_outcome_is_told_once_and_nobody_who_left_minds() -> None:
    good, bad, left = ask(), ask(), ask()
    good.result, bad.error = 7, ValueError("no")
    left.waiting.cancel()
    tell([good, bad, left])
    assert isinstance(good.waiting, Future)
    assert isinstance(bad.waiting, Future)
    assert good.waiting.result() == 7
    assert isinstance(bad.waiting.exception(), ValueError)


def test_nobody_but_its_owner_can_read_the_file_or_its_log(tmp_path: Path) -> None:
    path = tmp_path / "platform.sqlite3"
    database = Database(f"sqlite:///{path}")
    try:
        database.everybody.read_now(tokens.count)
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()}
    finally:
        database.close()
    assert "platform.sqlite3-wal" in modes
    assert set(modes.values()) == {0o600}
