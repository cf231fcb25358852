"""PostgreSQL and Redis of ``make engines`` do what the tests that use them take for granted."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis
from engines.get_chromium import CHROMIUM
from engines.get_client_generator import PROGRAM
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from tests.support import npm
from tests.support.postgres import PostgresServer, postgres_server
from tests.support.redis_server import RedisServer, redis_server

ROOT = Path(__file__).resolve().parents[2]


def ask(url: str, *statements: str) -> list[object]:
    """The first column of the last statement's rows, all statements committed."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            for statement in statements:
                rows = connection.execute(text(statement))
            return [row[0] for row in rows] if rows.returns_rows else []
    finally:
        engine.dispose()


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def test_a_database_has_trigrams_of_every_script(postgres_url: str) -> None:
    similar = ask(postgres_url, "CREATE EXTENSION pg_trgm", "SELECT show_trgm('Ärger') = show_trgm('äRGER')")
    assert similar == [True]
    assert ask(postgres_url, "SELECT lower('ÄÉЖ')", "SELECT lower('ÄÉЖ')") == ["äéж"]
    assert ask(postgres_url, "SELECT cardinality(show_trgm('жук')) > 0") == [True]


def test_a_fresh_database_is_fresh(postgres_engine: PostgresServer) -> None:
    first = postgres_engine.create_database()
    ask(first, "CREATE TABLE t (n integer)")
    second = postgres_engine.create_database()
    assert ask(second, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [0]
    copy = postgres_engine.create_database(template=first)
    assert ask(copy, "SELECT count(*) FROM t") == [0]
    for url in (first, second, copy):
        postgres_engine.drop_database(url)
    with pytest.raises(OperationalError, match="does not exist"):
        ask(first, "SELECT 1")


def test_a_database_is_dropped_under_a_client_that_still_holds_it(postgres_engine: PostgresServer) -> None:
    url = postgres_engine.create_database()
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as held:
        postgres_engine.drop_database(url)
        with pytest.raises(psycopg.OperationalError):
            held.execute("SELECT 1")
        postgres_engine.drop_database(url)  # a second time is no error


def test_the_server_refuses_a_wrong_password(postgres_url: str) -> None:
    wrong = make_url(postgres_url).set(password="wrong").render_as_string(hide_password=False)
    with pytest.raises(OperationalError, match="password"):
        ask(wrong, "SELECT 1")


@pytest.mark.postgres
def test_two_servers_run_side_by_side_and_a_durable_one_keeps_what_it_committed() -> None:
    with postgres_server() as fast, postgres_server(durable=True) as durable:
        one, other = fast.create_database(), durable.create_database()
        assert make_url(one).port != make_url(other).port
        assert ask(one, "SHOW fsync") == ["off"]
        assert ask(other, "SHOW fsync") == ["on"]
        assert ask(other, "SHOW synchronous_commit") == ["on"]
        ask(other, "CREATE TABLE t (n integer)", "INSERT INTO t VALUES (7)")
        durable.crash()
        assert ask(other, "SELECT n FROM t") == [7]
        gone = other
    with pytest.raises(OperationalError):
        ask(gone, "SELECT 1")


# --- Redis ------------------------------------------------------------------------------------------------------------


def test_an_empty_database_is_empty_and_apart_from_the_one_before(redis_engine: RedisServer) -> None:
    first, second = redis_engine.empty_database(), redis_engine.empty_database()
    with redis.Redis.from_url(first) as one, redis.Redis.from_url(second) as other:
        one.set("key", "value")
        assert other.get("key") is None
        assert one.get("key") == b"value"


@pytest.mark.redis
def test_two_redis_run_side_by_side_and_a_crash_empties_one() -> None:
    with redis_server() as one, redis_server() as other:
        assert one.url != other.url
        for server in (one, other):
            with redis.Redis.from_url(server.url) as client:
                client.set("key", "value")
        one.crash()
        with redis.Redis.from_url(one.url) as client:
            assert client.get("key") is None
        with redis.Redis.from_url(other.url) as client:
            assert client.get("key") == b"value"


# --- by hand ----------------------------------------------------------------------------------------------------------


@pytest.mark.redis
def test_a_server_by_hand_says_its_url_and_ends_when_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "engines.serve", "redis", str(tmp_path / "data")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        with redis.Redis.from_url(url) as client:
            assert client.ping()
        process.terminate()
        assert process.wait(60) == 0
    assert (tmp_path / "data").is_dir(), "a folder that was named is kept"
    with redis.Redis.from_url(url) as client, pytest.raises(redis.ConnectionError):
        client.ping()


@pytest.mark.postgres
@pytest.mark.skipif(os.geteuid() != 0, reason="only root hands PostgreSQL to another user")
def test_a_folder_that_the_servers_user_cannot_enter_is_refused_in_a_sentence(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-m", "engines.serve", "postgres", str(tmp_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot enter" in done.stderr
    assert "Traceback" not in done.stderr


# --- Chromium, and what makes clients of the API ----------------------------------------------------------------------

OPEN_A_PAGE = """
import { chromium } from 'playwright-core'
const browser = await chromium.launch({ executablePath: process.argv[2], args: ['--no-sandbox', '--disable-gpu'] })
const page = await browser.newPage()
await page.setContent('<h1>héllo</h1>')
console.log(await page.evaluate(() => document.querySelector('h1').textContent))
await browser.close()
"""


@pytest.mark.chromium
@pytest.mark.npm
def test_chromium_shows_a_page_that_playwright_opens() -> None:
    assert npm.run_script(OPEN_A_PAGE, str(CHROMIUM)).strip() == "héllo"


@pytest.mark.client_generator
def test_the_client_generator_runs() -> None:
    said = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=True).stdout
    assert "openapi-python-client version: 0.29" in said
