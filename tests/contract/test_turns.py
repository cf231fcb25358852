"""Organisations take turns: what one asks for in thousands does not hold up what another asks for."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from pinfold.core.cid import CID
from pinfold.core.errors import BlockNotFound
from pinfold.db import reconciliations, scope, turns
from pinfold.db.models import PinRow, ReconciliationRow
from pinfold.db.reconciliations import Lane
from pinfold.engine import Content
from pinfold.services.pins import PinRequest, Priority, RequestStatus, Wanted
from pinfold.worker.loop import Worker
from tests.support.pins_world import Story, World, in_a_world
from tests.support.platform import PATIENCE_S

THEIRS = CID.of(b"theirs")
MANY = 2000

Play = Callable[[Story], None]


@pytest.fixture
def play(tmp_path: Path, database_url: str) -> Play:
    """Runs a test's coroutine in a fresh world."""
    return partial(in_a_world, tmp_path, database_url)


@asynccontextmanager
async def working(world: World, fetches: int = 4) -> AsyncIterator[None]:
    worker = Worker(world.reconciler, concurrency=16, fetches=fetches)
    running = asyncio.create_task(worker.run())
    try:
        yield
    finally:
        worker.stop()
        await running


async def until(world: World, request: PinRequest, *wanted: RequestStatus) -> None:
    def status(session: Session) -> str:
        return session.scalars(select(PinRow.status).where(PinRow.id == request.id)).one()

    async with asyncio.timeout(PATIENCE_S):
        while await world.database.everybody.read(status) not in wanted:
            await asyncio.sleep(0.01)


async def ask_for_many(world: World, priority: Priority = Priority.NORMAL) -> list[CID]:
    cids = [CID.of(b"%d" % number) for number in range(MANY)]
    await world.bulk.add(world.me, [Wanted(cid, priority=priority) for cid in cids])
    return cids


def undecided(session: Session) -> int:
    return session.scalars(select(func.count()).select_from(PinRow).where(PinRow.status == "queued")).one()


@pytest.mark.parametrize("priority", [Priority.NORMAL, Priority.HIGH])
def test_one_organisation_s_pin_is_among_the_next_beside_thousands_of_another_s(play: Play, priority: Priority) -> None:
    async def story(world: World) -> None:
        await ask_for_many(world, priority)
        await world.ask(THEIRS, caller=world.other())
        leased = await world.reconciler.lease(10)
        assert len(leased) == 10
        assert THEIRS in [lease.cid for lease in leased]

    play(story)


def test_what_cannot_be_had_is_decided_beside_thousands_of_another_s_hopeless_ones(play: Play) -> None:
    async def story(world: World) -> None:
        for cid in await ask_for_many(world):
            world.engine.refusals[cid.to_v1()] = [BlockNotFound("nobody has it")]
        world.engine.refusals[THEIRS] = [BlockNotFound("nobody has it")]
        async with working(world):
            request = await world.ask(THEIRS, caller=world.other())
            await until(world, request, RequestStatus.FAILED)
            assert await world.database.everybody.read(undecided) > MANY / 2

    play(story)


def test_who_has_fewest_fetches_gets_the_next(play: Play) -> None:
    async def story(world: World) -> None:
        mine, other = world.me, world.other()
        wishes = {mine: [CID.of(b"mine %d" % n) for n in range(9)], other: [CID.of(b"other %d" % n) for n in range(9)]}
        for caller, cids in wishes.items():
            for cid in cids:
                world.engine.far[cid] = Content(1, 1)
                await world.ask(cid, caller=caller)
        for lease in await world.reconciler.lease(18, 0):
            await world.reconciler.carry_out(lease)
        leased = await world.reconciler.lease(0, 4, {mine.organisation_id: 3})
        got = Counter(lease.organisation_id for lease in leased)
        assert got == {other.organisation_id: 4} or got == {other.organisation_id: 3, mine.organisation_id: 1}
        assert {lease.organisation_id for lease in await world.reconciler.lease(0, 2)} == {
            mine.organisation_id,
            other.organisation_id,
        }
        order = [(await world.reconciler.lease(0, 1))[0].organisation_id for _ in range(4)]
        assert order[0] != order[1] and order[:2] == order[2:]

    play(story)


def test_a_long_fetch_makes_way_for_an_organisation_that_has_none_and_is_resumed(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pinfold.worker.loop._FETCH_S", 0.05)
    monkeypatch.setattr("pinfold.worker.loop._LOOK_FOR_OTHERS_S", 0.01)
    long = CID.of(b"long")

    async def story(world: World) -> None:
        world.engine.far[long] = Content(2, 20)
        mine = await world.ask(long)
        async with working(world, fetches=1):
            await until(world, mine, RequestStatus.PINNING)
            world.engine.refusals[THEIRS] = [BlockNotFound("nobody has it")]
            theirs = await world.ask(THEIRS, caller=world.other())
            await until(world, theirs, RequestStatus.FAILED)
            world.engine.arrived.set()
            await until(world, mine, RequestStatus.PINNED)

    play(story)


def test_a_root_stays_in_somebody_s_turns_when_nobody_in_particular_makes_it_due(play: Play) -> None:
    async def story(world: World) -> None:
        request = await world.ask(THEIRS, caller=world.other())
        await world.database.background.write(reconciliations.mark_due, str(request.cid), world.now)
        (lease,) = await world.reconciler.lease(10)
        assert lease.organisation_id == world.other().organisation_id

    play(story)


def test_everybody_comes_to_their_turn_however_many_organisations_there_are(play: Play) -> None:
    count = 450  # more than are looked at together

    def mark(session: Session, number: int, now: datetime) -> None:
        scope.bind(session, f"organisation {number:04}")
        reconciliations.mark_all_due(session, {f"{number} {n}": 1 for n in range(2)}, now)

    def lease(session: Session, now: datetime, after: str) -> list[str]:
        leased = reconciliations.lease(session, "me", Lane.LOOK, 16, now, now, turns.Turn(after))
        for root, *_ in leased:
            session.delete(session.get_one(ReconciliationRow, root))
        return [whose for *_, whose in leased]

    async def story(world: World) -> None:
        for number in range(count):
            await world.database.everybody.write(mark, number, world.now)
        served: list[str] = []
        for _ in range(-(-count // 16)):
            served += await world.database.everybody.write(lease, world.now, served[-1] if served else "")
        assert len(set(served)) == count

    play(story)
