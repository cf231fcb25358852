"""A database that goes away: whoever asks meanwhile is told so, and is served again as soon as it is back."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session
from structlog.testing import capture_logs

from pinfold.core.errors import DatabaseUnavailable
from pinfold.db import Database
from tests.support.platform import Platform, platform, run
from tests.support.rows import add_pin, names
from tests.support.tenants import make_organisation

CID = "bafkreieu7kssc4cfequph2r4a4zm4sll7hzsn46l2thih4cboior2ejmxy"
TUS = {"Tus-Resumable": "1.0.0", "Upload-Length": "5"}
DOORS: list[tuple[str, str, dict[str, Any]]] = [
    ("GET", "/api/v1/me", {}),
    ("GET", "/api/v1/files", {}),
    ("GET", "/api/v1/usage", {}),
    ("POST", "/api/v1/pins", {"json": {"cid": CID}}),
    ("POST", "/api/v1/pins/bulk/add", {"json": {"pins": [{"cid": CID}]}}),
    ("PUT", "/api/v1/files/a.txt", {"content": b"hello"}),
    ("POST", "/api/v1/files/upload", {"files": {"file": ("a.txt", b"hello")}}),
    ("POST", "/api/v1/files/tus", {"headers": TUS}),
    ("GET", "/psa/pins", {}),
    ("POST", "/psa/pins", {"json": {"cid": CID}}),
    ("POST", "/api/v1/sessions", {"json": {"email": "nobody@example.com", "password": "wrong wrong"}}),
]


@pytest.fixture
def url(postgres_template: str, postgres_engine: Any) -> Iterator[str]:
    """An empty database on PostgreSQL, which may be stopped: it runs again after the test."""
    url = postgres_engine.create_database(template=postgres_template)
    yield url
    postgres_engine.drop_database(url)


@pytest.mark.postgres
def test_who_reads_or_writes_meanwhile_is_told_and_served_again_afterwards(url: str, postgres_engine: Any) -> None:
    database = Database(url)
    ours = database.everybody.write_now(make_organisation, "ours")
    postgres_engine.halt()
    try:
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable, match="nothing was changed"):
                database.of(ours).read_now(names)
            with pytest.raises(DatabaseUnavailable, match="nothing was changed"):
                asyncio.run(_read(database, ours))
            with pytest.raises(DatabaseUnavailable, match="nothing was changed"):
                database.of(ours).write_now(add_pin)
    finally:
        postgres_engine.resume()
    assert database.of(ours).write_now(add_pin) == 1
    assert asyncio.run(_read(database, ours)) == ["a"]
    database.close()


@pytest.mark.postgres
def test_a_server_that_stops_in_the_middle_of_a_query_is_away(url: str, postgres_engine: Any) -> None:
    database = Database(url)
    ours = database.everybody.write_now(make_organisation, "ours")

    def stop_it(session: Session) -> list[str]:
        found = names(session)
        if not stopped:
            stopped.append(True)
            postgres_engine.halt()
        return found + names(session)

    for ask in (database.of(ours).write_now, database.of(ours).read_now):
        stopped: list[bool] = []
        try:
            with pytest.raises(DatabaseUnavailable, match="nothing was changed"):
                ask(stop_it)
        finally:
            postgres_engine.resume()
    assert database.of(ours).read_now(names) == []
    database.close()


@pytest.mark.postgres
def test_of_a_commit_that_was_not_answered_nobody_claims_to_know(url: str, postgres_engine: Any) -> None:
    database = Database(url)
    ours = database.everybody.write_now(make_organisation, "ours")

    def stop_it(_connection: object) -> None:
        postgres_engine.halt()

    event.listen(database.engine, "commit", stop_it, once=True)
    try:
        with pytest.raises(DatabaseUnavailable, match="nobody knows"):
            database.of(ours).write_now(add_pin)
    finally:
        postgres_engine.resume()
    assert database.of(ours).read_now(names) == []
    database.close()


@pytest.mark.postgres
def test_every_door_answers_503_while_the_database_is_away(tmp_path: Path, url: str, postgres_engine: Any) -> None:
    async def go() -> None:
        async with platform(tmp_path, database_url=url) as at:
            try:
                await asyncio.to_thread(postgres_engine.halt)
                for method, path, sent in DOORS:
                    with capture_logs() as lines:
                        _is_told(path, await at.api.request(method, path, **sent))
                    errors = [line for line in lines if line["event"] == "request failed"]
                    assert len(errors) == 1, path
                    assert not [line for line in lines if line.get("exc_info")]
            finally:
                await asyncio.to_thread(postgres_engine.resume)
            for method, path, sent in DOORS:
                response = await at.api.request(method, path, **sent)
                assert response.status_code in ((401,) if "sessions" in path else (200, 201, 202)), path

    run(go())


@pytest.mark.postgres
def test_no_request_fails_otherwise_while_the_database_restarts(tmp_path: Path, url: str, postgres_engine: Any) -> None:
    async def ask_for_ever(at: Platform, number: int, seen: Counter[int], over: asyncio.Event) -> None:
        method, path, sent = DOORS[number % len(DOORS)]
        while not over.is_set():
            response = await at.api.request(method, path, **sent)
            seen[response.status_code] += 1
            if response.status_code >= 500:
                _is_told(path, response)

    async def go() -> Counter[int]:
        seen: Counter[int] = Counter()
        async with platform(tmp_path, database_url=url) as at, asyncio.TaskGroup() as group:
            over = asyncio.Event()
            for number in range(len(DOORS) - 1):
                group.create_task(ask_for_ever(at, number, seen, over))
            await asyncio.to_thread(postgres_engine.halt)
            await asyncio.to_thread(postgres_engine.resume)
            over.set()
        return seen

    with capture_logs() as lines:
        seen = run(go())
    assert seen[503]
    assert set(seen) <= {200, 201, 202, 503}
    assert not [line for line in lines if line.get("exc_info")]


def test_a_file_that_another_program_holds_is_told_as_such(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.db.dialect._PRAGMAS", ("PRAGMA journal_mode = WAL", "PRAGMA busy_timeout = 1"))
    path = tmp_path / "platform.sqlite3"
    database = Database(f"sqlite:///{path}")
    ours = database.everybody.write_now(make_organisation, "ours")
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseUnavailable, match="locked by another program"):
        database.of(ours).write_now(add_pin)
    other.execute("ROLLBACK")
    other.close()
    assert database.of(ours).write_now(add_pin) == 1
    database.close()


async def _read(database: Database, organisation_id: str) -> list[str]:
    return await database.of(organisation_id).read(names)


def _is_told(path: str, response: httpx.Response) -> None:
    assert (response.status_code, response.headers.get("retry-after")) == (503, "2"), (path, response.text)
    said = response.json()
    if path.startswith("/psa"):
        assert said["error"]["reason"] == "INTERNAL_SERVER_ERROR"
    else:
        assert said["code"] == "DATABASE_UNAVAILABLE"
