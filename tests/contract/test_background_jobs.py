from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pinfold.core.errors import DatabaseUnavailable, InvalidInput, RecordNotFound, TooManyRequests
from pinfold.db import Database
from pinfold.services.accounts import Caller
from pinfold.services.background import BackgroundService
from pinfold.worker.background import LEASE, BackgroundRunner
from tests.support.tenants import make_organisation


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    database = Database(database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    yield database
    database.close()


def caller(database: Database, slug: str = "one") -> Caller:
    return Caller("t", "tests", database.everybody.write_now(make_organisation, slug), frozenset())


async def double(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
    return {"twice": argument["number"] * 2, "for": organisation_id}


async def refuse(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
    raise InvalidInput("this cannot be done")


async def break_down(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
    raise RuntimeError("a secret detail")


KINDS = {"double": double, "refuse": refuse, "break": break_down}


def test_a_job_is_done_for_its_organisation_and_seen_by_no_other(database: Database) -> None:
    async def go() -> None:
        me, other = caller(database), caller(database, "other")
        service = BackgroundService(database, lambda: None)
        job = await service.submit(me, "double", {"number": 21})
        assert (job.status, job.result) == ("queued", None)
        assert await BackgroundRunner(database, KINDS, owner="a").run_one()
        done = await service.get(me, job.id)
        assert (done.status, done.result) == ("done", {"twice": 42, "for": me.organisation_id})
        assert done.finished_at is not None
        with pytest.raises(RecordNotFound):
            await service.get(other, job.id)
        assert not await BackgroundRunner(database, KINDS, owner="a").run_one()

    asyncio.run(go())


@pytest.mark.parametrize(("kind", "error"), [("refuse", "this cannot be done"), ("break", "its log says why")])
def test_a_job_that_fails_says_so_and_tells_no_detail(database: Database, kind: str, error: str) -> None:
    async def go() -> None:
        service = BackgroundService(database, lambda: None)
        me = caller(database)
        job = await service.submit(me, kind, {})
        await BackgroundRunner(database, KINDS, owner="a").run_one()
        failed = await service.get(me, job.id)
        assert failed.status == "failed"
        assert failed.error is not None
        assert error in failed.error
        assert "secret" not in failed.error

    asyncio.run(go())


def test_a_killed_worker_s_job_is_done_by_another_when_its_lease_is_over(database: Database) -> None:
    async def go() -> None:
        clock, me = Clock(), caller(database)
        service = BackgroundService(database, lambda: None, clock)
        job = await service.submit(me, "double", {"number": 1})
        killed = BackgroundRunner(database, KINDS, owner="killed", clock=clock)
        assert await killed._lease() is not None  # and then nothing more is heard of it
        other = BackgroundRunner(database, KINDS, owner="other", clock=clock)
        assert not await other.run_one()
        clock.now += LEASE + timedelta(seconds=1)
        assert await other.run_one()
        assert (await service.get(me, job.id)).status == "done"

    asyncio.run(go())


def test_a_job_during_which_the_database_is_away_is_done_once_more(database: Database) -> None:
    async def fail_once(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
        if clock.now < later:
            raise DatabaseUnavailable("the database is away")
        return {}

    clock = Clock()
    later = clock.now + LEASE + timedelta(seconds=1)

    async def go() -> None:
        me = caller(database)
        service = BackgroundService(database, lambda: None, clock)
        job = await service.submit(me, "fail_once", {})
        runner = BackgroundRunner(database, {"fail_once": fail_once}, owner="a", clock=clock)
        await runner.run_one()
        assert (await service.get(me, job.id)).status == "running"
        clock.now = later
        assert await runner.run_one()
        assert (await service.get(me, job.id)).status == "done"

    asyncio.run(go())


def test_a_job_that_kills_every_worker_is_given_up(database: Database) -> None:
    async def go() -> None:
        clock, me = Clock(), caller(database)
        service = BackgroundService(database, lambda: None, clock)
        job = await service.submit(me, "double", {"number": 1})
        runner = BackgroundRunner(database, KINDS, owner="a", clock=clock)
        for _ in range(2):  # it is begun once more after the first time, and not again
            assert await runner._lease() is not None
            clock.now += LEASE + timedelta(seconds=1)
        assert await runner.run_one()
        failed = await service.get(me, job.id)
        assert (failed.status, failed.result) == ("failed", None)

    asyncio.run(go())


def test_organisations_take_turns_however_many_jobs_one_has_queued(database: Database) -> None:
    async def go() -> None:
        service = BackgroundService(database, lambda: None)
        many, few = caller(database), caller(database, "other")
        for number in range(10):
            await service.submit(many, "double", {"number": number})
        for number in range(2):
            await service.submit(few, "double", {"number": number})
        runner = BackgroundRunner(database, {"double": note}, owner="a")
        for _ in range(4):
            assert await runner.run_one()
        assert sorted(done) == sorted([few.organisation_id] * 2 + [many.organisation_id] * 2)

    done: list[str] = []

    async def note(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
        done.append(organisation_id)
        return {}

    asyncio.run(go())


def test_a_long_job_of_one_organisation_holds_up_no_other_and_its_second_one_waits(database: Database) -> None:
    async def go() -> None:
        service = BackgroundService(database, lambda: None)
        slow, quick = caller(database), caller(database, "other")
        goes_on, begun = asyncio.Event(), []

        async def work(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
            begun.append(organisation_id)
            if organisation_id == slow.organisation_id:
                await goes_on.wait()
            return {}

        for _ in range(3):
            await service.submit(slow, "work", {})
        runners = [BackgroundRunner(database, {"work": work}, owner=name, poll_s=0.01) for name in "ab"]
        running = [asyncio.create_task(runner.run()) for runner in runners]
        async with asyncio.timeout(10):
            while not begun:
                await asyncio.sleep(0.01)
            job = await service.submit(quick, "work", {})
            while (await service.get(quick, job.id)).status != "done":
                await asyncio.sleep(0.01)
            assert begun == [slow.organisation_id, quick.organisation_id], "one at a time of an organisation, anywhere"
            goes_on.set()
            while begun.count(slow.organisation_id) < 3:
                await asyncio.sleep(0.01)
        for runner in runners:
            runner.stop()
        await asyncio.gather(*running)

    asyncio.run(go())


def test_a_job_that_a_stop_broke_off_was_not_tried(database: Database) -> None:
    async def go() -> None:
        service, me = BackgroundService(database, lambda: None), caller(database)
        job = await service.submit(me, "endless", {})
        begun = asyncio.Event()

        async def endless(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
            begun.set()
            await asyncio.Event().wait()
            return {}

        for _ in range(4):
            runner = BackgroundRunner(database, {"endless": endless}, owner="a")
            running = asyncio.create_task(runner.run(stop_grace_s=0))
            await begun.wait()
            begun.clear()
            runner.stop()
            await running
        assert await BackgroundRunner(database, {"endless": double_nothing}, owner="a").run_one()
        assert (await service.get(me, job.id)).status == "done"

    async def double_nothing(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
        return {}

    asyncio.run(go())


def test_two_workers_never_do_one_job(database: Database) -> None:
    done: list[int] = []

    async def note(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
        done.append(argument["number"])
        return {}

    async def go() -> None:
        service = BackgroundService(database, lambda: None)
        me = caller(database)
        for number in range(15):
            await service.submit(me, "note", {"number": number})
        runners = [BackgroundRunner(database, {"note": note}, owner=f"w{number}") for number in range(3)]

        async def drain(runner: BackgroundRunner) -> None:
            while len(done) < 15:
                await runner.run_one()

        await asyncio.gather(*map(drain, runners))
        assert sorted(done) == list(range(15))

    asyncio.run(go())


def test_a_stop_gives_back_what_does_not_end(database: Database) -> None:
    async def go() -> None:
        begun = asyncio.Event()

        async def endless(organisation_id: str, argument: dict[str, Any]) -> dict[str, Any]:
            begun.set()
            await asyncio.Event().wait()
            return {}

        service, me = BackgroundService(database, lambda: None), caller(database)
        job = await service.submit(me, "endless", {})
        runner = BackgroundRunner(database, {"endless": endless}, owner="a")
        running = asyncio.create_task(runner.run(stop_grace_s=0.01))
        await begun.wait()
        assert (await service.get(me, job.id)).status == "running"
        runner.stop()
        await running
        assert (await service.get(me, job.id)).status == "queued"

    asyncio.run(go())


def test_nobody_queues_without_an_end_and_old_results_go(database: Database) -> None:
    async def go() -> None:
        clock, me = Clock(), caller(database)
        service = BackgroundService(database, lambda: None, clock)
        jobs = [await service.submit(me, "double", {"number": 1}) for _ in range(20)]
        with pytest.raises(TooManyRequests):
            await service.submit(me, "double", {"number": 1})
        await BackgroundRunner(database, KINDS, owner="a", clock=clock).run_one()
        clock.now += timedelta(days=8)
        await service.prune()
        states = []
        for job in jobs:
            try:
                states.append((await service.get(me, job.id)).status)
            except RecordNotFound:
                states.append("gone")
        assert sorted(states) == ["gone"] + ["queued"] * 19

    asyncio.run(go())
