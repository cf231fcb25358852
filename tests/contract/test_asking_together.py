"""Requests for pins that come at the same time share a transaction, and none of them minds the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from pinfold.core.cid import CID
from pinfold.core.errors import InvalidInput, QuotaExceeded
from pinfold.services.pins import Priority, RequestStatus, Wanted
from tests.contract.test_pins import set_quota, totals
from tests.support.pins_world import World
from tests.support.rows import chain_breaks

MANY = [CID.of(b"%d" % number) for number in range(40)]


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    world = World(database_url or f"sqlite:///{tmp_path}/platform.sqlite3")
    yield world
    world.database.close()


def test_those_that_come_while_others_are_written_share_a_commit(world: World) -> None:
    commits: list[None] = []
    event.listen(world.database.engine, "commit", lambda _connection: commits.append(None))

    async def go() -> None:
        asked = await asyncio.gather(*(world.ask(cid, f"pin {cid}") for cid in MANY))
        assert [request.cid for request in asked] == MANY
        assert len({request.created_at for request in asked}) == len(MANY)
        assert {request.status for request in asked} == {RequestStatus.QUEUED}

    asyncio.run(go())
    assert len(commits) <= 3
    assert totals(world, world.me)[0] == len(MANY)
    assert world.database.of(world.me.organisation_id).read_now(chain_breaks) == []


def test_asked_for_twice_at_once_is_one_request_as_wanted_last(world: World) -> None:
    async def go() -> None:
        first, last = await asyncio.gather(
            world.ask(MANY[0], "same", meta={"a": "1"}),
            world.ask(MANY[0], "same", meta={"b": "2"}, priority=Priority.HIGH),
        )
        assert first.id == last.id
        found = await world.pins.get(world.me, first.id)
        assert (found.meta, found.priority) == ({"b": "2"}, Priority.HIGH)
        one, another = await asyncio.gather(
            world.pins.add(world.me, Wanted(MANY[0], "same")), world.pins.add(world.me, Wanted(MANY[0], "same"))
        )
        assert len({first.id, one.id, another.id}) == 3

    asyncio.run(go())


def test_a_quota_lets_in_just_as_many_as_fit(world: World) -> None:
    set_quota(world, world.me, quota_pins=7)

    async def go() -> None:
        answers = await asyncio.gather(*(world.ask(cid) for cid in MANY), return_exceptions=True)
        refused = [one for one in answers if isinstance(one, QuotaExceeded)]
        assert len(refused) == len(MANY) - 7 == sum(isinstance(one, Exception) for one in answers)

    asyncio.run(go())
    assert totals(world, world.me)[0] == 7


def test_one_that_cannot_be_stored_is_refused_alone(world: World) -> None:
    async def go() -> None:
        bad = world.ask(MANY[0], "half of a pair: \ud800")
        answers = await asyncio.gather(bad, *(world.ask(cid) for cid in MANY[1:]), return_exceptions=True)
        assert isinstance(answers[0], InvalidInput)
        assert not any(isinstance(one, Exception) for one in answers[1:])

    asyncio.run(go())
    assert totals(world, world.me)[0] == len(MANY) - 1


def test_one_who_leaves_takes_nobody_along(world: World) -> None:
    async def go() -> None:
        tasks = [asyncio.create_task(world.ask(cid)) for cid in MANY[:5]]
        await asyncio.sleep(0)  # so that they have asked
        tasks[0].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(answers[0], asyncio.CancelledError)
        assert [one.cid for one in answers[1:] if not isinstance(one, BaseException)] == MANY[1:5]

    asyncio.run(go())


def test_organisations_do_not_wait_for_each_other(world: World) -> None:
    async def go() -> None:
        other = world.other()
        mine, theirs = await asyncio.gather(
            asyncio.gather(*(world.ask(cid) for cid in MANY)),
            asyncio.gather(*(world.ask(cid, caller=other) for cid in MANY)),
        )
        assert {one.id for one in mine}.isdisjoint(one.id for one in theirs)

    asyncio.run(go())
    assert totals(world, world.me)[0] == totals(world, world.other())[0] == len(MANY)
