from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest

from pinfold.db import Database, upkeep
from pinfold.db.models import PeriodicJobRow
from pinfold.worker import Periodic, Upkeep
from pinfold.worker.upkeep import LEASE

T = TypeVar("T")

SECOND = timedelta(seconds=1)


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def database(database_url: str, tmp_path: Path) -> Iterator[Database]:
    database = Database(database_url or f"sqlite:///{tmp_path / 'platform.sqlite3'}")
    yield database
    database.close()


class House:
    """Some periodic work, and a time that moves when a test says so."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = datetime(2026, 1, 31, 12, tzinfo=UTC)
        self.ran: list[str] = []

    def clock(self) -> datetime:
        return self.now

    def job(self, name: str, every_s: float = 60, fails: bool = False) -> Periodic:
        async def work() -> None:
            self.ran.append(name)
            if fails:
                raise RuntimeError("no luck \0")

        return Periodic(name, every_s, work)

    def upkeep(self, *jobs: Periodic, owner: str = "one", poll_s: float = 0.01) -> Upkeep:
        return Upkeep(self.database, jobs, owner=owner, poll_s=poll_s, clock=self.clock)

    def rows(self) -> dict[str, PeriodicJobRow]:
        return {row.name: row for row in self.database.everybody.read_now(upkeep.of_all)}


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


def test_work_is_done_at_once_and_again_after_its_period(house: House) -> None:
    async def go() -> None:
        one = house.upkeep(house.job("often", 60), house.job("seldom", 3600))
        assert sorted(await one.run_due()) == ["often", "seldom"]
        assert await one.run_due() == []
        house.now += 59 * SECOND
        assert await one.run_due() == []
        house.now += SECOND
        assert await one.run_due() == ["often"]
        house.now += 3600 * SECOND
        assert sorted(await one.run_due()) == ["often", "seldom"]

    run(go())


def test_of_several_processes_one_does_it(house: House) -> None:
    async def go() -> None:
        processes = [house.upkeep(house.job("work"), owner=f"process-{n}") for n in range(4)]
        await asyncio.gather(*(one.run_due() for one in processes))
        assert house.ran == ["work"]
        house.now += 60 * SECOND
        await asyncio.gather(*(one.run_due() for one in processes))
        assert house.ran == ["work", "work"]

    run(go())


def test_a_restart_does_not_do_again_what_was_done(house: House) -> None:
    async def go() -> None:
        await house.upkeep(house.job("work")).run_due()
        assert await house.upkeep(house.job("work"), owner="after a restart").run_due() == []

    run(go())


def test_work_of_a_killed_process_is_done_by_another_once_its_lease_ends(house: House) -> None:
    async def go() -> None:
        everybody = house.database.everybody
        await everybody.write(upkeep.known, ["work"], house.now)
        assert await everybody.write(upkeep.lease, "work", "killed", house.now, house.now + LEASE)
        other = house.upkeep(house.job("work"), owner="other")
        assert await other.run_due() == []
        house.now += LEASE
        assert await other.run_due() == ["work"]

    run(go())


def test_work_that_fails_is_noted_tried_again_soon_and_stops_no_other(house: House) -> None:
    async def go() -> None:
        one = house.upkeep(house.job("bad", 3600, fails=True), house.job("good", 3600))
        assert len(await one.run_due()) == 2
        bad, good = house.rows()["bad"], house.rows()["good"]
        assert bad.error == "RuntimeError: no luck  "
        assert (bad.lease_owner, bad.succeeded_at) == (None, None)
        assert (good.error, good.succeeded_at) == (None, house.now)
        house.now += 60 * SECOND
        assert await one.run_due() == ["bad"]

    run(go())


def test_an_outcome_that_comes_after_its_lease_ended_changes_nothing(house: House) -> None:
    async def go() -> None:
        started, go_on = asyncio.Event(), asyncio.Event()

        async def work() -> None:
            started.set()
            await go_on.wait()

        slow = asyncio.create_task(house.upkeep(Periodic("work", 60, work), owner="slow").run_due())
        await started.wait()
        house.now += LEASE
        held = await house.database.everybody.write(upkeep.lease, "work", "other", house.now, house.now + LEASE)
        assert held
        go_on.set()
        await slow
        assert house.rows()["work"].lease_owner == "other"

    run(go())


def test_a_stop_lets_running_work_end(house: House) -> None:
    async def go() -> None:
        started, go_on, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

        async def work() -> None:
            started.set()
            await go_on.wait()
            ended.set()

        one = house.upkeep(Periodic("work", 60, work))
        running = asyncio.create_task(one.run(stop_grace_s=10))
        await started.wait()
        one.stop()
        go_on.set()
        await running
        assert ended.is_set()
        assert house.rows()["work"].succeeded_at == house.now

    run(go())


def test_work_that_outlasts_the_grace_is_broken_off_and_due_for_others(house: House) -> None:
    async def go() -> None:
        started = asyncio.Event()

        async def work() -> None:
            started.set()
            await asyncio.Event().wait()

        one = house.upkeep(Periodic("work", 60, work))
        running = asyncio.create_task(one.run(stop_grace_s=0.01))
        await started.wait()
        one.stop()
        await running
        row = house.rows()["work"]
        assert (row.lease_owner, row.error, row.succeeded_at) == (None, "it was broken off", None)
        assert await house.upkeep(house.job("work"), owner="other").run_due() == ["work"]

    run(go())


def test_the_loop_does_what_is_due_by_itself(house: House) -> None:
    async def go() -> None:
        again = asyncio.Event()
        times = 0

        async def work() -> None:
            nonlocal times
            times += 1
            house.now += 60 * SECOND
            if times == 3:
                again.set()

        one = house.upkeep(Periodic("work", 60, work))
        running = asyncio.create_task(one.run())
        async with asyncio.timeout(10):
            await again.wait()
        one.stop()
        await running

    run(go())


def test_two_jobs_of_one_name_are_a_mistake(house: House) -> None:
    with pytest.raises(ValueError, match="one name"):
        house.upkeep(house.job("work"), house.job("work"))


def test_long_work_does_not_hold_up_short(house: House) -> None:
    async def go() -> None:
        go_on, short = asyncio.Event(), asyncio.Event()

        async def wait() -> None:
            await go_on.wait()

        async def be_short() -> None:
            short.set()

        one = house.upkeep(Periodic("long", 3600, wait), Periodic("short", 60, be_short))
        running = asyncio.create_task(one.run())
        for _ in range(2):
            async with asyncio.timeout(10):
                await short.wait()
            short.clear()
            house.now += 60 * SECOND
        go_on.set()
        one.stop()
        await running
        assert house.rows()["long"].error is None

    run(go())
