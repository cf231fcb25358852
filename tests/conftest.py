"""What every test can ask for, and what the house asks of every test.

A test that cannot run because something is missing is skipped with a reason; with ``PINFOLD_REQUIRE_ENGINES=1`` (CI)
such a skip is a failure, so that a green run means that everything was tried.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from engines import get_chromium, get_client_generator, postgres_server, redis_server

from tests.support import kubo as kubo_engine
from tests.support import npm
from tests.support.kubo import Kubo

if TYPE_CHECKING:  # their client libraries load only where a test asks for a server
    from tests.support.postgres import PostgresServer
    from tests.support.redis_server import RedisServer

NOTHING_MAY_BE_MISSING = os.environ.get("PINFOLD_REQUIRE_ENGINES") == "1"


@dataclass(frozen=True)
class Engine:
    """What the tests of one marker need: the fixtures that set the marker, whether it is here, and a word if not."""

    fixtures: frozenset[str]
    is_here: Callable[[], bool]
    where_from: str


ENGINES = {
    "kubo": Engine(frozenset({"kubo", "kubo_daemon"}), kubo_engine.IPFS.exists, kubo_engine.WHERE_FROM),
    "postgres": Engine(
        frozenset({"postgres_engine", "postgres_url"}), postgres_server.postgres_is_here, postgres_server.WHERE_FROM
    ),
    "redis": Engine(frozenset({"redis_engine", "redis_url"}), redis_server.redis_is_here, redis_server.WHERE_FROM),
    "npm": Engine(frozenset(), npm.suites_are_here, npm.WHERE_FROM),
    "chromium": Engine(frozenset(), get_chromium.chromium_is_here, get_chromium.WHERE_FROM),
    "client_generator": Engine(frozenset(), get_client_generator.generator_is_here, get_client_generator.WHERE_FROM),
}


def require(engine: str) -> None:
    """Skip with a word where an engine is missing."""
    if not ENGINES[engine].is_here():
        pytest.skip(ENGINES[engine].where_from)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses an engine's fixture, and leave long runs out unless ``-m`` names them."""
    for item in items:
        for name, engine in ENGINES.items():
            if engine.fixtures & set(getattr(item, "fixturenames", ())):
                item.add_marker(name)
    if "soak" in (config.option.markexpr or ""):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked with an engine that is not here."""
    for name in ENGINES:
        if item.get_closest_marker(name):
            require(name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test that must not be skipped into a failure."""
    report = yield
    wanted = any(item.get_closest_marker(name) for name in (*ENGINES, "shared"))
    if NOTHING_MAY_BE_MISSING and wanted and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = (
            f"skipped, but PINFOLD_REQUIRE_ENGINES=1 allows no skip: {call.excinfo and call.excinfo.value}"
        )
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself while it is imported."""
    report = yield
    if NOTHING_MAY_BE_MISSING and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"{collector.nodeid} skips itself, but PINFOLD_REQUIRE_ENGINES=1 allows no skip"
    return report


@pytest.fixture(scope="session")
def kubo(tmp_path_factory: pytest.TempPathFactory) -> Kubo:
    """A real Kubo repository without a daemon, shared by the tests of one worker: use content of your own."""
    require("kubo")
    return Kubo(tmp_path_factory.mktemp("kubo"))


@pytest.fixture(scope="session")
def kubo_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    """A real Kubo that runs as an offline daemon on loopback, shared by the tests of one worker."""
    require("kubo")
    node = Kubo(tmp_path_factory.mktemp("kubo-daemon"))
    node.start_daemon("--offline")
    yield node
    node.stop()


@pytest.fixture(scope="session")
def postgres_engine() -> Iterator[PostgresServer]:
    """A real PostgreSQL without fsync, shared by the tests of one worker: use databases of your own."""
    require("postgres")
    from tests.support import postgres

    with postgres.postgres_server() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_engine: PostgresServer) -> Iterator[str]:
    """The URL of an empty database on a real PostgreSQL, dropped after the test, whoever still uses it."""
    url = postgres_engine.create_database()
    yield url
    postgres_engine.drop_database(url)


@pytest.fixture(scope="session")
def postgres_template(postgres_engine: PostgresServer) -> str:
    """The URL of a database of this version's schema with nothing in it: copy it, leave it alone."""
    from pinfold.db import Database

    url = postgres_engine.create_database()
    Database(url, may_upgrade=True).close()
    return url


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A test that asks for this runs on both databases: "" for SQLite in the data folder, or a fresh PostgreSQL's URL.

    That one has this version's schema and is dropped after the test.
    """
    if request.param == "sqlite":
        yield ""
        return
    server: PostgresServer = request.getfixturevalue("postgres_engine")
    url = server.create_database(template=request.getfixturevalue("postgres_template"))
    yield url
    server.drop_database(url)


@pytest.fixture(scope="session")
def redis_engine() -> Iterator[RedisServer]:
    """A real Redis, shared by the tests of one worker: use a database of your own."""
    require("redis")
    from tests.support import redis_server as client

    with client.redis_server() as server:
        yield server


@pytest.fixture
def redis_url(redis_engine: RedisServer) -> str:
    """The URL of an empty numbered database on a real Redis."""
    return redis_engine.empty_database()
