from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound
from pinfold.db import Database
from pinfold.engine import Content, PinOptions
from pinfold.services.pins import CIDLocks, PinsService, Reconciler, RequestStatus, Tiers, Wanted
from pinfold.worker import Worker
from tests.support.memory_engine import MemoryEngine
from tests.support.pins_world import caller_of
from tests.support.platform import PATIENCE_S, run


class Setting:
    """A running worker over an engine in memory."""

    def __init__(self, path: Path, concurrency: int) -> None:
        self.database = Database(f"sqlite:///{path}/platform.sqlite3")
        self.engine = MemoryEngine()
        self.reconciler = Reconciler(self.database, self.engine, CIDLocks(), owner="me")
        self.worker = Worker(self.reconciler, concurrency=concurrency, fetches=2)
        self.pins = PinsService(self.database, Tiers(self.engine), self.worker.wake)
        self.caller = caller_of(self.database)

    async def ask(self, cid: CID) -> None:
        await self.pins.ask(self.caller, Wanted(cid, replication_factor_max=1))

    async def until(self, cid: CID, status: RequestStatus) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while (await self.pins.report(self.caller, cid)).requests[-1].status is not status:
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(path: Path, *, concurrency: int = 4, grace_s: float = 5) -> AsyncIterator[Setting]:
    setting = Setting(path, concurrency)
    task = asyncio.create_task(setting.worker.run(grace_s))
    try:
        yield setting
    finally:
        setting.worker.stop()
        async with asyncio.timeout(PATIENCE_S):
            await task
        setting.database.close()


def cids(count: int) -> list[CID]:
    return [CID.of(b"%d" % number) for number in range(count)]


def test_a_wish_wakes_a_sleeping_worker(tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path) as at:
            await asyncio.sleep(0.05)
            await at.ask(cids(1)[0])
            async with asyncio.timeout(1):
                await at.until(cids(1)[0], RequestStatus.PINNED)

    run(go())


def test_many_wishes_are_all_carried_out_by_few_hands(tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path, concurrency=2) as at:
            for cid in cids(20):
                await at.ask(cid)
            for cid in cids(20):
                await at.until(cid, RequestStatus.PINNED)
            assert at.engine.kept == set(cids(20))

    run(go())


def test_no_more_than_the_allowed_number_run_at_once(tmp_path: Path) -> None:
    async def go() -> None:
        async with running(tmp_path, concurrency=3) as at:
            at.engine.gate.clear()
            for cid in cids(10):
                await at.ask(cid)
            await asyncio.sleep(0.1)
            assert len(at.engine.calls) == 3
            at.engine.gate.set()
            for cid in cids(10):
                await at.until(cid, RequestStatus.PINNED)

    run(go())


def test_a_bug_in_one_job_stops_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = cids(2)

    async def go() -> None:
        async with running(tmp_path) as at:
            pin = at.engine.pin

            async def sometimes(cid: CID, options: PinOptions) -> Content:
                if cid == bad:
                    raise ZeroDivisionError
                return await pin(cid, options)

            monkeypatch.setattr(at.engine, "pin", sometimes)
            await at.ask(bad)
            await at.ask(good)
            await at.until(good, RequestStatus.PINNED)
            report = await at.pins.report(at.caller, bad)
            assert report.next_attempt_at

    run(go())


def test_a_stop_lets_running_jobs_end(tmp_path: Path) -> None:
    (cid,) = cids(1)

    async def go() -> None:
        async with running(tmp_path) as at:
            at.engine.gate.clear()
            await at.ask(cid)
            while not at.engine.calls:
                await asyncio.sleep(0.001)
            at.worker.stop()
            await asyncio.sleep(0.02)
            at.engine.gate.set()
            await at.until(cid, RequestStatus.PINNED)

    run(go())


def test_a_job_that_outlives_the_grace_is_given_back(tmp_path: Path) -> None:
    (cid,) = cids(1)

    async def go() -> None:
        async with running(tmp_path, grace_s=0.05) as at:
            at.engine.gate.clear()
            await at.ask(cid)
            while not at.engine.calls:
                await asyncio.sleep(0.001)
        async with running(tmp_path) as at:
            await at.until(cid, RequestStatus.PINNED)

    run(go())


def test_a_database_that_is_away_for_a_while_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.worker.loop._AFTER_FAILURE_S", 0.01)
    (cid,) = cids(1)

    async def go() -> None:
        async with running(tmp_path) as at:
            lease, failures = at.reconciler.lease, [1, 2, 3]

            async def flaky(*free: Any) -> object:
                if failures:
                    failures.pop()
                    raise OperationalError("SELECT", None, Exception("locked"))
                return await lease(*free)

            monkeypatch.setattr(at.reconciler, "lease", flaky)
            await at.ask(cid)
            await at.until(cid, RequestStatus.PINNED)

    run(go())


def test_a_failed_pin_is_tried_again_when_its_time_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pinfold.services.pins.jobs.FIRST_DELAY_S", 0.02)
    (cid,) = cids(1)

    async def go() -> None:
        async with running(tmp_path) as at:
            at.engine.refusals[cid] = [BlockNotFound("not here"), BlockNotFound("not here")]
            await at.ask(cid)
            await at.until(cid, RequestStatus.PINNED)
            assert at.engine.calls == [("pin", cid)] * 3

    run(go())


def test_what_has_to_be_fetched_holds_up_nothing_that_is_here(tmp_path: Path) -> None:
    far, here = cids(12)[:10], cids(12)[10:]

    async def go() -> None:
        async with running(tmp_path, concurrency=2) as at:
            at.engine.far = dict.fromkeys(far, Content(3, 30))
            for cid in far:
                await at.ask(cid)
            async with asyncio.timeout(PATIENCE_S):
                while len(at.engine.fetching) < 2:
                    await asyncio.sleep(0.005)
            for cid in here:
                await at.ask(cid)
                await at.until(cid, RequestStatus.PINNED)
            assert len(at.engine.fetching) == 2
            at.engine.arrived.set()
            for cid in far:
                await at.until(cid, RequestStatus.PINNED)

    run(go())


def test_a_stop_ends_fetches_at_once_and_gives_them_back(tmp_path: Path) -> None:
    (cid,) = cids(1)

    async def go() -> None:
        async with running(tmp_path, grace_s=60) as at:
            at.engine.far = {cid: Content(3, 30)}
            await at.ask(cid)
            while not at.engine.fetching:
                await asyncio.sleep(0.005)
        assert not at.engine.fetching
        async with running(tmp_path) as at:
            await at.until(cid, RequestStatus.PINNED)

    run(go())
