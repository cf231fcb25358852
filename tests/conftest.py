"""What every test can ask for, and what the house asks of every test.

A test that cannot run because something is missing is skipped with a reason; with ``PINFOLD_REQUIRE_ENGINES=1`` (CI)
such a skip is a failure, so that a green run means that everything was tried.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator

import pytest

from tests.support.kubo import IPFS, WHERE_FROM, Kubo

NOTHING_MAY_BE_MISSING = os.environ.get("PINFOLD_REQUIRE_ENGINES") == "1"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what uses a Kubo fixture, and leave long runs out unless ``-m`` names them."""
    for item in items:
        if {"kubo", "kubo_daemon"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kubo")
    if "soak" in (config.option.markexpr or ""):
        return
    soak = [item for item in items if item.get_closest_marker("soak")]
    if soak:
        config.hook.pytest_deselected(items=soak)
        items[:] = [item for item in items if not item.get_closest_marker("soak")]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what is marked ``kubo`` where there is none."""
    if item.get_closest_marker("kubo") and not IPFS.exists():
        pytest.skip(WHERE_FROM)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn the skip of a test that must not be skipped into a failure."""
    report = yield
    wanted = item.get_closest_marker("kubo") or item.get_closest_marker("shared")
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
    if not IPFS.exists():
        pytest.skip(WHERE_FROM)
    return Kubo(tmp_path_factory.mktemp("kubo"))


@pytest.fixture(scope="session")
def kubo_daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kubo]:
    """A real Kubo that runs as an offline daemon on loopback, shared by the tests of one worker."""
    if not IPFS.exists():
        pytest.skip(WHERE_FROM)
    node = Kubo(tmp_path_factory.mktemp("kubo-daemon"))
    node.start_daemon("--offline")
    yield node
    node.stop()
