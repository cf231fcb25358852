"""A PostgreSQL that hangs: its connections stay open, and nothing answers.  Everything ends in time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pinfold.core.errors import DatabaseUnavailable
from pinfold.db import Database
from tests.support.cli import Pinfold
from tests.support.postgres import PostgresServer
from tests.support.tenants import make_organisation
from tests.support.up import PATIENCE_S, Up

pytestmark = pytest.mark.postgres

# A statement is waited for 5 s, a new connection 5 s, and one more attempt may be on its way: three times that, since
# other tests run beside this one.
ANSWERED_WITHIN_S = 45.0
GRACE_S = 3.0
STOPPED_WITHIN_S = GRACE_S + 17.0  # without the limits: never


@pytest.fixture
def url(postgres_engine: PostgresServer, postgres_template: str) -> Iterator[str]:
    url = postgres_engine.create_database(template=postgres_template)
    yield url
    postgres_engine.drop_database(url)


@contextmanager
def frozen(server: PostgresServer) -> Iterator[None]:
    server.freeze()
    try:
        yield
    finally:
        server.thaw()


def test_requests_are_answered_503_while_it_hangs_and_all_is_well_afterwards(
    pinfold: Pinfold, postgres_engine: PostgresServer, url: str
) -> None:
    with Up(pinfold, database_url=url) as up, ThreadPoolExecutor(8) as threads:
        record = up.upload(b"before")

        def ask(number: int) -> httpx.Response:
            if number % 2:
                return up.api.get("/api/v1/files", timeout=ANSWERED_WITHIN_S)
            return up.api.put(f"/api/v1/files/{number}.txt", content=b"meanwhile", timeout=ANSWERED_WITHIN_S)

        with frozen(postgres_engine):
            answers = list(threads.map(ask, range(8)))
            assert up.api.get("/ready", timeout=ANSWERED_WITHIN_S).status_code == 503
            assert up.gateway.get(f"/ipfs/{record['cid']}").content == b"before"
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.json()["code"] for answer in answers} == {"DATABASE_UNAVAILABLE"}
        assert all(answer.headers["retry-after"] for answer in answers)
        assert "Traceback" not in up.log
        _until_ready(up)
        after = up.upload(b"after", "after.txt")
        assert up.until_pinned(after["cid"])
        assert up.stop() == 0


def test_a_stop_while_it_hangs_ends_within_the_grace_period(
    pinfold: Pinfold, postgres_engine: PostgresServer, url: str
) -> None:
    with Up(pinfold, database_url=url, shutdown_grace_s=str(GRACE_S)) as up, ThreadPoolExecutor(2) as threads:
        up.upload(b"before")
        with frozen(postgres_engine):
            asked = threads.submit(up.api.get, "/api/v1/files")
            began = time.monotonic()
            assert up.stop() == 0, up.log
            assert time.monotonic() - began < STOPPED_WITHIN_S
            assert isinstance(asked.exception(), httpx.TransportError) or asked.result().status_code == 503
        assert "Traceback" not in up.log, up.log


def test_a_start_says_that_it_does_not_answer_and_ends(
    pinfold: Pinfold, postgres_engine: PostgresServer, url: str
) -> None:
    with frozen(postgres_engine):
        for command in (("up",), ("db", "upgrade")):
            ended = pinfold(*command, code=88, env={"PINFOLD_DATABASE_URL": url})
            assert ended.out == ""
            assert "the database cannot be reached: connection timeout expired" in ended.err


def test_a_statement_that_takes_long_is_not_cut(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.db.silence.QUIET_S", 0.2)
    database = Database(url)
    assert database.everybody.read_now(lambda session: session.scalar(text("SELECT 1 FROM pg_sleep(1)"))) == 1
    database.close()


def test_a_network_that_drops_packets_is_noticed_by_the_system(url: str) -> None:
    def parameters(session: Session) -> dict[str, str]:
        driver: Any = session.connection().connection.driver_connection
        found: dict[str, str] = driver.info.get_parameters()
        return found

    database = Database(url)
    for ask in (database.everybody.read_now, database.everybody.write_now):
        found = ask(parameters)
        idle_s = int(found["keepalives_idle"]) + int(found["keepalives_interval"]) * int(found["keepalives_count"])
        assert idle_s <= 30
        assert int(found["tcp_user_timeout"]) <= 30_000
    database.close()


def test_a_lock_that_another_program_holds_is_waited_for_as_long_as_the_setting_says(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.db.dialect.LOCK_TIMEOUT_S", 1)
    database = Database(url)
    with create_engine(url, poolclass=NullPool).connect() as other:
        other.execute(text("LOCK TABLE organisations IN ACCESS EXCLUSIVE MODE"))
        with pytest.raises(DatabaseUnavailable):
            database.everybody.write_now(make_organisation, "ours")
    assert database.everybody.write_now(make_organisation, "ours")
    database.close()


def _until_ready(up: Up) -> None:
    end = time.monotonic() + PATIENCE_S
    while up.api.get("/ready").status_code != 200:
        assert time.monotonic() < end
        time.sleep(0.05)
