from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from pinfold.core.cid import CID
from pinfold.core.errors import BlockCorrupt, BlockNotFound, DatabaseUnavailable
from pinfold.engine import Peer, PeerStatus, TrackerStatus
from pinfold.services.pins import Health, RequestStatus, jobs
from pinfold.services.pins.jobs import FIRST_DELAY_S, LEASE, LONGEST_DELAY_S
from tests.support.pins_world import World
from tests.support.platform import run

ROOT = CID.of(b"root")
OTHER = CID.of(b"other")


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]:
    """Runs a test's coroutine in a fresh world."""

    def go(story: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        async def tell() -> None:
            world = World(f"sqlite:///{tmp_path}/platform.sqlite3")
            try:
                await story(world)
            finally:
                world.database.close()

        run(tell())

    return go


Play = Callable[[Callable[[World], Coroutine[Any, Any, None]]], None]


def test_a_wish_is_queued_without_touching_the_engine_then_pinned(play: Play) -> None:
    async def story(world: World) -> None:
        request = await world.ask(ROOT, "mine")
        assert request.status is RequestStatus.QUEUED
        assert world.wakes == 1
        assert not world.engine.calls
        assert await world.work() == 1
        report = await world.report(ROOT)
        assert (report.health, report.requests[0].status) == (Health.HEALTHY, RequestStatus.PINNED)
        assert [node.status for node in report.nodes] == [TrackerStatus.PINNED, TrackerStatus.REMOTE]
        assert await world.work() == 0

    play(story)


def test_failures_are_retried_later_and_later(play: Play) -> None:
    async def story(world: World) -> None:
        world.engine.refusals[ROOT] = [BlockNotFound("not here") for _ in range(20)]
        await world.ask(ROOT)
        delays = []
        for attempt in range(20):
            assert await world.work() == 2  # a look, and an attempt to fetch
            report = await world.report(ROOT)
            assert (report.requests[0].status, report.requests[0].error) == (RequestStatus.FAILED, "not here")
            assert report.attempts == attempt + 1
            assert report.next_attempt_at
            delays.append((report.next_attempt_at - world.now).total_seconds())
            assert await world.work() == 0
            world.now = report.next_attempt_at
        assert delays[0] <= FIRST_DELAY_S * 1.2
        assert LONGEST_DELAY_S * 0.8 <= delays[-1] <= LONGEST_DELAY_S * 1.2
        assert await world.work() == 1
        report = await world.report(ROOT)
        assert (report.requests[0].status, report.requests[0].error) == (RequestStatus.PINNED, None)

    play(story)


def test_a_database_that_is_away_is_no_failure_of_the_content(play: Play) -> None:
    async def story(world: World) -> None:
        world.engine.refusals[ROOT] = [DatabaseUnavailable("the database is away")]
        await world.ask(ROOT)
        (lease,) = await world.reconciler.lease(1)
        with pytest.raises(DatabaseUnavailable):
            await world.reconciler.carry_out(lease)
        report = await world.report(ROOT)
        assert (report.requests[0].status, report.requests[0].error) == (RequestStatus.QUEUED, None)

    play(story)


def test_corrupt_content_is_never_tried_again_by_itself(play: Play) -> None:
    async def story(world: World) -> None:
        world.engine.refusals[ROOT] = [BlockCorrupt("bad bytes")]
        await world.ask(ROOT)
        await world.work()
        report = await world.report(ROOT)
        assert (report.requests[0].status, report.next_attempt_at) == (RequestStatus.FAILED, None)
        assert report.failed_replicas
        await world.ask(ROOT)
        await world.work()
        assert (await world.report(ROOT)).requests[0].status is RequestStatus.PINNED

    play(story)


def test_an_engine_that_is_at_it_is_asked_again(play: Play) -> None:
    async def story(world: World) -> None:
        world.engine.statuses[ROOT] = [PeerStatus(Peer("one", "first"), TrackerStatus.PINNING)]
        await world.ask(ROOT)
        await world.work()
        assert (await world.report(ROOT)).requests[0].status is RequestStatus.PINNING
        del world.engine.statuses[ROOT]
        world.now += timedelta(seconds=2)
        await world.work()
        assert (await world.report(ROOT)).requests[0].status is RequestStatus.PINNED

    play(story)


def test_what_nobody_wants_is_unpinned(play: Play) -> None:
    async def story(world: World) -> None:
        request = await world.ask(ROOT)
        await world.work()
        await world.pins.remove(world.me, request.id)
        await world.work()
        assert world.engine.kept == set()

    play(story)


def test_a_wish_that_comes_while_the_worker_decides_to_unpin_wins(play: Play) -> None:
    async def story(world: World) -> None:
        request = await world.ask(ROOT)
        await world.work()
        await world.pins.remove(world.me, request.id)
        (lease,) = await world.reconciler.lease(1)
        await world.ask(ROOT, "again")
        await world.reconciler.carry_out(lease)
        await world.work()
        assert world.engine.kept == {ROOT}
        assert ("unpin", ROOT) not in world.engine.calls

    play(story)


def test_a_wish_that_comes_during_the_unpin_is_carried_out_after_it(play: Play) -> None:
    async def story(world: World) -> None:
        request = await world.ask(ROOT)
        await world.work()
        await world.pins.remove(world.me, request.id)
        world.engine.gate.clear()
        working = asyncio.create_task(world.work())
        while ("unpin", ROOT) not in world.engine.calls:
            await asyncio.sleep(0.001)
        await world.ask(ROOT, "again")
        world.engine.gate.set()
        await working
        assert world.engine.kept == {ROOT}
        assert (await world.report(ROOT)).requests[0].status is RequestStatus.PINNED

    play(story)


def test_two_workers_never_hold_the_same_root(play: Play) -> None:
    async def story(world: World) -> None:
        await world.ask(ROOT)
        await world.ask(OTHER)
        first, second = await world.reconciler.lease(1), await world.worker("you").lease(10)
        assert {lease.cid for lease in first} | {lease.cid for lease in second} == {ROOT, OTHER}
        assert len(first) == len(second) == 1

    play(story)


def test_the_lease_of_a_dead_worker_runs_out(play: Play) -> None:
    async def story(world: World) -> None:
        await world.ask(ROOT)
        await world.worker("dead").lease(1)
        assert not await world.reconciler.lease(1)
        world.now += LEASE
        assert await world.work() == 1
        assert world.engine.kept == {ROOT}

    play(story)


def test_a_lease_can_be_extended_released_and_put_off(play: Play) -> None:
    async def story(world: World) -> None:
        await world.ask(ROOT)
        (lease,) = await world.reconciler.lease(1)
        world.now += LEASE * 0.9
        await world.reconciler.extend([lease])
        world.now += LEASE * 0.9
        assert not await world.worker("you").lease(1)
        await world.reconciler.release(lease)
        (lease,) = await world.reconciler.lease(1)
        await world.reconciler.put_off(lease)
        assert not await world.reconciler.lease(1)
        seconds = await world.reconciler.seconds_to_next()
        assert seconds is not None
        assert 0 < seconds <= FIRST_DELAY_S * 1.2

    play(story)


def test_a_start_finds_what_differs_and_nothing_else(play: Play) -> None:
    async def story(world: World) -> None:
        for number in range(30):
            await world.ask(CID.of(b"%d" % number))
        await world.work()
        lost, orphan = CID.of(b"7"), CID.of(b"nobody asked for this")
        world.engine.kept.discard(lost)
        world.engine.kept.add(orphan)
        await world.ask(OTHER)
        await world.worker("killed").lease(1)
        world.engine.calls.clear()
        await world.reconciler.release_all()
        await world.reconciler.catch_up()
        await world.work()
        assert sorted(world.engine.calls) == sorted([("pin", lost), ("pin", OTHER), ("unpin", orphan)])

    play(story)


def test_a_comparison_goes_over_more_roots_than_a_page_has(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_PAGE", 7)

    async def story(world: World) -> None:
        for number in range(30):
            await world.ask(CID.of(b"%d" % number))
        await world.work()
        lost = {CID.of(b"%d" % number) for number in range(0, 30, 2)}
        orphans = {CID.of(b"orphan %d" % number) for number in range(20)}
        world.engine.kept = (world.engine.kept - lost) | orphans
        world.engine.calls.clear()
        await world.reconciler.catch_up()
        await world.work()
        expected = [("pin", cid) for cid in lost] + [("unpin", cid) for cid in orphans]
        assert sorted(world.engine.calls) == sorted(expected)

    play(story)
